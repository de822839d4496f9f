"""The garbage collector: what has lost all its owners goes, and owners that are deleted in a certain way wait.

Owners are found by UID. Whether one exists is asked of the API server, for the dependent's own namespace; the cache
only says who depends on whom. Nothing is promised about when and in which order (GC-08).
"""

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pvkit.backends.objects import (
    API_VERSIONS,
    LEDGERS,
    NAMESPACED,
    Key,
    Obj,
    deleting,
    finalizers,
    key,
    name,
    owners,
    put,
    uid,
    without,
)
from pvkit.backends.reference.rules import STOP, Controller, Effect, Wake, Write, rule
from pvkit.backends.reference.view import Seen
from pvkit.backends.tables import Index

FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"
KINDS = tuple(sorted(set(API_VERSIONS) - LEDGERS - {"Event"}))


def _by_owner(obj: Obj) -> Iterable[tuple[Hashable, Any]]:
    for owner in sorted({str(owner["uid"]) for owner in owners(obj)}):
        yield owner, name(obj)


DEPENDENTS = {kind: Index(f"dependents among {kind}", kind, _by_owner) for kind in KINDS}


def dependents(seen: Seen, owner: str) -> Iterator[Obj]:
    """Cached objects that name the owner of that UID."""
    for index in DEPENDENTS.values():
        yield from seen.find(index, owner)


def waits(obj: Obj) -> bool:
    """Whether an object is deleted in the foreground, after its dependents."""
    return deleting(obj) and FOREGROUND in finalizers(obj)


def orphans(obj: Obj) -> bool:
    """Whether an object is deleted and leaves its dependents behind."""
    return deleting(obj) and ORPHAN in finalizers(obj)


@dataclass(frozen=True, slots=True)
class Owned:
    """An object as the API server has it, and its references by the state of the owner.

    `solid`: exists. `dangling`: does not. `waiting`: is deleted in the foreground. `unknown`: cannot be looked up.
    """

    obj: Obj
    solid: tuple[Obj, ...]
    dangling: tuple[Obj, ...]
    waiting: tuple[Obj, ...]
    unknown: bool


def _owned(seen: Seen, at: Key) -> Owned | None:
    """The object with its references sorted, read live; `None` for one that is gone or has no owners."""
    cached, stored = seen.lookup(at), seen.live(at)
    if cached is None or stored is None or uid(stored) != uid(cached) or not owners(stored):
        return None
    solid: list[Obj] = []
    dangling: list[Obj] = []
    waiting: list[Obj] = []
    for ref in owners(stored):
        if not _can_own(stored, ref):
            return Owned(stored, (), (), (), unknown=True)
        owner = seen.live(_owner_key(stored, ref))
        if owner is None or uid(owner) != ref["uid"]:
            dangling.append(ref)
        else:
            (waiting if waits(owner) else solid).append(ref)
    return Owned(stored, tuple(solid), tuple(dangling), tuple(waiting), unknown=False)


def _can_own(obj: Obj, ref: Obj) -> bool:
    """Whether the owner's kind is known, and may own: nothing namespaced owns what is not (GC-09)."""
    return ref["kind"] in KINDS and not (ref["kind"] in NAMESPACED and obj["kind"] not in NAMESPACED)


def _owner_key(obj: Obj, ref: Obj) -> Key:
    where = obj["metadata"].get("namespace", "") if ref["kind"] in NAMESPACED else ""
    return Key(ref["kind"], where, ref["name"])


def _without_references(obj: Obj, uids: set[str]) -> Obj:
    kept = [ref for ref in owners(obj) if ref["uid"] not in uids]
    path = ("metadata", "ownerReferences")
    return put(obj, path, kept) if kept else without(obj, path)


def _without_finalizer(obj: Obj, finalizer: str) -> Obj:
    return put(obj, ("metadata", "finalizers"), [entry for entry in finalizers(obj) if entry != finalizer])


def _same(seen: Seen, at: Key) -> Obj | None:
    """The stored object if it is the cached one."""
    cached, stored = seen.lookup(at), seen.live(at)
    return stored if cached is not None and stored is not None and uid(stored) == uid(cached) else None


@rule("GC-06", on="any")
def leave_alone(seen: Seen, at: Key) -> Effect | None:
    """What is gone, or being deleted in the usual way, is left alone."""
    cached = seen.lookup(at)
    if cached is None or (deleting(cached) and not waits(cached) and not orphans(cached)):
        return STOP
    return None


@rule("DEL-03.1", on="any")
def set_free(seen: Seen, at: Key) -> Effect | None:
    """Dependents of an owner that is deleted without them lose their reference to it, one by one."""
    owner = seen.lookup(at)
    if owner is None or not orphans(owner):
        return None
    for dependent in dependents(seen, uid(owner)):
        stored = _same(seen, key(dependent))
        if stored is not None and any(ref["uid"] == uid(owner) for ref in owners(stored)):
            return Write("update", _without_references(stored, {uid(owner)}), tolerate=("NotFound",))
    return None


@rule("DEL-03.2", on="any")
def let_go_orphaning(seen: Seen, at: Key) -> Effect | None:
    """An owner that is deleted without its dependents goes once nobody refers to it any more."""
    owner = seen.lookup(at)
    if owner is None or not orphans(owner):
        return None
    stored = _same(seen, at)
    return Write("update", _without_finalizer(stored, ORPHAN), tolerate=("NotFound",)) if stored is not None else STOP


@rule("GC-05", on="any")
def let_go_waiting(seen: Seen, at: Key) -> Effect | None:
    """An owner that is deleted in the foreground goes once no dependent is left that blocks it."""
    owner = seen.lookup(at)
    if owner is None or not waits(owner):
        return None
    blocking = [dependent for dependent in dependents(seen, uid(owner)) if _blocks(dependent, owner)]
    if blocking:
        alive = next((dependent for dependent in blocking if not deleting(dependent)), None)
        return Wake(key(alive)) if alive is not None else STOP
    stored = _same(seen, at)
    if stored is None or not waits(stored):
        return STOP
    return Write("update", _without_finalizer(stored, FOREGROUND), tolerate=("NotFound",))


def _blocks(dependent: Obj, owner: Obj) -> bool:
    return any(ref["uid"] == uid(owner) and ref.get("blockOwnerDeletion") for ref in owners(dependent))


@rule("GC-01", on="any")
def keep_unknown(seen: Seen, at: Key) -> Effect | None:
    """What has no owner, or one that cannot be looked up, is none of the collector's business."""
    owned = _owned(seen, at)
    return STOP if owned is None or owned.unknown else None


@rule("GC-02", on="any")
def drop_references(seen: Seen, at: Key) -> Effect | None:
    """What has an owner that exists stays, and loses references to owners that do not, or that wait for it."""
    owned = _owned(seen, at)
    if owned is None or not owned.solid:
        return None
    useless = {str(ref["uid"]) for ref in (*owned.dangling, *owned.waiting)}
    return Write("update", _without_references(owned.obj, useless)) if useless else STOP


@rule("GC-04.1", on="any")
def unblock_circle(seen: Seen, at: Key) -> Effect | None:
    """Owners and dependents that all wait for each other would wait for ever: references stop blocking."""
    owned = _owned(seen, at)
    if owned is None or not owned.waiting or not any(map(waits, dependents(seen, uid(owned.obj)))):
        return None
    free = [{**ref, "blockOwnerDeletion": False} for ref in owners(owned.obj)]
    made = put(owned.obj, ("metadata", "ownerReferences"), free)
    return Write("update", made) if any(ref.get("blockOwnerDeletion") for ref in owners(owned.obj)) else None


@rule("GC-04.2", on="any")
def collect_in_foreground(seen: Seen, at: Key) -> Effect | None:
    """What an owner waits for, and has dependents of its own, is deleted in the foreground too."""
    owned = _owned(seen, at)
    if owned is None or not owned.waiting or next(dependents(seen, uid(owned.obj)), None) is None:
        return None
    return _delete(owned.obj, "Foreground")


@rule("GC-03", on="any")
def collect(seen: Seen, at: Key) -> Effect | None:
    """What has no owner left is deleted, in the way that its finalizers already ask for."""
    owned = _owned(seen, at)
    if owned is None:
        return None
    asked = finalizers(owned.obj)
    return _delete(owned.obj, "Orphan" if ORPHAN in asked else "Foreground" if FOREGROUND in asked else "Background")


def _delete(obj: Obj, policy: str) -> Write | None:
    """The delete of this very object as it was judged (GC-07)."""
    if deleting(obj):
        return None
    options = {"propagation": policy, "version": obj["metadata"]["resourceVersion"]}
    return Write("delete", obj, tolerate=("NotFound",), options=options)


def _changed(old: Obj | None, new: Obj | None, seen: Seen) -> Iterable[Key]:
    """Dependents of what is gone or on its way; what may have lost an owner; owners that wait for less now."""
    if new is None or (old is not None and uid(old) != uid(new)):
        assert old is not None
        yield from map(key, dependents(seen, uid(old)))
        yield from _waiting_owners(seen, old)
    if new is None:
        return
    if deleting(new) and (waits(new) or orphans(new)):
        yield key(new)
        if old is None or not waits(old):
            yield from map(key, dependents(seen, uid(new)))
    if owners(new) and (old is None or owners(old) != owners(new)):
        if old is not None:
            yield from _waiting_owners(seen, old)
        if any(_doubtful(seen, new, ref) for ref in owners(new)):
            yield key(new)
    elif old is not None and owners(old) != owners(new):
        yield from _waiting_owners(seen, old)


def _waiting_owners(seen: Seen, obj: Obj) -> Iterator[Key]:
    for ref in owners(obj):
        owner = seen.lookup(_owner_key(obj, ref)) if _can_own(obj, ref) else None
        if owner is not None and waits(owner):
            yield key(owner)


def _doubtful(seen: Seen, obj: Obj, ref: Obj) -> bool:
    """Whether the cache does not show the owner as alive and well."""
    if not _can_own(obj, ref):
        return False
    owner = seen.lookup(_owner_key(obj, ref))
    return owner is None or uid(owner) != ref["uid"] or waits(owner)


_RULES = (
    leave_alone,
    set_free,
    let_go_orphaning,
    let_go_waiting,
    keep_unknown,
    drop_references,
    unblock_circle,
    collect_in_foreground,
    collect,
)

GARBAGE_COLLECTOR = Controller(
    name="garbage-collector",
    rules=dict.fromkeys(KINDS, _RULES),
    watches=dict.fromkeys(KINDS, _changed),
)
