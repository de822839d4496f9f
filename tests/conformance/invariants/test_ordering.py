"""Judges of the order of a set's pods: at cuts that the set may have seen, and nowhere else."""

import pytest

from pvkit.backends.objects import put
from pvkit.backends.protocol import Fault
from pvkit.conformance.verdict import Verdict
from tests.conformance.histories import message_of, verdict_of
from tests.conformance.invariants.set_story import PARALLEL, SetStory

ORDER = ("STS-010", "STS-011", "STS-013", "STS-014", "STS-015", "STS-016")


def scaled_down() -> SetStory:
    """Three pods, then two fewer, the highest first."""
    story = SetStory()
    story.all_up()
    story.edit(replicas=1)
    for at in (2, 1):
        story.drop(story.got("Pod", f"web-{at}"))
    story.settled()
    return story


@pytest.mark.parametrize("id", ORDER)
def test_scaling_up_and_down_in_order_breaks_no_promise(id: str) -> None:
    assert verdict_of(id, scaled_down()) is Verdict.PASS


def test_a_pod_out_of_range_must_not_be_created() -> None:
    story = SetStory(replicas=2)
    story.up(0, 1, 2)
    assert "ordinals 0 to 1" in message_of("STS-010", story)


def test_a_range_that_just_shrank_excuses_a_creation() -> None:
    story = SetStory(replicas=3)
    story.up(0, 1)
    story.edit(replicas=2)
    story.pod(2)
    assert verdict_of("STS-010", story) is Verdict.PASS


def test_a_range_that_shrank_before_a_rest_excuses_nothing() -> None:
    story = SetStory(replicas=3)
    story.up(0, 1)
    story.edit(replicas=2)
    story.settled()
    story.pod(2)
    assert verdict_of("STS-010", story) is Verdict.FAIL


def test_a_pod_must_not_come_before_the_one_below_is_ready() -> None:
    story = SetStory()
    story.pod(0, ready=False)
    story.pod(1)
    assert "web-0 was not ready" in message_of("STS-011", story)


def test_a_pod_must_not_come_before_the_one_below_exists() -> None:
    story = SetStory()
    story.pod(1)
    assert "web-0 did not exist" in message_of("STS-011", story)


def test_a_pod_must_not_come_while_the_one_below_terminates() -> None:
    story = SetStory()
    story.up(0, 1)
    story.mark(story.got("Pod", "web-0"), by="client")
    story.drop(story.got("Pod", "web-1"), by="client")
    story.settled()
    story.pod(1)
    assert "web-0 was terminating" in message_of("STS-011", story)


def test_readiness_that_was_lost_meanwhile_is_excused() -> None:
    story = SetStory()
    story.ready(story.pod(0), ready=False)
    story.pod(1)
    assert verdict_of("STS-011", story) is Verdict.PASS


def test_readiness_that_was_lost_before_a_rest_is_not() -> None:
    story = SetStory()
    story.ready(story.pod(0), ready=False)
    story.settled()
    story.pod(1)
    assert verdict_of("STS-011", story) is Verdict.FAIL


def test_a_restart_from_an_old_list_excuses_what_is_long_past() -> None:
    story = SetStory()
    story.ready(story.pod(0), ready=False)
    story.settled()
    story.asked(Fault("crash", {"controller": "statefulset", "lists": {"Pod": "stale:1"}}))
    story.pod(1)
    assert verdict_of("STS-011", story) is Verdict.PASS


def test_holes_are_filled_while_higher_pods_run() -> None:
    story = SetStory()
    story.all_up()
    story.drop(story.got("Pod", "web-0"), by="client")
    story.pod(0)
    assert verdict_of("STS-011", story) is Verdict.PASS


def test_parallel_sets_promise_no_order() -> None:
    story = SetStory(**PARALLEL)
    for at in (2, 0, 1):
        story.pod(at, ready=False)
    story.edit(replicas=0)
    for at in (0, 2, 1):
        story.drop(story.got("Pod", f"web-{at}"))
    assert {verdict_of(id, story) for id in ("STS-011", "STS-014", "STS-015", "STS-016")} == {Verdict.NOT_EXERCISED}


def test_pods_that_a_client_makes_are_in_no_order() -> None:
    story = SetStory()
    story.born(2, by="client")
    assert verdict_of("STS-011", story) is Verdict.NOT_EXERCISED


def test_a_pod_that_appears_after_its_set_is_gone_is_nobodys_order() -> None:
    story = SetStory()
    story.gone(story.set, by="client")
    story.pod(1)
    assert {verdict_of(id, story) for id in ("STS-010", "STS-011", "STS-013")} == {Verdict.NOT_EXERCISED}


def test_a_pod_must_not_come_before_the_one_below_was_ready_for_long_enough() -> None:
    story = SetStory(minReadySeconds=30)
    story.up(0, 1)
    assert "had been ready for 30 s" in message_of("STS-012", story)


def test_a_pod_may_come_when_the_one_below_was_ready_for_long_enough() -> None:
    story = SetStory(minReadySeconds=30)
    story.pod(0)
    story.pause(30)
    story.pod(1)
    assert verdict_of("STS-012", story) is Verdict.PASS


def test_a_second_too_early_is_within_the_grain_of_time_stamps() -> None:
    story = SetStory(minReadySeconds=5)
    story.pod(0)
    story.pause(2)
    story.pod(1)
    assert verdict_of("STS-012", story) is Verdict.PASS


def test_a_terminating_set_must_create_nothing() -> None:
    story = SetStory()
    story.set = story.mark(story.set, by="client")
    story.settled()
    story.pod(0)
    assert "being deleted" in message_of("STS-013", story)


def test_a_set_may_not_have_seen_its_deletion_yet() -> None:
    story = SetStory()
    story.set = story.mark(story.set, by="client")
    story.pod(0)
    assert verdict_of("STS-013", story) is Verdict.PASS


def test_a_lower_pod_must_not_go_before_a_higher_one() -> None:
    story = SetStory()
    story.all_up()
    story.edit(replicas=1)
    story.mark(story.got("Pod", "web-1"))
    assert "while web-2 still existed" in message_of("STS-014", story)


def test_a_lower_pod_must_not_go_while_a_higher_one_terminates() -> None:
    story = SetStory()
    story.all_up()
    story.edit(replicas=1)
    story.mark(story.got("Pod", "web-2"))
    story.mark(story.got("Pod", "web-1"))
    assert verdict_of("STS-014", story) is Verdict.FAIL


@pytest.mark.parametrize("id", ["STS-014", "STS-015", "STS-016", "STS-022"])
def test_clients_delete_what_they_like(id: str) -> None:
    story = SetStory()
    story.all_up()
    story.edit(replicas=2)
    story.drop(story.got("Pod", "web-0"), by="client")
    assert verdict_of(id, story) is not Verdict.FAIL


@pytest.mark.parametrize("id", ["STS-014", "STS-015", "STS-016", "STS-022"])
def test_a_failed_pod_is_replaced_in_no_order(id: str) -> None:
    story = SetStory()
    story.all_up()
    story.drop(story.finish(story.got("Pod", "web-0")))
    assert verdict_of(id, story) is not Verdict.FAIL


@pytest.mark.parametrize("id", ["STS-014", "STS-015", "STS-022"])
def test_an_evicted_pod_goes_in_no_order(id: str) -> None:
    story = SetStory()
    story.all_up()
    story.edit(replicas=1)
    pod = story.got("Pod", "web-1")
    target = {"type": "DisruptionTarget", "status": "True"}
    pod = put(pod, ("status", "conditions"), [*pod["status"]["conditions"], target])
    story.mark(story.modified(pod, by="taint-eviction"), by="taint-eviction")
    assert verdict_of(id, story) is not Verdict.FAIL


@pytest.mark.parametrize("id", ["STS-014", "STS-015", "STS-022"])
def test_the_pods_of_a_deleted_set_go_in_no_order(id: str) -> None:
    story = SetStory()
    story.all_up()
    story.gone(story.set, by="client")
    for at in (1, 0, 2):
        story.drop(story.got("Pod", f"web-{at}"), by="garbage-collector")
    assert verdict_of(id, story) is not Verdict.FAIL


def test_a_broken_pod_that_stays_halts_scaling_down() -> None:
    story = SetStory()
    story.all_up()
    story.ready(story.got("Pod", "web-0"), ready=False)
    story.settled()
    story.edit(replicas=1)
    story.mark(story.got("Pod", "web-2"))
    assert "not all ready" in message_of("STS-015", story)


def test_a_pod_that_broke_a_moment_ago_may_not_have_been_seen() -> None:
    story = SetStory()
    story.all_up()
    story.edit(replicas=1)
    story.ready(story.got("Pod", "web-0"), ready=False)
    story.mark(story.got("Pod", "web-2"))
    assert verdict_of("STS-015", story) is Verdict.PASS


def two_broken() -> SetStory:
    """Pods 2 and 1 are broken, and so it stays; then two fewer are wanted."""
    story = SetStory()
    story.all_up()
    for at in (2, 1):
        story.ready(story.got("Pod", f"web-{at}"), ready=False)
    story.settled()
    story.edit(replicas=1)
    return story


def test_of_two_broken_pods_the_higher_waits_for_the_lower() -> None:
    story = two_broken()
    story.mark(story.got("Pod", "web-2"))
    assert "a condemned pod below it" in message_of("STS-016", story)


def test_one_broken_pod_alone_may_go() -> None:
    story = two_broken()
    story.ready(story.got("Pod", "web-1"))
    story.mark(story.got("Pod", "web-2"))
    assert verdict_of("STS-016", story) is Verdict.PASS


def test_a_pod_named_web_00_makes_order_undecidable() -> None:
    story = SetStory()
    story.born(0, by="client", metadata__name="web-00", metadata__ownerReferences=None)
    story.pod(1)
    assert verdict_of("STS-011", story) is Verdict.PASS
