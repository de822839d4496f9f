"""Passes over a set: what starts them, how they end, and what crashes and stale caches do to them."""

from functools import cache

import pytest

from pvkit.backends.objects import Obj, key, name, uid
from pvkit.backends.protocol import Departure
from tests.backends.reference.sets import PARALLEL, World, orphan, policy, rolling, stateful_set


def end_state(world: World) -> tuple[object, ...]:
    """What a set comes to, without anything that depends on how often it was tried."""
    claims = [(name(claim), world.owner_kinds(name(claim))) for claim in world.store.list("PersistentVolumeClaim")]
    status = {field: value for field, value in world.status().items() if field != "collisionCount"}
    return world.names("Pod"), world.images(), sorted(claims), status, len(world.names("ControllerRevision"))


def story(world: World) -> World:
    """A roll-out, an update and a scaling down."""
    world.create(stateful_set(replicas=3, **policy("Delete", "Delete")))
    world.settle()
    world.roll("2")
    world.settle()
    world.edit(replicas=2)
    return world.settle()


@cache
def undisturbed() -> tuple[object, ...]:
    """The end state of the story without any fault."""
    return end_state(story(World()))


@pytest.mark.parametrize("after", range(1, 31))
def test_a_crash_between_any_two_writes_changes_nothing_in_the_end(after: int) -> None:
    world = World()
    world.fault("crash", controller="statefulset", after=after)
    assert end_state(story(world)) == undisturbed()


@pytest.mark.parametrize("nth", range(1, 31))
def test_a_lost_answer_to_any_write_changes_nothing_in_the_end(nth: int) -> None:
    world = World()
    world.fault("lose-answer", controller="statefulset", nth=nth)
    assert end_state(story(world)) == undisturbed()


@pytest.mark.parametrize("nth", range(1, 31))
@pytest.mark.parametrize("answer", ["conflict", "server-error", "timeout"])
def test_a_refusal_of_any_write_changes_nothing_in_the_end(nth: int, answer: str) -> None:
    world = World()
    world.fault("refuse", controller="statefulset", nth=nth, answer=answer)
    assert end_state(story(world)) == undisturbed()


@pytest.mark.parametrize("nth", range(1, 31, 2))
def test_a_late_write_changes_nothing_in_the_end(nth: int) -> None:
    world = World()
    world.fault("delay", controller="statefulset", nth=nth, turns=15)
    assert end_state(story(world)) == undisturbed()


@pytest.mark.parametrize("kind", ["Pod", "StatefulSet", "PersistentVolumeClaim", "ControllerRevision"])
@pytest.mark.parametrize("version", ["1.35", "1.36"])
def test_a_cache_that_lags_changes_nothing_in_the_end(kind: str, version: str) -> None:
    world = World(version)
    world.create(stateful_set(replicas=3, **policy("Delete", "Delete")))
    world.engine.run(12)
    world.fault("hold", controller="statefulset", kind=kind)
    world.settle()
    world.fault("release", controller="statefulset", kind=kind)
    world.settle()
    world.fault("hold", controller="statefulset", kind=kind)
    world.roll("2")
    world.edit(replicas=2)
    world.settle()
    world.fault("release", controller="statefulset", kind=kind)
    world.settle()
    assert (world.names("Pod"), world.images()) == (["web-0", "web-1"], "2 2")
    assert {tuple(world.owner_kinds(claim)) for claim in ("www-web-0", "www-web-1")} == {("StatefulSet",)}


@pytest.mark.parametrize("version", ["1.35", "1.36"])
def test_stale_pods_never_make_two_pods_of_one_identity(version: str) -> None:
    world = World(version)
    world.create(stateful_set(replicas=3, **PARALLEL))
    world.settle()
    for pod in ("web-0", "web-2"):
        world.fault("hold", controller="statefulset", kind="Pod")
        world.delete("Pod", pod)
        world.settle()
        world.fault("release", controller="statefulset", kind="Pod")
        world.settle()
    alive: dict[object, str] = {}
    for event in world.store.log:
        if event.object["kind"] == "Pod":
            assert alive.get(key(event.object), uid(event.object)) == uid(event.object)
            if event.type == "DELETED":
                del alive[key(event.object)]
            else:
                alive[key(event.object)] = uid(event.object)
    assert len(alive) == 3


def test_a_second_leader_does_no_harm() -> None:
    world = World()
    world.fault("second-leader", controller="statefulset")
    assert end_state(story(world)) == undisturbed()


def test_a_new_leader_with_an_old_list_of_pods_deletes_the_new_pod_by_its_name() -> None:
    world = World()
    world.create(stateful_set(replicas=1))
    world.settle()
    known = sum(event.object["kind"] == "Pod" for event in world.store.log)
    world.roll("2")
    world.settle().trace()
    since = sum(event.object["kind"] == "Pod" for event in world.store.log) - known
    world.fault("crash", controller="statefulset", lists={"Pod": f"stale:{since}"})
    assert world.settle().trace() == "0:term -0"
    world.fault("release", controller="statefulset", kind="Pod")
    assert world.settle().trace() == "+0 0:ready"


def test_before_1_36_a_stale_cache_makes_a_set_ask_twice() -> None:
    calls = {}
    for version in ("1.35", "1.36"):
        world = World(version)
        world.fault("hold", controller="statefulset", kind="Pod")
        world.create(stateful_set(replicas=1))
        world.settle()
        calls[version] = world.fired("ORDER-02")
    assert calls["1.35"] > calls["1.36"] == 1


def test_waiting_for_own_writes_can_be_turned_off() -> None:
    world = World("1.36", {"StaleControllerConsistencyStatefulSet": False})
    world.fault("hold", controller="statefulset", kind="Pod")
    world.create(stateful_set(replicas=1))
    world.settle()
    assert world.fired("ORDER-02") > 1


def test_an_orphan_wakes_the_sets_that_select_it_when_its_labels_change() -> None:
    world = World()
    world.create(stateful_set(replicas=1))
    world.create(orphan("web-7", app="other"))
    world.settle()
    passes = world.fired("LIVE-04")
    world.patch("Pod", "web-7", {"metadata": {"annotations": {"poke": "1"}}})
    world.settle()
    assert world.fired("LIVE-04") == passes
    world.patch("Pod", "web-7", {"metadata": {"labels": {"app": "web"}}})
    world.settle()
    assert world.fired("LIVE-04") > passes


def test_an_error_brings_a_set_back_after_growing_pauses() -> None:
    waits = []
    for times in (6, 12):
        world = World()
        world.fault("refuse", controller="statefulset", kind="Pod", verb="create", times=times, answer="server-error")
        world.create(stateful_set(replicas=1))
        start = world.engine.clock.now
        world.settle()
        waits.append(next(event.time for event in world.store.log if event.object["kind"] == "Pod") - start)
    assert waits[1] > 32 * waits[0] > 0


def test_a_set_deleted_in_mid_pass_may_still_get_a_pod() -> None:
    world = World()
    world.create(stateful_set(replicas=2))
    while world.get("PersistentVolumeClaim", "www-web-0") is None:
        world.engine.turn()
    world.delete("StatefulSet", "web")
    world.settle()
    assert world.names("Pod") == ["web-0"]


def test_events_speak_with_a_capital_since_1_35() -> None:
    for version, verb in (("1.34", "create"), ("1.35", "Create")):
        world = World(version)
        world.create(stateful_set(replicas=1))
        world.settle()
        assert world.said("SuccessfulCreate") == [
            f"{verb} Claim www-web-0 Pod web-0 in StatefulSet web success",
            f"{verb} Pod web-0 in StatefulSet web successful",
        ]


def test_the_deletion_of_a_pod_that_is_gone_is_a_success_since_1_36() -> None:
    told = {}
    for version in ("1.35", "1.36"):
        world = World(version)
        world.create(stateful_set(replicas=2))
        world.settle()
        world.fault("hold", controller="statefulset", kind="Pod")
        world.delete("Pod", "web-1")
        world.edit(replicas=1)
        world.settle()
        told[version] = (
            world.said("SuccessfulDelete"),
            [text.split(" error")[0] for text in world.said("FailedDelete")],
        )
    assert told["1.36"] == (["Delete Pod web-1 in StatefulSet web successful"], [])
    assert told["1.35"] == ([], ["Delete Pod web-1 in StatefulSet web failed"])


@pytest.mark.parametrize("at", range(0, 60, 7))
def test_who_works_first_changes_nothing_in_the_end(at: int) -> None:
    turns = tuple(Departure("turn", turn, "kubelet/Pod") for turn in range(at, at + 20))
    assert end_state(story(World(schedule=turns))) == undisturbed()


def test_a_large_set_rolls_out_within_the_budget() -> None:
    world = World()
    world.create(stateful_set(replicas=60, **PARALLEL, **rolling()))
    world.settle()
    assert world.status()["readyReplicas"] == 60


def test_objects_that_a_pass_saw_are_never_changed_in_place() -> None:
    world = World()
    made: Obj = world.create(stateful_set(replicas=2))
    before = repr(made)
    world.settle()
    assert repr(made) == before
