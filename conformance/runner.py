"""A run: draw plans, play them on a backend, judge, shrink what fails, and say what came of it.

All plans are drawn first to last without stopping at a failure, so that one broken promise does not hide another.
Then the first plan that broke each promise is made smaller, with this promise alone in mind.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from math import inf
from random import Random
from threading import Lock
from time import perf_counter
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis.strategies import SearchStrategy

from pvkit.backends.errors import BackendError, KitError, OutOfTime
from pvkit.backends.mutants.registry import MutantModel, all_mutants
from pvkit.backends.protocol import Backend, Description, Refuses, Shares
from pvkit.backends.reference.model import ReferenceModel
from pvkit.conformance.crew import Crew
from pvkit.conformance.execute import blamed, execute
from pvkit.conformance.falsify import falsified
from pvkit.conformance.history import History
from pvkit.conformance.hunt import hunt
from pvkit.conformance.invariant import Invariant
from pvkit.conformance.judge import judge
from pvkit.conformance.progress import Listener, Tick, deaf
from pvkit.conformance.run_report import Canary, RunReport
from pvkit.conformance.run_settings import Settings
from pvkit.conformance.shapes import shapes
from pvkit.conformance.shrink import shrunk
from pvkit.conformance.tally import Tallies, Tally
from pvkit.conformance.verdict import Verdict
from pvkit.strategies.plan import Plan, size

MOST_SAMPLES = 24
"""How many histories are kept, of which one is told wrongly in the end."""
SHARE = 0.5
"""The part of a run's time that the canary may take at most, and that shrinking may take beside the run."""


class PlanFailed(BackendError):
    """A backend could not carry out a plan; `plan` is that plan, `after` the number of plans before it."""

    def __init__(self, cause: KitError, plan: Plan, after: int) -> None:
        super().__init__(str(cause))
        self.plan, self.after, self.__cause__ = plan, after, cause


class _Enough(BaseException):
    """Leaves Hypothesis at once: the time is over, the failures are enough, or a backend gave up."""


@dataclass(slots=True)
class Run:
    """One run under way."""

    backend: Backend
    invariants: Sequence[Invariant]
    asked: Settings
    plans: SearchStrategy[Plan]
    hear: Listener = deaf
    keep: Callable[[History], None] = lambda history: None
    spent: float = 0.0
    done: int = 0
    start: float = field(default_factory=perf_counter)
    described: Description | None = None
    samples: list[History] = field(default_factory=list)
    tallies: Tallies = field(init=False)
    shapes: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    _lock: Any = field(default_factory=Lock)

    def __post_init__(self) -> None:
        self.tallies = Tallies(self.invariants)

    def play(self) -> None:
        """Draw, play and judge until plans, time or failures are enough; raises `PlanFailed`."""
        if isinstance(self.backend, Shares):
            self.backend.limit(self._limit)
        try:
            if self.asked.parallel > 1 and isinstance(self.backend, Shares):
                self._play_beside(self.backend)
            else:
                self._draw(lambda plan: self._take(self.backend, plan))
        finally:
            if isinstance(self.backend, Shares):
                self.backend.limit(inf)

    def _play_beside(self, backend: Shares) -> None:
        """Play several plans at once, each on a backend of its own; one that fails ends the run."""
        others = [backend.beside() for _ in range(self.asked.parallel)]
        crew = Crew(others, self._take)
        try:
            self._draw(crew.hand)
            crew.finish()
        finally:
            backend.limit(0.0)  # Whatever is still under way would be in the way of cleaning up.
            crew.end()
            for other in others:
                other.close()
        if crew.failed is not None:
            error, plan = crew.failed
            raise PlanFailed(error, plan, self.done) if isinstance(error, KitError) else error

    def _draw(self, take: Callable[[Plan], object]) -> None:
        """Draw plan after plan and hand them on; `take` returns False when that is no use any more."""
        failed: PlanFailed | None = None

        @seeded(self.asked.seed)
        @settings(
            database=None,
            deadline=None,
            max_examples=self.asked.size.plans,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        )
        @given(self.plans)
        def each(plan: Plan) -> None:
            nonlocal failed
            try:
                more = take(plan)
            except KitError as error:  # Hypothesis would take it for a failing example and try it again.
                failed, more = PlanFailed(error, plan, self.done), False
            if more is False or perf_counter() - self.start > self._limit or self._enough_failures():
                raise _Enough

        with suppress(_Enough):
            each()
        if failed is not None:
            raise failed

    @property
    def _limit(self) -> float:
        """Seconds for drawing and playing: what the canary left of them."""
        return max(self.asked.size.seconds - self.spent, 0.0)

    def _take(self, backend: Backend, plan: Plan) -> None:
        """Play and judge one plan, on one of several threads perhaps."""
        reason = backend.refuses(plan.setup) if isinstance(backend, Refuses) else ""
        if reason:
            self._skip(reason)
            return
        try:
            history = execute(plan, backend, seed=str(self.asked.seed))
        except OutOfTime:
            self._skip("the time was over before its end")
            return
        results, found = judge(history, self.invariants), shapes(history)
        with self._lock:
            self.tallies.add(results, plan, history)
            self.shapes += found
            self.described = history.header.backend
            self.keep(history)
            if len(self.samples) < MOST_SAMPLES and all(entry.verdict is not Verdict.FAIL for entry in results):
                self.samples.append(history)
            self.done += 1
            seconds = perf_counter() - self.start
            broken = len(self.tallies.broken)
            self.hear(Tick("plans", self.done, self.asked.size.plans, seconds, self._limit, broken))

    def _skip(self, reason: str) -> None:
        with self._lock:
            self.skipped[reason] += 1

    def describe(self) -> Description:
        """What the backend last said of itself in a history; without any it is asked."""
        with blamed(self.backend):
            return self.described or self.backend.describe()

    def _enough_failures(self) -> bool:
        return 0 < self.asked.failures <= len(self.tallies.broken)

    def shrink(self) -> None:
        """Make the plan of each broken promise as small as it gets in its share of the time.

        A plan that was shrunk for one promise often breaks others too; those are looked into last.
        """
        start, seconds = perf_counter(), self.asked.size.seconds * SHARE
        waiting = self.tallies.broken
        all_of_them, helped = len(waiting), set[str]()
        while waiting:
            tally = min(waiting, key=lambda entry: (entry.invariant.id in helped, entry.first))
            waiting.remove(tally)
            spent = perf_counter() - start
            if spent > seconds:
                return
            self.hear(Tick("promises shrunk", all_of_them - len(waiting) - 1, all_of_them, spent, seconds, all_of_them))
            found = self._shrunk(tally, (seconds - spent) / (len(waiting) + 1))
            if found is not None:
                helped |= self._improve([tally, *waiting], found)

    def _shrunk(self, tally: Tally, seconds: float) -> Plan | None:
        """The smallest plan found; a failure seen on a cluster is first tried on the model, which is quicker."""
        if tally.plan is None:
            return None
        seconds = min(max(seconds, 1.0), self.asked.size.shrink_seconds)
        if not isinstance(self.backend, Shares):
            return shrunk(tally.plan, partial(_fails, self.backend, tally.invariant), seconds, self.asked.seed)
        on_model = partial(_fails, ReferenceModel(), tally.invariant)
        if on_model(tally.plan):
            tally.reason = "the model shows it, too"
            return shrunk(tally.plan, on_model, seconds, self.asked.seed)
        tally.reason = "the model does not show it"
        self.backend.limit(seconds)
        try:
            return shrunk(tally.plan, partial(_fails, self.backend, tally.invariant), seconds, self.asked.seed)
        finally:
            self.backend.limit(inf)

    def _improve(self, tallies: Sequence[Tally], plan: Plan) -> set[str]:
        """Show the breach by this plan wherever it breaks a promise with fewer steps; the ids of those promises."""
        history, improved = execute(plan, self.backend, seed=str(self.asked.seed)), set()
        for tally, result in zip(tallies, judge(history, [entry.invariant for entry in tallies]), strict=True):
            smaller = tally.plan is None or size(plan) <= size(tally.plan)
            if result.verdict is Verdict.FAIL and smaller:
                tally.keep(result.violations[0], plan, history)
                improved.add(tally.invariant.id)
        return improved


def _fails(backend: Backend, promise: Invariant, plan: Plan) -> bool:
    return judge(execute(plan, backend), [promise])[0].verdict is Verdict.FAIL


def release_canary(asked: Settings, plans: SearchStrategy[Plan], invariants: Sequence[Invariant]) -> Canary:
    """Try one mutant, chosen by the seed among those that plans often show and whose promise is judged here."""
    judged = {entry.id: entry for entry in invariants}
    pairs = [(broken, id) for broken in all_mutants().values() if broken.canary for id in broken.breaks if id in judged]
    if not pairs:
        return Canary()
    broken, id = Random(asked.seed).choice(pairs)
    seconds = asked.size.seconds * SHARE
    catch = hunt(MutantModel(broken), [judged[id]], plans, asked.seed, seconds, shrink_seconds=0.0)
    return Canary(broken.id, id, catch.found, catch.plans, catch.seconds)


def tell_wrongly(asked: Settings, histories: Sequence[History], invariants: Sequence[Invariant]) -> Canary:
    """Judge a false copy of one of the histories; who judges must notice."""
    start = perf_counter()
    copy = falsified(histories, [entry.id for entry in invariants], asked.seed)
    if copy is None:
        return Canary()
    noticed = next((entry for entry in judge(copy.history, invariants) if entry.verdict is Verdict.FAIL), None)
    told = f"{copy.kind.id}: {copy.kind.sentence}, {copy.at.kind.lower()}/{copy.at.name}"
    by = noticed.invariant.id if noticed is not None else " or ".join(copy.kind.notices)
    return Canary(copy.kind.id, by, noticed is not None, 1, perf_counter() - start, told)


def _at_version(version: str, plan: Plan) -> Plan:
    return replace(plan, setup=replace(plan.setup, kubernetes_version=version))


def run(
    backend: Backend,
    invariants: Sequence[Invariant],
    asked: Settings,
    plans: SearchStrategy[Plan],
    hear: Listener = deaf,
    keep: Callable[[History], None] = lambda history: None,
) -> RunReport:
    """A whole run; `hear` is told how far it is, `keep` gets each history.

    Interrupted by the keyboard it ends at once, and its report tells of what was done until then. Raises `PlanFailed`
    when the backend cannot carry out a plan.
    """
    started, canary, interrupted = perf_counter(), Canary(), False
    is_cluster = isinstance(backend, Shares)
    plans = plans.map(partial(_at_version, asked.kubernetes_version))
    under_way = Run(backend, invariants, asked, plans, hear, keep)
    try:
        if asked.canary and not is_cluster:
            hear(Tick("trying a broken model first", 0, 0, 0.0))
            canary = release_canary(asked, plans, invariants)
        under_way.spent, under_way.start = perf_counter() - started, perf_counter()
        under_way.play()
        if asked.canary and is_cluster:
            canary = tell_wrongly(asked, under_way.samples, invariants)
        if asked.shrink:
            under_way.shrink()
    except KeyboardInterrupt:
        interrupted = True
    return RunReport(
        backend=under_way.describe(),
        spec=asked.spec,
        profile=asked.profile,
        seed=asked.seed,
        plans=under_way.done,
        seconds=perf_counter() - started,
        lines=under_way.tallies.lines(),
        canary=canary,
        shapes=under_way.shapes,
        skipped=under_way.skipped,
        strict=asked.strict,
        command=asked.command,
        interrupted=interrupted,
    )
