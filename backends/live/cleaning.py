"""Removing what a plan made: only that, by UID, and whatever holds it.

A plan's namespaces take with them what they hold. Finalizers that the plan put on its own objects, and pods that it
told to hang, would keep them for ever, so these are let go first. What lies outside namespaces is deleted one by one.
"""

import contextlib
from collections.abc import Iterable

from pvkit.backends.errors import Conflict, Invalid, NotFound, Unavailable
from pvkit.backends.live.connection import Connection, path_of
from pvkit.backends.live.watching import Tape
from pvkit.backends.objects import NAMESPACED, Key, Obj, annotations, finalizers, key, phase, uid
from pvkit.backends.storage import PROVISIONED_BY, has_class, reclaim_policy, storage_class

CONTROLLERS = ("kubernetes.io/", "external-provisioner.volume.kubernetes.io/", "foregroundDeletion", "orphan")
"""Finalizers that components take off by themselves."""
CLEAN_SECONDS = 20.0


class Cleaner:
    """Removes what one plan left, as far as its tape tells; `tag` is in front of all names that the plan gave."""

    def __init__(self, connection: Connection, tape: Tape, tag: str) -> None:
        self._connection, self._tape, self._front = connection, tape, f"{tag}-"

    def remove(self, namespaces: Iterable[str]) -> None:
        """Remove all of the plan's objects; returns when nothing of it is left that other plans could use.

        The rest of the namespaces goes a little later.
        """
        left = self._tape.objects()
        loose = [key(obj) for obj in left if _is_loose(obj)]
        for obj in left:
            if obj["kind"] == "StatefulSet":  # It would make again what else is deleted.
                self._delete(key(obj), uid(obj))
        for obj in left:
            if obj["kind"] == "Namespace" and obj["metadata"]["name"] in namespaces:
                self._delete(key(obj), uid(obj))
        for obj in left:
            if obj["kind"] in NAMESPACED:
                self._let_go(obj)
        for at in sorted(loose):
            if at.kind in NAMESPACED:
                self._delete(at, None)
        for obj in left:
            if obj["kind"] not in NAMESPACED and obj["kind"] != "Namespace":
                self._remove(obj)
        self._tape.wait(lambda: all(self._is_gone(at) for at in loose), CLEAN_SECONDS if loose else 0.0)

    def await_end(self) -> bool:
        """Wait until the namespaces are gone, too; False when they are not after a while."""
        return self._tape.wait(lambda: not self._tape.objects("Namespace"), CLEAN_SECONDS)

    def _is_gone(self, at: Key) -> bool:
        last = self._tape.last.get(at)
        return last is None or last.object is None

    def _let_go(self, obj: Obj) -> None:
        """Take off what only the plan itself would have taken off, and end pods at once."""
        foreign = [entry for entry in finalizers(obj) if not entry.startswith(CONTROLLERS)]
        if foreign:
            kept = [entry for entry in finalizers(obj) if entry not in foreign]
            self._patch(obj, {"metadata": {"finalizers": kept or None, "uid": uid(obj)}})
        if obj["kind"] == "Pod":
            self._delete(key(obj), uid(obj), grace=0)

    def _remove(self, obj: Obj) -> None:
        """Delete an object outside of namespaces, and take off all that holds it.

        A volume that was made for a claim is left to its provisioner, so that its storage goes, too. What the plan did
        not make, such as a node or a volume that one of its claims took, stays.
        """
        if not obj["metadata"]["name"].startswith(self._front):
            if obj["kind"] == "PersistentVolume" and PROVISIONED_BY in annotations(obj):
                if reclaim_policy(obj) != "Delete":
                    policy = {"persistentVolumeReclaimPolicy": "Delete"}
                    self._patch(obj, {"metadata": {"uid": uid(obj)}, "spec": policy})
                self._delete(key(obj), uid(obj))
            return
        self._delete(key(obj), uid(obj))
        held = [entry for entry in finalizers(obj) if not entry.startswith(CONTROLLERS[0])]
        if held or phase(obj) in ("Bound", "Failed") or _is_in_tree(obj):
            self._patch(obj, {"metadata": {"finalizers": None, "uid": uid(obj)}})

    def _patch(self, obj: Obj, patch: Obj) -> None:
        with contextlib.suppress(NotFound, Conflict, Invalid, Unavailable):
            self._connection.request("PATCH", path_of(key(obj)), patch)

    def _delete(self, at: Key, known: str | None, grace: int | None = None) -> None:
        options: Obj = {"kind": "DeleteOptions", "apiVersion": "v1"}
        if known is not None:
            options["preconditions"] = {"uid": known}
        if grace is not None:
            options["gracePeriodSeconds"] = grace
        with contextlib.suppress(NotFound, Conflict, Unavailable):
            self._connection.request("DELETE", path_of(at), options)


def _is_loose(obj: Obj) -> bool:
    """Whether other plans' objects could be taken for this one's counterpart: volumes and claims of no class."""
    if obj["kind"] == "PersistentVolumeClaim":
        return not storage_class(obj) or not has_class(obj)
    return obj["kind"] == "PersistentVolume" and not storage_class(obj)


def _is_in_tree(obj: Obj) -> bool:
    return any(entry.startswith("kubernetes.io/pv-controller") for entry in finalizers(obj))
