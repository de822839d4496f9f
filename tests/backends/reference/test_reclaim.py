"""What becomes of a released volume: kept, deleted, recycled or Failed; and what is asked before anything is lost."""

import pytest

from pvkit.backends.objects import Obj, finalizers, phase
from pvkit.backends.storage import MIGRATED_TO, PROVISIONED_BY, claim_ref
from tests.backends.reference.builders import World, claim, pod, volume, world

DELETE, RECYCLE = ({"persistentVolumeReclaimPolicy": policy} for policy in ("Delete", "Recycle"))
TMP = {"hostPath": {"path": "/tmp/v"}}
CSI = {"csi": {"driver": "csi.example", "volumeHandle": "h"}}
NODE = {"key": "kubernetes.io/hostname", "operator": "In", "values": ["n1"]}
LOCAL = {
    "local": {"path": "/disk"},
    "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [NODE]}]}},
}
IN_TREE = "kubernetes.io/pv-controller"


def released(version: str = "1.36", **spec: object) -> World:
    """A world in which the claim of volume `v` has gone, and everything has settled."""
    here = world(version=version).given(volume("v", **spec), claim("c"))
    here.remove("PersistentVolumeClaim", "c")
    return here


def used(here: World) -> World:
    """The same world after a pod has put data into the volume, and has gone."""
    here.given(pod("writer", "c"))
    assert [len(spec["data"]) for spec in here.assets().values()] == [1]
    here.remove("Pod", "writer")
    return here


def said(here: World, called: str = "v") -> list[tuple[str, str]]:
    """Reasons and messages about an object."""
    return [(reason, text) for _, reason, text in here.events(called)]


def test_a_retained_volume_keeps_its_reference_and_its_data() -> None:
    here = used(world().given(volume("v"), claim("c")))
    here.remove("PersistentVolumeClaim", "c")
    assert here.phase("v") == "Released"
    assert claim_ref(here.volume("v")) is not None
    assert [bool(spec["data"]) for spec in here.assets().values()] == [True]


def test_a_volume_under_tmp_is_deleted_with_its_storage() -> None:
    here = used(world().given(volume("v", **TMP, **DELETE), claim("c")))
    here.remove("PersistentVolumeClaim", "c")
    assert here.get("PersistentVolume", "v") is None
    assert here.assets() == {}


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (LOCAL, 'error getting deleter volume plugin for volume "v": no volume plugin matched'),
        ({}, 'error getting deleter volume plugin for volume "v": no deletable volume plugin matched'),
        ({"hostPath": {"path": "/data"}}, "host_path deleter only supports /tmp/.+ but received provided /data"),
        (
            {"annotations": {PROVISIONED_BY: "kubernetes.io/nosuch"}},
            "no volume plugin matched name: kubernetes.io/nosuch",
        ),
        ({"annotations": {PROVISIONED_BY: "kubernetes.io/nfs"}}, "no deletable volume plugin matched"),
        (
            {"annotations": {PROVISIONED_BY: "kubernetes.io/host-path"}},
            'failed to create deleter for volume "v": spec.PersistentVolumeSource.HostPath is nil',
        ),
    ],
)
@pytest.mark.parametrize("version", ["1.34", "1.36"])
def test_a_volume_that_nobody_can_delete_fails_and_says_why(version: str, spec: Obj, text: str) -> None:
    here = released(version, **spec, **DELETE)
    assert (here.phase("v"), here.volume("v")["status"]["message"]) == ("Failed", text)
    assert here.events("v") == [("Warning", "VolumeFailedDelete", text)]


@pytest.mark.parametrize(
    "spec",
    [
        CSI,
        {"annotations": {PROVISIONED_BY: "example.com/somebody"}},
        {"annotations": {PROVISIONED_BY: "kubernetes.io/gce-pd"}},
        {"annotations": {MIGRATED_TO: "csi.example"}},
    ],
    ids=["csi", "external", "plugin that left", "migrated"],
)
def test_a_volume_that_somebody_else_deletes_rests_released(spec: Obj) -> None:
    here = released(**spec, **DELETE)
    assert (here.phase("v"), here.events("v")) == ("Released", [])


def test_a_failed_volume_is_written_no_more() -> None:
    here = released(**DELETE)
    since = here.mark()
    here.edit("PersistentVolume", "v", {"metadata": {"labels": {"looked": "at"}}})
    here.wait(60)
    assert here.writes(since=since) == []
    assert len(here.events("v")) == 1


def test_a_policy_that_becomes_delete_acts_at_once() -> None:
    here = released(**TMP)
    assert here.phase("v") == "Released"
    here.patch("PersistentVolume", "v", {"spec": DELETE})
    here.wait(0)
    assert here.get("PersistentVolume", "v") is None


def test_a_policy_that_becomes_retain_saves_the_volume_while_its_claim_lives() -> None:
    here = world().given(volume("v", **TMP, **DELETE), claim("c"))
    here.edit("PersistentVolume", "v", {"spec": {"persistentVolumeReclaimPolicy": "Retain"}})
    here.remove("PersistentVolumeClaim", "c")
    assert here.phase("v") == "Released"


def test_a_failed_volume_stays_failed_when_its_policy_becomes_retain() -> None:
    here = released(**DELETE)
    here.edit("PersistentVolume", "v", {"spec": {"persistentVolumeReclaimPolicy": "Retain"}})
    assert here.phase("v") == "Failed"


@pytest.mark.parametrize("version", ["1.35", "1.36"])
def test_a_refused_deletion_fails_the_volume_and_is_tried_again_after_the_back_off(version: str) -> None:
    here = used(world(version=version).given(volume("v", **TMP, **DELETE), claim("c")))
    here.fault("storage", refuse=2)
    here.delete("PersistentVolumeClaim", "c")
    here.wait(2)
    assert here.phase("v") == "Failed"
    assert said(here) == [("VolumeFailedDelete", "the storage backend refused")]
    here.fault("heal")
    here.settle()
    assert here.get("PersistentVolume", "v") is None
    assert here.assets() == {}


def test_no_look_at_a_volume_tries_again_within_the_back_off() -> None:
    here = used(world().given(volume("v", **TMP, **DELETE), claim("c")))
    here.fault("storage", refuse=1)
    here.delete("PersistentVolumeClaim", "c")
    here.wait(0)
    touch = {"metadata": {"labels": {"looked": "at"}}}
    here.ask("patch", target=here.key("PersistentVolume", "v"), patch=touch, **{"at-once": True})
    here.wait(0.4)
    assert here.phase("v") == "Failed"
    here.edit("PersistentVolume", "v", {"metadata": {"labels": {"looked": "again"}}})
    assert here.get("PersistentVolume", "v") is None


def test_without_a_resync_a_refused_deletion_rests_until_something_happens() -> None:
    here = world(resync=False).given(volume("v", **TMP, **DELETE), claim("c"))
    here.fault("storage", refuse=1)
    here.remove("PersistentVolumeClaim", "c")
    here.wait(100)
    assert here.phase("v") == "Failed"
    here.edit("PersistentVolume", "v", {"metadata": {"labels": {"looked": "at"}}})
    assert here.get("PersistentVolume", "v") is None


def test_the_back_off_doubles_with_each_failure() -> None:
    here = world(resync_seconds=0.25).given(volume("v", **TMP, **DELETE), claim("c"))
    here.fault("storage", refuse=4)
    here.delete("PersistentVolumeClaim", "c")
    here.wait(7)
    assert here.get("PersistentVolume", "v") is not None
    here.wait(2)
    assert here.get("PersistentVolume", "v") is None


def test_a_volume_whose_reference_was_cleared_before_the_last_look_is_not_deleted() -> None:
    here = used(world().given(volume("v", **TMP, **DELETE), claim("c")))
    here.fault("hold", controller="binder", kind="PersistentVolume")
    here.delete("PersistentVolumeClaim", "c")
    here.fault("refuse", controller="binder", verb="get", kind="PersistentVolume", answer="timeout", times=1)
    here.wait(1)
    assert here.phase("v") == "Released"
    here.patch("PersistentVolume", "v", {"spec": {"claimRef": None}})
    here.wait(20)
    assert here.assets() != {}
    here.fault("heal")
    here.settle()
    assert (here.phase("v"), len(here.assets())) == ("Available", 1)


def test_a_crash_between_storage_and_object_leaves_nothing_behind() -> None:
    for after in range(1, 5):
        here = used(world().given(volume("v", **TMP, **DELETE), claim("c")))
        here.fault("crash", controller="binder", after=after)
        here.remove("PersistentVolumeClaim", "c")
        assert here.get("PersistentVolume", "v") is None
        assert here.assets() == {}


def test_the_finalizer_of_a_volume_made_in_tree_goes_after_its_storage() -> None:
    marks = {PROVISIONED_BY: "kubernetes.io/host-path"}
    here = used(world().given(volume("v", **TMP, **DELETE), claim("c")))
    here.edit("PersistentVolume", "v", {"metadata": {"annotations": marks}})
    assert IN_TREE in finalizers(here.volume("v"))
    since = here.mark()
    here.remove("PersistentVolumeClaim", "c")
    gone = [event.object["kind"] for event in here.store.log[since:] if event.type == "DELETED"]
    assert gone == ["PersistentVolumeClaim", "Asset", "PersistentVolume"]
    dropped = [state for state in here.changes("PersistentVolume", "v") if IN_TREE in finalizers(state)]
    assert phase(dropped[-1]) == "Released"


def test_a_finalizer_that_cannot_be_taken_off_fails_the_volume_for_a_while() -> None:
    marks = {PROVISIONED_BY: "kubernetes.io/host-path"}
    here = world().given(volume("v", annotations=marks, **TMP, **DELETE), claim("c"))
    here.fault("refuse", controller="binder", verb="update", kind="PersistentVolume")
    here.delete("PersistentVolumeClaim", "c")
    here.wait(0)
    assert here.phase("v") == "Failed"
    assert said(here)[0][1].startswith("persistent volume controller can't update finalizer: ")
    here.settle()
    assert here.get("PersistentVolume", "v") is None


def test_a_refused_removal_of_the_object_starts_over_at_the_next_look() -> None:
    here = world().given(volume("v", **TMP, **DELETE), claim("c"))
    here.fault("refuse", controller="binder", verb="delete", kind="PersistentVolume", answer="server-error", times=2)
    here.remove("PersistentVolumeClaim", "c")
    assert here.get("PersistentVolume", "v") is None


def test_a_volume_that_was_deleted_while_bound_goes_with_its_claim() -> None:
    here = world().given(volume("v", **DELETE), claim("c"))
    here.remove("PersistentVolume", "v")
    assert here.phase("v") == "Bound"
    here.remove("PersistentVolumeClaim", "c")
    assert here.get("PersistentVolume", "v") is None


def test_a_recycled_volume_is_empty_and_free() -> None:
    here = used(world().given(volume("v", **RECYCLE), claim("c")))
    here.remove("PersistentVolumeClaim", "c")
    assert (here.phase("v"), claim_ref(here.volume("v"))) == ("Available", None)
    assert [spec["data"] for spec in here.assets().values()] == [[]]
    assert here.events("v") == [("Normal", "VolumeRecycled", "Volume recycled")]
    here.given(claim("next"))
    assert here.bound() == {"next": "v"}


def test_a_recycled_volume_that_a_person_reserved_is_reserved_for_the_same_name_again() -> None:
    own = {"namespace": "default", "name": "c"}
    here = released(claimRef=own, **RECYCLE)
    kept = claim_ref(here.volume("v")) or {}
    assert (here.phase("v"), kept["name"], "uid" in kept) == ("Available", "c", False)


def test_a_volume_that_cannot_be_scrubbed_fails() -> None:
    here = released(**LOCAL, **RECYCLE)
    text = "No recycler plugin found for the volume!"
    assert (here.phase("v"), here.events("v")) == ("Failed", [("Warning", "VolumeFailedRecycle", text)])


def test_a_migrated_volume_is_not_recycled() -> None:
    here = released(annotations={MIGRATED_TO: "csi.example"}, **RECYCLE)
    assert (here.phase("v"), here.events("v")) == ("Released", [])


@pytest.mark.parametrize("scheduled", [True, False])
def test_a_volume_is_not_recycled_while_an_unfinished_pod_names_its_claim(scheduled: bool) -> None:
    here = world().given(volume("v", **RECYCLE), claim("c"))
    here.fault("freeze", controller="scheduler")
    here.given(pod("p", "c", **({"nodeName": "n1"} if scheduled else {})))
    here.steal("PersistentVolumeClaim", "c")
    assert here.phase("v") == "Released"
    assert here.events("v") == [("Normal", "VolumeFailedRecycle", "Volume is used by pods: default/p")]
    here.remove("Pod", "p")
    assert here.phase("v") == "Available"


def test_a_pod_does_not_hold_a_volume_if_another_claim_has_the_name_by_now() -> None:
    here = world().given(volume("v", **RECYCLE), claim("c"))
    here.fault("freeze", controller="scheduler")
    here.given(pod("p", "c"))
    here.fault("freeze", controller="binder")
    here.steal("PersistentVolumeClaim", "c")
    here.create(claim("c", "5Gi"))
    here.fault("thaw", controller="binder")
    here.settle()
    assert here.phase("v") == "Available"


def test_a_refused_recycling_fails_the_volume_and_is_tried_again_at_every_look() -> None:
    here = used(world().given(volume("v", **RECYCLE), claim("c")))
    here.fault("storage", refuse=2)
    here.delete("PersistentVolumeClaim", "c")
    here.wait(1)
    assert here.phase("v") == "Failed"
    assert said(here) == [("VolumeFailedRecycle", "Recycle failed: the storage backend refused")]
    here.settle()
    assert here.phase("v") == "Available"
    assert "message" not in here.volume("v")["status"]


def test_a_recycled_volume_that_changed_meanwhile_is_looked_at_again() -> None:
    here = world().given(volume("v", **RECYCLE), claim("c"))
    here.fault("refuse", controller="binder", verb="update", kind="PersistentVolume", times=2)
    here.remove("PersistentVolumeClaim", "c")
    assert here.phase("v") == "Available"


def test_storage_that_two_volumes_share_goes_with_the_first() -> None:
    here = used(world().given(volume("v", **TMP, **DELETE), claim("c")))
    here.given(volume("w", "5Gi", **TMP))
    here.remove("PersistentVolumeClaim", "c")
    assert here.assets() == {}
    assert here.phase("w") == "Available"
