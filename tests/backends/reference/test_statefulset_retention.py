"""The retention policy: who owns a claim, and when that changes."""

import pytest

from pvkit.backends.objects import Obj, owners, uid
from tests.backends.reference.sets import PARALLEL, World, claim_template, policy, stateful_set

TABLE = [
    ("Retain", "Retain", "range", []),
    ("Retain", "Retain", "condemned", []),
    ("Retain", "Delete", "range", ["StatefulSet"]),
    ("Retain", "Delete", "condemned", ["StatefulSet"]),
    ("Delete", "Retain", "range", []),
    ("Delete", "Retain", "condemned", ["Pod"]),
    ("Delete", "Delete", "range", ["StatefulSet"]),
    ("Delete", "Delete", "condemned", ["Pod"]),
]


def rolled_out(replicas: int = 2, scaled: str = "Retain", deleted: str = "Retain", **spec: object) -> World:
    world = World()
    world.create(stateful_set(replicas=replicas, **policy(scaled, deleted), **spec))
    world.settle().trace()
    return world


@pytest.mark.parametrize(("scaled", "deleted", "place", "kinds"), TABLE)
def test_the_owner_of_a_claim_follows_the_policy(scaled: str, deleted: str, place: str, kinds: list[str]) -> None:
    world = rolled_out(2, scaled, deleted)
    if place == "condemned":
        world.keep("lingering", "web-1")
        world.edit(replicas=1)
        world.settle()
    assert world.owner_kinds("www-web-1") == kinds


@pytest.mark.parametrize(("scaled", "deleted", "place", "kinds"), TABLE)
def test_a_parallel_set_keeps_the_same_table(scaled: str, deleted: str, place: str, kinds: list[str]) -> None:
    world = rolled_out(2, scaled, deleted, **PARALLEL)
    if place == "condemned":
        world.keep("lingering", "web-1")
        world.edit(replicas=1)
        world.settle()
    assert world.owner_kinds("www-web-1") == kinds


@pytest.mark.parametrize(("scaled", "deleted", "place", "kinds"), TABLE)
def test_the_table_counts_ordinals_from_the_start(scaled: str, deleted: str, place: str, kinds: list[str]) -> None:
    world = rolled_out(2, scaled, deleted, ordinals={"start": 5})
    if place == "condemned":
        world.keep("lingering", "web-6")
        world.edit(replicas=1)
        world.settle()
    assert world.owner_kinds("www-web-6") == kinds


def test_the_owner_is_a_controlling_one_that_blocks_foreground_deletion() -> None:
    world = rolled_out(1, deleted="Delete")
    owner = owners(world.got("PersistentVolumeClaim", "www-web-0"))[0]
    assert owner["controller"] is True
    assert owner["blockOwnerDeletion"] is True


def test_a_plain_reference_to_the_set_is_made_a_controlling_one() -> None:
    world = rolled_out(1, deleted="Delete")
    plain = {**owners(world.got("PersistentVolumeClaim", "www-web-0"))[0], "controller": False}
    world.patch("PersistentVolumeClaim", "www-web-0", {"metadata": {"ownerReferences": [plain]}})
    world.patch("StatefulSet", "web", {"metadata": {"annotations": {"poke": "1"}}})
    world.settle()
    assert owners(world.got("PersistentVolumeClaim", "www-web-0"))[0]["controller"] is True


def test_a_condemned_pod_owns_its_claim_before_it_is_deleted() -> None:
    world = rolled_out(3, scaled="Delete")
    world.edit(replicas=1)
    world.settle()
    log = [(event.object["kind"], event.object["metadata"]) for event in world.store.log]
    owned = {
        metadata["name"]: at
        for at, (kind, metadata) in reversed(list(enumerate(log)))
        if kind == "PersistentVolumeClaim" and metadata.get("ownerReferences")
    }
    ending = next(at for at, (kind, metadata) in enumerate(log) if kind == "Pod" and "deletionTimestamp" in metadata)
    assert max(owned["www-web-1"], owned["www-web-2"]) < ending


def test_condemned_pods_get_their_claims_only_once_the_others_are_healthy() -> None:
    world = rolled_out(2, scaled="Delete")
    world.keep("unready", "web-0")
    world.edit(replicas=1)
    world.settle()
    assert world.owner_kinds("www-web-1") == []


def test_a_claim_is_born_without_an_owner() -> None:
    world = rolled_out(1, deleted="Delete")
    seen = [
        bool(owners(event.object))
        for event in world.store.log
        if event.object["kind"] == "PersistentVolumeClaim" and event.object["metadata"]["name"] == "www-web-0"
    ]
    assert seen == [False, True]


def test_a_change_of_policy_reaches_claims_of_existing_pods_only() -> None:
    world = rolled_out(2, deleted="Delete")
    world.edit(replicas=1)
    world.settle()
    world.edit(**policy("Retain", "Retain"))
    world.settle()
    assert world.owner_kinds("www-web-0") == []
    assert world.owner_kinds("www-web-1") == ["StatefulSet"]


def test_a_changed_owner_is_told_of_as_an_update_of_the_pod_that_does_not_change() -> None:
    world = rolled_out(1)
    before = world.got("Pod", "web-0")
    world.edit(**policy("Retain", "Delete"))
    world.settle()
    assert world.said("SuccessfulUpdate") == ["Update Pod web-0 in StatefulSet web successful"]
    assert world.got("Pod", "web-0") == before


def foreign(world: World, controls: bool = True, **fields: str) -> Obj:
    made = {"apiVersion": "v1", "kind": "ConfigMap", "name": "theirs", "uid": "u-1", "controller": controls, **fields}
    world.patch("PersistentVolumeClaim", "www-web-0", {"metadata": {"ownerReferences": [made]}})
    world.patch("StatefulSet", "web", {"metadata": {"annotations": {"poke": "1"}}})
    world.settle()
    return made


def test_a_claim_that_somebody_else_controls_is_left_alone() -> None:
    world = rolled_out(1, deleted="Delete")
    made = foreign(world)
    assert owners(world.got("PersistentVolumeClaim", "www-web-0")) == (made,)


def test_the_sets_own_reference_is_withdrawn_beside_a_foreign_controller_and_told_of() -> None:
    world = rolled_out(1, deleted="Delete")
    own = {**owners(world.got("PersistentVolumeClaim", "www-web-0"))[0], "controller": False}
    made = {"apiVersion": "v1", "kind": "ConfigMap", "name": "theirs", "uid": "u-1", "controller": True}
    world.patch("PersistentVolumeClaim", "www-web-0", {"metadata": {"ownerReferences": [own, made]}})
    world.patch("StatefulSet", "web", {"metadata": {"annotations": {"poke": "1"}}})
    world.settle()
    assert owners(world.got("PersistentVolumeClaim", "www-web-0")) == (made,)
    assert world.said("ConflictingController") == [
        "PersistentVolumeClaim www-web-0 has a conflicting OwnerReference that acts as a manging controller, "
        "the retention policy is ignored for this claim"
    ]


def test_a_foreign_owner_that_does_not_control_stays_beside_the_set() -> None:
    world = rolled_out(1, deleted="Delete")
    foreign(world, controls=False)
    assert world.owner_kinds("www-web-0") == ["ConfigMap", "StatefulSet"]


def test_a_claim_of_an_earlier_set_of_the_name_is_not_touched() -> None:
    world = rolled_out(1, deleted="Delete")
    made = foreign(world, apiVersion="apps/v1", kind="StatefulSet", name="web")
    assert owners(world.got("PersistentVolumeClaim", "www-web-0")) == (made,)


def test_no_pod_is_created_on_a_claim_that_goes_with_an_earlier_pod() -> None:
    world = rolled_out(2, scaled="Delete")
    world.patch("PersistentVolumeClaim", "www-web-1", {"metadata": {"finalizers": ["example.com/hold"]}})
    world.edit(replicas=1)
    world.settle()
    world.edit(replicas=2)
    world.settle()
    assert world.names("Pod") == ["web-0"]
    assert world.said("FailedCreate") == []
    doomed = world.got("PersistentVolumeClaim", "www-web-1")
    world.patch("PersistentVolumeClaim", "www-web-1", {"metadata": {"finalizers": None}})
    world.delete("PersistentVolumeClaim", "www-web-1")
    world.settle()
    assert world.names("Pod") == ["web-0"], "nothing about a claim wakes the set"
    world.patch("StatefulSet", "web", {"metadata": {"annotations": {"poke": "1"}}})
    world.settle()
    assert world.names("Pod") == ["web-0", "web-1"]
    assert uid(world.got("PersistentVolumeClaim", "www-web-1")) != uid(doomed)


def test_a_stale_claim_stops_only_its_own_pod_of_a_parallel_set() -> None:
    world = rolled_out(3, scaled="Delete", **PARALLEL)
    world.edit(replicas=1)
    world.settle()
    world.patch("PersistentVolumeClaim", "www-web-2", {"metadata": {"ownerReferences": None}})
    world.edit(replicas=3)
    world.settle()
    assert world.names("Pod") == ["web-0", "web-2"]


def test_under_retain_a_claim_is_reused_whoever_owns_it() -> None:
    world = rolled_out(1, scaled="Retain")
    foreign(world, kind="Pod", name="web-0")
    world.delete("Pod", "web-0")
    world.settle()
    assert world.names("Pod") == ["web-0"]


def test_every_claim_of_a_pod_gets_its_owner() -> None:
    world = rolled_out(1, deleted="Delete", volumeClaimTemplates=[claim_template("www"), claim_template("log")])
    assert [world.owner_kinds(claim) for claim in ("www-web-0", "log-web-0")] == [["StatefulSet"], ["StatefulSet"]]


def test_a_refused_change_of_owner_is_told_of_and_tried_again() -> None:
    world = World()
    world.fault("refuse", controller="statefulset", kind="PersistentVolumeClaim", verb="update", times=2)
    world.create(stateful_set(replicas=1, **policy("Retain", "Delete")))
    world.settle()
    assert world.said("FailedUpdate")[0].startswith(
        "Update Pod web-0 in StatefulSet web failed error: could not update"
    )
    assert world.owner_kinds("www-web-0") == ["StatefulSet"]
