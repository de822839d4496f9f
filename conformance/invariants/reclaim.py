"""Reclaim: what becomes of a volume whose claim is gone is what its policy says, and nothing before that."""

from pvkit.backends.objects import Obj, annotations, deleting, finalizers, name, owners, phase
from pvkit.backends.storage import (
    IN_TREE_FINALIZER,
    MIGRATED_TO,
    PROVISIONED_BY,
    PROVISIONER_FINALIZER,
    VOLUME_PROTECTION,
    claim_ref_uid,
    reclaim_policy,
    volume_name,
    volume_source,
)
from pvkit.conformance.history import Change, State
from pvkit.conformance.invariant import AT_RISK, HELD, Findings, Level, Memory, Scope, Violation, invariant
from pvkit.conformance.invariants.fitting import VOLUME, claim_of, hangs, key_of, resyncs
from pvkit.conformance.invariants.moments import turned
from pvkit.conformance.invariants.provisioning import is_made

RECLAIMING = "https://kubernetes.io/docs/concepts/storage/persistent-volumes/#reclaiming"
RETAIN = "https://kubernetes.io/docs/concepts/storage/persistent-volumes/#retain"
DELETE = "https://kubernetes.io/docs/concepts/storage/persistent-volumes/#delete"
RECLAIM = "pkg/controller/volume/persistentvolume/pv_controller.go: reclaimVolume"
DELETER = "pkg/controller/volume/persistentvolume/pv_controller.go: doDeleteVolume"

POLICY = "spec.persistentVolumeReclaimPolicy"
KNOWN_FINALIZERS = frozenset({IN_TREE_FINALIZER, PROVISIONER_FINALIZER, VOLUME_PROTECTION})
IN_TREE_SOURCES = frozenset({"local", "nfs", "fc", "iscsi"})
"""Sources of which no deleter exists; that of hostPath works in one folder only."""


def _removed(change: Change) -> bool:
    """Whether a component asked for the removal of a volume.

    The end of a removal that was asked for before says nothing new. Where nobody knows who removed an object at once,
    it may have been the client.
    """
    if change.old is None or change.by_client or deleting(change.old) or owners(change.old):
        return False
    return deleting(change.obj) if change.new is not None else bool(change.event.by)


def _ends(change: Change) -> object:
    """A component removes a volume, or releases it."""
    turn = turned(change)
    return turn[1] == "Released" if turn is not None else _removed(change)


@invariant(
    "PVB-090",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"RECLAIM-01, RECLAIM-02; {RETAIN}; {RECLAIM}",
    on=(VOLUME,),
    when=_ends,
)
def retained_volume_is_kept(change: Change, memory: Memory) -> Findings:
    """No component removes a volume whose policy is Retain."""
    if change.old is None or reclaim_policy(change.old) != "Retain":
        return
    if _removed(change) and not change.life.touched(POLICY):
        yield Violation(f"volume {change.key.name} has policy Retain and was removed", (change.old,))
    elif not change.by_client and phase(change.obj) == "Released" and phase(change.old) != "Released":
        yield AT_RISK


@invariant(
    "PVB-091",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"RECLAIM-07, RECLAIM-11, RECLAIM-12, R1; {DELETE}; {DELETER}",
    on=(VOLUME,),
    needs=("order",),
    when=_removed,
)
def volume_is_removed_only_after_its_claim(change: Change, memory: Memory) -> Findings:
    """No component removes a volume before the claim that it was bound to is gone."""
    old = change.old
    # Who was shown Released, be it a client's lie, may act on it when that is long mended.
    if old is None or change.life.touched("spec.claimRef", "status"):
        return
    # A removal asked for without a precondition may hit the next volume of that name.
    again = (
        change.state.departed(change.key) is not None if change.new is not None else change.life.touched("finalizers")
    )
    if again:
        return
    claim = claim_of(change.state, old)
    if not claim_ref_uid(old):
        yield Violation(f"volume {change.key.name}, which belonged to no claim, was removed", (old,))
    elif claim is not None and volume_name(claim) in ("", change.key.name):
        text = f"volume {change.key.name} was removed although its claim {name(claim)} exists"
        yield Violation(text, (old, claim))
    else:
        yield HELD


@invariant(
    "PVB-092",
    scope=Scope.SETTLED,
    level=Level.CONTRACT,
    source=f"RECLAIM-11, RECLAIM-12, R2; {DELETE}",
)
def settled_provisioned_volume_is_gone_with_its_claim(state: State, memory: Memory) -> Findings:
    """When all is quiet, a provisioned volume of policy Delete is gone once its claim is gone."""
    for volume in state.all(VOLUME) if resyncs(state) else ():
        if reclaim_policy(volume) != "Delete" or not is_made(volume, state.life(key_of(volume))):
            continue
        if claim_of(state, volume) is not None:
            yield HELD
        elif set(finalizers(volume)) <= KNOWN_FINALIZERS and not hangs(volume):
            text = f"volume {name(volume)} is {phase(volume)}, its claim is gone and its policy is Delete"
            yield Violation(text, (volume,))


def stands_down(volume: Obj) -> bool:
    """Whether the controller leaves the removal of a volume to others (RECLAIM-05)."""
    marks = annotations(volume)
    if marks.get(MIGRATED_TO):
        return True
    if marks.get(PROVISIONED_BY):
        return not marks[PROVISIONED_BY].startswith("kubernetes.io/")
    return MIGRATED_TO in marks or volume_source(volume)[0] == "csi"


@invariant(
    "PVB-093",
    scope=Scope.EACH_STEP,
    level=Level.UPSTREAM,
    source=f"RECLAIM-05, PHASE-01; {RECLAIM}",
    on=(f"{VOLUME} MODIFIED",),
    when=turned,
)
def volume_for_an_outside_deleter_does_not_fail(change: Change, memory: Memory) -> Findings:
    """A volume whose removal is left to an external provisioner is never marked Failed for want of a deleter."""
    old, new = change.old, change.new
    if old is None or new is None or phase(new) not in ("Released", "Failed") or not stands_down(old):
        return
    if phase(new) == "Released":
        yield AT_RISK if reclaim_policy(new) == "Delete" else HELD
    elif phase(new) == "Failed" and reclaim_policy(old) == "Delete":
        text = f"volume {name(new)}, which an external provisioner deletes, became Failed"
        yield Violation(text, (old, new))


@invariant(
    "PVB-094",
    scope=Scope.SETTLED,
    level=Level.UPSTREAM,
    source=f"RECLAIM-06, RECLAIM-07; {DELETER}",
)
def settled_volume_without_a_deleter_has_failed(state: State, memory: Memory) -> Findings:
    """When all is quiet, a volume of policy Delete that nobody can delete is Failed once its claim is gone."""
    for volume in state.all(VOLUME) if resyncs(state) else ():
        if reclaim_policy(volume) != "Delete" or not claim_ref_uid(volume) or claim_of(state, volume) is not None:
            continue
        if stands_down(volume) or hangs(volume) or volume_source(volume)[0] not in IN_TREE_SOURCES:
            continue
        if phase(volume) == "Failed":
            yield HELD
        else:
            text = f"volume {name(volume)} is {phase(volume)}; its claim is gone and nobody can delete it"
            yield Violation(text, (volume,))


@invariant(
    "PVB-095",
    scope=Scope.SETTLED,
    level=Level.CONTRACT,
    source=f"RECLAIM-01, RECLAIM-02, PHASE-01; {RETAIN}",
)
def settled_retained_volume_is_released(state: State, memory: Memory) -> Findings:
    """When all is quiet, a volume of policy Retain whose claim is gone is Released, not Failed."""
    for volume in state.all(VOLUME) if resyncs(state) else ():
        if reclaim_policy(volume) != "Retain" or not claim_ref_uid(volume) or claim_of(state, volume) is not None:
            continue
        if hangs(volume):
            continue
        life = state.life(key_of(volume))
        if life is None or life.touched(POLICY, "status"):
            continue
        if phase(volume) == "Released":
            yield HELD
        else:
            yield Violation(f"volume {name(volume)} of policy Retain is {phase(volume)}, its claim is gone", (volume,))
