"""Judging: what makes a verdict, and that a broken check is never a pass."""

from collections.abc import Callable
from typing import Any

from pvkit.backends.protocol import Description, Event, Operation, Outcome, Settled, Setup
from pvkit.conformance.history import Asked, Entry, Header, History
from pvkit.conformance.invariant import AT_RISK, HELD, Invariant, Level, Scope, Violation, invariant
from pvkit.conformance.judge import MOST_VIOLATIONS, Result, judge
from pvkit.conformance.verdict import Verdict, exit_code, merged

POD = {"kind": "Pod", "metadata": {"name": "p", "namespace": "default", "uid": "1", "resourceVersion": "1"}}


def on_pods(body: Callable[..., Any], **options: Any) -> Invariant:
    """An invariant of pod changes that yields what `body` gives."""

    def check(change: Any, memory: Any) -> Any:
        """A promise about pods."""
        yield from body(change)

    return invariant("X-1", scope=Scope.EACH_STEP, level=Level.CONTRACT, source="here", on=("Pod",), **options)(check)


def settled(body: Callable[..., Any]) -> Invariant:
    """An invariant of settled states that yields what `body` gives."""

    def check(state: Any, memory: Any) -> Any:
        """A promise about rest."""
        yield from body(state)

    return invariant("X-2", scope=Scope.SETTLED, level=Level.CONTRACT, source="here")(check)


def verdict(rule: Invariant, *entries: Entry, ordered: bool = True, version: str = "1.36") -> Result:
    header = Header(Setup(version), Description("test", "0", version, ordered=ordered))
    (result,) = judge(History(header, list(entries)), [rule])
    return result


EVENT = Event(0, "ADDED", POD)
QUIET, BUSY, DISTURBED = Settled(True, 1.0), Settled(False, 1.0, "still busy"), Settled(True, 1.0, "", ("hold",))


def test_a_rule_whose_premise_never_held_is_not_a_pass() -> None:
    assert verdict(on_pods(lambda change: [HELD])).verdict is Verdict.NOT_EXERCISED
    assert verdict(on_pods(lambda change: []), EVENT).verdict is Verdict.NOT_EXERCISED


def test_premises_and_risks_are_counted() -> None:
    result = verdict(on_pods(lambda change: [HELD, AT_RISK]), EVENT, EVENT)
    assert (result.verdict, result.held, result.at_risk) == (Verdict.PASS, 4, 2)


def test_a_violation_fails_and_tells_where_it_first_was() -> None:
    result = verdict(
        on_pods(lambda change: [Violation("no")] if change.event.index else []), EVENT, Event(1, "ADDED", POD)
    )
    assert (result.verdict, result.broken, result.at) == (Verdict.FAIL, 1, 1)


def test_all_violations_are_counted_and_the_first_few_kept() -> None:
    result = verdict(on_pods(lambda change: [Violation("no")]), *[EVENT] * (MOST_VIOLATIONS + 3))
    assert (result.broken, len(result.violations)) == (MOST_VIOLATIONS + 3, MOST_VIOLATIONS)


def test_a_check_that_crashes_is_unknown_with_its_traceback() -> None:
    result = verdict(on_pods(lambda change: 1 // 0), EVENT)
    assert result.verdict is Verdict.UNKNOWN
    assert "ZeroDivisionError" in result.reason


def test_a_check_that_yields_nonsense_is_unknown() -> None:
    result = verdict(on_pods(lambda change: [True]), EVENT)
    assert (result.verdict, "yield HELD" in result.reason) == (Verdict.UNKNOWN, True)


def test_a_crash_after_a_violation_does_not_hide_it() -> None:
    def body(change: Any) -> Any:
        yield Violation("no")
        raise ValueError

    assert verdict(on_pods(body), EVENT).verdict is Verdict.FAIL


def test_rest_is_judged_only_when_all_is_quiet_and_nothing_disturbs() -> None:
    rule = settled(lambda state: [Violation("no")])
    assert verdict(rule, QUIET).verdict is Verdict.FAIL
    assert verdict(rule, DISTURBED).verdict is Verdict.NOT_EXERCISED


def test_a_history_that_did_not_settle_leaves_rest_undecided() -> None:
    result = verdict(settled(lambda state: [HELD]), QUIET, BUSY)
    assert (result.verdict, result.reason) == (Verdict.UNKNOWN, "still busy")


def test_without_an_order_of_writes_what_needs_one_is_undecided() -> None:
    result = verdict(on_pods(lambda change: [Violation("no")], needs=("order",)), EVENT, ordered=False)
    assert (result.verdict, result.reason) == (Verdict.UNKNOWN, "the history has no order")


def test_what_a_backend_says_that_it_cannot_show_is_not_supported_for_its_reason() -> None:
    rule = on_pods(lambda change: [Violation("no")], needs=("ledgers",))
    header = Header(Setup(), Description("it", "1", "1.36", lacks={"ledgers": "nobody writes anything"}))
    (result,) = judge(History(header, [EVENT]), [rule])
    assert (result.verdict, result.reason) == (Verdict.NOT_SUPPORTED, "nobody writes anything")


def test_a_promise_of_another_version_is_not_supported() -> None:
    result = verdict(on_pods(lambda change: [Violation("no")], versions=("1.37",)), EVENT)
    assert result.verdict is Verdict.NOT_SUPPORTED


def test_one_history_that_exercised_a_rule_is_enough() -> None:
    assert merged(Verdict.PASS, Verdict.NOT_EXERCISED) is Verdict.PASS
    assert merged(Verdict.NOT_EXERCISED, Verdict.NOT_EXERCISED) is Verdict.NOT_EXERCISED
    assert merged(Verdict.NOT_SUPPORTED, Verdict.NOT_EXERCISED) is Verdict.NOT_EXERCISED
    assert merged(Verdict.PASS, Verdict.UNKNOWN) is Verdict.UNKNOWN
    assert merged(Verdict.FAIL, Verdict.UNKNOWN) is Verdict.FAIL


def test_exit_codes_tell_broken_from_undecided() -> None:
    assert exit_code([Verdict.PASS, Verdict.NOT_EXERCISED]) == 0
    assert exit_code([Verdict.PASS, Verdict.NOT_EXERCISED], strict=True) == 3
    assert exit_code([Verdict.UNKNOWN]) == 3
    assert exit_code([Verdict.UNKNOWN, Verdict.FAIL]) == 1


def test_a_promise_is_asked_only_where_its_condition_holds() -> None:
    rule = on_pods(lambda change: [HELD], when=lambda change: change.event.index % 2)
    assert verdict(rule, *[Event(index, "ADDED", POD) for index in range(5)]).held == 2


def test_a_condition_that_crashes_is_unknown_for_all_that_name_it() -> None:
    def broken(change: Any) -> bool:
        raise ZeroDivisionError

    one, other = on_pods(lambda change: [HELD], when=broken), settled(lambda state: [HELD])
    header = Header(Setup(), Description("test", "0", "1.36"))
    results = judge(History(header, [EVENT, QUIET]), [one, other])
    assert [result.verdict for result in results] == [Verdict.UNKNOWN, Verdict.PASS]
    assert "ZeroDivisionError" in results[0].reason


def test_an_invariant_of_answers_may_name_a_verb() -> None:
    def check(asked: Any, state: Any, memory: Any) -> Any:
        """A promise about answers."""
        yield HELD

    told = {"scope": Scope.EACH_STEP, "level": Level.CONTRACT, "source": "here"}
    rule = invariant("X-3", on=("Asked get",), when=lambda asked, state: asked.step, **told)(check)
    asked = [Asked(step, Operation(verb), Outcome("ok")) for step, verb in enumerate(("get", "get", "list", "odd"))]
    assert verdict(rule, *asked).held == 1
    assert verdict(invariant("X-4", on=("Asked",), **told)(check), *asked).held == 4
