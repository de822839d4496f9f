"""What is in use is not removed, and what is no longer used is let go."""

import pytest

from pvkit.backends.objects import Obj, put
from pvkit.backends.protocol import Fault
from pvkit.conformance.verdict import Verdict
from tests.conformance.histories import Story, message_of, result_of, verdict_of
from tests.conformance.invariants.storage_story import available, claim, gone, pair, pod, turn, volume


def placed(story: Story, made: Obj, by: str = "scheduler") -> Obj:
    return story.modified(put(story.added(made), ("spec", "nodeName"), "node-1"), by=by)


@pytest.mark.parametrize("made", [claim(), volume()])
def test_protection_is_there_from_the_beginning(made: Obj) -> None:
    story = Story()
    story.added(made)
    assert verdict_of("PVB-100", story) is Verdict.PASS
    story.added(put(put(made, ("metadata", "finalizers"), []), ("metadata", "name"), "bare"))
    assert "was made without finalizer" in message_of("PVB-100", story)


def test_a_claim_in_use_is_not_let_go() -> None:
    story = Story()
    used = story.added(claim())
    placed(story, pod())
    story.deleted(story.terminating(used))
    assert "while pod pod on node-1 uses it" in message_of("PVB-101", story)


def test_a_finished_pod_still_uses_its_claim() -> None:
    story = Story()
    used = story.added(claim())
    turn(story, placed(story, pod()), "Succeeded")
    story.modified(put(story.terminating(used), ("metadata", "finalizers"), ["example.com/mine"]))
    assert verdict_of("PVB-101", story) is Verdict.FAIL


def test_a_claim_is_let_go_after_its_pods() -> None:
    story = Story()
    used = story.added(claim())
    user = placed(story, pod())
    marked = story.terminating(used)
    story.deleted(user)
    story.added(pod("waiting"))
    story.deleted(marked)
    assert result_of("PVB-101", story).at_risk == 1


def test_a_pod_placed_after_the_deletion_may_not_have_been_seen() -> None:
    story = Story()
    marked = story.terminating(story.added(claim()))
    placed(story, pod())
    story.deleted(marked)
    assert verdict_of("PVB-101", story) is Verdict.PASS


def test_a_client_may_tear_a_claim_away() -> None:
    story = Story()
    used = story.added(claim())
    placed(story, pod())
    story.deleted(story.terminating(used), by="client")
    assert verdict_of("PVB-101", story) is Verdict.NOT_EXERCISED


def test_a_bound_volume_is_not_let_go() -> None:
    story = Story()
    taken, _ = pair(story)
    story.deleted(story.terminating(taken))
    assert "was let go while it was Bound" in message_of("PVB-102", story)


def test_a_released_volume_is_let_go() -> None:
    story = Story()
    taken, claimed = pair(story)
    marked = story.terminating(taken)
    gone(story, claimed)
    story.deleted(turn(story, marked, "Released"))
    assert result_of("PVB-102", story).at_risk == 1


def test_an_unused_claim_is_let_go_in_the_end() -> None:
    story = Story()
    story.terminating(story.added(claim()))
    story.settled()
    assert "no pod uses it, and it is still held" in message_of("PVB-103", story)
    placed(story, pod())
    story.entries.pop(-3)
    story.settled()
    assert result_of("PVB-103", story).at_risk == 1


def test_a_pod_without_a_node_holds_no_claim() -> None:
    story = Story()
    story.added(pod())
    story.terminating(story.added(claim()))
    story.settled()
    assert verdict_of("PVB-103", story) is Verdict.FAIL


def test_an_unbound_volume_is_let_go_in_the_end() -> None:
    story = Story()
    story.terminating(available(story, volume()))
    story.settled()
    assert "is Available, and is still held" in message_of("PVB-104", story)
    story = Story()
    story.terminating(pair(story)[0])
    story.settled()
    assert result_of("PVB-104", story).at_risk == 1


def test_protection_taken_by_hand_comes_back() -> None:
    story = Story()
    bare = story.modified(put(story.added(claim()), ("metadata", "finalizers"), []), by="client")
    story.settled()
    assert "lacks finalizer kubernetes.io/pvc-protection" in message_of("PVB-105", story)
    story.entries.pop()
    story.modified(put(bare, ("metadata", "finalizers"), ["kubernetes.io/pvc-protection"]))
    story.settled()
    assert result_of("PVB-105", story).at_risk == 1


def test_a_deletion_is_final() -> None:
    story = Story()
    used = story.added(claim())
    marked = story.terminating(used)
    story.modified(put(marked, ("metadata", "labels"), {"a": "b"}))
    assert verdict_of("PVB-106", story) is Verdict.PASS
    story.modified(put(marked, ("metadata", "finalizers"), ["kubernetes.io/pvc-protection", "more"]), by="client")
    assert "got finalizers ['more']" in message_of("PVB-106", story)
    story = Story()
    used = story.added(claim())
    story.terminating(used)
    story.modified(used)
    assert "is no longer to be deleted" in message_of("PVB-106", story)


@pytest.mark.parametrize("finalizer", ["orphan", "foregroundDeletion"])
def test_a_second_deletion_may_add_the_collectors_finalizer(finalizer: str) -> None:
    story = Story()
    marked = story.terminating(story.added(claim()))
    held = story.modified(put(marked, ("metadata", "finalizers"), [*marked["metadata"]["finalizers"], finalizer]))
    story.modified(put(held, ("metadata", "finalizers"), marked["metadata"]["finalizers"]), by="garbage-collector")
    assert verdict_of("PVB-106", story) is Verdict.PASS


@pytest.mark.parametrize("at_rest", [True, False])
def test_a_pod_that_came_and_went_unseen_tells_nobody_that_its_claim_is_free(at_rest: bool) -> None:
    story = Story()
    user = placed(story, pod())
    story.terminating(story.added(claim()))
    if at_rest:
        story.settled()
    story.asked(Fault("release", {"controller": "pvc-protection", "kind": "Pod", "how": "merged"}))
    story.deleted(user)
    story.settled()
    assert (verdict_of("PVB-103", story) is Verdict.FAIL) is at_rest
