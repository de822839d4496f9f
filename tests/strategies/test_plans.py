"""Whole plans: what they reach, what they shrink to, and that the same seed gives the same."""

from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, find, settings

from pvkit.backends.errors import UsageError
from pvkit.backends.protocol import VERBS, Departure, Fault, Operation
from pvkit.backends.reference.model import ReferenceModel
from pvkit.conformance.execute import execute
from pvkit.conformance.history import Asked, History
from pvkit.conformance.shapes import shapes
from pvkit.strategies.features import FAULTS, FEATURES
from pvkit.strategies.moves.registry import all_moves, maker_for, table
from pvkit.strategies.plan import Plan, Settle, Turns
from pvkit.strategies.plan_file import write_plan
from pvkit.strategies.plans import PROFILES, naive_plans, plans
from pvkit.strategies.schedules import schedules
from tests.strategies.drawing import draws

COUNT = 200


@pytest.fixture(scope="module")
def sample() -> list[Plan]:
    """The plans of one seed."""
    return draws(plans(), COUNT)


@pytest.fixture(scope="module")
def histories(sample: list[Plan]) -> list[History]:
    """What the model makes of them."""
    model = ReferenceModel()
    return [execute(plan, model) for plan in sample]


def asked(plan: Plan, word: str) -> bool:
    return any(
        step.verb == word if isinstance(step, Operation) else isinstance(step, Fault) and step.word == word
        for step in plan.steps
    )


def test_the_same_seed_draws_the_same_plans(sample: list[Plan]) -> None:
    assert [write_plan(plan) for plan in draws(plans(), COUNT)] == [write_plan(plan) for plan in sample]


def test_few_plans_are_drawn_twice(sample: list[Plan]) -> None:
    assert len({repr(plan) for plan in sample}) > 0.9 * COUNT


def test_plans_keep_within_the_length_of_their_profile(sample: list[Plan]) -> None:
    assert max(len(plan.steps) for plan in sample) == PROFILES["default"][1]
    assert max(len(plan.steps) for plan in draws(plans("smoke"), 60)) <= PROFILES["smoke"][1]


def test_every_feature_takes_part_and_is_recorded(sample: list[Plan]) -> None:
    seen = Counter(feature for plan in sample for feature in plan.features)
    recorded = {feature for feature in FEATURES if seen[feature]}
    assert recorded >= set(FEATURES) - {"time", "sources", "behaviours"}


def test_every_verb_is_asked_and_every_fault_is_made() -> None:
    many = [plan for number in (1, 2, 3) for plan in draws(plans(), COUNT, number)]
    words = {step.verb if isinstance(step, Operation) else step.word for plan in many for step in plan.steps
             if isinstance(step, Operation | Fault)}  # fmt: skip
    assert words >= {*VERBS, "hold", "release", "freeze", "thaw", "crash", "refuse", "lose-answer", "delay"}
    assert words >= {"second-leader", "advance", "cut-off", "power-off", "rejoin", "storage", "heal"}


def test_most_operations_succeed_and_some_are_refused(histories: list[History]) -> None:
    outcomes = Counter(
        entry.outcome.reason or "ok"
        for history in histories
        for entry in history.entries
        if isinstance(entry, Asked) and isinstance(entry.request, Operation)
    )
    assert outcomes["ok"] > 0.85 * outcomes.total()
    assert outcomes.keys() >= {"NotFound", "AlreadyExists", "Invalid"}


def test_every_shape_of_every_predicate_is_met(histories: list[History]) -> None:
    met: Counter[str] = sum((shapes(history) for history in histories), Counter())
    predicates = {shape.partition(": ")[0] for shape in met}
    every = {
        f"{predicate}: {how}" for predicate in predicates for how in ("fit", "just-fit", "just-not-fit", "absence")
    }
    assert predicates
    assert every - met.keys() == set()


def test_plans_without_faults_hold_none() -> None:
    calm = draws(plans(faults=False), 80)
    assert [step for plan in calm for step in plan.steps if isinstance(step, Fault)] == []
    assert {feature for plan in calm for feature in plan.features} & set(FAULTS) == set()


def test_plans_of_some_features_know_no_others() -> None:
    narrow = draws(plans(features=("sizes", "modes")), 60)
    assert {feature for plan in narrow for feature in plan.features} == {"sizes", "modes"}
    assert {kind for plan in narrow for kind in made(plan)} == {"PersistentVolume", "PersistentVolumeClaim"}


def made(plan: Plan) -> list[str]:
    return [step.object["kind"] for step in plan.steps if isinstance(step, Operation) and step.object is not None]


QUICK = settings(
    database=None,
    deadline=None,
    max_examples=1_500,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)
SHRINKS = {
    "a set": (lambda plan: "StatefulSet" in made(plan), ["StatefulSet"], 1),
    "a pod": (lambda plan: "Pod" in made(plan), ["Pod"], 1),
    "a scaling": (lambda plan: asked(plan, "scale"), ["StatefulSet"], 2),
    "a crash": (lambda plan: asked(plan, "crash"), [], 1),
    "a held view": (lambda plan: asked(plan, "hold"), [], 1),
    "a node cut off": (lambda plan: asked(plan, "cut-off"), [], 1),
}


@pytest.mark.parametrize("what", SHRINKS)
def test_a_plan_shrinks_to_what_a_person_would_write(what: str) -> None:
    condition, kinds, length = SHRINKS[what]
    smallest = find(plans(), condition, settings=QUICK)
    assert made(smallest) == kinds
    assert len(smallest.steps) == length
    assert smallest.schedule == ()


def test_a_schedule_shrinks_to_one_departure() -> None:
    assert find(schedules(), bool, settings=QUICK) == (Departure("turn", 0, "binder"),)


@pytest.mark.parametrize(
    ("ask", "shown"),
    [
        (lambda: plans("huge"), "'huge'"),
        (lambda: plans(features=("sizes", "colours")), "'colours'"),
        (lambda: schedules(-1), "-1"),
    ],
)
def test_bad_arguments_are_refused_with_the_value(ask: object, shown: str) -> None:
    assert callable(ask)
    with pytest.raises(UsageError, match=shown):
        ask()


def test_naive_plans_are_guided_by_nothing() -> None:
    plain = draws(naive_plans(), 60)
    assert {type(step) for plan in plain for step in plan.steps} <= {Operation, Fault, Settle, Turns}
    assert {plan.features for plan in plain} == {()}


def test_each_move_says_what_it_does_and_knows_its_features() -> None:
    assert [entry for entry in all_moves() if not entry.sentence.endswith(".")] == []
    assert {feature for entry in all_moves() for feature in entry.features} <= set(FEATURES)
    assert {maker_for(entry) for entry in all_moves()} <= set(all_moves())


def test_without_features_only_plain_moves_are_left() -> None:
    assert {entry.features for entry in table(frozenset())} == {()}
    assert set(table(frozenset(FEATURES))) == set(all_moves())
