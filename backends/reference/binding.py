"""Binding: how a claim and a volume become a pair.

Binding is a two-way pointer, `volume.spec.claimRef` and `claim.spec.volumeName`, made in four writes: the volume's
spec, its status, the claim's spec, its status (BIND-13). Nothing is rolled back when one fails; the next pass goes on
from what is stored. A claim is "unbound" or "bound" by one annotation, never by its phase.
"""

from collections.abc import Iterable
from typing import Any

from pvkit.backends.objects import Key, Obj, annotate, deleting, labels, name, phase, put, reference, selects
from pvkit.backends.reference.rules import STOP, Controller, Effect, Write, itself, rule
from pvkit.backends.reference.view import Seen
from pvkit.backends.storage import (
    BIND_COMPLETED,
    BOUND_BY_CONTROLLER,
    access_modes,
    bind_completed,
    capacity,
    claim_ref,
    requested,
    reserved_for,
    selector,
    storage_class,
    volume_mode,
    volume_name,
)
from pvkit.backends.tables import Index


def _by_class(volume: Obj) -> Iterable[tuple[Any, Any]]:
    yield (storage_class(volume), access_modes(volume)), capacity(volume)


BY_CLASS = Index("volumes by class and modes", "PersistentVolume", _by_class)


def fits(volume: Obj, claim: Obj) -> bool:
    """Whether a free volume is a candidate for a claim (BIND-02); class, modes and size are judged by the index."""
    return (
        claim_ref(volume) is None
        and phase(volume) == "Available"
        and not deleting(volume)
        and volume_mode(volume) == volume_mode(claim)
        and selects(selector(claim), labels(volume))
    )


def best_match(seen: Seen, claim: Obj) -> Obj | None:
    """The volume that the immediate path takes (BIND-03): fewest modes first, then smallest."""
    wanted, size = access_modes(claim), requested(claim)
    groups = [modes for cls, modes in seen.buckets(BY_CLASS) if cls == storage_class(claim) and wanted <= modes]
    for group in sorted(groups, key=len):
        best: list[Obj] = []
        for volume in seen.find(BY_CLASS, (storage_class(claim), group), least=size):
            if best and capacity(volume) > capacity(best[0]):
                break
            if fits(volume, claim):
                best.append(volume)
        if best:
            return seen.tie(best)
    return None


def partner(seen: Seen, claim: Obj) -> Obj | None:
    """The volume that a claim is bound to or chosen for, as far as this controller knows."""
    if volume_name(claim):
        return seen.get("PersistentVolume", "", volume_name(claim))
    for volume in seen.all("PersistentVolume"):
        if reserved_for(volume, claim):
            return volume
    return best_match(seen, claim)


@rule("BIND-13.1", on="PersistentVolumeClaim")
def reserve(seen: Seen, key: Key) -> Effect | None:
    """The chosen volume gets a reference to the claim."""
    claim = seen.lookup(key)
    volume = partner(seen, claim) if claim else None
    if claim is None or volume is None:
        return STOP
    if reserved_for(volume, claim):
        return None
    volume = put(volume, ("spec", "claimRef"), reference(claim))
    return Write("update", annotate(volume, **{BOUND_BY_CONTROLLER: "yes"}))


@rule("BIND-13.2", on="PersistentVolumeClaim")
def mark_volume_bound(seen: Seen, key: Key) -> Effect | None:
    """The volume's phase becomes Bound."""
    claim = seen.lookup(key)
    volume = partner(seen, claim) if claim else None
    if volume is None or phase(volume) == "Bound":
        return None
    return Write("update-status", put(volume, ("status", "phase"), "Bound"))


@rule("BIND-13.3", on="PersistentVolumeClaim")
def name_volume(seen: Seen, key: Key) -> Effect | None:
    """The claim gets the volume's name."""
    claim = seen.lookup(key)
    volume = partner(seen, claim) if claim else None
    if claim is None or volume is None or (volume_name(claim) and bind_completed(claim)):
        return None
    claim = put(claim, ("spec", "volumeName"), name(volume))
    return Write("update", annotate(claim, **{BIND_COMPLETED: "yes", BOUND_BY_CONTROLLER: "yes"}))


@rule("BIND-13.4", on="PersistentVolumeClaim")
def mark_claim_bound(seen: Seen, key: Key) -> Effect | None:
    """The claim's phase becomes Bound, with the volume's modes and capacity."""
    claim = seen.lookup(key)
    volume = partner(seen, claim) if claim else None
    if claim is None or volume is None or phase(claim) == "Bound":
        return STOP
    status = {"phase": "Bound", "accessModes": volume["spec"]["accessModes"], "capacity": volume["spec"]["capacity"]}
    return Write("update-status", {**claim, "status": status})


@rule("PHASE-12.1", on="PersistentVolume")
def make_available(seen: Seen, key: Key) -> Effect | None:
    """A volume without a reference is Available."""
    volume = seen.lookup(key)
    if volume is None or claim_ref(volume) is not None or phase(volume) == "Available":
        return STOP
    return Write("update-status", put(volume, ("status", "phase"), "Available"))


BINDER = Controller(
    name="binder",
    rules={
        "PersistentVolumeClaim": (reserve, mark_volume_bound, name_volume, mark_claim_bound),
        "PersistentVolume": (make_available,),
    },
    watches={"PersistentVolume": itself, "PersistentVolumeClaim": itself},
    resync=15.0,
    own_writes=True,
)
