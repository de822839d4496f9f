"""Identity and membership: what a pod carries, what is repaired, who is adopted and who released."""

from pvkit.backends.objects import controller_of, labels, uid
from pvkit.backends.workloads import POD_INDEX_LABEL, POD_NAME_LABEL, REVISION_LABEL
from tests.backends.reference.sets import PARALLEL, World, claim_template, orphan, stateful_set


def rolled_out(replicas: int = 2, **spec: object) -> World:
    world = World()
    world.create(stateful_set(replicas=replicas, **spec))
    world.settle().trace()
    return world


def owner_uid(world: World, pod: str) -> str:
    return str((controller_of(world.got("Pod", pod)) or {}).get("uid", ""))


def test_a_pod_carries_the_identity_of_its_ordinal() -> None:
    world = rolled_out(1, ordinals={"start": 3})
    pod, made = world.got("Pod", "web-3"), world.got("StatefulSet", "web")
    assert labels(pod) == {
        "app": "web",
        POD_NAME_LABEL: "web-3",
        POD_INDEX_LABEL: "3",
        REVISION_LABEL: made["status"]["currentRevision"],
    }
    assert (pod["spec"]["hostname"], pod["spec"]["subdomain"]) == ("web-3", "web")
    assert pod["metadata"]["generateName"] == "web-"
    assert pod["metadata"]["ownerReferences"] == [
        {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "name": "web",
            "uid": uid(made),
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]


def test_a_pod_carries_annotations_and_finalizers_of_its_template() -> None:
    made = stateful_set(replicas=1)
    made["spec"]["template"]["metadata"] |= {"annotations": {"note": "1"}, "finalizers": ["example.com/hold"]}
    world = World()
    world.create(made)
    world.settle()
    metadata = world.got("Pod", "web-0")["metadata"]
    assert (metadata["annotations"], metadata["finalizers"]) == ({"note": "1"}, ["example.com/hold"])


def test_a_replacement_has_the_same_name_and_claim_and_another_uid() -> None:
    world = rolled_out(1)
    before = world.got("Pod", "web-0")
    world.delete("Pod", "web-0")
    world.settle()
    after = world.got("Pod", "web-0")
    assert uid(after) != uid(before)
    assert (after["spec"]["hostname"], after["spec"]["volumes"]) == (
        before["spec"]["hostname"],
        before["spec"]["volumes"],
    )


def test_a_lost_name_label_is_restored_and_told_of() -> None:
    world = rolled_out(1)
    world.patch("Pod", "web-0", {"metadata": {"labels": {POD_NAME_LABEL: None, POD_INDEX_LABEL: "9"}}})
    world.settle()
    marks = labels(world.got("Pod", "web-0"))
    assert (marks[POD_NAME_LABEL], marks[POD_INDEX_LABEL]) == ("web-0", "0")
    assert world.said("SuccessfulUpdate") == ["Update Pod web-0 in StatefulSet web successful"]


def test_a_wrong_index_label_alone_is_not_noticed() -> None:
    world = rolled_out(1)
    world.patch("Pod", "web-0", {"metadata": {"labels": {POD_INDEX_LABEL: "9"}}})
    world.settle()
    assert labels(world.got("Pod", "web-0"))[POD_INDEX_LABEL] == "9"


def test_a_label_is_restored_only_once_all_pods_below_are_healthy() -> None:
    world = rolled_out(2)
    world.keep("unready", "web-0")
    world.patch("Pod", "web-1", {"metadata": {"labels": {POD_NAME_LABEL: None}}})
    world.settle()
    assert POD_NAME_LABEL not in labels(world.got("Pod", "web-1"))
    world.let_go("unready", "web-0")
    assert labels(world.got("Pod", "web-1"))[POD_NAME_LABEL] == "web-1"


def test_a_parallel_set_repairs_a_pod_that_is_not_ready() -> None:
    world = rolled_out(2, **PARALLEL)
    world.keep("unready", "web-0", "web-1")
    world.patch("Pod", "web-1", {"metadata": {"labels": {POD_NAME_LABEL: None}}})
    world.settle()
    assert labels(world.got("Pod", "web-1"))[POD_NAME_LABEL] == "web-1"


def test_an_orphan_with_the_wanted_revision_stays_the_pod_of_its_ordinal() -> None:
    world = rolled_out(2, volumeClaimTemplates=[])
    revision = world.status()["currentRevision"]
    world.fault("freeze", controller="statefulset")
    world.delete("Pod", "web-1")
    world.settle()
    made = world.create(orphan("web-1", **{REVISION_LABEL: revision, POD_NAME_LABEL: "web-1"}))
    world.fault("thaw", controller="statefulset")
    world.settle()
    assert uid(world.got("Pod", "web-1")) == uid(made)
    assert owner_uid(world, "web-1") == uid(world.got("StatefulSet", "web"))


def test_an_orphan_without_a_revision_is_adopted_and_replaced() -> None:
    world = rolled_out(2, volumeClaimTemplates=[])
    world.fault("freeze", controller="statefulset")
    world.delete("Pod", "web-1")
    world.settle().trace()
    world.create(orphan("web-1"))
    world.fault("thaw", controller="statefulset")
    assert world.settle().trace() == "+1 1:ready 1:term -1 +1 1:ready"


def test_an_orphan_that_does_not_match_is_not_adopted() -> None:
    world = rolled_out(1)
    world.create(orphan("web-1", app="other"))
    world.create(orphan("other-1"))
    world.settle()
    assert [controller_of(world.got("Pod", pod)) for pod in ("web-1", "other-1")] == [None, None]


def test_a_terminating_orphan_is_not_adopted_and_its_name_is_waited_for() -> None:
    world = rolled_out(1)
    world.keep("lingering", "web-1")
    world.create(orphan("web-1", app="other"))
    world.settle()
    world.delete("Pod", "web-1")
    world.patch("Pod", "web-1", {"metadata": {"labels": {"app": "web"}}})
    world.edit(replicas=2)
    world.settle()
    assert controller_of(world.got("Pod", "web-1")) is None
    assert world.said("FailedCreate") == []
    assert world.status()["replicas"] == 1
    world.let_go("lingering", "web-1")
    assert owner_uid(world, "web-1") == uid(world.got("StatefulSet", "web"))


def test_a_terminating_set_adopts_nothing() -> None:
    world = rolled_out(1)
    world.patch("StatefulSet", "web", {"metadata": {"finalizers": ["example.com/hold"]}})
    world.delete("StatefulSet", "web")
    world.create(orphan("web-1"))
    world.settle()
    assert controller_of(world.got("Pod", "web-1")) is None


def test_a_set_that_only_the_cache_still_shows_adopts_nothing() -> None:
    world = rolled_out(1)
    world.fault("hold", controller="statefulset", kind="StatefulSet")
    world.delete("StatefulSet", "web")
    world.create(orphan("web-1"))
    world.settle()
    assert controller_of(world.got("Pod", "web-1")) is None


def test_an_adoption_whose_check_gets_no_answer_is_tried_again_from_the_start() -> None:
    world = rolled_out(1)
    world.fault("refuse", controller="statefulset", kind="StatefulSet", verb="get", times=3, answer="timeout")
    world.create(orphan("web-1"))
    assert world.settle().trace() == "+1 1:ready 1:term -1"
    assert world.engine.errors["statefulset/StatefulSet: Unavailable"] == 3
    assert world.fired("IDENT-06") == 1


def test_a_pod_that_stops_matching_is_released_and_its_name_is_waited_for() -> None:
    world = rolled_out(2)
    world.patch("Pod", "web-1", {"metadata": {"labels": {"app": "other"}}})
    world.settle()
    assert controller_of(world.got("Pod", "web-1")) is None
    assert world.status()["replicas"] == 1
    assert world.said("FailedCreate") == []
    world.patch("Pod", "web-1", {"metadata": {"labels": {"app": "web"}}})
    world.settle()
    assert owner_uid(world, "web-1") == uid(world.got("StatefulSet", "web"))


def test_a_terminating_set_releases_nothing() -> None:
    world = rolled_out(1)
    world.patch("StatefulSet", "web", {"metadata": {"finalizers": ["example.com/hold"]}})
    world.delete("StatefulSet", "web")
    world.patch("Pod", "web-0", {"metadata": {"labels": {"app": "other"}}})
    world.settle()
    assert controller_of(world.got("Pod", "web-0")) is not None


def test_a_pod_of_another_controller_is_ignored() -> None:
    world = rolled_out(1)
    other = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": "u-1", "controller": True}
    made = orphan("web-1")
    made["metadata"]["ownerReferences"] = [other]
    world.create(made)
    world.edit(replicas=2)
    world.settle()
    assert owner_uid(world, "web-1") == "u-1"
    assert world.said("FailedCreate") == []


def test_two_sets_with_the_same_selector_keep_to_their_own_names() -> None:
    world = rolled_out(1)
    second = stateful_set("db", 1)
    second["spec"]["selector"] = {"matchLabels": {"app": "web"}}
    second["spec"]["template"]["metadata"]["labels"] = {"app": "web"}
    world.create(second)
    world.settle()
    assert world.names("Pod") == ["db-0", "web-0"]
    assert owner_uid(world, "db-0") == uid(world.got("StatefulSet", "db"))


def test_a_set_created_again_adopts_the_orphans_of_its_name_and_finds_their_revision() -> None:
    world = rolled_out(2)
    before = [uid(pod) for pod in world.store.list("Pod")]
    world.fault("freeze", controller="statefulset")
    world.delete("StatefulSet", "web")
    for kind in ("Pod", "ControllerRevision"):
        for called in world.names(kind):
            world.patch(kind, called, {"metadata": {"ownerReferences": None}})
    world.create(stateful_set(replicas=2))
    world.fault("thaw", controller="statefulset")
    world.settle()
    assert [uid(pod) for pod in world.store.list("Pod")] == before
    assert len(world.names("ControllerRevision")) == 1


def test_a_set_created_again_with_other_templates_cannot_repair_its_pods_in_place() -> None:
    world = rolled_out(1)
    world.fault("freeze", controller="statefulset")
    world.delete("StatefulSet", "web")
    for kind in ("Pod", "ControllerRevision"):
        for called in world.names(kind):
            world.patch(kind, called, {"metadata": {"ownerReferences": None}})
    world.create(stateful_set(replicas=1, volumeClaimTemplates=[claim_template("data")]))
    world.edit(replicas=2)
    world.fault("thaw", controller="statefulset")
    world.settle()
    assert world.names("PersistentVolumeClaim") == ["data-web-0", "www-web-0"]
    assert "pod updates may not change fields other than" in world.said("FailedUpdate")[0]
    assert world.names("Pod") == ["web-0"]


def test_a_pod_of_another_spelling_of_an_ordinal_goes_in_the_end() -> None:
    world = rolled_out(1)
    world.create(orphan("web-00"))
    world.settle()
    assert world.names("Pod") == ["web-0"]
