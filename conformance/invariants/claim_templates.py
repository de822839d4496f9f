"""Claim templates: each pod of a set has claims of its own, made before it and kept when it is replaced.

A claim is found by its name alone: template, set, ordinal. A set makes those claims and no others, as the template
says; a claim that is there is taken as it is.
"""

from collections.abc import Iterator

from pvkit.backends.objects import Key, Obj, controller_of, deleting, get, labels, name, namespace, phase, uid
from pvkit.backends.storage import claim_ref_uid
from pvkit.backends.workloads import claim_name, is_parallel, ordinal, ordinals, templates
from pvkit.conformance.history import SEEING, Change, State
from pvkit.conformance.invariant import AT_RISK, HELD, Findings, Level, Memory, Scope, Violation, invariant
from pvkit.conformance.invariants.acts import creation_of
from pvkit.conformance.invariants.cuts import Cuts
from pvkit.conformance.invariants.ledger import VOLUMES
from pvkit.conformance.invariants.moments import remembered
from pvkit.conformance.invariants.rest import Standing, standings
from pvkit.conformance.invariants.sets import (
    CLAIM,
    CLAIM_GONE,
    CLAIM_MADE,
    POD,
    POD_MADE,
    SETS_BY_NAMESPACE,
    TEMPLATES_DOC,
    claim_names,
    claim_role,
    follows_template,
    mounted_claims,
    set_of,
)

STORAGE_DOC = "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#stable-storage"
POD_CONTROL = "pkg/controller/statefulset/stateful_pod_control.go"

MOST_REMEMBERED = 1024


@invariant(
    "STS-040",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"PVC-01, PVC-05, S5; {STORAGE_DOC}",
    on=(POD_MADE,),
)
def pod_mounts_its_own_claims(change: Change, memory: Memory) -> Findings:
    """A set's pod mounts, for every claim template, the claim of its own ordinal."""
    if not change.born or change.by_client or change.life.by_client:
        return
    pod, stateful_set = change.obj, set_of(change.state, change.obj)
    if stateful_set is None or not templates(stateful_set):
        return
    yield AT_RISK if len(ordinals(stateful_set)) > 1 else HELD
    mounted, at = mounted_claims(pod), ordinal(pod)
    for template in templates(stateful_set):
        wanted, found = claim_name(template, stateful_set, at), mounted.get(name(template))
        if found != wanted:
            yield Violation(
                f"{name(pod)} mounts {found or 'no claim'} for template {name(template)}, expected {wanted}", (pod,)
            )


@invariant(
    "STS-041",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"ORDER-14, S5; {POD_CONTROL}: CreateStatefulPod; {TEMPLATES_DOC}",
    on=(POD_MADE,),
    needs=("order",),
    follows=(Cuts,),
    when=creation_of,
)
def claims_come_before_their_pod(change: Change, memory: Memory) -> Findings:
    """A set creates a pod only when the claims of all templates exist."""
    act = creation_of(change) if change.key.kind == POD else None
    if act is None or not templates(act.stateful_set):
        return
    yield AT_RISK
    for claim in claim_names(act.stateful_set, act.ordinal):
        key = Key(CLAIM, act.at.namespace, claim)
        if change.state.lookup(key) is None and not act.cuts.lately_gone(key):
            yield Violation(f"{name(act.pod)} was created before its claim {claim}", (act.pod, act.stateful_set))


def _made(change: Change) -> Obj | None:
    """A claim that a set just made; those that belong to a pod's ephemeral volume are the pod's."""
    if change.key.kind != CLAIM or not change.born or change.life.by_client:
        return None
    owner = controller_of(change.obj)
    return change.obj if owner is None or owner.get("kind") != POD else None


@invariant(
    "STS-042",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"PVC-01; {STORAGE_DOC}",
    on=(CLAIM_MADE,),
    needs=("order",),
    follows=(Cuts,),
    when=_made,
)
def only_claims_of_templates_are_made(change: Change, memory: Memory) -> Findings:
    """A claim that no client made is named after a claim template, its set and an ordinal in the set's range."""
    claim = _made(change)
    if claim is None:
        return
    yield AT_RISK
    if not _roles(change):
        told = ", ".join(_expected(change)) or "no set has claim templates"
        yield Violation(f"claim {name(claim)} was made, which no set asks for ({told})", (claim,))


@remembered
def _roles(change: Change) -> list[tuple[Obj, Obj]]:
    """The versions of sets that would make this claim, each with the template that it would make it from."""
    return list(_found_roles(change, change.state.follow(Cuts)))


def _found_roles(change: Change, cuts: Cuts) -> Iterator[tuple[Obj, Obj]]:
    for at in [at for at in cuts.sights if at.namespace == change.key.namespace]:
        for version in cuts.versions(at):
            found = claim_role(version, change.key.name)
            if found is not None and found[1] in ordinals(version):
                yield version, found[0]


def _expected(change: Change) -> Iterator[str]:
    for stateful_set in change.state.find(SETS_BY_NAMESPACE, change.key.namespace):
        span = ordinals(stateful_set)
        for template in templates(stateful_set):
            yield f"{name(template)}-{name(stateful_set)}-<{span.start} to {span.stop - 1}>"


@invariant(
    "STS-043",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"PVC-01, PVC-03; {TEMPLATES_DOC}",
    on=(CLAIM_MADE,),
    needs=("order",),
    follows=(Cuts,),
    when=_made,
)
def claim_follows_its_template(change: Change, memory: Memory) -> Findings:
    """A claim that a set makes asks for what its template says: size, access modes, volume mode, class."""
    claim = _made(change)
    roles = _roles(change) if claim is not None else []
    if claim is None or not roles:
        return
    yield HELD
    if not any(follows_template(claim, template) for _, template in roles):
        yield Violation(f"claim {name(claim)} does not ask for what its template says", (claim, roles[0][0]))


@invariant(
    "STS-044",
    scope=Scope.EACH_STEP,
    level=Level.UPSTREAM,
    source="PVC-03, HB-115; pkg/controller/statefulset/stateful_set_utils.go: getPersistentVolumeClaims",
    on=(CLAIM_MADE,),
    needs=("order",),
    follows=(Cuts,),
    when=_made,
)
def claim_carries_its_labels(change: Change, memory: Memory) -> Findings:
    """A claim that a set makes carries the labels of its template, and over them those of the set's selector."""
    claim = _made(change)
    roles = _roles(change) if claim is not None else []
    if claim is None or not roles:
        return
    yield HELD
    if not any(_labelled(claim, version, template) for version, template in roles):
        yield Violation(f"claim {name(claim)} has the labels {dict(labels(claim))}", (claim, roles[0][0]))


def _labelled(claim: Obj, version: Obj, template: Obj) -> bool:
    wanted = {**labels(template), **(get(version, "spec", "selector", "matchLabels") or {})}
    return all(labels(claim).get(label) == value for label, value in wanted.items())


@invariant(
    "STS-045",
    scope=Scope.EACH_STEP,
    level=Level.UPSTREAM,
    source=f"PVC-07, PVC-08, HB-091; {POD_CONTROL}: createPersistentVolumeClaims",
    on=(POD_MADE,),
    needs=("order",),
    follows=(Cuts,),
    when=creation_of,
)
def no_pod_on_a_terminating_claim(change: Change, memory: Memory) -> Findings:
    """A set does not create a pod while a claim of it is being deleted."""
    act = creation_of(change)
    if act is None or not templates(act.stateful_set):
        return
    yield HELD
    for name_of_claim in claim_names(act.stateful_set, act.ordinal):
        claim = change.state.get(CLAIM, act.at.namespace, name_of_claim)
        if claim is not None and deleting(claim) and _is_seen(change.state, claim):
            yield Violation(
                f"{name(act.pod)} was created although its claim {name_of_claim} is being deleted", (act.pod, claim)
            )


def _is_seen(state: State, claim: Obj) -> bool:
    """Whether a set must have seen the claim as it is: everything was at rest since, or all see at once."""
    cuts, key = state.follow(Cuts), Key(CLAIM, namespace(claim), name(claim))
    life = state.life(key)
    return life is not None and (life.changed <= cuts.since or (not cuts.blurred and state.known(key)))


@invariant(
    "STS-046",
    scope=Scope.SETTLED,
    level=Level.UPSTREAM,
    source="PVC-09, PVC-10, L4; test/e2e/apps/statefulset.go: PVC should be recreated when pod is pending due to a "
    "missing PVC",
    follows=(Cuts,),
    when=standings,
)
def missing_claim_is_made_again(state: State, memory: Memory) -> Findings:
    """At rest a pending pod of a set has all its claims, made again where they were lost."""
    cuts = state.follow(Cuts)
    for standing in standings(state):
        for pod in _pending(state, standing):
            for claim in claim_names(standing.stateful_set, ordinal(pod)):
                key = Key(CLAIM, namespace(pod), claim)
                lost = cuts.claims.get(key, -1)
                yield AT_RISK if lost >= 0 else HELD
                if state.lookup(key) is None and lost < cuts.sight(standing.at).stirred:
                    yield Violation(f"{name(pod)} is pending and its claim {claim} does not exist", (pod,))


def _pending(state: State, standing: Standing) -> Iterator[Obj]:
    """The pending pods that a pass comes by; where creating claims may be forbidden, none."""
    stateful_set, span = standing.stateful_set, ordinals(standing.stateful_set)
    if standing.at.namespace in state.follow(Cuts).quotas or state.header.backend.lag > 0:
        return
    alone = span[len(standing.passed) : len(standing.passed) + 1]
    everybody = [state.get(POD, standing.at.namespace, f"{standing.at.name}-{one}") for one in span]
    # With Parallel an error at one pod may end the pass before it comes to the next.
    if is_parallel(stateful_set) and any(pod is None for pod in everybody):
        return
    for one in span if is_parallel(stateful_set) else alone:
        pod = state.get(POD, standing.at.namespace, f"{standing.at.name}-{one}")
        if pod is not None and set_of(state, pod) is not None and phase(pod) == "Pending" and not deleting(pod):
            yield pod


@invariant(
    "STS-047",
    scope=Scope.ALWAYS,
    level=Level.CONTRACT,
    source=f"PVC-15, IDENT-11, S2; {STORAGE_DOC}",
    on=("Process ADDED", CLAIM_GONE),
    needs=("order", "data"),
)
def data_is_found_again(change: Change, memory: Memory) -> Findings:
    """A pod that comes back to the same claim finds what was written to it before."""
    state = change.state
    if change.key.kind == CLAIM:
        if change.gone:
            memory.pop(uid(change.obj), None)
        return
    if not change.born:
        return
    for entry in change.obj["spec"].get("volumes") or ():
        claim, asset = str(entry["claimUID"]), str(entry["asset"])
        before = memory.get(claim)
        memory[claim] = (asset, entry["volumeUID"], entry["volume"])
        if len(memory) > MOST_REMEMBERED:
            del memory[next(iter(memory))]
        if before is None or not _was_written(state, before[0], claim, str(change.obj["spec"]["podUID"])):
            continue
        yield AT_RISK
        if before[0] != asset:
            if _still_there(state, before[2], before[1], claim):
                yield Violation(
                    f"{change.obj['spec']['pod']} found {asset} behind its claim {entry['claim']}, "
                    f"and {before[0]} before",
                    (change.obj,),
                )
        elif state.count(VOLUMES, asset) <= 1 and (entry.get("read") or {}).get("claim") != claim:
            yield Violation(
                f"{change.obj['spec']['pod']} did not find in {asset} what was written through its claim "
                f"{entry['claim']}, but {entry.get('read')}",
                (change.obj,),
            )


def _was_written(state: State, asset: str, claim: str, reader: str) -> bool:
    """Whether an earlier pod left a mark in an asset through this claim."""
    held = state.get("Asset", "", asset)
    marks = get(held or {}, "spec", "data") or ()
    return any(mark.get("claim") == claim and mark.get("podUID") != reader for mark in marks)


def _still_there(state: State, volume: str, volume_uid: str, claim: str) -> bool:
    """Whether the volume of before exists untouched and is still given to the claim."""
    found, life = state.get("PersistentVolume", "", volume), state.life(Key("PersistentVolume", "", volume))
    untouched = life is not None and not life.hands and state.faults <= SEEING
    return found is not None and uid(found) == volume_uid and untouched and claim_ref_uid(found) == claim
