"""Judges of metadata: what an object never changes, and how it goes."""

import pytest

from pvkit.backends.objects import Obj, put, without
from pvkit.conformance.verdict import Verdict
from tests.conformance.histories import Story, message_of, verdict_of
from tests.conformance.invariants.set_story import SetStory


def node(story: Story, **metadata: object) -> Obj:
    """A node appears."""
    return story.added({"kind": "Node", "metadata": {"name": "n", **metadata}, "spec": {}})


def test_an_ordinary_life_breaks_no_promise() -> None:
    story = Story()
    made = node(story, finalizers=["a/b", "c/d"])
    made = story.modified(put(made, ("spec", "unschedulable"), True))
    made = story.terminating(made)
    made = story.modified(put(made, ("metadata", "finalizers"), ["c/d"]))
    story.deleted(made)
    node(story)
    verdicts = {f"API-00{number}": verdict_of(f"API-00{number}", story) for number in range(1, 7)}
    assert set(verdicts.values()) == {Verdict.PASS}


@pytest.mark.parametrize(("field", "word"), [("uid", "UID"), ("creationTimestamp", "time of creation")])
def test_an_object_that_becomes_another_is_noticed(field: str, word: str) -> None:
    story = Story()
    story.modified(put(node(story), ("metadata", field), "2030-01-01T00:00:00Z"))
    assert word in message_of("API-001", story)


def test_an_object_that_comes_back_from_the_dead_is_noticed() -> None:
    story = Story()
    made = node(story)
    story.deleted(made)
    story.added(made)
    assert "came back with its UID" in message_of("API-002", story)


def test_a_version_that_falls_is_noticed() -> None:
    story = Story()
    made = node(story)
    story.modified(made)
    story.entries.reverse()
    assert verdict_of("API-003", story) is Verdict.FAIL


def test_versions_of_different_objects_may_come_late_from_a_cluster() -> None:
    story = Story()
    node(story)
    story.added({"kind": "Service", "metadata": {"name": "s"}, "spec": {}})
    story.entries.reverse()
    assert verdict_of("API-003", story, lag=5.0) is not Verdict.FAIL
    assert verdict_of("API-003", story, lag=0.0) is Verdict.FAIL


def test_a_deletion_that_is_taken_back_is_noticed() -> None:
    story = Story()
    made = story.terminating(node(story, finalizers=["a/b"]))
    story.modified(without(made, ("metadata", "deletionTimestamp")))
    assert "is not any more" in message_of("API-004", story)


def test_a_grace_that_grows_is_noticed() -> None:
    story = Story()
    made = story.terminating(node(story, finalizers=["a/b"]))
    story.modified(put(made, ("metadata", "deletionGracePeriodSeconds"), 30))
    assert "had 0 s to stop and has 30 s" in message_of("API-004", story)


def test_a_deletion_that_was_overdue_may_be_dated_anew() -> None:
    story = Story()
    made = story.terminating(node(story, finalizers=["a/b"]))
    story.modified(put(made, ("metadata", "deletionTimestamp"), "2030-01-01T00:00:00Z"))
    assert verdict_of("API-004", story) is Verdict.PASS


def test_a_finalizer_that_comes_late_is_noticed() -> None:
    story = Story()
    made = story.terminating(node(story, finalizers=["a/b"]))
    story.modified(put(made, ("metadata", "finalizers"), ["a/b", "c/d"]))
    assert "got the finalizer c/d" in message_of("API-005", story)


def test_the_collectors_own_finalizers_may_come_late() -> None:
    story = Story()
    made = story.terminating(node(story, finalizers=["a/b"]))
    story.modified(put(made, ("metadata", "finalizers"), ["a/b", "foregroundDeletion"]))
    assert verdict_of("API-005", story) is Verdict.PASS


def test_an_object_that_goes_in_spite_of_its_finalizers_is_noticed() -> None:
    story = Story()
    story.deleted(node(story, finalizers=["a/b"]))
    assert "was removed at once in spite of a/b" in message_of("API-006", story)


def test_a_pod_that_goes_without_a_mark_is_noticed() -> None:
    story = SetStory()
    story.gone(story.pod(0))
    assert verdict_of("API-007", story) is Verdict.FAIL


def test_a_pod_may_fall_to_the_deletion_of_the_one_whose_name_it_took() -> None:
    story = SetStory()
    story.drop(story.pod(0))
    story.gone(story.pod(0))
    assert verdict_of("API-007", story) is Verdict.PASS


def test_a_deletion_that_is_long_over_takes_nothing_more() -> None:
    story = SetStory()
    story.drop(story.pod(0))
    story.time += 61.0
    story.gone(story.pod(0))
    assert verdict_of("API-007", story) is Verdict.FAIL


def test_a_pod_that_was_marked_may_go() -> None:
    story = SetStory()
    story.drop(story.pod(0))
    assert verdict_of("API-007", story) is Verdict.PASS


def test_the_generation_of_a_set_rises_with_its_wishes() -> None:
    story = SetStory()
    story.edit(replicas=5)
    story.say(replicas=0)
    assert verdict_of("API-008", story) is Verdict.PASS


def test_a_generation_that_rises_with_a_status_is_noticed() -> None:
    story = SetStory()
    story.set = put(story.set, ("metadata", "generation"), 2)
    story.say(replicas=0)
    assert "without a new spec" in message_of("API-008", story)


def test_a_wish_that_does_not_count_is_noticed() -> None:
    story = SetStory()
    story.modified(put(story.set, ("spec", "replicas"), 5), by="client")
    assert "kept generation 1" in message_of("API-008", story)


def test_a_generation_that_does_not_begin_with_1_is_noticed() -> None:
    story = Story()
    story.added({"kind": "StatefulSet", "metadata": {"name": "s", "generation": 3}, "spec": {}})
    assert "created with generation 3" in message_of("API-008", story)
