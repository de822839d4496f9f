"""Claims from templates: made, found again, missed, blocked."""

import pytest

from pvkit.backends.objects import deleting, labels, name, owners, uid
from pvkit.backends.protocol import Departure
from tests.backends.reference.sets import PARALLEL, World, claim_template, stateful_set


def rolled_out(replicas: int = 2, **spec: object) -> World:
    world = World()
    world.create(stateful_set(replicas=replicas, **spec))
    world.settle().trace()
    return world


def lose(world: World, claim: str) -> None:
    """Delete a claim and take off the finalizers that hold it."""
    world.delete("PersistentVolumeClaim", claim)
    world.patch("PersistentVolumeClaim", claim, {"metadata": {"finalizers": None}})


def free_claim(called: str, **metadata: object) -> dict[str, object]:
    return {
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": called, "namespace": "default", **metadata},
        "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "8Gi"}}},
    }


def test_claims_are_named_after_template_set_and_ordinal() -> None:
    world = rolled_out(2, volumeClaimTemplates=[claim_template("www"), claim_template("log")])
    assert world.names("PersistentVolumeClaim") == ["log-web-0", "log-web-1", "www-web-0", "www-web-1"]


def test_a_claim_has_the_labels_of_its_template_under_those_that_the_set_matches() -> None:
    world = rolled_out(1, volumeClaimTemplates=[claim_template("www", a="1", app="from-template")])
    assert labels(world.got("PersistentVolumeClaim", "www-web-0")) == {"a": "1", "app": "web"}


def test_a_claim_copies_the_annotations_of_its_template() -> None:
    template = claim_template()
    template["metadata"]["annotations"] = {"note": "kept"}
    world = rolled_out(1, volumeClaimTemplates=[template])
    assert world.got("PersistentVolumeClaim", "www-web-0")["metadata"]["annotations"]["note"] == "kept"


def test_every_pod_mounts_the_claim_of_its_own_ordinal() -> None:
    world = rolled_out(2)
    for at in (0, 1):
        volumes = world.got("Pod", f"web-{at}")["spec"]["volumes"]
        assert volumes == [{"name": "www", "persistentVolumeClaim": {"claimName": f"www-web-{at}"}}]


def test_all_claims_of_a_pod_exist_before_the_pod() -> None:
    world = rolled_out(2, volumeClaimTemplates=[claim_template("www"), claim_template("log")])
    born = {name(event.object): event.index for event in world.store.log if event.type == "ADDED"}
    for at in (0, 1):
        assert max(born[f"www-web-{at}"], born[f"log-web-{at}"]) < born[f"web-{at}"]


def test_the_order_of_claims_and_volumes_is_a_choice_of_the_schedule() -> None:
    orders = set()
    for take in (0, 1):
        world = World(schedule=tuple(Departure("tie", at, take) for at in range(20)))
        world.create(stateful_set(replicas=1, volumeClaimTemplates=[claim_template("www"), claim_template("log")]))
        world.settle()
        orders.add(tuple(volume["name"] for volume in world.got("Pod", "web-0")["spec"]["volumes"]))
    assert orders == {("www", "log"), ("log", "www")}


def test_a_claim_volume_takes_the_place_of_a_volume_of_its_name() -> None:
    made = stateful_set(replicas=1)
    made["spec"]["template"]["spec"]["volumes"] = [{"name": "www", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}]
    world = World()
    world.create(made)
    world.settle()
    assert world.got("Pod", "web-0")["spec"]["volumes"] == [
        {"name": "www", "persistentVolumeClaim": {"claimName": "www-web-0"}},
        {"name": "tmp", "emptyDir": {}},
    ]


def test_a_claim_that_exists_is_used_as_it_is() -> None:
    world = World()
    before = world.create(free_claim("www-web-0", labels={"mine": "1"}))
    world.create(stateful_set(replicas=1))
    world.settle()
    after = world.got("PersistentVolumeClaim", "www-web-0")
    assert (uid(after), after["spec"], labels(after), owners(after)) == (
        uid(before), before["spec"], labels(before), (),
    )  # fmt: skip
    assert world.names("Pod") == ["web-0"]


def test_two_sets_may_share_a_claim_by_its_name() -> None:
    world = World()
    world.create(stateful_set("b-c", 1, volumeClaimTemplates=[claim_template("a")]))
    world.create(stateful_set("c", 1, volumeClaimTemplates=[claim_template("a-b")]))
    world.settle()
    assert world.names("PersistentVolumeClaim") == ["a-b-c-0"]
    assert world.names("Pod") == ["b-c-0", "c-0"]


def test_claims_stay_when_the_set_is_scaled_down_and_are_found_again() -> None:
    world = rolled_out(3)
    before = {name(claim): uid(claim) for claim in world.store.list("PersistentVolumeClaim")}
    world.edit(replicas=1)
    world.settle()
    world.edit(replicas=3)
    world.settle()
    assert {name(claim): uid(claim) for claim in world.store.list("PersistentVolumeClaim")} == before


def test_no_pod_is_created_on_a_claim_that_is_being_deleted() -> None:
    world = rolled_out(1)
    world.delete("PersistentVolumeClaim", "www-web-0")
    world.delete("Pod", "web-0")
    world.engine.run(100)
    world.engine.advance(8.0)
    world.engine.run(100)
    assert world.names("Pod") == []
    assert world.said("FailedCreate") == [
        "Create Pod web-0 in StatefulSet web failed error: pvc www-web-0 is being deleted"
    ]
    world.patch("PersistentVolumeClaim", "www-web-0", {"metadata": {"finalizers": None}})
    world.settle()
    assert world.names("Pod") == ["web-0"]
    assert not deleting(world.got("PersistentVolumeClaim", "www-web-0"))


def test_the_wait_for_a_claim_grows_with_each_attempt() -> None:
    world = rolled_out(1)
    world.delete("PersistentVolumeClaim", "www-web-0")
    world.delete("Pod", "web-0")
    world.settle()
    freed = world.engine.clock.now
    world.patch("PersistentVolumeClaim", "www-web-0", {"metadata": {"finalizers": None}})
    world.settle()
    created = next(event.time for event in reversed(world.store.log) if event.object["kind"] == "Pod")
    assert created - freed > 10.0


def test_a_claim_lost_under_a_pending_pod_is_created_again_when_something_wakes_the_set() -> None:
    world = World()
    world.keep("unready", "web-0")
    world.create(stateful_set(replicas=1))
    world.settle()
    before = uid(world.got("PersistentVolumeClaim", "www-web-0"))
    lose(world, "www-web-0")
    world.settle()
    assert world.get("PersistentVolumeClaim", "www-web-0") is None
    world.patch("Pod", "web-0", {"status": {"phase": "Pending", "reason": "tried"}}, "status")
    world.settle()
    assert uid(world.got("PersistentVolumeClaim", "www-web-0")) != before


def test_a_claim_lost_under_a_running_pod_is_not_created_again() -> None:
    world = rolled_out(1)
    lose(world, "www-web-0")
    world.patch("StatefulSet", "web", {"metadata": {"annotations": {"poke": "1"}}})
    world.settle()
    assert world.names("PersistentVolumeClaim") == []


def test_a_claim_lost_under_a_pending_pod_waits_behind_a_broken_lower_one() -> None:
    world = World()
    world.keep("unready", "web-1")
    world.create(stateful_set(replicas=2))
    world.settle()
    world.keep("unready", "web-0")
    lose(world, "www-web-1")
    world.patch("StatefulSet", "web", {"metadata": {"annotations": {"poke": "1"}}})
    world.settle()
    assert world.names("PersistentVolumeClaim") == ["www-web-0"]
    world.let_go("unready", "web-0")
    assert world.names("PersistentVolumeClaim") == ["www-web-0", "www-web-1"]


def test_a_pending_pod_on_a_claim_that_is_being_deleted_is_an_error_without_an_event() -> None:
    world = World()
    world.keep("unready", "web-0")
    world.create(stateful_set(replicas=1))
    world.settle()
    world.delete("PersistentVolumeClaim", "www-web-0")
    world.patch("StatefulSet", "web", {"metadata": {"annotations": {"poke": "1"}}})
    world.settle()
    assert world.said("FailedCreate") == []
    assert world.engine.instances["statefulset"].workers["StatefulSet"].failures


def test_with_parallel_a_claim_that_is_being_deleted_blocks_its_own_batch_only() -> None:
    world = World()
    world.create(free_claim("www-web-1", finalizers=["example.com/hold"]))
    world.delete("PersistentVolumeClaim", "www-web-1")
    world.create(stateful_set(replicas=4, **PARALLEL))
    world.settle()
    assert world.names("Pod") == ["web-0", "web-2"]


@pytest.mark.parametrize(("answer", "claim_events"), [("quota", 1), ("conflict", 1)])
def test_a_claim_that_is_refused_blocks_its_pod_and_is_told_of(answer: str, claim_events: int) -> None:
    world = World()
    world.fault("refuse", controller="statefulset", kind="PersistentVolumeClaim", verb="create", answer=answer)
    world.create(stateful_set(replicas=1))
    world.engine.run(12)
    told = world.said("FailedCreate")
    assert sum("Create Claim www-web-0 for Pod web-0" in text for text in told) == claim_events
    assert any(text.startswith("Create Pod web-0 in StatefulSet web failed") for text in told)
    world.settle()
    assert world.names("Pod") == ["web-0"]


def test_a_claim_that_the_cache_does_not_show_is_an_error_without_a_claim_event() -> None:
    world = World("1.35")
    world.fault("hold", controller="statefulset", kind="PersistentVolumeClaim")
    world.create(free_claim("www-web-0"))
    world.create(stateful_set(replicas=1))
    world.settle()
    assert world.names("Pod") == []
    assert not any("Claim" in text for text in world.said())
    world.fault("release", controller="statefulset", kind="PersistentVolumeClaim")
    world.settle()
    assert world.names("Pod") == ["web-0"]


def test_claims_are_no_reason_to_look_at_a_set() -> None:
    world = rolled_out(1)
    before = world.engine.schedule.turns
    lose(world, "www-web-0")
    world.engine.run(10)
    assert world.fired("LIVE-04") > 0
    assert world.engine.schedule.turns - before == 1
