"""Judging a history as it is read: each entry goes to the invariants that asked for its kind.

The cost of an event does not grow with the history. A check that raises is UNKNOWN with its traceback from there on,
and the others go on. What lacks evidence is UNKNOWN from the start, with the reason.
"""

import traceback
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from pvkit.backends.protocol import Event, Settled
from pvkit.conformance.docket import ALL_PARTS, SETTLED, Case, changed_parts, docket_of, word_of
from pvkit.conformance.history import Asked, Entry, Header, History, State
from pvkit.conformance.invariant import AT_RISK, HELD, Findings, Invariant, Memory, Scope, Violation
from pvkit.conformance.verdict import Verdict

MOST_VIOLATIONS = 5
"""How many violations of one invariant are kept with their witnesses; all are counted."""


@dataclass(slots=True)
class Result:
    """What one invariant came to: its verdict, how often it was exercised and at risk, and what broke it.

    `at` is the index of the entry at which it first broke, -1 if it did not. Nobody but its judge changes one: those
    of which nothing was found are shared by all histories.
    """

    invariant: Invariant
    verdict: Verdict = Verdict.NOT_EXERCISED
    held: int = 0
    at_risk: int = 0
    broken: int = 0
    violations: list[Violation] = field(default_factory=list)
    reason: str = ""
    at: int = -1


class Judge:
    """Reads one history, entry by entry.

    What concerns one invariant stands at its place in the docket: how to ask it, what it remembers, and its result,
    which is opened at the first entry that concerns it.
    """

    def __init__(self, header: Header, invariants: Iterable[Invariant]) -> None:
        self.state = State(header)
        self._docket = docket_of(invariants, header)
        self._checks = list(self._docket.checks)
        self._memories: list[Memory] = [{} for _ in self._checks]
        self._results: list[Result | None] = [None] * len(self._checks)
        self._count = 0
        self._unsettled = ""
        for follower in self._docket.followers:
            self.state.follow(follower)

    def feed(self, entry: Entry) -> None:
        """Judge one more entry."""
        if isinstance(entry, Event):
            change = self.state.take(entry)
            parts = changed_parts(change.old, change.new) if entry.type == "MODIFIED" else ALL_PARTS
            self._ask(self._docket.cases.get((change.key.kind, entry.type, parts), ()), change)
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
        checks, memories, results = self._checks, self._memories, self._results
        for when, places in cases:
            try:
                if when is not None and not when(evidence):
                    continue
            except Exception:  # noqa: BLE001 - a crash in a check is a verdict, whatever it was
                self._crash(*places)
                continue
            for place in places:
                try:
                    for finding in checks[place](evidence, memories[place]):
                        result = results[place] or self._open(place)
                        if finding is HELD:
                            result.held += 1
                        else:
                            self._note(result, finding)
                except Exception:  # noqa: BLE001 - a crash in a check is a verdict, whatever it was
                    self._crash(place)

    def _open(self, place: int) -> Result:
        """The result of an invariant, made at the first finding."""
        result = self._results[place] = Result(self._docket.invariants[place])
        return result

    def _crash(self, *places: int) -> None:
        """Ask these no more, and tell why; to be called where an exception is handled."""
        for place in places:
            result = self._results[place] or self._open(place)
            if result.verdict is not Verdict.UNKNOWN:
                result.verdict, result.reason = Verdict.UNKNOWN, traceback.format_exc()
            self._checks[place] = _silent

    def _note(self, result: Result, finding: object) -> None:
        """Take down what is no plain `HELD`."""
        if finding is AT_RISK:
            result.held += 1
            result.at_risk += 1
        elif isinstance(finding, Violation):
            result.broken += 1
            result.at = self._count if result.at < 0 else result.at
            if len(result.violations) < MOST_VIOLATIONS:
                result.violations.append(finding)
        else:
            raise TypeError(f"{result.invariant.id} yielded {finding!r}; yield HELD, AT_RISK or a Violation")

    def finish(self) -> list[Result]:
        """The results, in the order of the invariants."""
        for place, (verdict, reason) in self._docket.settled_in_advance.items():
            self._results[place] = Result(self._docket.invariants[place], verdict, reason=reason)
        for result in self._results:
            if result is not None and result.broken:
                result.verdict = Verdict.FAIL
            elif result is not None and result.held and result.verdict is Verdict.NOT_EXERCISED:
                result.verdict = Verdict.PASS
        if self._unsettled:
            self._doubt()
        untouched = _untouched(self._docket.invariants)
        return [result or nothing for result, nothing in zip(self._results, untouched, strict=True)]

    def _doubt(self) -> None:
        """Call unknown what was to be seen at rest, where not all came to rest."""
        for place, rule in enumerate(self._docket.invariants):
            if rule.scope is Scope.SETTLED:
                result = self._results[place] or self._open(place)
                if result.verdict in _HARMLESS:
                    result.verdict, result.reason = Verdict.UNKNOWN, self._unsettled


def _silent(evidence: object, memory: Memory) -> Findings:
    return iter(())


@lru_cache(maxsize=64)
def _untouched(invariants: tuple[Invariant, ...]) -> tuple[Result, ...]:
    """The results of invariants of which nothing was found."""
    return tuple(map(Result, invariants))


_HARMLESS = (Verdict.PASS, Verdict.NOT_EXERCISED)


def judge(history: History, invariants: Iterable[Invariant]) -> list[Result]:
    """Judge a whole history."""
    reader = Judge(history.header, invariants)
    for entry in history.entries:
        reader.feed(entry)
    return reader.finish()
