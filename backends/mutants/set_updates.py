"""Sets that update the wrong pods, in the wrong order, or lose track of revisions and counts."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from pvkit.backends.mutants.registry import Edit, edit, mutant
from pvkit.backends.objects import deleting, name
from pvkit.backends.reference import admission, identity, ordering, passes, replicas, revisions, set_status, updates
from pvkit.backends.reference.clock import stamp


@mutant("partition-by-ordinal", breaks=("STS-025",), family="GATE")
def partition_by_ordinal() -> Iterable[Edit]:
    """The partition is compared with the ordinal, not with the place in the set."""
    yield edit(ordering, "first_ordinal", lambda original: lambda stateful_set: 0)


@mutant("partition-ignored", breaks=("STS-021",), family="GATE")
def partition_ignored() -> Iterable[Edit]:
    """Pods below the partition are replaced, too."""
    yield edit(updates, "partition", lambda original: lambda stateful_set: 0)
    yield edit(ordering, "partition", lambda original: lambda stateful_set: 0)


@mutant("new-pods-at-new-revision", breaks=("STS-025", "STS-026"), after="kubernetes/kubernetes#119685", family="GATE")
def new_pods_at_new_revision() -> Iterable[Edit]:
    """A pod below the partition that is created again gets the new template."""
    for module in (ordering, replicas):
        yield edit(module, "revision_for", lambda original: lambda work, at: work.update)


@mutant("updates-from-below", breaks=("STS-023",), family="GATE")
def updates_from_below() -> Iterable[Edit]:
    """A rolling update replaces the lowest ordinal first."""

    def make(original: Any) -> Any:
        return lambda seen, work: list(reversed(original(seen, work)))

    yield edit(updates, "from_the_top", make)


@mutant("updates-all-at-once", breaks=("STS-023", "STS-024"), after="kubernetes/kubernetes#96218", family="GATE")
def updates_all_at_once() -> Iterable[Edit]:
    """A rolling update does not wait for the pods that it replaced."""

    def make(original: Any) -> Any:
        def replace(seen: Any, at: Any) -> Any:
            work = passes.at_hand(seen, at)
            if not updates.may_update(seen, work):
                return None
            old = [slot for slot in updates.from_the_top(seen, work) if updates.is_outdated(work, slot)]
            slot = next((slot for slot in old if "outdated" not in slot.done), None)
            return replicas.remove(seen, work, slot, "outdated") if slot is not None else None

        return replace

    yield edit(updates.replace_one, "body", make)


@mutant("on-delete-updates", breaks=("STS-020",), family="GATE")
def on_delete_updates() -> Iterable[Edit]:
    """OnDelete sets have their pods replaced all the same."""
    yield edit(updates, "strategy", lambda original: lambda stateful_set: "RollingUpdate")


@mutant("update-never-starts", breaks=("STS-082",), family="GATE")
def update_never_starts() -> Iterable[Edit]:
    """A new template replaces no pod."""
    yield edit(updates, "is_outdated", lambda original: lambda work, slot: False)


@mutant(
    "update-done-too-early",
    breaks=("STS-036",),
    after="kubernetes/kubernetes#119685",
    family="GATE",
)
def update_done_too_early() -> Iterable[Edit]:
    """After a refused create the update counts as complete, by the pods that are there."""

    def make(original: Any) -> Any:
        def completed(work: Any, status: Any) -> Any:
            refused = any(slot.problems for slot in work.in_range.slots)
            even = status["updatedReplicas"] == status["readyReplicas"] == status["replicas"]
            if refused and even:
                return {**status, "currentRevision": status["updateRevision"]}
            return original(work, status)

        return completed

    yield edit(set_status, "completed", make)


@mutant("update-never-completes", breaks=("STS-075",), family="GATE")
def update_never_completes() -> Iterable[Edit]:
    """The current revision stays what it was after all pods are updated."""
    yield edit(set_status, "completed", lambda original: lambda work, status: status)


@mutant(
    "revision-per-restart", breaks=("STS-032",), after="kubernetes/kubernetes#56355", needs=("crash",), family="CACHE"
)
def revision_per_restart() -> Iterable[Edit]:
    """With no revision cached the name that is taken counts as a collision, so an equal revision gets a new name."""

    def make(original: Any) -> Any:
        def avoid_collision(seen: Any, at: Any) -> None:
            work = passes.at_hand(seen, at)
            work.collisions += bool(work.taken)
            work.taken = ""

        return avoid_collision

    yield edit(revisions.avoid_collision, "body", make)


@mutant("roll-back-keeps-old-number", breaks=("STS-035",), family="COUNT")
def roll_back_keeps_old_number() -> Iterable[Edit]:
    """A roll-back does not make its revision the newest again."""

    def make(original: Any) -> Any:
        def roll_back(seen: Any, at: Any) -> Any:
            work = passes.at_hand(seen, at)
            if work.update is None and work.recorded and revisions.alike(work.recorded[-1], work.stateful_set):
                work.update = work.recorded[-1]
            return None

        return roll_back

    yield edit(revisions.roll_back, "body", make)


@mutant("history-never-trimmed", breaks=("STS-034",), family="COUNT")
def history_never_trimmed() -> Iterable[Edit]:
    """Old revisions are kept for ever."""
    yield edit(revisions.trim_history, "body", lambda original: lambda seen, at: None)


@mutant("ready-count-stops-at-refusal", breaks=("STS-073",), after="kubernetes/kubernetes#108837", family="COUNT")
def ready_count_stops_at_refusal() -> Iterable[Edit]:
    """Pods after one that could not be created are not counted."""

    def make(original: Any) -> Any:
        def counted(seen: Any, work: Any) -> Any:
            pods = original(seen, work)
            refused = [slot.ordinal for slot in work.in_range.slots if slot.problems]
            return [pod for pod in pods if not refused or replicas_before(pod, refused[0])]

        return counted

    yield edit(set_status, "counted", make)


def replicas_before(pod: Any, limit: int) -> bool:
    """Whether a pod's ordinal is below a limit."""
    return int(name(pod).rpartition("-")[2]) < limit


@mutant("terminating-pods-not-counted", breaks=("STS-072",), family="COUNT")
def terminating_pods_not_counted() -> Iterable[Edit]:
    """The status leaves out pods that are terminating."""

    def make(original: Any) -> Any:
        return lambda seen, work: [pod for pod in original(seen, work) if not deleting(pod)]

    yield edit(set_status, "counted", make)


@mutant("status-counts-wishes", breaks=("STS-072",), canary=True, after="kubernetes/kubernetes#108837", family="COUNT")
def status_counts_wishes() -> Iterable[Edit]:
    """readyReplicas tells how many pods there are, not how many are ready."""

    def make(original: Any) -> Any:
        def new_status(seen: Any, work: Any) -> Any:
            status = original(seen, work)
            return {**status, "readyReplicas": status["replicas"]}

        return new_status

    yield edit(set_status, "new_status", make)


@mutant("generation-ahead", breaks=("STS-071",), canary=True, family="COUNT")
def generation_ahead() -> Iterable[Edit]:
    """observedGeneration tells of a generation that does not exist yet."""

    def make(original: Any) -> Any:
        def new_status(seen: Any, work: Any) -> Any:
            status = original(seen, work)
            return {**status, "observedGeneration": status["observedGeneration"] + 1}

        return new_status

    yield edit(set_status, "new_status", make)


@mutant("status-never-settles", breaks=("STS-073", "STS-074"), family="COUNT")
def status_never_settles() -> Iterable[Edit]:
    """The status is written only while the set has no pods."""
    yield edit(set_status, "differs", lambda original: lambda old, new: new["replicas"] == 0 and original(old, new))


@mutant("any-change-is-an-update", breaks=("STS-022",), family="GATE")
def any_change_is_an_update() -> Iterable[Edit]:
    """Any change to a set's spec replaces a pod, not only a new template."""

    def make(original: Any) -> Any:
        def is_outdated(work: Any, slot: Any) -> bool:
            generation = work.stateful_set["metadata"]["generation"]
            seen = (work.stateful_set.get("status") or {}).get("observedGeneration", generation)
            return bool(original(work, slot)) or (seen < generation and not deleting(slot.pod))

        return is_outdated

    yield edit(updates, "is_outdated", make)


@mutant("new-template-under-old-name", breaks=("STS-031",), after="kubernetes/kubernetes#119685", family="FIELD")
def new_template_under_old_name() -> Iterable[Edit]:
    """A pod that is due at the current revision says so, but is made from the wanted template."""

    def make(original: Any) -> Any:
        def make_pod(seen: Any, work: Any, slot: Any) -> Any:
            with_new = revisions.template(work.update)
            due = ordering.revision_for(work, slot.ordinal)
            return identity.new_pod(work.stateful_set, with_new, name(due), slot.ordinal)

        return make_pod

    yield edit(replicas, "make_pod", make)


@mutant("revisions-numbered-by-count", breaks=("STS-033",), family="COUNT")
def revisions_numbered_by_count() -> Iterable[Edit]:
    """A revision's number is the number of revisions there are, so a roll-back or a trimmed history repeats one."""
    yield edit(revisions, "_next", lambda original: lambda work: len(work.recorded) + 1)


@mutant("condemned-pods-are-no-replicas", breaks=("STS-070",), after="kubernetes/kubernetes#56355", family="COUNT")
def condemned_pods_are_no_replicas() -> Iterable[Edit]:
    """Condemned pods count as ready but not among the replicas, and nobody compares the counts."""

    def make(original: Any) -> Any:
        def new_status(seen: Any, work: Any) -> Any:
            status = original(seen, work)
            return {**status, "replicas": min(status["replicas"], len(work.in_range.slots))}

        return new_status

    yield edit(set_status, "new_status", make)
    unchecked = replace(admission.TREATMENTS["StatefulSet"], status=lambda old, new, at: ())
    yield edit(admission, "TREATMENTS", lambda original: {**original, "StatefulSet": unchecked})


@mutant("status-tells-the-time", breaks=("STS-076",), family="COUNT")
def status_tells_the_time() -> Iterable[Edit]:
    """Each look at a set leaves its time in the status, so that a set at rest is written again and again."""

    def make(original: Any) -> Any:
        def new_status(seen: Any, work: Any) -> Any:
            told = {"type": "Checked", "status": "True", "lastTransitionTime": stamp(int(work.now))}
            return {**original(seen, work), "conditions": [told]}

        return new_status

    yield edit(set_status, "new_status", make)
