"""Status: the counts that a set tells are counts of its pods as they were when it looked.

While things happen a status may be old, but it is a count of some moment; at rest it is a count of the present. Only
`currentReplicas` is known to be off while pods are replaced, so it is judged at rest alone.
"""

from collections.abc import Callable, Iterator

from pvkit.backends.objects import Obj, deleting, name, phase, uid
from pvkit.backends.workloads import is_ready, replicas, revision, strategy
from pvkit.conformance.history import Change, State
from pvkit.conformance.invariant import (
    AT_RISK,
    HELD,
    Findings,
    Level,
    Memory,
    Scope,
    Violation,
    invariant,
    of_change_in,
)
from pvkit.conformance.invariants.cuts import Cut, Cuts, Glimpse
from pvkit.conformance.invariants.rest import Standing, is_available, owns, standings
from pvkit.conformance.invariants.sets import CONTROL, PODS_BY_PARENT, SET

STATUS_DOC = "https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/stateful-set-v1/#StatefulSetStatus"
VALIDATION = "pkg/apis/apps/validation/validation.go: ValidateStatefulSetStatus"
COUNTS = ("replicas", "readyReplicas", "availableReplicas", "currentReplicas", "updatedReplicas")
TOLD_OF_PODS = ("replicas", "readyReplicas", "updatedReplicas")
COMPLETES_ALL_SINCE = 37


def _status(stateful_set: Obj) -> Obj:
    return stateful_set.get("status") or {}


def _count(status: Obj, field: str) -> int:
    return int(status.get(field) or 0)


@invariant(
    "STS-070",
    scope=Scope.ALWAYS,
    level=Level.CONTRACT,
    source=f"STATUS-13, STATUS-05, HB-109; {VALIDATION}",
    on=(SET,),
)
def counts_are_within_bounds(change: Change, memory: Memory) -> Findings:
    """No count of a set's status is negative, and none but replicas is above replicas."""
    new = change.new
    if new is None or not new.get("status"):
        return
    status = _status(new)
    yield HELD
    for field in COUNTS:
        if _count(status, field) < 0:
            yield Violation(f"set {name(new)} says {field}: {status[field]}", (new,))
        elif _count(status, field) > _count(status, "replicas"):
            yield Violation(
                f"set {name(new)} says {field}: {status[field]} of {_count(status, 'replicas')} replicas", (new,)
            )
    if _count(status, "availableReplicas") > _count(status, "readyReplicas"):
        yield Violation(f"set {name(new)} says that more pods are available than ready", (new,))


@invariant(
    "STS-071",
    scope=Scope.ALWAYS,
    level=Level.CONTRACT,
    source=f"STATUS-06, S9; {STATUS_DOC}",
    on=(SET,),
)
def observed_generation_exists(change: Change, memory: Memory) -> Findings:
    """observedGeneration is never above generation, and a set's own writes never lower it."""
    new, old = change.new, change.old
    if new is None or change.life.touched("status") or "observedGeneration" not in _status(new):
        return
    seen, generation = int(_status(new)["observedGeneration"]), int(new["metadata"].get("generation") or 0)
    yield AT_RISK if seen == generation else HELD
    if seen > generation:
        yield Violation(f"set {name(new)} observed generation {seen}, and has {generation}", (new,))
    if old is not None and seen < int(_status(old).get("observedGeneration") or 0) and not _may_go_back(change):
        yield Violation(f"set {name(new)} observed a generation after a later one", (old, new))


def _may_go_back(change: Change) -> bool:
    """Whether a second or restarted controller may have written what it saw earlier (LIVE-07)."""
    return not change.state.faults.isdisjoint({"crash", "second-leader"})


@of_change_in("status")
def _recounts(change: Change) -> bool:
    """A component wrote other counts of pods."""
    if change.old is None or change.new is None or change.by_client:
        return False
    return _told_of_pods(_status(change.old), _status(change.new))


@invariant(
    "STS-072",
    scope=Scope.EACH_STEP,
    level=Level.UPSTREAM,
    source=f"STATUS-01, STATUS-02, STATUS-04, S9, HB-106; {CONTROL}: computeReplicaStatus",
    on=(f"{SET} MODIFIED",),
    needs=("order",),
    follows=(Cuts,),
    when=_recounts,
)
def counts_are_of_some_moment(change: Change, memory: Memory) -> Findings:
    """Every status that a set writes counts its pods, the ready and the updated ones as they were at one moment."""
    new = change.obj
    status = _status(new)
    yield AT_RISK if _count(status, "replicas") else HELD
    cuts = change.state.follow(Cuts)
    if any(_counted(cut, new, status) for cut in cuts.cuts(change.key)) or not cuts.whole(change.key):
        return
    told = {field: _count(status, field) for field in TOLD_OF_PODS}
    yield Violation(f"set {name(new)} says {told}, which its pods were at no moment that it may have seen", (new,))


def _told_of_pods(old: Obj, new: Obj) -> bool:
    return any(_count(old, field) != _count(new, field) for field in TOLD_OF_PODS)


def _counted(cut: Cut, stateful_set: Obj, status: Obj) -> bool:
    """Whether the counts can be of a cut; orphans that fit may have been adopted first, strangers do not count."""
    own = [glimpse for glimpse in cut.values() if glimpse.owner == uid(stateful_set)]
    more = [glimpse for glimpse in cut.values() if not glimpse.owner and glimpse.fits]
    less = [glimpse for glimpse in own if not glimpse.fits]
    wanted = str(status.get("updateRevision"))
    for field, counts in _COUNTED.items():
        fewest, most = (sum(counts(glimpse, wanted) for glimpse in part) for part in (own, more))
        fewest, most = fewest - sum(counts(glimpse, wanted) for glimpse in less), fewest + most
        if not fewest <= _count(status, field) <= most:
            return False
    return True


_COUNTED: dict[str, Callable[[Glimpse, str], bool]] = {
    "replicas": lambda glimpse, wanted: True,
    "readyReplicas": lambda glimpse, wanted: glimpse.ready,
    "updatedReplicas": lambda glimpse, wanted: glimpse.revision == wanted and not glimpse.going,
}


@invariant(
    "STS-073",
    scope=Scope.SETTLED,
    level=Level.CONTRACT,
    source=f"STATUS-01 to STATUS-04, LIVE-08, S7; {STATUS_DOC}",
    follows=(Cuts,),
    when=standings,
)
def counts_are_true_at_rest(state: State, memory: Memory) -> Findings:
    """At rest every count of a set's status is the number of its pods of that kind."""
    for standing in standings(state):
        stateful_set, status = standing.stateful_set, _status(standing.stateful_set)
        wanted = dict(_recount(state, standing))
        yield AT_RISK if wanted["replicas"] else HELD
        wrong = {field: _count(status, field) for field in wanted if _count(status, field) != wanted[field]}
        if wrong:
            yield Violation(
                f"set {standing.at.name} says {wrong}; its pods count { ({field: wanted[field] for field in wrong}) }",
                (stateful_set,),
            )


def _recount(state: State, standing: Standing) -> Iterator[tuple[str, int]]:
    stateful_set, status = standing.stateful_set, _status(standing.stateful_set)
    members = state.find(PODS_BY_PARENT, (standing.at.namespace, standing.at.name))
    pods = [pod for pod in members if owns(stateful_set, pod) and phase(pod)]
    ready = [pod for pod in pods if is_ready(pod)]
    staying = [revision(pod) for pod in pods if not deleting(pod)]
    yield "replicas", len(pods)
    yield "readyReplicas", len(ready)
    if is_available(state, stateful_set):
        yield "availableReplicas", len(ready)
    yield "currentReplicas", staying.count(str(status.get("currentRevision")))
    yield "updatedReplicas", staying.count(str(status.get("updateRevision")))


@invariant(
    "STS-074",
    scope=Scope.SETTLED,
    level=Level.CONTRACT,
    source=f"STATUS-06, LIVE-08; {STATUS_DOC}",
    follows=(Cuts,),
    when=standings,
)
def generation_is_observed_at_rest(state: State, memory: Memory) -> Findings:
    """At rest every set has observed its present generation."""
    for standing in standings(state):
        seen = _status(standing.stateful_set).get("observedGeneration")
        generation = int(standing.stateful_set["metadata"].get("generation") or 0)
        yield AT_RISK if generation > 1 else HELD
        if int(seen or 0) < generation:
            yield Violation(
                f"set {standing.at.name} has generation {generation} and observed {seen}", (standing.stateful_set,)
            )


@invariant(
    "STS-075",
    scope=Scope.SETTLED,
    level=Level.UPSTREAM,
    source=f"STATUS-07, STATUS-10; {CONTROL}: completeRollingUpdate",
    follows=(Cuts,),
    when=standings,
)
def finished_update_is_told(state: State, memory: Memory) -> Findings:
    """At rest a set whose replicas are all ready and updated has its update revision as the current one."""
    for standing in standings(state):
        stateful_set, status = standing.stateful_set, _status(standing.stateful_set)
        if strategy(stateful_set) != "RollingUpdate" and state.setup.minor < COMPLETES_ALL_SINCE:
            continue
        counts = {_count(status, field) for field in TOLD_OF_PODS}
        if counts != {replicas(stateful_set)} or not status.get("updateRevision"):
            continue
        yield AT_RISK
        if status.get("currentRevision") != status["updateRevision"]:
            yield Violation(
                f"set {standing.at.name} has all {replicas(stateful_set)} replicas at {status['updateRevision']}, and "
                f"{status.get('currentRevision')} as current",
                (stateful_set,),
            )


@invariant(
    "STS-076",
    scope=Scope.SETTLED,
    level=Level.CONTRACT,
    source="LIVE-08, S5, HB-109; https://kubernetes.io/docs/concepts/architecture/controller/",
    follows=(Cuts,),
)
def set_at_rest_stays_at_rest(state: State, memory: Memory) -> Findings:
    """Between two rests without an operation a set whose pods are all ready changes nothing."""
    was, asked = memory.get("was") or {}, memory.get("asked")
    now: dict[object, tuple[str, tuple[str, ...]]] = {}
    for standing in standings(state):
        if standing.obstacle or standing.condemned or not is_available(state, standing.stateful_set):
            continue
        version = str(standing.stateful_set["metadata"].get("resourceVersion"))
        now[uid(standing.stateful_set)] = version, tuple(uid(pod) for pod in standing.passed)
        before = was.get(uid(standing.stateful_set)) if asked == state.asked else None
        if before is None:
            continue
        yield AT_RISK
        if before[1] != now[uid(standing.stateful_set)][1]:
            yield Violation(f"set {standing.at.name} replaced pods although nothing was asked", standing.passed)
        elif before[0] != version:
            yield Violation(f"set {standing.at.name} wrote to itself although nothing was asked", ())
    memory["was"], memory["asked"] = now, state.asked
