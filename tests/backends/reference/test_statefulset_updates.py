"""Rolling updates, partitions, OnDelete, maxUnavailable, Recreate."""

from itertools import pairwise

import pytest

from pvkit.backends.objects import uid
from tests.backends.reference.sets import ON_DELETE, PARALLEL, World, rolling, stateful_set

NIL = {"updateStrategy": {"type": "RollingUpdate"}}
GATE = {"MaxUnavailableStatefulSet": True}


def rolled_out(replicas: int = 3, version: str = "1.36", gates: dict[str, bool] | None = None, **spec: object) -> World:
    world = World(version, gates)
    world.create(stateful_set(replicas=replicas, **spec))
    world.settle().trace()
    return world


def test_an_update_replaces_pods_from_the_top_one_at_a_time() -> None:
    world = rolled_out()
    world.roll("2")
    assert world.settle().trace() == "2:term -2 +2 2:ready 1:term -1 +1 1:ready 0:term -0 +0 0:ready"


def test_only_indexes_from_the_partition_on_are_replaced() -> None:
    world = rolled_out(5, **rolling(partition=3))
    world.roll("2")
    assert world.settle().trace() == "4:term -4 +4 4:ready 3:term -3 +3 3:ready"
    world.delete("Pod", "web-1")
    world.settle()
    assert world.images() == "1 1 1 2 2"
    world.edit(**rolling(partition=1))
    world.settle()
    assert world.images() == "1 2 2 2 2"


def test_the_partition_counts_indexes_and_not_ordinals() -> None:
    world = rolled_out(5, ordinals={"start": 2}, **rolling(partition=3))
    world.roll("2")
    world.settle()
    assert world.images() == "1 1 1 2 2"
    assert world.names("Pod")[0] == "web-2"
    world.delete("Pod", "web-4")
    world.settle()
    assert world.images() == "1 1 1 2 2"


def test_a_partition_above_the_replicas_replaces_nothing() -> None:
    world = rolled_out(2, **rolling(partition=9))
    world.roll("2")
    assert world.settle().trace() == ""
    world.edit(replicas=3)
    world.settle()
    assert world.images() == "1 1 1"


def test_without_rolling_update_a_pod_lost_in_mid_rollout_returns_by_count() -> None:
    world = rolled_out(3, **NIL)
    world.keep("unready", "web-2")
    world.roll("2")
    world.settle()
    world.delete("Pod", "web-2")
    world.settle()
    world.delete("Pod", "web-0")
    world.settle()
    assert world.images() == "1 1 2"


def test_with_a_defaulted_rolling_update_a_lost_pod_returns_at_the_new_revision() -> None:
    world = rolled_out(3)
    world.keep("unready", "web-2")
    world.roll("2")
    world.settle()
    world.delete("Pod", "web-2")
    world.settle()
    world.delete("Pod", "web-0")
    world.settle()
    assert world.images() == "2 1 2"


def test_on_delete_waits_for_somebody_to_delete_a_pod() -> None:
    world = rolled_out(2, **ON_DELETE)
    world.roll("2")
    assert world.settle().trace() == ""
    world.delete("Pod", "web-0")
    world.settle()
    assert world.images() == "2 1"


def test_a_rollout_to_a_template_that_never_gets_ready_is_stuck_even_after_it_is_reverted() -> None:
    world = rolled_out(2)
    world.engine.world["unready"] = {"web-1"}
    world.roll("bad")
    world.settle().trace()
    stuck = uid(world.got("Pod", "web-1"))
    world.roll("1")
    assert world.settle().trace() == ""
    assert uid(world.got("Pod", "web-1")) == stuck
    world.engine.world["unready"].clear()
    world.delete("Pod", "web-1")
    world.settle()
    assert world.images() == "1 1"


def test_a_failed_pod_of_a_bad_template_picks_up_the_good_one() -> None:
    world = rolled_out(2)
    world.engine.world["unready"] = {"web-1"}
    world.roll("bad")
    world.settle()
    world.fail("web-1")
    world.roll("3")
    world.engine.world["unready"].clear()
    world.settle()
    assert world.images() == "3 3"


def test_parallel_replaces_a_broken_new_pod_at_the_next_template() -> None:
    world = rolled_out(3, **PARALLEL)
    world.engine.world["unready"] = {"web-2"}
    world.roll("bad")
    assert world.settle().trace() == "2:term -2 +2"
    world.engine.world["unready"].clear()
    world.roll("3")
    world.settle()
    assert world.images() == "3 3 3"


def test_parallel_updates_above_a_broken_pod() -> None:
    world = rolled_out(3, **PARALLEL)
    world.keep("unready", "web-0")
    world.trace()
    world.roll("2")
    words = world.settle().trace().split()
    assert [word for word in words if "term" in word] == ["2:term", "1:term", "0:term"]


def test_an_update_waits_for_a_broken_pod_with_ordered_ready() -> None:
    world = rolled_out(3)
    world.keep("unready", "web-0")
    world.trace()
    world.roll("2")
    assert world.settle().trace() == ""


def test_max_unavailable_deletes_a_batch_and_creates_it_in_ascending_order() -> None:
    world = rolled_out(4, gates=GATE, **rolling(maxUnavailable=2))
    world.roll("2")
    assert world.settle().trace() == (
        "3:term 2:term -3 -2 +2 2:ready +3 3:ready 1:term 0:term -1 -0 +0 0:ready +1 1:ready"
    )


@pytest.mark.parametrize(("share", "at_once"), [("25%", 1), ("50%", 2), ("74%", 2), ("1%", 1), ("100%", 4)])
def test_a_share_of_max_unavailable_is_rounded_down_but_never_to_nothing(share: str, at_once: int) -> None:
    world = rolled_out(4, gates=GATE, **rolling(maxUnavailable=share))
    world.keep("lingering", "web-0", "web-1", "web-2", "web-3")
    world.roll("2")
    words = world.settle().trace().split()
    assert sum("term" in word for word in words) == at_once


def test_max_unavailable_is_ignored_while_the_gate_is_off() -> None:
    world = rolled_out(3, **rolling(maxUnavailable=3))
    world.keep("lingering", "web-0", "web-1", "web-2")
    world.roll("2")
    assert world.settle().trace() == "2:term"


def test_max_unavailable_is_obeyed_by_default_from_1_37() -> None:
    world = rolled_out(3, version="1.37", **rolling(maxUnavailable=3))
    world.keep("lingering", "web-0", "web-1", "web-2")
    world.roll("2")
    assert world.settle().trace() == "2:term 1:term 0:term"


def test_an_old_broken_pod_uses_up_the_budget_of_a_parallel_update_before_1_37() -> None:
    world = rolled_out(3, gates=GATE, **PARALLEL)
    world.keep("unready", "web-0")
    world.trace()
    world.roll("2")
    assert world.settle().trace() == ""


def test_an_old_broken_pod_is_replaced_first_from_1_37() -> None:
    world = rolled_out(3, version="1.37", **PARALLEL)
    world.keep("unready", "web-0")
    world.trace()
    world.roll("2")
    world.engine.world["unready"].clear()
    words = world.settle().trace().split()
    assert [word for word in words if "term" in word] == ["0:term", "2:term", "1:term"]


def test_an_old_broken_pod_below_the_partition_uses_up_the_budget_and_stays_from_1_37() -> None:
    world = rolled_out(3, version="1.37", **PARALLEL, **rolling(partition=1))
    world.keep("unready", "web-0")
    world.trace()
    world.roll("2")
    assert world.settle().trace() == ""


def test_a_parallel_update_counts_pods_that_are_not_yet_available() -> None:
    world = rolled_out(3, gates=GATE, minReadySeconds=50, **PARALLEL)
    world.roll("2")
    world.settle()
    deleted = [
        event.time
        for event in world.store.log
        if event.object["kind"] == "Pod" and event.object["metadata"].get("deletionGracePeriodSeconds") == 30
    ]
    assert [later - earlier >= 50 for earlier, later in pairwise(deleted)] == [True, True]


def test_before_1_34_a_parallel_update_goes_on_as_soon_as_a_pod_is_ready() -> None:
    world = rolled_out(3, version="1.33", minReadySeconds=50, **PARALLEL)
    world.roll("2")
    started = world.engine.clock.now
    while "0:ready" not in world.trace().split()[-1:] and world.engine.turn():
        pass
    assert world.engine.clock.now - started < 50
    assert world.images() == "2 2 2"


def test_a_low_pod_of_a_parallel_set_without_rolling_update_is_created_old_and_deleted_at_once() -> None:
    world = rolled_out(1, **PARALLEL, **NIL)
    world.fault("freeze", controller="statefulset")
    world.delete("Pod", "web-0")
    world.roll("2")
    world.settle().trace()
    world.fault("thaw", controller="statefulset")
    assert world.settle().trace().startswith("+0 0:term -0 +0")
    assert world.images() == "2"
    assert min(counts(world, "currentReplicas")) >= 0


def counts(world: World, field: str) -> list[int]:
    """The values of a status field over the history of all sets."""
    sets = [event.object for event in world.store.log if event.object["kind"] == "StatefulSet"]
    return [entry.get("status", {}).get(field, 0) for entry in sets]


def test_recreate_deletes_all_outdated_pods_before_it_creates_one() -> None:
    strategy = {"updateStrategy": {"type": "Recreate"}}
    world = rolled_out(3, "1.37", {"StatefulSetRecreateStrategy": True}, **strategy)
    world.keep("unready", "web-1")
    world.trace()
    world.roll("2")
    world.engine.world["unready"].clear()
    words = world.settle().trace().split()
    assert sorted(words[:6]) == ["-0", "-1", "-2", "0:term", "1:term", "2:term"]
    assert words[6:] == ["+0", "0:ready", "+1", "1:ready", "+2", "2:ready"]
    condition = world.status()["conditions"][0]
    assert (condition["type"], condition["status"], condition["reason"]) == (
        "Progressing", "False", "RecreateCompleted",
    )  # fmt: skip


def test_recreate_without_its_gate_leaves_the_set_alone_and_says_so() -> None:
    world = World("1.37", {"StatefulSetRecreateStrategy": True})
    world.create(stateful_set(updateStrategy={"type": "Recreate"}))
    world.gates["StatefulSetRecreateStrategy"] = False
    world.settle()
    assert world.names("Pod") == []
    assert world.said("UnknownStrategy") == [
        "statefulset default/web uses Recreate strategy but feature gate StatefulSetRecreateStrategy is disabled"
    ]
    assert "currentRevision" not in world.got("StatefulSet", "web").get("status", {})


def test_a_claim_survives_the_update_of_its_pod() -> None:
    world = rolled_out(2)
    before = [uid(claim) for claim in world.store.list("PersistentVolumeClaim")]
    world.roll("2")
    world.settle()
    assert [uid(claim) for claim in world.store.list("PersistentVolumeClaim")] == before
