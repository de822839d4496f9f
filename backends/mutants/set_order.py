"""Sets that create, scale and delete in the wrong order, too early, or not at all."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from pvkit.backends.mutants.registry import Edit, edit, mutant
from pvkit.backends.objects import deleting, get
from pvkit.backends.reference import ordering, passes, replicas, scaling, updates
from pvkit.backends.workloads import is_ready


@mutant("parallel-is-ordered", breaks=("STS-080", "STS-091"), after="W2", family="GATE")
def parallel_is_ordered() -> Iterable[Edit]:
    """A Parallel set waits for each pod, as an OrderedReady one does."""
    yield edit(passes, "is_parallel", lambda original: lambda stateful_set: False)


@mutant("ordered-is-parallel", breaks=("STS-011",), after="W6", family="GATE")
def ordered_is_parallel() -> Iterable[Edit]:
    """An OrderedReady set creates and deletes all pods at once."""
    yield edit(passes, "is_parallel", lambda original: lambda stateful_set: True)


@mutant("next-pod-before-ready", breaks=("STS-011", "STS-090"), after="W6", family="GATE")
def next_pod_before_ready() -> Iterable[Edit]:
    """The next pod is created as soon as the one before it exists, ready or not."""
    yield edit(ordering, "stops", lambda original: lambda work, pod: deleting(pod))


@mutant("next-pod-beside-terminating", breaks=("STS-012",), after="W6", family="GATE")
def next_pod_beside_terminating() -> Iterable[Edit]:
    """A pod in range that is terminating but still ready does not hold the set back."""
    yield edit(ordering, "stops", lambda original: lambda work, pod: not is_ready(pod))


@mutant("highest-ordinal-first", breaks=("STS-011", "STS-080"), after="W6", family="GATE")
def highest_ordinal_first() -> Iterable[Edit]:
    """Pods are created from the highest ordinal down."""

    def make(original: Any) -> Any:
        def arrange(seen: Any, work: Any) -> None:
            original(seen, work)
            work.in_range.slots.reverse()

        return arrange

    yield edit(ordering, "arrange", make)


@mutant("scales-down-from-below", breaks=("STS-014",), after="W6", family="GATE")
def scales_down_from_below() -> Iterable[Edit]:
    """Scaling down deletes the lowest condemned ordinal first."""

    def make(original: Any) -> Any:
        def arrange(seen: Any, work: Any) -> None:
            original(seen, work)
            work.condemned.slots.reverse()

        return arrange

    yield edit(ordering, "arrange", make)


@mutant("scales-down-all-at-once", breaks=("STS-014",), after="W6", family="GATE")
def scales_down_all_at_once() -> Iterable[Edit]:
    """An OrderedReady set deletes all condemned pods together."""

    def make(original: Any) -> Any:
        def delete_any(seen: Any, at: Any) -> Any:
            work = passes.at_hand(seen, at)
            if not ordering.condemned(seen, work) or not scaling.may_delete_condemned(seen, work):
                return None
            slots = [slot for slot in work.condemned.slots if "delete" not in slot.done and not deleting(slot.pod)]
            return replicas.remove(seen, work, slots[0]) if slots else None

        return delete_any

    yield edit(scaling.delete_highest, "body", make)


@mutant("scales-down-past-broken-pods", breaks=("STS-015",), after="kubernetes/kubernetes#95586", family="GATE")
def scales_down_past_broken_pods() -> Iterable[Edit]:
    """Scaling down does not wait for the pods that stay."""
    yield edit(scaling, "in_range_passed", lambda original: lambda seen, work: ordering.acts(seen, work))


@mutant("broken-pod-blocks-scale-down", breaks=("STS-081",), after="kubernetes/kubernetes#36333", family="GATE")
def broken_pod_blocks_scale_down() -> Iterable[Edit]:
    """A condemned pod that is not ready is never deleted, even if it is the only one."""
    yield edit(scaling, "first_unhealthy", lambda original: lambda work: None)


@mutant("broken-pods-leave-together", breaks=("STS-016",), after="kubernetes/kubernetes#123918", family="GATE")
def broken_pods_leave_together() -> Iterable[Edit]:
    """A condemned pod that is not ready goes though one below it is not ready, either."""
    yield edit(scaling, "first_unhealthy", lambda original: lambda work: work.condemned.slots[0])


@mutant("failed-pod-stays", breaks=("STS-100",), family="GATE")
def failed_pod_stays() -> Iterable[Edit]:
    """A pod that Failed is not replaced."""

    def make(original: Any) -> Any:
        return lambda pod: get(pod, "status", "phase") == "Succeeded"

    yield edit(replicas, "is_finished", make)
    yield edit(ordering, "is_finished", make)


@mutant("succeeded-pod-stays", breaks=("STS-101",), after="kubernetes/kubernetes#120398", family="GATE")
def succeeded_pod_stays() -> Iterable[Edit]:
    """A pod that Succeeded is not replaced."""

    def make(original: Any) -> Any:
        return lambda pod: get(pod, "status", "phase") == "Failed"

    yield edit(replicas, "is_finished", make)
    yield edit(ordering, "is_finished", make)


@mutant("one-pod-too-many", breaks=("STS-010", "STS-081"), after="openkruise/kruise#746", family="GATE")
def one_pod_too_many() -> Iterable[Edit]:
    """With a start ordinal the set runs one pod more than it has replicas."""

    def make(original: Any) -> Any:
        def ordinals(stateful_set: Any) -> range:
            right = original(stateful_set)
            return range(right.start, right.stop + (1 if right.start else 0))

        return ordinals

    yield edit(ordering, "ordinals", make)


@mutant("works-while-terminating", breaks=("STS-013",), family="GATE")
def works_while_terminating() -> Iterable[Edit]:
    """A set that is being deleted goes on creating and deleting pods."""
    yield edit(ordering, "acts", lambda original: lambda seen, work: True)


@mutant("min-ready-ignored", breaks=("STS-012",), after="kubernetes/kubernetes#112307", family="GATE")
def min_ready_ignored() -> Iterable[Edit]:
    """A pod counts as available as soon as it is ready, whatever minReadySeconds says."""
    yield edit(ordering, "is_available", lambda original: lambda work, pod: is_ready(pod))


@mutant("deletes-in-haste", breaks=("STS-103",), family="FIELD")
def deletes_in_haste() -> Iterable[Edit]:
    """A set gives its pods a second to stop, whatever they ask for."""

    def make(original: Any) -> Any:
        return lambda *about: replace(original(*about), options={"grace": 1})

    for module in (scaling, updates):
        yield edit(module, "remove", make)


@mutant("replaces-for-ever", breaks=("STS-106",), family="GATE")
def replaces_for_ever() -> Iterable[Edit]:
    """A rolling update takes every pod for an outdated one, however new it is."""
    yield edit(updates, "is_outdated", lambda original: lambda work, slot: not deleting(slot.pod))
