"""Whether a write that a rule would make is the one that was seen: the same fields changed to the same values.

What a server makes up (UIDs, versions, times, addresses, generated names) is not compared; what Kubernetes leaves open,
which of several volumes or nodes is taken, is compared as far as it is not open.
"""

from typing import Any

from pvkit.backends.objects import Obj, annotations, condition, deleting, finalizers, get, name, namespace
from pvkit.backends.protocol import Event
from pvkit.backends.reference.rules import Write
from pvkit.backends.storage import claim_ref
from pvkit.conformance.comparison import PASSING, leaves

OPEN = (
    ("spec", "nodeName"),
    ("spec", "claimRef", "uid"),
    ("spec", "volumeName"),
    *(("status", field) for field in ("currentReplicas", "updatedReplicas", "currentRevision", "updateRevision")),
)
"""Fields whose value is a choice that Kubernetes leaves open, or hangs on names that a server makes up."""
CHOSEN = "volume.kubernetes.io/selected-node"


def gist(obj: Obj | None) -> Obj:
    """An object as far as it can be compared."""
    if obj is None:
        return {}
    made: Obj = plain(obj)
    if obj["kind"] == "Pod":
        ready, scheduled = condition(obj, "Ready") or {}, condition(obj, "PodScheduled") or {}
        made["status"] = {
            "phase": get(obj, "status", "phase"),
            "ready": ready.get("status") == "True",
            "unscheduled": scheduled.get("status") == "False",
            "nominated": bool(get(obj, "status", "nominatedNodeName")),
        }
    if obj["kind"] == "StatefulSet":  # A server leaves out counts of nothing.
        made["status"] = {field: value for field, value in (made.get("status") or {}).items() if value != 0}
    if obj["kind"] == "EndpointSlice":
        made = {"kind": "EndpointSlice", "endpoints": sorted(map(_endpoint, obj.get("endpoints") or ()), key=str)}
    if CHOSEN in annotations(obj):
        made["metadata"]["annotations"][CHOSEN] = "a node"
    made.setdefault("metadata", {})["going"] = deleting(obj)
    if finalizers(obj):
        made["metadata"]["finalizers"] = sorted(finalizers(obj))
    return made


def _endpoint(entry: Obj) -> tuple[Any, ...]:
    """An endpoint without its address: its pod, its host name, and whether it is ready, serving, terminating."""
    told = entry.get("conditions") or {}
    words = ("ready", "serving", "terminating")
    return get(entry, "targetRef", "name"), entry.get("hostname"), *(bool(told.get(word)) for word in words)


def plain(tree: Any) -> Any:
    """A tree without what a server makes up, and without what is empty."""
    if isinstance(tree, dict):
        kept = {field: plain(value) for field, value in tree.items() if field not in PASSING}
        return {field: value for field, value in kept.items() if value not in (None, "", [], {})}
    return [plain(value) for value in tree] if isinstance(tree, list) else tree


def changes(old: Obj | None, new: Obj | None) -> dict[tuple[str, ...], Any]:
    """The leaves in which an object differs from what it was, with what they are now."""
    return {path: theirs for path, _, theirs in leaves(gist(old), gist(new))}


def is_same_write(write: Write, event: Event, old: Obj | None, base: Obj | None) -> bool:
    """Whether this is the write that was seen, up to what is made up and what is open.

    `old` is the object as the server had it, `base` as the writer saw it.
    """
    seen, made = event.object, write.object
    if write.verb == "create":
        if made["kind"] == "Binding":
            given = bool(get(seen, "spec", "nodeName")) and not get(old or {}, "spec", "nodeName")
            return seen["kind"] == "Pod" and name(made) == name(seen) and given
        return event.type == "ADDED" and _alike(made, seen)
    if _is_taken(made, seen, old):
        return True
    if made["kind"] != seen["kind"] or name(made) != name(seen) or namespace(made) != namespace(seen):
        return False
    if write.verb == "delete":
        return event.type == "DELETED" or (deleting(seen) and (not old or _term(old) != _term(seen)))
    if event.type == "DELETED":  # The last finalizer was taken off.
        return old is not None and deleting(made) and bool(_holds(old)) and not _holds(made)
    return _same_changes(write, seen, old, base)


def _holds(obj: Obj) -> list[str]:
    """What keeps an object from going; a namespace has a finalizer of its own kind besides."""
    return [*finalizers(obj), *((get(obj, "spec", "finalizers") or []) if obj["kind"] == "Namespace" else [])]


def _is_taken(made: Obj, seen: Obj, old: Obj | None) -> bool:
    """Whether a volume is given to the claim to which the rule would give it, or another one that will do."""
    if made["kind"] != "PersistentVolume" or seen["kind"] != "PersistentVolume" or old is None or claim_ref(old):
        return False
    meant, taken = claim_ref(made) or {}, claim_ref(seen) or {}
    return bool(taken) and (meant.get("namespace"), meant.get("name")) == (taken.get("namespace"), taken.get("name"))


def _term(obj: Obj) -> tuple[bool, Any]:
    return deleting(obj), obj["metadata"].get("deletionGracePeriodSeconds")


def _alike(made: Obj, seen: Obj) -> bool:
    """A new object of one kind, and of one name unless a server made that up."""
    if made["kind"] != seen["kind"] or namespace(made) != namespace(seen):
        return False
    return made["kind"] in ("ControllerRevision", "EndpointSlice", "PersistentVolume") or name(made) == name(seen)


def _same_changes(write: Write, seen: Obj, old: Obj | None, base: Obj | None) -> bool:
    of_status = write.verb == "update-status"
    wanted = {path: value for path, value in changes(base, write.object).items() if (path[0] == "status") is of_status}
    found = changes(old, seen)
    if not wanted or any((path[0] == "status") is not of_status for path in found):
        return False
    return all(path in OPEN or found.get(path) == value for path, value in wanted.items()) and all(
        path in OPEN or path in wanted for path in found
    )


def is_mark(old: Obj | None, new: Obj) -> bool:
    """Whether an object only changed in what is not compared."""
    return old is not None and not changes(old, new)
