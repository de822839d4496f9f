"""What plans dwell on when only some promises are asked about."""

from pvkit.conformance.catalogue import all_invariants
from pvkit.conformance.focus import PROMISES, TOPICS, about, plans_about
from pvkit.strategies.features import FEATURES
from pvkit.strategies.plans import plans
from tests.strategies.drawing import draws


def test_every_topic_and_promise_named_exists_and_names_features() -> None:
    known = {entry.topic for entry in all_invariants()} | {entry.id for entry in all_invariants()}
    assert set(TOPICS) | set(PROMISES) <= known
    assert {feature for some in (*TOPICS.values(), *PROMISES.values()) for feature in some} <= set(FEATURES)


def test_a_few_promises_are_about_their_subjects_and_all_about_nothing_in_particular() -> None:
    retention = [entry for entry in all_invariants() if entry.topic == "retention" and entry.id not in PROMISES]
    assert about(retention) == TOPICS["retention"]
    assert about(all_invariants()) == ()


def test_plans_about_retention_hold_more_sets_that_ask_for_it() -> None:
    retention = [entry for entry in all_invariants() if entry.topic == "retention"]
    asked, usual = (
        sum("retention" in plan.features for plan in draws(strategy, 100))
        for strategy in (plans_about(retention), plans())
    )
    assert asked > usual
