"""Reclaim: what becomes of a released volume and of the storage behind it.

Deletion and recycling run beside the queues, one at a time for each volume (RECLAIM-14): here they are keys of their
own. Their failures bring nothing back; the next look at the volume starts them again. Just before anything is lost
the volume is read from the API server and judged once more.
"""

import re

from pvkit.backends.objects import Key, Obj, annotations, finalizers, get, name, namespace, phase, put, uid
from pvkit.backends.reference.binding import in_phase
from pvkit.backends.reference.classes import IN_TREE
from pvkit.backends.reference.phases import claim_key, unbound
from pvkit.backends.reference.rules import STOP, Effect, Say, Write, rule
from pvkit.backends.reference.scheduling import USERS
from pvkit.backends.reference.view import Seen
from pvkit.backends.storage import (
    IN_TREE_FINALIZER,
    MIGRATED_TO,
    PROVISIONED_BY,
    asset_of,
    claim_ref_uid,
    reclaim_policy,
    volume_name,
    volume_source,
)

RECYCLABLE = ("nfs", "hostPath")
LOOKS_FIRST_SINCE = 36
"""Since this minor version the deleter is looked for before the volume is read again (RECLAIM-07)."""


def deleter(volume: Obj) -> str | None:
    """Who deletes the storage of a volume: "" this controller itself, `None` somebody else, else why nobody can."""
    marks, (source, _) = annotations(volume), volume_source(volume)
    if marks.get(MIGRATED_TO):
        return None
    if marks.get(PROVISIONED_BY):
        own = marks[PROVISIONED_BY].startswith(IN_TREE)
        return f"no volume plugin matched name: {marks[PROVISIONED_BY]}" if own else None
    if MIGRATED_TO in marks or source == "csi":
        return None
    if source == "hostPath":
        path = str(get(volume, "spec", "hostPath", "path"))
        fits = re.search(r"/tmp/.+", path)
        return "" if fits else f"host_path deleter only supports /tmp/.+ but received provided {path}"
    kind = "deletable volume" if source == "nfs" else "volume"
    return f'error getting deleter volume plugin for volume "{name(volume)}": no {kind} plugin matched'


def still_released(seen: Seen, volume: Obj) -> bool:
    """Whether no cached claim of that name and UID wants the volume (RECLAIM-07 step 3)."""
    claim = seen.lookup(claim_key(volume))
    if not claim_ref_uid(volume):
        return False
    return claim is None or uid(claim) != claim_ref_uid(volume) or volume_name(claim) not in ("", name(volume))


def _cached(seen: Seen, at: Key) -> Obj | None:
    return seen.get("PersistentVolume", "", at.name)


def _judged(seen: Seen, at: Key) -> Obj | None:
    """The volume as the API server has it, if it is the cached one and is still released."""
    cached, stored = _cached(seen, at), seen.live(Key("PersistentVolume", "", at.name))
    if cached is None or stored is None or not still_released(seen, stored):
        return None
    return stored


def fail(volume: Obj, reason: str, text: str) -> Effect:
    """The volume becomes Failed and an event says why; nothing is written when it is Failed already (PHASE-08)."""
    if phase(volume) == "Failed":
        return STOP
    say = ("Warning", reason, text)
    return Write("update-status", in_phase(volume, "Failed", text), say=say, said_of=volume, refused=lambda why: STOP)


@rule("RECLAIM-05", on="Deletion")
def find_deleter(seen: Seen, at: Key) -> Effect | None:
    """A volume that somebody else deletes is left to him; one that nobody can delete becomes Failed."""
    volume = _cached(seen, at)
    if volume is None or reclaim_policy(volume) != "Delete":
        return STOP
    who = deleter(volume)
    if who == "":
        return None
    if who is None:
        return STOP
    if seen.setup.minor < LOOKS_FIRST_SINCE and _judged(seen, at) is None:
        return STOP
    return fail(volume, "VolumeFailedDelete", who)


@rule("RECLAIM-07.4", on="Deletion")
def delete_storage(seen: Seen, at: Key) -> Effect | None:
    """The storage of a volume that is still released is deleted."""
    volume = _judged(seen, at)
    if volume is None:
        return STOP
    asset = seen.live(Key("Asset", "", asset_of(volume)))
    return Write("delete", asset, tolerate=("NotFound",), refused=lambda why: STOP) if asset is not None else None


@rule("RECLAIM-07.5", on="Deletion")
def drop_finalizer(seen: Seen, at: Key) -> Effect | None:
    """Once its storage is gone the volume needs no finalizer of ours any more."""
    volume = _judged(seen, at)
    if volume is None or IN_TREE_FINALIZER not in finalizers(volume):
        return None
    kept = [entry for entry in finalizers(volume) if entry != IN_TREE_FINALIZER]
    return Write("update", put(volume, ("metadata", "finalizers"), kept), refused=lambda why: STOP)


@rule("RECLAIM-07.6", on="Deletion")
def delete_volume(seen: Seen, at: Key) -> Effect | None:
    """At last the volume itself is deleted; an error is not tried again, the next look starts over."""
    volume = _judged(seen, at)
    if volume is None or "deletionTimestamp" in volume["metadata"]:
        return STOP
    return Write("delete", volume, tolerate=("NotFound",), refused=lambda why: STOP)


@rule("RECLAIM-09.1", on="Recycling")
def find_recycler(seen: Seen, at: Key) -> Effect | None:
    """A released volume that no pod uses and whose kind can be scrubbed is recycled; others wait, or become Failed."""
    volume = _judged(seen, at)
    if volume is None or reclaim_policy(volume) != "Recycle" or annotations(volume).get(MIGRATED_TO):
        return STOP
    users = _users(seen, volume)
    if users:
        return Say(volume, "Normal", "VolumeFailedRecycle", f"Volume is used by pods: {','.join(users)}")
    if volume_source(volume)[0] not in RECYCLABLE:
        return fail(volume, "VolumeFailedRecycle", "No recycler plugin found for the volume!")
    return None


def _users(seen: Seen, volume: Obj) -> list[str]:
    """Pods on a node that use the claim of that name, while no claim of that name is cached (RECLAIM-09)."""
    if seen.lookup(claim_key(volume)) is not None:
        return []
    return sorted(f"{namespace(pod)}/{name(pod)}" for pod in seen.find(USERS, claim_key(volume)))


@rule("RECLAIM-09.2", on="Recycling")
def wipe(seen: Seen, at: Key) -> Effect | None:
    """The data of a recycled volume is removed."""
    volume = _judged(seen, at)
    if volume is None or _users(seen, volume) or volume_source(volume)[0] not in RECYCLABLE:
        return STOP
    asset = seen.live(Key("Asset", "", asset_of(volume)))
    if asset is None or not asset["spec"].get("data"):
        return None
    return Write("update", put(asset, ("spec", "data"), []), refused=lambda why: STOP)


@rule("RECLAIM-09.3", on="Recycling")
def free_recycled(seen: Seen, at: Key) -> Effect | None:
    """A clean volume is given up by its claim, and so becomes Available again."""
    volume = _judged(seen, at)
    if volume is None:
        return STOP
    say = ("Normal", "VolumeRecycled", "Volume recycled")
    return Write("update", unbound(volume), say=say, said_of=volume, refused=lambda why: STOP)


DELETION_RULES = (find_deleter, delete_storage, drop_finalizer, delete_volume)
RECYCLING_RULES = (find_recycler, wipe, free_recycled)
