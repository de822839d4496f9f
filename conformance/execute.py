"""One plan on one backend: carry out its steps in order and write down what was asked, answered and seen.

Every plan ends with the disturbances healed and the backend settled, so that there is a state to judge. Judgement
comes after, from the history alone.
"""

from pvkit.backends.protocol import Backend, Budget, CanDisturb, CanStep, Fault, Operation, Outcome
from pvkit.conformance.history import Asked, Header, History
from pvkit.strategies.plan import Plan, Settle, Step, Turns

_UNABLE = Outcome("failed", 501, "NotSupported", "this backend cannot make faults")


def execute(plan: Plan, backend: Backend, budget: Budget | None = None, seed: str = "") -> History:
    """Run a plan and return its history."""
    budget = budget or Budget()
    backend.reset(plan.setup, plan.schedule)
    history = History(Header(plan.setup, backend.describe(), seed, plan.name))
    history.entries.extend(backend.observe())
    for number, step in enumerate(plan.steps):
        _carry_out(number, step, backend, budget, history)
    if any(isinstance(step, Fault) for step in plan.steps):
        _carry_out(len(plan.steps), Fault("heal"), backend, budget, history)
    if not plan.steps or not isinstance(plan.steps[-1], Settle) or isinstance(history.entries[-1], Asked):
        _carry_out(len(plan.steps), Settle(), backend, budget, history)
    return history


def _carry_out(number: int, step: Step, backend: Backend, budget: Budget, history: History) -> None:
    entries = history.entries
    if isinstance(step, Operation):
        outcome = backend.invoke(step)
        entries.extend(backend.observe())
        entries.append(Asked(number, step, outcome))
    elif isinstance(step, Fault):
        outcome = backend.disturb(step) if isinstance(backend, CanDisturb) else _UNABLE
        entries.extend(backend.observe())
        entries.append(Asked(number, step, outcome))
    elif isinstance(step, Turns):
        if isinstance(backend, CanStep):
            backend.run(step.count)
        entries.extend(backend.observe())
    else:
        settled = backend.settle(budget)
        entries.extend(backend.observe())
        entries.append(settled)
