"""The hunt for one broken promise: draw plans, play them on a broken backend, stop at the first violation, shrink.

This is a run with a single question, so only the invariants asked about are judged. `selftest` asks it of every
mutant, an ordinary run of one canary.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis.strategies import SearchStrategy

from pvkit.backends.protocol import Backend, Budget
from pvkit.conformance.execute import execute
from pvkit.conformance.invariant import Invariant
from pvkit.conformance.judge import judge
from pvkit.conformance.shrink import shrunk
from pvkit.conformance.verdict import Verdict
from pvkit.strategies.plan import Plan

MOST_PLANS = 1_000_000
BUDGET = Budget(turns=1_000)
"""A drawn plan comes to rest after some hundred turns; a broken model may never, and need not be waited for."""


@dataclass(frozen=True, slots=True)
class Catch:
    """What a hunt came to: seconds and plans until the first violation, and the smallest plan that shows it.

    `plan` is None when nothing was found in the time given; `seconds` and `plans` then tell what was tried.
    """

    seconds: float
    plans: int
    plan: Plan | None = None
    message: str = ""

    @property
    def found(self) -> bool:
        """Whether the promise was seen to break."""
        return self.plan is not None


class _Enough(BaseException):
    """Leaves Hypothesis at once: a plan was found, or the time is over."""


class Hunter:
    """One hunt: counts plans, keeps the first that breaks a promise, and watches the time."""

    def __init__(self, backend: Backend, wanted: Sequence[Invariant], seconds: float) -> None:
        self._backend, self._wanted = backend, wanted
        self._start = perf_counter()
        self._limit = self._start + seconds
        self.plans, self.found, self.message = 0, None, ""  # type: int, Plan | None, str
        self.seconds = 0.0

    def try_plan(self, plan: Plan) -> None:
        """Play and judge one plan; raises when it breaks a promise, and when the time is over."""
        if perf_counter() > self._limit:
            raise _Enough
        self.plans += 1
        self.message = self.breach(plan)
        if self.message:
            self.found = plan
            raise _Enough

    def breach(self, plan: Plan) -> str:
        """How a plan breaks one of the promises, "" if it breaks none."""
        results = judge(execute(plan, self._backend, BUDGET), self._wanted)
        return next((entry.violations[0].message for entry in results if entry.verdict is Verdict.FAIL), "")

    def catch(self, shrink_seconds: float) -> Catch:
        """What came of it, made small in so many seconds."""
        seconds, plan = perf_counter() - self._start, self.found
        if plan is not None and shrink_seconds:
            plan = shrunk(plan, lambda smaller: bool(self.breach(smaller)), shrink_seconds)
            self.message = self.breach(plan) or self.message
        return Catch(seconds, self.plans, plan, self.message)


def hunt(
    backend: Backend,
    wanted: Sequence[Invariant],
    plans: SearchStrategy[Plan],
    seed: int,
    seconds: float = 10.0,
    shrink_seconds: float = 10.0,
    most_plans: int = MOST_PLANS,
) -> Catch:
    """Look for a plan on which the backend breaks one of the invariants, for so many seconds, and make it small.

    A seed draws the same plans as in another search only if `most_plans` is the same, too.
    """
    hunter = Hunter(backend, wanted, seconds)

    @seeded(seed)
    @settings(
        database=None,
        deadline=None,
        max_examples=most_plans,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(plans)
    def search(plan: Plan) -> None:
        hunter.try_plan(plan)

    with contextlib.suppress(_Enough):
        search()
    return hunter.catch(shrink_seconds)
