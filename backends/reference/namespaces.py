"""Namespaces: a namespace that is deleted takes all it holds with it.

A namespace has finalizers of its own, in its spec. Deleting it only makes it Terminating, and from then on nothing
new is admitted; a controller deletes what is inside and, once nothing is left, takes the last finalizer away.
"""

from collections.abc import Hashable, Iterable
from typing import Any

from pvkit.backends.errors import Forbidden
from pvkit.backends.objects import NAMESPACED, Key, Obj, deleting, name, put
from pvkit.backends.reference.rules import STOP, After, Controller, Effect, Write, itself, rule
from pvkit.backends.reference.view import Seen
from pvkit.backends.tables import Index

FINALIZER = "kubernetes"
RECOUNT = 60.0
"""Seconds until what is left in a namespace is counted again, when the cache and the API server do not agree."""
_IMMORTAL = ("default", "kube-system", "kube-public")


def born(namespace: Obj) -> Obj:
    """A namespace as it is first stored."""
    return {
        **namespace,
        "spec": {**(namespace.get("spec") or {}), "finalizers": [FINALIZER]},
        "status": {"phase": "Active"},
    }


def spec_finalizers(obj: Obj) -> list[str]:
    """`spec.finalizers` of a namespace; none for any other kind."""
    return list((obj.get("spec") or {}).get("finalizers") or ()) if obj["kind"] == "Namespace" else []


def marked(obj: Obj) -> Obj:
    """What a deletion request does to an object beside the marks that all kinds get: a namespace is Terminating."""
    if obj["kind"] != "Namespace":
        return obj
    if name(obj) in _IMMORTAL:
        raise Forbidden(f'namespaces "{name(obj)}" is forbidden: this namespace may not be deleted')
    return put(obj, ("status", "phase"), "Terminating")


def _alive(obj: Obj) -> Iterable[tuple[Hashable, Any]]:
    if not deleting(obj):
        yield obj["metadata"]["namespace"], name(obj)


def _all(obj: Obj) -> Iterable[tuple[Hashable, Any]]:
    yield obj["metadata"]["namespace"], name(obj)


KINDS = tuple(sorted(NAMESPACED))
ALIVE = {kind: Index(f"live {kind} by namespace", kind, _alive) for kind in KINDS}
CONTENTS = {kind: Index(f"{kind} by namespace", kind, _all, of_spec=True) for kind in KINDS}


@rule("NAMESPACE-1", on="Namespace")
def rest(seen: Seen, at: Key) -> Effect | None:
    """A namespace that is not deleted, or waits for others' finalizers only, needs nothing."""
    namespace = seen.lookup(at)
    return STOP if namespace is None or not deleting(namespace) or not spec_finalizers(namespace) else None


@rule("NAMESPACE-2", on="Namespace")
def empty(seen: Seen, at: Key) -> Effect | None:
    """What is in a namespace that is deleted is deleted."""
    for index in ALIVE.values():
        found = next(seen.find(index, at.name), None)
        if found is not None:
            return Write("delete", found, tolerate=("NotFound",), options={"propagation": "Background"})
    return None


@rule("NAMESPACE-3", on="Namespace")
def await_empty(seen: Seen, at: Key) -> Effect | None:
    """A namespace stays while anything in it terminates."""
    if any(next(seen.find(index, at.name), None) is not None for index in CONTENTS.values()):
        return STOP
    return After(RECOUNT) if any(seen.live_list(kind, at.name) for kind in KINDS) else None


@rule("NAMESPACE-4", on="Namespace")
def finalize(seen: Seen, at: Key) -> Effect | None:
    """An empty namespace that is deleted loses its finalizer, and goes."""
    namespace = seen.lookup(at)
    assert namespace is not None
    made = put(namespace, ("spec", "finalizers"), [entry for entry in spec_finalizers(namespace) if entry != FINALIZER])
    return Write("update", made, tolerate=("NotFound",), options={"subresource": "finalize"})


def _content_changed(old: Obj | None, new: Obj | None, seen: Seen) -> Iterable[Key]:
    """A terminating namespace has less in it now, or more after all."""
    obj = new or old
    assert obj is not None
    if new is not None and old is not None:
        return ()
    namespace = seen.get("Namespace", "", obj["metadata"]["namespace"])
    return (Key("Namespace", "", name(namespace)),) if namespace is not None and deleting(namespace) else ()


NAMESPACES = Controller(
    name="namespace",
    rules={"Namespace": (rest, empty, await_empty, finalize)},
    watches={"Namespace": itself, **dict.fromkeys(KINDS, _content_changed)},
)
