"""Judges of what a set has at rest, and the many good reasons for which it may have less."""

import pytest

from pvkit.backends.objects import owner_reference, put
from pvkit.backends.protocol import Fault
from pvkit.conformance.verdict import Verdict
from tests.conformance.histories import message_of, verdict_of
from tests.conformance.invariants.set_story import OWNERS, PARALLEL, SetStory, relabelled, retention, rolling

IDS = ("STS-080", "STS-081", "STS-082", "STS-083")


@pytest.mark.parametrize("id", IDS)
def test_a_set_that_has_what_it_wants_breaks_no_promise(id: str) -> None:
    story = SetStory()
    story.all_up()
    assert verdict_of(id, story) is Verdict.PASS


def test_a_pod_that_is_missing_for_no_reason_is_noticed() -> None:
    story = SetStory()
    story.up(0, 1)
    story.settled()
    assert message_of("STS-080", story) == "web-2 does not exist, and nothing is in its way"


def test_a_set_with_no_pods_at_all_is_noticed() -> None:
    story = SetStory()
    story.settled()
    assert verdict_of("STS-080", story) is Verdict.FAIL


def test_a_broken_pod_holds_back_those_above() -> None:
    story = SetStory()
    story.pod(0, ready=False)
    story.settled()
    assert verdict_of("STS-080", story) is not Verdict.FAIL


def test_with_parallel_a_broken_pod_holds_back_nobody() -> None:
    story = SetStory(**PARALLEL)
    story.pod(0, ready=False)
    story.settled()
    assert verdict_of("STS-080", story) is Verdict.FAIL


def test_a_set_that_is_being_deleted_wants_nothing() -> None:
    story = SetStory()
    story.set = story.mark(story.set, by="client")
    story.settled()
    assert verdict_of("STS-080", story) is Verdict.NOT_EXERCISED


def in_the_way(story: SetStory, what: str) -> None:
    """Something keeps pod 2 from being created."""
    if what == "a taken name":
        story.born(2, by="client", metadata__ownerReferences=[{**owner_reference(story.node), "name": "n1"}])
    elif what == "a claim that is going":
        story.mark(story.claim(2), by="client")
    elif what == "a doomed claim":
        earlier = {**owner_reference(story.got("Pod", "web-0")), "name": "web-2", "uid": "earlier"}
        story.modified(put(story.claim(2), OWNERS, [earlier]), by="statefulset")
    elif what == "a quota":
        story.added({"kind": "ResourceQuota", "metadata": {"name": "few"}, "spec": {"hard": {"pods": "2"}}})
    elif what == "a claim that went unseen":
        story.gone(story.claim(2), by="client")


@pytest.mark.parametrize(
    "what", ["a taken name", "a claim that is going", "a doomed claim", "a quota", "a claim that went unseen"]
)
@pytest.mark.parametrize("policy", [{}, PARALLEL])
def test_a_good_reason_excuses_a_missing_pod(what: str, policy: dict[str, str]) -> None:
    story = SetStory(**policy)
    story.up(0, 1)
    in_the_way(story, what)
    story.settled()
    assert verdict_of("STS-080", story) is not Verdict.FAIL


def test_a_name_that_is_too_long_excuses_missing_pods() -> None:
    story = SetStory(replicas=0)
    story.added(
        {**story.set, "metadata": {"name": "w" * 60, "generation": 1}, "spec": {**story.set["spec"], "replicas": 1}}
    )
    story.settled()
    assert verdict_of("STS-080", story) is Verdict.PASS


def test_a_set_that_was_kept_from_seeing_and_not_woken_since_is_excused() -> None:
    story = SetStory()
    story.asked(Fault("hold", {"controller": "statefulset", "kind": "Pod"}))
    story.asked(Fault("heal"))
    story.settled()
    assert verdict_of("STS-080", story) is Verdict.NOT_EXERCISED


def test_a_condemned_pod_that_stays_is_noticed() -> None:
    story = SetStory()
    story.all_up()
    story.edit(replicas=2)
    story.settled()
    assert "web-2 is out of range and was not deleted" in message_of("STS-081", story)


@pytest.mark.parametrize("policy", [{}, PARALLEL])
def test_a_broken_condemned_pod_goes_if_it_is_the_only_one(policy: dict[str, str]) -> None:
    story = SetStory(**policy)
    story.all_up()
    story.ready(story.got("Pod", "web-2"), ready=False)
    story.edit(replicas=2)
    story.settled()
    assert verdict_of("STS-081", story) is Verdict.FAIL


def test_two_broken_condemned_pods_wait_for_each_other() -> None:
    story = SetStory()
    story.all_up()
    story.edit(replicas=1)
    for at in (1, 2):
        story.ready(story.got("Pod", f"web-{at}"), ready=False)
    story.settled()
    assert verdict_of("STS-081", story) is Verdict.PASS


def test_a_condemned_pod_that_terminates_holds_back_those_below() -> None:
    story = SetStory()
    story.all_up()
    story.edit(replicas=1)
    story.mark(story.got("Pod", "web-2"))
    story.settled()
    assert verdict_of("STS-081", story) is Verdict.PASS


def test_a_broken_pod_that_stays_holds_back_scaling_down() -> None:
    story = SetStory()
    story.all_up()
    story.ready(story.got("Pod", "web-0"), ready=False)
    story.edit(replicas=1)
    story.settled()
    assert verdict_of("STS-081", story) is Verdict.PASS


def updating(**spec: object) -> SetStory:
    """A new template, and one pod of three replaced."""
    story = SetStory(**spec)
    story.all_up()
    story.roll("2")
    story.drop(story.got("Pod", "web-2"))
    story.pod(2, "2")
    story.say("1", "2", replicas=3, readyReplicas=3, availableReplicas=3, currentReplicas=2, updatedReplicas=1)
    return story


def test_an_update_that_stops_half_way_is_noticed() -> None:
    story = updating()
    story.settled()
    assert "web-0 is still at revision 'web-rev1'" in message_of("STS-082", story)


def test_an_update_stops_at_the_partition() -> None:
    story = updating(**rolling(partition=2))
    story.settled()
    assert verdict_of("STS-082", story) is Verdict.PASS


@pytest.mark.parametrize("policy", [{}, PARALLEL])
def test_an_update_may_stop_at_a_broken_pod(policy: dict[str, str]) -> None:
    story = updating(**policy)
    story.ready(story.got("Pod", "web-2"), ready=False)
    story.settled()
    assert verdict_of("STS-082", story) is Verdict.PASS


def test_on_delete_waits_for_ever() -> None:
    story = updating(updateStrategy={"type": "OnDelete"})
    story.settled()
    assert verdict_of("STS-082", story) is Verdict.NOT_EXERCISED


def test_a_changed_name_label_is_put_back() -> None:
    story = SetStory()
    story.all_up()
    story.modified(relabelled(story.got("Pod", "web-1"), name="else"), by="client")
    story.settled()
    assert "'else'" in message_of("STS-083", story)


def test_behind_a_broken_pod_no_label_is_put_back() -> None:
    story = SetStory()
    story.all_up()
    story.ready(story.got("Pod", "web-0"), ready=False)
    story.modified(relabelled(story.got("Pod", "web-1"), name="else"), by="client")
    story.settled()
    assert verdict_of("STS-083", story) is Verdict.PASS


def test_retention_is_no_reason_for_a_missing_pod() -> None:
    story = SetStory(**retention("Delete", "Delete"))
    story.up(0, 1)
    story.settled()
    assert verdict_of("STS-080", story) is Verdict.FAIL
