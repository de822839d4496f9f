"""Phases move along the documented paths and tell the truth."""

import pytest

from pvkit.backends.objects import Obj, annotate, put
from pvkit.backends.protocol import Fault
from pvkit.backends.storage import BIND_COMPLETED, PROVISIONED_BY
from pvkit.conformance.verdict import Verdict
from tests.conformance.histories import Story, message_of, result_of, verdict_of
from tests.conformance.invariants.storage_story import (
    available,
    claim,
    complete,
    give,
    gone,
    pair,
    reserved_by,
    turn,
    volume,
    without_reference,
)


def released(**fields: object) -> tuple[Story, Obj]:
    story = Story()
    taken, claimed = pair(story, **fields)
    gone(story, claimed)
    return story, turn(story, taken, "Released")


def test_a_life_of_a_volume_follows_the_table() -> None:
    story, taken = released()
    turn(story, turn(story, story.modified(without_reference(taken), by="client"), "Available"), "Available")
    assert verdict_of("PVB-050", story) is Verdict.PASS


@pytest.mark.parametrize("phase", ["Bound", "Released", "Failed", "Pending", "Bogus"])
def test_a_volume_of_nobody_becomes_available_only(phase: str) -> None:
    story = Story()
    turn(story, available(story, volume()), phase)
    assert f"went from Available to {phase}" in message_of("PVB-050", story)


def test_a_volume_of_a_claim_does_not_become_available() -> None:
    story = Story()
    turn(story, pair(story)[0], "Available")
    assert "a claimRef without a UID" in message_of("PVB-050", story)


def test_a_failed_volume_does_not_become_released() -> None:
    story, taken = released()
    turn(story, turn(story, taken, "Failed"), "Released")
    assert "went from Failed to Released" in message_of("PVB-050", story)


def test_a_client_may_write_any_phase() -> None:
    story = Story()
    turn(story, available(story, volume()), "Bogus", by="client")
    assert result_of("PVB-050", story).broken == 0


@pytest.mark.parametrize("phase", ["Bound", "Lost"])
def test_an_unbound_claim_becomes_neither_bound_nor_lost(phase: str) -> None:
    story = Story()
    turn(story, story.added(claim()), phase)
    assert "is not complete" in message_of("PVB-051", story)


def test_a_bound_claim_does_not_become_pending() -> None:
    story = Story()
    turn(story, pair(story)[1], "Pending")
    assert "while its binding is complete" in message_of("PVB-051", story)


def test_a_volume_is_released_once_its_claim_is_gone() -> None:
    assert verdict_of("PVB-052", released()[0]) is Verdict.PASS


def test_a_volume_is_not_released_under_its_claim() -> None:
    story = Story()
    turn(story, pair(story)[0], "Released")
    assert "although its claim default/claim exists" in message_of("PVB-052", story)


def test_a_new_claim_of_the_old_name_is_another() -> None:
    story = Story()
    taken, claimed = pair(story)
    gone(story, claimed)
    story.added(claim())
    turn(story, taken, "Released")
    assert result_of("PVB-052", story).at_risk == 1


def test_a_provisioned_volume_that_lost_is_released() -> None:
    story = Story()
    _, claimed = pair(story)
    surplus = volume(
        "surplus", annotations={PROVISIONED_BY: "example.com/maker"}, persistentVolumeReclaimPolicy="Delete"
    )
    turn(story, story.added(reserved_by(surplus, claimed)), "Released")
    assert verdict_of("PVB-052", story) is Verdict.PASS


def test_a_released_volume_keeps_its_reference() -> None:
    story, taken = released()
    story.modified(put(taken, ("status", "message"), "kept"))
    assert verdict_of("PVB-053", story) is Verdict.PASS
    story.modified(without_reference(taken))
    assert "lost its claimRef" in message_of("PVB-053", story)


@pytest.mark.parametrize("policy", ["Recycle"])
def test_a_recycled_volume_loses_its_reference(policy: str) -> None:
    story, taken = released(persistentVolumeReclaimPolicy=policy)
    story.modified(without_reference(taken))
    assert result_of("PVB-053", story).broken == 0


def test_a_client_may_clear_the_reference() -> None:
    story, taken = released()
    story.modified(without_reference(taken), by="client")
    assert result_of("PVB-053", story).broken == 0


def test_a_released_volume_is_not_bound_again() -> None:
    story, taken = released()
    turn(story, taken, "Bound")
    assert "which is gone" in message_of("PVB-054", story)


def test_after_a_crash_a_claim_that_is_gone_may_be_seen_once_more() -> None:
    story, taken = released()
    story.asked(Fault("crash", {"controller": "binder", "lists": {"PersistentVolumeClaim": "stale:2"}}))
    turn(story, taken, "Bound")
    assert verdict_of("PVB-054", story) is Verdict.NOT_EXERCISED


def test_an_admin_may_point_a_released_volume_at_a_claim() -> None:
    story, taken = released()
    turn(story, story.modified(reserved_by(taken, story.added(claim("next"))), by="client"), "Bound")
    assert verdict_of("PVB-054", story) is Verdict.PASS


def test_a_volume_of_a_gone_claim_is_released_in_the_end() -> None:
    story = Story()
    _, claimed = pair(story)
    gone(story, claimed)
    story.settled()
    assert "does not exist" in message_of("PVB-055", story)
    story, _ = released()
    story.settled()
    assert verdict_of("PVB-055", story) is Verdict.PASS


def test_an_in_tree_volume_that_cannot_be_written_may_hang() -> None:
    story = Story()
    taken, claimed = pair(story, annotations={PROVISIONED_BY: "kubernetes.io/host-path"})
    gone(story, claimed)
    story.terminating(taken)
    story.settled()
    assert verdict_of("PVB-055", story) is Verdict.NOT_EXERCISED


def test_a_free_volume_is_available_in_the_end() -> None:
    story = Story()
    story.added(volume())
    story.settled()
    assert "is Pending" in message_of("PVB-056", story)
    story = Story()
    available(story, reserved_by(volume(), claim(), with_uid=False))
    story.settled()
    assert verdict_of("PVB-056", story) is Verdict.PASS


def test_a_claim_is_lost_when_its_volume_is_gone() -> None:
    story = Story()
    taken, claimed = pair(story)
    story.deleted(taken, by="client")
    turn(story, claimed, "Lost")
    story.settled()
    assert verdict_of("PVB-057", story) is Verdict.PASS
    assert result_of("PVB-058", story).at_risk == 1


def test_a_claim_is_not_lost_beside_its_volume() -> None:
    story = Story()
    turn(story, pair(story)[1], "Lost")
    assert "is there for it" in message_of("PVB-057", story)


def test_a_volume_that_came_back_of_late_may_not_have_been_seen() -> None:
    story = Story()
    taken, claimed = pair(story)
    story.deleted(taken, by="client")
    story.added(reserved_by(volume(), claimed))
    turn(story, claimed, "Lost")
    assert verdict_of("PVB-057", story, lag=5.0) is Verdict.NOT_EXERCISED


def test_a_claim_without_its_volume_is_lost_in_the_end() -> None:
    story = Story()
    taken, _ = pair(story)
    story.deleted(taken, by="client")
    story.settled()
    assert "has lost its volume volume and is Bound" in message_of("PVB-058", story)


def test_a_claim_whose_volume_went_to_another_is_lost_in_the_end() -> None:
    story = Story()
    taken, _ = pair(story)
    second = story.added(claim("second"))
    complete(story, second, "volume")
    give(story, story.modified(without_reference(taken), by="client"), second)
    story.settled()
    assert verdict_of("PVB-058", story) is Verdict.FAIL


def test_a_claim_made_with_the_mark_of_a_bind_is_lost_without_a_volume() -> None:
    story = Story()
    turn(story, story.added(annotate(claim(), **{BIND_COMPLETED: "yes"})), "Lost")
    story.settled()
    assert [verdict_of(id, story) for id in ("PVB-051", "PVB-057", "PVB-058")] == [Verdict.PASS] * 3


def test_a_claim_that_was_never_bound_is_not_lost() -> None:
    story = Story()
    turn(story, story.added(claim()), "Lost")
    story.settled()
    assert "was never bound and is Lost" in message_of("PVB-058", story)
