"""An API server in miniature: objects by kind, one counter of versions, a log of every change.

The order of checks is that of the real one (EXPAND-04): read, UID, mutation, resourceVersion, validation, validating
admission, write. What each kind defaults, forbids and keeps immutable is told by `admission`; this file knows only
what holds for all kinds: conflicts, finalizers, grace, deletion and the events that come of it.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from pvkit.backends.errors import AlreadyExists, Conflict, NotFound
from pvkit.backends.objects import LEDGERS, Key, Obj, deleting, finalizers, key, reference, selects, uid
from pvkit.backends.protocol import Event, Setup
from pvkit.backends.reference import admission, namespaces
from pvkit.backends.reference.assignment import assigned
from pvkit.backends.reference.clock import Clock, stamp
from pvkit.backends.reference.patches import patched
from pvkit.backends.tables import Table

Listener = Callable[[Event, "Obj | None"], None]

_KEPT = ("uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds")


class Store:
    """What is stored, and how it may change.

    Writes return the stored object and raise `ApiError`. `by` names the component that asks. After each change the
    listeners get the event and the object as it was before.
    """

    def __init__(self, setup: Setup, clock: Clock) -> None:
        self.setup, self.clock = setup, clock
        self.tables: defaultdict[str, Table] = defaultdict(Table)
        self.version = 0
        self.log: list[Event] = []
        self.listeners: list[Listener] = []
        self._uids = 0

    def read(self, key: Key) -> Obj | None:
        """An object, or None."""
        return self.tables[key.kind].objects.get(key)

    def get(self, key: Key) -> Obj:
        """An object; raises `NotFound`."""
        found = self.read(key)
        if found is None:
            raise NotFound(f'{admission.resource(key.kind)} "{key.name}" not found')
        return found

    def list(self, kind: str, namespace: str = "", selector: Obj | None = None) -> list[Obj]:
        """Objects of a kind, of one namespace or of all ("")."""
        return [
            obj
            for at, obj in self.tables[kind].objects.items()
            if namespace in ("", at.namespace) and selects(selector, obj["metadata"].get("labels") or {})
        ]

    def create(self, obj: Obj, by: str = "client") -> Obj:
        """Store a new object, defaulted and validated."""
        if obj["kind"] == "Binding":
            return self._assign(obj, by)
        ledger = obj["kind"] in LEDGERS
        made = obj if ledger else admission.on_create(obj, self)
        at = key(made)
        if at in self.tables[at.kind].objects:
            raise AlreadyExists(f'{admission.resource(at.kind)} "{at.name}" already exists')
        return self._store(at, {**made, "metadata": {**made["metadata"], **self._birth(made)}}, by)

    def _assign(self, request: Obj, by: str) -> Obj:
        at = Key("Pod", request["metadata"]["namespace"], request["metadata"]["name"])
        pod = self.get(at)
        self._check_uid(pod, uid(request), at)
        return self._store(at, assigned(pod, request, self.setup, self.clock.now), by)

    def record(self, namespace: str, name: str, about: Obj, words: Any, by: str) -> None:
        """Store a Kubernetes Event; events are evidence, so they pass no admission."""
        at = Key("Event", namespace, name)
        self._store(
            at,
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"name": name, "namespace": namespace, "creationTimestamp": self.clock.stamp()},
                "involvedObject": reference(about),
                "type": words.type,
                "reason": words.reason,
                "message": words.message,
                "source": {"component": by},
            },
            by,
        )

    def _birth(self, obj: Obj) -> Obj:
        self._uids += 1
        born = {"uid": f"{self._uids:08x}-0000-4000-8000-000000000000", "creationTimestamp": self.clock.stamp()}
        return {**born, "generation": 1} if admission.has_generation(obj["kind"]) else born

    def update(self, obj: Obj, subresource: str = "", by: str = "client", blind: bool = False) -> Obj:
        """Replace an object; a resourceVersion in it must be the stored one unless `blind`."""
        at = key(obj)
        old = self.get(at)
        self._check_uid(old, obj["metadata"].get("uid"), at)
        new = self._prepared(old, obj, subresource)
        wanted = obj["metadata"].get("resourceVersion")
        if wanted and not blind and wanted != old["metadata"]["resourceVersion"]:
            raise Conflict(_modified(at))
        if at.kind not in LEDGERS:
            new = admission.on_update(old, new, subresource, self)
        return self._replace(at, old, new, by)

    def patch(self, at: Key, patch: Any, subresource: str = "", by: str = "client") -> Obj:
        """Change part of an object; without a resourceVersion in the patch no conflict is possible."""
        old = self.get(at)
        new = patched(old, patch)
        return self.update(new, subresource, by, blind=new["metadata"].get("resourceVersion") is None)

    def _prepared(self, old: Obj, obj: Obj, subresource: str) -> Obj:
        """What the update would store, before defaults and checks: status or all but status from the request."""
        kept = {field: old["metadata"][field] for field in _KEPT if field in old["metadata"]}
        metadata = {field: value for field, value in obj["metadata"].items() if field not in _KEPT} | kept
        metadata["resourceVersion"] = old["metadata"]["resourceVersion"]
        if subresource == "status":
            return {**old, "metadata": metadata, "status": obj.get("status") or {}}
        made = {**obj, "metadata": metadata}
        if old["kind"] in LEDGERS:
            return made
        if old["kind"] == "Namespace" and subresource != "finalize":
            made["spec"] = old["spec"]
        made.pop("status", None)
        return {**made, "status": old["status"]} if "status" in old else made

    def _check_uid(self, old: Obj, wanted: str | None, at: Key) -> None:
        if wanted and wanted != uid(old):
            raise Conflict(
                f'Operation cannot be fulfilled on {admission.resource(at.kind)} "{at.name}": StorageError: invalid '
                f"object, Code: 4, Precondition failed: UID in precondition: {wanted}, UID in object meta: {uid(old)}"
            )

    def _replace(self, at: Key, old: Obj, new: Obj, by: str) -> Obj:
        if new == old:
            return old
        if admission.has_generation(at.kind) and new.get("spec") != old.get("spec"):
            new = {**new, "metadata": {**new["metadata"], "generation": old["metadata"]["generation"] + 1}}
        if deleting(new) and not _held(new) and not new["metadata"].get("deletionGracePeriodSeconds"):
            return self._remove(at, old, by)
        return self._store(at, new, by)

    def delete(
        self,
        at: Key,
        by: str = "client",
        *,
        uid: str | None = None,
        version: str | None = None,
        propagation: str | None = None,
        grace: int | None = None,
    ) -> Obj:
        """Delete an object, or mark it as terminating while finalizers or a grace period hold it."""
        old = self.get(at)
        self._check_preconditions(at, old, uid, version)
        marked = self._marked(old, admission.grace_period(old, grace), propagation)
        if marked != old and (_held(marked) or at.kind == "Pod"):
            old = marked = self._store(at, marked, by)
        if _held(marked) or marked["metadata"].get("deletionGracePeriodSeconds"):
            return marked
        return self._remove(at, old, by)

    def _check_preconditions(self, at: Key, old: Obj, uid: str | None, version: str | None) -> None:
        metadata = old["metadata"]
        for word, wanted, seen in (
            ("UID", uid, metadata["uid"]),
            ("ResourceVersion", version, metadata["resourceVersion"]),
        ):
            if wanted is not None and wanted != seen:
                raise Conflict(
                    f'Operation cannot be fulfilled on {admission.resource(at.kind)} "{at.name}": the {word} in the '
                    f"precondition ({wanted}) does not match the {word} in record ({seen}). The object might have been "
                    "deleted and then recreated"
                )

    def _marked(self, old: Obj, grace: int, propagation: str | None) -> Obj:
        metadata = dict(old["metadata"])
        holds = {"Foreground": "foregroundDeletion", "Orphan": "orphan"}.get(propagation or "")
        if holds and holds not in finalizers(old):
            metadata["finalizers"] = [*finalizers(old), holds]
        if not deleting(old) or grace < int(metadata.get("deletionGracePeriodSeconds") or 0):
            metadata["deletionTimestamp"] = stamp(int(self.clock.now) + grace)
            metadata["deletionGracePeriodSeconds"] = grace
            if admission.has_generation(old["kind"]) and not deleting(old):
                metadata["generation"] += 1
        return namespaces.marked({**old, "metadata": metadata})

    def _store(self, at: Key, obj: Obj, by: str) -> Obj:
        self.version += 1
        obj = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self.version)}}
        old = self.tables[at.kind].change(at, obj)
        self._tell("ADDED" if old is None else "MODIFIED", obj, old, by)
        return obj

    def _remove(self, at: Key, old: Obj, by: str) -> Obj:
        """Drop an object: the event carries it as it last was, finalizers included, at a new version."""
        self.version += 1
        gone = {**old, "metadata": {**old["metadata"], "resourceVersion": str(self.version)}}
        self.tables[at.kind].change(at, None)
        self._tell("DELETED", gone, old, by)
        return gone

    def _tell(self, type: Any, obj: Obj, old: Obj | None, by: str) -> None:
        event = Event(len(self.log), type, obj, by, self.clock.now)
        self.log.append(event)
        for listener in self.listeners:
            listener(event, old)


def _held(obj: Obj) -> bool:
    """Whether something keeps a deleted object: its finalizers, or those in the spec of a namespace."""
    return bool(finalizers(obj) or namespaces.spec_finalizers(obj))


def _modified(at: Key) -> str:
    return (
        f'Operation cannot be fulfilled on {admission.resource(at.kind)} "{at.name}": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )
