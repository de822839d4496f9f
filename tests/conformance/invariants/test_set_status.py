"""Judges of a set's status: counts of some moment while things happen, of the present at rest."""

import pytest

from pvkit.backends.objects import put
from pvkit.backends.protocol import Fault, Operation
from pvkit.conformance.verdict import Verdict
from tests.conformance.histories import message_of, verdict_of
from tests.conformance.invariants.set_story import PARALLEL, SetStory, rolling

ALL = {"replicas": 3, "readyReplicas": 3, "availableReplicas": 3, "currentReplicas": 3, "updatedReplicas": 3}


@pytest.mark.parametrize("number", range(7))
def test_a_set_that_comes_up_breaks_no_promise_about_its_status(number: int) -> None:
    story = SetStory()
    story.all_up()
    story.settled()
    assert verdict_of(f"STS-07{number}", story) is Verdict.PASS


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"currentReplicas": -1}, "currentReplicas: -1"),
        ({"readyReplicas": 4}, "readyReplicas: 4 of 3"),
        ({"updatedReplicas": 4}, "updatedReplicas"),
        ({"readyReplicas": 1, "availableReplicas": 2}, "available than ready"),
    ],
)
def test_counts_out_of_bounds_are_noticed(wrong: dict[str, int], word: str) -> None:
    story = SetStory()
    story.say(**{**ALL, **wrong})
    assert word in message_of("STS-070", story)


def test_a_generation_that_does_not_exist_cannot_be_observed() -> None:
    story = SetStory()
    story.say(observedGeneration=2)
    assert "observed generation 2, and has 1" in message_of("STS-071", story)


def test_an_observed_generation_does_not_fall() -> None:
    story = SetStory()
    story.edit(replicas=2)
    story.say(observedGeneration=2)
    story.say(observedGeneration=1)
    assert "after a later one" in message_of("STS-071", story)


def test_a_restarted_controller_may_tell_what_it_saw_earlier() -> None:
    story = SetStory()
    story.edit(replicas=2)
    story.say(observedGeneration=2)
    story.asked(Fault("crash", {"controller": "statefulset"}))
    story.say(observedGeneration=1)
    assert verdict_of("STS-071", story) is Verdict.PASS


def test_a_client_may_write_any_observed_generation() -> None:
    story = SetStory()
    story.set = story.modified(put(story.set, ("status", "observedGeneration"), 99), by="client")
    assert verdict_of("STS-071", story) is Verdict.NOT_EXERCISED


def test_counts_of_no_moment_are_noticed() -> None:
    story = SetStory()
    story.up(0, 1)
    story.say(replicas=2, readyReplicas=3)
    assert "at no moment" in message_of("STS-072", story)


def test_counts_of_a_moment_ago_are_right() -> None:
    story = SetStory()
    story.up(0, 1)
    story.say(replicas=1, readyReplicas=0, updatedReplicas=1)
    assert verdict_of("STS-072", story) is Verdict.PASS


def test_counts_of_before_a_rest_are_not() -> None:
    story = SetStory()
    story.up(0, 1)
    story.settled()
    story.say(replicas=1, readyReplicas=0, updatedReplicas=1)
    assert verdict_of("STS-072", story) is Verdict.FAIL


def test_terminating_pods_are_counted() -> None:
    story = SetStory()
    story.all_up()
    story.edit(replicas=2)
    story.mark(story.got("Pod", "web-2"))
    story.settled()
    story.say(replicas=2, readyReplicas=2, updatedReplicas=2)
    assert verdict_of("STS-072", story) is Verdict.FAIL


def test_an_orphan_that_is_about_to_be_adopted_may_be_counted() -> None:
    story = SetStory()
    story.ready(story.born(0, by="client", metadata__ownerReferences=None))
    story.say(replicas=1, readyReplicas=1, updatedReplicas=1)
    assert verdict_of("STS-072", story) is Verdict.PASS


def test_a_client_may_write_any_counts() -> None:
    story = SetStory()
    story.set = story.modified({**story.set, "status": {"replicas": 7}}, by="client")
    assert verdict_of("STS-072", story) is Verdict.NOT_EXERCISED


@pytest.mark.parametrize("field", ["readyReplicas", "availableReplicas", "currentReplicas", "updatedReplicas"])
def test_a_count_that_is_wrong_at_rest_is_noticed(field: str) -> None:
    story = SetStory()
    story.up(0, 1, 2)
    story.say(**{**ALL, field: 2})
    story.settled()
    assert field in message_of("STS-073", story)


def test_availability_is_not_counted_where_time_may_be_short() -> None:
    story = SetStory(minReadySeconds=60)
    story.up(0)
    story.pause(60)
    story.up(1, 2)
    story.say(**{**ALL, "availableReplicas": 1})
    story.settled()
    assert verdict_of("STS-073", story, lag=5.0) is Verdict.PASS
    assert verdict_of("STS-073", story, lag=0.0) is Verdict.FAIL


def test_at_rest_the_generation_is_observed() -> None:
    story = SetStory()
    story.all_up()
    story.edit(replicas=2)
    story.settled()
    assert "has generation 2 and observed 1" in message_of("STS-074", story)


def test_a_set_that_is_being_deleted_promises_nothing_at_rest() -> None:
    story = SetStory()
    story.all_up()
    story.edit(replicas=2)
    story.set = story.mark(story.set, by="client")
    story.settled()
    assert verdict_of("STS-074", story) is Verdict.PASS


def test_a_finished_update_is_told() -> None:
    story = SetStory()
    story.up(0, 1, 2, image="1")
    story.record("2")
    story.say("2", "1", **ALL)
    story.settled()
    assert "all 3 replicas at web-rev1, and web-rev2 as current" in message_of("STS-075", story)


def test_with_a_partition_an_update_is_never_finished() -> None:
    story = SetStory(**rolling(partition=1))
    story.all_up()
    story.roll("2")
    for at in (2, 1):
        story.drop(story.got("Pod", f"web-{at}"))
        story.pod(at, "2")
    story.say("1", "2", **{**ALL, "currentReplicas": 1, "updatedReplicas": 2})
    story.settled()
    assert verdict_of("STS-075", story) is Verdict.PASS


def test_before_1_37_on_delete_never_finishes() -> None:
    story = SetStory(updateStrategy={"type": "OnDelete"})
    story.up(0, 1, 2)
    story.record("2")
    story.say("2", "1", **ALL)
    story.settled()
    assert verdict_of("STS-075", story, kubernetes_version="1.36") is Verdict.NOT_EXERCISED
    assert verdict_of("STS-075", story, kubernetes_version="1.37") is Verdict.FAIL


def test_a_set_at_rest_replaces_nothing() -> None:
    story = SetStory(replicas=1, **PARALLEL)
    story.all_up()
    story.drop(story.got("Pod", "web-0"))
    story.pod(0)
    story.settled()
    assert "replaced pods" in message_of("STS-076", story)


def test_a_set_at_rest_writes_nothing_to_itself() -> None:
    story = SetStory()
    story.all_up()
    story.say(**ALL, collisionCount=1)
    story.settled()
    assert "wrote to itself" in message_of("STS-076", story)


def test_after_an_operation_anything_may_change() -> None:
    story = SetStory()
    story.all_up()
    story.asked(Operation("get", target=None))
    story.say(**ALL, collisionCount=1)
    story.settled()
    assert verdict_of("STS-076", story) is Verdict.NOT_EXERCISED
