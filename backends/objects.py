"""Kubernetes objects as their JSON trees, and the words that every kind shares.

Objects are plain dictionaries: they are the YAML a person writes, the body a server sends, and the line in a trace.
Nobody changes a tree in place; `put` and `without` return a new tree that shares all it does not touch, so keeping
every state of a history is cheap. `storage.py` and `workloads.py` hold the words of particular kinds.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

Obj = dict[str, Any]

API_VERSIONS = {
    "PersistentVolume": "v1",
    "PersistentVolumeClaim": "v1",
    "Pod": "v1",
    "Node": "v1",
    "Namespace": "v1",
    "Service": "v1",
    "Event": "v1",
    "ResourceQuota": "v1",
    "LimitRange": "v1",
    "StorageClass": "storage.k8s.io/v1",
    "VolumeAttributesClass": "storage.k8s.io/v1",
    "CSIDriver": "storage.k8s.io/v1",
    "CSINode": "storage.k8s.io/v1",
    "CSIStorageCapacity": "storage.k8s.io/v1",
    "StatefulSet": "apps/v1",
    "ControllerRevision": "apps/v1",
    "EndpointSlice": "discovery.k8s.io/v1",
    "Asset": "ledger.pvkit.dev/v1",
    "Process": "ledger.pvkit.dev/v1",
}
"""Kinds that plans and histories speak of. `Asset` and `Process` are ledgers: what a storage backend holds, and what
a node really runs. They are seen in histories and are no part of the Kubernetes API."""

LEDGERS = frozenset({"Asset", "Process"})

NAMESPACED = frozenset(
    {
        "PersistentVolumeClaim",
        "Pod",
        "Service",
        "Event",
        "ResourceQuota",
        "LimitRange",
        "StatefulSet",
        "ControllerRevision",
        "EndpointSlice",
        "CSIStorageCapacity",
    }
)


class Key(NamedTuple):
    """What names an object at one moment: kind, namespace ("" for cluster-scoped kinds), name."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


_key: Callable[[tuple[str, str, str]], Key] = partial(tuple.__new__, Key)
"""Makes a key of its three parts in half the time: keys are made at every turn."""


def key(obj: Obj) -> Key:
    """The key under which an object is stored."""
    metadata = obj["metadata"]
    return _key((obj["kind"], metadata.get("namespace", ""), metadata["name"]))


def name(obj: Obj) -> str:
    """`metadata.name`."""
    return str(obj["metadata"]["name"])


def namespace(obj: Obj) -> str:
    """`metadata.namespace`, "" for cluster-scoped kinds."""
    return str(obj["metadata"].get("namespace", ""))


def uid(obj: Obj) -> str:
    """`metadata.uid`, "" before the server gave one."""
    return str(obj["metadata"].get("uid", ""))


def version(obj: Obj) -> int:
    """`metadata.resourceVersion` as a number, 0 when absent (RACE-04: the real controllers parse it so)."""
    return int(obj["metadata"].get("resourceVersion") or 0)


def labels(obj: Obj) -> Mapping[str, str]:
    """`metadata.labels`."""
    return obj["metadata"].get("labels") or {}


def annotations(obj: Obj) -> Mapping[str, str]:
    """`metadata.annotations`."""
    return obj["metadata"].get("annotations") or {}


def finalizers(obj: Obj) -> tuple[str, ...]:
    """`metadata.finalizers`, in order."""
    return tuple(obj["metadata"].get("finalizers") or ())


def deleting(obj: Obj) -> bool:
    """Whether a deletion was asked for and is not yet carried out (`metadata.deletionTimestamp`)."""
    return "deletionTimestamp" in obj["metadata"]


def created_at(obj: Obj) -> str:
    """`metadata.creationTimestamp`, RFC 3339 with one-second resolution; such texts compare as times do."""
    return str(obj["metadata"].get("creationTimestamp", ""))


def owners(obj: Obj) -> tuple[Obj, ...]:
    """`metadata.ownerReferences`."""
    return tuple(obj["metadata"].get("ownerReferences") or ())


def controller_of(obj: Obj) -> Obj | None:
    """The one owner reference with `controller: true`, if any."""
    for owner in obj["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            found: Obj = owner
            return found
    return None


def phase(obj: Obj) -> str:
    """`status.phase`, "" before anybody wrote one."""
    status = obj.get("status")
    return str(status.get("phase", "")) if status else ""


def condition(obj: Obj, kind: str) -> Obj | None:
    """The entry of `status.conditions` with that type."""
    for entry in (obj.get("status") or {}).get("conditions") or ():
        if entry.get("type") == kind:
            found: Obj = entry
            return found
    return None


def get(obj: Obj, *path: str) -> Any:
    """What stands at a path of keys, `None` where the path ends early."""
    node: Any = obj
    for step in path:
        if not isinstance(node, dict):
            return None
        node = node.get(step)
    return node


def put(obj: Obj, path: tuple[str, ...], value: Any) -> Obj:
    """A copy with `value` at the path of keys; the original is untouched, and what the path misses is shared."""
    head, rest = path[0], path[1:]
    copy = dict(obj)
    copy[head] = put(copy.get(head) or {}, rest, value) if rest else value
    return copy


def without(obj: Obj, path: tuple[str, ...]) -> Obj:
    """A copy without what stands at the path of keys; the same object if nothing stands there."""
    parent = get(obj, *path[:-1])
    if not isinstance(parent, Mapping) or path[-1] not in parent:
        return obj
    rest = {field: value for field, value in parent.items() if field != path[-1]}
    return put(obj, path[:-1], rest) if path[:-1] else rest


def annotate(obj: Obj, **pairs: str) -> Obj:
    """A copy with these annotations; a key that is no Python name goes in by `**{"a/b": "c"}`."""
    return put(obj, ("metadata", "annotations"), {**annotations(obj), **pairs})


def reference(obj: Obj) -> Obj:
    """An object reference as client-go makes it: apiVersion, kind, namespace, name, uid, resourceVersion."""
    made = {"apiVersion": API_VERSIONS[obj["kind"]], "kind": obj["kind"], "name": name(obj), "uid": uid(obj)}
    if namespace(obj):
        made["namespace"] = namespace(obj)
    if "resourceVersion" in obj["metadata"]:
        made["resourceVersion"] = obj["metadata"]["resourceVersion"]
    return made


def owner_reference(obj: Obj) -> Obj:
    """A controller reference to an object, blocking its foreground deletion."""
    return {
        "apiVersion": API_VERSIONS[obj["kind"]],
        "kind": obj["kind"],
        "name": name(obj),
        "uid": uid(obj),
        "controller": True,
        "blockOwnerDeletion": True,
    }


def selects(selector: Obj | None, marks: Mapping[str, str]) -> bool:
    """Whether a label selector matches a set of labels; `None` and `{}` match everything (BIND-08)."""
    if not selector:
        return True
    wanted: Mapping[str, str] = selector.get("matchLabels") or {}
    if any(marks.get(label) != value for label, value in wanted.items()):
        return False
    return all(_meets(term, marks) for term in selector.get("matchExpressions") or ())


def _meets(term: Obj, marks: Mapping[str, str]) -> bool:
    value = marks.get(term["key"])
    match term["operator"]:
        case "In":
            return value is not None and value in term["values"]
        case "NotIn":
            return value is None or value not in term["values"]
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt" | "Lt" as operator:
            return _compares(operator, value, term["values"])
    return False


def _compares(operator: str, value: str | None, bounds: list[str]) -> bool:
    try:
        seen, bound = int(value or ""), int(bounds[0])
    except ValueError:
        return False
    return seen > bound if operator == "Gt" else seen < bound


def walk(obj: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every leaf of a tree with the path of keys that leads to it; list positions count as keys."""
    if isinstance(obj, Mapping) and obj:
        for field, value in obj.items():
            yield from walk(value, (*path, str(field)))
    elif isinstance(obj, list) and obj:
        for position, value in enumerate(obj):
            yield from walk(value, (*path, str(position)))
    else:
        yield path, obj
