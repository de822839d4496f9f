"""API servers that do not keep what an object is owed: its identity, its life, its rules."""

import zlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

from pvkit.backends.errors import AlreadyExists, ApiError, Conflict
from pvkit.backends.mutants.registry import Edit, edit, mutant
from pvkit.backends.objects import put, without
from pvkit.backends.reference import admission, deletion, requests
from pvkit.backends.reference.store import Store
from pvkit.backends.reference.validation import metadata


def _around(method: str, make: Callable[[Any], Any]) -> Iterable[Edit]:
    yield edit(Store, method, make)


@mutant("a-change-is-a-birth", breaks=("API-001",), family="FIELD")
def a_change_is_a_birth() -> Iterable[Edit]:
    """A change of the spec renews the time of creation."""

    def make(original: Any) -> Any:
        def replaced(self: Any, at: Any, old: Any, new: Any, by: str) -> Any:
            if new.get("spec") != old.get("spec"):
                new = put(new, ("metadata", "creationTimestamp"), self.clock.stamp())
            return original(self, at, old, new, by)

        return replaced

    yield from _around("_replace", make)


@mutant("uid-from-name", breaks=("API-002",), family="NAME")
def uid_from_name() -> Iterable[Edit]:
    """An object's UID is made from its name, so a successor has it again."""

    def make(original: Any) -> Any:
        def stored(self: Any, at: Any, obj: Any, by: str) -> Any:
            if self.read(at) is None and obj["metadata"].get("uid"):
                number = zlib.crc32(repr(tuple(at)).encode())
                obj = put(obj, ("metadata", "uid"), f"{number:08x}-0000-4000-8000-000000000000")
            return original(self, at, obj, by)

        return stored

    yield from _around("_store", make)


@mutant("status-has-no-version", breaks=("API-003",), family="FIELD")
def status_has_no_version() -> Iterable[Edit]:
    """A write of the status alone leaves the resourceVersion as it was."""

    def make(original: Any) -> Any:
        def stored(self: Any, at: Any, obj: Any, by: str) -> Any:
            old = self.read(at)
            if old is not None and obj.get("spec") == old.get("spec") and obj.get("status") != old.get("status"):
                self.version = int(old["metadata"]["resourceVersion"]) - 1
            return original(self, at, obj, by)

        return stored

    yield from _around("_store", make)


@mutant("finalizers-come-late", breaks=("API-005",), family="FINAL")
def finalizers_come_late() -> Iterable[Edit]:
    """An object that is being deleted may get new finalizers."""

    def make(original: Any) -> Any:
        return lambda old, new, minor: [cause for cause in original(old, new, minor) if "finalizers" not in cause.field]

    yield edit(metadata, "on_update", make)


@mutant("pods-vanish", breaks=("API-007",), family="TERM")
def pods_vanish() -> Iterable[Edit]:
    """A pod that is deleted is removed without being marked first."""
    yield edit(deletion, "marked", lambda original: lambda obj, wish, now: obj)


def _without_update_rules(kind: str) -> Iterable[Edit]:
    def make(original: Any) -> Any:
        return {**original, kind: replace(original[kind], update=lambda old, new, moment: [])}

    yield edit(admission, "TREATMENTS", make)


@mutant("volumes-change-their-source", breaks=("API-011",), family="FIELD")
def volumes_change_their_source() -> Iterable[Edit]:
    """A volume's source and mode may be changed."""
    yield from _without_update_rules("PersistentVolume")


@mutant("sets-change-their-templates", breaks=("API-012",), family="FIELD")
def sets_change_their_templates() -> Iterable[Edit]:
    """Every field of a set may be changed."""
    yield from _without_update_rules("StatefulSet")


@mutant("classes-change", breaks=("API-013",), family="FIELD")
def classes_change() -> Iterable[Edit]:
    """A class may change its provisioner, parameters, policy and mode."""
    yield from _without_update_rules("StorageClass")


@mutant("refused-but-stored", breaks=("API-020",), family="FIELD")
def refused_but_stored() -> Iterable[Edit]:
    """An update that is refused is stored all the same."""

    def make(original: Any) -> Any:
        def applied(self: Any, at: Any, old: Any, obj: Any, subresource: str, by: str, blind: bool) -> Any:
            try:
                return original(self, at, old, obj, subresource, by, blind)
            except ApiError:
                if by == "client" and subresource == "":
                    self._replace(at, old, self._prepared(old, obj, subresource), by)
                raise

        return applied

    yield from _around("_apply", make)


@mutant("conflict-with-itself", breaks=("API-022",), family="FIELD")
def conflict_with_itself() -> Iterable[Edit]:
    """Every second update of a client is a conflict, whatever version it tells."""

    def make(original: Any) -> Any:
        def updated(self: Any, obj: Any, subresource: str = "", by: str = "client", blind: bool = False) -> Any:
            if by == "client" and self.version % 2:
                raise Conflict("the object has been modified")
            return original(self, obj, subresource, by, blind)

        return updated

    yield from _around("update", make)


@mutant("create-replaces", breaks=("API-023",), family="NAME")
def create_replaces() -> Iterable[Edit]:
    """A create of what exists replaces it."""

    def make(original: Any) -> Any:
        def created(self: Any, obj: Any, by: str = "client") -> Any:
            try:
                return original(self, obj, by)
            except AlreadyExists:
                made = admission.on_create(obj, self)
                return self.update(made, by=by, blind=True)

        return created

    yield from _around("create", make)


@mutant("nothing-is-absent", breaks=("API-024",), family="NAME")
def nothing_is_absent() -> Iterable[Edit]:
    """A delete of what does not exist is answered with success."""

    def make(original: Any) -> Any:
        def deleted(self: Any, at: Any, by: str = "client", **options: Any) -> Any:
            if self.read(at) is None and by == "client":
                return {"kind": at.kind, "metadata": {"name": at.name, "namespace": at.namespace}}
            return original(self, at, by, **options)

        return deleted

    yield from _around("delete", make)


@mutant("wrong-code", breaks=("API-026",), family="FIELD")
def wrong_code() -> Iterable[Edit]:
    """A name that is taken is answered with the code of a bad request."""
    yield edit(AlreadyExists, "code", lambda original: 400)


@mutant("going-namespace-takes-more", breaks=("API-036",), family="TERM")
def going_namespace_takes_more() -> Iterable[Edit]:
    """A namespace that is being deleted takes new objects."""
    yield edit(admission, "_check_namespace", lambda original: lambda obj, store: None)


def _only_absences(create: Any) -> Any:
    return lambda obj, moment: [cause for cause in create(obj, moment) if "Required" in cause.reason]


@mutant("nothing-is-invalid", breaks=("API-040",), family="FIELD")
def nothing_is_invalid() -> Iterable[Edit]:
    """A new object is stored whatever it says, if it only says it."""

    def make(original: Any) -> Any:
        return {kind: replace(entry, create=_only_absences(entry.create)) for kind, entry in original.items()}

    yield edit(admission, "TREATMENTS", make)


@mutant("refused-without-a-field", breaks=("API-041",), family="FIELD")
def refused_without_a_field() -> Iterable[Edit]:
    """A refusal does not say which fields are wrong."""

    def make(original: Any) -> Any:
        return lambda kind, called, causes: original(kind, called, [replace(cause, field="") for cause in causes])

    yield edit(admission, "refusal", make)


@mutant("changes-passed-over", breaks=("API-042",), family="FIELD")
def changes_passed_over() -> Iterable[Edit]:
    """A change of what must stay is answered with success and left out."""

    def make(original: Any) -> Any:
        def updated(old: Any, new: Any, subresource: str, store: Any) -> Any:
            try:
                return original(old, new, subresource, store)
            except ApiError:
                return {**new, "spec": old["spec"]} if "spec" in old else old

        return updated

    yield edit(admission, "on_update", make)


@mutant("born-unprotected", breaks=("PVB-100",), family="FINAL")
def born_unprotected() -> Iterable[Edit]:
    """New claims and volumes get their protection only from the controllers."""
    yield edit(admission, "_PROTECTION", lambda original: {})


@mutant("revived-by-a-write", breaks=("API-004", "PVB-106"), family="FINAL")
def revived_by_a_write() -> Iterable[Edit]:
    """Any later write takes the mark of deletion off."""

    def make(original: Any) -> Any:
        def made(old: Any, asked: Any) -> Any:
            kept = original(old, asked)
            return without({"metadata": kept}, ("metadata", "deletionTimestamp"))["metadata"]

        return made

    yield edit(requests, "metadata", make)


@mutant("revisions-change-what-they-record", breaks=("API-014",), family="FIELD")
def revisions_change_what_they_record() -> Iterable[Edit]:
    """A revision may record something else than it did."""
    yield from _without_update_rules("ControllerRevision")


@mutant("pods-move", breaks=("STS-105",), family="FIELD")
def pods_move() -> Iterable[Edit]:
    """A pod that has a node may be given another one."""
    yield from _without_update_rules("Pod")


FORMER: "WeakKeyDictionary[Any, dict[Any, Any]]" = WeakKeyDictionary()
"""What objects were before their last change, by store."""


@mutant("reads-are-old", breaks=("API-027",), family="CACHE")
def reads_are_old() -> Iterable[Edit]:
    """A get answers with what an object was before its last change."""

    def keep(original: Any) -> Any:
        def replaced(self: Any, at: Any, old: Any, new: Any, by: str) -> Any:
            FORMER.setdefault(self, {})[at] = old
            return original(self, at, old, new, by)

        return replaced

    def show(original: Any) -> Any:
        def got(self: Any, at: Any) -> Any:
            found = original(self, at)
            before = FORMER.get(self, {}).get(at)
            same = before is not None and before["metadata"].get("uid") == found["metadata"].get("uid")
            return before if same else found

        return got

    yield from _around("_replace", keep)
    yield from _around("get", show)
