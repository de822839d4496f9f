"""One plan on one backend: carry out its steps in order and write down what was asked, answered and seen.

Every plan ends with the disturbances healed and the backend settled, so that there is a state to judge. Judgement
comes after, from the history alone.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from typing import Any

from pvkit.backends.errors import BackendError, KitError
from pvkit.backends.objects import Obj, key
from pvkit.backends.protocol import Backend, Budget, CanDisturb, CanStep, Fault, Operation, Outcome, Shares, TellsLate
from pvkit.conformance.history import Asked, Expected, Header, History
from pvkit.conformance.notes import Notes
from pvkit.strategies.plan import Expect, Plan, Settle, Step, Turns

Listener = Callable[[int, Step, History], None]
"""Hears, after each step: its number in the plan from 0, the step, and the history so far."""

_UNABLE = Outcome("failed", 501, "NotSupported", "this backend cannot make faults")


def execute(
    plan: Plan, backend: Backend, budget: Budget | None = None, seed: str = "", hear: Listener | None = None
) -> History:
    """Run a plan and return its history; raises `BackendError` when the backend raises what is no error of the kit."""
    if not isinstance(backend, Shares):
        return _executed(plan, backend, budget or Budget(), seed, hear)
    backend.foresee([step for step in plan.steps if isinstance(step, Operation)])
    try:
        return _executed(plan, backend, budget or Budget(), seed, hear)
    finally:
        with blamed(backend):
            backend.leave()


def _executed(plan: Plan, backend: Backend, budget: Budget, seed: str, hear: Listener | None) -> History:
    with blamed(backend):
        backend.reset(plan.setup, plan.schedule)
        history = History(Header(plan.setup, backend.describe(), seed, plan.name))
        notes = Notes(backend, history.entries)
    for number, step in chain(enumerate(plan.steps), _endings(plan, notes)):
        with blamed(backend):
            carry_out(number, step, backend, budget, notes)
        if hear is not None:
            hear(number, step, history)
    if isinstance(backend, TellsLate):
        history.header = replace(history.header, backend=backend.describe())
    return history


@contextmanager
def blamed(backend: Backend) -> Iterator[None]:
    """What is raised here that is no error of the kit is the backend's doing."""
    try:
        yield
    except KitError:
        raise
    except Exception as error:
        told = f"{type(error).__name__}: {error}"
        raise BackendError(f"the backend {type(backend).__name__} raised {told}; expected an Outcome") from error


def _endings(plan: Plan, notes: Notes) -> Iterator[tuple[int, Step]]:
    """What every plan ends with: all disturbances healed, all at rest, and what it expects of the end."""
    if any(isinstance(step, Fault) for step in plan.steps):
        yield len(plan.steps), Fault("heal")
    if not _at_rest(plan, notes):
        yield len(plan.steps), Settle()
    if plan.expect:
        yield len(plan.steps), Expect(plan.expect)


def _at_rest(plan: Plan, notes: Notes) -> bool:
    """Whether nothing was done since the plan last let all come to rest."""
    doings = [step for step in plan.steps if not isinstance(step, Expect)]
    return bool(doings) and isinstance(doings[-1], Settle) and not isinstance(notes.latest, Asked)


def carry_out(number: int, step: Step, backend: Backend, budget: Budget, notes: Notes) -> None:
    """Do one step, which has that number in its plan, and take down what comes of it."""
    if isinstance(step, Operation):
        notes.answer(Asked(number, step, backend.invoke(step)))
    elif isinstance(step, Fault):
        outcome = backend.disturb(step) if isinstance(backend, CanDisturb) else _UNABLE
        notes.answer(Asked(number, step, outcome))
    elif isinstance(step, Turns):
        if isinstance(backend, CanStep):
            backend.run(step.count)
            notes.events()
    elif isinstance(step, Expect):
        for wanted in step.objects:
            notes.answer(_look(number, wanted, backend))
        notes.events()
    else:
        notes.rest(backend.settle(budget))


def _look(number: int, wanted: Obj, backend: Backend) -> Expected:
    """Compare what is there with what the plan expects; looking is no operation of the plan."""
    outcome = backend.invoke(Operation("get", target=key(wanted), options={"at-once": True}))
    if wanted.get("absent"):
        return Expected(number, wanted, outcome.reason == "NotFound", outcome.object)
    return Expected(number, wanted, outcome.object is not None and matches(wanted, outcome.object), outcome.object)


def matches(wanted: Any, seen: Any) -> bool:
    """Whether a tree holds all that a partial tree asks for: `None` asks for absence, a list for equal length."""
    if isinstance(wanted, dict):
        return isinstance(seen, dict) and all(matches(value, seen.get(field)) for field, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(seen, list) and len(wanted) == len(seen) and all(map(matches, wanted, seen))
    return bool(wanted == seen)
