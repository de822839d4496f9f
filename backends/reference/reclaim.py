"""Reclaim: what becomes of a released volume and of the storage behind it.

Deletion and recycling are operations. Just before anything is lost the volume is read from the API server and judged
once more; from then on the operation goes through to its end. A volume that cannot be reclaimed becomes Failed and says
why, and is tried again at each later look (RECLAIM-08). The recycler is no pod here: it empties the storage itself.
"""

import re
from functools import partial

from pvkit.backends.objects import Key, Obj, annotations, finalizers, get, name, namespace, phase, put, uid
from pvkit.backends.reference.assets import REFUSAL, asset_behind, storage_refuses
from pvkit.backends.reference.binding import in_phase
from pvkit.backends.reference.classes import ACTIVE
from pvkit.backends.reference.migration import HOST_PATH, IN_TREE, NFS
from pvkit.backends.reference.operations import end, has_failed, has_succeeded, is_postponed, notes, subject
from pvkit.backends.reference.phases import claim_key, unbound
from pvkit.backends.reference.rules import AGAIN, STOP, Effect, Fail, Say, Write, rule
from pvkit.backends.reference.view import Seen
from pvkit.backends.storage import (
    IN_TREE_FINALIZER,
    MIGRATED_TO,
    PROVISIONED_BY,
    claim_ref_uid,
    reclaim_policy,
    volume_name,
    volume_source,
)

RECYCLABLE = ("nfs", "hostPath")
LOOKS_FIRST_SINCE = 36
"""Since this minor version the deleter is looked for before the volume is read again (RECLAIM-07)."""

FAILED_DELETE, FAILED_RECYCLE = "VolumeFailedDelete", "VolumeFailedRecycle"


def deleter(volume: Obj) -> str | None:
    """Who deletes the storage of a volume: "" this controller itself, `None` somebody else, else why nobody can."""
    marks, (source, _) = annotations(volume), volume_source(volume)
    if marks.get(MIGRATED_TO):
        return None
    by = marks.get(PROVISIONED_BY)
    if by and by != HOST_PATH:
        if not by.startswith(IN_TREE):
            return None
        return "no deletable volume plugin matched" if by == NFS else f"no volume plugin matched name: {by}"
    if not by and (MIGRATED_TO in marks or source == "csi"):
        return None
    if source == "hostPath":
        return ""
    if by:
        return f'failed to create deleter for volume "{name(volume)}": spec.PersistentVolumeSource.HostPath is nil'
    kind = "deletable volume" if source == "nfs" else "volume"
    return f'error getting deleter volume plugin for volume "{name(volume)}": no {kind} plugin matched'


def complaint(volume: Obj) -> str:
    """Why the deleter does not delete this volume, "" if it does: a path has `/tmp/` and more somewhere in it."""
    path = get(volume, "spec", "hostPath", "path")
    if path is None or re.search(r"/tmp/.+", str(path)):
        return ""
    return f"host_path deleter only supports /tmp/.+ but received provided {path}"


def still_released(seen: Seen, volume: Obj) -> bool:
    """Whether no cached claim of that name and UID wants the volume (RECLAIM-07 step 3)."""
    claim = seen.lookup(claim_key(volume))
    if not claim_ref_uid(volume):
        return False
    return claim is None or uid(claim) != claim_ref_uid(volume) or volume_name(claim) not in ("", name(volume))


def is_judged(seen: Seen, at: Key) -> bool:
    """Whether the volume of the operation is released by the API server's word; asked once in an operation."""
    known, volume = notes(seen, at), subject(seen, at)
    if "judged" not in known:
        stored = seen.live(Key("PersistentVolume", "", at.name))
        same = volume is not None and stored is not None and uid(stored) == uid(volume)
        known["judged"] = stored if same and stored is not None and still_released(seen, stored) else None
    return known["judged"] is not None


def fail(seen: Seen, at: Key, reason: str, text: str, back_off: bool = True, passing: bool = False) -> Effect:
    """The volume becomes Failed and an event says why, unless it is Failed already (PHASE-08); the operation is over.

    `passing` trouble is looked at again by the next resync; what lies in the volume itself is not, to no effect.
    """
    volume = subject(seen, at)
    end(seen, at)
    if volume is None:
        return STOP
    if back_off:
        has_failed(seen, at, volume)
    if phase(volume) == "Failed":
        return Fail(text) if passing else STOP

    def refused(why: str) -> Effect:
        has_failed(seen, at, volume)
        return Fail(text)

    failed = in_phase(volume, "Failed", text)
    return Write("update-status", failed, say=("Warning", reason, text), said_of=volume, refused=refused)


@rule("RECLAIM-14", on="Deletion")
def wait_out_failures(seen: Seen, at: Key) -> Effect | None:
    """A volume that is gone needs nothing, and one whose deletion failed a moment ago has to wait."""
    volume = subject(seen, at)
    if volume is None:
        return STOP
    return Fail("the last deletion failed a moment ago") if is_postponed(seen, at, volume) else None


@rule("RECLAIM-05", on="Deletion")
def leave_to_others(seen: Seen, at: Key) -> Effect | None:
    """A volume that somebody else deletes is left to him."""
    volume = subject(seen, at)
    if volume is None or reclaim_policy(volume) != "Delete" or deleter(volume) is None:
        return STOP
    return None


@rule("RECLAIM-07.1", on="Deletion")
def fail_without_deleter(seen: Seen, at: Key) -> Effect | None:
    """A volume that nobody can delete becomes Failed; before 1.36 only if it is still released."""
    volume = subject(seen, at)
    why = deleter(volume) if volume is not None else None
    if not why:
        return None
    looks_first = seen.setup.minor >= LOOKS_FIRST_SINCE
    if not looks_first and not is_judged(seen, at):
        return STOP
    return fail(seen, at, FAILED_DELETE, why, back_off=not looks_first)


@rule("RECLAIM-07.4", on="Deletion")
def delete_storage(seen: Seen, at: Key) -> Effect | None:
    """The storage of a volume that is still released is deleted."""
    volume = subject(seen, at)
    if volume is None or not is_judged(seen, at):
        return STOP
    if "asked" in notes(seen, at):
        return None
    if complaint(volume):
        return fail(seen, at, FAILED_DELETE, complaint(volume))
    if storage_refuses(seen):
        return fail(seen, at, FAILED_DELETE, REFUSAL, passing=True)
    notes(seen, at)["asked"] = True
    asset = asset_behind(seen, volume)
    if asset is None:
        return None
    refused = partial(fail, seen, at, FAILED_DELETE, passing=True)
    return Write("delete", asset, tolerate=("NotFound",), refused=lambda why: refused(REFUSAL))


@rule("RECLAIM-07.5", on="Deletion")
def drop_finalizer(seen: Seen, at: Key) -> Effect | None:
    """Once its storage is gone the volume needs no finalizer of ours any more.

    That is done once in an operation: the worker of volumes may put it on again before the volume is deleted, and the
    next operation takes it off a volume that is going, where it cannot come back.
    """
    volume = seen.live(Key("PersistentVolume", "", at.name))
    if volume is None or IN_TREE_FINALIZER not in finalizers(volume) or "dropped" in notes(seen, at):
        return None
    notes(seen, at)["dropped"] = True
    kept = [entry for entry in finalizers(volume) if entry != IN_TREE_FINALIZER]

    def refused(why: str) -> Effect:
        text = f"persistent volume controller can't update finalizer: {seen.refusal}"
        return fail(seen, at, FAILED_DELETE, text, passing=True)

    return Write("update", put(volume, ("metadata", "finalizers"), kept), refused=refused)


@rule("RECLAIM-07.6", on="Deletion")
def delete_volume(seen: Seen, at: Key) -> Effect | None:
    """At last the volume itself is deleted; an error is not tried again, the next look starts over."""
    begun, volume = subject(seen, at), seen.live(Key("PersistentVolume", "", at.name))
    if begun is None or volume is None or uid(begun) != uid(volume):
        return STOP
    has_succeeded(seen, at, begun)
    end(seen, at)
    return Write("delete", volume, tolerate=("NotFound",), refused=lambda why: Fail("the volume was not deleted"))


@rule("RECLAIM-09.1", on="Recycling")
def find_recycler(seen: Seen, at: Key) -> Effect | None:
    """A released volume that no pod uses and whose kind can be scrubbed is recycled; others wait, or become Failed."""
    volume = subject(seen, at)
    if volume is None or reclaim_policy(volume) != "Recycle" or annotations(volume).get(MIGRATED_TO):
        return STOP
    known = notes(seen, at)
    if "fit" in known or not is_judged(seen, at):
        return None if "fit" in known else STOP
    known["subject"] = volume = known["judged"]
    users = _users(seen, volume)
    if users:
        end(seen, at)
        return Say(volume, "Normal", FAILED_RECYCLE, f"Volume is used by pods: {','.join(users)}")
    if volume_source(volume)[0] not in RECYCLABLE:
        return fail(seen, at, FAILED_RECYCLE, "No recycler plugin found for the volume!", back_off=False)
    if storage_refuses(seen):
        return fail(seen, at, FAILED_RECYCLE, f"Recycle failed: {REFUSAL}", back_off=False, passing=True)
    known["fit"] = True
    return None


def _users(seen: Seen, volume: Obj) -> list[str]:
    """Unfinished pods that name the claim, on a node or not, while no claim of that name is cached (RECLAIM-09)."""
    if seen.lookup(claim_key(volume)) is not None:
        return []
    return sorted(f"{namespace(pod)}/{name(pod)}" for pod in seen.find(ACTIVE, claim_key(volume)))


@rule("RECLAIM-09.2", on="Recycling")
def wipe(seen: Seen, at: Key) -> Effect | None:
    """The data of a recycled volume is removed."""
    volume = subject(seen, at)
    asset = asset_behind(seen, volume) if volume is not None else None
    if asset is None or not asset["spec"].get("data"):
        return None
    return Write("update", put(asset, ("spec", "data"), []), refused=lambda why: AGAIN)


@rule("RECLAIM-09.3", on="Recycling")
def free_recycled(seen: Seen, at: Key) -> Effect | None:
    """A clean volume is given up by its claim, and so becomes Available again."""
    volume = subject(seen, at)
    if volume is None:
        return STOP
    end(seen, at)
    say = ("Normal", "VolumeRecycled", "Volume recycled")
    return Write("update", unbound(volume), say=say, said_of=volume, refused=lambda why: Fail("the volume changed"))


DELETION_RULES = (
    wait_out_failures,
    leave_to_others,
    fail_without_deleter,
    delete_storage,
    drop_finalizer,
    delete_volume,
)
RECYCLING_RULES = (find_recycler, wipe, free_recycled)
