"""Ordering: pods come from the lowest ordinal up and go from the highest down, and broken pods halt both.

All of it is judged at cuts: a set acts on what its caches show, so a creation or deletion is right if one view that
the set may have had makes it right. Sets with Parallel management promise none of this.
"""

from pvkit.backends.objects import Obj, condition, deleting, name
from pvkit.backends.workloads import first_ordinal, ordinals
from pvkit.conformance.history import Change
from pvkit.conformance.invariant import AT_RISK, HELD, Findings, Level, Memory, Scope, Violation, invariant
from pvkit.conformance.invariants.acts import (
    Act,
    creation_of,
    deletion_of,
    healthy,
    is_highest,
    is_updatable,
    may_scale_down,
    rest_is_healthy,
)
from pvkit.conformance.invariants.cuts import Cut, Cuts
from pvkit.conformance.invariants.sets import CONTROL, DEPLOYING_DOC, POD, POD_CHANGED, POD_GONE, POD_MADE
from pvkit.conformance.invariants.times import seconds

EARLY = 2.0
"""Seconds by which a pod may come too early: stamps have a resolution of one second at either end."""


@invariant(
    "STS-010",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source="SCALE-01, ORDER-01; https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#ordinal-index",
    on=(POD_MADE,),
    needs=("order",),
    follows=(Cuts,),
    when=creation_of,
)
def created_pod_is_in_range(change: Change, memory: Memory) -> Findings:
    """A set creates a pod only for an ordinal in its range."""
    act = creation_of(change)
    if act is None:
        return
    yield AT_RISK
    if not act.some_version(lambda version: act.ordinal in ordinals(version)):
        span = ordinals(act.stateful_set)
        yield Violation(
            f"{name(act.pod)} was created although the set has ordinals {span.start} to {span.stop - 1} only",
            (act.pod, act.stateful_set),
        )


@invariant(
    "STS-011",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"ORDER-02, SCALE-02, ORDER-11; {DEPLOYING_DOC}",
    on=(POD_MADE,),
    needs=("order",),
    follows=(Cuts,),
    when=creation_of,
)
def created_pod_follows_ready_ones(change: Change, memory: Memory) -> Findings:
    """With OrderedReady a pod is created only when all pods below it are running, ready and not terminating."""
    act = creation_of(change)
    if act is None or not act.ordered:
        return
    yield AT_RISK if act.ordinal > first_ordinal(act.stateful_set) else HELD

    def holds(version: Obj, cut: Cut) -> bool:
        if act.ordinal in cut or act.ordinal not in ordinals(version):
            return False
        return healthy(cut, range(first_ordinal(version), act.ordinal))

    if not act.some_view(holds) and act.some_version(lambda version: act.ordinal in ordinals(version)):
        yield Violation(f"{name(act.pod)} was created while {_broken_below(act)}", (act.pod, act.stateful_set))


def _broken_below(act: Act) -> str:
    """What is wrong with the pods below, as they are now."""
    now = act.cuts.sight(act.at).now
    told = [
        f"{act.at.name}-{one} {_word(now, one)}"
        for one in range(first_ordinal(act.stateful_set), act.ordinal)
        if not healthy(now, (one,))
    ]
    return ", ".join(told) or "the pods below it were not all ready at any time since"


def _word(cut: Cut, one: int) -> str:
    glimpse = cut.get(one)
    if glimpse is None:
        return "did not exist"
    return "was terminating" if glimpse.going else "was not ready"


@invariant(
    "STS-012",
    scope=Scope.EACH_STEP,
    level=Level.UPSTREAM,
    source=f"ORDER-02, LIVE-05; {CONTROL}: processReplica; "
    "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#minimum-ready-seconds",
    on=(POD_MADE,),
    needs=("order",),
    follows=(Cuts,),
    when=creation_of,
)
def created_pod_follows_available_ones(change: Change, memory: Memory) -> Findings:
    """With OrderedReady the pod below a new one has been ready for minReadySeconds."""
    act = creation_of(change)
    if act is None or not act.ordered or act.ordinal == first_ordinal(act.stateful_set):
        return
    wait = min((int(one["spec"].get("minReadySeconds") or 0) for one in act.cuts.versions(act.at)), default=0)
    below = change.state.get(POD, act.at.namespace, f"{act.at.name}-{act.ordinal - 1}")
    life = change.state.life(change.key._replace(name=f"{act.at.name}-{act.ordinal - 1}"))
    if not wait or below is None or life is None or life.touched("status") or not act.cuts.whole(act.at):
        return
    since = (condition(below, "Ready") or {}).get("lastTransitionTime")
    if (condition(below, "Ready") or {}).get("status") != "True" or not since:
        return
    yield AT_RISK
    early = seconds(str(since)) + wait - seconds(str(act.pod["metadata"]["creationTimestamp"]))
    if early > EARLY and not _was_ready_before(act):
        yield Violation(
            f"{name(act.pod)} was created {early:.0f} s before {name(below)} had been ready for {wait} s",
            (act.pod, below),
        )


def _was_ready_before(act: Act) -> bool:
    """Whether the pod below was ready before, lost it, and is ready again: an older view may have shown the former."""
    ups, last = 0, False
    for cut in act.cuts.cuts(act.at):
        glimpse = cut.get(act.ordinal - 1)
        ready = glimpse is not None and glimpse.ready
        ups += ready and not last
        last = ready
    return ups > 1


@invariant(
    "STS-013",
    scope=Scope.EACH_STEP,
    level=Level.UPSTREAM,
    source=f"DEL-04; {CONTROL}: updateStatefulSet",
    on=(POD_MADE,),
    needs=("order",),
    follows=(Cuts,),
    when=creation_of,
)
def terminating_set_creates_nothing(change: Change, memory: Memory) -> Findings:
    """A set that is being deleted creates no pods."""
    act = creation_of(change)
    if act is None:
        return
    yield AT_RISK if deleting(act.stateful_set) else HELD
    if deleting(act.stateful_set) and not act.some_version(lambda version: not deleting(version)):
        yield Violation(f"{name(act.pod)} was created although its set is being deleted", (act.pod, act.stateful_set))


@invariant(
    "STS-014",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"ORDER-04, ORDER-07; {DEPLOYING_DOC}",
    on=(POD_CHANGED, POD_GONE),
    needs=("order",),
    follows=(Cuts,),
    when=deletion_of,
)
def highest_pod_goes_first(change: Change, memory: Memory) -> Findings:
    """With OrderedReady scaling down deletes a pod only when all pods above it are gone."""
    act = deletion_of(change)
    if act is None or not act.ordered or not act.maybe_condemned:
        return
    above = [one for one in act.cuts.sight(act.at).now if one > act.ordinal]
    yield AT_RISK if act.ordinal > ordinals(act.stateful_set).stop or above else HELD
    if not act.some_view(is_highest(act)) and not act.some_view(is_updatable(act)):
        told = ", ".join(f"{act.at.name}-{one}" for one in sorted(above)) or "one above it"
        yield Violation(
            f"{name(act.pod)} was deleted to scale down while {told} still existed", (act.pod, act.stateful_set)
        )


@invariant(
    "STS-015",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source="ORDER-05, SCALE-02, W6; test/e2e/apps/statefulset.go: Scaling should happen in predictable order and halt "
    "if any stateful pod is unhealthy",
    on=(POD_CHANGED, POD_GONE),
    needs=("order",),
    follows=(Cuts,),
    when=deletion_of,
)
def broken_pod_halts_scaling_down(change: Change, memory: Memory) -> Findings:
    """With OrderedReady scaling down deletes nothing while a pod that stays is missing, terminating or not ready."""
    act = deletion_of(change)
    if act is None or not act.ordered or not act.maybe_condemned:
        return
    yield AT_RISK if len(ordinals(act.stateful_set)) else HELD
    if not act.some_view(rest_is_healthy(act)) and not act.some_view(is_updatable(act)):
        yield Violation(
            f"{name(act.pod)} was deleted to scale down although the pods that stay were not all ready at any time "
            "that the set may have seen",
            (act.pod, act.stateful_set),
        )


@invariant(
    "STS-016",
    scope=Scope.EACH_STEP,
    level=Level.UPSTREAM,
    source=f"ORDER-06, SCALE-03; {CONTROL}: processCondemned",
    on=(POD_CHANGED, POD_GONE),
    needs=("order",),
    follows=(Cuts,),
    when=deletion_of,
)
def broken_pod_goes_alone(change: Change, memory: Memory) -> Findings:
    """With OrderedReady a broken condemned pod is deleted only if no condemned pod below it is broken, too."""
    act = deletion_of(change)
    if act is None or not act.ordered or not act.maybe_condemned:
        return
    below = [one for one in act.cuts.sight(act.at).now if one < act.ordinal and one not in ordinals(act.stateful_set)]
    yield AT_RISK if below else HELD
    if act.some_view(may_scale_down(act)) or act.some_view(is_updatable(act)):
        return
    if act.some_view(is_highest(act)) and act.some_view(rest_is_healthy(act)):
        yield Violation(
            f"{name(act.pod)} was deleted although it was not ready and a condemned pod below it was not, either",
            (act.pod, act.stateful_set),
        )
