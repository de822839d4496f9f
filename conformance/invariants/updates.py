"""Updates: which pods a new template replaces, in which order, and what a new pod is made from.

A set deletes a pod in range for one reason only: its revision is no longer the wanted one. OnDelete and the partition
take even that away. What else may happen to a pod (it failed, its node is gone, somebody deleted it) is set aside.
"""

from pvkit.backends.objects import Key, Obj, get, name
from pvkit.backends.workloads import first_ordinal, ordinals, partition, revision, strategy
from pvkit.conformance.history import SEEING, Change
from pvkit.conformance.invariant import AT_RISK, HELD, Findings, Level, Memory, Scope, Violation, invariant
from pvkit.conformance.invariants.acts import (
    Act,
    creation_of,
    deletion_of,
    is_updatable,
    may_update,
    may_update_in_parallel,
    recreates,
)
from pvkit.conformance.invariants.cuts import Cuts
from pvkit.conformance.invariants.moments import remembered
from pvkit.conformance.invariants.sets import (
    CONTROL,
    POD_CHANGED,
    POD_GONE,
    POD_MADE,
    REVISION,
    SET,
    UPDATE_DOC,
    UTILS,
    made_from,
)

PARTITION_DOC = "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#partitions"


@remembered
def _kept(change: Change) -> Act | None:
    """The deletion of a pod that is in range in every version of its set."""
    act = deletion_of(change)
    return None if act is None or act.maybe_condemned else act


def _kept_or_set(change: Change) -> object:
    """A set deletes a pod that is in range; of sets anything."""
    return change.key.kind == SET or _kept(change)


@invariant(
    "STS-020",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source="UPDATE-07; https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#on-delete",
    on=(POD_CHANGED, POD_GONE, SET),
    needs=("order",),
    follows=(Cuts,),
    when=_kept_or_set,
)
def on_delete_waits(change: Change, memory: Memory) -> Findings:
    """With OnDelete a set never deletes a pod in range by itself."""
    if change.key.kind == SET and change.new is not None and strategy(change.new) == "OnDelete":
        yield AT_RISK if _template_changed(change) else HELD
    act = _kept(change)
    if act is not None and not act.some_version(lambda version: strategy(version) != "OnDelete"):
        yield Violation(
            f"{name(act.pod)} was deleted by its set, whose strategy is OnDelete", (act.pod, act.stateful_set)
        )


def _template_changed(change: Change) -> bool:
    return change.old is not None and change.old["spec"].get("template") != change.obj["spec"].get("template")


@invariant(
    "STS-021",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"UPDATE-02, UPDATE-05, UPDATE-06; {PARTITION_DOC}; {CONTROL}: updateStatefulSetAfterInvariantEstablished",
    on=(POD_CHANGED, POD_GONE, SET),
    needs=("order",),
    follows=(Cuts,),
    when=_kept_or_set,
)
def partition_is_kept(change: Change, memory: Memory) -> Findings:
    """A rolling update leaves the pods below the partition alone."""
    if change.key.kind == SET and change.new is not None and partition(change.new) and _template_changed(change):
        yield AT_RISK
    act = _kept(change)
    if act is None or not act.some_version(_rolls):
        return
    yield HELD
    if not act.some_version(lambda version: _rolls(version) and _index(act, version) >= _partition(version)):
        yield Violation(
            f"{name(act.pod)} was deleted by its set although it is number {_index(act, act.stateful_set)} of it, "
            f"counted from 0, and the partition is {partition(act.stateful_set)}",
            (act.pod, act.stateful_set),
        )


def _rolls(version: Obj) -> bool:
    return strategy(version) != "OnDelete"


def _partition(version: Obj) -> int:
    return partition(version) if strategy(version) == "RollingUpdate" else 0


def _index(act: Act, version: Obj) -> int:
    return act.ordinal - first_ordinal(version)


@invariant(
    "STS-022",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"UPDATE-19, POD-01, S5; {UPDATE_DOC}",
    on=(POD_CHANGED, POD_GONE),
    needs=("order",),
    follows=(Cuts,),
    when=_kept,
)
def pod_goes_for_a_reason(change: Change, memory: Memory) -> Findings:
    """A pod in range that runs at the wanted revision is not deleted by its set."""
    act = _kept(change)
    if act is None:
        return
    yield AT_RISK
    if act.some_view(is_updatable(act)):
        return
    if act.some_version(lambda version: _rolls(version) and _index(act, version) >= _partition(version)):
        yield Violation(
            f"{name(act.pod)} was deleted by its set although it is in range and at the wanted revision "
            f"{revision(act.pod)!r}",
            (act.pod, act.stateful_set),
        )


@invariant(
    "STS-023",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"UPDATE-01, UPDATE-12, SCALE-05; {UPDATE_DOC}",
    on=(POD_CHANGED, POD_GONE),
    needs=("order",),
    follows=(Cuts,),
    when=_kept,
)
def update_goes_from_the_top(change: Change, memory: Memory) -> Findings:
    """With OrderedReady an update replaces the highest outdated pod, one at a time, while all others are ready."""
    act = _kept(change)
    if act is None or not act.ordered or recreates(act) or not act.some_view(is_updatable(act)):
        return
    yield AT_RISK if len(ordinals(act.stateful_set)) > 1 else HELD
    if not act.some_view(may_update(act)):
        yield Violation(
            f"{name(act.pod)} was deleted for an update although a higher pod was still to be updated, or the pods of "
            "the set were not all ready",
            (act.pod, act.stateful_set),
        )


@invariant(
    "STS-024",
    scope=Scope.EACH_STEP,
    level=Level.UPSTREAM,
    source=f"UPDATE-08, UPDATE-13, UPDATE-14; {CONTROL}: updateStatefulSetAfterInvariantEstablished",
    on=(POD_CHANGED, POD_GONE),
    needs=("order",),
    follows=(Cuts,),
    when=_kept,
)
def update_in_parallel_keeps_its_budget(change: Change, memory: Memory) -> Findings:
    """With Parallel an update replaces a pod when all above it are updated and ready, or maxUnavailable leaves room."""
    act = _kept(change)
    if act is None or act.ordered or recreates(act) or not act.some_view(is_updatable(act)):
        return
    yield AT_RISK if len(ordinals(act.stateful_set)) > 1 else HELD
    if not act.some_view(may_update_in_parallel(act)):
        yield Violation(
            f"{name(act.pod)} was deleted for an update while pods above it were not updated and ready, and there was "
            "no room for it in maxUnavailable",
            (act.pod, act.stateful_set),
        )


@invariant(
    "STS-025",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"UPDATE-03, UPDATE-05, UPDATE-07, S8; {PARTITION_DOC}; {UTILS}: newVersionedStatefulSetPod",
    on=(POD_MADE,),
    needs=("order",),
    follows=(Cuts,),
    when=creation_of,
)
def new_pod_is_of_the_right_revision(change: Change, memory: Memory) -> Findings:
    """A new pod is made from the current revision below the partition, from the set's template elsewhere."""
    act = creation_of(change)
    if act is None or act.some_version(_counts):
        return
    yield AT_RISK if _torn(act.stateful_set) else HELD
    if not act.some_version(lambda version: _right(act, version), statuses=True):
        yield _wrong(act)


@invariant(
    "STS-026",
    scope=Scope.EACH_STEP,
    level=Level.UPSTREAM,
    source=f"UPDATE-03, UPDATE-04; {UTILS}: newVersionedStatefulSetPod",
    on=(POD_MADE,),
    needs=("order",),
    follows=(Cuts,),
    when=creation_of,
)
def new_pod_is_of_the_counted_revision(change: Change, memory: Memory) -> Findings:
    """Without rollingUpdate in the strategy, the first currentReplicas pods are made from the current revision."""
    act = creation_of(change)
    if act is None or not _counts(act.stateful_set):
        return
    yield AT_RISK if _torn(act.stateful_set) else HELD
    if not act.some_version(lambda version: _right(act, version), statuses=True):
        yield _wrong(act)


def _counts(version: Obj) -> bool:
    """Whether the strategy says RollingUpdate and nothing more, so that new pods go by count."""
    return strategy(version) == "RollingUpdate" and get(version, "spec", "updateStrategy", "rollingUpdate") is None


def _torn(stateful_set: Obj) -> bool:
    """Whether an update is under way."""
    status = stateful_set.get("status") or {}
    return bool(status.get("currentRevision") != status.get("updateRevision"))


def _right(act: Act, version: Obj) -> bool:
    """Whether the pod is of the revision that a version of the set gives to its ordinal."""
    status, index = version.get("status") or {}, _index(act, version)
    if _counts(version):
        old = index < int(status.get("currentReplicas") or 0)
    else:
        old = strategy(version) == "RollingUpdate" and index < partition(version)
    current = str(status.get("currentRevision") or "")
    if old and revision(act.pod) == current:
        return True
    if old and _is_known(act, Key(REVISION, act.at.namespace, current)):
        return False
    return made_from(act.pod, version["spec"]["template"])


def _is_known(act: Act, at: Key) -> bool:
    """Whether a revision exists, and the set cannot have missed it: without its current one it takes the wanted one."""
    state, life = act.state, act.state.life(at)
    if life is None:
        return False
    lately = life.born_at > state.time - state.header.backend.lag
    return life.born <= act.cuts.since or (state.faults <= SEEING and not lately)


def _wrong(act: Act) -> Violation:
    status = act.stateful_set.get("status") or {}
    return Violation(
        f"{name(act.pod)} was created at revision {revision(act.pod)!r}; it is number "
        f"{_index(act, act.stateful_set)} of the set, counted from 0, the partition is "
        f"{partition(act.stateful_set)}, current is "
        f"{status.get('currentRevision')!r} and wanted {status.get('updateRevision')!r}",
        (act.pod, act.stateful_set),
    )
