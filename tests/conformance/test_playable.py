"""Which part of a plan a running cluster can play, and what is said of the rest."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pvkit.backends.live.actors import ABSENT, ACTORS
from pvkit.backends.live.disturbing import LACKS, WORDS, lacking
from pvkit.backends.objects import Key, Obj
from pvkit.backends.protocol import Departure, Fault, Operation, Setup
from pvkit.backends.reference.model import CONTROLLERS
from pvkit.conformance.cli import pvkit
from pvkit.conformance.playable import (
    CHANCE,
    NODE_GONE,
    PLAYABLE_FEATURES,
    SETTLED,
    for_cluster,
    is_disturbed,
    rested,
)
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
    plan, notes = for_cluster(Plan((HOLD, ADVANCE, GET, Turns(3)), schedule=(Departure("tie", 0, 1),)), "1.35")
    assert (plan.steps, plan.schedule, plan.setup.kubernetes_version) == ((HOLD, GET), (), "1.35")
    assert notes == (
        f"step 2: advance: {LACKS['advance']}",
        f"step 4: turns: {LACKS['turns']}",
        f"schedule: {LACKS['turns']}",
    )


def test_settings_of_components_are_left_out_and_noted() -> None:
    setup = Setup(nodes=({"metadata": {"name": "n1"}},), gates={"StatefulSetSemanticRevisionComparison": False})
    plan, notes = for_cluster(Plan((), setup=setup), "1.36")
    assert plan.setup == Setup("1.36", setup.nodes)
    assert notes == (f"setup: {SETTLED}",)


def created(kind: str, spec: Obj, called: str = "it", **metadata: Any) -> Operation:
    return Operation("create", {"kind": kind, "metadata": {"name": called, **metadata}, "spec": spec})


CRASH = Fault("crash", {"controller": "binder"})
RECYCLED = created("PersistentVolume", {"persistentVolumeReclaimPolicy": "Recycle"})
RETAINED = created("PersistentVolume", {"persistentVolumeReclaimPolicy": "Retain"})
CLAIMS = [{"name": "data", "persistentVolumeClaim": {"claimName": "c"}}]


@pytest.mark.parametrize(
    ("step", "played", "note"),
    [
        (created("Pod", {}, "web-0"), created("Pod", {}, "web-0"), None),
        (created("Pod", {}, "web-00"), None, f"create: {CHANCE}"),
        (Operation("delete", target=Key("Node", "", "n1")), None, f"delete: {NODE_GONE}"),
        (created("Pod", {"nodeName": "n1"}), created("Pod", {"nodeName": "n1"}), None),
        (
            created("Pod", {"nodeName": "n9"}),
            created("Pod", {"nodeName": "n1"}),
            f"create on another node: {NODE_GONE}",
        ),
        (
            created("Pod", {"nodeName": "n1", "volumes": CLAIMS}),
            created("Pod", {"volumes": CLAIMS}),
            "create on no node that is given: a simulated kubelet does not wait for volumes",
        ),
        (
            created("StatefulSet", {"minReadySeconds": 10}),
            created("StatefulSet", {"minReadySeconds": 1}),
            "create with short waits: time passes by itself on a cluster",
        ),
        (
            Operation("patch", target=Key("StatefulSet", "", "s"), patch={"spec": {"minReadySeconds": 10}}),
            Operation("patch", target=Key("StatefulSet", "", "s"), patch={"spec": {"minReadySeconds": 1}}),
            "patch with short waits: time passes by itself on a cluster",
        ),
        (
            created("Pod", {}, annotations={"pvkit.dev/behaviour": "slow:20"}),
            created("Pod", {}, annotations={"pvkit.dev/behaviour": "slow:1"}),
            "create with short waits: time passes by itself on a cluster",
        ),
        (RECYCLED, RECYCLED, None),
    ],
)
def test_each_step_is_played_as_it_is_or_it_is_noted_what_becomes_of_it(
    step: Operation, played: Operation | None, note: str | None
) -> None:
    setup = Setup(nodes=({"metadata": {"name": "n1"}},))
    plan, notes = for_cluster(Plan((GET, step), setup=setup), "1.36")
    assert plan.steps == (GET, *([played] if played else []))
    assert notes == ((f"step 2: {note}",) if note else ())


def test_nothing_is_scrubbed_where_there_are_faults() -> None:
    plan, (note,) = for_cluster(Plan((CRASH, RECYCLED)), "1.36")
    assert plan.steps == (CRASH, RETAINED)
    assert note.startswith("step 2: create with Retain for Recycle: ")


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
