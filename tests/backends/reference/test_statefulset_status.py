"""The status of a set: its counts, its revisions, and when it is written."""

from tests.backends.reference.sets import ON_DELETE, PARALLEL, World, rolling, stateful_set


def rolled_out(replicas: int = 3, version: str = "1.36", **spec: object) -> World:
    world = World(version)
    world.create(stateful_set(replicas=replicas, **spec))
    world.settle().trace()
    return world


def counts(world: World) -> tuple[int, ...]:
    """replicas, ready, available, current, updated."""
    fields = ("replicas", "readyReplicas", "availableReplicas", "currentReplicas", "updatedReplicas")
    return tuple(world.status().get(field, 0) for field in fields)


def test_a_set_that_is_rolled_out_counts_all_of_its_pods() -> None:
    world = rolled_out()
    assert counts(world) == (3, 3, 3, 3, 3)
    assert world.status()["currentRevision"] == world.status()["updateRevision"] == world.names("ControllerRevision")[0]
    assert world.status()["observedGeneration"] == world.got("StatefulSet", "web")["metadata"]["generation"]


def test_terminating_pods_count_as_replicas_but_not_for_a_revision() -> None:
    world = rolled_out(4)
    world.keep("lingering", "web-3")
    world.edit(replicas=1)
    world.settle()
    assert counts(world) == (4, 4, 4, 3, 3)


def test_a_pod_that_is_not_ready_counts_as_a_replica_only() -> None:
    world = rolled_out(2)
    world.keep("unready", "web-1")
    assert counts(world) == (2, 1, 1, 2, 2)


def test_a_ready_pod_is_available_after_min_ready_seconds() -> None:
    world = rolled_out(1, minReadySeconds=20)
    available = [
        (event.time, event.object["status"]["availableReplicas"])
        for event in world.store.log
        if event.object["kind"] == "StatefulSet" and event.object.get("status", {}).get("readyReplicas")
    ]
    assert [count for _, count in available] == [0, 1]
    assert available[1][0] - available[0][0] == 20.0


def test_the_current_revision_moves_when_all_pods_are_updated_and_ready() -> None:
    world = rolled_out(2)
    old = world.status()["currentRevision"]
    world.keep("lingering", "web-0")
    world.roll("2")
    world.settle()
    assert world.status()["currentRevision"] == old
    assert counts(world)[3:] == (0, 1)
    world.let_go("lingering", "web-0")
    assert world.status()["currentRevision"] == world.status()["updateRevision"] != old


def test_completion_does_not_wait_for_availability() -> None:
    world = rolled_out(2, minReadySeconds=30, **PARALLEL)
    world.roll("2")
    world.settle()
    flips = [
        event.object["status"]["availableReplicas"]
        for event in world.store.log
        if event.object["kind"] == "StatefulSet"
        and event.object.get("status", {}).get("currentRevision") == world.status()["updateRevision"]
    ]
    assert flips[0] < 2


def test_a_partition_keeps_the_current_revision_behind_for_good() -> None:
    world = rolled_out(3, **rolling(partition=1))
    world.roll("2")
    world.settle()
    assert world.status()["currentRevision"] != world.status()["updateRevision"]
    assert counts(world) == (3, 3, 3, 1, 2)


def test_on_delete_never_moves_the_current_revision_before_1_37() -> None:
    world = rolled_out(1, **ON_DELETE)
    world.roll("2")
    world.settle()
    world.delete("Pod", "web-0")
    world.settle()
    assert world.status()["currentRevision"] != world.status()["updateRevision"]
    assert "currentReplicas" not in world.status()


def test_on_delete_moves_the_current_revision_from_1_37() -> None:
    world = rolled_out(1, "1.37", **ON_DELETE)
    world.roll("2")
    world.settle()
    world.delete("Pod", "web-0")
    world.settle()
    assert world.status()["currentRevision"] == world.status()["updateRevision"]


def test_the_status_of_a_terminating_set_is_kept_and_nothing_else_is_done() -> None:
    world = rolled_out(3)
    world.patch("StatefulSet", "web", {"metadata": {"finalizers": ["example.com/hold"]}})
    world.delete("StatefulSet", "web")
    world.settle().trace()
    world.delete("Pod", "web-1")
    world.edit(replicas=1)
    world.roll("2")
    assert world.settle().trace() == "1:term -1"
    assert counts(world)[:3] == (2, 2, 2)


def test_the_status_is_written_even_when_the_first_pod_is_refused() -> None:
    world = World()
    world.fault("refuse", controller="statefulset", kind="Pod", verb="create", times=999, answer="quota")
    world.create(stateful_set())
    world.settle()
    assert world.status()["observedGeneration"] == 1
    assert counts(world) == (0, 0, 0, 0, 0)


def refusing(world: World) -> World:
    """From now on no pod can be created."""
    world.fault("refuse", controller="statefulset", kind="Pod", verb="create", times=999, answer="quota")
    return world


def test_pods_above_one_that_is_refused_are_counted() -> None:
    world = refusing(rolled_out(3, **PARALLEL))
    world.delete("Pod", "web-0")
    world.settle()
    assert counts(world) == (2, 2, 2, 2, 2)


def test_an_update_is_not_complete_while_its_last_pod_is_refused() -> None:
    world = rolled_out(2)
    world.keep("lingering", "web-0")
    world.roll("2")
    refusing(world.settle()).let_go("lingering", "web-0")
    assert counts(world) == (1, 1, 1, 0, 1)
    assert world.status()["currentRevision"] != world.status()["updateRevision"]


def test_a_status_that_says_the_same_is_not_written() -> None:
    world = rolled_out(2)
    before = world.got("StatefulSet", "web")["metadata"]["resourceVersion"]
    world.patch("Pod", "web-0", {"metadata": {"annotations": {"poke": "1"}}})
    world.settle()
    assert world.got("StatefulSet", "web")["metadata"]["resourceVersion"] == before


def test_a_new_generation_is_noted_even_when_no_count_changes() -> None:
    world = rolled_out(2)
    world.edit(minReadySeconds=1)
    world.settle()
    assert world.status()["observedGeneration"] == world.got("StatefulSet", "web")["metadata"]["generation"]


def test_a_status_that_is_refused_is_written_later() -> None:
    world = World()
    world.fault("refuse", controller="statefulset", kind="StatefulSet", verb="update-status", times=5)
    world.create(stateful_set(replicas=2))
    world.settle()
    assert counts(world) == (2, 2, 2, 2, 2)


def test_the_counts_lag_behind_the_pod_that_a_pass_creates() -> None:
    world = World()
    world.create(stateful_set(replicas=1))
    world.settle()
    first = next(
        event.object["status"]
        for event in world.store.log
        if event.object["kind"] == "StatefulSet" and event.object.get("status")
    )
    assert first["replicas"] == 0
