"""How the scheduler says that a pod found no node: condition PodScheduled, and an event with the same words.

The texts are no API. The suffix comes of plugins that run after a failure, and differs from version to version
(SCHED-11); a checker matches substrings.
"""

from collections import Counter

from pvkit.backends.objects import Obj, without
from pvkit.backends.reference.conditions import patched, with_condition
from pvkit.backends.reference.rules import Write
from pvkit.backends.reference.view import Seen
from pvkit.backends.workloads import node_name

UNSCHEDULABLE, ERROR = "Unschedulable", "SchedulerError"
NO_NODES = "no nodes available to schedule pods"


def failure(seen: Seen, pod: Obj, reason: str, message: str, unnominate: bool = False) -> Write | None:
    """The patch that says so, `None` if the pod says so already, is gone or has a node after all."""

    def edit(stored: Obj) -> Obj:
        if node_name(stored):
            return stored
        if unnominate:
            stored = without(stored, ("status", "nominatedNodeName"))
        return with_condition(stored, "PodScheduled", "False", seen.now, reason, message)

    edited = patched(seen, pod, edit)
    if edited is None:
        return None
    return Write("update-status", edited, say=("Warning", "FailedScheduling", message[:1024]), said_of=pod)


def before_nodes(minor: int, nodes: int, why: str) -> str:
    """The message when a pre-filter refused the pod for every node."""
    suffix = "not found" if minor >= 34 else _preemption(nodes, f"{nodes} Preemption is not helpful for scheduling.")
    return f"0/{nodes} nodes are available: {why}. {suffix}"


def on_nodes(minor: int, nodes: int, reasons: "Counter[str]", helpful: bool) -> str:
    """The message when each node was refused; `helpful` tells that preemption was tried, and found nobody."""
    counted = ", ".join(sorted(f"{count} {reason}" for reason, count in reasons.items()))
    outcome = (
        "No preemption victims found for incoming pod." if helpful else "Preemption is not helpful for scheduling."
    )
    claims = "no new claims to deallocate, " if 34 <= minor <= 36 else ""
    return f"0/{nodes} nodes are available: {counted}. {claims}{_preemption(nodes, f'{nodes} {outcome}')}"


def _preemption(nodes: int, outcome: str) -> str:
    return f"preemption: 0/{nodes} nodes are available: {outcome}"
