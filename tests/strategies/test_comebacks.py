"""Plans in which pods come back: on the model they find their data, and they would notice if it were lost."""

from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from pvkit.backends.mutants.registry import MutantModel, all_mutants
from pvkit.backends.protocol import Description
from pvkit.backends.reference.model import ReferenceModel
from pvkit.conformance.catalogue import selected
from pvkit.conformance.commands.cluster_options import drawn_for
from pvkit.conformance.execute import execute
from pvkit.conformance.hunt import hunt
from pvkit.conformance.judge import judge
from pvkit.conformance.verdict import Verdict
from pvkit.strategies.comebacks import comebacks
from pvkit.strategies.plan import Plan, size

MOST_STEPS = 24


def test_no_plan_is_a_false_alarm_and_most_are_about_data_that_could_be_missing() -> None:
    at_risk: list[bool] = []

    @settings(max_examples=60, deadline=None, database=None)
    @given(comebacks())
    def each(plan: Plan) -> None:
        results = {result.invariant.id: result for result in judge(execute(plan, ReferenceModel()), selected())}
        assert [id for id, result in results.items() if result.verdict in (Verdict.FAIL, Verdict.UNKNOWN)] == []
        assert size(plan) <= MOST_STEPS
        at_risk.append(results["STS-047"].at_risk > 0)

    each()
    assert sum(at_risk) > len(at_risk) / 2


def test_volumes_that_are_wiped_are_noticed_by_few_steps() -> None:
    broken = MutantModel(all_mutants()["volume-wiped-at-start"])
    caught = hunt(broken, selected(("STS-047",)), comebacks(), seed=1, shrink_seconds=3.0)
    assert caught.plan is not None
    assert size(caught.plan) <= 6


@pytest.mark.parametrize(
    ("lacks", "data", "expected"), [({}, True, True), ({"provisioning": "none"}, True, False), ({}, False, False)]
)
def test_plans_for_a_cluster_are_about_data_where_pods_write_to_volumes_made_for_them(
    lacks: dict[str, str], data: bool, expected: bool
) -> None:
    told = Description("theirs", "1", "1.36", lacks={"nodes": "their own", **lacks}, data=data)
    drawn = drawn_for(SimpleNamespace(describe=lambda: told), "smoke", 1)
    found: set[str] = set()

    @settings(
        max_examples=60, deadline=None, database=None, phases=(Phase.generate,), suppress_health_check=list(HealthCheck)
    )
    @given(drawn)
    def each(plan: Plan) -> None:
        found.add(plan.name)

    each()
    assert ("comeback" in found) is expected
