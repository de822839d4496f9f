"""Which part of a plan a running cluster can play: the faults that it can make, no exact turns, and short waits.

What is left out, or is not done as the plan says, is named with its reason, never passed over in silence.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from pvkit.backends.live.disturbing import LACKS, lacking
from pvkit.backends.objects import get, name, put, without
from pvkit.backends.protocol import Fault, Operation, Setup
from pvkit.strategies.plan import Plan, Settle, Step, Turns

PLAYABLE_FEATURES = ("views", "crashes", "calls", "leaders", "rivals", "guards", "faltering", "strays", "guesses")
"""Features of plans whose disturbances a cluster that was started for faults can make, for the most part."""

AHEAD = ("refuse", "lose-answer", "delay")
"""Faults that wait for a call to come."""

CHANCE = "of two pods that have one ordinal, such as web-0 and web-00, a set looks at either, each time anew (SCALE-11)"
NODE_GONE = "the end of a pod whose node is not there takes a minute"
SETTLED = "gates and options are those of the components that run"
_PADDED = re.compile(r"-0\d+$")


def for_cluster(plan: Plan, version: str) -> tuple[Plan, tuple[str, ...]]:
    """The plan as a running cluster of that version plays it in little time, and what is left out or done otherwise.

    Each note has the number of the step in the plan as it was, what became of it and why: `step 4: crash: reason`.
    """
    nodes, disturbed = [name(node) for node in plan.setup.nodes], is_disturbed(plan)
    steps: list[Step] = []
    notes: list[str] = []
    for number, step in enumerate(plan.steps):
        reason = _lacking(step)
        if reason:
            notes.append(f"step {number + 1}: {_word(step)}: {reason}")
            continue
        for change in (_hurried, partial(_placed, nodes=nodes), *((_unscrubbed,) if disturbed else ())):
            step, reason = change(step)
            notes += [f"step {number + 1}: {_word(step)} {reason}"] if reason else []
        steps.append(step)
    notes += [f"schedule: {LACKS['turns']}"] if plan.schedule else []
    notes += [f"setup: {SETTLED}" for made in (plan.setup.gates, plan.setup.options) if made]
    setup = Setup(version, plan.setup.nodes, plan.setup.namespaces)
    return replace(plan, steps=tuple(steps), setup=setup, schedule=()), tuple(notes)


def _word(step: Step) -> str:
    return step.word if isinstance(step, Fault) else step.verb if isinstance(step, Operation) else "turns"


def _lacking(step: Step) -> str:
    """Why a step is left out, "" where it is not."""
    if isinstance(step, Turns):
        return LACKS["turns"]
    if isinstance(step, Fault):
        return lacking(step)
    if not isinstance(step, Operation):
        return ""
    made = step.object if step.verb == "create" else None
    if made is not None and made["kind"] == "Pod" and _PADDED.search(name(made)):
        return CHANCE
    gone = step.target if step.verb == "delete" else None
    return NODE_GONE if gone is not None and gone.kind == "Node" else ""


def _hurried(step: Step) -> tuple[Step, str]:
    """Waits of many seconds become waits of one."""
    return _rewritten(step, _wait, "with short waits: time passes by itself on a cluster")


def _wait(field: str, value: Any) -> Any:
    if field == "minReadySeconds" and isinstance(value, int) and value > 1:
        return 1
    if isinstance(value, str) and (value.startswith("slow:") or (field == "slow" and value.isdecimal())):
        return "slow:1" if value.startswith("slow:") else "1"
    return value


def _unscrubbed(step: Step) -> tuple[Step, str]:
    """No recycling: the pod that scrubs a volume meets the faults of a plan on a cluster, and the model has none."""
    return _rewritten(
        step,
        lambda _, value: "Retain" if value == "Recycle" else value,
        "with Retain for Recycle: on a cluster the pod that scrubs meets the faults, and the model has none",
    )


def _placed(step: Step, nodes: Sequence[str]) -> tuple[Step, str]:
    """A pod is put on a node by hand only if the node is there, and if the pod has no claims."""
    made = step.object if isinstance(step, Operation) else None
    node = get(made, "spec", "nodeName") if made is not None and made.get("kind") == "Pod" else None
    if not isinstance(step, Operation) or made is None or not node:
        return step, ""
    if get(made, "spec", "volumes"):
        reason = "on no node that is given: a simulated kubelet does not wait for volumes"
        return replace(step, object=without(made, ("spec", "nodeName"))), reason
    if node in nodes or not nodes:
        return step, ""
    return replace(step, object=put(made, ("spec", "nodeName"), nodes[0])), f"on another node: {NODE_GONE}"


def _rewritten(step: Step, value: Callable[[str, Any], Any], reason: str) -> tuple[Step, str]:
    """The step with the values of its fields as `value` says; and the reason, if there are any others then."""
    if not isinstance(step, Operation):
        return step, ""
    found = replace(step, object=_each(step.object, value), patch=_each(step.patch, value))
    return (found, reason) if found != step else (step, "")


def _each(tree: Any, value: Callable[[str, Any], Any], field: str = "") -> Any:
    if isinstance(tree, dict):
        return {field: _each(entry, value, field) for field, entry in tree.items()}
    return [_each(entry, value) for entry in tree] if isinstance(tree, list) else value(field, tree)


def is_disturbed(plan: Plan) -> bool:
    """Whether a plan holds a fault that a cluster can make, other than `heal`."""
    return any(isinstance(step, Fault) and step.word != "heal" and not lacking(step) for step in plan.steps)


def rested(plan: Plan) -> Plan:
    """The plan with a rest after each operation and each fault, so that nothing depends on who is quicker.

    Calls that are to be refused, lost or delayed are counted from the fault on, so nothing is rested for after those.
    """
    steps: list[Step] = []
    for step, following in zip(plan.steps, _next(plan.steps), strict=True):
        steps.append(step)
        waits = isinstance(step, Operation) or (isinstance(step, Fault) and step.word not in AHEAD)
        if waits and not isinstance(following, Settle):
            steps.append(Settle())
    return replace(plan, steps=tuple(steps))


def _next(steps: Sequence[Step]) -> list[Step | None]:
    return [*steps[1:], None] if steps else []
