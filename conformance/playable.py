"""Which part of a plan a running cluster can play: the faults that it can make, and no exact turns.

What is left out is named with its reason, never passed over in silence.
"""

from collections.abc import Sequence
from dataclasses import replace

from pvkit.backends.live.disturbing import LACKS, lacking
from pvkit.backends.protocol import Fault, Operation
from pvkit.strategies.plan import Plan, Settle, Step, Turns

PLAYABLE_FEATURES = ("views", "crashes", "calls", "leaders", "rivals", "guards", "faltering", "strays", "guesses")
"""Features of plans whose disturbances a cluster that was started for faults can make, for the most part."""

AHEAD = ("refuse", "lose-answer", "delay")
"""Faults that wait for a call to come."""


def playable(plan: Plan) -> tuple[Plan, tuple[str, ...]]:
    """The plan with what a cluster for faults can be told, and what was left out: `step 4: crash: reason`."""
    steps: list[Step] = []
    notes: list[str] = []
    for number, step in enumerate(plan.steps):
        reason = _lacking(step)
        if reason:
            notes.append(f"step {number + 1}: {step.word if isinstance(step, Fault) else 'turns'}: {reason}")
        else:
            steps.append(step)
    if plan.schedule:
        notes.append(f"schedule: {LACKS['turns']}")
    return replace(plan, steps=tuple(steps), schedule=()), tuple(notes)


def _lacking(step: Step) -> str:
    if isinstance(step, Turns):
        return LACKS["turns"]
    return lacking(step) if isinstance(step, Fault) else ""


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
