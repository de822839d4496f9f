"""Whatever was asked and whatever went wrong: in the end a set is what its spec says, and nothing was doubled."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pvkit.backends.errors import ApiError
from pvkit.backends.objects import deleting, key, labels, name, uid
from pvkit.backends.protocol import Departure
from pvkit.backends.workloads import REVISION_LABEL, is_ready, ordinal, ordinals
from tests.backends.reference.sets import World, policy, rolling, stateful_set

KINDS = st.sampled_from(["Pod", "StatefulSet", "PersistentVolumeClaim", "ControllerRevision"])
PODS = st.sampled_from([f"web-{at}" for at in range(5)])
STEPS = st.one_of(
    st.tuples(st.just("scale"), st.integers(0, 4)),
    st.tuples(st.just("start"), st.integers(0, 2)),
    st.tuples(st.just("roll"), st.sampled_from("123")),
    st.tuples(st.just("policy"), st.sampled_from(["Retain", "Delete"])),
    st.tuples(st.just("lose"), PODS),
    st.tuples(st.just("fail"), PODS),
    st.tuples(st.just("turns"), st.integers(1, 12)),
    st.tuples(st.just("settle"), st.none()),
    st.tuples(st.just("crash"), st.integers(0, 4)),
    st.tuples(st.just("hold"), KINDS),
    st.tuples(st.just("release"), KINDS),
    st.tuples(st.just("refuse"), st.sampled_from(["conflict", "server-error", "timeout", "quota"])),
    st.tuples(st.just("lose-answer"), st.integers(1, 3)),
    st.tuples(st.just("delay"), st.integers(1, 3)),
)
SCHEDULES = st.lists(
    st.builds(Departure, st.just("turn"), st.integers(0, 80), st.just("kubelet/Pod"))
    | st.builds(Departure, st.just("tie"), st.integers(0, 20), st.integers(0, 3)),
    max_size=6,
)
FAULTS = {"hold": "kind", "release": "kind", "refuse": "answer", "crash": "after", "lose-answer": "nth", "delay": "nth"}


def take(world: World, word: str, value: Any) -> None:
    """One step; what an API server refuses is refused."""
    match word:
        case "scale":
            world.edit(replicas=value)
        case "start":
            world.edit(ordinals={"start": value})
        case "roll":
            world.roll(value)
        case "policy":
            world.edit(**policy("Retain", value))
        case "lose":
            world.delete("Pod", value)
        case "fail":
            world.fail(value)
        case "turns":
            world.engine.run(value)
        case "settle":
            world.settle()
        case _:
            world.fault(word, controller="statefulset", **{FAULTS[word]: value})


def come_to_rest(world: World) -> None:
    """End all disturbances and look at the set once more."""
    world.fault("heal")
    world.settle()
    world.patch("StatefulSet", "web", {"metadata": {"annotations": {"poke": "1"}}})
    world.settle()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    steps=st.lists(STEPS, max_size=14),
    schedule=SCHEDULES,
    management=st.sampled_from(["OrderedReady", "Parallel"]),
    version=st.sampled_from(["1.33", "1.35", "1.36", "1.37"]),
)
def test_a_set_comes_to_what_its_spec_says(
    steps: list[tuple[str, Any]], schedule: list[Departure], management: str, version: str
) -> None:
    world = World(version, schedule=tuple(schedule))
    world.create(stateful_set(podManagementPolicy=management, revisionHistoryLimit=2, **rolling()))
    for word, value in steps:
        try:
            take(world, word, value)
        except ApiError:
            continue
    come_to_rest(world)
    made, pods = world.got("StatefulSet", "web"), world.store.list("Pod")
    status, wanted = made["status"], made["status"]["updateRevision"]
    assert sorted(map(ordinal, pods)) == list(ordinals(made))
    assert all(is_ready(pod) and not deleting(pod) and labels(pod)[REVISION_LABEL] == wanted for pod in pods)
    counts = {
        field: status.get(field, 0) for field in ("replicas", "readyReplicas", "currentReplicas", "updatedReplicas")
    }
    assert set(counts.values()) == {len(pods)}, counts
    assert status["currentRevision"] == wanted
    assert status["observedGeneration"] == made["metadata"]["generation"]
    assert len(world.names("ControllerRevision")) <= 3
    owner = ["StatefulSet"] * (made["spec"]["persistentVolumeClaimRetentionPolicy"]["whenDeleted"] == "Delete")
    assert {tuple(world.owner_kinds(f"www-{name(pod)}")) for pod in pods} <= {tuple(owner)}
    assert_one_life_at_a_time(world)


def assert_one_life_at_a_time(world: World) -> None:
    """No two objects of one kind and name exist at the same time, and none is made over."""
    alive: dict[Any, str] = {}
    for event in world.store.log:
        at = key(event.object)
        assert alive.setdefault(at, uid(event.object)) == uid(event.object)
        if event.type == "DELETED":
            del alive[at]
