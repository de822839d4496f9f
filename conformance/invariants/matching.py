"""Matching: which volume may be given to which claim, one promise for each thing that must agree.

Each is judged where a volume is given away, and says which of the two did not fit. What a reservation waives is waived
here: a volume reserved by claimRef need not agree in class, labels or phase, one asked for by name not in labels or
phase, and a pair that names each other agrees by definition (PREB-03 to PREB-06, BOUND-03).
"""

from collections.abc import Callable
from itertools import islice

from pvkit.backends.objects import Obj, get, labels, name, phase, uid
from pvkit.backends.storage import (
    access_modes,
    attributes_class,
    claim_ref_uid,
    selector,
    storage_class,
    volume_mode,
    volume_name,
)
from pvkit.conformance.history import Change
from pvkit.conformance.invariant import (
    AT_RISK,
    HELD,
    Findings,
    Level,
    Mark,
    Memory,
    Scope,
    Violation,
    invariant,
    of_change_in,
)
from pvkit.conformance.invariants.fitting import (
    CLAIM,
    FREE,
    VOLUME,
    Given,
    ever_delayed,
    forged,
    given_by,
    is_available,
    key_of,
    large_enough,
    large_enough_in_bytes,
    offers_modes,
    same_attributes_class,
    same_class,
    same_volume_mode,
    selected,
    stays,
    volume_of,
)
from pvkit.conformance.invariants.moments import remembered

BINDING = "https://kubernetes.io/docs/concepts/storage/persistent-volumes/#binding"
MATCHING = "staging/src/k8s.io/component-helpers/storage/volume/pv_helpers.go: FindMatchingVolume"
CHECKING = "pkg/controller/volume/persistentvolume/pv_controller.go: checkVolumeSatisfyClaim"

Fits = Callable[[Obj, Obj], bool]

MOST_RIVALS = 8
_CHECKED_LATER = ("spec.capacity", "spec.accessModes", "spec.volumeAttributesClassName", "spec.claimRef")


@remembered
def _rivals(change: Change) -> list[Obj]:
    """A few volumes that are free, too."""
    return list(islice(change.state.find(FREE, "free"), MOST_RIVALS))


def _mark(given: Given, change: Change, fits: Fits) -> Mark:
    """At risk where a free volume stood by that does not fit."""
    return HELD if all(fits(volume, given.claim) for volume in _rivals(change)) else AT_RISK


def _judged(change: Change, fits: Fits, roads: tuple[str, ...], seen: Callable[[Obj], object], word: str) -> Findings:
    given = given_by(change)
    if given is None or given.road not in roads:
        return
    if fits(given.volume, given.claim):
        yield _mark(given, change, fits)
    else:
        yield _misfit(given.volume, given.claim, seen, word)


def _misfit(volume: Obj, claim: Obj, seen: Callable[[Obj], object], word: str) -> Violation:
    pair = f"volume {name(volume)} ({word}: {seen(volume)}) was given to claim {name(claim)} ({word}: {seen(claim)})"
    return Violation(f"{pair}, which it does not fit", (volume, claim))


@remembered
def _completed(change: Change) -> tuple[Obj, Obj] | None:
    """The pair that a claim's own write completes, where the claim did not name the volume before.

    Nobody may have given the volume away before: it may have been made with the claim's UID in claimRef (PREB-12).
    """
    old, new = change.old, change.new
    if old is None or new is None or change.by_client or volume_name(old) or not volume_name(new):
        return None
    volume = volume_of(change.state, new)
    if volume is None or claim_ref_uid(volume) != uid(new) or forged(change.life):
        return None
    life = change.state.life(key_of(volume))
    return (volume, new) if life is not None and not life.touched(*_CHECKED_LATER) else None


@of_change_in("spec")
def _paired(change: Change) -> object:
    """A volume is given to a claim, or the claim's own write completes the pair."""
    return given_by(change) if change.key.kind == VOLUME else _completed(change)


def _judged_whole(change: Change, fits: Fits, seen: Callable[[Obj], object], word: str) -> Findings:
    pair = _completed(change)
    if pair is not None:
        volume, claim = pair
        yield HELD if fits(volume, claim) else _misfit(volume, claim, seen, word)


def _size(obj: Obj) -> object:
    path = ("spec", "capacity", "storage") if obj["kind"] == VOLUME else ("spec", "resources", "requests", "storage")
    return get(obj, *path)


def _modes(obj: Obj) -> object:
    return ", ".join(sorted(access_modes(obj)))


def _labels(obj: Obj) -> object:
    return dict(labels(obj)) if obj["kind"] == VOLUME else selector(obj)


@invariant(
    "PVB-001",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"BIND-02b, BIND-10, PREB-03, PREB-05; {BINDING}",
    on=(f"{VOLUME} MODIFIED", f"{CLAIM} MODIFIED"),
    needs=("order",),
    when=_paired,
)
def volume_is_large_enough(change: Change, memory: Memory) -> Findings:
    """A volume given to a claim has at least the capacity that the claim requests."""
    if change.key.kind == CLAIM:
        yield from _judged_whole(change, large_enough, _size, "size")
        return
    yield from _judged(change, large_enough, ("chosen", "reserved"), _size, "size")
    yield from _judged(change, large_enough_in_bytes, ("asked",), _size, "size")


@invariant(
    "PVB-002",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"BIND-02a, BIND-07, PREB-03, PREB-05; {BINDING}",
    on=(f"{VOLUME} MODIFIED", f"{CLAIM} MODIFIED"),
    needs=("order",),
    when=_paired,
)
def volume_offers_the_modes(change: Change, memory: Memory) -> Findings:
    """A volume given to a claim offers every access mode that the claim asks for."""
    if change.key.kind == CLAIM:
        if not ever_delayed(change.state, change.obj):
            yield from _judged_whole(change, offers_modes, _modes, "access modes")
        return
    given = given_by(change)
    # The scheduler takes a volume that is reserved for a delayed claim whatever its access modes.
    if given is not None and given.road == "reserved" and ever_delayed(change.state, given.claim):
        return
    yield from _judged(change, offers_modes, ("chosen", "reserved", "asked"), _modes, "access modes")


@invariant(
    "PVB-003",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"BIND-02h, CLASS-01, CLASS-02, PREB-05; {BINDING}",
    on=(f"{VOLUME} MODIFIED",),
    needs=("order",),
    when=given_by,
)
def volume_is_of_the_class(change: Change, memory: Memory) -> Findings:
    """A volume given to a claim is of the claim's storage class, unless it was reserved for the claim."""
    given = given_by(change)
    if given is not None and storage_class(given.volume) == storage_class(given.life.first):
        if given.road in ("chosen", "asked"):
            yield _mark(given, change, same_class)
        return
    yield from _judged(change, same_class, ("chosen", "asked"), storage_class, "class")


@invariant(
    "PVB-004",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source="BIND-02c, PREB-03, PREB-05; https://kubernetes.io/docs/concepts/storage/persistent-volumes/"
    "#binding-block-volumes",
    on=(f"{VOLUME} MODIFIED", f"{CLAIM} MODIFIED"),
    needs=("order",),
    when=_paired,
)
def volume_is_of_the_volume_mode(change: Change, memory: Memory) -> Findings:
    """A volume given to a claim has the claim's volume mode, Filesystem where either is silent."""
    if change.key.kind == CLAIM:
        yield from _judged_whole(change, same_volume_mode, volume_mode, "volume mode")
        return
    yield from _judged(change, same_volume_mode, ("chosen", "reserved", "asked"), volume_mode, "volume mode")


@invariant(
    "PVB-005",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source="BIND-02g, BIND-08; https://kubernetes.io/docs/concepts/storage/persistent-volumes/#selector",
    on=(f"{VOLUME} MODIFIED",),
    needs=("order",),
    when=given_by,
)
def volume_is_selected(change: Change, memory: Memory) -> Findings:
    """A free volume given to a claim carries the labels that the claim's selector wants."""
    given = given_by(change)
    if given is None or selector(given.claim) is None:
        return
    yield from _judged(change, selected, ("chosen",), _labels, "labels")


@invariant(
    "PVB-006",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"BIND-02d, VAC-01, PREB-03, PREB-05; {MATCHING}",
    on=(f"{VOLUME} MODIFIED", f"{CLAIM} MODIFIED"),
    needs=("order",),
    when=_paired,
)
def volume_is_of_the_attributes_class(change: Change, memory: Memory) -> Findings:
    """A volume given to a claim is of the claim's attributes class, absent and empty being the same."""
    if change.key.kind == CLAIM:
        yield from _judged_whole(change, same_attributes_class, attributes_class, "attributes class")
        return
    roads = ("chosen", "reserved", "asked")
    yield from _judged(change, same_attributes_class, roads, attributes_class, "attributes class")


@invariant(
    "PVB-007",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"BIND-02e, PREB-05, PROT-09; {MATCHING}; {CHECKING}",
    on=(f"{VOLUME} MODIFIED",),
    needs=("order",),
    when=given_by,
)
def volume_is_not_being_deleted(change: Change, memory: Memory) -> Findings:
    """A volume given to a claim is not being deleted."""
    yield from _judged(change, stays, ("chosen", "reserved", "asked"), _deletion, "deletion")


@invariant(
    "PVB-008",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"BIND-02f, PHASE-04; {BINDING}",
    on=(f"{VOLUME} MODIFIED",),
    needs=("order",),
    when=given_by,
)
def volume_is_available(change: Change, memory: Memory) -> Findings:
    """A free volume given to a claim was Available."""
    yield from _judged(change, is_available, ("chosen",), phase, "phase")


def _deletion(obj: Obj) -> object:
    return obj["metadata"].get("deletionTimestamp") or "none"
