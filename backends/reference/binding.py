"""Binding: how a claim and a volume become a pair.

Binding is a two-way pointer, `volume.spec.claimRef` and `claim.spec.volumeName`, made in four writes: the volume's
spec, its status, the claim's spec, its status (BIND-13). Nothing is rolled back when one fails; the next pass goes on
from what is stored. One annotation tells a claim that was bound once from one that was not, and phase tells nothing.
What a pass over a claim is for is decided once, at its beginning, in the order of BIND-18; the rules carry it out.
"""

from dataclasses import dataclass
from typing import Any, Literal

from pvkit.backends.objects import (
    Key,
    Obj,
    annotate,
    annotations,
    deleting,
    get,
    name,
    phase,
    put,
    reference,
    uid,
)
from pvkit.backends.quantities import QuantityError, stored, whole
from pvkit.backends.reference import classes
from pvkit.backends.reference.matching import best_match
from pvkit.backends.reference.migration import marked
from pvkit.backends.reference.rules import STOP, Effect, Fail, Say, Wake, Write, rule
from pvkit.backends.reference.view import Seen
from pvkit.backends.storage import (
    BIND_COMPLETED,
    BOUND_BY_CONTROLLER,
    access_modes,
    attributes_class,
    bind_completed,
    capacity,
    claim_ref,
    claim_ref_uid,
    refers_to,
    requested,
    reserved_for,
    storage_class,
    volume_mode,
    volume_name,
)

PRE_RESIZE_CAPACITY = "volume.alpha.kubernetes.io/pre-resize-capacity"
_LARGEST = 2**63 - 1

Words = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Aim:
    """What a pass over a claim is for.

    `what`: `bind` to `volume`, `lose`, wait (`pending`), fail (`error`), take the `default` class, or ask to have a
    volume made (`provision`). `words` is the Kubernetes Event that goes with it.
    """

    what: str
    volume: str = ""
    words: Words | None = None


def aim_of(seen: Seen, at: Key) -> Aim:
    """The aim of the pass under way over a cached claim.

    A pass goes by the claim and the volume that it saw and wrote. If somebody else has changed one of them since, the
    next write would be refused and the claim looked at again: so the aim is taken anew.
    """
    notes = seen.scratch.setdefault(at.kind, {})
    claim, aim = seen.lookup(at), notes.get("aim")
    assert claim is not None
    if aim is None or notes["PersistentVolumeClaim"] is not claim or notes["PersistentVolume"] is not _aimed(seen, aim):
        notes["aim"] = aim = _bound(seen, claim) if bind_completed(claim) else _unbound(seen, claim)
        notes["PersistentVolumeClaim"], notes["PersistentVolume"] = claim, _aimed(seen, aim)
    found: Aim = aim
    return found


def _aimed(seen: Seen, aim: Aim) -> Obj | None:
    return seen.get("PersistentVolume", "", aim.volume) if aim.volume else None


def _writes(seen: Seen, verb: Literal["update", "update-status"], obj: Obj, **more: Any) -> Write:
    """A write of a pass over a claim, after which the pass goes by what was stored."""

    def note(stored: Obj) -> None:
        seen.scratch["PersistentVolumeClaim"][stored["kind"]] = stored

    return Write(verb, obj, remember=note, **more)


def _bound(seen: Seen, claim: Obj) -> Aim:
    """BOUND-01 to BOUND-05: a claim that has completed binding is bound again, or Lost."""
    if not volume_name(claim):
        return Aim("lose", words=_lost("Bound claim has lost reference to PersistentVolume."))
    volume = seen.get("PersistentVolume", "", volume_name(claim))
    if volume is None:
        return Aim("lose", words=_lost("Bound claim has lost its PersistentVolume."))
    if claim_ref(volume) is None or claim_ref_uid(volume) == uid(claim):
        return Aim("bind", name(volume))
    text = "Two claims are bound to the same volume, this one is bound incorrectly"
    return Aim("lose", words=("Warning", "ClaimMisbound", text))


def _lost(what: str) -> Words:
    return ("Warning", "ClaimLost", f"{what} Data on the volume is lost!")


def _unbound(seen: Seen, claim: Obj) -> Aim:
    if volume_name(claim):
        return _named(seen, claim)
    waits = classes.waits(seen, claim)
    volume = best_match(seen, claim, only_reserved=waits)
    if volume is not None:
        return Aim("bind", name(volume))
    if classes.default_for(seen, claim) is not None:
        return Aim("default")
    if waits and not classes.has_node(claim):
        return Aim("pending", words=classes.waiting_words(seen, claim))
    if storage_class(claim):
        return Aim("provision")
    text = "no persistent volumes available for this claim and no storage class is set"
    return Aim("pending", words=("Normal", "FailedBinding", text))


def _named(seen: Seen, claim: Obj) -> Aim:
    """A claim that names its volume is bound to that one or to none (PREB-05 to PREB-08)."""
    volume = seen.get("PersistentVolume", "", volume_name(claim))
    if volume is None:
        return Aim("pending")
    if claim_ref(volume) is None:
        why = mismatch(volume, claim)
        text = f'Cannot bind to requested volume "{name(volume)}": {why}'
        return Aim("pending", words=("Warning", "VolumeMismatch", text)) if why else Aim("bind", name(volume))
    if reserved_for(volume, claim):
        return Aim("bind", name(volume))
    words = ("Warning", "FailedBinding", f'volume "{name(volume)}" already bound to a different claim.')
    return Aim("error" if BOUND_BY_CONTROLLER in annotations(claim) else "pending", words=words)


def mismatch(volume: Obj, claim: Obj) -> str:
    """Why a claim cannot have the free volume that it names, "" if it can (PREB-05)."""
    if deleting(volume):
        return f'the volume is marked for deletion "{name(volume)}"'
    if _rounded(capacity(volume)) < _rounded(requested(claim)):
        return "requested PV is too small"
    if storage_class(volume) != storage_class(claim):
        return "storageClassName does not match"
    if attributes_class(volume) != attributes_class(claim):
        return "volumeAttributesClassName does not match"
    if volume_mode(volume) != volume_mode(claim):
        return "incompatible volumeMode"
    return "" if access_modes(claim) <= access_modes(volume) else "incompatible accessMode"


def _rounded(value: int | object) -> int:
    """An amount in whole bytes, as `Quantity.Value` tells it: nothing at all beyond 63 bits (BIND-10)."""
    rounded = whole(value)  # type: ignore[arg-type]
    return rounded if rounded <= _LARGEST else 0


def _target(seen: Seen, at: Key) -> tuple[Obj, Obj] | None:
    """The volume and the claim that are to be bound, as they are cached now."""
    claim = seen.lookup(at)
    if claim is None or aim_of(seen, at).what != "bind":
        return None
    volume = seen.get("PersistentVolume", "", aim_of(seen, at).volume)
    return (volume, claim) if volume is not None else None


@rule("RACE-09.1", on="PersistentVolumeClaim")
def leave_gone_claim(seen: Seen, at: Key) -> Effect | None:
    """A claim that is gone wakes the volume that it named, unless another one has its name by now."""
    woken: Key | None = seen.memory.get("gone", {}).pop(at, None)
    if seen.lookup(at) is not None:
        return None
    return Wake(woken) if woken is not None else STOP


@rule("BIND-18.0", on="PersistentVolumeClaim")
def mark_migration(seen: Seen, at: Key) -> Effect | None:
    """A claim whose provisioner's plugin was taken over by a driver is marked with that driver."""
    claim = seen.lookup(at)
    if claim is None:
        return STOP
    wanted = marked(claim, seen.setup.minor)
    return Write("update", wanted) if wanted is not claim else None


@rule("BOUND-05", on="PersistentVolumeClaim")
def lose(seen: Seen, at: Key) -> Effect | None:
    """A claim whose volume is gone, or is another claim's, becomes Lost; an event says so once."""
    claim, aim = seen.lookup(at), aim_of(seen, at)
    if claim is None or aim.what != "lose":
        return None
    if phase(claim) == "Lost":
        return STOP
    return _writes(seen, "update-status", without_volume(claim, "Lost"), say=aim.words, said_of=claim)


def without_volume(claim: Obj, to: str) -> Obj:
    """The claim in a phase in which it has no volume: nothing of one shows in its status (BOUND-07)."""
    shown = ("phase", "accessModes", "capacity", "currentVolumeAttributesClassName")
    rest = {field: value for field, value in (claim.get("status") or {}).items() if field not in shown}
    return {**claim, "status": {"phase": to, **rest}}


@rule("EVENT-04", on="PersistentVolumeClaim")
def tell(seen: Seen, at: Key) -> Effect | None:
    """Why a claim has to wait is told before its status says that it does."""
    claim, aim = seen.lookup(at), aim_of(seen, at)
    return Say(claim, *aim.words) if claim is not None and aim.words and aim.what != "lose" else None


@rule("DEFAULT-08", on="PersistentVolumeClaim")
def take_default_class(seen: Seen, at: Key) -> Effect | None:
    """A claim without an opinion on its class, for which no volume without one is there, gets the default class."""
    claim = seen.lookup(at)
    if claim is None or aim_of(seen, at).what != "default":
        return None
    found = classes.default_for(seen, claim)
    if found is None or seen.scratch[at.kind].get("defaulted"):
        return STOP

    seen.scratch[at.kind]["defaulted"] = True
    return _writes(seen, "update", put(claim, ("spec", "storageClassName"), name(found)))


@rule("CLASS-11", on="PersistentVolumeClaim")
def ask_for_volume(seen: Seen, at: Key) -> Effect | None:
    """A claim with a class and no volume is left to a provisioner; its status is not touched (PHASE-11)."""
    claim = seen.lookup(at)
    if claim is None or aim_of(seen, at).what != "provision":
        return None
    if not seen.setup.options.get("dynamic-provisioning", True):
        return STOP
    why = classes.cannot_provision(seen, claim)
    if why:
        return Say(claim, "Warning", "ProvisioningFailed", why)
    return Wake(classes.ask(seen, claim))


@rule("BIND-13.1", on="PersistentVolumeClaim")
def reserve(seen: Seen, at: Key) -> Effect | None:
    """The volume gets a full reference to the claim, and a mark if it was not reserved for it before."""
    pair = _target(seen, at)
    if pair is None:
        return None
    volume, claim = pair
    if refers_to(volume, claim) and claim_ref_uid(volume) == uid(claim):
        return None
    marked = volume if reserved_for(volume, claim) else annotate(volume, **{BOUND_BY_CONTROLLER: "yes"})
    return _writes(seen, "update", put(marked, ("spec", "claimRef"), reference(claim)))


@rule("BIND-13.2", on="PersistentVolumeClaim")
def mark_volume_bound(seen: Seen, at: Key) -> Effect | None:
    """The volume's phase becomes Bound."""
    pair = _target(seen, at)
    if pair is None or phase(pair[0]) == "Bound":
        return None
    return _writes(seen, "update-status", in_phase(pair[0], "Bound"))


def in_phase(volume: Obj, to: str, message: str = "") -> Obj:
    """The volume in a phase; only Failed comes with a message (PHASE-08)."""
    rest = {field: value for field, value in (volume.get("status") or {}).items() if field not in ("phase", "message")}
    return {**volume, "status": {"phase": to, **({"message": message} if message else {}), **rest}}


@rule("BIND-13.3", on="PersistentVolumeClaim")
def name_volume(seen: Seen, at: Key) -> Effect | None:
    """The claim gets the volume's name, and the mark that its binding is completed."""
    pair = _target(seen, at)
    if pair is None:
        return None
    volume, claim = pair
    if volume_name(claim) == name(volume) and bind_completed(claim):
        return None
    marks = {BIND_COMPLETED: "yes"}
    if volume_name(claim) != name(volume):
        claim, marks = put(claim, ("spec", "volumeName"), name(volume)), {**marks, BOUND_BY_CONTROLLER: "yes"}
    return _writes(
        seen,
        "update",
        annotate(claim, **{mark: value for mark, value in marks.items() if mark not in annotations(claim)}),
    )


@rule("BIND-13.4", on="PersistentVolumeClaim")
def mark_claim_bound(seen: Seen, at: Key) -> Effect | None:
    """The claim's phase becomes Bound, with the modes and, at that moment, the capacity of the volume."""
    pair = _target(seen, at)
    if pair is None:
        return None
    volume, claim = pair
    status = bound_status(volume, claim)
    return _writes(seen, "update-status", {**claim, "status": status}) if status != claim.get("status") else STOP


def bound_status(volume: Obj, claim: Obj) -> Obj:
    """The status of a claim that is bound to a volume (STATUS-01 to STATUS-05, STATUS-08)."""
    status = {**(claim.get("status") or {}), "accessModes": volume["spec"]["accessModes"]}
    if phase(claim) != "Bound":
        status["phase"] = "Bound"
        before = _before_resize(volume)
        status["capacity"] = {"storage": before} if before else get(volume, "spec", "capacity")
    if phase(claim) == "Pending" and attributes_class(volume):
        status["currentVolumeAttributesClassName"] = attributes_class(volume)
    return status


def _before_resize(volume: Obj) -> str:
    """The capacity that a volume had before a resize which is under way, "" if there is none (STATUS-04)."""
    text = str(annotations(volume).get(PRE_RESIZE_CAPACITY, ""))
    try:
        return stored(text) if text else ""
    except QuantityError:
        return ""


@rule("BIND-18", on="PersistentVolumeClaim")
def be_pending(seen: Seen, at: Key) -> Effect | None:
    """A claim that has to wait is Pending, and nothing of a volume shows in its status."""
    claim, aim = seen.lookup(at), aim_of(seen, at)
    if claim is None or aim.what != "pending":
        return None
    wanted = without_volume(claim, "Pending")
    return _writes(seen, "update-status", wanted) if wanted != claim else STOP


@rule("PREB-08", on="PersistentVolumeClaim")
def fail_on_foreign_volume(seen: Seen, at: Key) -> Effect | None:
    """A claim that the controller once gave a volume which is now another's is an error, tried again and again."""
    return Fail("the volume is bound to a different claim") if aim_of(seen, at).what == "error" else STOP


CLAIM_RULES = (
    leave_gone_claim,
    mark_migration,
    lose,
    tell,
    take_default_class,
    ask_for_volume,
    reserve,
    mark_volume_bound,
    name_volume,
    mark_claim_bound,
    be_pending,
    fail_on_foreign_volume,
)
