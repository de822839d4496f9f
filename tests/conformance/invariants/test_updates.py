"""Judges of updates: which pods go for a new template, in which order, and what new ones are made from."""

import pytest

from pvkit.conformance.verdict import Verdict
from tests.conformance.histories import message_of, verdict_of
from tests.conformance.invariants.set_story import ON_DELETE, PARALLEL, SetStory, rolling

GONE = ("STS-020", "STS-021", "STS-022", "STS-023", "STS-024")


def updating(**spec: object) -> SetStory:
    """Three pods of the first revision, and a second one is wanted."""
    story = SetStory(**spec)
    story.all_up()
    story.roll("2")
    story.say("1", "2", replicas=3, readyReplicas=3, currentReplicas=3)
    return story


def replace(story: SetStory, at: int, image: str = "2") -> None:
    """A pod is deleted and comes up again from another template."""
    story.drop(story.got("Pod", f"web-{at}"))
    story.pod(at, image)


@pytest.mark.parametrize("id", [*GONE, "STS-025"])
def test_an_update_from_the_top_breaks_no_promise(id: str) -> None:
    story = updating()
    for at in (2, 1, 0):
        replace(story, at)
    story.settled()
    assert verdict_of(id, story) in (Verdict.PASS, Verdict.NOT_EXERCISED)


def test_on_delete_must_not_delete() -> None:
    story = updating(**ON_DELETE)
    story.mark(story.got("Pod", "web-2"))
    assert "OnDelete" in message_of("STS-020", story)


def test_on_delete_leaves_scaling_down_as_it_is() -> None:
    story = updating(**ON_DELETE)
    story.edit(replicas=2)
    story.mark(story.got("Pod", "web-2"))
    assert verdict_of("STS-020", story) is Verdict.PASS


def test_a_strategy_that_was_just_changed_excuses_a_deletion() -> None:
    story = updating()
    story.edit(**ON_DELETE)
    story.mark(story.got("Pod", "web-2"))
    assert verdict_of("STS-020", story) is Verdict.PASS


def test_a_pod_below_the_partition_must_stay() -> None:
    story = updating(**rolling(partition=2))
    replace(story, 2)
    story.mark(story.got("Pod", "web-1"))
    assert "the partition is 2" in message_of("STS-021", story)


def test_the_partition_counts_places_and_not_ordinals() -> None:
    story = updating(**rolling(partition=2), ordinals={"start": 5})
    story.mark(story.got("Pod", "web-7"))
    assert verdict_of("STS-021", story) is Verdict.PASS


def test_a_partition_that_was_just_raised_excuses_a_deletion() -> None:
    story = updating()
    story.edit(**rolling(partition=9))
    story.mark(story.got("Pod", "web-2"))
    assert verdict_of("STS-021", story) is Verdict.PASS


def test_a_pod_at_the_wanted_revision_must_stay() -> None:
    story = SetStory()
    story.all_up()
    story.mark(story.got("Pod", "web-1"))
    assert "at the wanted revision" in message_of("STS-022", story)


def test_a_template_that_was_rolled_back_a_moment_ago_excuses_a_deletion() -> None:
    story = updating()
    story.roll("1")
    story.mark(story.got("Pod", "web-2"))
    assert verdict_of("STS-022", story) is Verdict.PASS


def test_a_pod_without_a_revision_may_be_replaced() -> None:
    story = SetStory()
    story.up(0, 1)
    story.born(2, by="client", metadata__labels={"app": "web"})
    story.ready(story.got("Pod", "web-2"))
    story.settled()
    story.mark(story.got("Pod", "web-2"))
    assert verdict_of("STS-022", story) is Verdict.PASS


def test_a_pod_on_a_tainted_node_may_be_taken_away() -> None:
    story = SetStory()
    story.all_up()
    taint = {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}
    story.modified({**story.node, "spec": {"taints": [taint]}}, by="node-lifecycle")
    story.mark(story.got("Pod", "web-1"), by="node-lifecycle")
    assert verdict_of("STS-022", story) is not Verdict.FAIL


def test_an_update_must_not_begin_below() -> None:
    story = updating()
    story.mark(story.got("Pod", "web-0"))
    assert "a higher pod was still to be updated" in message_of("STS-023", story)


def test_an_update_must_wait_for_the_pod_that_it_replaced() -> None:
    story = updating()
    story.mark(story.got("Pod", "web-2"))
    story.mark(story.got("Pod", "web-1"))
    assert verdict_of("STS-023", story) is Verdict.FAIL


def test_an_update_must_not_begin_while_a_pod_is_broken() -> None:
    story = SetStory()
    story.all_up()
    story.ready(story.got("Pod", "web-0"), ready=False)
    story.settled()
    story.roll("2")
    story.mark(story.got("Pod", "web-2"))
    assert verdict_of("STS-023", story) is Verdict.FAIL


def test_as_many_pods_as_max_unavailable_says_may_go_together() -> None:
    story = updating(**rolling(maxUnavailable=2))
    story.mark(story.got("Pod", "web-2"))
    story.mark(story.got("Pod", "web-1"))
    assert verdict_of("STS-023", story) is Verdict.PASS


def test_no_more_pods_than_max_unavailable_says_may_go_together() -> None:
    story = updating(**rolling(maxUnavailable="67%"))
    for at in (2, 1, 0):
        story.mark(story.got("Pod", f"web-{at}"))
    assert verdict_of("STS-023", story) is Verdict.FAIL


def test_a_parallel_update_must_wait_for_the_pod_above() -> None:
    story = updating(**PARALLEL)
    story.mark(story.got("Pod", "web-2"))
    story.mark(story.got("Pod", "web-1"))
    assert "maxUnavailable" in message_of("STS-024", story, gates={"MaxUnavailableStatefulSet": False})


def test_a_parallel_update_does_not_wait_for_a_broken_pod_below() -> None:
    story = SetStory(**PARALLEL)
    story.all_up()
    story.ready(story.got("Pod", "web-0"), ready=False)
    story.settled()
    story.roll("2")
    replace(story, 2)
    story.mark(story.got("Pod", "web-1"))
    assert verdict_of("STS-024", story, gates={"MaxUnavailableStatefulSet": False}) is Verdict.PASS


def test_since_1_37_a_parallel_update_takes_broken_pods_first() -> None:
    story = SetStory(**PARALLEL)
    story.all_up()
    story.ready(story.got("Pod", "web-0"), ready=False)
    story.settled()
    story.roll("2")
    story.mark(story.got("Pod", "web-0"))
    assert verdict_of("STS-024", story, kubernetes_version="1.36") is Verdict.FAIL
    assert verdict_of("STS-024", story, kubernetes_version="1.37") is Verdict.PASS


def test_recreate_replaces_all_at_once() -> None:
    story = updating(updateStrategy={"type": "Recreate"})
    for at in (0, 1, 2):
        story.mark(story.got("Pod", f"web-{at}"))
    assert {verdict_of(id, story, kubernetes_version="1.37") for id in GONE} <= {Verdict.PASS, Verdict.NOT_EXERCISED}


def test_a_pod_below_the_partition_must_come_back_as_it_was() -> None:
    story = updating(**rolling(partition=1))
    story.drop(story.got("Pod", "web-0"), by="client")
    story.pod(0, "2")
    assert "the partition is 1" in message_of("STS-025", story)


def test_a_pod_from_the_partition_on_must_come_back_new() -> None:
    story = updating(**rolling(partition=1))
    story.settled()
    story.drop(story.got("Pod", "web-2"), by="client")
    story.pod(2, "1")
    assert verdict_of("STS-025", story) is Verdict.FAIL


def test_a_template_that_changed_a_moment_ago_may_not_have_been_seen() -> None:
    story = updating()
    story.drop(story.got("Pod", "web-2"), by="client")
    story.pod(2, "1")
    assert verdict_of("STS-025", story) is Verdict.PASS


def test_after_a_scale_to_zero_the_new_revision_is_the_current_one() -> None:
    story = updating(**rolling(partition=3))
    story.edit(replicas=0)
    for at in (2, 1, 0):
        story.drop(story.got("Pod", f"web-{at}"))
    story.say("2", "2")
    story.edit(replicas=1)
    story.settled()
    story.pod(0, "2")
    assert verdict_of("STS-025", story) is Verdict.PASS


def test_without_rolling_update_the_first_pods_come_back_as_they_were() -> None:
    story = updating(updateStrategy={"type": "RollingUpdate"})
    story.settled()
    story.drop(story.got("Pod", "web-0"), by="client")
    story.pod(0, "1")
    assert verdict_of("STS-026", story) is Verdict.PASS
    assert verdict_of("STS-025", story) is not Verdict.FAIL


def test_without_rolling_update_the_others_come_back_new() -> None:
    story = updating(updateStrategy={"type": "RollingUpdate"})
    story.say("1", "2", replicas=3, readyReplicas=3, currentReplicas=1)
    story.settled()
    story.drop(story.got("Pod", "web-2"), by="client")
    story.pod(2, "1")
    assert verdict_of("STS-026", story) is Verdict.FAIL
