"""What either side has promised to the other is kept."""

from pvkit.backends.objects import put
from pvkit.backends.protocol import Fault
from pvkit.conformance.verdict import Verdict
from tests.conformance.histories import Story, message_of, result_of, verdict_of
from tests.conformance.invariants.storage_story import (
    available,
    claim,
    give,
    pair,
    reference,
    reserved_by,
    volume,
    without_reference,
)


def test_a_volume_is_freed_before_anybody_else_gets_it() -> None:
    story = Story()
    taken, _ = pair(story)
    second = story.added(claim("second"))
    give(story, story.modified(without_reference(taken)), second)
    assert verdict_of("PVB-040", story) is Verdict.PASS


def test_a_volume_is_not_passed_on() -> None:
    story = Story()
    taken, _ = pair(story)
    give(story, taken, story.added(claim("second")))
    assert "in one write" in message_of("PVB-040", story)


def test_a_client_may_pass_a_volume_on() -> None:
    story = Story()
    taken, _ = pair(story)
    story.modified(reserved_by(taken, story.added(claim("second"))), by="client")
    assert verdict_of("PVB-040", story) is Verdict.NOT_EXERCISED


def test_a_reserved_volume_goes_to_the_claim_it_is_reserved_for() -> None:
    story = Story()
    free = available(story, reserved_by(volume(), claim(), with_uid=False))
    story.added(claim("second"))
    give(story, free, story.added(claim()), marked=False)
    assert result_of("PVB-041", story).at_risk == 1


def test_a_reserved_volume_goes_to_no_other() -> None:
    story = Story()
    free = available(story, reserved_by(volume(), claim(), with_uid=False))
    give(story, free, story.added(claim("second")))
    assert "reserved for default/claim, was given to second" in message_of("PVB-041", story)


def test_the_same_name_elsewhere_is_another_claim() -> None:
    story = Story()
    free = available(story, reserved_by(volume(), claim(), with_uid=False))
    elsewhere = claim()
    elsewhere["metadata"]["namespace"] = "elsewhere"
    give(story, free, story.added(elsewhere))
    assert verdict_of("PVB-041", story) is Verdict.FAIL


def test_the_volume_that_a_claim_names_is_final() -> None:
    story = Story()
    _, claimed = pair(story)
    assert verdict_of("PVB-042", story) is Verdict.PASS
    story.modified(put(claimed, ("spec", "volumeName"), "other"), by="client")
    assert "named volume and names other" in message_of("PVB-042", story)


def test_a_claim_that_names_a_volume_gets_that_one() -> None:
    story = Story()
    give(story, available(story, volume()), story.added(claim(volumeName="volume")))
    assert verdict_of("PVB-043", story) is Verdict.PASS


def test_a_claim_that_names_a_volume_gets_no_other() -> None:
    story = Story()
    give(story, available(story, volume()), story.added(claim(volumeName="another")))
    assert "names another and was given volume" in message_of("PVB-043", story)


def test_a_name_written_late_may_not_have_been_seen() -> None:
    story = Story()
    free, unbound = available(story, volume()), story.added(claim())
    story.asked(Fault("hold", {"controller": "binder", "kind": "PersistentVolumeClaim"}))
    story.modified(put(unbound, ("spec", "volumeName"), "another"), by="client")
    story.modified(put(free, ("spec", "claimRef"), reference(unbound)))
    assert verdict_of("PVB-043", story) is Verdict.NOT_EXERCISED
