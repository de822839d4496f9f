"""False copies of histories: every kind is noticed, wherever it can be done, and none is made where nobody could."""

from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from pvkit.backends.protocol import Event, Settled
from pvkit.backends.reference.model import ReferenceModel
from pvkit.conformance.catalogue import selected
from pvkit.conformance.execute import execute
from pvkit.conformance.falsify import KINDS, Kind, false_copy, falsified, places
from pvkit.conformance.history import History
from pvkit.conformance.judge import judge
from pvkit.conformance.playable import for_cluster
from pvkit.conformance.run_settings import Settings
from pvkit.conformance.runner import tell_wrongly
from pvkit.conformance.verdict import Verdict
from pvkit.strategies.features import PLAIN
from pvkit.strategies.plan import Plan
from pvkit.strategies.plans import plans

ALL = [entry.id for entry in selected(())]
DRAWN, MOST_PLACES = 40, 6
LEDGERS = ("Asset", "Process")


@cache
def histories() -> tuple[History, ...]:
    """Histories of the model as a cluster would show them."""
    found: list[History] = []
    model = ReferenceModel()
    features = tuple(entry for entry in PLAIN if entry not in ("turns", "order", "settings"))

    @settings(
        max_examples=DRAWN, database=None, deadline=None, derandomize=True, phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(plans("default", features, False))
    def each(plan: Plan) -> None:
        history = execute(for_cluster(plan, "1.36")[0], model)
        entries = [
            entry for entry in history.entries if not (isinstance(entry, Event) and entry.object["kind"] in LEDGERS)
        ]
        backend = replace(history.header.backend, ledgers=False, lag=1.0, lacks={"ledgers": "not shown"})
        found.append(History(replace(history.header, backend=backend), entries))

    each()
    return tuple(found)


def broken(history: History, *ids: str) -> list[str]:
    return [entry.invariant.id for entry in judge(history, selected(ids)) if entry.verdict is Verdict.FAIL]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.id)
def test_every_kind_is_noticed_wherever_it_can_be_done(kind: Kind) -> None:
    copies = [
        false_copy(history, kind, seen) for history in histories() for seen in places(history, kind)[:MOST_PLACES]
    ]
    assert len(copies) > 3
    assert [copy.at for copy in copies if not broken(copy.history, *kind.notices)] == []


def test_the_histories_themselves_break_nothing() -> None:
    assert [broken(history, *{id for kind in KINDS for id in kind.notices}) for history in histories()] == [[]] * DRAWN


def test_the_seed_chooses_the_kind_and_the_same_seed_the_same() -> None:
    def chosen(seed: int) -> Any:
        copy = falsified(histories(), ALL, seed)
        assert copy is not None
        return copy.kind.id, copy.at, copy.history.entries

    assert chosen(3) == chosen(3)
    assert len({chosen(seed)[0] for seed in range(60)}) > len(KINDS) - 3


def test_a_false_copy_differs_in_one_event_and_leaves_the_history_as_it_was() -> None:
    before = [list(history.entries) for history in histories()]
    for seed in range(20):
        copy = falsified(histories(), ALL, seed)
        assert copy is not None
        original = next(entry for entry in histories() if entry.header is copy.history.header)
        assert copy.history.entries != original.entries
        assert len(original.entries) - len(copy.history.entries) in (0, 1)
    assert [list(history.entries) for history in histories()] == before


def test_no_copy_is_made_that_nobody_judged_must_notice() -> None:
    assert falsified(histories(), ["PVB-001"], 0) is None
    assert {falsified(histories(), ["STS-105"], seed).kind.id for seed in range(9)} == {"node-changed"}  # type: ignore[union-attr]


@pytest.mark.parametrize("fields", [{"lacks": {"events": "some were lost"}}, {"ordered": False}])
def test_a_history_with_gaps_or_without_order_is_left_alone(fields: dict[str, Any]) -> None:
    gappy = [
        History(replace(one.header, backend=replace(one.header.backend, **fields)), one.entries) for one in histories()
    ]
    assert falsified(gappy, ALL, 0) is None


def test_a_history_that_did_not_come_to_rest_is_left_alone() -> None:
    restless = [
        History(
            one.header,
            [replace(entry, quiet=False) if isinstance(entry, Settled) else entry for entry in one.entries],
        )
        for one in histories()
    ]
    assert falsified(restless, ALL, 0) is None


@pytest.mark.parametrize("seed", range(5))
def test_judges_who_are_awake_notice(seed: int) -> None:
    canary = tell_wrongly(Settings(seed=seed), histories(), selected(()))
    assert canary.caught is True
    assert canary.told.startswith(canary.mutant)


def test_judges_who_sleep_make_the_run_invalid() -> None:
    asleep = [replace(entry, check=lambda evidence, memory: iter(())) for entry in selected(())]
    assert tell_wrongly(Settings(), histories(), asleep).caught is False


def test_without_histories_no_canary_was_tried() -> None:
    assert tell_wrongly(Settings(), [], selected(())).caught is None
