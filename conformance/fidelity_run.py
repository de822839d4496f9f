"""A whole comparison: many drawn plans on the model and on a cluster, and the account of what came of them.

A plan that cannot be played is counted and named, and the others go on.
"""

import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from threading import Lock
from time import perf_counter
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis.strategies import SearchStrategy

from pvkit.backends.errors import KitError
from pvkit.backends.protocol import Backend, Refuses, Shares
from pvkit.conformance.crew import Crew
from pvkit.conformance.explained import Unexplained, explain
from pvkit.conformance.fidelity import FEATURES, Comparer, Finding
from pvkit.conformance.history import History
from pvkit.conformance.invariant import Invariant
from pvkit.conformance.playable import PLAYABLE_FEATURES
from pvkit.conformance.progress import Listener, Tick, deaf
from pvkit.strategies.plan import Plan
from pvkit.strategies.plans import plans

KINDS = ("same", "choice", "order", "timing", "different")
"""What may come of a comparison; only the last is a difference that nothing explains."""
Explained = tuple[Counter[str], list[Unexplained], Counter[str], Counter[str], int]
"""How often each rule was seen; the writes that none explains; what was not looked at, by reason; passes of the model
that ended in an error; how many writes are explained only with a rest after each step."""


@dataclass(slots=True)
class Account:
    """What a comparison came to, over all its plans.

    `kinds` counts the plans by what came of them. `fired` and `seen` count each rule in the model and on the cluster,
    `unexplained` are writes that no rule of the model could have made, however much time there was; `hurried` counts
    those of plans that have none when they rest after each step. `unlooked` are writes that were not looked at, by
    reason, `broken_off` passes of the model's controllers that ended in an error while an explanation was looked for.
    `skipped` and `left_out` count, by reason, plans that were not played and steps that no cluster can.
    `odd` are the findings to look at; `failed` are plans at which something raised, with what it said.
    """

    what: str
    kinds: Counter[str] = field(default_factory=Counter)
    fired: Counter[str] = field(default_factory=Counter)
    wrote: Counter[str] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)
    unexplained: list[Unexplained] = field(default_factory=list)
    hurried: int = 0
    unlooked: Counter[str] = field(default_factory=Counter)
    broken_off: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    undecided: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    odd: list[Finding] = field(default_factory=list)
    failed: list[tuple[Plan, str]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def plans(self) -> int:
        """How many plans were compared."""
        return self.kinds.total()

    @property
    def is_clean(self) -> bool:
        """Whether nothing differs, nothing was broken, every write is explained and every plan was played."""
        return not (self.kinds["different"] or self.broken or self.unexplained or self.failed)

    def take(self, finding: Finding, explained: Explained) -> None:
        """Add what came of one plan; its history is forgotten."""
        seen, unexplained, unlooked, broken_off, hurried = explained
        self.kinds[finding.kind] += 1
        self.fired.update(finding.fired)
        self.wrote.update(finding.wrote)
        self.seen += seen
        self.unexplained += unexplained
        self.unlooked += unlooked
        self.broken_off += broken_off
        self.hurried += hurried
        self.broken.update(entry.invariant.id for entry in finding.broken)
        self.undecided.update(entry.invariant.id for entry in finding.undecided)
        self.left_out.update(note.partition(": ")[2] for note in finding.left_out)
        if finding.kind == "different" or finding.broken:
            self.odd.append(replace(finding, history=History(finding.history.header, []), rested=None))


def strategy_for(faults: bool) -> SearchStrategy[Plan]:
    """Plans that both can play, with disturbances or without."""
    return plans(features=(*FEATURES, *PLAYABLE_FEATURES) if faults else FEATURES, faults=faults)


class _Enough(BaseException):
    """Leaves Hypothesis at once."""


class Comparison:
    """Plays drawn plans on both, several at once; `account` is what is known so far."""

    def __init__(self, account: Account, invariants: Sequence[Invariant], version: str, hear: Listener = deaf) -> None:
        self.account, self._invariants, self._version, self._hear = account, invariants, version, hear
        self._lock, self._start = Lock(), perf_counter()
        self._done = 0

    def play(self, backends: Sequence[Any], drawn: SearchStrategy[Plan], count: int, seed: int, parallel: int) -> None:
        """Play that many plans of a strategy; what the keyboard interrupts keeps its account.

        Of these as many at once as `parallel` says, spread over the clusters; one at a time on each if that is fewer.
        """
        self._start = perf_counter()
        each = parallel // len(backends)
        beside = [made for entry in backends for made in _beside(entry, each)]
        comparers = {id(entry): Comparer(entry, self._invariants) for entry in beside}
        crew = Crew(beside, lambda entry, plan: self._take(comparers[id(entry)], entry, plan, count))
        try:
            _draw(drawn, count, seed, crew.hand)
            crew.finish()
        finally:
            for entry in backends:
                if isinstance(entry, Shares):
                    entry.limit(0.0)
            crew.end()
            for entry in beside:
                if entry not in backends:
                    entry.close()
            self.account.seconds = perf_counter() - self._start

    def _take(self, compare: Comparer, backend: Backend, plan: Plan, count: int) -> None:
        setup = replace(plan.setup, kubernetes_version=self._version)
        reason = backend.refuses(setup) if isinstance(backend, Refuses) else ""
        found = "" if reason else _compared(compare, plan, self._version)
        with self._lock:
            self._done += 1
            if reason:
                self.account.skipped[reason] += 1
            elif isinstance(found, str):
                self.account.failed.append((plan, found))
            else:
                self.account.take(*found)
            different = self.account.kinds["different"] + len(self.account.failed)
            self._hear(Tick("plans", self._done, count, perf_counter() - self._start, broken=different))


def _beside(backend: Any, count: int) -> list[Any]:
    """Backends that play so many plans at once on one cluster, or the one that there is."""
    several = count > 1 and isinstance(backend, Shares)
    return [backend.beside() for _ in range(count)] if several else [backend]


def _compared(compare: Comparer, plan: Plan, version: str) -> tuple[Finding, Explained] | str:
    """What came of a plan, or what was raised: one plan at which something fails ends nothing."""
    try:
        finding = compare(plan, version)
        told = _explained(compare, finding)
        return compare.with_rest(finding), told
    except KitError as error:
        return str(error)
    except Exception:  # noqa: BLE001 - an error of the kit is told with the plan that shows it
        return traceback.format_exc()


def _explained(compare: Comparer, finding: Finding) -> Explained:
    """What explains the writes of a plan; if not all are, those of the same plan with rests decide."""
    seen, left, unlooked, broken_off = explain(finding.history)
    if not left:
        return seen, left, unlooked, broken_off, 0
    rested, still, _, more = explain(compare.rest(finding.plan))
    return seen + rested, still, unlooked, broken_off + more, 0 if still else len(left)


def _draw(drawn: SearchStrategy[Plan], count: int, seed: int, take: Callable[[Plan], bool]) -> None:
    @seeded(seed)
    @settings(
        database=None,
        deadline=None,
        max_examples=count,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(drawn)
    def each(plan: Plan) -> None:
        if not take(plan):
            raise _Enough

    with suppress(_Enough):
        each()


def unseen(accounts: Sequence[Account]) -> Mapping[str, int]:
    """Rules that fired in the model and were never seen on the cluster, with how often they did."""
    fired, seen = (sum((getattr(entry, field) for entry in accounts), Counter[str]()) for field in ("fired", "seen"))
    return {id: count for id, count in sorted(fired.items()) if not seen[id]}


def silent(accounts: Sequence[Account]) -> frozenset[str]:
    """Rules that fired in the model and never changed what a watch shows: they decide that nothing is to be written."""
    fired, wrote = (sum((getattr(entry, field) for entry in accounts), Counter[str]()) for field in ("fired", "wrote"))
    return frozenset(id for id in fired if not wrote[id])
