"""Judges of how pods end, and of what comes after."""

import pytest

from pvkit.backends.objects import Obj, put, uid
from pvkit.backends.protocol import Fault
from pvkit.conformance.invariants.pod_lifecycle import MOST_REPLACEMENTS
from pvkit.conformance.verdict import Verdict
from tests.conformance.histories import message_of, verdict_of
from tests.conformance.invariants.set_story import PARALLEL, SetStory

ENDS = [("STS-100", "Failed"), ("STS-101", "Succeeded")]


@pytest.mark.parametrize(("id", "phase"), ENDS)
@pytest.mark.parametrize("policy", [{}, PARALLEL])
def test_a_pod_that_ended_does_not_stay(id: str, phase: str, policy: dict[str, str]) -> None:
    story = SetStory(**policy)
    story.all_up()
    story.finish(story.got("Pod", "web-1"), phase)
    story.settled()
    assert f"web-1 is {phase} and was not replaced" in message_of(id, story)


@pytest.mark.parametrize(("id", "phase"), ENDS)
def test_a_pod_that_ended_is_replaced(id: str, phase: str) -> None:
    story = SetStory()
    story.all_up()
    story.drop(story.finish(story.got("Pod", "web-1"), phase))
    story.pod(1)
    story.settled()
    assert verdict_of(id, story) is Verdict.PASS


@pytest.mark.parametrize(("id", "phase"), ENDS)
def test_a_pod_that_ended_behind_a_broken_one_is_not_come_by(id: str, phase: str) -> None:
    story = SetStory()
    story.all_up()
    story.ready(story.got("Pod", "web-0"), ready=False)
    story.finish(story.got("Pod", "web-1"), phase)
    story.settled()
    assert verdict_of(id, story) is Verdict.PASS


def test_a_failed_pod_that_a_finalizer_holds_is_going_already() -> None:
    story = SetStory()
    story.all_up()
    story.mark(story.finish(story.got("Pod", "web-1")))
    story.settled()
    assert verdict_of("STS-100", story) is Verdict.PASS


def running(story: SetStory, pod: Obj) -> Obj:
    """The containers of a pod run."""
    spec = {"pod": pod["metadata"]["name"], "namespace": "default", "podUID": uid(pod), "node": "n1", "volumes": []}
    return story.added({"kind": "Process", "metadata": {"name": uid(pod)}, "spec": spec}, by="kubelet")


def test_a_pod_must_not_go_before_its_containers() -> None:
    story = SetStory()
    pod = story.pod(0)
    running(story, pod)
    story.drop(pod, by="node-lifecycle")
    assert "while its containers run on n1" in message_of("STS-102", story)


def test_a_pod_goes_when_its_containers_have_stopped() -> None:
    story = SetStory()
    pod = story.pod(0)
    process = running(story, pod)
    story.mark(pod)
    story.deleted(process, by="kubelet")
    story.gone(pod)
    assert verdict_of("STS-102", story) is Verdict.PASS


@pytest.mark.parametrize("how", ["by force", "its node is gone", "its node is out of service", "no time to stop"])
def test_a_pod_that_was_given_up_may_go_before_its_containers(how: str) -> None:
    story = SetStory()
    pod = story.pod(0, **({"spec__terminationGracePeriodSeconds": 0} if how == "no time to stop" else {}))
    running(story, pod)
    if how == "by force":
        story.mark(pod, by="client", grace=0)
    elif how == "its node is gone":
        story.gone(story.node, by="client")
    elif how == "its node is out of service":
        taint = {"key": "node.kubernetes.io/out-of-service", "effect": "NoExecute"}
        story.modified({**story.node, "spec": {"taints": [taint]}}, by="client")
    story.mark(pod, by="pod-gc", grace=0)
    story.gone(pod)
    assert verdict_of("STS-102", story) is not Verdict.FAIL


def test_a_late_delete_that_hits_the_next_pod_is_noticed() -> None:
    story = SetStory()
    story.drop(story.pod(0), by="client")
    story.mark(story.pod(0), by="kubelet", grace=0)
    assert "with a grace of 0 s, it asks for 30" in message_of("STS-103", story)


def test_a_client_may_give_no_grace() -> None:
    story = SetStory()
    story.mark(story.pod(0), by="client", grace=0)
    assert verdict_of("STS-103", story) is not Verdict.FAIL


def test_a_pod_that_does_not_run_needs_no_grace() -> None:
    story = SetStory()
    story.mark(story.pod(0, ready=False), grace=0)
    assert verdict_of("STS-103", story) is Verdict.NOT_EXERCISED


def test_the_pod_collector_deletes_by_name_alone() -> None:
    story = SetStory()
    waiting = story.pod(0, ready=False)
    story.mark(waiting, by="client", grace=0)
    story.gone(waiting, by="client")
    story.mark(story.pod(0), by="pod-gc", grace=0)
    assert verdict_of("STS-103", story) is not Verdict.FAIL


def test_a_pod_that_ended_does_not_run_again() -> None:
    story = SetStory()
    story.ready(story.finish(story.pod(0)))
    assert message_of("STS-104", story) == "web-0 was Failed and is Running"


def test_a_client_may_write_any_phase() -> None:
    story = SetStory()
    ended = story.modified({**story.pod(0), "status": {"phase": "Failed"}}, by="client")
    story.ready(ended)
    assert verdict_of("STS-104", story) is Verdict.NOT_EXERCISED


def test_a_node_agent_that_restarts_from_an_old_list_does_not_know_of_the_end() -> None:
    story = SetStory()
    ended = story.finish(story.pod(0))
    story.asked(Fault("crash", {"controller": "kubelet", "lists": {"Pod": "stale:2"}}))
    story.ready(ended)
    assert verdict_of("STS-104", story) is Verdict.NOT_EXERCISED


def test_a_pod_does_not_move() -> None:
    story = SetStory()
    story.modified(put(story.pod(0), ("spec", "nodeName"), "n2"), by="scheduler")
    assert message_of("STS-105", story) == "web-0 moved from n1 to n2"


def replaced(story: SetStory, times: int) -> None:
    """One pod is deleted by its set and comes back, again and again."""
    for _ in range(times):
        story.drop(story.got("Pod", "web-0"))
        story.pod(0)


def test_a_pod_that_is_replaced_over_and_over_is_noticed() -> None:
    story = SetStory(replicas=1)
    story.pod(0)
    replaced(story, MOST_REPLACEMENTS + 1)
    assert "without a reason" in message_of("STS-106", story)


def test_a_few_replacements_are_within_reason() -> None:
    story = SetStory(replicas=1)
    story.pod(0)
    replaced(story, MOST_REPLACEMENTS)
    assert verdict_of("STS-106", story) is Verdict.PASS


def test_a_pod_that_fails_again_and_again_is_replaced_again_and_again() -> None:
    story = SetStory(replicas=1)
    for _ in range(MOST_REPLACEMENTS + 5):
        story.drop(story.finish(story.pod(0)))
    assert verdict_of("STS-106", story) is Verdict.NOT_EXERCISED
