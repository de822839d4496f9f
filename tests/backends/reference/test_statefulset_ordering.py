"""Creation and deletion of a set's pods: their order, and what halts them."""

import pytest

from pvkit.backends.objects import uid
from pvkit.backends.protocol import Departure
from tests.backends.reference.sets import PARALLEL, World, rolling, stateful_set


def rolled_out(replicas: int = 3, **spec: object) -> World:
    world = World()
    world.create(stateful_set(replicas=replicas, **spec))
    world.settle().trace()
    return world


def test_pods_are_created_in_ascending_order_each_after_the_one_before_is_ready() -> None:
    world = World()
    world.create(stateful_set())
    assert world.settle().trace() == "+0 0:ready +1 1:ready +2 2:ready"


def test_creation_waits_for_a_pod_that_is_not_ready() -> None:
    world = World()
    world.keep("unready", "web-1")
    world.create(stateful_set())
    assert world.settle().trace() == "+0 0:ready +1"
    world.let_go("unready", "web-1")
    assert world.settle().trace() == "1:ready +2 2:ready"


def test_holes_are_filled_in_ascending_order_whatever_runs_above_them() -> None:
    world = rolled_out(5)
    for pod in ("web-0", "web-2", "web-4"):
        world.delete("Pod", pod)
    world.settle()
    assert [word for word in world.trace().split() if "term" not in word and not word.startswith("-")] == [
        "+0", "0:ready", "+2", "2:ready", "+4", "4:ready",
    ]  # fmt: skip


def test_scaling_down_deletes_from_the_top_one_pod_at_a_time() -> None:
    world = rolled_out(5)
    world.edit(replicas=2)
    assert world.settle().trace() == "4:term -4 3:term -3 2:term -2"


def test_a_pod_that_lingers_blocks_the_deletion_of_those_below() -> None:
    world = rolled_out(5)
    world.keep("lingering", "web-3")
    world.edit(replicas=2)
    assert world.settle().trace() == "4:term -4 3:term"
    world.let_go("lingering", "web-3")
    assert world.settle().trace() == "-3 2:term -2"


def test_a_broken_pod_in_range_halts_scaling_down() -> None:
    world = rolled_out(4)
    world.keep("unready", "web-0")
    world.edit(replicas=2)
    assert world.settle().trace() == ""


def test_two_broken_condemned_pods_wait_for_each_other() -> None:
    world = rolled_out(5)
    world.keep("unready", "web-3", "web-4")
    world.edit(replicas=3)
    assert world.settle().trace() == ""


def test_the_only_broken_pod_may_go_when_it_is_the_highest() -> None:
    world = rolled_out(5)
    world.keep("unready", "web-4")
    world.edit(replicas=3)
    assert world.settle().trace() == "4:term -4 3:term -3"


def test_a_broken_condemned_pod_below_a_healthy_one_is_passed_in_order() -> None:
    world = rolled_out(5)
    world.keep("unready", "web-3")
    world.edit(replicas=3)
    assert world.settle().trace() == "4:term -4 3:term -3"


def test_a_hole_is_filled_while_a_condemned_pod_lingers() -> None:
    world = rolled_out(5)
    world.keep("lingering", "web-4")
    world.edit(replicas=3)
    world.settle().trace()
    world.delete("Pod", "web-1")
    assert world.settle().trace() == "1:term -1 +1 1:ready"


def test_a_reversal_waits_until_the_old_pod_is_gone() -> None:
    world = rolled_out(2)
    before = uid(world.got("Pod", "web-1"))
    world.keep("lingering", "web-1")
    world.edit(replicas=1)
    world.settle()
    world.edit(replicas=2)
    assert world.settle().trace() == "1:term"
    world.let_go("lingering", "web-1")
    assert world.settle().trace() == "-1 +1 1:ready"
    assert uid(world.got("Pod", "web-1")) != before


def test_moving_the_range_creates_all_new_pods_before_it_deletes_old_ones() -> None:
    world = rolled_out(3)
    world.edit(ordinals={"start": 10})
    assert world.settle().trace() == "+10 10:ready +11 11:ready +12 12:ready 2:term -2 1:term -1 0:term -0"
    world.edit(ordinals={"start": 11})
    assert world.settle().trace() == "+13 13:ready 10:term -10"


def test_moving_the_range_shows_twice_the_replicas_for_a_while() -> None:
    world = rolled_out(3)
    world.edit(ordinals={"start": 10})
    world.settle()
    counts = [
        event.object["status"]["replicas"]
        for event in world.store.log
        if event.object["kind"] == "StatefulSet" and "status" in event.object
    ]
    assert max(counts) == 6


def test_scaling_down_goes_before_an_update() -> None:
    world = rolled_out(3)
    world.edit(replicas=2)
    world.roll("2")
    assert world.settle().trace().startswith("2:term -2 1:term -1 +1")


@pytest.mark.parametrize("phase", ["Failed", "Succeeded"])
def test_a_pod_that_ended_is_replaced_whatever_runs_above_it(phase: str) -> None:
    world = rolled_out(3)
    world.fail("web-0", phase)
    assert world.settle().trace() == "0:term -0 +0 0:ready"


def test_a_condemned_pod_that_ended_is_not_replaced() -> None:
    world = rolled_out(2)
    world.edit(replicas=1)
    world.fail("web-1")
    assert world.settle().trace() == "1:term -1"


def test_parallel_creates_and_deletes_without_waiting() -> None:
    world = World()
    world.keep("unready", "web-0")
    world.create(stateful_set(replicas=4, **PARALLEL))
    assert sorted(world.settle().trace().split()) == ["+0", "+1", "+2", "+3", "1:ready", "2:ready", "3:ready"]
    world.edit(replicas=1)
    assert sorted(world.settle().trace().split()) == ["-1", "-2", "-3", "1:term", "2:term", "3:term"]


def test_which_pod_of_a_parallel_batch_comes_first_is_a_choice_of_the_schedule() -> None:
    traces = set()
    for take in (0, 1):
        world = World(schedule=tuple(Departure("tie", at, take) for at in range(20)))
        world.create(stateful_set(replicas=3, **PARALLEL))
        traces.add(" ".join(word for word in world.settle().trace().split() if word.startswith("+")))
    assert traces == {"+0 +1 +2", "+0 +2 +1"}


def test_parallel_stops_at_a_batch_that_met_an_error() -> None:
    world = World()
    world.fault("refuse", controller="statefulset", kind="Pod", verb="create", nth=2, answer="quota")
    world.create(stateful_set(replicas=4, **PARALLEL))
    world.engine.run(11)
    assert world.names("Pod") == ["web-0", "web-2"]
    assert world.said("FailedCreate") == ["Create Pod web-1 in StatefulSet web failed error: refused by a fault"]
    world.settle()
    assert world.names("Pod") == ["web-0", "web-1", "web-2", "web-3"]


def test_parallel_deletes_condemned_pods_while_pods_in_range_are_broken() -> None:
    world = World()
    world.keep("unready", "web-0")
    world.create(stateful_set(replicas=3, **PARALLEL))
    world.settle().trace()
    world.edit(replicas=2)
    assert world.settle().trace() == "2:term -2"


def test_creation_waits_for_min_ready_seconds() -> None:
    world = World()
    world.create(stateful_set(replicas=2, minReadySeconds=10))
    world.settle()
    assert world.trace() == "+0 0:ready +1 1:ready"
    created = {
        event.object["metadata"]["name"]: event.time
        for event in world.store.log
        if event.object["kind"] == "Pod" and event.type == "ADDED"
    }
    assert created["web-1"] - created["web-0"] == 10.0


def test_before_1_34_min_ready_seconds_must_be_surpassed() -> None:
    world = World(version="1.33")
    world.create(stateful_set(replicas=2, minReadySeconds=10))
    world.settle()
    added = [event.time for event in world.store.log if event.object["kind"] == "Pod" and event.type == "ADDED"]
    assert added[1] - added[0] == 11.0


def test_a_pod_that_is_ready_but_not_available_holds_back_scaling_down() -> None:
    world = rolled_out(3)
    world.edit(minReadySeconds=100)
    world.edit(replicas=1)
    world.engine.run(200)
    assert world.trace() == ""
    assert world.settle().trace() == "2:term -2 1:term -1"


def test_an_ordinal_that_is_no_number_of_32_bits_is_ignored() -> None:
    world = rolled_out(1)
    template = world.got("Pod", "web-0")
    marks = {"name": "web-99999999999", "labels": template["metadata"]["labels"]}
    world.create({"kind": "Pod", "metadata": marks, "spec": template["spec"]})
    world.settle()
    assert world.got("Pod", "web-99999999999")["metadata"]["ownerReferences"][0]["name"] == "web"
    assert world.status()["replicas"] == 1


def test_a_set_of_no_replicas_creates_nothing() -> None:
    world = World()
    world.create(stateful_set(replicas=0, **rolling()))
    assert world.settle().trace() == ""
    assert world.status()["observedGeneration"] == 1
