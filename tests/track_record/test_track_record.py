"""Known bugs, as plans: each shows on the mutant that stands for its bug, and the correct model passes all of them."""

from collections import defaultdict
from pathlib import Path

import pytest

from benchmarks.record import cases, file_of
from pvkit.backends.mutants.registry import Mutant, MutantModel
from pvkit.backends.reference.model import ReferenceModel
from pvkit.conformance.catalogue import all_invariants
from pvkit.conformance.execute import execute
from pvkit.conformance.judge import judge
from pvkit.conformance.verdict import Verdict
from pvkit.strategies.plan import Plan
from pvkit.strategies.plan_file import read_plans

PLANS = {read_plans(path)[0].name: read_plans(path)[0] for path in sorted(Path(__file__).parent.glob("*.yaml"))}
MUTANTS: dict[str, list[Mutant]] = defaultdict(list)
for thread, broken in cases():
    MUTANTS[thread].append(broken)


def failing(plan: Plan, backend: ReferenceModel | MutantModel) -> set[str]:
    """The ids of the promises that the plan shows to be broken."""
    return {
        entry.invariant.id for entry in judge(execute(plan, backend), all_invariants()) if entry.verdict is Verdict.FAIL
    }


@pytest.mark.parametrize("thread", PLANS)
def test_a_known_bug_is_noticed_on_a_mutant_that_stands_for_it(thread: str) -> None:
    assert any(failing(PLANS[thread], MutantModel(entry)) & set(entry.breaks) for entry in MUTANTS[thread])


@pytest.mark.parametrize("thread", PLANS)
def test_the_correct_model_passes_where_the_bug_showed(thread: str) -> None:
    assert failing(PLANS[thread], ReferenceModel()) == set()


def test_each_file_is_named_after_its_thread() -> None:
    assert {file_of(thread).name for thread in PLANS} == {path.name for path in Path(__file__).parent.glob("*.yaml")}
    assert PLANS
