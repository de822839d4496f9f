"""Removing what a plan made: only that, by UID, and whatever holds it.

A plan's namespaces take with them what they hold. Finalizers that the plan put on its own objects, and pods that it
told to hang, would keep them for ever, so these are let go first. What lies outside namespaces is deleted one by one.
"""

import contextlib
from collections.abc import Iterable

from pvkit.backends.errors import Conflict, Invalid, NotFound, Unavailable
from pvkit.backends.live.connection import Connection, path_of
from pvkit.backends.live.naming import Names
from pvkit.backends.live.watching import Tape
from pvkit.backends.objects import NAMESPACED, Obj, deleting, finalizers, key, owners, phase, uid
from pvkit.backends.storage import has_class, reclaim_policy, storage_class

CONTROLLERS = ("kubernetes.io/", "external-provisioner.volume.kubernetes.io/", "foregroundDeletion", "orphan")
"""Finalizers that components take off by themselves."""
HOUSEHOLD = ("Namespace", "Node")
"""The kinds that a plan may leave to the next one."""
ENDED = ("StatefulSet", "Pod")
"""Kinds inside of namespaces that were ended before others."""
CLEAN_SECONDS = 20.0


class Cleaner:
    """Removes what one plan left, as far as its tape tells; `names` tell what is the plan's."""

    def __init__(self, connection: Connection, tape: Tape, names: Names) -> None:
        self._connection, self._tape, self._names = connection, tape, names

    def remove(self, namespaces: Iterable[str]) -> None:
        """Remove all of the plan's objects; returns when nothing of it is left that other plans could use.

        The rest of the namespaces goes a little later.
        """
        left = self._tape.objects()
        loose = [obj for obj in left if _is_loose(obj) and self._is_ours(obj)]
        self._end_sets(left)
        for obj in left:
            if obj["kind"] == "Namespace" and obj["metadata"]["name"] in namespaces:
                self._delete(obj)
        for obj in left:
            if obj["kind"] in NAMESPACED:
                self._let_go(obj)
        for obj in loose:
            if obj["kind"] in NAMESPACED:
                self._delete(obj)
        for obj in left:
            if obj["kind"] not in NAMESPACED and obj["kind"] != "Namespace":
                self._remove(obj)
        self._await_end_of(loose)

    def empty(self) -> None:
        """Remove all of the plan's objects but its namespaces and nodes; returns as `remove` does.

        What owners have left is collected a little later.
        """
        left = [obj for obj in self._tape.objects() if obj["kind"] not in HOUSEHOLD]
        self._end_sets(left)
        for obj in left:
            if obj["kind"] in NAMESPACED:
                self._let_go(obj)
        for obj in left:
            collected = obj["kind"] in ENDED or (obj["kind"] == "EndpointSlice" and _has_owner_in(left, obj))
            if obj["kind"] in NAMESPACED and not collected and not deleting(obj):
                self._delete(obj)
            elif obj["kind"] not in NAMESPACED:
                self._remove(obj)
        self._await_end_of([obj for obj in left if _is_loose(obj) and self._is_ours(obj)])

    def _end_sets(self, left: list[Obj]) -> None:
        """A set would make again what else is deleted."""
        for obj in left:
            if obj["kind"] == "StatefulSet":
                self._delete(obj)

    def _await_end_of(self, loose: list[Obj]) -> None:
        self._tape.wait(lambda: all(map(self._is_gone, loose)), CLEAN_SECONDS if loose else 0.0)

    def await_end(self) -> bool:
        """Wait until the namespaces are gone, too; False when they are not after a while."""
        return self._tape.wait(lambda: not self._tape.objects("Namespace"), CLEAN_SECONDS)

    def _is_gone(self, obj: Obj) -> bool:
        last = self._tape.last.get(key(obj))
        return last is None or last.object is None or last.uid != uid(obj)

    def _is_ours(self, obj: Obj) -> bool:
        return obj["kind"] in NAMESPACED or self._names.made(obj)

    def _let_go(self, obj: Obj) -> None:
        """Take off what only the plan itself would have taken off, and end pods at once."""
        foreign = [entry for entry in finalizers(obj) if not entry.startswith(CONTROLLERS)]
        if foreign:
            kept = [entry for entry in finalizers(obj) if entry not in foreign]
            self._patch(obj, {"metadata": {"finalizers": kept or None, "uid": uid(obj)}})
        if obj["kind"] == "Pod":
            self._delete(obj, grace=0)

    def _remove(self, obj: Obj) -> None:
        """Delete an object outside of namespaces, and take off all that holds it.

        A volume that was made for a claim is left to its provisioner, so that its storage goes, too. What the plan did
        not make, such as a node or a volume that one of its claims took, stays.
        """
        if not self._names.made(obj):
            return
        if not self._names.named(obj):
            if reclaim_policy(obj) != "Delete":
                policy = {"persistentVolumeReclaimPolicy": "Delete"}
                self._patch(obj, {"metadata": {"uid": uid(obj)}, "spec": policy})
            self._delete(obj)
            return
        self._delete(obj)
        held = [entry for entry in finalizers(obj) if not entry.startswith(CONTROLLERS[0])]
        if held or phase(obj) in ("Bound", "Failed") or _is_in_tree(obj):
            self._patch(obj, {"metadata": {"finalizers": None, "uid": uid(obj)}})

    def _patch(self, obj: Obj, patch: Obj) -> None:
        with contextlib.suppress(NotFound, Conflict, Invalid, Unavailable):
            self._connection.request("PATCH", path_of(key(obj)), patch)

    def _delete(self, obj: Obj, grace: int | None = None) -> None:
        """Delete an object if it still is the one that was seen, and it, or its namespace, was made by the run."""
        if not self._is_ours(obj):
            return
        options: Obj = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": uid(obj)}}
        if grace is not None:
            options["gracePeriodSeconds"] = grace
        with contextlib.suppress(NotFound, Conflict, Unavailable):
            self._connection.request("DELETE", path_of(key(obj)), options)


def _is_loose(obj: Obj) -> bool:
    """Whether other plans' objects could be taken for this one's counterpart: volumes and claims of no class."""
    if obj["kind"] == "PersistentVolumeClaim":
        return not storage_class(obj) or not has_class(obj)
    return obj["kind"] == "PersistentVolume" and not storage_class(obj)


def _has_owner_in(left: list[Obj], obj: Obj) -> bool:
    """Whether an object goes with one of these; a plan may have made it an orphan."""
    return not {str(owner.get("uid")) for owner in owners(obj)}.isdisjoint(map(uid, left))


def _is_in_tree(obj: Obj) -> bool:
    return any(entry.startswith("kubernetes.io/pv-controller") for entry in finalizers(obj))
