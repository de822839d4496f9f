"""Garbage collectors that take what is owned, or leave what is not."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from pvkit.backends.mutants.registry import Edit, edit, mutant
from pvkit.backends.objects import Key, deleting, uid
from pvkit.backends.reference import collection, namespaces
from pvkit.backends.reference.rules import STOP, Write


def _owned(change: Any) -> Edit:
    """The collector's judgement of one object's owners, then changed."""

    def make(original: Any) -> Any:
        def owned(seen: Any, at: Key) -> Any:
            found = original(seen, at)
            return found if found is None else change(seen, found)

        return owned

    return edit(collection, "_owned", make)


@mutant("collects-what-is-owned", breaks=("API-031",), family="SCOPE")
def collects_what_is_owned() -> Iterable[Edit]:
    """An object goes as soon as one of its owners is gone, though it has another."""

    def change(seen: Any, owned: Any) -> Any:
        return replace(owned, solid=()) if owned.dangling else owned

    yield _owned(change)


@mutant("collects-nothing", breaks=("API-030",), family="SCOPE")
def collects_nothing() -> Iterable[Edit]:
    """Objects whose owners are all gone stay."""
    yield edit(collection.collect, "body", lambda original: lambda seen, at: STOP)


@mutant("owner-by-name", breaks=("API-030",), after="instaclustr/cassandra-operator#404", family="NAME")
def owner_by_name() -> Iterable[Edit]:
    """An owner of the right name counts, whatever its UID."""

    def change(seen: Any, owned: Any) -> Any:
        there = [ref for ref in owned.dangling if seen.live(collection._owner_key(owned.obj, ref)) is not None]
        gone = tuple(ref for ref in owned.dangling if ref not in there)
        return replace(owned, solid=(*owned.solid, *there), dangling=gone)

    yield _owned(change)


@mutant(
    "absence-from-cache", breaks=("API-031",), after="kubernetes/kubernetes#142332", needs=("stale",), family="CACHE"
)
def absence_from_cache() -> Iterable[Edit]:
    """An owner that the cache does not hold counts as gone, without a look at the API server."""

    def change(seen: Any, owned: Any) -> Any:
        unseen = [ref for ref in owned.solid if seen.lookup(collection._owner_key(owned.obj, ref)) is None]
        solid = tuple(ref for ref in owned.solid if ref not in unseen)
        return replace(owned, solid=solid, dangling=(*owned.dangling, *unseen))

    yield _owned(change)


def _acts_on_old_deletion() -> Iterable[Edit]:
    """A collector that takes the deletion mark which its cache shows for the state of the owner of that name."""

    def change(seen: Any, owned: Any) -> Any:
        going = []
        for ref in owned.solid:
            cached = seen.lookup(collection._owner_key(owned.obj, ref))
            if cached is not None and deleting(cached) and uid(cached) != ref["uid"]:
                going.append(ref)
        solid = tuple(ref for ref in owned.solid if ref not in going)
        return replace(owned, solid=solid, dangling=(*owned.dangling, *going))

    yield _owned(change)


@mutant(
    "old-deletion-mark-kills-successors",
    breaks=("API-031",),
    after=(
        "instaclustr/cassandra-operator#402",
        "Orange-OpenSource/casskop#316",
        "k8ssandra/cass-operator#118",
        "pravega/zookeeper-operator#312",
    ),
    needs=("stale",),
    family="NAME",
)
def old_deletion_mark_kills_successors() -> Iterable[Edit]:
    """A deletion mark of a former owner, shown again after a restart, dooms what belongs to its namesake."""
    yield from _acts_on_old_deletion()


@mutant("orphans-are-collected", breaks=("API-033",), family="SCOPE")
def orphans_are_collected() -> Iterable[Edit]:
    """Deleting an owner without its dependents takes them along all the same."""
    yield edit(collection.set_free, "body", lambda original: lambda seen, at: None)


@mutant("foreground-does-not-wait", breaks=("API-032",), family="FINAL")
def foreground_does_not_wait() -> Iterable[Edit]:
    """An owner that is deleted in the foreground goes before its dependents."""
    yield edit(collection, "_blocks", lambda original: lambda dependent, owner: False)


@mutant("foreground-never-ends", breaks=("API-038",), family="FINAL")
def foreground_never_ends() -> Iterable[Edit]:
    """An owner that is deleted in the foreground waits for references that do not block it, and for ever."""

    def make(original: Any) -> Any:
        def let_go(seen: Any, at: Key) -> Any:
            owner = seen.lookup(at)
            return STOP if owner is not None and collection.waits(owner) else original(seen, at)

        return let_go

    yield edit(collection.let_go_waiting, "body", make)


@mutant("collects-by-name-late", breaks=("API-034",), after="DataDog/draino#199", needs=("late",), family="NAME")
def collects_by_name_late() -> Iterable[Edit]:
    """The collector's delete names no UID, so one that is late removes what was made anew under the name."""

    def make(original: Any) -> Any:
        def delete(obj: Any, policy: str) -> Any:
            effect = original(obj, policy)
            return replace(effect, blind=True, options={"propagation": policy}) if isinstance(effect, Write) else effect

        return delete

    yield edit(collection, "_delete", make)


@mutant("namespace-leaves-things", breaks=("API-035",), family="SCOPE")
def namespace_leaves_things() -> Iterable[Edit]:
    """A namespace goes while there is something in it."""
    yield edit(namespaces.empty, "body", lambda original: lambda seen, at: None)
    yield edit(namespaces.await_empty, "body", lambda original: lambda seen, at: None)


@mutant("namespace-never-goes", breaks=("API-037",), family="FINAL")
def namespace_never_goes() -> Iterable[Edit]:
    """A namespace that is deleted stays, empty as it is."""
    yield edit(namespaces.finalize, "body", lambda original: lambda seen, at: STOP)
