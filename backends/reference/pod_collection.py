"""Pods that nobody else would finish: their node is gone or out of service, or they never had one.

They are set to Failed and then deleted at once, without asking a kubelet. That is the only way in which a pod with a
name of its own can be replaced while its containers may still run somewhere (POD-11).
"""

from collections.abc import Iterable
from typing import Any

from pvkit.backends.objects import Key, Obj, deleting, key, name, put
from pvkit.backends.reference.conditions import patched, with_condition
from pvkit.backends.reference.node_affinity import taints
from pvkit.backends.reference.node_lifecycle import OUT_OF_SERVICE, PODS_BY_NODE, readiness
from pvkit.backends.reference.rules import STOP, After, Controller, Effect, Write, rule
from pvkit.backends.reference.view import Seen
from pvkit.backends.workloads import is_finished, node_name

PERIOD = 20.0
"""Seconds between two looks at all pods."""
QUARANTINE = 40.0
"""Seconds for which a node must be missing before its pods are given up."""


@rule("POD-10.1", on="Pod")
def look_now_and_then(seen: Seen, at: Key) -> Effect | None:
    """Pods are looked at every twenty seconds, whatever happens in between."""
    due: dict[Key, float] = seen.memory["due"]
    when = due.setdefault(at, PERIOD * (seen.now // PERIOD + 1))
    if seen.now < when:
        return After(when - seen.now)
    return None


@rule("POD-08.1", on="Pod")
def quarantine(seen: Seen, at: Key) -> Effect | None:
    """Pods of a missing node wait until it was missing for a while, and is missing in the API server too."""
    pod = seen.lookup(at)
    if pod is None:
        return _rest(seen, at)
    node = Key("Node", "", node_name(pod))
    if not node_name(pod) or seen.lookup(node) is not None:
        seen.memory["missing"].pop(node.name, None)
        return None
    since: float = seen.memory["missing"].setdefault(node.name, seen.now)
    if seen.now < since + QUARANTINE:
        return After(since + QUARANTINE - seen.now)
    return _rest(seen, at) if seen.live(node) is not None else None


def _rest(seen: Seen, at: Key) -> Effect:
    """Nothing to do for a pod now: it is looked at again after the next event about it."""
    seen.memory["due"].pop(at, None)
    return STOP


@rule("POD-08.2", on="Pod")
def fail_orphan(seen: Seen, at: Key) -> Effect | None:
    """A pod whose node is gone for good becomes Failed."""
    pod = seen.lookup(at)
    if pod is None or not _orphaned(seen, pod):
        return None
    return _fail(seen, pod, "DeletionByPodGC", "PodGC: node no longer exists")


@rule("POD-09", on="Pod")
def fail_out_of_service(seen: Seen, at: Key) -> Effect | None:
    """A terminating pod on a node that is not ready and tainted as out of service becomes Failed."""
    pod = seen.lookup(at)
    return _fail(seen, pod) if pod is not None and _out_of_service(seen, pod) else None


@rule("POD-10.2", on="Pod")
def fail_unscheduled(seen: Seen, at: Key) -> Effect | None:
    """A terminating pod that never got a node becomes Failed."""
    pod = seen.lookup(at)
    return _fail(seen, pod) if pod is not None and _unscheduled(pod) else None


@rule("POD-11.2", on="Pod")
def delete_now(seen: Seen, at: Key) -> Effect | None:
    """A pod that was given up is deleted without grace, whichever pod of that name it is by now."""
    pod = seen.lookup(at)
    if pod is None or not _given_up(seen, pod):
        return _rest(seen, at)
    if deleting(pod) and not pod["metadata"].get("deletionGracePeriodSeconds"):
        return _rest(seen, at)
    return Write("delete", pod, blind=True, tolerate=("NotFound",), options={"grace": 0})


def _given_up(seen: Seen, pod: Obj) -> bool:
    return _orphaned(seen, pod) or _out_of_service(seen, pod) or _unscheduled(pod)


def _orphaned(seen: Seen, pod: Obj) -> bool:
    return bool(node_name(pod)) and seen.get("Node", "", node_name(pod)) is None


def _out_of_service(seen: Seen, pod: Obj) -> bool:
    node = seen.get("Node", "", node_name(pod)) if node_name(pod) else None
    if node is None or not deleting(pod) or readiness(node) == "True":
        return False
    return any(entry["key"] == OUT_OF_SERVICE for entry in taints(node))


def _unscheduled(pod: Obj) -> bool:
    return deleting(pod) and not node_name(pod)


def _fail(seen: Seen, pod: Obj, reason: str = "", message: str = "") -> Write | None:
    if is_finished(pod):
        return None

    def edit(stored: Obj) -> Obj:
        stored = put(stored, ("status", "phase"), "Failed")
        return with_condition(stored, "DisruptionTarget", "True", seen.now, reason, message) if reason else stored

    edited = patched(seen, pod, edit)
    return Write("update-status", edited) if edited else None


def _pod_changed(old: Obj | None, new: Obj | None, seen: Seen) -> Iterable[Key]:
    """A pod that will be given up unless things change."""
    return (key(new),) if new is not None and _given_up(seen, new) else ()


def _node_changed(old: Obj | None, new: Obj | None, seen: Seen) -> Iterable[Key]:
    """The pods of a node that is gone, or tainted."""
    node = new or old
    assert node is not None
    if new is not None and not any(entry["key"] == OUT_OF_SERVICE for entry in taints(new)):
        return ()
    return [key(pod) for pod in seen.find(PODS_BY_NODE, name(node))]


def _start(memory: dict[str, Any]) -> None:
    memory["due"], memory["missing"] = {}, {}


POD_COLLECTOR = Controller(
    name="pod-gc",
    rules={"Pod": (look_now_and_then, quarantine, fail_orphan, fail_out_of_service, fail_unscheduled, delete_now)},
    watches={"Node": _node_changed, "Pod": _pod_changed},
    start=_start,
)
