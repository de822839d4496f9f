"""Retention: claims outlive their pods and their set, unless the set's policy says otherwise.

A set deletes no claim itself. It makes itself or a pod that is scaled away the owner of a claim, and the garbage
collector does the rest. So a claim may go only when nothing that owns it is left, only under a Delete policy may it be
owned at all, and nobody's else owners are touched.
"""

from collections.abc import Callable, Iterator

from pvkit.backends.objects import (
    NAMESPACED,
    Key,
    Obj,
    controller_of,
    deleting,
    finalizers,
    name,
    namespace,
    owners,
    uid,
)
from pvkit.backends.workloads import ordinal, ordinals, parent_and_ordinal, retention, templates
from pvkit.conformance.history import Change, Life, State
from pvkit.conformance.invariant import AT_RISK, HELD, Findings, Level, Mark, Memory, Scope, Violation, invariant
from pvkit.conformance.invariants.acts import Act, creation_of, deletion_of, is_updatable
from pvkit.conformance.invariants.cuts import Cuts
from pvkit.conformance.invariants.moments import begins_to_go, remembered
from pvkit.conformance.invariants.rest import Standing, standings
from pvkit.conformance.invariants.sets import (
    CLAIM,
    CLAIM_CHANGED,
    CLAIM_GONE,
    CLAIM_MADE,
    POD,
    POD_CHANGED,
    POD_GONE,
    POD_MADE,
    RETENTION_DOC,
    SET,
    UTILS,
    claim_names,
    claim_role,
    is_exact,
    is_leaving,
    set_of,
)

POD_CONTROL = "pkg/controller/statefulset/stateful_pod_control.go"
COLLECTOR = "pkg/controller/garbagecollector/garbagecollector.go: attemptToDeleteItem"


def is_alive(state: State, obj: Obj, reference: Obj) -> bool:
    """Whether the owner that a reference names exists, and does not wait for its dependents to go first."""
    kind = str(reference.get("kind"))
    where = namespace(obj) if kind in NAMESPACED else ""
    owner = state.get(kind, where, str(reference.get("name")))
    if owner is None or uid(owner) != reference.get("uid"):
        return False
    return not (deleting(owner) and "foregroundDeletion" in finalizers(owner))


@remembered
def _added(change: Change) -> list[Obj]:
    """The owner references that a claim got by this change, not by the client's hand."""
    old, new = change.old, change.new
    if new is None or change.by_client or not owners(new):
        return []
    before = {ref.get("uid") for ref in owners(old)} if old is not None else set()
    return [ref for ref in owners(new) if ref.get("uid") not in before]


def _of_set(change: Change, reference: Obj) -> tuple[Key, int] | None:
    """The key of the set and the ordinal that an owner reference of a claim speaks of; -1 for the set itself."""
    where = change.key.namespace
    if reference.get("kind") == SET:
        return Key(SET, where, str(reference.get("name"))), -1
    if reference.get("kind") == POD:
        parent, at = parent_and_ordinal(str(reference.get("name")))
        if parent and not (change.born and change.key.name.startswith(f"{reference.get('name')}-")):
            return Key(SET, where, parent), at
    return None


@invariant(
    "STS-050",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"S7, PVC-14, RETAIN-03, RETAIN-06, HB-096; {RETENTION_DOC}",
    on=(CLAIM_MADE, CLAIM_CHANGED),
    needs=("order",),
    follows=(Cuts,),
    when=_added,
)
def only_delete_policies_doom_claims(change: Change, memory: Memory) -> Findings:
    """A claim is given to its set only under whenDeleted Delete, to a pod only out of range under whenScaled Delete."""
    cuts = change.state.follow(Cuts)
    for reference in _added(change):
        found = _of_set(change, reference)
        versions = [version for version in cuts.versions(found[0]) if _is_meant(version, reference)] if found else []
        if found is None or not versions:
            continue
        yield AT_RISK
        if not any(_dooms(version, found[1]) for version in versions) and cuts.whole(found[0]):
            policy = versions[0]["spec"].get("persistentVolumeClaimRetentionPolicy")
            yield Violation(
                f"claim {change.key.name} was given to {reference['kind']} {reference['name']} although the set's "
                f"policy is {policy} and its ordinals are {ordinals(versions[0])}",
                (change.obj, versions[0]),
            )


def _is_meant(version: Obj, reference: Obj) -> bool:
    return reference.get("kind") == POD or uid(version) == reference.get("uid")


def _dooms(version: Obj, at: int) -> bool:
    if at < 0:
        return retention(version, "whenDeleted") == "Delete"
    return retention(version, "whenScaled") == "Delete" and at not in ordinals(version)


@invariant(
    "STS-051",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"untested-upstream 34, PVC-02, HB-017; {RETENTION_DOC}",
    on=(CLAIM_MADE, CLAIM_CHANGED),
    when=_added,
)
def claims_of_others_are_left_alone(change: Change, memory: Memory) -> Findings:
    """A set makes itself or its pod the owner of no claim but those of its own templates and that pod's ordinal."""
    for reference in _added(change):
        found = _of_set(change, reference)
        stateful_set = change.state.lookup(found[0]) if found is not None else None
        if found is None or stateful_set is None:
            continue
        yield HELD
        role = claim_role(stateful_set, change.key.name)
        if role is None or found[1] not in (-1, role[1]):
            yield Violation(
                f"{reference['kind']} {reference['name']} became an owner of claim {change.key.name}, which is not its",
                (change.obj, stateful_set),
            )


def _is_about_claims(change: Change) -> bool:
    """A claim begins to go; of pods and sets anything."""
    return change.key.kind != CLAIM or begins_to_go(change)


@invariant(
    "STS-052",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"S6, PVC-14, PVC-15, GC-02, RETAIN-15; {COLLECTOR}",
    on=(CLAIM_CHANGED, CLAIM_GONE, POD_GONE, f"{SET} DELETED"),
    needs=("order",),
    when=_is_about_claims,
)
def claims_go_only_with_their_owners(change: Change, memory: Memory) -> Findings:
    """A claim is deleted by nobody but its client, its namespace, or because all that owned it is gone."""
    if change.key.kind != CLAIM:
        if change.gone and _left_behind(change):
            yield AT_RISK
        return
    claim, state = change.old, change.state
    if claim is None or is_leaving(state, change.key.namespace):
        return
    if change.gone and not is_exact(state):
        return
    yield HELD
    alive = [ref for ref in owners(claim) if is_alive(state, claim, ref)]
    if (alive or not owners(claim)) and "delay" not in state.faults:
        told = f"its owner {alive[0]['kind']} {alive[0]['name']} exists" if alive else "it had no owner"
        yield Violation(f"claim {name(claim)} was deleted although {told}", (claim,))


def _left_behind(change: Change) -> bool:
    """Whether a pod or set went and left a claim."""
    if change.key.kind == SET:
        return bool(templates(change.obj))
    owner = set_of(change.state, change.obj)
    names = claim_names(owner, ordinal(change.obj)) if owner is not None else []
    return any(change.state.get(CLAIM, change.key.namespace, claim) is not None for claim in names)


@invariant(
    "STS-053",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"RETAIN-03, RETAIN-04, HB-123; {RETENTION_DOC}",
    on=(POD_CHANGED, POD_GONE),
    needs=("order",),
    follows=(Cuts,),
    when=deletion_of,
)
def claims_are_doomed_before_their_pod(change: Change, memory: Memory) -> Findings:
    """Under whenScaled Delete a pod is scaled away only when its claims are set to go with it."""
    act = deletion_of(change)
    if act is None or not templates(act.stateful_set) or not act.maybe_condemned or act.some_version(_keeps(act)):
        return
    if act.some_view(is_updatable(act)):
        return
    for claim in _claims(act):
        if _is_nobodys(act, claim):
            continue
        yield AT_RISK
        if not any(ref.get("uid") == uid(act.pod) for ref in owners(claim)):
            yield Violation(
                f"{name(act.pod)} was deleted to scale down before its claim {name(claim)} was set to go with it",
                (act.pod, claim),
            )


def _keeps(act: Act) -> Callable[[Obj], bool]:
    """Scales the pod away, and keeps its claims."""
    return lambda version: retention(version, "whenScaled") != "Delete" and act.ordinal not in ordinals(version)


def _claims(act: Act) -> Iterator[Obj]:
    for claim in claim_names(act.stateful_set, act.ordinal):
        found = act.state.get(CLAIM, act.at.namespace, claim)
        if found is not None:
            yield found


def _is_nobodys(act: Act, claim: Obj) -> bool:
    """Whether a set may leave the owners of a claim as they are, or may not have seen the claim as it is."""
    life = act.state.life(Key(CLAIM, namespace(claim), name(claim)))
    if life is None or life.touched("owners") or deleting(claim):
        return True
    lag = act.state.header.backend.lag
    seen = life.born <= act.cuts.since or (not act.cuts.blurred and life.born_at <= act.state.time - lag)
    return not seen or is_foreign(claim, act.stateful_set, act.ordinal)


def is_foreign(claim: Obj, stateful_set: Obj, at: int) -> bool:
    """Whether a claim has another controller, or an owner with the name of the set or the pod and another UID."""
    for reference in owners(claim):
        ours = reference.get("uid") == uid(stateful_set) and reference.get("kind") == SET
        pods = reference.get("kind") == POD and reference.get("name") == f"{name(stateful_set)}-{at}"
        if not ours and not pods and reference.get("controller"):
            return True
        if reference.get("kind") == SET and reference.get("name") == name(stateful_set) and not ours:
            return True
    return False


@invariant(
    "STS-054",
    scope=Scope.EACH_STEP,
    level=Level.UPSTREAM,
    source=f"RETAIN-09, HB-123, HB-127; {POD_CONTROL}: PodClaimIsStale",
    on=(POD_MADE,),
    needs=("order",),
    follows=(Cuts,),
    when=creation_of,
)
def doomed_claims_are_not_used_again(change: Change, memory: Memory) -> Findings:
    """Under whenScaled Delete no pod is created while a claim of it still belongs to an earlier pod of that name."""
    act = creation_of(change)
    if act is None or act.some_version(lambda version: retention(version, "whenScaled") != "Delete"):
        return
    for claim in _claims(act):
        yield HELD
        doomed = [ref for ref in owners(claim) if ref.get("kind") == POD and ref.get("name") == name(act.pod)]
        if any(ref.get("uid") != uid(act.pod) for ref in doomed) and _has_seen(act, claim):
            yield Violation(
                f"{name(act.pod)} was created with claim {name(claim)}, which is to go with an earlier pod of its name",
                (act.pod, claim),
            )


def _has_seen(act: Act, claim: Obj) -> bool:
    key = Key(CLAIM, namespace(claim), name(claim))
    life = act.state.life(key)
    return life is not None and (life.changed <= act.cuts.since or (not act.cuts.blurred and act.state.known(key)))


def _loses_owners(change: Change) -> bool:
    """A component changed the owners of an object that had some."""
    old, new = change.old, change.new
    if old is None or new is None or change.by_client:
        return False
    return bool(owners(old)) and owners(old) != owners(new)


@invariant(
    "STS-055",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source="RETAIN-08, GC-02, HB-039; test/e2e/apps/statefulset.go: should not delete PVC when there is another "
    "controller",
    on=(CLAIM_CHANGED,),
    when=_loses_owners,
)
def other_owners_are_kept(change: Change, memory: Memory) -> Findings:
    """An owner that others gave to a claim stays its owner as long as it exists."""
    old, new = change.old, change.new
    if old is None or new is None:
        return
    kept = {ref.get("uid") for ref in owners(new)}
    yield HELD
    for reference in owners(old):
        if reference.get("uid") in kept or not is_alive(change.state, old, reference):
            continue
        if not _is_ours(change, reference) and not _orphans(change, reference):
            yield Violation(
                f"claim {change.key.name} lost its owner {reference['kind']} {reference['name']}, which exists", (new,)
            )


def _is_ours(change: Change, reference: Obj) -> bool:
    """Whether an owner is a set, or a pod of a set, that may call the claim its own."""
    found = _of_set(change, reference)
    stateful_set = change.state.lookup(found[0]) if found is not None else None
    role = claim_role(stateful_set, change.key.name) if stateful_set is not None else None
    return found is not None and role is not None and found[1] in (-1, role[1])


def _orphans(change: Change, reference: Obj) -> bool:
    """Whether the owner is being deleted without its dependents."""
    owner = change.state.get(str(reference.get("kind")), change.key.namespace, str(reference.get("name")))
    return owner is not None and deleting(owner)


@invariant(
    "STS-056",
    scope=Scope.SETTLED,
    level=Level.UPSTREAM,
    source=f"RETAIN-01, RETAIN-02, RETAIN-07, RETAIN-12; {UTILS}: updateClaimOwnerRefForSetAndPod",
    follows=(Cuts,),
    when=standings,
)
def claims_have_the_owners_of_the_policy(state: State, memory: Memory) -> Findings:
    """At rest the claims of a set's ready pods are owned as the retention policy says, and by controlling owners."""
    cuts = state.follow(Cuts)
    for standing in standings(state):
        stirred = cuts.sight(standing.at).stirred
        for pod in _looked_after(standing):
            for claim in claim_names(standing.stateful_set, ordinal(pod)):
                found, life = state.get(CLAIM, namespace(pod), claim), state.life(Key(CLAIM, namespace(pod), claim))
                if found is not None and life is not None and _may_be_judged(found, life, stirred):
                    yield from _judge_owners(standing, pod, found)


def _looked_after(standing: Standing) -> Iterator[Obj]:
    """The pods whose claims a pass brings in line: those in range that it comes by, and then all condemned ones."""
    yield from (pod for pod in standing.passed if not deleting(pod) and (pod.get("status") or {}).get("phase"))
    if not standing.obstacle:
        yield from standing.condemned


def _may_be_judged(claim: Obj, life: Life, stirred: int) -> bool:
    """Nothing about a claim wakes its set, so what the client did to it may be left as it is (PVC-12)."""
    return not deleting(claim) and not life.touched("owners") and life.born < stirred


def _judge_owners(standing: Standing, pod: Obj, claim: Obj) -> Iterator[Mark | Violation]:
    stateful_set, at = standing.stateful_set, ordinal(pod)
    stale = [ref for ref in owners(claim) if ref.get("name") == name(pod) and ref.get("uid") != uid(pod)]
    if is_foreign(claim, stateful_set, at) or any(ref.get("kind") == POD for ref in stale):
        return
    wanted = _wanted(stateful_set, pod, at)
    own = {str(ref.get("uid")): ref for ref in owners(claim) if ref.get("uid") in (uid(stateful_set), uid(pod))}
    yield AT_RISK if wanted else HELD
    if set(own) != ({wanted} if wanted else set()):
        policy = stateful_set["spec"].get("persistentVolumeClaimRetentionPolicy")
        told = ", ".join(f"{ref['kind']} {ref['name']}" for ref in own.values()) or "neither set nor pod"
        yield Violation(
            f"claim {name(claim)} of {name(pod)} is owned by {told} under the policy {policy}", (claim, stateful_set)
        )
    elif not all(ref.get("controller") and ref.get("blockOwnerDeletion") for ref in own.values()):
        yield Violation(f"claim {name(claim)} has {controller_of(claim)} as its controller", (claim, stateful_set))


def _wanted(stateful_set: Obj, pod: Obj, at: int) -> str:
    """The UID of the owner that the policy wants for the claims of a pod, "" for none."""
    if at not in ordinals(stateful_set) and retention(stateful_set, "whenScaled") == "Delete":
        return uid(pod)
    return uid(stateful_set) if retention(stateful_set, "whenDeleted") == "Delete" else ""
