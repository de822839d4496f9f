"""Promptness: what a pod waits for wakes it when it comes, and what was decided for it is not decided over again.

A scheduler looks at all waiting pods every five minutes, so a pod that nothing wakes gets its node in the end. That it
was forgotten shows in the time: nothing at all happened for long, and then the scheduler acted.
"""

from pvkit.backends.objects import annotations
from pvkit.backends.protocol import Fault, Settled
from pvkit.backends.storage import SELECTED_NODE
from pvkit.backends.workloads import is_finished, node_name
from pvkit.conformance.history import Asked, Change, State
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
from pvkit.conformance.invariants.fitting import CLAIM, VOLUME, chosen_by, is_delayed
from pvkit.conformance.invariants.sets import POD, is_exact

QUEUE = "pkg/scheduler/backend/queue/scheduling_queue.go: flushUnschedulablePodsLeftover"
BINDER = "pkg/scheduler/framework/plugins/volumebinding/binder.go"
SOON, FLUSH = 60.0, 310.0
"""Seconds: a pod that something woke has its answer after the first, one that nothing woke before the second."""


class Calm:
    """Since when nothing happened that could help a waiting pod, before the latest change; None if nobody can tell."""

    def __init__(self) -> None:
        self.before: float | None = None
        self._since: float | None = None

    def take(self, change: Change) -> None:
        """What a scheduler says of a waiting pod helps nobody; all else might."""
        self.before = self._since
        if change.key.kind == "Event" or _is_told_to_wait(change):
            return
        self._since = change.event.time

    def hear(self, entry: Asked | Settled, state: State) -> None:
        """Time that was made to pass tells nothing."""
        if isinstance(entry, Asked) and isinstance(entry.request, Fault):
            self._since = None


def _is_told_to_wait(change: Change) -> bool:
    old, new = change.old, change.new
    if change.key.kind != POD or old is None or new is None or change.by_client:
        return False
    return not node_name(new) and not is_finished(new) and old["spec"] == new["spec"]


@of_change_in("spec", "annotations")
def _decided(change: Change) -> bool:
    """The scheduler gave a pod its node, or chose a volume or a node for a claim that waits."""
    old, new = change.old, change.new
    if old is None or new is None or change.by_client:
        return False
    if change.key.kind == POD:
        return bool(node_name(new)) and not node_name(old)
    if change.key.kind == CLAIM:
        return SELECTED_NODE in annotations(new) and SELECTED_NODE not in annotations(old)
    given = chosen_by(change)
    return given is not None and is_delayed(change.state, given.claim)


@invariant(
    "PVB-117",
    scope=Scope.EACH_STEP,
    level=Level.UPSTREAM,
    source=f"TIME-05, SCHED-16; {QUEUE}",
    on=("Pod MODIFIED", f"{CLAIM} MODIFIED", f"{VOLUME} MODIFIED"),
    needs=("order",),
    follows=(Calm,),
    when=_decided,
)
def scheduler_wakes_by_events(change: Change, memory: Memory) -> Findings:
    """A pod that waits is tried again as soon as what it waits for has come, not when its time is up."""
    before, state = change.state.follow(Calm).before, change.state
    if before is None or state.faults or not is_exact(state):
        return
    gap = change.event.time - before
    yield HELD
    if SOON < gap < FLUSH:
        yield Violation(f"{change.key} was decided on {gap:.0f} s after all else went quiet", (change.obj,))


@of_change_in("annotations")
def _sent_elsewhere(change: Change) -> bool:
    """A component wrote the node that is selected for a claim."""
    old, new = change.old, change.new
    if old is None or new is None or change.by_client or annotations(old) == annotations(new):
        return False
    return SELECTED_NODE in annotations(new)


@invariant(
    "PVB-118",
    scope=Scope.EACH_STEP,
    level=Level.UPSTREAM,
    source=f"SCHED-09, SCHED-10; {BINDER}: FindPodVolumes",
    on=(f"{CLAIM} MODIFIED",),
    when=_sent_elsewhere,
)
def selected_node_stays(change: Change, memory: Memory) -> Findings:
    """The node that is selected for a claim is taken off before another one is: nobody replaces it."""
    old, new = change.old, change.new
    if old is None or new is None:
        return
    before, after = annotations(old).get(SELECTED_NODE), annotations(new)[SELECTED_NODE]
    yield AT_RISK if before else HELD
    if before and before != after:
        yield Violation(f"{change.key} was for node {before} and is for node {after}", (old, new))
