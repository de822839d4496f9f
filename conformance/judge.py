"""Judging a history as it is read: each entry goes to the invariants that asked for its kind.

The cost of an event does not grow with the history. A check that raises is UNKNOWN with its traceback from there on,
and the others go on. What lacks evidence is UNKNOWN from the start, with the reason.
"""

import traceback
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from pvkit.backends.protocol import Event, Settled
from pvkit.conformance.history import Asked, Entry, Header, History, State
from pvkit.conformance.invariant import AT_RISK, HELD, Check, Invariant, Memory, Scope, Violation
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


@dataclass(slots=True)
class Sitting:
    """One invariant in one history: what it came to so far, how to ask it, and what it remembers."""

    result: Result
    check: Check
    memory: Memory


class Judge:
    """Reads one history, entry by entry."""

    def __init__(self, header: Header, invariants: Iterable[Invariant]) -> None:
        self.state = State(header)
        self.results = {entry.id: Result(entry) for entry in invariants}
        self._on: defaultdict[tuple[str, str], list[Sitting]] = defaultdict(list)
        self._settled: list[Sitting] = []
        self._count = 0
        self._unsettled = ""
        for result in self.results.values():
            self._admit(result, header)

    def _admit(self, result: Result, header: Header) -> None:
        rule = result.invariant
        if header.setup.kubernetes_version not in rule.versions:
            result.verdict, result.reason = Verdict.NOT_SUPPORTED, f"not promised by {header.setup.kubernetes_version}"
            return
        lacking = [f"no {need}" for need in sorted(rule.needs) if not getattr(header.backend, _EVIDENCE[need])]
        if lacking:
            result.verdict, result.reason = Verdict.UNKNOWN, f"the history has {', '.join(lacking)}"
            return
        sitting = Sitting(result, rule.check, {})
        for word in rule.on:
            kind, _, only = word.partition(" ")
            for type in (only,) if only or kind == "Asked" else _TYPES:
                self._on[kind, type].append(sitting)
        for follower in rule.follows:
            self.state.follow(follower)
        if rule.scope is Scope.SETTLED:
            self._settled.append(sitting)

    def feed(self, entry: Entry) -> None:
        """Judge one more entry."""
        if isinstance(entry, Event):
            change = self.state.take(entry)
            for sitting in self._on.get((change.key.kind, entry.type), ()):
                self._weigh(sitting, change)
        elif isinstance(entry, Asked):
            self.state.hear(entry)
            for sitting in self._on.get(("Asked", ""), ()):
                self._weigh(sitting, entry, self.state)
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
        for sitting in self._settled:
            self._weigh(sitting, self.state)

    def _weigh(self, sitting: "Sitting", *evidence: object) -> None:
        """Ask one invariant; one that crashed once is not asked again."""
        result = sitting.result
        if result.verdict is Verdict.UNKNOWN:
            return
        try:
            for finding in sitting.check(*evidence, sitting.memory):
                if finding is HELD:
                    result.held += 1
                else:
                    self._note(result, finding)
        except Exception:  # noqa: BLE001 - a crash in a check is a verdict, whatever it was
            result.verdict, result.reason = Verdict.UNKNOWN, traceback.format_exc()

    def _note(self, result: Result, finding: object) -> None:
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
        for result in self.results.values():
            if result.broken:
                result.verdict = Verdict.FAIL
            elif result.verdict is Verdict.NOT_EXERCISED and result.held:
                result.verdict = Verdict.PASS
            if self._unsettled and result.invariant.scope is Scope.SETTLED and result.verdict in _HARMLESS:
                result.verdict, result.reason = Verdict.UNKNOWN, self._unsettled
        return list(self.results.values())


_TYPES = ("ADDED", "MODIFIED", "DELETED")
_EVIDENCE = {"order": "ordered", "ledgers": "ledgers"}
_HARMLESS = (Verdict.PASS, Verdict.NOT_EXERCISED)


def judge(history: History, invariants: Iterable[Invariant]) -> list[Result]:
    """Judge a whole history."""
    reader = Judge(history.header, invariants)
    for entry in history.entries:
        reader.feed(entry)
    return reader.finish()
