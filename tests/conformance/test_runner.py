"""Runs: how verdicts of many plans become one, what is kept of a failure, and what ends a run."""

import threading
from dataclasses import replace
from math import inf
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from pvkit.backends.errors import UsageError
from pvkit.backends.mutants.registry import all_mutants
from pvkit.backends.protocol import Operation, Setup
from pvkit.backends.reference.model import ReferenceModel
from pvkit.conformance.catalogue import selected
from pvkit.conformance.history import Change, History, State
from pvkit.conformance.invariant import AT_RISK, HELD, Findings, Invariant, Level, Memory, Scope, Violation, invariant
from pvkit.conformance.judge import judge
from pvkit.conformance.progress import Tick
from pvkit.conformance.reporters import text
from pvkit.conformance.run_report import Canary, Line, RunReport
from pvkit.conformance.run_settings import Settings
from pvkit.conformance.runner import PlanFailed, run
from pvkit.conformance.tally import Tally
from pvkit.conformance.verdict import Verdict, exit_code, merged
from pvkit.strategies.plan import Plan, Settle, size
from pvkit.strategies.plans import plans
from tests.conformance.backends import Belated, Choosy, Foreign, Interrupted, Restless, Roomy, Shelf, Unwilling
from tests.conformance.histories import Story, history_of

KINDS = ("PersistentVolume", "PersistentVolumeClaim", "Pod", "StorageClass")


def creation(kind: str, number: int = 0) -> Operation:
    return Operation("create", {"kind": kind, "metadata": {"name": f"o{number}", "namespace": "default"}, "spec": {}})


def drawn(least: int = 0) -> SearchStrategy[Plan]:
    """Plans that create a few objects of a few kinds."""
    steps = st.lists(st.sampled_from(KINDS), min_size=least, max_size=8)
    return steps.map(
        lambda kinds: Plan(tuple(creation(kind, at) for at, kind in enumerate(kinds)), name=" ".join(kinds))
    )


def promise(id: str, kind: str, *findings: Any, scope: Scope = Scope.EACH_STEP, **more: Any) -> Invariant:
    """A promise that says the same of each new object of a kind."""

    def check(change: Change, memory: Memory) -> Findings:
        """What was promised is kept."""
        for finding in findings:
            if isinstance(finding, Exception):
                raise finding
            yield finding

    return invariant(id, scope=scope, level=Level.CONTRACT, source="here", on=(f"{kind} ADDED",), **more)(check)


def at_rest(state: State, memory: Memory) -> Findings:
    """All is well at rest."""
    yield HELD


KEPT = promise("T-1", "PersistentVolume", AT_RISK)
BROKEN = promise("T-2", "PersistentVolumeClaim", HELD, Violation("a claim was made"))
ALSO_BROKEN = promise("T-3", "Pod", HELD, Violation("a pod was made"))
UNMET = promise("T-4", "Node", HELD)
CRASHING = promise("T-5", "StorageClass", HELD, ValueError("no such field"))
RESTING = invariant("T-6", scope=Scope.SETTLED, level=Level.UPSTREAM, source="here")(at_rest)
ALL = (KEPT, BROKEN, ALSO_BROKEN, UNMET, CRASHING, RESTING)


def ran(backend: Any = None, *invariants: Invariant, of: SearchStrategy[Plan] | None = None, **asked: Any) -> RunReport:
    """A run of thirty plans without a canary, unless asked otherwise."""
    settings = Settings(**{"plans": 30, "seconds": 30.0, "canary": False, **asked})
    return run(backend or Shelf(), invariants or ALL, settings, of if of is not None else drawn())


def line(report: RunReport, wanted: Invariant) -> Line:
    return next(entry for entry in report.lines if entry.invariant is wanted)


ORDER = (Verdict.NOT_SUPPORTED, Verdict.NOT_EXERCISED, Verdict.PASS, Verdict.UNKNOWN, Verdict.FAIL)


@pytest.mark.parametrize("first", ORDER)
@pytest.mark.parametrize("second", ORDER)
def test_of_two_verdicts_the_one_that_says_more_counts(first: Verdict, second: Verdict) -> None:
    assert merged(first, second) is merged(second, first) is max(first, second, key=ORDER.index)


@pytest.mark.parametrize(
    ("verdicts", "strict", "code"),
    [
        ([], False, 0), (["PASS"], True, 0), (["PASS", "NOT_EXERCISED"], False, 0), (["PASS", "NOT_EXERCISED"], True, 3),
        (["NOT_SUPPORTED"], True, 0), (["PASS", "UNKNOWN"], False, 3), (["UNKNOWN", "FAIL"], False, 1),
        (["NOT_EXERCISED", "FAIL"], True, 1),
    ],
)  # fmt: skip
def test_verdicts_become_an_exit_code(verdicts: list[str], strict: bool, code: int) -> None:
    assert exit_code([Verdict[word] for word in verdicts], strict) == code


def test_a_run_counts_and_lists_the_worst_first() -> None:
    report = ran(shrink=False)
    assert [entry.verdict for entry in report.lines] == sorted((entry.verdict for entry in report.lines), reverse=True)
    assert (line(report, KEPT).verdict, line(report, UNMET).verdict) == (Verdict.PASS, Verdict.NOT_EXERCISED)
    assert line(report, KEPT).held == line(report, KEPT).at_risk > 0
    assert (report.plans, report.verdict, report.exit_code) == (30, "FAIL", 1)


def test_a_check_that_crashes_is_undecided_with_its_reason() -> None:
    report = ran(None, KEPT, CRASHING)
    assert line(report, CRASHING).verdict is Verdict.UNKNOWN
    assert "ValueError: no such field" in line(report, CRASHING).reason
    assert (report.verdict, report.exit_code) == ("UNKNOWN", 3)


def test_what_is_promised_at_rest_is_undecided_without_rest() -> None:
    report = ran(Restless(), KEPT, RESTING)
    assert (line(report, RESTING).verdict, line(report, RESTING).reason) == (Verdict.UNKNOWN, "it never rests")
    assert line(report, KEPT).verdict is Verdict.PASS


def test_of_the_plans_that_fail_the_smallest_is_kept_with_its_history() -> None:
    small, large = Plan((creation("Pod"),)), Plan((creation("Pod"), creation("Pod", 1)))
    tally = Tally(ALSO_BROKEN)
    for plan in (large, small, large):
        story = Story()
        for step in plan.steps:
            story.added(step.object)  # type: ignore[union-attr, arg-type]
        history = history_of(story)
        tally.add(judge(history, [ALSO_BROKEN])[0], plan, history)
    assert tally.plan is small
    assert tally.history is not None
    assert len(tally.history.entries) == 1
    assert (tally.broken, tally.first) == (3, 1)


def test_shrinking_leaves_only_what_breaks_the_promise() -> None:
    report = ran(of=drawn(5))
    for broken, kind in ((BROKEN, "PersistentVolumeClaim"), (ALSO_BROKEN, "Pod")):
        plan = line(report, broken).plan
        assert plan is not None
        assert [step.object["kind"] for step in plan.steps if isinstance(step, Operation) and step.object] == [kind]
        assert line(report, broken).steps == size(plan) == 1
        assert line(report, broken).history is not None


def test_without_shrinking_the_plan_stays_as_it_was_drawn() -> None:
    names = set[str]()
    asked = Settings(plans=30, seconds=30.0, canary=False, shrink=False)
    report = run(Shelf(), ALL, asked, drawn(), keep=lambda history: names.add(history.header.plan))
    plan = line(report, BROKEN).plan
    assert plan is not None
    assert plan.name in names


def test_a_plan_that_was_shrunk_for_one_promise_serves_others_that_it_breaks() -> None:
    twin = promise("T-7", "PersistentVolumeClaim", HELD, Violation("again"))
    report = ran(None, BROKEN, twin)
    assert line(report, BROKEN).plan == line(report, twin).plan
    assert line(report, twin).steps == 1


@pytest.mark.parametrize("enough", [1, 2])
def test_a_run_ends_after_the_failures_that_are_enough(enough: int) -> None:
    made: list[set[str]] = []
    asked = Settings(plans=200, seconds=30.0, canary=False, shrink=False, failures=enough)
    report = run(Shelf(), ALL, asked, drawn(), keep=lambda history: made.append(set(history.header.plan.split())))
    broken = {"PersistentVolumeClaim", "Pod"}
    assert len(broken & set().union(*made[:-1])) < enough <= len(broken & set().union(*made))
    assert report.plans == len(made)


def test_a_run_ends_when_its_time_is_over() -> None:
    report = ran(None, KEPT, seconds=0.000001, plans=500)
    assert report.plans == 1


def test_the_same_seed_draws_the_same_plans_and_another_one_others() -> None:
    def names(seed: int) -> list[str]:
        found: list[str] = []
        asked = Settings(plans=20, seconds=30.0, canary=False, seed=seed)
        run(Shelf(), (KEPT,), asked, drawn(), keep=lambda history: found.append(history.header.plan))
        return found

    assert names(1) == names(1) != names(2)


def test_every_history_is_handed_on_with_the_seed() -> None:
    kept: list[History] = []
    report = run(Shelf(), ALL, Settings(plans=10, canary=False, seed=4), drawn(), keep=kept.append)
    assert len(kept) == report.plans
    assert {history.header.seed for history in kept} == {"4"}


def test_the_listener_hears_of_each_plan_and_of_shrinking() -> None:
    heard: list[Tick] = []
    run(Shelf(), ALL, Settings(plans=10, canary=False), drawn(), hear=heard.append)
    assert [tick.done for tick in heard if tick.what == "plans"] == list(range(1, 11))
    assert [tick.broken for tick in heard if tick.what == "plans"][-1] == 2
    assert [tick.wanted for tick in heard if tick.what == "promises shrunk"] == [2, 2]


def test_plans_are_played_at_the_version_that_was_asked_for() -> None:
    kept: list[History] = []
    old = drawn().map(lambda plan: Plan(plan.steps, Setup(kubernetes_version="1.33")))
    run(Shelf(), ALL, Settings(plans=5, canary=False, kubernetes_version="1.34"), old, keep=kept.append)
    assert {history.header.setup.kubernetes_version for history in kept} == {"1.34"}


def test_a_promise_of_other_versions_is_not_supported() -> None:
    later = promise("T-8", "PersistentVolume", HELD, versions=("1.37",))
    assert line(ran(None, later), later).verdict is Verdict.NOT_SUPPORTED


def test_what_a_backend_raises_is_told_with_the_plan_that_it_could_not_carry_out() -> None:
    with pytest.raises(PlanFailed, match="the backend Foreign raised ConnectionResetError: the line is dead") as caught:
        ran(Foreign(), of=drawn(1))
    assert caught.value.after == 2
    assert caught.value.plan.steps


def test_a_backend_may_raise_an_error_of_the_kit() -> None:
    with pytest.raises(PlanFailed, match="this shelf holds one plan only") as caught:
        ran(Unwilling())
    assert isinstance(caught.value.__cause__, UsageError)


def test_a_plan_whose_world_cannot_be_had_is_skipped_counted_and_named() -> None:
    crowded = st.booleans().flatmap(
        lambda crowds: drawn().map(lambda plan: Plan(plan.steps, Setup(namespaces=("other",) if crowds else ())))
    )
    shelf = Choosy()
    report = ran(shelf, KEPT, of=crowded)
    assert list(report.skipped) == ["this shelf has one board"]
    assert report.plans == shelf.plans
    assert report.plans + sum(report.skipped.values()) == 30
    assert f"{sum(report.skipped.values()):>5}  this shelf has one board" in text.render(report)


def test_plans_are_played_side_by_side_each_on_a_backend_of_its_own() -> None:
    roomy = Roomy()
    roomy.barrier = threading.Barrier(3)  # Nobody goes on until three are there.
    report = ran(roomy, KEPT, parallel=3)
    assert report.plans == 30
    assert len(roomy.rooms) == 3
    assert sum(room.plans for room in roomy.rooms) == 30
    assert all(room.foreseen == room.left == room.plans and room.closed for room in roomy.rooms)


def test_what_a_backend_raises_beside_others_ends_the_run_with_its_plan() -> None:
    class Breaking(Roomy):
        def invoke(self, operation: Operation) -> Any:
            raise ConnectionResetError("the line is dead")

    with pytest.raises(PlanFailed, match="the backend Breaking raised ConnectionResetError") as caught:
        ran(Breaking(), KEPT, of=drawn(1), parallel=2)
    assert caught.value.plan.steps


@pytest.mark.parametrize("parallel", [1, 2])
def test_a_plan_that_is_cut_short_is_not_judged_but_counted(parallel: int) -> None:
    report = ran(Belated(), KEPT, of=drawn(1), parallel=parallel)
    assert report.plans == parallel
    assert dict(report.skipped) == {"the time was over before its end": 30 - parallel}


class Lying(Roomy):
    """A cluster that is not as it seems: its volumes are shown as claims."""

    def invoke(self, operation: Operation) -> Any:
        said = operation.object or {}
        if said.get("kind") == "PersistentVolume":
            operation = replace(operation, object={**said, "kind": "PersistentVolumeClaim"})
        return super().invoke(operation)


def test_a_failure_that_the_model_does_not_show_is_shrunk_where_it_was_seen() -> None:
    liar = Lying()
    claimed = drawn(5).map(
        lambda plan: Plan(tuple(step for step in plan.steps if step.object["kind"] != "PersistentVolumeClaim"))  # type: ignore[union-attr, index]
    )
    found = line(ran(liar, KEPT, BROKEN, of=claimed), BROKEN)
    assert (found.verdict, found.reason) == (Verdict.FAIL, "the model does not show it")
    assert found.plan is not None
    assert [step.object["kind"] for step in found.plan.steps] == ["PersistentVolume"]  # type: ignore[union-attr, index]
    assert found.history is not None
    assert liar.seconds == inf


def test_a_failure_that_the_model_shows_too_is_shrunk_there() -> None:
    whole = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    claims = st.integers(3, 5).map(
        lambda count: Plan(
            tuple(put(creation("PersistentVolumeClaim", number), whole) for number in range(count)), name="claims"
        )
    )
    found = line(ran(Roomy(), BROKEN, of=claims), BROKEN)
    assert (found.verdict, found.reason) == (Verdict.FAIL, "the model shows it, too")
    assert found.steps == 1


def put(operation: Operation, spec: Any) -> Operation:
    assert operation.object is not None
    return replace(operation, object={**operation.object, "spec": spec})


def test_what_is_left_behind_is_named_and_makes_the_exit_code() -> None:
    assert told(unclean="volume/v is left").exit_code == 2
    assert told(unclean="volume/v is left", lines=kept(Verdict.FAIL)).exit_code == 1
    assert "LEFT BEHIND: volume/v is left" in text.render(told(unclean="volume/v is left"), quiet=True)


def test_an_interrupted_run_reports_what_was_done_until_then() -> None:
    report = ran(Interrupted())
    assert (report.interrupted, report.exit_code, report.plans) == (True, 130, 3)
    assert text.summary(report).startswith("INTERRUPTED, until then")


def told(**fields: Any) -> RunReport:
    """A report of promises that hold, with other fields as given."""
    return RunReport(Shelf().describe(), "reference", "smoke", 0, 1, 1.0, **{"lines": (Tally(KEPT).line(),), **fields})


def kept(verdict: Verdict) -> tuple[Line, ...]:
    return (Line(KEPT, Verdict.PASS, 1), Line(UNMET, verdict))


def test_a_canary_that_got_away_makes_a_run_invalid() -> None:
    report = told(lines=kept(Verdict.PASS), canary=Canary("never-available", "PVB-056", caught=False, plans=9))
    assert (report.verdict, report.exit_code) == ("INVALID", 3)
    assert "never-available was NOT caught by PVB-056 in 9 plans" in text.render(report)


def test_a_violation_outweighs_a_canary_that_got_away() -> None:
    assert told(lines=kept(Verdict.FAIL), canary=Canary("never-available", "PVB-056", caught=False)).exit_code == 1


def test_a_run_without_a_canary_says_so() -> None:
    report = ran(None, KEPT)
    assert report.exit_code == 0
    assert "no canary was tried" in text.render(report)


def test_strictness_undecides_what_was_never_exercised() -> None:
    lenient, strict = ran(None, KEPT, UNMET), ran(None, KEPT, UNMET, strict=True)
    assert (lenient.verdict, lenient.exit_code) == ("PASS", 0)
    assert (strict.verdict, strict.exit_code) == ("UNKNOWN", 3)


def test_a_canary_is_caught_beside_an_ordinary_run() -> None:
    asked = Settings(profile="smoke", plans=3, seed=5)
    report = run(Shelf(), selected(("PVB-056",)), asked, plans("smoke"))
    assert report.canary.caught is True
    assert all_mutants()[report.canary.mutant].canary


def test_on_a_cluster_the_canary_is_a_history_told_wrongly() -> None:
    class Cluster(ReferenceModel):
        """The model, as if it were a cluster."""

        def beside(self) -> "Cluster":
            return Cluster()

        def foresee(self, operations: Any) -> None:
            pass

        def leave(self) -> None:
            pass

        def limit(self, seconds: float) -> None:
            pass

    asked = Settings(profile="smoke", plans=20, seed=5)
    drawn_calm = plans("smoke", ("sizes", "pairs"), False)
    report = run(Cluster(), selected(), asked, drawn_calm)
    assert report.canary.caught is True
    assert f"canary: a false copy of a history ({report.canary.told}) was noticed by" in text.render(report)
    asleep = [replace(entry, check=lambda evidence, memory: iter(())) for entry in selected()]
    report = run(Cluster(), asleep, asked, drawn_calm)
    assert (report.canary.caught, report.verdict, report.exit_code) == (False, "INVALID", 3)
    assert "was NOT noticed: this run proves nothing" in text.render(report)


def test_a_canary_that_no_plan_can_show_gets_away() -> None:
    asked = Settings(profile="smoke", seconds=0.5, plans=3)
    report = run(Shelf(), selected(("PVB-056",)), asked, st.just(Plan((Settle(),))))
    assert (report.canary.caught, report.verdict, report.exit_code) == (False, "INVALID", 3)
