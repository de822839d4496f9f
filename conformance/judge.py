"""Judging a history as it is read: each entry goes to the invariants that asked for its kind.

The cost of an event does not grow with the history. A check that raises is UNKNOWN with its traceback from there on,
and the others go on. What lacks evidence is UNKNOWN from the start, with the reason.
"""

import traceback
from collections.abc import Iterable
from dataclasses import dataclass, field

from pvkit.backends.protocol import Event, Settled
from pvkit.conformance.docket import SETTLED, Case, docket_of, word_of
from pvkit.conformance.history import Asked, Entry, Header, History, State
from pvkit.conformance.invariant import AT_RISK, HELD, Check, Findings, Invariant, Memory, Scope, Violation, When
from pvkit.conformance.verdict import Verdict

MOST_VIOLATIONS = 5
"""How many violations of one invariant are kept with their witnesses; all are counted."""


@dataclass(slots=True)
class Result:
    """What one invariant came to: its verdict, how often it was exercised and at risk, and what broke it.

    `at` is the index of the entry at which it first broke, -1 if it did not.
    """

    invariant: Invariant
    verdict: Verdict = Verdict.NOT_EXERCISED
    held: int = 0
    at_risk: int = 0
    broken: int = 0
    violations: list[Violation] = field(default_factory=list)
    reason: str = ""
    at: int = -1


class Sitting:
    """One invariant in one history: what it came to so far, how to ask it, and what it remembers."""

    __slots__ = ("check", "held", "memory", "result")

    def __init__(self, invariant: Invariant, check: Check) -> None:
        self.result = Result(invariant)
        self.check = check
        self.memory: Memory = {}
        self.held = 0

    def crash(self) -> None:
        """Ask no more, and tell why; to be called where an exception is handled."""
        self.result.verdict, self.result.reason = Verdict.UNKNOWN, traceback.format_exc()
        self.check = _silent

    def note(self, finding: object, index: int) -> None:
        """Take down what is no plain `HELD`."""
        result = self.result
        if finding is AT_RISK:
            self.held += 1
            result.at_risk += 1
        elif isinstance(finding, Violation):
            result.broken += 1
            result.at = index if result.at < 0 else result.at
            if len(result.violations) < MOST_VIOLATIONS:
                result.violations.append(finding)
        else:
            raise TypeError(f"{result.invariant.id} yielded {finding!r}; yield HELD, AT_RISK or a Violation")


def _silent(evidence: object, memory: Memory) -> Findings:
    return iter(())


class Judge:
    """Reads one history, entry by entry."""

    def __init__(self, header: Header, invariants: Iterable[Invariant]) -> None:
        self.state = State(header)
        self._docket = docket_of(invariants, header)
        self._sittings: list[Sitting | None] = [None] * len(self._docket.invariants)
        self._count = 0
        self._unsettled = ""
        for follower in self._docket.followers:
            self.state.follow(follower)

    def feed(self, entry: Entry) -> None:
        """Judge one more entry."""
        if isinstance(entry, Event):
            change = self.state.take(entry)
            self._ask(self._docket.cases.get((change.key.kind, entry.type), ()), change)
        elif isinstance(entry, Asked):
            self.state.hear(entry)
            self._ask(self._docket.cases.get(word_of(entry), ()), (entry, self.state))
        elif isinstance(entry, Settled):
            self._feed_settled(entry)
        self._count += 1

    def _feed_settled(self, entry: Settled) -> None:
        self.state.hear(entry)
        if entry.disturbed:
            return
        if not entry.quiet:
            self._unsettled = entry.reason or "the backend did not settle"
            return
        self._ask(self._docket.cases.get(SETTLED, ()), self.state)

    def _ask(self, cases: tuple[Case, ...], evidence: object) -> None:
        """Ask the invariants whose condition holds; one that crashed once is not asked again."""
        sittings, count = self._sittings, self._count
        for when, places in cases:
            if when is not None and not self._holds(when, evidence, places):
                continue
            for place in places:
                sitting = sittings[place] or self._open(place)
                try:
                    for finding in sitting.check(evidence, sitting.memory):
                        if finding is HELD:
                            sitting.held += 1
                        else:
                            sitting.note(finding, count)
                except Exception:  # noqa: BLE001 - a crash in a check is a verdict, whatever it was
                    sitting.crash()

    def _holds(self, when: When, evidence: object, places: tuple[int, ...]) -> object:
        """Whether a condition holds; where it crashes, all that stand under it have crashed."""
        try:
            return when(evidence)
        except Exception:  # noqa: BLE001 - a crash in a check is a verdict, whatever it was
            for place in places:
                (self._sittings[place] or self._open(place)).crash()
            return False

    def _open(self, place: int) -> Sitting:
        """The sitting of an invariant, at its first entry."""
        sitting = self._sittings[place] = Sitting(self._docket.invariants[place], self._docket.checks[place])
        return sitting

    def finish(self) -> list[Result]:
        """The results, in the order of the invariants."""
        return [self._result(place) for place in range(len(self._sittings))]

    def _result(self, place: int) -> Result:
        """The verdict of one invariant."""
        sitting, rule = self._sittings[place], self._docket.invariants[place]
        result = sitting.result if sitting is not None else Result(rule)
        if place in self._docket.settled_in_advance:
            result.verdict, result.reason = self._docket.settled_in_advance[place]
        if sitting is not None:
            result.held = sitting.held
            if result.broken:
                result.verdict = Verdict.FAIL
            elif result.held and result.verdict is Verdict.NOT_EXERCISED:
                result.verdict = Verdict.PASS
        if self._unsettled and rule.scope is Scope.SETTLED and result.verdict in _HARMLESS:
            result.verdict, result.reason = Verdict.UNKNOWN, self._unsettled
        return result


_HARMLESS = (Verdict.PASS, Verdict.NOT_EXERCISED)


def judge(history: History, invariants: Iterable[Invariant]) -> list[Result]:
    """Judge a whole history."""
    reader = Judge(history.header, invariants)
    for entry in history.entries:
        reader.feed(entry)
    return reader.finish()
