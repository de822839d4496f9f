"""Proof that the kit has teeth: every mutant of the model is caught by the invariants that it breaks.

A pair is a mutant and an invariant that must notice it. Each pair is tried several times with different seeds;
it is solved when every trial caught it in time. Beside it stands the same with a naive generator, so that what the
strategies are worth is a number.
"""

import multiprocessing
import signal
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from pvkit.backends.errors import KitError
from pvkit.backends.mutants.registry import MutantModel, all_mutants, named
from pvkit.backends.protocol import Fault, Operation
from pvkit.conformance.catalogue import all_invariants
from pvkit.conformance.hunt import Catch, hunt
from pvkit.strategies.plan import Plan, Settle, Step, Turns, size

BUCKETS = (0.1, 1.0, 10.0, 60.0)
"""Upper bounds in seconds under which a catch is counted."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A mutant and one promise that it breaks, by their ids."""

    mutant: str
    invariant: str


@dataclass(slots=True)
class Standing:
    """How a pair did over all trials."""

    pair: Pair
    catches: list[Catch] = field(default_factory=list)

    @property
    def solved(self) -> bool:
        """Whether every trial caught it."""
        return bool(self.catches) and all(entry.found for entry in self.catches)

    @property
    def found(self) -> int:
        """In how many trials it was caught."""
        return sum(entry.found for entry in self.catches)

    @property
    def worst_seconds(self) -> float:
        """The longest search."""
        return max((entry.seconds for entry in self.catches), default=0.0)

    @property
    def median_plans(self) -> float:
        """How many plans a trial took."""
        return median(entry.plans for entry in self.catches) if self.catches else 0.0

    @property
    def median_steps(self) -> float:
        """How many steps the shrunk plans have."""
        return median([size(entry.plan) for entry in self.catches if entry.plan is not None] or [0])

    @property
    def worst_steps(self) -> int:
        """The steps of the largest shrunk plan."""
        return max((size(entry.plan) for entry in self.catches if entry.plan is not None), default=0)

    @property
    def forms(self) -> int:
        """How many different shrunk plans the trials came to, told apart by what their steps do to which kind."""
        return len({form(entry.plan) for entry in self.catches if entry.plan is not None})


def form(plan: Plan) -> tuple[tuple[str, str], ...]:
    """What the steps of a plan do, and to which kind or by which word: two plans of one form show the same."""
    return tuple(_deed(step) for step in plan.steps if not isinstance(step, Settle | Turns))


def _deed(step: Step) -> tuple[str, str]:
    if isinstance(step, Operation):
        return step.verb, step.target.kind if step.target is not None else str((step.object or {}).get("kind"))
    return ("fault", step.word) if isinstance(step, Fault) else (type(step).__name__, "")


class Stopped(KeyboardInterrupt):
    """The trials were interrupted; `standings` is what they came to until then."""

    def __init__(self, standings: list[Standing]) -> None:
        super().__init__()
        self.standings = standings


def pairs(mutants: Iterable[str] = ()) -> list[Pair]:
    """Every (mutant, invariant) pair, of the mutants named or of all."""
    chosen = [named(id) for id in mutants] or list(all_mutants().values())
    return [Pair(broken.id, id) for broken in chosen for id in broken.breaks]


def try_pair(pair: Pair, seed: int, seconds: float, naive: bool = False, shrink: bool = True) -> Catch:
    """One trial of one pair."""
    from pvkit.conformance.focus import plans_about
    from pvkit.strategies.naive import naive_plans

    wanted = [entry for entry in all_invariants() if entry.id == pair.invariant]
    strategy = naive_plans() if naive else plans_about(wanted)
    backend = MutantModel(named(pair.mutant))
    try:
        return hunt(backend, wanted, strategy, seed, seconds, shrink_seconds=seconds if shrink else 0.0)
    except KitError as error:  # A mutant that cannot play a plan proves nothing; the other pairs go on.
        return Catch(seconds, 0, message=str(error))


def trials(
    chosen: list[Pair],
    count: int,
    seed: int = 0,
    seconds: float = 10.0,
    naive: bool = False,
    workers: int = 2,
    done: Callable[[Pair, Catch], None] = lambda pair, catch: None,
) -> list[Standing]:
    """All trials of all pairs on a few processes; `done` hears of each as it ends. Raises `Stopped` if interrupted."""
    standings = {pair: Standing(pair) for pair in chosen}
    try:
        with ProcessPoolExecutor(workers, initializer=_left_to_the_parent) as pool:
            under_way = {
                pool.submit(try_pair, pair, seed + number, seconds, naive, not naive): pair
                for number in range(count)
                for pair in chosen
            }
            try:
                for future in as_completed(under_way):
                    pair, catch = under_way[future], future.result()
                    standings[pair].catches.append(catch)
                    done(pair, catch)
            except (KeyboardInterrupt, BrokenProcessPool):
                _end(pool)
                raise
    except (KeyboardInterrupt, BrokenProcessPool):  # Whoever ends all processes at once may end the workers first.
        raise Stopped(list(standings.values())) from None
    return list(standings.values())


def _end(pool: ProcessPoolExecutor) -> None:
    """Leave no worker behind."""
    for worker in multiprocessing.active_children():
        worker.terminate()
    pool.shutdown(cancel_futures=True)  # It reaps the workers itself; who else does may come between.


def _left_to_the_parent() -> None:
    """A worker is ended by its parent, at once, and not by the keyboard."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def within(standings: list[Standing]) -> dict[float, int]:
    """How many pairs were solved within each bucket's seconds, in their worst trial."""
    return {bound: sum(entry.solved and entry.worst_seconds <= bound for entry in standings) for bound in BUCKETS}


def summary(standings: list[Standing], of: str = "") -> list[str]:
    """The figures over all pairs, one a line."""
    solved = sum(entry.solved for entry in standings)
    counts = ", ".join(f"{count} within {bound:g} s" for bound, count in within(standings).items())
    steps = [entry.median_steps for entry in standings if entry.found]
    worst = max((entry.worst_steps for entry in standings), default=0)
    forms = median([entry.forms for entry in standings if entry.found] or [0])
    return [
        f"{of}pairs solved: {solved} of {len(standings)} ({counts})",
        f"{of}steps of a counterexample: median {median(steps or [0]):g}, worst {worst}; forms of a pair: {forms:g}",
    ]


def as_json(standings: list[Standing], plain: list[Standing]) -> dict[str, Any]:
    """The whole matrix for a machine."""
    return {"pairs": [_row(entry) for entry in standings], "naive": [_row(entry) for entry in plain]}


def _row(entry: Standing) -> dict[str, Any]:
    return {
        "mutant": entry.pair.mutant,
        "invariant": entry.pair.invariant,
        "found": entry.found,
        "trials": len(entry.catches),
        "seconds": [round(catch.seconds, 3) for catch in entry.catches],
        "plans": [catch.plans for catch in entry.catches],
        "forms": entry.forms,
        "steps": [size(catch.plan) if catch.plan else None for catch in entry.catches],
    }
