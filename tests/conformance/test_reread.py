"""A history and what is read back from its trace are judged alike, to the last count."""

from pathlib import Path

from hypothesis import HealthCheck, given, settings

from pvkit.backends.reference.model import ReferenceModel
from pvkit.conformance.catalogue import all_invariants
from pvkit.conformance.execute import execute
from pvkit.conformance.history import History
from pvkit.conformance.judge import judge
from pvkit.conformance.trace import lines, read_trace
from pvkit.strategies.plan import Plan
from pvkit.strategies.plans import plans


def counted(history: History) -> dict[str, tuple[str, int, int]]:
    """Each verdict, how often its premise held and how often it could have failed."""
    results = judge(history, all_invariants())
    return {entry.invariant.id: (entry.verdict.name, entry.held, entry.at_risk) for entry in results}


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=plans())
def test_equal_objects_are_judged_like_the_same(plan: Plan, tmp_path: Path) -> None:
    history, trace = execute(plan, ReferenceModel()), tmp_path / "trace.jsonl"
    trace.write_text("".join(f"{line}\n" for line in lines(history)), encoding="utf-8")
    header, entries = read_trace(trace)
    assert counted(History(header, list(entries))) == counted(history)
