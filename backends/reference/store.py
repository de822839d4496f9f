"""An API server in miniature: objects by kind, one counter of versions, a log of every change.

The order of checks is that of the real one (EXPAND-04): read, UID, mutation, resourceVersion, validation, validating
admission, write. What each kind defaults, forbids and keeps immutable is told by `admission`, what a deletion does by
`deletion`; this file knows what holds for all kinds: versions, conflicts, endpoints, and the events of a change.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from pvkit.backends.errors import AlreadyExists, Conflict, NotFound
from pvkit.backends.objects import LEDGERS, Key, Obj, deleting, get, key, put, reference, selects, uid
from pvkit.backends.protocol import Event, Setup
from pvkit.backends.reference import admission, deletion, requests
from pvkit.backends.reference.assignment import assigned
from pvkit.backends.reference.clock import Clock
from pvkit.backends.reference.patches import patched
from pvkit.backends.reference.validation.shapes import Unreadable
from pvkit.backends.reference.validation.treatment import Moment
from pvkit.backends.tables import Table

Listener = Callable[[Event, "Obj | None"], None]

_LETTERS = "bcdfghjklmnpqrstvwxz2456789"


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
        self._moment = Moment(setup, 0.0)
        self._unsettled: set[Key] = set()

    @property
    def moment(self) -> Moment:
        """The world and time in which a request arrives now."""
        if self._moment.now != self.clock.now:
            self._moment = Moment(self.setup, self.clock.now)
        return self._moment

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
        """Store a new object, defaulted and validated; a `Binding` assigns its pod instead."""
        if obj["kind"] == "Binding":
            return self._assign(obj, by)
        made = obj if obj["kind"] in LEDGERS else admission.on_create(obj, self)
        at = key(made)
        known = self.read(at)
        if known is not None:
            state = "object is being deleted: " if deleting(known) else ""
            raise AlreadyExists(f'{state}{admission.resource(at.kind)} "{at.name}" already exists')
        stored = self._store(at, {**made, "metadata": {**made["metadata"], **self._birth()}}, by)
        if at.kind == "PersistentVolumeClaim":
            self._unsettled.add(at)
        return stored

    def _assign(self, request: Obj, by: str) -> Obj:
        at = Key("Pod", request["metadata"]["namespace"], request["metadata"]["name"])
        pod = self.get(at)
        self._check_uid(pod, uid(request), at)
        node = self.read(Key("Node", "", request["target"]["name"]))
        return self._store(at, assigned(pod, request, node, self.setup, self.clock.now), by)

    def record(self, namespace: str, name: str, about: Obj, words: Any, by: str) -> None:
        """Store a Kubernetes Event; events are evidence, so they pass no admission."""
        at = Key("Event", namespace, name)
        self._store(
            at,
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"name": name, "namespace": namespace, **self._birth()},
                "involvedObject": reference(about),
                "type": words.type,
                "reason": words.reason,
                "message": words.message,
                "source": {"component": by},
            },
            by,
        )

    def _birth(self) -> Obj:
        self._uids += 1
        return {"uid": f"{self._uids:08x}-0000-4000-8000-000000000000", "creationTimestamp": self.clock.stamp()}

    def generated_name(self, prefix: str) -> str:
        """A name for an object that has only a `generateName`: the prefix and five letters, no two alike."""
        self._uids += 1
        number, letters = self._uids, []
        for _ in range(5):
            number, letter = divmod(number, len(_LETTERS))
            letters.append(_LETTERS[letter])
        return prefix[:58] + "".join(reversed(letters))

    def update(self, obj: Obj, subresource: str = "", by: str = "client", blind: bool = False) -> Obj:
        """Replace an object; a resourceVersion in it must be the stored one unless `blind`.

        `subresource`: "", `status`, `scale` (of a set: the body is a Scale), `finalize` (of a namespace).
        """
        at = requests.target(obj)
        old = self.read(at)
        if at.kind not in LEDGERS and subresource != "scale":
            obj = admission.read(obj, old, self)
        if old is None:
            raise NotFound(f'{admission.resource(at.kind)} "{at.name}" not found')
        self._check_uid(old, obj["metadata"].get("uid"), at)
        return self._apply(at, old, obj, subresource, by, blind)

    def patch(self, at: Key, patch: Any, subresource: str = "", by: str = "client") -> Obj:
        """Change part of an object; without a resourceVersion in the patch no conflict is possible."""
        old = self.get(at)
        new = patched(requests.scale(old) if subresource == "scale" else old, patch)
        requests.check_identity(at, old, new)
        if at.kind not in LEDGERS and subresource != "scale":
            try:
                new = admission.read_as_patched(new, old, self)
            except Unreadable as error:
                raise requests.unreadable(at.kind, new, str(error)) from None
        return self._apply(at, old, new, subresource, by, blind=new["metadata"].get("resourceVersion") is None)

    def _apply(self, at: Key, old: Obj, obj: Obj, subresource: str, by: str, blind: bool) -> Obj:
        """Carry out an update that was read: conflict, admission, write."""
        if not blind:
            requests.check_version(at, old, obj["metadata"].get("resourceVersion"))
        if subresource == "scale":
            obj = put(old, ("spec", "replicas"), int(get(obj, "spec", "replicas") or 0))
        new = self._prepared(old, obj, subresource)
        if at.kind not in LEDGERS:
            new = admission.on_update(old, new, subresource, self)
        return self._replace(at, old, new, by)

    def _prepared(self, old: Obj, obj: Obj, subresource: str) -> Obj:
        """What the update would store, before checks: status or all but status from the request."""
        metadata = requests.metadata(old["metadata"], obj["metadata"])
        if subresource == "status":
            return {**old, "metadata": metadata, "status": obj.get("status") or {}}
        if old["kind"] in LEDGERS:
            return {**obj, "metadata": metadata}
        if "status" not in old:
            return {field: value for field, value in obj.items() if field != "status"} | {"metadata": metadata}
        return {**obj, "metadata": metadata, "status": old["status"]}

    def _check_uid(self, old: Obj, wanted: str | None, at: Key) -> None:
        if wanted and wanted != uid(old):
            place = "/".join(["registry", admission.resource(at.kind).partition(".")[0], *filter(None, at[1:])])
            raise Conflict(
                f'Operation cannot be fulfilled on {admission.resource(at.kind)} "{at.name}": StorageError: invalid '
                f"object, Code: 4, Key: /{place}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in "
                f"precondition: {wanted}, UID in object meta: {uid(old)}"
            )

    def _replace(self, at: Key, old: Obj, new: Obj, by: str) -> Obj:
        """Store what an update made; nothing happens if nothing changed.

        A claim that was never written since its creation has no phase in a real store, only one that reading it
        fills in; so its first update is a change even when nothing else is.
        """
        if new == old and at not in self._unsettled:
            return old
        if "generation" in old["metadata"] and admission.has_generation(at.kind) and new["spec"] != old["spec"]:
            new = put(new, ("metadata", "generation"), old["metadata"]["generation"] + 1)
        if deleting(old) and not deletion.held(new) and not old["metadata"].get("deletionGracePeriodSeconds"):
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
        wish = deletion.Wish(uid, version, propagation, None if grace is None else 1 if grace < 0 else grace)
        deletion.check(old, wish)
        marked = deletion.marked(old, wish, int(self.clock.now))
        stays = deletion.held(marked) or bool(marked["metadata"].get("deletionGracePeriodSeconds"))
        if marked is not old and (stays or at.kind == "Pod"):
            old = marked = self._store(at, marked, by)
        return marked if stays else self._remove(at, old, by)

    def _store(self, at: Key, obj: Obj, by: str) -> Obj:
        self.version += 1
        self._unsettled.discard(at)
        obj = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self.version)}}
        old = self.tables[at.kind].change(at, obj)
        self._tell("ADDED" if old is None else "MODIFIED", obj, old, by)
        return obj

    def _remove(self, at: Key, old: Obj, by: str) -> Obj:
        """Drop an object: the event carries it as it last was, finalizers included, at a new version."""
        self.version += 1
        gone = {**old, "metadata": {**old["metadata"], "resourceVersion": str(self.version)}}
        self.tables[at.kind].change(at, None)
        self._unsettled.discard(at)
        self._tell("DELETED", gone, old, by)
        return gone

    def _tell(self, type: Any, obj: Obj, old: Obj | None, by: str) -> None:
        event = Event(len(self.log), type, obj, by, self.clock.now)
        self.log.append(event)
        for listener in self.listeners:
            listener(event, old)
