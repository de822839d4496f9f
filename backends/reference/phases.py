"""Phases: what a volume is, told by its reference and by the claim that this names.

A volume without a claim's UID is Available. With one, it is the claim's as long as that claim exists under that name
with that UID and names no other volume; when the claim is gone the volume is released and its reclaim policy runs.
Before a claim counts as gone it is looked up in the API server, since a cache may be behind (PHASE-05).
"""

from pvkit.backends.objects import Key, Obj, annotations, finalizers, name, phase, put, uid, without
from pvkit.backends.reference.binding import in_phase
from pvkit.backends.reference.migration import IN_TREE, driver_for, marked
from pvkit.backends.reference.rules import STOP, Effect, Fail, Say, Wake, Write, rule
from pvkit.backends.reference.view import Seen
from pvkit.backends.storage import (
    BOUND_BY_CONTROLLER,
    IN_TREE_FINALIZER,
    PROVISIONED_BY,
    PROVISIONER_FINALIZER,
    claim_ref,
    claim_ref_uid,
    reclaim_policy,
    volume_mode,
    volume_name,
)

MODES = "incompatible volumeMode"
RECLAIMS = {"Delete": "Deletion", "Recycle": "Recycling"}


def claim_key(volume: Obj) -> Key:
    """Where the claim of a volume's reference is, or was."""
    found = claim_ref(volume) or {}
    return Key("PersistentVolumeClaim", str(found.get("namespace") or ""), str(found.get("name") or ""))


def living_claim(seen: Seen, volume: Obj) -> Obj | None:
    """The claim of a volume's reference, by name and UID; the API server is asked before it counts as gone."""
    at = claim_key(volume)
    claim = seen.lookup(at)
    if claim is None and phase(volume) not in ("Released", "Failed"):
        claim = seen.live(at)
    if claim is not None and uid(claim) != claim_ref_uid(volume):
        claim = seen.live(at)
    return claim if claim is not None and uid(claim) == claim_ref_uid(volume) else None


def _claim(seen: Seen, volume: Obj) -> Obj | None:
    """The living claim, looked up once a pass."""
    notes = seen.scratch.setdefault("PersistentVolume", {})
    known = (name(volume), claim_ref_uid(volume), phase(volume))
    if notes.get("of") != known:
        notes["of"], notes["claim"] = known, living_claim(seen, volume)
    found: Obj | None = notes["claim"]
    return found


def is_disposable(volume: Obj) -> bool:
    """Whether a volume that lost its claim to another is reclaimed rather than freed: made on demand, to be deleted."""
    return PROVISIONED_BY in annotations(volume) and reclaim_policy(volume) == "Delete"


def is_released(seen: Seen, volume: Obj) -> bool:
    """Whether a volume's claim is gone, or is another volume's and this one is disposable."""
    claim = _claim(seen, volume)
    return claim is None or (volume_name(claim) not in ("", name(volume)) and is_disposable(volume))


@rule("RACE-09.2", on="PersistentVolume")
def wake_claim_of_gone_volume(seen: Seen, at: Key) -> Effect | None:
    """A volume that is gone wakes the claim of its reference, unless another one has its name by now."""
    woken: Key | None = seen.memory.get("gone", {}).pop(at, None)
    if seen.lookup(at) is not None:
        return None
    return Wake(woken) if woken is not None else STOP


@rule("RECLAIM-16", on="PersistentVolume")
def keep_finalizer(seen: Seen, at: Key) -> Effect | None:
    """A volume that an in-tree plugin made carries a finalizer of ours exactly while its policy is Delete."""
    volume = seen.lookup(at)
    if volume is None:
        return STOP
    wanted = _with_finalizer(marked(volume, seen.setup.minor), seen.setup.minor)
    return Write("update", wanted) if wanted is not volume else None


def _with_finalizer(volume: Obj, minor: int) -> Obj:
    """The volume with our finalizer, or without it and the external provisioner's, as its maker and policy want."""
    by, before = annotations(volume).get(PROVISIONED_BY, ""), finalizers(volume)
    if not by.startswith(IN_TREE):
        return volume
    if driver_for(by, minor):
        wanted = [entry for entry in before if entry != IN_TREE_FINALIZER]
    else:
        kept = reclaim_policy(volume) == "Delete"
        wanted = [entry for entry in before if entry != PROVISIONER_FINALIZER and (kept or entry != IN_TREE_FINALIZER)]
        wanted += [IN_TREE_FINALIZER] if kept and IN_TREE_FINALIZER not in before else []
    return volume if wanted == list(before) else put(volume, ("metadata", "finalizers"), wanted)


@rule("PHASE-12.1", on="PersistentVolume")
def make_available(seen: Seen, at: Key) -> Effect | None:
    """A volume whose reference carries no UID is Available, reserved by name or not."""
    volume = seen.lookup(at)
    if volume is None or claim_ref_uid(volume):
        return None
    return STOP if phase(volume) == "Available" else Write("update-status", in_phase(volume, "Available"))


@rule("PHASE-05", on="PersistentVolume")
def look_in_vain(seen: Seen, at: Key) -> Effect | None:
    """A volume whose reference has a UID and no name stays as it is: no client can ask for a claim without a name."""
    volume = seen.lookup(at)
    if volume is None or claim_key(volume).name or phase(volume) in ("Released", "Failed"):
        return None
    return Fail("resource name may not be empty")


@rule("PHASE-12.3", on="PersistentVolume")
def release(seen: Seen, at: Key) -> Effect | None:
    """A volume whose claim is gone becomes Released, unless it is already, or Failed."""
    volume = seen.lookup(at)
    if volume is None or phase(volume) in ("Released", "Failed") or not is_released(seen, volume):
        return None
    return Write("update-status", in_phase(volume, "Released"))


@rule("RECLAIM-15", on="PersistentVolume")
def reclaim(seen: Seen, at: Key) -> Effect | None:
    """The policy of a released volume is carried out, each time that the volume is looked at."""
    volume = seen.lookup(at)
    if volume is None or not is_released(seen, volume):
        return None
    kind = RECLAIMS.get(reclaim_policy(volume))
    return Wake(Key(kind, "", at.name)) if kind else STOP


@rule("PHASE-12.4", on="PersistentVolume")
def wake_claim(seen: Seen, at: Key) -> Effect | None:
    """A volume that is meant for a claim which names none yet leaves the rest to the claim, if their modes agree."""
    volume = seen.lookup(at)
    claim = _claim(seen, volume) if volume is not None else None
    if volume is None or claim is None or volume_name(claim):
        return None
    if volume_mode(volume) == volume_mode(claim):
        return Wake(claim_key(volume))
    text = f'Cannot bind PersistentVolume to requested PersistentVolumeClaim "{name(claim)}" due to {MODES}.'
    return Say(volume, "Warning", "VolumeMismatch", text)


@rule("PREB-12", on="PersistentVolume")
def tell_claim_of_modes(seen: Seen, at: Key) -> Effect | None:
    """A claim that cannot have the volume meant for it, because their modes differ, is told so too."""
    volume = seen.lookup(at)
    claim = _claim(seen, volume) if volume is not None else None
    if volume is None or claim is None or volume_name(claim) or volume_mode(volume) == volume_mode(claim):
        return None
    text = f'Cannot bind PersistentVolume "{name(volume)}" to requested PersistentVolumeClaim due to {MODES}.'
    return Say(claim, "Warning", "VolumeMismatch", text)


@rule("PHASE-12.5", on="PersistentVolume")
def follow_claim(seen: Seen, at: Key) -> Effect | None:
    """A volume that its claim names is Bound, whatever was written there."""
    volume = seen.lookup(at)
    claim = _claim(seen, volume) if volume is not None else None
    if volume is None or claim is None or volume_name(claim) != name(volume):
        return None
    return STOP if phase(volume) == "Bound" else Write("update-status", in_phase(volume, "Bound"))


@rule("RACE-02", on="PersistentVolume")
def unbind(seen: Seen, at: Key) -> Effect | None:
    """A volume whose claim names another is freed: wholly if the binder reserved it, else by name it stays reserved."""
    volume = seen.lookup(at)
    claim = _claim(seen, volume) if volume is not None else None
    if volume is None or claim is None or not volume_name(claim):
        return STOP
    return Write("update", unbound(volume))


def unbound(volume: Obj) -> Obj:
    """A volume without its claim; what a person reserved by name stays reserved (RACE-02 b, c)."""
    if BOUND_BY_CONTROLLER in annotations(volume):
        return without(without(volume, ("spec", "claimRef")), ("metadata", "annotations", BOUND_BY_CONTROLLER))
    return without(volume, ("spec", "claimRef", "uid"))


VOLUME_RULES = (
    wake_claim_of_gone_volume,
    keep_finalizer,
    make_available,
    look_in_vain,
    release,
    reclaim,
    wake_claim,
    tell_claim_of_modes,
    follow_claim,
    unbind,
)
