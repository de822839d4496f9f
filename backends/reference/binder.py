"""The binder: the controller of volumes and claims, its queues, and the little that wakes them (TIME-03)."""

from collections.abc import Iterable

from pvkit.backends.objects import Key, Obj, key
from pvkit.backends.reference.binding import CLAIM_RULES
from pvkit.backends.reference.classes import PROVISIONING_RULES
from pvkit.backends.reference.phases import VOLUME_RULES, claim_key
from pvkit.backends.reference.reclaim import DELETION_RULES, RECYCLING_RULES
from pvkit.backends.reference.rules import Controller, nothing
from pvkit.backends.reference.view import Seen
from pvkit.backends.storage import claim_ref, volume_name

RESYNC_SECONDS = 15.0
RETRIES_SINCE = 36


def volume_changed(old: Obj | None, new: Obj | None, seen: Seen) -> Iterable[Key]:
    """A volume wakes itself; the claim of one that is gone is woken when the worker finds it gone (RACE-09)."""
    if new is not None:
        return (key(new),)
    assert old is not None
    if claim_ref(old) is not None:
        seen.memory.setdefault("gone", {})[key(old)] = claim_key(old)
    return (key(old),)


def claim_changed(old: Obj | None, new: Obj | None, seen: Seen) -> Iterable[Key]:
    """A claim wakes itself; the volume of one that is gone is woken when the worker finds it gone (RACE-09)."""
    if new is not None:
        return (key(new),)
    assert old is not None
    if volume_name(old):
        seen.memory.setdefault("gone", {})[key(old)] = Key("PersistentVolume", "", volume_name(old))
    return (key(old),)


def _waits(obj: Obj, seen: Seen) -> bool:
    """Whether a claim has no volume yet, or one that was freed and that others may take as well."""
    if obj["kind"] != "PersistentVolumeClaim":
        return False
    volume = seen.get("PersistentVolume", "", volume_name(obj)) if volume_name(obj) else None
    return not volume_name(obj) or (volume is not None and claim_ref(volume) is None)


BINDER = Controller(
    name="binder",
    rules={
        "PersistentVolumeClaim": CLAIM_RULES,
        "PersistentVolume": VOLUME_RULES,
        "Provisioning": PROVISIONING_RULES,
        "Deletion": DELETION_RULES,
        "Recycling": RECYCLING_RULES,
    },
    watches={
        "PersistentVolume": volume_changed,
        "PersistentVolumeClaim": claim_changed,
        "StorageClass": nothing,
        "Pod": nothing,
    },
    resync=RESYNC_SECONDS,
    own_writes=True,
    retries_since=RETRIES_SINCE,
    operations=frozenset({"Provisioning", "Deletion", "Recycling"}),
    rival=_waits,
)
