"""Which rule could have made a write: nearly all of the model's own, and none for what a broken model writes."""

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded

from pvkit.backends.mutants.registry import MutantModel, named
from pvkit.backends.objects import key
from pvkit.backends.protocol import Backend
from pvkit.backends.reference.model import ReferenceModel
from pvkit.conformance.execute import execute
from pvkit.conformance.explained import Unexplained, explain
from pvkit.conformance.fidelity import FEATURES
from pvkit.strategies.plan import Plan
from pvkit.strategies.plans import plans


def explained(backend: Backend, count: int) -> tuple[int, list[Unexplained]]:
    """How many writes were explained over some drawn plans, and which were not."""
    sample: list[Plan] = []

    @seeded(3)
    @settings(max_examples=count, phases=(Phase.generate,), suppress_health_check=list(HealthCheck))
    @given(plans(features=FEATURES, faults=False))
    def draw(plan: Plan) -> None:
        sample.append(plan)

    draw()
    seen, left = 0, list[Unexplained]()
    for plan in sample:
        rules, unexplained, _ = explain(execute(plan, backend))
        seen += rules.total()
        left += unexplained
    return seen, left


def test_all_writes_of_the_model_are_those_of_its_rules() -> None:
    seen, left = explained(ReferenceModel(), 10)
    assert seen > 200
    assert not left, [(entry.event.type, key(entry.event.object)) for entry in left]


def test_what_no_rule_would_write_is_told_with_its_neighbours() -> None:
    _, left = explained(MutantModel(named("class-ignored")), 20)
    bound = [entry for entry in left if entry.event.object["kind"] == "PersistentVolume"]
    assert bound
    assert bound[0].actor == "binder"
    assert all(len(entry.neighbours) in (2, 3, 4) for entry in bound)


def test_what_is_not_looked_at_is_counted_by_its_reason() -> None:
    model = ReferenceModel()
    _, _, unlooked = explain(execute(Plan(()), model))
    assert set(unlooked) <= {"heartbeats and taints of nodes", "the status of namespaces"}
