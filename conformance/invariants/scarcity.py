"""Scarcity: what a set does when there are not enough volumes for its claims.

With OrderedReady the first pod without a volume waits and holds back all above it; one more volume lets on one more
pod. With Parallel all pods and claims are there, and which of them win is left open. No two pods share a volume.
"""

from collections.abc import Iterator

from pvkit.backends.objects import Key, Obj, name, namespace, phase, uid
from pvkit.backends.storage import claim_ref_uid, volume_name
from pvkit.backends.workloads import first_ordinal, is_parallel, ordinal, ordinals, templates
from pvkit.conformance.history import Change, State
from pvkit.conformance.invariant import AT_RISK, HELD, Findings, Level, Memory, Scope, Violation, invariant
from pvkit.conformance.invariants.acts import Act, creation_of
from pvkit.conformance.invariants.cuts import Cuts
from pvkit.conformance.invariants.rest import Standing, standings, why_absent
from pvkit.conformance.invariants.sets import CLAIM, DEPLOYING_DOC, POD, POD_MADE, claim_names

PARALLEL_DOC = "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#parallel-pod-management"
STORAGE_DOC = "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#stable-storage"


@invariant(
    "STS-090",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"untested-upstream 41, ORDER-02; {DEPLOYING_DOC}",
    on=(POD_MADE,),
    needs=("order",),
    follows=(Cuts,),
    when=creation_of,
)
def pod_without_volume_holds_back_the_next(change: Change, memory: Memory) -> Findings:
    """With OrderedReady no pod is created above one whose claim never had a volume."""
    act = creation_of(change)
    if act is None or not act.ordered or not templates(act.stateful_set):
        return
    below = range(first_ordinal(act.stateful_set), act.ordinal)
    yield AT_RISK if below else HELD
    for claim in _never_bound(act, below):
        yield Violation(
            f"{name(act.pod)} was created although {name(claim)}, a claim of a pod below it, has no volume",
            (act.pod, claim),
        )


def _never_bound(act: Act, below: range) -> Iterator[Obj]:
    """Claims of lower pods that were made by the set, are the first of their name, and name no volume."""
    life_of_set = act.state.life(act.at)
    if life_of_set is None or life_of_set.touched("spec.ordinals"):
        return
    if not act.cuts.whole(act.at):  # A pod called web-00 may stand in for web-0, and be ready (SCALE-11).
        return
    for at in below:
        for claim in claim_names(act.stateful_set, at):
            key = Key(CLAIM, act.at.namespace, claim)
            found, life = act.state.lookup(key), act.state.life(key)
            pod = act.state.life(Key(POD, act.at.namespace, f"{act.at.name}-{at}"))
            if found is None or life is None or volume_name(found) or key in act.cuts.claims or life.by_client:
                continue
            if not life.hands and life.born > life_of_set.born and not (pod is not None and pod.touched("status")):
                yield found


@invariant(
    "STS-091",
    scope=Scope.SETTLED,
    level=Level.CONTRACT,
    source=f"untested-upstream 29 and 41, ORDER-09, W2; {PARALLEL_DOC}",
    follows=(Cuts,),
    when=standings,
)
def parallel_pods_wait_side_by_side(state: State, memory: Memory) -> Findings:
    """With Parallel a pod that is not ready, or waits for a volume, holds back no other."""
    for standing in standings(state):
        span = ordinals(standing.stateful_set)
        if not is_parallel(standing.stateful_set) or standing.obstacle not in _absences(standing):
            continue
        pods = [state.get(POD, standing.at.namespace, f"{standing.at.name}-{one}") for one in span]
        waiting = [pod for pod in pods if pod is not None and phase(pod) == "Pending"]
        yield AT_RISK if waiting and len(span) > 1 else HELD
        absent = [one for one, pod in zip(span, pods, strict=True) if pod is None]
        if waiting and absent and not any(why_absent(state, standing, one) for one in absent):
            yield Violation(
                f"{name(waiting[0])} is pending, and {standing.at.name}-{absent[0]} does not exist", (waiting[0],)
            )


def _absences(standing: Standing) -> set[str]:
    """What may be said to stop a pass when it is only that pods do not exist, and "" for nothing."""
    return {"", *(f"{standing.at.name}-{one} does not exist" for one in ordinals(standing.stateful_set))}


@invariant(
    "STS-092",
    scope=Scope.SETTLED,
    level=Level.CONTRACT,
    source=f"untested-upstream 41, B1, S2; {STORAGE_DOC}",
    follows=(Cuts,),
    when=standings,
)
def no_two_pods_share_a_volume(state: State, memory: Memory) -> Findings:
    """At rest the claims of a set's pods that have a volume have each their own."""
    for standing in standings(state):
        taken: dict[str, Obj] = {}
        for claim in _bound(state, standing):
            other = taken.setdefault(volume_name(claim), claim)
            yield AT_RISK if len(taken) > 1 else HELD
            if other is not claim:
                yield Violation(f"{name(other)} and {name(claim)} share volume {volume_name(claim)}", (other, claim))


def _bound(state: State, standing: Standing) -> Iterator[Obj]:
    """The bound claims of a set's pods whose binding the client had no hand in."""
    for pod in (*standing.passed, *standing.condemned):
        for claim in claim_names(standing.stateful_set, ordinal(pod)):
            key = Key(CLAIM, namespace(pod), claim)
            found, life = state.lookup(key), state.life(key)
            if found is None or life is None or phase(found) != "Bound" or life.by_client:
                continue
            if life.touched("spec.volumeName", "annotations.pv.kubernetes.io/bind-completed", "status"):
                continue
            if not _was_replaced(state, found):
                yield found


def _was_replaced(state: State, claim: Obj) -> bool:
    """Whether another volume has the name of a claim's own, which is gone; only a resync tells the claim (PHASE-12)."""
    volume = state.get("PersistentVolume", "", volume_name(claim))
    gone = state.departed(Key("PersistentVolume", "", volume_name(claim))) is not None
    return gone and volume is not None and claim_ref_uid(volume) != uid(claim)
