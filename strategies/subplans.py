"""Parts of a plan: strategies with which Hypothesis makes a plan smaller that is at hand.

A plan that failed on a cluster, or was read from a file, was drawn from nothing that could be shrunk. Its parts can:
each byte of a mask keeps or, when it is zero, drops something, and nearly every mask keeps nearly all, so the search
begins about where the plan stands. A byte stands for a half before its quarters, so that what does not matter goes at
one blow.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import count
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from pvkit.backends.objects import Obj
from pvkit.backends.protocol import Operation, Setup
from pvkit.strategies.plan import Plan, Step

Mask = Iterator[int]
"""Numbers of which each keeps something unless it is zero. All are read, whatever was dropped before."""
Entry = TypeVar("Entry")

ALWAYS = ("apiVersion", "kind", "metadata", "name", "namespace", "spec")
"""The fields that no object goes without."""


def subplans(plan: Plan) -> SearchStrategy[Plan]:
    """Plans of some of the steps, departures, nodes and settings of one, in their order."""
    return _masked(plan, _shorter)


def plainer_plans(plan: Plan) -> SearchStrategy[Plan]:
    """Plans of the same steps, whose objects and patches say less."""
    return _masked(plan, _plainer)


def _masked(plan: Plan, part: Callable[[Plan, Mask], Plan]) -> SearchStrategy[Plan]:
    numbers = count(1)
    part(plan, numbers)
    length = next(numbers) - 1
    return st.binary(min_size=length, max_size=length).map(lambda mask: part(plan, iter(mask)))


def _shorter(plan: Plan, mask: Mask) -> Plan:
    schedule, steps = _some(plan.schedule, mask), _some(plan.steps, mask)
    return replace(plan, steps=tuple(steps), schedule=tuple(schedule), setup=_setup(plan.setup, mask))


def _some(entries: Sequence[Entry], mask: Mask) -> list[Entry]:
    if not entries:
        return []
    kept = next(mask)
    if len(entries) == 1:
        return list(entries) if kept else []
    middle = len(entries) // 2
    found = _some(entries[:middle], mask) + _some(entries[middle:], mask)
    return found if kept else []


def _setup(setup: Setup, mask: Mask) -> Setup:
    """The first node stays; without any, a plan means something else."""
    return replace(
        setup,
        nodes=(*setup.nodes[:1], *_some(setup.nodes[1:], mask)),
        namespaces=tuple(_some(setup.namespaces, mask)),
        gates=dict(_some(list(setup.gates.items()), mask)),
        options=dict(_some(list(setup.options.items()), mask)),
    )


def _plainer(plan: Plan, mask: Mask) -> Plan:
    return replace(plan, steps=tuple(_plainer_step(step, mask) for step in plan.steps))


def _plainer_step(step: Step, mask: Mask) -> Step:
    if not isinstance(step, Operation):
        return step
    options = step.options if step.verb == "scale" else dict(_some(list(step.options.items()), mask))
    return replace(step, object=_pruned(step.object, mask), patch=_pruned(step.patch, mask), options=options)


def _pruned(tree: Any, mask: Mask) -> Any:
    """A tree without some of its fields and entries."""
    if isinstance(tree, list):
        return _some([_pruned(entry, mask) for entry in tree], mask)
    if not isinstance(tree, dict):
        return tree
    made: Obj = {}
    for field, value in tree.items():
        kept = field in ALWAYS or next(mask)
        branch = _pruned(value, mask)
        if kept:
            made[field] = branch
    return made
