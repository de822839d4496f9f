"""Where a set stands at rest: how far a pass over it comes, and what stops it there.

A pass goes over the pods in range from the lowest up. With OrderedReady the first that is absent, terminating, not
ready or not yet available stops it; with Parallel only an error does. What a pass does not come by, no promise about
the state at rest can be about.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from pvkit.backends.objects import Key, Obj, controller_of, deleting, name, namespace, phase, uid
from pvkit.backends.workloads import (
    is_finished,
    is_parallel,
    is_ready,
    ordinal,
    ordinals,
    replicas,
    strategy,
    templates,
)
from pvkit.conformance.history import State
from pvkit.conformance.invariants.cuts import Cuts
from pvkit.conformance.invariants.sets import (
    CLAIM,
    POD,
    PODS_BY_PARENT,
    SET,
    claim_names,
    is_canonical,
    is_leaving,
    mounted_claims,
)

LONGEST_WAIT = 1000
"""Seconds of minReadySeconds beyond which nobody waits."""
LONGEST_NAME = 52
"""Characters of a set's name up to which every pod can carry its revision as a label (REV-03)."""
MOST_REPLICAS = 200


@dataclass(frozen=True, slots=True)
class Standing:
    """A set at rest: its pods by ordinal, those in range that a pass comes by, and what stops it, "" if nothing does.

    `condemned` are its pods out of range, the highest first.
    """

    stateful_set: Obj
    at: Key
    passed: tuple[Obj, ...]
    obstacle: str
    condemned: tuple[Obj, ...]


def standings(state: State) -> list[Standing]:
    """All sets that work as usual, and had every chance to see what there is; worked out once for each rest."""
    cuts = state.follow(Cuts)
    if cuts.standings is None:
        cuts.standings = list(_standings(state, cuts))
    return cuts.standings


def _standings(state: State, cuts: Cuts) -> Iterator[Standing]:
    for stateful_set in state.all(SET):
        at = Key(SET, namespace(stateful_set), name(stateful_set))
        if deleting(stateful_set) or not cuts.informed(at) or strategy(stateful_set) == "Recreate":
            continue
        if replicas(stateful_set) <= MOST_REPLICAS and not is_leaving(state, at.namespace):
            found = _standing(state, stateful_set, at)
            if found is not None:
                yield found


def _standing(state: State, stateful_set: Obj, at: Key) -> Standing | None:
    members = list(state.find(PODS_BY_PARENT, (at.namespace, at.name)))
    if not all(is_canonical(name(pod)) for pod in members):
        return None
    by_ordinal = {ordinal(pod): pod for pod in members}
    passed: list[Obj] = []
    obstacle = ""
    for one in ordinals(stateful_set):
        pod = by_ordinal.get(one)
        obstacle = obstacle_at(state, stateful_set, pod, one)
        if obstacle or pod is None:
            break
        passed.append(pod)
    if obstacle and is_parallel(stateful_set):
        passed = []
    span = ordinals(stateful_set)
    out = [pod for one, pod in sorted(by_ordinal.items(), reverse=True) if one not in span and owns(stateful_set, pod)]
    return Standing(stateful_set, at, tuple(passed), obstacle, tuple(out))


def owns(stateful_set: Obj, pod: Obj) -> bool:
    """Whether a set controls a pod."""
    return (controller_of(pod) or {}).get("uid") == uid(stateful_set)


def obstacle_at(state: State, stateful_set: Obj, pod: Obj | None, at: int) -> str:
    """What stops a pass at the pod of an ordinal, "" if nothing does."""
    called = f"{name(stateful_set)}-{at}"
    if pod is None:
        return f"{called} does not exist"
    if not owns(stateful_set, pod):
        return f"{called} is not the set's"
    if not mounts_its_claims(stateful_set, pod):
        return f"{called} does not mount the claims of the templates"
    if is_parallel(stateful_set):
        return f"{called} waits for its claims" if _waits_for_claims(state, stateful_set, pod, at) else ""
    if is_finished(pod):
        return f"{called} has finished"
    if deleting(pod):
        return f"{called} is terminating"
    if not is_ready(pod):
        return f"{called} is not ready"
    return "" if is_available(state, stateful_set) else f"{called} may not be available yet"


def _waits_for_claims(state: State, stateful_set: Obj, pod: Obj, at: int) -> bool:
    """Whether the pod is pending and a claim of it is missing or terminating, which ends a pass with an error."""
    if phase(pod) != "Pending":
        return False
    claims = [state.get(CLAIM, namespace(pod), claim) for claim in claim_names(stateful_set, at)]
    return any(claim is None or deleting(claim) for claim in claims)


def is_available(state: State, stateful_set: Obj) -> bool:
    """Whether a pod that is ready at rest is available, too: where time is logical a rest outlasts the wait."""
    wait = int(stateful_set["spec"].get("minReadySeconds") or 0)
    return wait == 0 or (state.header.backend.lag == 0 and wait <= LONGEST_WAIT)


def mounts_its_claims(stateful_set: Obj, pod: Obj) -> bool:
    """Whether a pod mounts the claim of every template (PVC-17)."""
    mounted = mounted_claims(pod)
    names = claim_names(stateful_set, ordinal(pod))
    return all(
        mounted.get(name(template)) == claim for template, claim in zip(templates(stateful_set), names, strict=True)
    )


def why_absent(state: State, standing: Standing, at: int) -> str:
    """A good reason why a set has no pod of an ordinal at rest, "" if there is none."""
    stateful_set, where, cuts = standing.stateful_set, standing.at.namespace, state.follow(Cuts)
    exact = state.header.backend.lag == 0
    if state.get(POD, where, f"{standing.at.name}-{at}") is not None:
        return "its name is taken"
    if len(standing.at.name) > LONGEST_NAME:
        return "the set's name is too long for a label"
    if where in cuts.quotas:
        return "a quota or limit may forbid it"
    stirred = cuts.sight(standing.at).stirred
    for claim in claim_names(stateful_set, at):
        key = Key(CLAIM, where, claim)
        found, life = state.lookup(key), state.life(key)
        if found is not None and (deleting(found) or _doomed(found, standing.at.name, at)):
            return f"{claim} is not to be used"
        # Nothing about a claim wakes the set, so it may not know that one is gone or free again (RETAIN-10, PVC-12).
        if cuts.claims.get(key, -1) > (stirred if exact else -1):
            return f"{claim} went lately"
        if life is not None and life.changed > stirred and life.touched("owners"):
            return f"{claim} lost an owner lately"
    lately = cuts.cuts(standing.at, cuts.rest_before)
    if not exact and any(cut[at].owner != uid(stateful_set) for cut in lately if at in cut):
        return "its name was taken lately"
    return ""


def _doomed(claim: Obj, set_name: str, at: int) -> bool:
    """Whether a claim refers to a pod of that ordinal as its owner."""
    references = claim["metadata"].get("ownerReferences") or ()
    return any(ref.get("kind") == POD and ref.get("name") == f"{set_name}-{at}" for ref in references)
