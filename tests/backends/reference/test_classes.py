"""What a claim's class means for its binding: defaults that come late, waiting for pods, and asking for a volume."""

import pytest

from pvkit.backends.objects import Obj, annotations
from pvkit.backends.storage import BETA_STORAGE_PROVISIONER, MIGRATED_TO, SELECTED_NODE, STORAGE_PROVISIONER
from tests.backends.reference.builders import World, claim, pod, storage_class, volume, world

DEFAULT = {"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}
BETA = "volume.beta.kubernetes.io/storage-class"
EXTERNAL = "example.com/somebody"
NONE = "kubernetes.io/no-provisioner"


def class_of(here: World, called: str = "c") -> str | None:
    """`spec.storageClassName` of a claim."""
    found: str | None = here.claim(called)["spec"].get("storageClassName")
    return found


def reasons(here: World, called: str = "c") -> list[str]:
    """The reasons of what was said about an object."""
    return [reason for _, reason, _ in here.events(called)]


def test_a_claim_without_an_opinion_that_the_door_let_pass_gets_the_default_class_and_hears_nothing_before() -> None:
    here = world()
    here.fault("freeze", controller="binder")
    here.given(claim("c", cls=None)).given(storage_class("main", EXTERNAL, **DEFAULT))
    here.fault("thaw", controller="binder")
    here.settle()
    assert (class_of(here), reasons(here)) == ("main", ["ExternalProvisioning"])


def test_a_default_class_that_comes_later_is_taken_at_the_next_look() -> None:
    here = world().given(claim("c", cls=None))
    here.create(storage_class("main", EXTERNAL, **DEFAULT))
    here.wait(1)
    assert class_of(here) is None
    here.wait(20)
    assert class_of(here) == "main"


@pytest.mark.parametrize(
    "wanted", [claim("c"), claim("c", cls=None, annotations={BETA: ""})], ids=["none", "beta none"]
)
def test_a_claim_that_wants_no_class_is_never_given_one(wanted: Obj) -> None:
    here = world().given(wanted, storage_class("main", EXTERNAL, **DEFAULT))
    here.wait(40)
    assert class_of(here) == wanted["spec"].get("storageClassName")
    assert STORAGE_PROVISIONER not in annotations(here.claim("c"))


def test_a_claim_that_a_volume_without_a_class_fits_keeps_its_lack_of_opinion() -> None:
    here = world().given(claim("c", cls=None)).given(volume("v"), storage_class("main", EXTERNAL, **DEFAULT))
    here.wait(40)
    assert (class_of(here), here.bound()) == (None, {"c": "v"})


def test_a_claim_that_names_its_volume_gets_no_default_class() -> None:
    here = world().given(claim("c", cls=None, volumeName="absent"), storage_class("main", EXTERNAL, **DEFAULT))
    here.wait(40)
    assert class_of(here) is None


def test_of_several_default_classes_the_newest_is_taken_and_of_equals_the_first_by_name() -> None:
    here = world().given(claim("c", cls=None))
    here.create(storage_class("a-old", EXTERNAL, **DEFAULT))
    here.wait(2)
    for called in ("z-new", "b-new"):
        here.ask("create", storage_class(called, EXTERNAL, **DEFAULT), **{"at-once": True})
    here.wait(40)
    assert class_of(here) == "b-new"


def test_a_refused_default_is_tried_again() -> None:
    here = world().given(claim("c", cls=None))
    here.fault("refuse", controller="binder", verb="update", kind="PersistentVolumeClaim", times=2)
    here.create(storage_class("main", EXTERNAL, **DEFAULT))
    here.wait(20)
    assert class_of(here) == "main"


def test_a_claim_of_a_class_that_waits_is_told_so_and_takes_nothing() -> None:
    here = world().given(storage_class("late", NONE, late=True), volume("v", cls="late"), claim("c", cls="late"))
    text = "waiting for first consumer to be created before binding"
    assert here.events("c") == [("Normal", "WaitForFirstConsumer", text)]
    assert here.reserved("v") is None


def test_a_claim_that_waits_for_pods_which_have_no_node_is_told_their_names() -> None:
    here = world().given(storage_class("late", NONE, late=True))
    here.fault("freeze", controller="scheduler")
    here.given(claim("c", cls="late"), pod("p", "c"), pod("q", "c"))
    here.edit("PersistentVolumeClaim", "c", {"metadata": {"labels": {"looked": "at"}}})
    assert here.events("c")[-1] == ("Normal", "WaitForPodScheduled", "waiting for pods p,q to be scheduled")


def test_a_class_that_is_no_longer_there_does_not_wait() -> None:
    here = world().given(storage_class("late", NONE, late=True), volume("v", cls="late"), claim("c", cls="late"))
    here.remove("StorageClass", "late")
    here.edit("PersistentVolumeClaim", "c", {"metadata": {"labels": {"looked": "at"}}})
    assert here.bound() == {"c": "v"}


def test_a_claim_with_a_selected_node_takes_no_free_volume_and_is_provisioned_for() -> None:
    late = storage_class("late", NONE, late=True)
    here = world().given(late, volume("v", cls="late"), claim("c", cls="late", annotations={SELECTED_NODE: "n1"}))
    assert here.bound() == {}
    assert here.events("c") == [("Warning", "ProvisioningFailed", f"no volume plugin matched name: {NONE}")]


def test_an_external_provisioner_is_named_under_both_keys_and_told_of() -> None:
    here = world().given(storage_class("made", EXTERNAL), claim("c", cls="made"))
    marks = annotations(here.claim("c"))
    assert (marks[STORAGE_PROVISIONER], marks[BETA_STORAGE_PROVISIONER]) == (EXTERNAL, EXTERNAL)
    ((kind, reason, text),) = here.events("c")
    assert (kind, reason) == ("Normal", "ExternalProvisioning")
    assert text.startswith(f"Waiting for a volume to be created either by the external provisioner '{EXTERNAL}' or")


def test_a_volume_that_turns_up_is_taken_though_a_provisioner_was_asked() -> None:
    here = world().given(storage_class("made", EXTERNAL), claim("c", cls="made")).given(volume("v", cls="made"))
    here.edit("PersistentVolumeClaim", "c", {"metadata": {"labels": {"looked": "at"}}})
    assert here.bound() == {"c": "v"}


@pytest.mark.parametrize(
    ("provisioner", "text"),
    [
        (NONE, f"no volume plugin matched name: {NONE}"),
        ("kubernetes.io/unknown", "no volume plugin matched name: kubernetes.io/unknown"),
        ("kubernetes.io/nfs", "no provisionable volume plugin matched"),
        (
            "kubernetes.io/host-path",
            'Failed to create provisioner: provisioning in volume plugin "kubernetes.io/host-path" is disabled',
        ),
    ],
)
def test_plugins_of_kubernetes_itself_make_no_volumes(provisioner: str, text: str) -> None:
    here = world().given(storage_class("made", provisioner), claim("c", cls="made"))
    assert here.events("c") == [("Warning", "ProvisioningFailed", text)]


def test_a_class_without_object_is_told_for_each_claim_that_nothing_fits() -> None:
    here = world().given(claim("c", cls="absent"))
    text = 'storageclass.storage.k8s.io "absent" not found'
    assert here.events("c") == [("Warning", "ProvisioningFailed", text)]
    assert STORAGE_PROVISIONER not in annotations(here.claim("c"))


@pytest.mark.parametrize("cls", ["made", "absent"])
def test_without_dynamic_provisioning_nobody_is_asked_and_nothing_told(cls: str) -> None:
    here = world(dynamic_provisioning=False).given(storage_class("made", EXTERNAL), claim("c", cls=cls))
    assert here.events("c") == []
    assert STORAGE_PROVISIONER not in annotations(here.claim("c"))


def test_the_status_of_a_claim_that_is_provisioned_for_is_not_touched() -> None:
    here = world().given(storage_class("made", EXTERNAL), claim("c", cls="made"))
    forged = {"status": {"phase": "Bound", "capacity": {"storage": "7Gi"}}}
    here.edit("PersistentVolumeClaim", "c", forged, subresource="status")
    assert here.claim("c")["status"] == forged["status"]


def test_a_claim_that_could_not_be_saved_is_told_and_asked_for_again_after_the_back_off() -> None:
    here = world().given(storage_class("made", EXTERNAL))
    here.fault("refuse", controller="binder", verb="update", kind="PersistentVolumeClaim", answer="server-error")
    here.create(claim("c", cls="made"))
    here.wait(1)
    assert [text[:19] for _, reason, text in here.events("c") if reason == "ProvisioningFailed"] == [
        "Error saving claim:"
    ]
    assert STORAGE_PROVISIONER not in annotations(here.claim("c"))
    here.settle()
    assert annotations(here.claim("c"))[STORAGE_PROVISIONER] == EXTERNAL


def test_a_look_within_the_back_off_asks_nobody() -> None:
    here = world().given(storage_class("made", EXTERNAL))
    here.fault("refuse", controller="binder", verb="update", kind="PersistentVolumeClaim", answer="server-error")
    here.create(claim("c", cls="made"))
    here.wait(0)
    here.ask("patch", target=here.key("PersistentVolumeClaim", "c"), patch=LABEL, **{"at-once": True})
    here.wait(0.3)
    assert STORAGE_PROVISIONER not in annotations(here.claim("c"))
    here.wait(1)
    here.edit("PersistentVolumeClaim", "c", {"metadata": {"labels": {"looked": "again"}}})
    assert annotations(here.claim("c"))[STORAGE_PROVISIONER] == EXTERNAL


LABEL = {"metadata": {"labels": {"looked": "at"}}}


def test_a_class_of_a_plugin_that_left_asks_the_driver_that_took_over() -> None:
    here = world().given(storage_class("made", "kubernetes.io/gce-pd"), claim("c", cls="made"))
    assert annotations(here.claim("c"))[STORAGE_PROVISIONER] == "pd.csi.storage.gke.io"
    assert MIGRATED_TO not in annotations(here.claim("c"))


def test_a_claim_that_names_such_a_plugin_is_marked_and_one_that_names_none_loses_the_mark() -> None:
    gone = {STORAGE_PROVISIONER: "kubernetes.io/gce-pd"}
    other = {BETA_STORAGE_PROVISIONER: "example.com/x", MIGRATED_TO: "old"}
    here = world().given(claim("c", annotations=gone), claim("d", annotations=other), claim("e"))
    assert annotations(here.claim("c"))[MIGRATED_TO] == "pd.csi.storage.gke.io"
    assert MIGRATED_TO not in annotations(here.claim("d"))
    assert annotations(here.claim("e")) == {}
