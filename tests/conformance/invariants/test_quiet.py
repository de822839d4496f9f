"""What is settled stays as it is."""

from pvkit.backends.objects import key, put
from pvkit.backends.protocol import Fault, Operation
from pvkit.conformance.verdict import Verdict
from tests.conformance.histories import Story, message_of, result_of, verdict_of
from tests.conformance.invariants.storage_story import pair


def rested() -> Story:
    story = Story()
    pair(story)
    story.settled()
    return story


def test_a_bound_pair_rests() -> None:
    story = rested()
    story.asked(Fault("advance", {"seconds": 60}))
    story.pause(60)
    story.settled()
    assert result_of("PVB-120", story).at_risk == 2


def test_nothing_writes_to_a_bound_pair_at_rest() -> None:
    story = Story()
    taken, _ = pair(story)
    story.settled()
    story.modified(put(taken, ("status", "message"), "still here"))
    story.settled()
    assert "changed although nobody asked" in message_of("PVB-120", story)


def test_after_an_operation_a_pair_may_change() -> None:
    story = Story()
    taken, _ = pair(story)
    story.settled()
    story.asked(Operation("patch", target=key(taken), patch={}))
    story.modified(put(taken, ("status", "message"), "still here"))
    story.settled()
    assert verdict_of("PVB-120", story) is Verdict.NOT_EXERCISED


def test_conditions_may_follow_the_pods() -> None:
    story = Story()
    _, claimed = pair(story)
    story.settled()
    story.modified(put(claimed, ("status", "conditions"), [{"type": "Unused", "status": "True"}]))
    story.settled()
    assert verdict_of("PVB-120", story) is Verdict.PASS
