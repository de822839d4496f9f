"""A run: draw plans, play them on a backend, judge, shrink what fails, and say what came of it.

All plans are drawn first to last without stopping at a failure, so that one broken promise does not hide another.
Then each broken promise is hunted once more with the same seed, which finds it in the same plan, and Hypothesis
shrinks that plan with this promise alone in mind.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from random import Random
from time import perf_counter

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis.strategies import SearchStrategy

from pvkit.backends.errors import KitError
from pvkit.backends.mutants.registry import MutantModel, all_mutants
from pvkit.backends.protocol import Backend
from pvkit.conformance.execute import execute
from pvkit.conformance.history import History
from pvkit.conformance.hunt import Catch, hunt, size
from pvkit.conformance.invariant import Invariant, Violation
from pvkit.conformance.judge import Result, judge
from pvkit.conformance.run_report import Canary, Line, RunReport
from pvkit.conformance.run_settings import Settings
from pvkit.conformance.shapes import shapes
from pvkit.conformance.verdict import Verdict, merged
from pvkit.strategies.plan import Plan


class _Enough(BaseException):
    """Leaves Hypothesis at once: the time is over, the failures are enough, or the backend gave up."""


@dataclass(slots=True)
class Tally:
    """What is known so far of one invariant."""

    invariant: Invariant
    verdict: Verdict | None = None
    held: int = 0
    at_risk: int = 0
    broken: int = 0
    reason: str = ""
    violation: Violation | None = None
    plan: Plan | None = None

    def add(self, result: Result, plan: Plan) -> None:
        """Take in what one history came to."""
        self.verdict = result.verdict if self.verdict is None else merged(self.verdict, result.verdict)
        self.held, self.at_risk = self.held + result.held, self.at_risk + result.at_risk
        self.reason = self.reason or result.reason
        if result.verdict is Verdict.FAIL:
            self.broken += 1
            if self.plan is None or size(plan) < size(self.plan):
                self.plan, self.violation = plan, result.violations[0]

    def line(self) -> Line:
        """The line of the report."""
        verdict = Verdict.NOT_EXERCISED if self.verdict is None else self.verdict
        steps = size(self.plan) if self.plan else 0
        return Line(
            self.invariant, verdict, self.held, self.at_risk, self.broken, self.reason, self.violation, self.plan, steps
        )


Listener = Callable[[int, int, float], None]
"""Hears, after each plan: plans done, plans wanted, seconds since the start."""


@dataclass(slots=True)
class Run:
    """One run under way."""

    backend: Backend
    invariants: Sequence[Invariant]
    asked: Settings
    plans: SearchStrategy[Plan]
    hear: Listener = lambda done, wanted, seconds: None
    keep: Callable[[History], None] = lambda history: None
    done: int = 0
    start: float = field(default_factory=perf_counter)
    tallies: dict[str, Tally] = field(default_factory=dict)
    shapes: Counter[str] = field(default_factory=Counter)

    def play(self) -> None:
        """Draw, play and judge until plans, time or failures are enough."""
        wanted = self.asked.size

        @seeded(self.asked.seed)
        @settings(
            database=None,
            deadline=None,
            max_examples=wanted.plans,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        )
        @given(self.plans)
        def each(plan: Plan) -> None:
            try:
                self._take(plan)
            except KitError as error:
                raise _Enough from error  # Hypothesis would take it for a failing example and try it again.
            self.hear(self.done, wanted.plans, perf_counter() - self.start)
            if perf_counter() - self.start > wanted.seconds or self._enough_failures():
                raise _Enough

        try:
            each()
        except _Enough as enough:
            if enough.__cause__ is not None:
                raise enough.__cause__ from None

    def _take(self, plan: Plan) -> None:
        history = execute(plan, self.backend, seed=str(self.asked.seed))
        for result in judge(history, self.invariants):
            self.tallies.setdefault(result.invariant.id, Tally(result.invariant)).add(result, plan)
        self.shapes += shapes(history)
        self.keep(history)
        self.done += 1

    def _enough_failures(self) -> bool:
        failed = sum(tally.broken > 0 for tally in self.tallies.values())
        return bool(self.asked.failures) and failed >= self.asked.failures

    def shrink(self) -> None:
        """Make the plan of each broken promise as small as it gets in its time."""
        for tally in self.tallies.values():
            if tally.plan is None:
                continue
            catch = self._hunt_again(tally.invariant)
            if catch.plan is not None and size(catch.plan) <= size(tally.plan):
                again = judge(execute(catch.plan, self.backend), [tally.invariant])[0]
                if again.verdict is Verdict.FAIL:
                    tally.plan, tally.violation = catch.plan, again.violations[0]

    def _hunt_again(self, promise: Invariant) -> Catch:
        wanted, seed = self.asked.size, self.asked.seed
        seconds = max(wanted.shrink_seconds, wanted.seconds)
        return hunt(self.backend, [promise], self.plans, seed, seconds, wanted.shrink_seconds, wanted.plans)

    def lines(self) -> tuple[Line, ...]:
        """One line an invariant, worst first, then by id."""
        lines = [self.tallies.get(entry.id, Tally(entry)).line() for entry in self.invariants]
        return tuple(sorted(lines, key=lambda line: (-line.verdict, line.invariant.id)))


def release_canary(asked: Settings, plans: SearchStrategy[Plan], invariants: Sequence[Invariant]) -> Canary:
    """Try one mutant, chosen by the seed among those that plans often show and whose promise is judged here."""
    judged = {entry.id: entry for entry in invariants}
    pairs = [(broken, id) for broken in all_mutants().values() if broken.canary for id in broken.breaks if id in judged]
    if not pairs:
        return Canary()
    broken, id = Random(asked.seed).choice(pairs)
    catch = hunt(MutantModel(broken), [judged[id]], plans, asked.seed, asked.size.seconds, shrink_seconds=0.0)
    return Canary(broken.id, id, catch.found, catch.plans, catch.seconds)


def _at_version(version: str, plan: Plan) -> Plan:
    return replace(plan, setup=replace(plan.setup, kubernetes_version=version))


def run(
    backend: Backend,
    invariants: Sequence[Invariant],
    asked: Settings,
    plans: SearchStrategy[Plan],
    hear: Listener = lambda done, wanted, seconds: None,
    keep: Callable[[History], None] = lambda history: None,
) -> RunReport:
    """A whole run; `hear` is told how far it is, `keep` gets each history."""
    started = perf_counter()
    plans = plans.map(partial(_at_version, asked.kubernetes_version))
    canary = release_canary(asked, plans, invariants) if asked.canary else Canary()
    under_way = Run(backend, invariants, asked, plans, hear, keep)
    under_way.play()
    if asked.shrink:
        under_way.shrink()
    return RunReport(
        backend=backend.describe(),
        spec=asked.spec,
        profile=asked.profile,
        seed=asked.seed,
        plans=under_way.done,
        seconds=perf_counter() - started,
        lines=under_way.lines(),
        canary=canary,
        shapes=under_way.shapes,
        strict=asked.strict,
        command=asked.command,
    )
