"""A volume made for a claim is the one that was asked for."""

from typing import Any

import pytest

from pvkit.backends.objects import Obj, annotate, put
from pvkit.backends.storage import PROVISIONED_BY, SELECTED_NODE
from pvkit.conformance.verdict import Verdict
from tests.conformance.histories import Story, message_of, result_of, verdict_of
from tests.conformance.invariants.storage_story import (
    ROX,
    RWO,
    claim,
    node,
    on_node,
    reserved_by,
    storage_class,
    volume,
)

MAKER = "example.com/maker"


def provisioned(for_claim: Obj, name: str = "pvc-1", **fields: Any) -> Obj:
    shared = {
        "storageClassName": "shelf",
        "persistentVolumeReclaimPolicy": "Delete",
        "annotations": {PROVISIONED_BY: MAKER},
    }
    return reserved_by(volume(name, **{**shared, **fields}), for_claim)


def made(offered: dict[str, Any], wanted: dict[str, Any], **of_class: Any) -> Story:
    story = Story()
    story.added(storage_class(provisioner=MAKER, **of_class))
    unbound = story.added(claim(**{"storageClassName": "shelf", **wanted}))
    story.added(provisioned(unbound, **offered), by="provisioner")
    return story


def test_a_provisioned_volume_fits() -> None:
    story = made({"size": "2Gi", "modes": (RWO, ROX)}, {})
    ids = ("PVB-080", "PVB-081", "PVB-083", "PVB-084")
    assert [verdict_of(id, story) for id in ids] == [Verdict.PASS] * len(ids)


@pytest.mark.parametrize(
    ("offered", "wanted", "word"),
    [
        ({"size": "1Gi"}, {"size": "2Gi"}, "capacity"),
        ({"modes": (RWO,)}, {"modes": (RWO, ROX)}, "access modes"),
        ({}, {"volumeMode": "Block"}, "volume mode"),
        ({"storageClassName": ""}, {}, "class"),
    ],
)
def test_a_provisioned_volume_differs_in_nothing(offered: dict[str, Any], wanted: dict[str, Any], word: str) -> None:
    assert f"differs in {word}" in message_of("PVB-080", made(offered, wanted))


def test_a_volume_that_a_client_made_is_not_judged_as_provisioned() -> None:
    story = Story()
    unbound = story.added(claim(size="9Gi"))
    story.added(provisioned(unbound), by="client")
    assert verdict_of("PVB-080", story) is Verdict.NOT_EXERCISED


def test_a_provisioned_volume_has_the_policy_of_its_class() -> None:
    kept = {"persistentVolumeReclaimPolicy": "Retain"}
    assert result_of("PVB-081", made(kept, {}, reclaimPolicy="Retain")).at_risk == 1
    assert "has policy Delete, its class shelf says Retain" in message_of(
        "PVB-081", made({}, {}, reclaimPolicy="Retain")
    )


def test_the_policy_of_a_class_made_anew_is_not_asked_for() -> None:
    story = Story()
    first = story.added(storage_class(provisioner=MAKER))
    unbound = story.added(claim(storageClassName="shelf"))
    story.deleted(first, by="client")
    story.added(storage_class(provisioner=MAKER, reclaimPolicy="Retain"))
    story.added(provisioned(unbound), by="provisioner")
    assert verdict_of("PVB-081", story) is Verdict.NOT_EXERCISED


def placed(at: str, *selections: str, marks: Obj | None = None) -> Story:
    story = Story()
    for name in ("node-1", "node-2"):
        made = node(name)
        story.added(made if marks is None else put(made, ("metadata", "labels"), marks), by="setup")
    story.added(storage_class(mode="WaitForFirstConsumer", provisioner=MAKER))
    unbound = story.added(claim(storageClassName="shelf"))
    for selection in selections:
        unbound = story.modified(annotate(unbound, **{SELECTED_NODE: selection}))
    story.added(provisioned(unbound, nodeAffinity=on_node(at)), by="provisioner")
    return story


def test_a_provisioned_volume_reaches_the_selected_node() -> None:
    assert result_of("PVB-082", placed("node-1", "node-1")).at_risk == 1
    assert "cannot be reached from it" in message_of("PVB-082", placed("node-2", "node-1"))


@pytest.mark.parametrize("marks", [{}, {"zone": "a"}])
def test_a_node_without_the_label_that_a_volume_names_is_reached_by_none(marks: Obj) -> None:
    assert verdict_of("PVB-082", placed("node-1", "node-1", marks=marks)) is Verdict.NOT_EXERCISED


def test_a_provisioner_may_be_at_work_for_an_earlier_node() -> None:
    assert verdict_of("PVB-082", placed("node-1", "node-1", "node-2")) is Verdict.NOT_EXERCISED


def test_one_volume_is_made_for_a_claim() -> None:
    story = made({}, {})
    unbound = story.latest(claim())
    story.added(provisioned(unbound, "pvc-2"), by="provisioner")
    assert "which has pvc-1 already" in message_of("PVB-083", story)


def test_a_volume_on_its_way_out_may_be_replaced() -> None:
    story = made({}, {})
    unbound = story.latest(claim())
    story.terminating(story.latest(volume("pvc-1")))
    story.added(provisioned(unbound, "pvc-2"), by="provisioner")
    assert verdict_of("PVB-083", story) is Verdict.PASS


def test_nothing_is_made_for_a_claim_of_no_class() -> None:
    assert "which has no class" in message_of("PVB-084", made({}, {"storageClassName": ""}))


def test_nothing_is_made_for_a_claim_that_names_a_volume() -> None:
    assert "which names volume elsewhere" in message_of("PVB-084", made({}, {"volumeName": "elsewhere"}))


def test_a_volume_for_a_claim_that_is_gone_is_not_judged() -> None:
    story = Story()
    unbound = story.added(claim(size="9Gi", storageClassName="shelf"))
    story.deleted(unbound)
    story.added(provisioned(put(unbound, ("spec", "x"), 1)), by="provisioner")
    assert verdict_of("PVB-080", story) is Verdict.NOT_EXERCISED
