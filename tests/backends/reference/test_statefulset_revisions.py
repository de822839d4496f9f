"""ControllerRevisions: when they are made, reused, renumbered, adopted and trimmed."""

import re

import pytest

from pvkit.backends.objects import Obj, controller_of, labels, name
from pvkit.backends.reference.revisions import revision_name
from tests.backends.reference.sets import ON_DELETE, World, rolling, stateful_set, template_spec


def numbers(world: World) -> dict[str, int]:
    """The numbers of the revisions by the image that they hold."""
    return {
        revision["data"]["spec"]["template"]["spec"]["containers"][0]["image"]: revision["revision"]
        for revision in world.store.list("ControllerRevision")
    }


def rolled_out(**spec: object) -> World:
    world = World()
    world.create(stateful_set(**spec))
    world.settle().trace()
    return world


def as_stored(made: Obj) -> Obj:
    """A set as an API server would fill it in."""
    return World().create(made)


def bare(made: Obj) -> Obj:
    """The set as a client would write it, from one that was stored."""
    return {"kind": "StatefulSet", "metadata": {"name": "web", "namespace": "default"}, "spec": made["spec"]}


def test_a_revision_holds_the_template_and_belongs_to_the_set() -> None:
    world = World()
    made = world.create(stateful_set())
    world.settle()
    revision = world.store.list("ControllerRevision")[0]
    assert revision["data"] == {"spec": {"template": {**made["spec"]["template"], "$patch": "replace"}}}
    assert (controller_of(revision) or {})["uid"] == made["metadata"]["uid"]
    assert labels(revision)["app"] == "web"
    assert re.fullmatch(r"web-[bcdfghjklmnpqrstvwxz2456789]{8,10}", name(revision))
    assert labels(revision)["controller.kubernetes.io/hash"] == name(revision).removeprefix("web-")


def test_the_label_of_a_pod_is_the_whole_name_of_its_revision() -> None:
    world = rolled_out()
    revision = world.names("ControllerRevision")[0]
    assert {labels(pod)["controller-revision-hash"] for pod in world.store.list("Pod")} == {revision}


def test_going_back_to_an_earlier_template_raises_the_number_of_its_revision() -> None:
    world = rolled_out()
    world.keep("unready", "web-2")
    world.roll("2")
    world.settle()
    assert numbers(world) == {"1": 1, "2": 2}
    world.roll("1")
    world.settle()
    assert numbers(world) == {"1": 3, "2": 2}


def test_pods_that_were_not_yet_replaced_stay_when_the_template_goes_back() -> None:
    world = rolled_out(replicas=4, **rolling(partition=2))
    world.roll("2")
    world.settle().trace()
    world.roll("1")
    assert world.settle().trace() == "3:term -3 +3 3:ready 2:term -2 +2 2:ready"


def test_a_third_revision_counts_in_replicas_only() -> None:
    world = rolled_out(replicas=3, **ON_DELETE)
    world.roll("2")
    world.settle()
    world.delete("Pod", "web-2")
    world.settle()
    world.roll("3")
    world.settle()
    status = world.status()
    assert (status["replicas"], status["currentReplicas"], status.get("updatedReplicas")) == (3, 2, None)
    assert world.images() == "1 1 2"


def test_changes_outside_the_template_make_no_revision() -> None:
    world = rolled_out()
    world.edit(replicas=1, minReadySeconds=3, **rolling(partition=1))
    world.settle()
    assert numbers(world) == {"1": 1}


@pytest.mark.parametrize(("limit", "left"), [(2, 3), (0, 1), (-1, 7), (10, 7)])
def test_idle_revisions_are_trimmed_to_the_history_limit(limit: int, left: int) -> None:
    world = rolled_out(replicas=1, revisionHistoryLimit=limit)
    for image in "234567":
        world.roll(image)
        world.settle()
    assert len(world.names("ControllerRevision")) == left
    assert numbers(world)["7"] == 7


def test_a_revision_that_a_pod_still_has_is_not_trimmed() -> None:
    world = rolled_out(replicas=2, revisionHistoryLimit=0, **ON_DELETE)
    world.roll("2")
    world.settle()
    world.roll("3")
    world.settle()
    assert sorted(numbers(world)) == ["1", "3"]


def test_a_name_taken_by_other_content_raises_the_collision_count() -> None:
    world, made = World(), as_stored(stateful_set(replicas=1))
    taken = {"name": revision_name(made, 0), "namespace": "default", "labels": {"other": "1"}}
    world.create({"kind": "ControllerRevision", "metadata": taken, "data": {"spec": {}}, "revision": 1})
    world.create(bare(made))
    world.settle()
    assert world.status()["collisionCount"] == 1
    assert world.status()["currentRevision"] == revision_name(made, 1)


def test_a_name_taken_by_equal_content_is_used_as_it_is() -> None:
    world, made = World(), as_stored(stateful_set(replicas=1))
    template = {**made["spec"]["template"], "$patch": "replace"}
    taken = {"name": revision_name(made, 0), "namespace": "default", "labels": {"other": "1"}}
    world.create(
        {"kind": "ControllerRevision", "metadata": taken, "data": {"spec": {"template": template}}, "revision": 1}
    )
    world.create(bare(made))
    world.settle()
    assert world.names("ControllerRevision") == [revision_name(made, 0)]
    assert world.status()["updateRevision"] == revision_name(made, 0)


def test_a_matching_orphan_is_adopted_and_used() -> None:
    world, made = World(), as_stored(stateful_set(replicas=1))
    template = {**made["spec"]["template"], "$patch": "replace"}
    metadata = {"name": "web-old", "namespace": "default", "labels": {"app": "web"}}
    world.create(
        {"kind": "ControllerRevision", "metadata": metadata, "data": {"spec": {"template": template}}, "revision": 4}
    )
    world.create(bare(made))
    world.settle()
    assert (controller_of(world.got("ControllerRevision", "web-old")) or {})["name"] == "web"
    assert world.status()["updateRevision"] == "web-old"


def test_scaling_to_zero_completes_a_partitioned_rollout() -> None:
    world = rolled_out(replicas=3, **rolling(partition=3))
    world.roll("2")
    world.settle()
    world.edit(replicas=0)
    world.settle()
    world.edit(replicas=3)
    world.settle()
    assert world.images() == "2 2 2"


def test_the_newest_of_two_quick_templates_wins() -> None:
    world = rolled_out(replicas=2)
    world.roll("2")
    world.edit(template={"spec": template_spec("3")})
    world.settle()
    assert world.images() == "3 3"
