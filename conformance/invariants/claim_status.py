"""What a claim and a volume say of themselves: sizes and modes copied from the volume, and no more than is true."""

from typing import Any

from pvkit.backends.objects import Obj, annotations, get, name, phase, uid
from pvkit.backends.quantities import amount
from pvkit.backends.storage import access_modes, capacity, claim_ref_uid
from pvkit.conformance.history import Change, State
from pvkit.conformance.invariant import AT_RISK, HELD, Findings, Level, Memory, Scope, Violation, invariant
from pvkit.conformance.invariants.fitting import CLAIM, VOLUME, key_of, resyncs, volume_of
from pvkit.conformance.invariants.moments import respecified, turned

STATUS = "pkg/controller/volume/persistentvolume/pv_controller.go: updateClaimStatus"
VOLUME_STATUS = "pkg/controller/volume/persistentvolume/pv_controller.go: updateVolumePhase"
CAPACITY = "https://kubernetes.io/docs/concepts/storage/persistent-volumes/#capacity"
EXPANDING = "https://kubernetes.io/docs/concepts/storage/persistent-volumes/#expanding-persistent-volumes-claims"

PRE_RESIZE = "volume.alpha.kubernetes.io/pre-resize-capacity"


def _shown_modes(claim: Obj) -> frozenset[str]:
    return frozenset(get(claim, "status", "accessModes") or ())


def _shown_size(claim: Obj) -> Any:
    return get(claim, "status", "capacity", "storage")


@invariant(
    "PVB-060",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"STATUS-01, STATUS-02, STATUS-04; {CAPACITY}; {STATUS}",
    on=(f"{CLAIM} MODIFIED",),
    needs=("order",),
    when=turned,
)
def bound_claim_shows_its_volume(change: Change, memory: Memory) -> Findings:
    """A claim that becomes Bound shows the capacity and access modes of its volume, which may be more than asked."""
    if phase(change.obj) != "Bound":
        return
    claim, state = change.obj, change.state
    volume = volume_of(state, claim)
    life = state.life(key_of(volume)) if volume is not None else None
    if volume is None or life is None or claim_ref_uid(volume) != uid(claim) or PRE_RESIZE in annotations(volume):
        return
    if life.touched("spec.capacity", "spec.accessModes", since=change.life.born):
        return
    shown = _shown_size(claim)
    grown = capacity(life.first) != capacity(volume) and not life.touched("spec.capacity")
    if _shown_modes(claim) != access_modes(volume):
        text = f"claim {name(claim)} shows access modes {sorted(_shown_modes(claim))}, its volume {name(volume)} has"
        yield Violation(f"{text} {sorted(access_modes(volume))}", (claim, volume))
    elif not grown and (shown is None or amount(shown) != capacity(volume)):
        text = f"claim {name(claim)} shows capacity {shown}, its volume {name(volume)} has"
        yield Violation(f"{text} {get(volume, 'spec', 'capacity', 'storage')}", (claim, volume))
    else:
        yield (
            AT_RISK if amount(shown or 0) != _asked_for(claim) or access_modes(claim) != access_modes(volume) else HELD
        )


def _asked_for(claim: Obj) -> Any:
    return amount(get(claim, "spec", "resources", "requests", "storage") or 0)


@invariant(
    "PVB-061",
    scope=Scope.SETTLED,
    level=Level.UPSTREAM,
    source=f"STATUS-01, BIND-17; {STATUS}",
)
def settled_claim_shows_the_modes_of_its_volume(state: State, memory: Memory) -> Findings:
    """When all is quiet, a Bound claim shows the access modes that its volume has now."""
    for claim in state.all(CLAIM) if resyncs(state) else ():
        volume = volume_of(state, claim) if phase(claim) == "Bound" else None
        if volume is None or claim_ref_uid(volume) != uid(claim):
            continue
        if _shown_modes(claim) == access_modes(volume):
            life = state.life(key_of(volume))
            yield AT_RISK if life is not None and life.touched("spec.accessModes") else HELD
        else:
            text = (
                f"claim {name(claim)} shows access modes {sorted(_shown_modes(claim))}, its volume {name(volume)} has"
            )
            yield Violation(f"{text} {sorted(access_modes(volume))}", (claim, volume))


@invariant(
    "PVB-062",
    scope=Scope.EACH_STEP,
    level=Level.UPSTREAM,
    source=f"BOUND-07, STATUS-08, PHASE-11; {STATUS}",
    on=(f"{CLAIM} MODIFIED",),
    when=turned,
)
def claim_without_volume_shows_none(change: Change, memory: Memory) -> Findings:
    """A claim that becomes Pending or Lost shows neither capacity nor access modes."""
    if phase(change.obj) not in ("Pending", "Lost"):
        return
    left = [part for part in ("capacity", "accessModes") if get(change.obj, "status", part)]
    if left:
        text = f"claim {name(change.obj)} became {phase(change.obj)} and still shows {' and '.join(left)}"
        yield Violation(text, (change.obj,))
    else:
        yield AT_RISK if get(change.old or {}, "status", "capacity") else HELD


@invariant(
    "PVB-063",
    scope=Scope.EACH_STEP,
    level=Level.UPSTREAM,
    source=f"PHASE-08; {VOLUME_STATUS}",
    on=(f"{VOLUME} MODIFIED",),
    when=turned,
)
def failed_volume_says_why(change: Change, memory: Memory) -> Findings:
    """A volume carries a message exactly when it becomes Failed."""
    if phase(change.obj) not in ("Available", "Bound", "Released", "Failed"):
        return
    message = get(change.obj, "status", "message")
    if bool(message) == (phase(change.obj) == "Failed"):
        yield HELD
    else:
        text = f"volume {name(change.obj)} became {phase(change.obj)} with message {message!r}"
        yield Violation(text, (change.obj,))


@invariant(
    "PVB-064",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"EXPAND-03, E1; {EXPANDING}",
    on=(f"{VOLUME} MODIFIED",),
    when=respecified,
)
def volume_never_shrinks(change: Change, memory: Memory) -> Findings:
    """No component lowers the capacity of a volume."""
    old, new = change.old, change.new
    if old is None or new is None or change.by_client:
        return
    if capacity(new) < capacity(old):
        sizes = f"{get(old, 'spec', 'capacity', 'storage')} to {get(new, 'spec', 'capacity', 'storage')}"
        yield Violation(f"volume {name(new)} shrank from {sizes}", (old, new))
    else:
        yield AT_RISK if capacity(new) > capacity(old) else HELD


@invariant(
    "PVB-065",
    scope=Scope.SETTLED,
    level=Level.CONTRACT,
    source=f"STATUS-02, STATUS-03, EXPAND-01, E1; {EXPANDING}",
)
def settled_claim_shows_no_more_than_its_volume(state: State, memory: Memory) -> Findings:
    """When all is quiet, a Bound claim shows a capacity, and not more than its volume has."""
    for claim in state.all(CLAIM) if resyncs(state) else ():
        volume = volume_of(state, claim) if phase(claim) == "Bound" else None
        if volume is None or claim_ref_uid(volume) != uid(claim):
            continue
        life, own = state.life(key_of(volume)), state.life(key_of(claim))
        if life is None or own is None or life.touched("spec.capacity") or own.touched("status"):
            continue
        shown = _shown_size(claim)
        if shown is not None and amount(shown) <= capacity(volume):
            yield HELD
        else:
            text = f"claim {name(claim)} shows capacity {shown}, its volume {name(volume)} has"
            yield Violation(f"{text} {get(volume, 'spec', 'capacity', 'storage')}", (claim, volume))
