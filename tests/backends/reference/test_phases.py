"""What a volume is, told by its reference and its claim; and who gives way when two volumes have one claim."""

import pytest

from pvkit.backends.objects import Obj, annotations, finalizers, phase, uid
from pvkit.backends.storage import BOUND_BY_CONTROLLER, MIGRATED_TO, PROVISIONED_BY, claim_ref, claim_ref_uid
from tests.backends.reference.builders import World, claim, volume, world

MINE = {"namespace": "default", "name": "c"}
GHOST = {**MINE, "uid": "nobody"}
DELETE = {"persistentVolumeReclaimPolicy": "Delete"}
IN_TREE, EXTERNAL = "kubernetes.io/pv-controller", "external-provisioner.volume.kubernetes.io/finalizer"


def phases(here: World, called: str = "v") -> list[str]:
    """The phases that a volume went through, each once."""
    found: list[str] = []
    for state in here.changes("PersistentVolume", called):
        if not found or found[-1] != phase(state):
            found.append(phase(state))
    return found


def test_a_new_volume_becomes_available_reserved_by_name_or_not() -> None:
    here = world().given(volume("v"), volume("kept", claimRef=MINE))
    assert phases(here) == phases(here, "kept") == ["Pending", "Available"]


def test_a_volume_follows_its_claim_to_the_end() -> None:
    here = world().given(volume("v"), claim("c"))
    here.remove("PersistentVolumeClaim", "c")
    assert phases(here) == ["Pending", "Available", "Bound", "Released"]
    assert claim_ref(here.volume("v")) is not None


def test_a_released_volume_is_nobodys_even_under_the_old_name() -> None:
    here = world().given(volume("v"), claim("c"))
    here.remove("PersistentVolumeClaim", "c")
    here.given(claim("c"))
    assert (here.phase("v"), here.bound()) == ("Released", {})


@pytest.mark.parametrize("cleared", [None, {"uid": None}], ids=["all of it", "its uid"])
def test_an_administrator_makes_a_released_volume_available(cleared: Obj | None) -> None:
    here = world().given(volume("v"), claim("c"))
    here.remove("PersistentVolumeClaim", "c")
    here.edit("PersistentVolume", "v", {"spec": {"claimRef": cleared}})
    assert here.phase("v") == "Available"
    here.given(claim("stranger"))
    assert here.bound() == ({"stranger": "v"} if cleared is None else {})
    here.given(claim("c"))
    assert here.bound() == ({"stranger": "v"} if cleared is None else {"c": "v"})


def test_a_volume_made_with_the_uid_of_nobody_is_released_at_once() -> None:
    here = world().given(volume("v", claimRef=GHOST), claim("c"))
    assert phases(here) == ["Pending", "Released"]
    assert here.bound() == {}


def test_a_volume_with_a_full_reference_leaves_its_phase_to_the_claim_that_does_not_fit() -> None:
    here = world().given(claim("c"))
    here.given(volume("v", "1Mi", claimRef={**MINE, "uid": uid(here.claim("c"))}))
    assert (here.phase("v"), here.phase("c")) == ("Pending", "Pending")


def test_a_volume_with_a_full_reference_wakes_its_claim_at_once() -> None:
    here = world(resync=False).given(claim("c"))
    here.given(volume("v", claimRef={**MINE, "uid": uid(here.claim("c"))}))
    assert here.bound() == {"c": "v"}


def test_differing_volume_modes_are_told_to_both() -> None:
    here = world().given(claim("c"))
    here.given(volume("v", volumeMode="Block", claimRef={**MINE, "uid": uid(here.claim("c"))}))
    start, end = "Cannot bind PersistentVolume", "due to incompatible volumeMode."
    assert here.events("v") == [("Warning", "VolumeMismatch", f'{start} to requested PersistentVolumeClaim "c" {end}')]
    text = f'{start} "v" to requested PersistentVolumeClaim {end}'
    assert ("Warning", "VolumeMismatch", text) in here.events("c")
    assert (here.phase("v"), here.phase("c")) == ("Pending", "Pending")


def test_a_claim_that_the_view_lacks_is_looked_for_before_its_volume_is_released() -> None:
    here = world()
    here.fault("hold", controller="binder", kind="PersistentVolumeClaim")
    (made,) = here.create(claim("c"))
    here.given(volume("v", claimRef={**MINE, "uid": uid(made)}, **DELETE))
    assert phases(here) == ["Pending"]
    here.fault("release", controller="binder", kind="PersistentVolumeClaim")
    here.settle()
    assert here.bound() == {"c": "v"}


def test_a_claim_that_the_view_has_under_an_old_uid_is_looked_for_as_well() -> None:
    here = world().given(claim("c"))
    here.fault("hold", controller="binder", kind="PersistentVolumeClaim")
    here.remove("PersistentVolumeClaim", "c")
    (made,) = here.create(claim("c"))
    here.given(volume("v", claimRef={**MINE, "uid": uid(made)}, **DELETE))
    assert "Released" not in phases(here)
    here.fault("release", controller="binder", kind="PersistentVolumeClaim", how="merged")
    here.settle()
    assert here.bound() == {"c": "v"}


def test_nothing_is_released_while_the_api_server_does_not_answer() -> None:
    here = world().given(volume("v"), claim("c"))
    here.fault("refuse", controller="binder", verb="get", kind="PersistentVolumeClaim", answer="timeout", times=5)
    here.delete("PersistentVolumeClaim", "c")
    here.model.run(15)
    assert here.phase("v") == "Bound"
    here.settle()
    assert here.phase("v") == "Released"


def test_the_successor_of_a_claim_hides_its_end_until_the_volume_is_looked_at_again() -> None:
    here = world(resync=False).given(volume("v"), claim("c"))
    here.fault("freeze", controller="binder")
    here.remove("PersistentVolumeClaim", "c")
    here.create(claim("c"))
    here.fault("thaw", controller="binder")
    here.settle()
    assert (here.phase("v"), here.phase("c")) == ("Bound", "Pending")
    here.edit("PersistentVolume", "v", {"metadata": {"labels": {"looked": "at"}}})
    assert here.phase("v") == "Released"


def test_the_successor_of_a_volume_hides_its_end_from_the_claim() -> None:
    here = world(resync=False).given(volume("v"), claim("c"))
    here.fault("freeze", controller="binder")
    here.steal("PersistentVolume", "v")
    here.create(volume("v"))
    here.fault("thaw", controller="binder")
    here.settle()
    assert (here.phase("v"), here.phase("c")) == ("Available", "Bound")
    here.edit("PersistentVolumeClaim", "c", {"metadata": {"labels": {"looked": "at"}}})
    assert here.bound() == {"c": "v"}


def test_the_end_of_a_bound_claim_is_noticed_at_once_and_that_of_a_reserved_one_at_the_resync() -> None:
    here = world().given(volume("v"), claim("c"))
    here.delete("PersistentVolumeClaim", "c")
    here.wait(0)
    assert here.phase("v") == "Released"
    other = world().given(claim("c"))
    other.given(volume("v", "1Mi", claimRef={**MINE, "uid": uid(other.claim("c"))}))
    other.delete("PersistentVolumeClaim", "c")
    other.wait(1)
    assert other.phase("v") == "Pending"
    other.settle()
    assert other.phase("v") == "Released"


def elsewhere(**spec: object) -> tuple[World, Obj]:
    """A world in which `v` carries the full reference of a claim that is bound to `first`."""
    here = world().given(volume("first"), claim("c"))
    here.given(volume("v", claimRef={**MINE, "uid": uid(here.claim("c"))}, **spec))
    return here, here.volume("v")


def test_a_volume_that_a_person_reserved_is_freed_by_uid_only_when_its_claim_is_bound_elsewhere() -> None:
    here, found = elsewhere()
    assert (claim_ref(found), phase(found)) == (MINE, "Available")
    assert here.bound() == {"c": "first"}


def test_a_volume_that_the_controller_reserved_is_freed_wholly() -> None:
    _, found = elsewhere(annotations={BOUND_BY_CONTROLLER: "yes"})
    assert (claim_ref(found), phase(found)) == (None, "Available")
    assert BOUND_BY_CONTROLLER not in annotations(found)


def test_a_volume_that_was_made_on_demand_is_released_for_its_end() -> None:
    _, found = elsewhere(
        annotations={PROVISIONED_BY: "example.com/else"}, csi={"driver": "d", "volumeHandle": "h"}, **DELETE
    )
    assert (phase(found), bool(claim_ref_uid(found))) == ("Released", True)


def test_a_volume_that_was_made_on_demand_and_is_retained_is_freed_like_any_other() -> None:
    _, found = elsewhere(annotations={PROVISIONED_BY: "example.com/else"})
    assert (claim_ref(found), phase(found)) == (MINE, "Available")


def test_a_roll_back_that_was_refused_half_way_is_finished_later() -> None:
    here = world().given(volume("first"), claim("c"))
    here.fault("refuse", controller="binder", verb="update-status", kind="PersistentVolume", times=2)
    here.given(volume("v", claimRef={**MINE, "uid": uid(here.claim("c"))}))
    assert (here.reserved("v"), here.phase("v")) == (MINE, "Available")


def test_a_phase_that_a_person_wrote_is_put_right() -> None:
    here = world().given(volume("v"), claim("c"))
    here.edit("PersistentVolume", "v", {"status": {"phase": "Bogus"}}, subresource="status")
    assert here.phase("v") == "Bound"


@pytest.mark.parametrize(
    ("by", "policy", "kept"),
    [
        ("kubernetes.io/none", "Delete", {IN_TREE}),
        ("kubernetes.io/none", "Retain", set()),
        ("kubernetes.io/gce-pd", "Delete", {EXTERNAL}),
        ("example.com/else", "Delete", {EXTERNAL, IN_TREE}),
    ],
    ids=["in-tree", "in-tree, retained", "migrated", "external"],
)
def test_finalizers_follow_the_maker_and_the_policy_of_a_volume(by: str, policy: str, kept: set[str]) -> None:
    marks = {PROVISIONED_BY: by}
    made = volume("v", annotations=marks, finalizers=[EXTERNAL, IN_TREE], persistentVolumeReclaimPolicy=policy)
    here = world().given(made)
    assert set(finalizers(here.volume("v"))) & {IN_TREE, EXTERNAL} == kept


def test_a_volume_that_nobody_made_on_demand_keeps_its_finalizers() -> None:
    here = world().given(volume("v", finalizers=[EXTERNAL, IN_TREE]))
    assert {IN_TREE, EXTERNAL} <= set(finalizers(here.volume("v")))


def test_the_finalizer_goes_when_the_policy_becomes_retain() -> None:
    marks = {PROVISIONED_BY: "kubernetes.io/none"}
    here = world().given(volume("v", annotations=marks, **DELETE))
    assert IN_TREE in finalizers(here.volume("v"))
    here.edit("PersistentVolume", "v", {"spec": {"persistentVolumeReclaimPolicy": "Retain"}})
    assert IN_TREE not in finalizers(here.volume("v"))


def test_a_volume_that_is_going_away_cannot_get_the_finalizer_and_stays_as_it_is() -> None:
    here = world().given(
        volume("v", finalizers=["example.com/hold"], annotations={PROVISIONED_BY: "kubernetes.io/none"})
    )
    here.remove("PersistentVolume", "v")
    here.patch("PersistentVolume", "v", {"spec": {"persistentVolumeReclaimPolicy": "Delete"}})
    here.wait(1)
    assert IN_TREE not in finalizers(here.volume("v"))
    assert here.model.engine.errors["binder/PersistentVolume: Invalid"] > 3


def test_a_volume_of_a_plugin_that_left_is_marked_with_the_driver_and_another_loses_the_mark() -> None:
    gone, stays = {PROVISIONED_BY: "kubernetes.io/gce-pd"}, {PROVISIONED_BY: "example.com/x", MIGRATED_TO: "old"}
    here = world().given(volume("v", annotations=gone), volume("w", annotations=stays))
    assert annotations(here.volume("v"))[MIGRATED_TO] == "pd.csi.storage.gke.io"
    assert MIGRATED_TO not in annotations(here.volume("w"))


def test_portworx_is_migrated_up_to_1_35() -> None:
    marks = {PROVISIONED_BY: "kubernetes.io/portworx-volume"}
    found = {version: world(version=version).given(volume("v", annotations=marks)) for version in ("1.35", "1.36")}
    assert {version: MIGRATED_TO in annotations(here.volume("v")) for version, here in found.items()} == {
        "1.35": True,
        "1.36": False,
    }


def test_only_a_failed_volume_has_a_message() -> None:
    here = world().given(volume("v", claimRef=GHOST, local={"path": "/x"}, **DELETE, nodeAffinity=NOWHERE))
    assert (here.phase("v"), bool(here.volume("v")["status"].get("message"))) == ("Failed", True)
    here.edit("PersistentVolume", "v", {"spec": {"persistentVolumeReclaimPolicy": "Retain"}})
    assert here.phase("v") == "Failed"
    here.edit("PersistentVolume", "v", {"spec": {"claimRef": None}})
    assert here.phase("v") == "Available"
    assert "message" not in here.volume("v")["status"]


NOWHERE = {
    "required": {
        "nodeSelectorTerms": [
            {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["nowhere"]}]}
        ]
    }
}


def test_a_reference_with_a_uid_and_no_name_changes_nothing() -> None:
    here = world().given(volume("v"))
    here.edit("PersistentVolume", "v", {"spec": {"claimRef": {"uid": "nobody"}}})
    assert here.phase("v") == "Available"
