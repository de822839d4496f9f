"""Nodes that do not answer: after a while a node counts as not ready, and later its pods are marked for deletion.

The pods stay: only their kubelet can confirm that their containers have stopped (POD-07). When the node is back, its
taints go, and pods that were not yet marked live on.
"""

from collections.abc import Hashable, Iterable
from typing import Any

from pvkit.backends.objects import Key, Obj, condition, deleting, key, name, put
from pvkit.backends.reference.clock import seconds, stamp
from pvkit.backends.reference.conditions import patched, with_condition
from pvkit.backends.reference.node_affinity import taints, tolerates
from pvkit.backends.reference.rules import STOP, After, Controller, Effect, Write, rule
from pvkit.backends.reference.view import Seen
from pvkit.backends.tables import Index
from pvkit.backends.workloads import is_finished, node_name

GRACE = 40.0
"""Seconds without a word from a kubelet after which its node counts as unreachable, unless `node-grace-seconds` says
otherwise; 50 is the default of the real controller since 1.32."""
TOLERANCE = 300.0
"""Seconds for which every pod tolerates an unready node, as admission writes it into pods that say nothing."""

UNREACHABLE, NOT_READY = "node.kubernetes.io/unreachable", "node.kubernetes.io/not-ready"
OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"


def _by_node(pod: Obj) -> Iterable[tuple[Hashable, Any]]:
    if node_name(pod):
        yield node_name(pod), name(pod)


PODS_BY_NODE = Index("pods by node", "Pod", _by_node, of_spec=True)


def readiness(node: Obj) -> str:
    """The status of condition Ready: `True`, `False` or `Unknown`; "" before a kubelet wrote it."""
    return str((condition(node, "Ready") or {}).get("status", ""))


@rule("POD-07.2", on="Node")
def mark_unreachable(seen: Seen, at: Key) -> Effect | None:
    """A node whose kubelet was silent for too long is not known to be ready any more."""
    node = seen.lookup(at)
    silent = seen.world.get("cut-off", {}).get(at.name)
    if node is None:
        return STOP
    if silent is None or readiness(node) == "Unknown":
        return None
    left = silent + float(seen.setup.options.get("node-grace-seconds", GRACE)) - seen.now
    if left > 0:
        return After(left)
    why = ("NodeStatusUnknown", "Kubelet stopped posting node status.")
    edited = patched(seen, node, lambda stored: with_condition(stored, "Ready", "Unknown", seen.now, *why))
    return Write("update-status", edited) if edited else None


@rule("POD-07.3", on="Node")
def taint(seen: Seen, at: Key) -> Effect | None:
    """The taints of a node follow its readiness: unreachable or not ready, and none when it is ready."""
    node = seen.lookup(at)
    if node is None:
        return STOP
    mark = {"Unknown": UNREACHABLE, "False": NOT_READY}.get(readiness(node))
    kept = [entry for entry in taints(node) if entry["key"] not in (UNREACHABLE, NOT_READY) or entry["key"] == mark]
    if mark and not any(entry["key"] == mark for entry in kept):
        kept.append({"key": mark, "effect": "NoSchedule"})
        kept.append({"key": mark, "effect": "NoExecute", "timeAdded": stamp(int(seen.now))})
    return Write("update", put(node, ("spec", "taints"), kept)) if kept != taints(node) else STOP


@rule("POD-07.4", on="Pod")
def mark_unready(seen: Seen, at: Key) -> Effect | None:
    """Pods on a node that is not ready are not ready either."""
    pod, node = _placed(seen, at)
    if pod is None:
        return STOP
    ready = condition(pod, "Ready")
    if node is None or readiness(node) in ("", "True") or ready is None or ready["status"] == "False":
        return None
    edited = patched(seen, pod, lambda stored: with_condition(stored, "Ready", "False", seen.now))
    words = ("Warning", "NodeNotReady", "Node is not ready")
    return Write("update-status", edited, say=words, said_of=pod) if edited else None


def _placed(seen: Seen, at: Key) -> tuple[Obj | None, Obj | None]:
    """A pod on a node, and that node."""
    pod = seen.lookup(at)
    if pod is None or not node_name(pod):
        return None, None
    return pod, seen.get("Node", "", node_name(pod))


@rule("POD-07.5", on="Pod")
def tolerate(seen: Seen, at: Key) -> Effect | None:
    """A pod stays on a node with a NoExecute taint for as long as it tolerates that."""
    pod, node = _placed(seen, at)
    if pod is None or node is None or deleting(pod) or is_finished(pod):
        return STOP
    until = min((_until(pod, entry, seen.now) for entry in taints(node)), default=None)
    if until is None or until == float("inf"):
        return STOP
    return After(until - seen.now) if until > seen.now else None


def _until(pod: Obj, mark: Obj, now: float) -> float:
    """Until when a pod tolerates a taint; without a word of its own it tolerates an unready node for a while."""
    if mark.get("effect") != "NoExecute":
        return float("inf")
    since, found = seconds(mark["timeAdded"]) if "timeAdded" in mark else now, tolerates(pod, mark)
    if found is None:
        return since + TOLERANCE if mark["key"] in (UNREACHABLE, NOT_READY) else since
    return since + float(found["tolerationSeconds"]) if "tolerationSeconds" in found else float("inf")


@rule("POD-07.6", on="Pod")
def announce_eviction(seen: Seen, at: Key) -> Effect | None:
    """A pod that does not tolerate its node any longer says so before it is deleted."""
    pod, _ = _placed(seen, at)
    assert pod is not None
    why = ("DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint")
    edited = patched(seen, pod, lambda stored: with_condition(stored, "DisruptionTarget", "True", seen.now, *why))
    return Write("update-status", edited) if edited else None


@rule("POD-07.7", on="Pod")
def evict(seen: Seen, at: Key) -> Effect | None:
    """A pod that does not tolerate its node any longer is deleted, with its usual grace."""
    pod, _ = _placed(seen, at)
    assert pod is not None
    return Write("delete", pod, blind=True, tolerate=("NotFound",))


def _node_changed(old: Obj | None, new: Obj | None, seen: Seen) -> Iterable[Key]:
    """A node; and its pods, when what they suffer from changed."""
    if new is None:
        return ()
    same = old is not None and readiness(old) == readiness(new) and taints(old) == taints(new)
    at_ease = readiness(new) in ("", "True") and not taints(new)
    return (key(new), *(() if same or at_ease else map(key, seen.find(PODS_BY_NODE, name(new)))))


def _pod_changed(old: Obj | None, new: Obj | None, seen: Seen) -> Iterable[Key]:
    node = seen.get("Node", "", node_name(new)) if new is not None else None
    if new is None or node is None or (readiness(node) in ("", "True") and not taints(node)):
        return ()
    return (key(new),)


NODE_LIFECYCLE = Controller(
    name="node-lifecycle",
    rules={"Node": (mark_unreachable, taint), "Pod": (mark_unready, tolerate, announce_eviction, evict)},
    watches={"Node": _node_changed, "Pod": _pod_changed},
)
