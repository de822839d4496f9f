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
    """A volume wakes itself; one that is gone, the claim of its reference."""
    if new is not None:
        return (key(new),)
    assert old is not None
    return (claim_key(old),) if claim_ref(old) is not None else ()


def claim_changed(old: Obj | None, new: Obj | None, seen: Seen) -> Iterable[Key]:
    """A claim wakes itself; one that is gone, the volume that it named. A new one of the name hides it (RACE-09)."""
    if new is not None:
        return (key(new),)
    assert old is not None
    return (Key("PersistentVolume", "", volume_name(old)),) if volume_name(old) else ()


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
)
