"""What components write into a claimRef, and what they leave there."""

from pvkit.backends.objects import put, without
from pvkit.conformance.verdict import Verdict
from tests.conformance.histories import Story, message_of, verdict_of
from tests.conformance.invariants.storage_story import (
    available,
    bound,
    claim,
    give,
    gone,
    pair,
    pod,
    reserved_by,
    turn,
    volume,
    without_reference,
)

RECYCLE = {"persistentVolumeReclaimPolicy": "Recycle"}


def test_a_component_refers_to_a_claim_by_uid() -> None:
    story = Story()
    pair(story)
    assert verdict_of("PVB-036", story) is Verdict.PASS


def test_a_component_that_leaves_the_uid_out_is_found() -> None:
    story = Story()
    story.modified(reserved_by(available(story, volume()), story.added(claim()), with_uid=False))
    assert "without a UID" in message_of("PVB-036", story)


def test_a_reservation_by_hand_stays_when_the_volume_is_freed() -> None:
    story = Story()
    mine = story.added(claim())
    taken = give(story, available(story, volume()), mine, marked=False)
    story.modified(without(taken, ("spec", "claimRef", "uid")))
    assert verdict_of("PVB-044", story) is Verdict.PASS


def test_a_reservation_by_hand_that_vanishes_is_found() -> None:
    story = Story()
    taken = give(story, available(story, volume()), story.added(claim()), marked=False)
    story.modified(without_reference(taken))
    assert "reserved by hand for default/claim, was freed" in message_of("PVB-044", story)


def test_what_the_binder_chose_may_be_freed_wholly() -> None:
    story = Story()
    taken, _ = pair(story)
    story.modified(without_reference(taken))
    assert verdict_of("PVB-044", story) is Verdict.NOT_EXERCISED


def test_a_cleared_reference_to_a_gone_claim_does_not_return() -> None:
    story = Story()
    taken, mine = pair(story)
    gone(story, mine)
    cleared = story.modified(without_reference(turn(story, taken, "Released")), by="client")
    assert verdict_of("PVB-045", story) is Verdict.PASS
    story.modified(reserved_by(cleared, mine))
    assert "refers again" in message_of("PVB-045", story)


def test_a_cleared_reference_to_a_live_claim_may_return() -> None:
    story = Story()
    taken, mine = pair(story)
    story.modified(reserved_by(story.modified(without_reference(taken), by="client"), mine))
    assert verdict_of("PVB-045", story) is Verdict.NOT_EXERCISED


def test_a_volume_that_waits_to_be_recycled_is_found() -> None:
    story = Story()
    taken, mine = pair(story, **RECYCLE)
    gone(story, mine)
    turn(story, taken, "Released")
    story.settled()
    assert "was not recycled" in message_of("PVB-096", story)


def test_a_pod_that_names_the_claim_keeps_a_volume_from_being_recycled() -> None:
    story = Story()
    taken, mine = pair(story, **RECYCLE)
    story.added(pod())
    gone(story, mine)
    turn(story, taken, "Released")
    story.settled()
    assert verdict_of("PVB-096", story) is Verdict.PASS


def test_a_pod_of_another_claim_of_the_name_keeps_nothing() -> None:
    story = Story()
    taken, mine = pair(story, **RECYCLE)
    story.added(pod())
    gone(story, mine)
    turn(story, taken, "Released")
    bound(story, available(story, volume("second")), story.added(claim()))
    story.settled()
    assert "was not recycled" in message_of("PVB-096", story)


def test_a_share_may_be_recycled() -> None:
    story = Story()
    taken, mine = pair(story, **RECYCLE)
    gone(story, mine)
    story.modified(without_reference(turn(story, taken, "Released")))
    assert verdict_of("PVB-097", story) is Verdict.PASS


def test_what_cannot_be_emptied_is_not_recycled() -> None:
    story = Story()
    taken, mine = pair(story, csi={"driver": "csi.example.com", "volumeHandle": "h"}, **RECYCLE)
    gone(story, mine)
    story.modified(put(without_reference(taken), ("status", "phase"), "Available"))
    assert "source csi was recycled" in message_of("PVB-097", story)
