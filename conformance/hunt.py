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
from hypothesis.errors import Flaky
from hypothesis.strategies import SearchStrategy

from pvkit.backends.protocol import Backend
from pvkit.conformance.execute import execute
from pvkit.conformance.invariant import Invariant
from pvkit.conformance.judge import judge
from pvkit.conformance.verdict import Verdict
from pvkit.strategies.plan import Plan, size

MOST_PLANS = 1_000_000


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


class _Broken(Exception):
    pass


class _Enough(BaseException):
    """Leaves Hypothesis at once: the time is over."""


class Hunter:
    """One hunt: counts plans, keeps the smallest that breaks a promise, and watches the time.

    The first `known` plans break nothing, so they are drawn and not played.
    """

    def __init__(
        self, backend: Backend, wanted: Sequence[Invariant], seconds: float, shrink_seconds: float, known: int
    ) -> None:
        self._backend, self._wanted, self._known = backend, wanted, known
        self._start = perf_counter()
        self._limit, self._shrink_seconds = self._start + seconds, shrink_seconds
        self.plans, self.best, self.message = 0, None, ""  # type: int, Plan | None, str
        self.seconds = 0.0

    def try_plan(self, plan: Plan) -> None:
        """Play and judge one plan; raises when it breaks a promise, and when the time is over."""
        if perf_counter() > self._limit:
            raise _Enough
        if self.best is None:
            self.plans += 1
            if self.plans <= self._known:
                return
        broken = [entry for entry in judge(execute(plan, self._backend), self._wanted) if entry.verdict is Verdict.FAIL]
        if not broken:
            return
        if self.best is None:
            self.seconds = perf_counter() - self._start
            self._limit = perf_counter() + self._shrink_seconds
        if self.best is None or size(plan) <= size(self.best):
            self.best, self.message = plan, broken[0].violations[0].message
        raise _Broken

    def catch(self) -> Catch:
        """What came of it."""
        seconds = self.seconds if self.best is not None else perf_counter() - self._start
        return Catch(seconds, self.plans, self.best, self.message)


def hunt(
    backend: Backend,
    wanted: Sequence[Invariant],
    plans: SearchStrategy[Plan],
    seed: int,
    seconds: float = 10.0,
    shrink_seconds: float = 10.0,
    most_plans: int = MOST_PLANS,
    known: int = 0,
) -> Catch:
    """Look for a plan on which the backend breaks one of the invariants, for so many seconds.

    A seed draws the same plans as in another search only if `most_plans` is the same, too. Of the first `known` plans
    it is known that they break nothing; they are not played again.
    """
    hunter = Hunter(backend, wanted, seconds, shrink_seconds, known)

    @seeded(seed)
    @settings(
        database=None,
        deadline=None,
        max_examples=most_plans,
        phases=(Phase.generate, Phase.shrink),
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(plans)
    def search(plan: Plan) -> None:
        hunter.try_plan(plan)

    with contextlib.suppress(_Broken, _Enough, Flaky):
        search()
    return hunter.catch()
