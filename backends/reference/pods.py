"""Kubelets: what becomes of a pod on its node.

A kubelet starts the containers of a pod, reports how they are, and stops them. It alone knows that they have stopped:
until it says so, a deleted pod stays.
"""

from collections.abc import Iterable
from typing import Any

from pvkit.backends.objects import Key, Obj, condition, created_at, deleting, finalizers, get, key, name, phase, uid
from pvkit.backends.reference.clock import seconds, stamp
from pvkit.backends.reference.conditions import patched, with_condition
from pvkit.backends.reference.containers import PROCESSES, STARTING_RULES, USERS, own, process_of
from pvkit.backends.reference.rules import STOP, After, Controller, Effect, Write, rule
from pvkit.backends.reference.view import Seen
from pvkit.backends.storage import claim_ref
from pvkit.backends.workloads import behaviour, is_finished, node_name

ENDS = {
    "crash": ("Failed", "Error", "a container ended with an error"),
    "finish": ("Succeeded", "", ""),
    "evicted": ("Failed", "Evicted", "The node was low on resource: ephemeral-storage."),
    "reject": ("Failed", "UnexpectedAdmissionError", "Pod was rejected by its node"),
}
"""Phase, reason and message with which a pod of that behaviour ends."""

SHORTEST_LIFE, SHORTEST_RUN = 1.0, 5.0
"""Seconds that a pod exists and its containers run at least. Whoever replaces pods that fail at once, or that never can
stay where they are, does so for ever (HB-112); it must not do so in no time."""


def _patch(seen: Seen, pod: Obj, conditions: dict[str, str], **fields: Any) -> Write | None:
    """The patch of a pod's status; `None` when it says so already, or the pod is another one by now."""

    def edit(stored: Obj) -> Obj:
        made = {**stored, "status": {**(stored.get("status") or {}), **fields}}
        for kind, status in conditions.items():
            made = with_condition(made, kind, status, seen.now)
        return made

    edited = patched(seen, pod, edit)
    return Write("update-status", edited) if edited else None


_UNREADY = {"Ready": "False"}


@rule("POD-11.1", on="Pod")
def stop_stranger(seen: Seen, at: Key) -> Effect | None:
    """Containers of a pod that the API server does not know any more, at this name and on this node, are stopped."""
    pod = own(seen, at)
    for process in seen.find(PROCESSES, (seen.node, at.namespace, at.name)):
        if pod is None or process["spec"]["podUID"] != uid(pod):
            return Write("delete", process, tolerate=("NotFound",))
    return STOP if pod is None else None


@rule("POD-15.1", on="Pod")
def reject(seen: Seen, at: Key) -> Effect | None:
    """A pod that the node does not admit fails before its containers start."""
    pod = own(seen, at)
    if pod is None or behaviour(pod)[0] != "reject" or is_finished(pod) or process_of(seen, pod) is not None:
        return None
    if _too_young(pod, seen.now):
        return After(SHORTEST_LIFE)
    end, reason, message = ENDS["reject"]
    return _patch(seen, pod, {}, phase=end, reason=reason, message=message)


def _too_young(pod: Obj, now: float) -> bool:
    return now < seconds(created_at(pod)) + SHORTEST_LIFE


@rule("POD-05", on="Pod")
def hang(seen: Seen, at: Key) -> Effect | None:
    """A deleted pod whose containers do not stop keeps terminating; others take their time to stop, if told to."""
    pod = own(seen, at)
    if pod is None or not deleting(pod) or is_finished(pod):
        return None
    if behaviour(pod)[0] == "hang":
        return STOP
    if _too_young(pod, seen.now):
        return After(SHORTEST_LIFE)
    grace = int(pod["metadata"].get("deletionGracePeriodSeconds") or 0)
    asked = seconds(pod["metadata"]["deletionTimestamp"]) - grace
    left = asked + min(float(seen.setup.options.get("stopping-seconds", 0)), grace) - seen.now
    return After(left) if left > 0 and process_of(seen, pod) is not None else None


@rule("POD-15.3", on="Pod")
def run_a_while(seen: Seen, at: Key) -> Effect | None:
    """Containers that end by themselves run for a few seconds before they do."""
    pod = own(seen, at)
    if pod is None or not _ends(pod) or deleting(pod):
        return None
    left = seconds(pod["status"]["startTime"]) + SHORTEST_RUN - seen.now
    return After(left) if left > 0 else None


@rule("POD-04.1", on="Pod")
def stop_containers(seen: Seen, at: Key) -> Effect | None:
    """The containers of a pod that is deleted, has finished or is to end are stopped."""
    pod = own(seen, at)
    if pod is None or not (deleting(pod) or is_finished(pod) or _ends(pod)):
        return None
    process = process_of(seen, pod)
    return Write("delete", process, tolerate=("NotFound",)) if process is not None else None


def _ends(pod: Obj) -> bool:
    return behaviour(pod)[0] in ("crash", "finish", "evicted") and phase(pod) == "Running"


@rule("POD-15.2", on="Pod")
def end(seen: Seen, at: Key) -> Effect | None:
    """A pod whose containers ended by themselves, or were evicted, says how."""
    pod = own(seen, at)
    if pod is None or not _ends(pod) or is_finished(pod):
        return None
    end, reason, message = ENDS[behaviour(pod)[0]]
    told = {"reason": reason, "message": message} if reason else {}
    return _patch(seen, pod, _UNREADY, phase=end, **told)


@rule("POD-04.2", on="Pod")
def finish_deleted(seen: Seen, at: Key) -> Effect | None:
    """A deleted pod is Succeeded or Failed before it goes: Failed if its containers never ran."""
    pod = own(seen, at)
    if pod is None or not deleting(pod) or is_finished(pod):
        return None
    ran = phase(pod) == "Running"
    return _patch(seen, pod, _UNREADY, phase="Succeeded" if ran else "Failed")


@rule("POD-04.3", on="Pod")
def remove(seen: Seen, at: Key) -> Effect | None:
    """A deleted pod that has finished is removed for good, if it is still this pod."""
    pod = own(seen, at)
    if pod is None or not (deleting(pod) or is_finished(pod)):
        return None
    if not deleting(pod) or (finalizers(pod) and not pod["metadata"].get("deletionGracePeriodSeconds")):
        return STOP
    return Write("delete", pod, tolerate=("NotFound",), options={"grace": 0})


@rule("POD-14.1", on="Pod")
def break_off(seen: Seen, at: Key) -> Effect | None:
    """A pod whose containers broke off, as when its node lost power, is not ready until they run again."""
    pod = own(seen, at)
    if pod is None or phase(pod) != "Running" or process_of(seen, pod) is not None:
        return None
    return _patch(seen, pod, _UNREADY)


@rule("POD-14.2", on="Pod")
def report(seen: Seen, at: Key) -> Effect | None:
    """A pod whose containers run says so with its address, and becomes ready when they are."""
    pod = own(seen, at)
    if pod is None or process_of(seen, pod) is None:
        return STOP
    started = get(pod, "status", "startTime") or stamp(int(seen.now))
    left = _seconds_to_ready(pod, seconds(started), seen.now)
    conditions = {"PodScheduled": "True", "Ready": "False" if left else "True"}
    address = {"podIP": address_of(pod), "podIPs": [{"ip": address_of(pod)}], "startTime": started}
    written = _patch(seen, pod, conditions, phase="Running", **address)
    return written or (After(left) if left > 0 else STOP)


def _seconds_to_ready(pod: Obj, started: float, now: float) -> float:
    """How long until a pod that started then is ready: 0 when it is, negative when it never will be."""
    word, delay = behaviour(pod)
    if word == "slow":
        return max(started + delay - now, 0.0)
    return -1.0 if word == "unready" else 0.0


def address_of(pod: Obj) -> str:
    """An address for this incarnation of a pod: no two pods of a plan have the same."""
    number = int(uid(pod)[:8], 16)
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


@rule("POD-07.1", on="Node")
def be_ready(seen: Seen, at: Key) -> Effect | None:
    """A kubelet that reaches the API server says that its node is ready."""
    node = seen.lookup(at)
    if node is None or (condition(node, "Ready") or {}).get("status") == "True":
        return STOP
    edited = patched(
        seen, node, lambda stored: with_condition(stored, "Ready", "True", seen.now, "KubeletReady", "kubelet is ready")
    )
    return Write("update-status", edited) if edited else STOP


def _pod_changed(old: Obj | None, new: Obj | None, seen: Seen) -> Iterable[Key]:
    for pod in (new, old):
        if pod is not None and node_name(pod) == seen.node:
            return (key(pod),)
    return ()


def _process_changed(old: Obj | None, new: Obj | None, seen: Seen) -> Iterable[Key]:
    """Containers without their pod are stopped, and those that broke off are started again."""
    process = new or old
    assert process is not None
    spec = process["spec"]
    if spec["node"] != seen.node:
        return ()
    at = Key("Pod", spec["namespace"], spec["pod"])
    pod = seen.lookup(at)
    known = pod is not None and uid(pod) == spec["podUID"]
    return (at,) if known != (new is not None) else ()


def _claim_changed(old: Obj | None, new: Obj | None, seen: Seen) -> Iterable[Key]:
    return [key(pod) for pod in seen.find(USERS, (seen.node, key(new)))] if new is not None else ()


def _volume_changed(old: Obj | None, new: Obj | None, seen: Seen) -> Iterable[Key]:
    ref = claim_ref(new) if new is not None else None
    if ref is None:
        return ()
    claim = Key("PersistentVolumeClaim", str(ref.get("namespace") or ""), str(ref.get("name") or ""))
    return [key(pod) for pod in seen.find(USERS, (seen.node, claim))]


def _node_changed(old: Obj | None, new: Obj | None, seen: Seen) -> Iterable[Key]:
    return (key(new),) if new is not None and name(new) == seen.node else ()


KUBELET = Controller(
    name="kubelet",
    rules={
        "Pod": (
            stop_stranger,
            reject,
            hang,
            run_a_while,
            stop_containers,
            end,
            finish_deleted,
            remove,
            break_off,
            *STARTING_RULES,
            report,
        ),
        "Node": (be_ready,),
    },
    watches={
        "Process": _process_changed,
        "Pod": _pod_changed,
        "PersistentVolumeClaim": _claim_changed,
        "PersistentVolume": _volume_changed,
        "Node": _node_changed,
    },
    each_node=True,
)
