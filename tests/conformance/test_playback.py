"""Playing back: each step is told, and below it the tables that it changed, and no others."""

from pvkit.backends.objects import Key
from pvkit.backends.protocol import Fault, Operation
from pvkit.backends.reference.model import ReferenceModel
from pvkit.conformance.execute import execute
from pvkit.conformance.playback import Playback, described
from pvkit.strategies.plan import Expect, Plan, Settle, Step, Turns

VOLUME = {
    "kind": "PersistentVolume",
    "metadata": {"name": "shelf"},
    "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "nfs": {"server": "192.0.2.1", "path": "/x"}},
}  # fmt: skip
CLASS = {"kind": "StorageClass", "metadata": {"name": "slow"}, "provisioner": "example.com/none"}
HERE = {"kind": "PersistentVolume", "metadata": {"name": "shelf"}}


def said(*steps: Step, wide: bool = False) -> list[str]:
    """What is said while these steps are played on the model."""
    parts: list[str] = []
    execute(Plan(steps), ReferenceModel(), hear=Playback(parts.append, wide))
    return [part.strip() for part in parts]


def test_a_step_is_followed_by_the_table_that_it_changed() -> None:
    first, table, *_ = said(Operation("create", VOLUME))
    assert first == "1. create PersistentVolume shelf: ok"
    assert table.splitlines()[1].split()[:5] == ["persistentvolume/shelf", "1Gi", "RWO", "Retain", "Pending"]


def test_a_step_that_changed_no_table_stands_alone() -> None:
    parts = said(
        Operation("create", VOLUME),
        Settle(),
        Operation("create", CLASS),
        Operation("get", target=Key("PersistentVolume", "", "shelf")),
    )
    at = parts.index("3. create StorageClass slow: ok")
    assert parts[at + 1].startswith("4. get")
    assert parts[at + 2].startswith("5. wait until all is quiet: settled after")


def test_an_age_alone_is_no_change() -> None:
    parts = said(Operation("create", VOLUME), Settle(), Fault("advance", {"seconds": 600.0}), Settle())
    assert [part for part in parts if part.startswith("NAME")] == parts[1:4:2]


def test_waiting_tells_how_long_it_took_and_not_what_the_clock_says() -> None:
    parts = said(Fault("advance", {"seconds": 5000.0}), Settle())
    assert "settled after 0s" in parts[1]


def test_turns_of_the_controllers_are_a_step() -> None:
    parts = said(Operation("create", VOLUME), Turns(50))
    assert parts[2] == "2. let the controllers take 50 turns"
    assert "Available" in parts[3]


def test_the_last_object_of_a_kind_leaves_a_word() -> None:
    target = Key("PersistentVolume", "", "shelf")
    assert "no PersistentVolume is left" in said(
        Operation("create", VOLUME), Settle(), Operation("delete", target=target)
    )


def test_an_expectation_tells_what_was_seen_instead() -> None:
    good, bad = {**HERE, "status": {"phase": "Available"}}, {**HERE, "status": {"phase": "Bound"}}
    parts = said(Operation("create", VOLUME), Settle(), Expect((good,)), Expect((good, bad)))
    assert "3. look at 1 object: as expected" in parts
    assert parts[-1].startswith("4. look at 2 objects: 1 not as expected")
    assert "phase: Available" in parts[-1]


def test_a_refusal_is_told_as_the_server_words_it() -> None:
    (refused, *_) = said(Operation("delete", target=Key("PersistentVolume", "", "none")))
    assert refused.endswith('failed 404 NotFound: persistentvolumes "none" not found')


def test_what_is_asked_is_told_with_its_options() -> None:
    at = Key("StatefulSet", "default", "web")
    assert (
        described(Operation("scale", target=at, options={"replicas": 1})) == "scale StatefulSet default/web replicas=1"
    )
    assert described(Fault("hold", {"controller": "binder", "kind": "Pod"})) == "[hold] controller=binder kind=Pod"
