"""What many histories came to together, invariant by invariant."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pvkit.conformance.history import History
from pvkit.conformance.invariant import Invariant, Violation
from pvkit.conformance.judge import Result
from pvkit.conformance.run_report import Line
from pvkit.conformance.verdict import Verdict, merged
from pvkit.strategies.plan import Plan, size


@dataclass(slots=True)
class Tally:
    """What is known so far of one invariant; of the plans that break it the smallest is kept, with its history.

    `first` counts the histories until it was first broken, 0 for never.
    """

    invariant: Invariant
    verdict: Verdict | None = None
    histories: int = 0
    held: int = 0
    at_risk: int = 0
    broken: int = 0
    first: int = 0
    reason: str = ""
    violation: Violation | None = None
    plan: Plan | None = None
    history: History | None = None
    place: str = ""

    def add(self, result: Result, plan: Plan | None = None, history: History | None = None, place: str = "") -> None:
        """Take in what one history came to; `place` says where it is found, if not by its plan."""
        self.histories += 1
        self.verdict = result.verdict if self.verdict is None else merged(self.verdict, result.verdict)
        self.held, self.at_risk = self.held + result.held, self.at_risk + result.at_risk
        self.reason = self.reason or result.reason
        if result.verdict is Verdict.FAIL:
            self.broken += 1
            self.first = self.first or self.histories
            if self.violation is None or (plan and self.plan and size(plan) < size(self.plan)):
                self.keep(result.violations[0], plan, history)
                self.place = place

    def keep(self, violation: Violation, plan: Plan | None, history: History | None) -> None:
        """Show the invariant's breach by this plan from now on."""
        self.violation, self.plan, self.history = violation, plan, history

    def line(self) -> Line:
        """The line of the report."""
        return Line(
            self.invariant,
            Verdict.NOT_EXERCISED if self.verdict is None else self.verdict,
            self.held,
            self.at_risk,
            self.broken,
            self.reason,
            self.violation,
            self.plan,
            size(self.plan) if self.plan else 0,
            place=self.place,
            history=self.history,
        )


@dataclass(slots=True)
class Tallies:
    """The tallies of some invariants, by id."""

    invariants: Sequence[Invariant]
    of: dict[str, Tally] = field(init=False)

    def __post_init__(self) -> None:
        self.of = {entry.id: Tally(entry) for entry in self.invariants}

    def add(
        self, results: Iterable[Result], plan: Plan | None = None, history: History | None = None, place: str = ""
    ) -> None:
        """Take in what one history came to."""
        for result in results:
            self.of[result.invariant.id].add(result, plan, history, place)

    @property
    def broken(self) -> list[Tally]:
        """Those that were broken, the first one to break first."""
        return sorted((tally for tally in self.of.values() if tally.broken), key=lambda tally: tally.first)

    def lines(self) -> tuple[Line, ...]:
        """One line an invariant, worst first, then by id."""
        return tuple(
            sorted((tally.line() for tally in self.of.values()), key=lambda line: (-line.verdict, line.invariant.id))
        )
