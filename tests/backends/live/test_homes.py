"""Homes: namespaces and nodes that plans of a run use one after another, and when they do not."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from time import monotonic
from typing import Any

import pytest

from pvkit.backends.live import backend as module
from pvkit.backends.live import homes
from pvkit.backends.live.backend import LiveBackend
from pvkit.backends.live.homes import Home, Homes
from pvkit.backends.live.naming import Names
from pvkit.backends.live.patience import Pace
from pvkit.backends.live.watching import Frame, Tape
from pvkit.backends.objects import Key, Obj, key, name, put, uid, version
from pvkit.backends.protocol import Budget, Event, Operation, Setup
from tests.backends.live.fake_cluster import PATIENCE, FakeCluster

NODE: Obj = {"metadata": {"name": "n1"}}
WORLD = Setup(nodes=(NODE,))
VOLUME: Obj = {"kind": "PersistentVolume", "metadata": {"name": "v"}, "spec": {"storageClassName": "fast"}}
CLAIM: Obj = {"kind": "PersistentVolumeClaim", "metadata": {"name": "c"}, "spec": {"storageClassName": "fast"}}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    made = FakeCluster()
    monkeypatch.setattr(module, "Connection", lambda *_: made.connect())
    monkeypatch.setattr(module, "sweep", lambda *_: None)
    monkeypatch.setattr(homes, "REST_SECONDS", 0.0)
    return made


@pytest.fixture
def live(cluster: FakeCluster) -> Iterator[LiveBackend]:
    made = LiveBackend(pace=Pace(reaction=0.02, resync=0.02), nodes=True, settle_seconds=PATIENCE)
    yield made
    made.close()


def world(live: LiveBackend, setup: Setup = WORLD) -> list[Event]:
    """What a plan is told of its world, after a rest."""
    live.reset(setup)
    assert live.settle(Budget()).quiet
    return live.observe()


def emptied(live: LiveBackend) -> None:
    """The end of a plan, and the removal of all it made seen."""
    tape = live.play.tape
    live.clear()
    assert tape.wait(
        lambda: {at.kind for at, last in tape.last.items() if last.object} == {"Namespace", "Node"}, PATIENCE
    )


def test_the_next_plan_finds_the_same_namespaces_and_nodes_as_if_made_for_it(
    cluster: FakeCluster, live: LiveBackend
) -> None:
    before = world(live)
    for made in (VOLUME, CLAIM):
        assert live.invoke(Operation("create", made)).status == "ok"
    assert live.settle(Budget()).quiet
    emptied(live)
    requests = len(cluster.requests)
    after = world(live)
    assert [method for method, _, _ in cluster.requests[requests:] if method != "GET"] == []
    told = [
        [(event.type, key(event.object), uid(event.object), event.by) for event in events] for events in (before, after)
    ]
    assert told[0] == told[1]
    assert {event.by for event in after} == {"setup"}


def test_names_outside_of_namespaces_are_not_used_twice(cluster: FakeCluster, live: LiveBackend) -> None:
    found = []
    for _ in range(2):
        world(live)
        assert live.invoke(Operation("create", VOLUME)).status == "ok"
        assert live.settle(Budget()).quiet
        found += [name(event.object) for event in live.observe() if event.object["kind"] == "PersistentVolume"]
        emptied(live)
    assert found == ["v", "v"]
    made = [
        name(body)
        for method, path, body in cluster.requests
        if method == "POST" and path.endswith("/persistentvolumes")
    ]
    assert len(made) == len(set(made)) == 2


def change(cluster: FakeCluster, live: LiveBackend, changed: Obj) -> None:
    """Write as somebody else, and wait until that is seen."""
    at, written = key(changed), version(cluster.write(changed))
    assert live.play.tape.wait(lambda: live.play.tape.last[at].version == written, PATIENCE)


def changed_namespace(cluster: FakeCluster, live: LiveBackend) -> None:
    (found,) = [obj for at, obj in cluster.objects.items() if at.kind == "Namespace"]
    change(cluster, live, put(found, ("metadata", "labels", "mark"), "it"))


def changed_node(cluster: FakeCluster, live: LiveBackend) -> None:
    (found,) = [obj for at, obj in cluster.objects.items() if at.kind == "Node"]
    change(cluster, live, put(found, ("spec",), {"unschedulable": True}))


def asked_about_the_node(cluster: FakeCluster, live: LiveBackend) -> None:
    live.invoke(Operation("patch", target=Key("Node", "", "n1"), patch={"status": {"phase": "Running"}}))


def made_a_quota(cluster: FakeCluster, live: LiveBackend) -> None:
    live.invoke(Operation("create", {"kind": "ResourceQuota", "metadata": {"name": "q"}, "spec": {}}))
    assert live.settle(Budget()).quiet


def missed_something(cluster: FakeCluster, live: LiveBackend) -> None:
    live.play.tape.note_gap("a test")


def nothing_but_another_world(cluster: FakeCluster, live: LiveBackend) -> None:
    assert live.play.tape.gaps == []


@pytest.mark.parametrize(
    ("spoil", "setup"),
    [
        (changed_namespace, WORLD),
        (changed_node, WORLD),
        (asked_about_the_node, WORLD),
        (made_a_quota, WORLD),
        (missed_something, WORLD),
        (nothing_but_another_world, Setup(nodes=(NODE,), namespaces=("other",))),
        (nothing_but_another_world, Setup(nodes=(put(NODE, ("metadata", "labels"), {"zone": "a"}),))),
        (nothing_but_another_world, Setup()),
    ],
)
def test_what_a_plan_may_have_changed_is_not_given_to_the_next(
    cluster: FakeCluster, live: LiveBackend, spoil: Callable[[FakeCluster, LiveBackend], Any], setup: Setup
) -> None:
    before = {uid(event.object) for event in world(live)}
    spoil(cluster, live)
    assert live.settle(Budget()).quiet
    live.clear()
    assert before.isdisjoint(uid(event.object) for event in world(live, setup))


def test_nobody_moves_in_before_all_is_gone_and_what_stays_is_given_up(
    cluster: FakeCluster, live: LiveBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {uid(event.object) for event in world(live)}
    tape, home = live.play.tape, live.play.names.site
    live.clear()
    late = cluster.write({**CLAIM, "metadata": {"name": "late", "namespace": f"{home}-default"}})
    assert tape.wait(lambda: key(late) in tape.last, PATIENCE)
    assert before.isdisjoint(uid(event.object) for event in world(live))
    monkeypatch.setattr(homes, "FORSAKEN_SECONDS", 0.0)
    live.clear()
    assert Key("Namespace", "", f"{home}-default") not in cluster.objects


def test_a_home_rests_before_the_next_plan_moves_in(live: LiveBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {uid(event.object) for event in world(live)}
    emptied(live)
    monkeypatch.setattr(homes, "REST_SECONDS", PATIENCE)
    assert before.isdisjoint(uid(event.object) for event in world(live))


STRAY = put(CLAIM, ("metadata",), {"name": "stray", "uid": "u2", "resourceVersion": "2"})


def left(*more: Obj) -> tuple[Homes, Tape]:
    """A home of one namespace that was left just now, with other objects in it."""
    space: Obj = {"kind": "Namespace", "metadata": {"name": "default", "uid": "u1", "resourceVersion": "1"}}
    tape, home, made = Tape(lambda _: True), Home("h", Setup()), Homes()
    for obj in (space, *more):
        tape.take(Frame("ADDED", obj, monotonic()))
    home.parts[key(space)] = space
    made.give(home, Names("k1", "k"), tape)
    return made, tape


def test_a_home_that_is_empty_is_kept_although_something_happened_there_a_moment_ago(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(homes, "FORSAKEN_SECONDS", 0.0)
    monkeypatch.setattr(homes, "REST_SECONDS", PATIENCE)
    made, tape = left(STRAY)
    tape.take(Frame("DELETED", put(STRAY, ("metadata", "resourceVersion"), "3"), monotonic()))
    assert made.forsaken() == []
    assert made.take(Setup()) is None
    monkeypatch.setattr(homes, "REST_SECONDS", 0.0)
    taken = made.take(Setup())
    assert taken is not None
    assert taken.tape is tape


def test_homes_are_given_up_once_whoever_looks_at_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(homes, "FORSAKEN_SECONDS", 0.0)
    made, tape = left(STRAY)
    first, then = made.forsaken(), made.forsaken()
    assert ([entry.tape for entry in first], then) == ([tape], [])


def test_a_home_is_whole_also_where_its_plan_names_the_first_namespace() -> None:
    made, tape = left()
    (entry,) = made._left
    named = replace(entry.home, setup=Setup(namespaces=("default",)))
    assert (entry.home.is_whole(tape), named.is_whole(tape)) == (True, True)


def test_a_slice_that_was_orphaned_is_removed_and_one_with_an_owner_is_left_to_its_collector(
    cluster: FakeCluster, live: LiveBackend
) -> None:
    world(live)
    assert live.invoke(Operation("create", {"kind": "Service", "metadata": {"name": "s"}, "spec": {}})).status == "ok"
    (service,) = [obj for at, obj in cluster.objects.items() if at.kind == "Service"]
    place, tape = service["metadata"]["namespace"], live.play.tape
    for called, owned in (("orphan", []), ("owned", [{"kind": "Service", "name": "s", "uid": uid(service)}])):
        metadata = {"name": called, "namespace": place, "ownerReferences": owned}
        made = cluster.write({"kind": "EndpointSlice", "metadata": metadata})
        assert tape.wait(lambda made=made: key(made) in tape.last, PATIENCE)  # type: ignore[misc]
    live.clear()
    assert [at.name for at in cluster.objects if at.kind in ("Service", "EndpointSlice")] == ["owned"]
