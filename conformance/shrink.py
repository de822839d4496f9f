"""Making a plan that fails smaller, wherever it came from; the shrinking is Hypothesis'.

First runs of steps are cut out, the longest first, because most of a drawn plan has nothing to do with its failure and
Hypothesis is slow to see that. Then steps are left out, then fields of objects, and again as long as that helps. A
plan is tried once, however many ways lead to it.
"""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from itertools import cycle
from time import perf_counter

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis.errors import Flaky
from hypothesis.strategies import SearchStrategy

from pvkit.backends.errors import KitError
from pvkit.strategies.plan import Plan, size
from pvkit.strategies.subplans import plainer_plans, subplans

MOST_STARTS = 200
"""How many plans are drawn at most before one of them fails: nearly each is nearly the whole."""


class _Failed(Exception):
    pass


class _Enough(BaseException):
    """Leaves Hypothesis at once: the time is over."""


class _Search:
    """What was tried, and the smallest plan that fails."""

    def __init__(self, plan: Plan, fails: Callable[[Plan], bool], limit: float) -> None:
        self.best, self._fails, self._limit = plan, fails, limit
        self._known = {repr(plan): True}

    def try_plan(self, plan: Plan) -> None:
        """Raises when the plan fails, and when the time is over."""
        if self.shows(plan):
            raise _Failed

    def shows(self, plan: Plan) -> bool:
        """Whether the plan fails; keeps it if it is the smallest that does. Raises when the time is over."""
        if perf_counter() > self._limit:
            raise _Enough
        called = repr(plan)
        if called not in self._known:
            self._known[called] = self._still_fails(plan)
        if self._known[called]:
            self.best = min(plan, self.best, key=_length)
        return self._known[called]

    def cut(self) -> None:
        """Leave out runs of steps, ever shorter ones, the last first, as little rests on what is last."""
        self.shows(replace(self.best, schedule=()))
        width = len(self.best.steps) // 2
        while width:
            end = len(self.best.steps)
            while end > 0:
                steps, start = self.best.steps, max(0, end - width)
                self.shows(replace(self.best, steps=steps[:start] + steps[end:]))
                end = start
            width //= 2

    def _still_fails(self, plan: Plan) -> bool:
        """A plan at which the backend gives up shows something else."""
        try:
            return self._fails(plan)
        except KitError:
            return False

    def look(self, plans: SearchStrategy[Plan], seed: int) -> None:
        """Shrink one strategy's first failing plan."""

        @seeded(seed)
        @settings(
            database=None,
            deadline=None,
            max_examples=MOST_STARTS,
            phases=(Phase.generate, Phase.shrink),
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        )
        @given(plans)
        def search(plan: Plan) -> None:
            self.try_plan(plan)

        with contextlib.suppress(_Failed, Flaky):
            search()


def _length(plan: Plan) -> tuple[int, int, int]:
    return size(plan), len(plan.steps), len(repr(plan))


def shrunk(plan: Plan, fails: Callable[[Plan], bool], seconds: float, seed: int = 0) -> Plan:
    """The smallest plan found in so many seconds that fails as this one did: steps and fields of this one, no others.

    `fails` plays a plan and tells whether it shows the same failure.
    """
    search = _Search(plan, fails, perf_counter() + seconds)
    with contextlib.suppress(_Enough):
        search.cut()
        for number, parts in enumerate(cycle((subplans, plainer_plans))):
            before = search.best
            search.look(parts(before), seed)
            if number and search.best == before:
                break
    return search.best
