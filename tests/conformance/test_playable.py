"""Which part of a plan a running cluster can play, and what is said of the rest."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pvkit.backends.live.actors import ABSENT, ACTORS
from pvkit.backends.live.disturbing import LACKS, WORDS, lacking
from pvkit.backends.objects import Key
from pvkit.backends.protocol import Departure, Fault, Operation
from pvkit.backends.reference.model import CONTROLLERS
from pvkit.conformance.cli import pvkit
from pvkit.conformance.playable import PLAYABLE_FEATURES, is_disturbed, playable, rested
from pvkit.strategies.faults import FAULT_WORDS
from pvkit.strategies.features import FAULTS
from pvkit.strategies.plan import Plan, Settle, Turns

HOLD = Fault("hold", {"controller": "binder", "kind": "Pod"})
ADVANCE = Fault("advance", {"seconds": 60.0})
GET = Operation("get", target=Key("PersistentVolume", "", "v"))
REFUSE = Fault("refuse", {"controller": "binder"})


def test_every_controller_of_the_model_is_an_actor_or_absent_with_a_reason() -> None:
    assert {*ACTORS, *ABSENT} == {controller.name for controller in CONTROLLERS}
    assert not ACTORS.keys() & ABSENT.keys()


def test_every_fault_word_is_obeyed_or_lacks_with_a_reason() -> None:
    assert set(FAULT_WORDS) <= WORDS | LACKS.keys()


def test_the_features_to_draw_from_are_disturbances() -> None:
    assert set(PLAYABLE_FEATURES) <= set(FAULTS)


@pytest.mark.parametrize(
    ("word", "options", "reason"),
    [
        ("hold", {"controller": "binder", "kind": "Pod"}, ""),
        ("hold", {"controller": "node-lifecycle", "kind": "Pod"}, ABSENT["node-lifecycle"]),
        ("hold", {"controller": "provisioner", "kind": "Asset"}, "ledgers are the model's own"),
        ("crash", {"controller": "binder", "lists": {"Pod": "empty"}}, ""),
        ("crash", {"controller": "binder", "lists": {"Pod": "stale:2"}}, LACKS["stale lists"]),
        ("advance", {"seconds": 1.0}, LACKS["advance"]),
        ("power-off", {"node": "n1"}, LACKS["power-off"]),
        ("heal", {}, ""),
    ],
)
def test_a_fault_can_be_made_or_the_reason_is_told(word: str, options: dict[str, Any], reason: str) -> None:
    assert lacking(Fault(word, options)) == reason


def test_a_plan_keeps_what_a_cluster_can_play_and_notes_the_rest() -> None:
    plan, notes = playable(Plan((HOLD, ADVANCE, GET, Turns(3)), schedule=(Departure("tie", 0, 1),)))
    assert (plan.steps, plan.schedule) == ((HOLD, GET), ())
    assert notes == (
        f"step 2: advance: {LACKS['advance']}",
        f"step 4: turns: {LACKS['turns']}",
        f"schedule: {LACKS['turns']}",
    )


def test_a_plan_is_disturbed_when_a_fault_of_it_can_be_made() -> None:
    assert [is_disturbed(Plan(steps)) for steps in ((HOLD,), (ADVANCE, Fault("heal")))] == [True, False]


def test_a_rested_plan_rests_after_what_happens_and_not_before_a_call_that_is_in_for_trouble() -> None:
    steps = rested(Plan((HOLD, GET, Settle(), REFUSE, GET))).steps
    assert steps == (HOLD, Settle(), GET, Settle(), REFUSE, GET, Settle())


def test_what_a_backend_cannot_play_is_said_when_it_replays(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(
        "apiVersion: pvkit/v1\nkind: Plan\nsteps:\n- hold: {controller: binder, kind: Pod}\n- turns: 2\n- settle: {}\n"
    )
    shown = CliRunner().invoke(
        pvkit, ["replay", str(path), "--quiet", "--backend", "tests.conformance.backends:Shelf"], standalone_mode=False
    )
    assert "passed over: step 1, hold: this backend cannot make faults" in shown.output
    assert "passed over: turns and schedule: this backend cannot be told who goes next" in shown.output
