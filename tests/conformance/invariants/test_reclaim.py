"""What becomes of a volume whose claim is gone is what its policy says."""

from typing import Any

import pytest

from pvkit.backends.objects import Obj, owner_reference, put
from pvkit.backends.storage import PROVISIONED_BY, PROVISIONER_FINALIZER
from pvkit.conformance.verdict import Verdict
from tests.conformance.histories import Story, message_of, result_of, verdict_of
from tests.conformance.invariants.storage_story import (
    available,
    claim,
    complete,
    gone,
    pair,
    reserved_by,
    show,
    storage_class,
    turn,
    volume,
    without_reference,
)

DELETE = {"persistentVolumeReclaimPolicy": "Delete"}
CSI: dict[str, Any] = {"csi": {"driver": "example.com/driver", "volumeHandle": "a"}}


def released(**fields: Any) -> tuple[Story, Obj]:
    story = Story()
    taken, claimed = pair(story, **fields)
    gone(story, claimed)
    return story, turn(story, taken, "Released")


def test_a_retained_volume_is_kept() -> None:
    story, taken = released()
    assert result_of("PVB-090", story).at_risk == 1
    story.terminating(taken, by="provisioner")
    assert "has policy Retain and was removed" in message_of("PVB-090", story)


def test_a_retained_volume_without_finalizers_is_kept() -> None:
    story, taken = released(finalizers=[])
    story.deleted(taken, by="provisioner")
    assert verdict_of("PVB-090", story) is Verdict.FAIL


def test_a_client_may_remove_a_retained_volume() -> None:
    story, taken = released()
    gone(story, taken)
    assert verdict_of("PVB-090", story) is Verdict.PASS


def test_a_removal_by_nobody_known_may_be_the_client_s() -> None:
    story, taken = released(finalizers=[])
    story.deleted(taken, by="")
    assert verdict_of("PVB-090", story) is Verdict.PASS


def test_an_owned_volume_may_go_with_its_owner() -> None:
    story = Story()
    owner = story.added(storage_class())
    taken = put(available(story, volume()), ("metadata", "ownerReferences"), [owner_reference(owner)])
    story.terminating(story.modified(taken, by="client"), by="collector")
    assert verdict_of("PVB-090", story) is Verdict.NOT_EXERCISED


def test_a_policy_changed_by_hand_may_have_been_seen_before() -> None:
    story, taken = released(**DELETE)
    kept = story.modified(put(taken, ("spec", "persistentVolumeReclaimPolicy"), "Retain"), by="client")
    story.terminating(kept, by="provisioner")
    assert verdict_of("PVB-090", story) is Verdict.NOT_EXERCISED


def test_a_volume_is_removed_after_its_claim() -> None:
    story, taken = released(**DELETE)
    story.terminating(taken, by="provisioner")
    assert verdict_of("PVB-091", story) is Verdict.PASS


def test_a_volume_is_not_removed_before_its_claim() -> None:
    story = Story()
    taken, _ = pair(story, **DELETE)
    story.terminating(taken, by="provisioner")
    assert "although its claim claim exists" in message_of("PVB-091", story)


def test_a_volume_of_nobody_is_not_removed() -> None:
    story = Story()
    story.terminating(available(story, volume(**DELETE)), by="provisioner")
    assert "belonged to no claim" in message_of("PVB-091", story)


def test_a_volume_that_a_client_called_released_may_be_removed_when_that_is_mended() -> None:
    story = Story()
    taken, _ = pair(story, **DELETE)
    lied = story.modified(put(taken, ("status", "phase"), "Released"), by="client")
    mended = story.modified(put(lied, ("status", "phase"), "Bound"), by="binder")
    story.terminating(mended, by="provisioner")
    assert verdict_of("PVB-091", story) is Verdict.NOT_EXERCISED


def test_a_late_removal_may_hit_the_next_volume_of_that_name() -> None:
    story, taken = released(**DELETE)
    gone(story, taken)
    story.terminating(pair(story, **DELETE)[0], by="provisioner")
    assert verdict_of("PVB-091", story) is Verdict.NOT_EXERCISED


def provisioned() -> tuple[Story, Obj]:
    story = Story()
    unbound = story.added(claim())
    marks = {"annotations": {PROVISIONED_BY: "example.com/maker"}, "finalizers": [PROVISIONER_FINALIZER]}
    made = story.added(reserved_by(volume(**marks, **DELETE, **CSI), unbound), by="provisioner")
    taken = turn(story, made, "Bound")
    gone(story, show(story, complete(story, unbound, "volume"), taken))
    return story, turn(story, taken, "Released")


def test_a_provisioned_volume_goes_with_its_claim() -> None:
    story, _ = provisioned()
    story.settled()
    assert "its claim is gone and its policy is Delete" in message_of("PVB-092", story)


def test_a_provisioned_volume_changed_by_hand_may_stay() -> None:
    story, taken = provisioned()
    story.modified(put(taken, ("metadata", "finalizers"), ["example.com/mine"]), by="client")
    story.settled()
    assert verdict_of("PVB-092", story) is Verdict.NOT_EXERCISED


def test_a_static_volume_may_stay_without_a_deleter() -> None:
    story, _ = released(**DELETE, **CSI)
    story.settled()
    assert [verdict_of(id, story) for id in ("PVB-092", "PVB-094")] == [Verdict.NOT_EXERCISED] * 2


def test_a_volume_for_an_outside_deleter_does_not_fail() -> None:
    story, taken = released(**DELETE, **CSI)
    assert result_of("PVB-093", story).at_risk == 1
    turn(story, taken, "Failed")
    assert "which an external provisioner deletes" in message_of("PVB-093", story)


@pytest.mark.parametrize("source", [{}, {"local": {"path": "/mnt/disk"}}])
def test_a_volume_without_a_deleter_fails(source: dict[str, Any]) -> None:
    story, taken = released(**DELETE, **source)
    story.settled()
    assert "nobody can delete it" in message_of("PVB-094", story)
    turn(story, taken, "Failed")
    assert verdict_of("PVB-093", story) is Verdict.NOT_EXERCISED


def test_a_volume_without_a_deleter_has_failed_in_the_end() -> None:
    story, taken = released(**DELETE)
    turn(story, taken, "Failed")
    story.settled()
    assert verdict_of("PVB-094", story) is Verdict.PASS


def test_a_retained_volume_does_not_fail() -> None:
    story, taken = released()
    turn(story, taken, "Failed")
    story.settled()
    assert "of policy Retain is Failed" in message_of("PVB-095", story)
    story, _ = released()
    story.settled()
    assert verdict_of("PVB-095", story) is Verdict.PASS


def test_a_failed_volume_made_retained_stays_failed() -> None:
    story, taken = released(**DELETE)
    failed = turn(story, taken, "Failed")
    story.modified(put(failed, ("spec", "persistentVolumeReclaimPolicy"), "Retain"), by="client")
    story.settled()
    assert verdict_of("PVB-095", story) is Verdict.NOT_EXERCISED


def test_a_volume_freed_by_hand_may_still_be_removed() -> None:
    story, taken = released(**DELETE)
    story.terminating(story.modified(without_reference(taken), by="client"), by="provisioner")
    assert verdict_of("PVB-091", story) is Verdict.NOT_EXERCISED
