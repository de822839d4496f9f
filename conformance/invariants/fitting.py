"""When a volume suits a claim, and how a judge tells by which road a volume was given to one.

The promises are restated here from the documentation and from what a real control plane was seen to do, for the use
of the judges alone. A volume is given to a claim by the write that puts the claim's UID into `claimRef`. That write
carries the volume's version, so the volume before it is exactly what its writer saw. Of the claim almost all that
matters is immutable; what is not (class, volumeName) may have been seen older, which each judge allows for.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

from pvkit.backends.objects import Key, Obj, annotations, deleting, key, labels, name, phase, selects, uid
from pvkit.backends.quantities import whole
from pvkit.backends.storage import (
    BIND_COMPLETED,
    PROVISIONED_BY,
    READ_WRITE_ONCE_POD,
    access_modes,
    attributes_class,
    bind_completed,
    capacity,
    claim_ref,
    claim_ref_uid,
    node_terms,
    refers_to,
    requested,
    selector,
    storage_class,
    volume_mode,
    volume_name,
    waits_for_consumer,
)
from pvkit.backends.tables import Index
from pvkit.conformance.history import SEEING, Change, Life, State
from pvkit.conformance.invariant import of_change_in
from pvkit.conformance.invariants.moments import referred, remembered

CLAIM, VOLUME, CLASS = "PersistentVolumeClaim", "PersistentVolume", "StorageClass"

LARGEST = 2**63 - 1

Road = Literal["chosen", "reserved", "asked", "agreed", "restored"]


@dataclass(frozen=True, slots=True)
class Given:
    """A volume given to a claim, by a component.

    `volume` is the volume as its writer saw it. `road`: `chosen` among free volumes, `reserved` by the volume's
    claimRef, `asked` for by the claim's volumeName, `agreed` by both, `restored` to a claim that was bound before.
    """

    volume: Obj
    claim: Obj
    road: Road
    life: Life


def claim_of(state: State, volume: Obj) -> Obj | None:
    """The claim that a volume's claimRef means: same namespace, name and UID."""
    found = claim_ref(volume)
    if found is None:
        return None
    claim = state.get(CLAIM, str(found.get("namespace") or ""), str(found.get("name") or ""))
    return claim if claim is not None and uid(claim) == found.get("uid") else None


def volume_of(state: State, claim: Obj) -> Obj | None:
    """The volume that a claim names."""
    named = volume_name(claim)
    return state.get(VOLUME, "", named) if named else None


def class_of(state: State, claim: Obj) -> Obj | None:
    """The class object that a claim or volume names."""
    return state.get(CLASS, "", storage_class(claim)) if storage_class(claim) else None


def hangs(volume: Obj) -> bool:
    """Whether the controller may be unable to sync the volume at all.

    An in-tree volume of policy Delete that is being deleted and has lost its finalizer fails every sync, for that may
    not come back (RECLAIM-16); and so does one whose claimRef has a UID and no name, for a claim without a name cannot
    be asked for (PHASE-05).
    """
    nameless = bool(claim_ref_uid(volume)) and not (claim_ref(volume) or {}).get("name")
    return nameless or (deleting(volume) and annotations(volume).get(PROVISIONED_BY, "").startswith("kubernetes.io/"))


def key_of(obj: Obj) -> Key:
    """The key of an object, without a look at its kind's scope."""
    return key(obj)


def forged(life: Life) -> bool:
    """Whether the client wrote or removed the mark of a finished binding (BOUND-03)."""
    return bind_completed(life.first) or life.touched(f"annotations.{BIND_COMPLETED}")


def resyncs(state: State) -> bool:
    """Whether the binder goes over everything now and then: much that it is not woken for waits for that (TIME-03)."""
    return bool(state.setup.options.get("resync", True))


@of_change_in("spec")
@remembered
def given_by(change: Change) -> Given | None:
    """What was given to whom by this change of a volume; None for any other change."""
    old, new = change.old, change.new
    if old is None or new is None or not referred(change):
        return None
    claim = claim_of(change.state, new)
    life = change.state.life(key_of(claim)) if claim is not None else None
    if claim is None or life is None:
        return None
    free, asked = claim_ref(old) is None, volume_name(claim) == name(old)
    if not free and not refers_to(old, claim):
        return None
    if asked and (bind_completed(claim) or forged(life)):
        return Given(old, claim, "restored", life)
    road: Road = ("asked" if asked else "chosen") if free else ("agreed" if asked else "reserved")
    return Given(old, claim, road, life)


@of_change_in("spec")
def chosen_by(change: Change) -> Given | None:
    """What was given by this change, where it was chosen among free volumes."""
    given = given_by(change)
    return given if given is not None and given.road == "chosen" else None


def large_enough(volume: Obj, claim: Obj) -> bool:
    """Capacity covers the request, compared exactly (BIND-02b)."""
    return capacity(volume) >= requested(claim)


def large_enough_in_bytes(volume: Obj, claim: Obj) -> bool:
    """Capacity covers the request, both rounded up to bytes; beyond 63 bits nothing is promised (BIND-10)."""
    offered, wanted = whole(capacity(volume)), whole(requested(claim))
    return offered >= wanted or max(offered, wanted) > LARGEST


def offers_modes(volume: Obj, claim: Obj) -> bool:
    """Every access mode of the claim is one of the volume's; no mode implies another (BIND-07)."""
    return access_modes(claim) <= access_modes(volume)


def same_class(volume: Obj, claim: Obj) -> bool:
    """The effective classes are equal (CLASS-01)."""
    return storage_class(volume) == storage_class(claim)


def same_volume_mode(volume: Obj, claim: Obj) -> bool:
    """Volume modes are equal, absent meaning Filesystem (BIND-02c)."""
    return volume_mode(volume) == volume_mode(claim)


def selected(volume: Obj, claim: Obj) -> bool:
    """The claim's selector matches the volume's labels (BIND-08)."""
    return selects(selector(claim), labels(volume))


def same_attributes_class(volume: Obj, claim: Obj) -> bool:
    """Attributes classes are equal, absent and empty being the same (BIND-02d)."""
    return attributes_class(volume) == attributes_class(claim)


def stays(volume: Obj, claim: Obj) -> bool:
    """The volume is not being deleted (BIND-02e)."""
    return not deleting(volume)


def is_available(volume: Obj, claim: Obj) -> bool:
    """The volume's phase is Available (BIND-02f)."""
    return phase(volume) == "Available"


def fits_reserved(volume: Obj, claim: Obj) -> bool:
    """All that a volume reserved for a claim must still meet: size, modes, mode, attributes class (PREB-03)."""
    return (
        offers_modes(volume, claim)
        and large_enough(volume, claim)
        and same_volume_mode(volume, claim)
        and same_attributes_class(volume, claim)
        and stays(volume, claim)
    )


def fits_asked(volume: Obj, claim: Obj) -> bool:
    """All that a free volume which a claim names must meet (PREB-05), of a size that both ways of counting allow."""
    return (
        stays(volume, claim)
        and whole(capacity(volume)) <= LARGEST
        and large_enough(volume, claim)
        and same_class(volume, claim)
        and same_attributes_class(volume, claim)
        and same_volume_mode(volume, claim)
        and offers_modes(volume, claim)
    )


def fits_free(volume: Obj, claim: Obj) -> bool:
    """All that a free volume must meet to be chosen for a claim (BIND-02)."""
    return (
        claim_ref(volume) is None
        and is_available(volume, claim)
        and fits_reserved(volume, claim)
        and same_class(volume, claim)
        and selected(volume, claim)
    )


def _free_by_shape(volume: Obj) -> Iterable[tuple[Any, Any]]:
    if claim_ref(volume) is None and phase(volume) == "Available" and not deleting(volume):
        yield (storage_class(volume), access_modes(volume)), capacity(volume)


FREE_BY_SHAPE = Index("free volumes by class and modes", VOLUME, _free_by_shape)


def _all_free(volume: Obj) -> Iterable[tuple[Any, Any]]:
    if claim_ref(volume) is None and phase(volume) == "Available" and not deleting(volume):
        yield "free", ()


FREE = Index("free volumes", VOLUME, _all_free)


def _reserved(volume: Obj) -> Iterable[tuple[Any, Any]]:
    found = claim_ref(volume)
    if found is not None:
        yield (found.get("namespace") or "", found.get("name") or ""), ()


RESERVED = Index("volumes by the name in claimRef", VOLUME, _reserved, of_spec=True)


def _by_reference(volume: Obj) -> Iterable[tuple[Any, Any]]:
    if claim_ref_uid(volume):
        yield claim_ref_uid(volume), ()


BY_REFERENCE = Index("volumes by the UID in claimRef", VOLUME, _by_reference, of_spec=True)

_OTHERS = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce")
_SETS = [frozenset(m for i, m in enumerate(_OTHERS) if bits >> i & 1) for bits in range(1, 8)]
MODE_SETS = [*sorted(_SETS, key=len), frozenset({READ_WRITE_ONCE_POD})]
"""Every set of access modes that a volume may have, the smaller first."""

MOST_LOOKS = 16
"""How many volumes of one shape a judge looks at for a better one."""


def free_for(state: State, claim: Obj, sets: Iterable[frozenset[str]] = MODE_SETS) -> Iterator[Obj]:
    """Free, Available volumes that fit a claim, by set of modes and then by size; not more than a few of each set."""
    wanted = access_modes(claim)
    for modes in sets if state.count(FREE, "free") else ():
        if wanted <= modes:
            found = state.find(FREE_BY_SHAPE, (storage_class(claim), modes), least=requested(claim))
            for volume in islice(found, MOST_LOOKS):
                if fits_free(volume, claim):
                    yield volume


def is_delayed(state: State, claim: Obj) -> bool:
    """Whether the class of a claim delays binding, as the class is now (SCHED-01)."""
    return waits_for_consumer(class_of(state, claim))


def ever_delayed(state: State, claim: Obj) -> bool:
    """Whether some component may ever have seen the claim's class delay binding: the safe side of `is_delayed`."""
    at = Key(CLASS, "", storage_class(claim))
    return waits_for_consumer(state.lookup(at)) or waits_for_consumer(state.departed(at))


def always_delayed(state: State, claim: Obj, life: Life) -> bool:
    """Whether the class has delayed binding since before the claim appeared, so that no view can show otherwise."""
    at = Key(CLASS, "", storage_class(claim))
    known = state.life(at)
    return (
        state.faults <= SEEING
        and waits_for_consumer(state.lookup(at))
        and known is not None
        and known.born < life.born
        and known.born_at <= life.born_at - state.header.backend.lag
        and has_kept_class(claim, life)
        and state.departed(at) is None
    )


def has_kept_class(claim: Obj, life: Life) -> bool:
    """Whether the claim has had its present class from the beginning."""
    return storage_class(life.first) == storage_class(claim)


def reaches(volume: Obj, node: Obj) -> bool:
    """Whether a volume can be reached from a node: labels only, terms ORed, an empty term matching nothing (SCHED-13).

    A term of `matchFields` alone matches every node, as fields are not compared.
    """
    terms = node_terms(volume)
    if terms is None:
        return True
    return any(_meets(term, labels(node)) for term in terms)


def _meets(term: Obj, marks: Any) -> bool:
    if not term.get("matchExpressions") and not term.get("matchFields"):
        return False
    return selects({"matchExpressions": term.get("matchExpressions") or []}, marks)
