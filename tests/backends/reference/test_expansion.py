"""A bound claim that asks for more: who is told, and who makes it so."""

import pytest

from pvkit.backends.objects import Obj, annotations
from pvkit.backends.storage import STORAGE_RESIZER, volume_name
from tests.backends.reference.builders import World, claim, storage_class, volume, world

CLAIM = "PersistentVolumeClaim"
MORE: Obj = {"spec": {"resources": {"requests": {"storage": "5Gi"}}}}
WAITING = ("Normal", "ExternalExpanding", "waiting for an external controller to expand this PVC")


def growing(**spec: object) -> World:
    """A world with a bound pair of a class that can be expanded, of a volume made by hand."""
    here = world().given(storage_class("wide", "example.com/else", allowVolumeExpansion=True))
    return here.given(volume("v", cls="wide", **spec), claim("c", cls="wide"))


def made() -> World:
    """A world with a claim whose volume the provisioner made, of a class that can be expanded."""
    return world().given(storage_class("made", allowVolumeExpansion=True), claim("c", cls="made"))


def sizes(here: World) -> tuple[str, str, str]:
    """Storage, volume and claim as they are told."""
    (asset,) = here.assets().values()
    found = here.volume(volume_name(here.claim("c")))
    return asset["size"], found["spec"]["capacity"]["storage"], here.claim("c")["status"]["capacity"]["storage"]


def test_a_volume_that_the_provisioner_made_grows_from_storage_to_claim() -> None:
    here = made()
    since = here.mark()
    here.edit(CLAIM, "c", MORE)
    assert sizes(here) == ("5Gi", "5Gi", "5Gi")
    assert [kind for _, kind, _ in here.writes("expander", since)] == ["Asset", "PersistentVolume", CLAIM]


def test_a_volume_made_by_hand_is_left_to_somebody_else() -> None:
    here = growing()
    here.edit(CLAIM, "c", MORE)
    assert here.events("c") == [WAITING]
    assert here.claim("c")["status"]["capacity"] == {"storage": "1Gi"}
    assert here.phase("c") == "Bound"


def test_a_claim_that_has_what_it_asks_for_is_left_alone() -> None:
    here = growing(capacity={"storage": "9Gi"})
    here.edit(CLAIM, "c", MORE)
    assert here.events("c") == []


def test_a_claim_bound_to_less_than_it_asked_for_waits_for_expansion() -> None:
    own = {"namespace": "default", "name": "c"}
    here = world().given(volume("v", claimRef=own), claim("c", "2Gi", volumeName="v"))
    assert here.events("c") == [WAITING]


def test_the_claim_of_a_volume_whose_plugin_left_is_told_of_the_driver() -> None:
    here = growing(fc=None, gcePersistentDisk={"pdName": "d"}, nfs=None)
    here.edit(CLAIM, "c", MORE)
    ((_, reason, text),) = here.events("c")
    assert reason == "ExternalExpanding"
    assert text == "CSI migration enabled for kubernetes.io/gce-pd; waiting for external resizer to expand the pvc"
    assert annotations(here.claim("c"))[STORAGE_RESIZER] == "pd.csi.storage.gke.io"


def test_other_claims_get_no_resizer() -> None:
    here = growing()
    here.edit(CLAIM, "c", MORE)
    assert STORAGE_RESIZER not in annotations(here.claim("c"))


@pytest.mark.parametrize("kind", ["Asset", "PersistentVolume", CLAIM])
@pytest.mark.parametrize("fault", ["refuse", "lose-answer", "delay"])
def test_an_expansion_goes_on_after_any_trouble(kind: str, fault: str) -> None:
    here = made()
    here.fault(fault, controller="expander", kind=kind)
    here.edit(CLAIM, "c", MORE)
    assert sizes(here) == ("5Gi", "5Gi", "5Gi")


@pytest.mark.parametrize("after", [1, 2, 3])
def test_an_expansion_goes_on_after_a_crash(after: int) -> None:
    here = made()
    here.fault("crash", controller="expander", after=after)
    here.edit(CLAIM, "c", MORE)
    assert sizes(here) == ("5Gi", "5Gi", "5Gi")


def test_storage_that_refuses_to_grow_is_asked_again() -> None:
    here = made()
    here.fault("storage", refuse=2)
    here.edit(CLAIM, "c", MORE)
    assert sizes(here) == ("5Gi", "5Gi", "5Gi")


def test_storage_never_shrinks() -> None:
    here = made()
    here.fault("refuse", controller="expander", kind="PersistentVolume", times=1000)
    here.patch(CLAIM, "c", MORE)
    here.wait(1)
    assert sizes(here) == ("5Gi", "1Gi", "1Gi")
    here.patch(CLAIM, "c", {"spec": {"resources": {"requests": {"storage": "3Gi"}}}})
    here.fault("heal")
    here.settle()
    assert sizes(here) == ("5Gi", "5Gi", "5Gi")


def test_a_claim_whose_volume_is_another_claims_is_tried_again_and_nothing_grows() -> None:
    here = made()
    called = volume_name(here.claim("c"))
    here.fault("freeze", controller="binder")
    here.patch("PersistentVolume", called, {"spec": {"claimRef": {"uid": "another"}}})
    here.patch(CLAIM, "c", MORE)
    here.wait(10)
    assert sizes(here) == ("1Gi", "1Gi", "1Gi")
    assert here.model.engine.fired["EXPAND-02.1"] > 3
