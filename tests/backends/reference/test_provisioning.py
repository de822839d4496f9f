"""Volumes made on demand and taken back: storage first, one volume for a claim, and nothing left behind."""

import pytest

from pvkit.backends.objects import Obj, annotations, deleting, finalizers, uid
from pvkit.backends.storage import (
    PROVISIONED_BY,
    PROVISIONER_FINALIZER,
    SELECTED_NODE,
    STORAGE_PROVISIONER,
    claim_ref_uid,
    volume_name,
)
from tests.backends.reference.builders import PROVISIONER, World, claim, node, pod, storage_class, volume, world

RWX = "ReadWriteMany"
CLAIM, VOLUME = "PersistentVolumeClaim", "PersistentVolume"


def made(here: World, called: str = "c") -> Obj:
    """The volume that a claim is bound to."""
    return here.volume(volume_name(here.claim(called)))


def provisioned(**fields: object) -> World:
    """A world with a claim for which a volume was made."""
    return world().given(storage_class("made", **fields), claim("c", cls="made"))


def test_a_claim_gets_a_volume_made_to_measure() -> None:
    here = world().given(storage_class("made", reclaimPolicy="Retain", mountOptions=["ro"]))
    here.given(claim("c", "3Gi", (RWX,), "made", volumeMode="Block"))
    found, key = made(here), f"pvc-{uid(here.claim('c'))}"
    assert found["metadata"]["name"] == key
    assert annotations(found)[PROVISIONED_BY] == PROVISIONER
    assert found["spec"]["csi"]["volumeHandle"] == key
    for field, value in {
        "capacity": {"storage": "3Gi"},
        "accessModes": [RWX],
        "volumeMode": "Block",
        "storageClassName": "made",
        "persistentVolumeReclaimPolicy": "Retain",
        "mountOptions": ["ro"],
    }.items():
        assert found["spec"][field] == value
    assert "nodeAffinity" not in found["spec"]
    assert claim_ref_uid(found) == uid(here.claim("c"))
    (asset,) = here.assets().values()
    assert (asset["size"], asset["claim"], asset["by"], asset["data"]) == ("3Gi", uid(here.claim("c")), PROVISIONER, [])


def test_the_storage_is_there_before_the_volume() -> None:
    here = provisioned()
    kinds = [event.object["kind"] for event in here.store.log if event.by == "provisioner" and event.type == "ADDED"]
    assert kinds == ["Asset", "PersistentVolume"]


def test_the_attributes_of_the_claim_are_those_of_the_volume() -> None:
    here = world().given(storage_class("made"), claim("c", cls="made", volumeAttributesClassName="gold"))
    assert made(here)["spec"]["volumeAttributesClassName"] == "gold"


@pytest.mark.parametrize(
    "wanted",
    [claim("c", cls="other"), claim("c", cls=""), claim("c", cls="made", volumeName="absent"), claim("c", cls="late")],
    ids=["another provisioner", "no class", "names a volume", "waits for a pod"],
)
def test_for_a_claim_that_does_not_ask_for_it_nothing_is_made(wanted: Obj) -> None:
    classes = storage_class("made"), storage_class("other", "example.com/other"), storage_class("late", late=True)
    here = world().given(*classes, wanted)
    assert (here.all("Asset"), here.all(VOLUME)) == ([], [])


def test_a_claim_with_a_selector_is_refused() -> None:
    here = world().given(storage_class("made"), claim("c", cls="made", selector={"matchLabels": {"a": "b"}}))
    assert here.all("Asset") == []
    assert ("Warning", "ProvisioningFailed", "claim.Spec.Selector is not supported") in here.events("c")


def test_a_claim_that_waits_for_a_pod_gets_a_volume_where_that_runs() -> None:
    here = world().given(node("n2"), storage_class("late", late=True), claim("c", cls="late"))
    assert here.all("Asset") == []
    here.given(pod("p", "c", nodeSelector={"kubernetes.io/hostname": "n2"}))
    (term,) = made(here)["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"]
    assert term["matchExpressions"] == [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["n2"]}]
    assert here.placed("p") == "n2"


def test_a_failure_for_a_node_asks_the_scheduler_again() -> None:
    here = world().given(storage_class("late", late=True, parameters={"fail": "1"}), claim("c", cls="late"))
    here.given(pod("p", "c"))
    nodes = [annotations(state).get(SELECTED_NODE) for state in here.changes(CLAIM, "c")]
    assert nodes.index("n1") < len(nodes) - 1 - nodes[::-1].index(None) < len(nodes) - 1
    assert here.bound()["c"] == f"pvc-{uid(here.claim('c'))}"


def test_a_node_that_is_gone_is_given_up() -> None:
    here = world()
    here.given(storage_class("late", late=True), claim("c", cls="late", annotations={SELECTED_NODE: "gone"}))
    assert SELECTED_NODE not in annotations(here.claim("c"))
    assert here.bound() == {}


def test_slow_storage_takes_its_time_and_failing_storage_is_tried_again() -> None:
    here = world().given(storage_class("made", parameters={"slow": "30", "fail": "2"}))
    here.create(claim("c", cls="made"))
    here.wait(25)
    assert here.all("Asset") == []
    here.wait(15)
    assert here.phase("c") == "Bound"
    assert here.model.engine.errors == {}
    assert here.model.engine.fired["CLASS-05.2"] >= 3


def test_a_backend_that_refuses_or_dawdles_delays_and_loses_nothing() -> None:
    here = world().given(storage_class("made"))
    here.fault("storage", refuse=3, slow=20)
    here.create(claim("c", cls="made"))
    here.wait(10)
    assert here.phase("c") == "Pending"
    here.settle()
    assert (here.phase("c"), len(here.assets())) == ("Bound", 1)


@pytest.mark.parametrize("after", range(1, 4))
def test_a_crash_between_storage_and_volume_makes_no_second_one(after: int) -> None:
    here = world().given(storage_class("made"))
    here.fault("crash", controller="provisioner", after=after)
    here.given(claim("c", cls="made"))
    assert (here.phase("c"), len(here.assets()), len(here.all(VOLUME))) == ("Bound", 1, 1)


@pytest.mark.parametrize("kind", ["Asset", VOLUME])
def test_a_lost_answer_makes_no_second_one(kind: str) -> None:
    here = world().given(storage_class("made"))
    here.fault("lose-answer", controller="provisioner", verb="create", kind=kind)
    here.given(claim("c", cls="made"))
    assert (here.phase("c"), len(here.assets()), len(here.all(VOLUME))) == ("Bound", 1, 1)


def test_two_provisioners_make_one_volume() -> None:
    here = world().given(storage_class("made"))
    here.fault("second-leader", controller="provisioner")
    for controller in ("provisioner", "provisioner#2"):
        here.fault("delay", controller=controller, verb="create", kind=VOLUME, turns=5)
    here.given(claim("c", cls="made"))
    assert (here.phase("c"), len(here.assets()), len(here.all(VOLUME))) == ("Bound", 1, 1)


def test_a_volume_of_the_name_that_is_somebody_elses_is_not_taken_for_the_own() -> None:
    here = world().given(claim("c", cls="made"))
    called = f"pvc-{uid(here.claim('c'))}"
    here.given(volume(called)).given(storage_class("made"))
    here.wait(100)
    assert (here.bound(), here.all("Asset")) == ({}, [])
    here.remove(VOLUME, called)
    assert here.bound() == {"c": called}


def test_storage_whose_claim_went_away_meanwhile_is_deleted() -> None:
    here = world().given(storage_class("made"))
    here.fault("refuse", controller="provisioner", verb="create", kind=VOLUME, times=50)
    here.create(claim("c", cls="made"))
    here.wait(1)
    assert len(here.all("Asset")) == 1
    here.remove(CLAIM, "c")
    assert (here.all("Asset"), here.all(VOLUME)) == ([], [])


def test_storage_that_was_left_over_is_found_after_a_restart() -> None:
    here = world().given(storage_class("made"))
    here.fault("refuse", controller="provisioner", verb="create", kind=VOLUME, times=50)
    here.create(claim("c", cls="made"))
    here.wait(1)
    here.fault("freeze", controller="provisioner")
    here.remove(CLAIM, "c")
    assert len(here.all("Asset")) == 1
    here.fault("crash", controller="provisioner")
    here.fault("heal")
    here.settle()
    assert here.all("Asset") == []


def test_a_volume_whose_claim_is_gone_goes_with_its_storage() -> None:
    here = provisioned()
    assert PROVISIONER_FINALIZER in finalizers(made(here))
    here.remove(CLAIM, "c")
    assert (here.all("Asset"), here.all(VOLUME)) == ([], [])


def test_a_retained_volume_stays_with_its_storage_and_without_our_finalizer() -> None:
    here = provisioned(reclaimPolicy="Retain")
    assert PROVISIONER_FINALIZER not in finalizers(made(here))
    here.remove(CLAIM, "c")
    assert (len(here.all("Asset")), [here.phase(called) for called in here.all(VOLUME)]) == (1, ["Released"])


def test_the_finalizer_follows_the_policy() -> None:
    here = provisioned(reclaimPolicy="Retain")
    called = here.bound()["c"]
    here.edit(VOLUME, called, {"spec": {"persistentVolumeReclaimPolicy": "Delete"}})
    assert PROVISIONER_FINALIZER in finalizers(here.volume(called))


def test_a_volume_that_is_deleted_before_its_claim_still_takes_its_storage_along() -> None:
    here = provisioned()
    here.remove(VOLUME, here.bound()["c"])
    assert (deleting(made(here)), here.phase("c"), len(here.all("Asset"))) == (True, "Bound", 1)
    here.remove(CLAIM, "c")
    assert (here.all("Asset"), here.all(VOLUME)) == ([], [])


def test_storage_is_not_deleted_on_the_word_of_an_old_view() -> None:
    here = provisioned()
    called = here.bound()["c"]
    here.fault("freeze", controller="provisioner")
    here.remove(CLAIM, "c")
    assert here.phase(called) == "Released"
    here.fault("hold", controller="provisioner", kind=VOLUME)
    here.patch(VOLUME, called, {"spec": {"claimRef": None}})
    here.settle()
    assert here.phase(called) == "Available"
    here.fault("thaw", controller="provisioner")
    here.settle()
    assert len(here.all("Asset")) == 1
    here.fault("heal")
    here.settle()
    assert (len(here.all("Asset")), here.phase(called)) == (1, "Available")


def test_a_refused_deletion_of_storage_is_tried_again() -> None:
    here = provisioned()
    here.fault("storage", refuse=3)
    here.remove(CLAIM, "c")
    assert (here.all("Asset"), here.all(VOLUME)) == ([], [])


def test_a_volume_that_was_removed_by_force_leaves_no_storage_behind_in_the_end() -> None:
    here = provisioned()
    called = here.bound()["c"]
    here.fault("freeze", controller="provisioner")
    here.steal(VOLUME, called)
    here.fault("thaw", controller="provisioner")
    here.remove(CLAIM, "c")
    assert here.all("Asset") == []


def test_a_volume_that_another_provisioner_made_is_left_alone() -> None:
    other = {PROVISIONED_BY: "example.com/other"}
    spec = {"persistentVolumeReclaimPolicy": "Delete", "csi": {"driver": "other.example", "volumeHandle": "h"}}
    here = world().given(volume("v", annotations=other, **spec), claim("c"))
    here.remove(CLAIM, "c")
    assert (here.phase("v"), PROVISIONER_FINALIZER in finalizers(here.volume("v"))) == ("Released", False)


def test_a_class_that_appears_late_brings_its_claims_to_the_provisioner() -> None:
    marks = {STORAGE_PROVISIONER: PROVISIONER}
    here = world(resync=False).given(
        claim("c", cls="made", annotations=marks), claim("d", cls="other", annotations=marks)
    )
    here.given(storage_class("made"))
    assert here.bound() == {"c": f"pvc-{uid(here.claim('c'))}"}
