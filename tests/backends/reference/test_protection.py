"""What is in use is not removed: claims by pods, volumes by their phase, classes of attributes by what names them."""

import pytest

from pvkit.backends.objects import Obj, condition, deleting, finalizers, uid
from pvkit.backends.storage import ATTRIBUTES_PROTECTION, CLAIM_PROTECTION, VOLUME_PROTECTION
from tests.backends.reference.builders import World, claim, pod, volume, world

CLAIM, GATE = "PersistentVolumeClaim", "PersistentVolumeClaimUnusedSinceTime"
GOLD = {"volumeAttributesClassName": "gold"}
CSI = {"csi": {"driver": "csi.example", "volumeHandle": "h"}}
ATTRIBUTES = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "VolumeAttributesClass",
    "metadata": {"name": "gold"},
    "driverName": "csi.example",
    "parameters": {"iops": "1"},
}


def pair(version: str = "1.36", **options: object) -> World:
    """A world with a bound pair."""
    return world(version=version, **options).given(volume("v"), claim("c"))


def unused(here: World, called: str = "c") -> tuple[str, str] | None:
    """Status and reason of condition `Unused`."""
    found = condition(here.claim(called), "Unused")
    return (found["status"], found["reason"]) if found else None


def test_a_claim_that_nobody_uses_goes_at_once() -> None:
    here = pair()
    here.delete(CLAIM, "c")
    here.wait(0)
    assert here.get(CLAIM, "c") is None


@pytest.mark.parametrize("behaves", ["", "finish", "unready"])
def test_a_claim_stays_while_a_pod_on_a_node_uses_it_whatever_its_phase(behaves: str) -> None:
    here = pair().given(pod("p", "c", behaves=behaves, restartPolicy="Never"))
    here.remove(CLAIM, "c")
    assert deleting(here.claim("c"))
    assert here.phase("c") == "Bound"
    here.remove("Pod", "p")
    assert here.get(CLAIM, "c") is None


def test_a_pod_without_a_node_does_not_keep_a_claim() -> None:
    here = pair()
    here.fault("freeze", controller="scheduler")
    here.given(pod("p", "c"))
    here.remove(CLAIM, "c")
    assert here.get(CLAIM, "c") is None


def test_a_pod_that_the_view_lacks_keeps_a_claim_all_the_same() -> None:
    here = pair()
    here.fault("hold", controller="pvc-protection", kind="Pod")
    here.given(pod("p", "c"))
    here.remove(CLAIM, "c")
    assert deleting(here.claim("c"))
    here.fault("heal")
    here.settle()
    assert deleting(here.claim("c"))


def test_without_an_answer_about_pods_a_claim_stays() -> None:
    here = pair()
    here.fault("refuse", controller="pvc-protection", verb="list", kind="Pod", answer="timeout", times=3)
    here.delete(CLAIM, "c")
    here.model.run(10)
    assert deleting(here.claim("c"))
    here.settle()
    assert here.get(CLAIM, "c") is None


def test_a_pod_that_took_the_name_of_another_frees_the_claim_of_that() -> None:
    here = pair().given(claim("other"), pod("p", "c"))
    here.delete(CLAIM, "c")
    here.fault("hold", controller="pvc-protection", kind="Pod")
    here.remove("Pod", "p")
    here.given(pod("p", "other"))
    assert deleting(here.claim("c"))
    here.fault("release", controller="pvc-protection", kind="Pod", how="merged")
    here.settle()
    assert here.get(CLAIM, "c") is None


def own_volume(here: World, owned: bool) -> Obj:
    """A pod on a node with a volume for which a claim is made, and such a claim, the pod's or somebody else's."""
    scratch = {"name": "scratch", "ephemeral": {"volumeClaimTemplate": {"spec": claim("x")["spec"]}}}
    here.given(pod("p", volumes=[scratch], nodeName="n1"))
    owner = {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": uid(here.see("Pod", "p")), "controller": True}
    made = claim("p-scratch")
    if owned:
        made["metadata"]["ownerReferences"] = [owner]
    here.given(made)
    return made


@pytest.mark.parametrize("owned", [True, False])
def test_a_claim_made_for_a_pods_own_volume_is_kept_by_that_pod_only(owned: bool) -> None:
    here = world()
    own_volume(here, owned)
    here.remove(CLAIM, "p-scratch")
    assert (here.get(CLAIM, "p-scratch") is not None) is owned


def test_a_finalizer_that_was_taken_off_by_hand_is_put_on_again_except_on_what_is_going() -> None:
    here = pair()
    for kind, called, finalizer in ((CLAIM, "c", CLAIM_PROTECTION), ("PersistentVolume", "v", VOLUME_PROTECTION)):
        here.edit(kind, called, {"metadata": {"finalizers": None}})
        assert list(finalizers(here.see(kind, called))) == [finalizer]
    here.edit("PersistentVolume", "v", {"metadata": {"finalizers": ["example.com/hold"]}})
    here.delete("PersistentVolume", "v")
    here.edit("PersistentVolume", "v", {"metadata": {"finalizers": ["example.com/hold"]}})
    assert list(finalizers(here.volume("v"))) == ["example.com/hold"]


def test_foreign_finalizers_stay() -> None:
    here = world().given(claim("c", finalizers=["example.com/hold"]))
    here.remove(CLAIM, "c")
    assert list(finalizers(here.claim("c"))) == ["example.com/hold"]


def test_a_bound_volume_stays_until_it_is_released() -> None:
    here = pair()
    here.remove("PersistentVolume", "v")
    assert (deleting(here.volume("v")), here.phase("v"), here.bound()) == (True, "Bound", {"c": "v"})
    here.remove(CLAIM, "c")
    assert here.get("PersistentVolume", "v") is None


@pytest.mark.parametrize("reserved", [None, {"namespace": "default", "name": "c"}], ids=["free", "reserved"])
def test_a_volume_that_is_not_bound_goes_at_once(reserved: Obj | None) -> None:
    here = world().given(volume("v", **({"claimRef": reserved} if reserved else {})))
    here.remove("PersistentVolume", "v")
    assert here.get("PersistentVolume", "v") is None


def test_a_volume_with_a_full_reference_that_is_not_bound_yet_is_not_protected() -> None:
    here = world().given(volume("v"))
    here.fault("refuse", controller="binder", verb="update-status", kind="PersistentVolume", times=100)
    here.create(claim("c"))
    here.model.run(40)
    assert here.reserved("v") is not None
    here.delete("PersistentVolume", "v")
    here.fault("heal")
    here.settle()
    assert (here.get("PersistentVolume", "v"), here.phase("c")) == (None, "Pending")


def test_a_refused_removal_of_a_finalizer_is_tried_again() -> None:
    here = pair()
    here.fault("refuse", controller="pvc-protection", verb="update", kind=CLAIM, times=3)
    here.fault("refuse", controller="pv-protection", verb="update", kind="PersistentVolume", answer="timeout", times=3)
    here.delete("PersistentVolume", "v")
    here.remove(CLAIM, "c")
    assert here.phase("c") == here.phase("v") == ""


@pytest.mark.parametrize(
    ("version", "gates", "told"),
    [
        ("1.35", {}, False),
        ("1.36", {}, False),
        ("1.36", {GATE: True}, True),
        ("1.37", {}, True),
        ("1.37", {GATE: False}, False),
    ],
)
def test_a_bound_claim_tells_whether_it_is_used_where_the_gate_is_on(version: str, gates: Obj, told: bool) -> None:
    here = pair(version, gates=gates)
    assert unused(here) == (("True", "NoPodsUsingPVC") if told else None)
    here.given(pod("p", "c"))
    assert unused(here) == (("False", "PodUsingPVC") if told else None)
    here.remove("Pod", "p")
    assert unused(here) == (("True", "NoPodsUsingPVC") if told else None)


def test_a_pending_claim_tells_of_its_use_in_1_36_and_not_any_more_in_1_37() -> None:
    found = {
        version: unused(world(version=version, gates={GATE: True}).given(claim("c"))) for version in ("1.36", "1.37")
    }
    assert found == {"1.36": ("True", "NoPodsUsingPVC"), "1.37": None}


def test_for_the_condition_a_pod_without_a_node_counts_and_a_finished_one_does_not() -> None:
    here = pair("1.37")
    here.fault("freeze", controller="scheduler")
    here.given(pod("p", "c"))
    assert unused(here) == ("False", "PodUsingPVC")
    done = pair("1.37").given(pod("q", "c", behaves="finish", restartPolicy="Never"))
    assert unused(done) == ("True", "NoPodsUsingPVC")


def test_a_claim_is_not_told_unused_while_a_pod_exists_that_the_view_lacks() -> None:
    here = world(version="1.37").given(volume("v"))
    here.fault("hold", controller="pvc-protection", kind="Pod")
    here.given(pod("p", "c")).given(claim("c"))
    assert unused(here) == ("False", "PodUsingPVC")


@pytest.mark.parametrize("named_by", ["volume", "claim", "nobody"])
def test_a_class_of_attributes_stays_while_it_is_named(named_by: str) -> None:
    here = world().given(ATTRIBUTES)
    assert ATTRIBUTES_PROTECTION in finalizers(here.see("VolumeAttributesClass", "gold"))
    if named_by == "volume":
        here.given(volume("x", **CSI, **GOLD))
    if named_by == "claim":
        here.given(claim("x", **GOLD))
    here.remove("VolumeAttributesClass", "gold")
    assert (here.get("VolumeAttributesClass", "gold") is not None) is (named_by != "nobody")
    if named_by != "nobody":
        here.remove({"volume": "PersistentVolume", "claim": CLAIM}[named_by], "x")
        assert here.get("VolumeAttributesClass", "gold") is None


def test_a_class_of_attributes_gets_its_finalizer_back() -> None:
    here = world().given(ATTRIBUTES)
    here.edit("VolumeAttributesClass", "gold", {"metadata": {"finalizers": None}})
    assert ATTRIBUTES_PROTECTION in finalizers(here.see("VolumeAttributesClass", "gold"))
