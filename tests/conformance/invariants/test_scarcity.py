"""Judges of sets that have too few volumes."""

from pvkit.backends.objects import put
from pvkit.conformance.verdict import Verdict
from tests.conformance.histories import message_of, verdict_of
from tests.conformance.invariants.set_story import PARALLEL, SetStory


def bind(story: SetStory, at: int, volume: str = "") -> None:
    """The claim of an ordinal gets a volume."""
    claim = put(story.got("PersistentVolumeClaim", f"www-web-{at}"), ("spec", "volumeName"), volume or f"v{at}")
    story.modified({**claim, "status": {"phase": "Bound"}}, by="binder")


def two_volumes(**spec: object) -> SetStory:
    """Three pods, two volumes: the last one waits."""
    story = SetStory(**spec)
    for at in (0, 1, 2):
        pod = story.pod(at, ready=False)
        if at < 2:
            bind(story, at)
            story.ready(pod)
    story.settled()
    return story


def test_pods_with_volumes_run_and_the_next_one_waits() -> None:
    story = two_volumes()
    assert {verdict_of(id, story) for id in ("STS-080", "STS-090", "STS-092")} == {Verdict.PASS}


def test_a_pod_without_a_volume_must_hold_back_the_next() -> None:
    story = two_volumes()
    story.edit(replicas=4)
    story.pod(3)
    assert "www-web-2, a claim of a pod below it, has no volume" in message_of("STS-090", story)


def test_one_more_volume_lets_on_one_more_pod() -> None:
    story = two_volumes()
    story.edit(replicas=4)
    bind(story, 2)
    story.ready(story.got("Pod", "web-2"))
    story.pod(3, ready=False)
    assert verdict_of("STS-090", story) is Verdict.PASS


def test_a_claim_that_was_made_again_says_nothing_about_the_pod_before() -> None:
    story = two_volumes()
    story.edit(replicas=4)
    bind(story, 2)
    story.ready(story.got("Pod", "web-2"))
    story.gone(story.got("PersistentVolumeClaim", "www-web-2"), by="client")
    story.claim(2)
    story.pod(3, ready=False)
    assert verdict_of("STS-090", story) is Verdict.PASS


def test_where_the_range_moved_down_a_higher_pod_may_be_the_older_one() -> None:
    story = SetStory(ordinals={"start": 1})
    story.edit(ordinals={"start": 0})
    story.pod(0, ready=False)
    story.edit(ordinals={"start": 1})
    story.pod(1)
    assert verdict_of("STS-090", story) is Verdict.PASS


def test_a_pod_of_an_odd_name_may_stand_in_for_the_one_that_waits() -> None:
    story = two_volumes()
    story.edit(replicas=4)
    odd = story.got("Pod", "web-2")
    story.ready(story.added(put(odd, ("metadata", "name"), "web-02"), by="client"))
    story.pod(3, ready=False)
    assert verdict_of("STS-090", story) is Verdict.PASS


def test_with_parallel_all_pods_are_there_and_some_wait() -> None:
    story = two_volumes(**PARALLEL)
    assert verdict_of("STS-091", story) is Verdict.PASS


def test_with_parallel_a_waiting_pod_must_hold_back_nobody() -> None:
    story = SetStory(**PARALLEL)
    story.pod(0, ready=False)
    story.settled()
    assert message_of("STS-091", story) == "web-0 is pending, and web-1 does not exist"


def test_a_quota_may_hold_back_a_parallel_pod() -> None:
    story = SetStory(**PARALLEL)
    story.pod(0, ready=False)
    story.added({"kind": "ResourceQuota", "metadata": {"name": "few"}, "spec": {"hard": {"pods": "1"}}})
    story.settled()
    assert verdict_of("STS-091", story) is Verdict.PASS


def test_two_pods_must_not_share_a_volume() -> None:
    story = SetStory(replicas=2)
    story.up(0, 1)
    for at in (0, 1):
        bind(story, at, "v")
    story.settled()
    assert message_of("STS-092", story) == "www-web-0 and www-web-1 share volume v"


def test_a_binding_that_the_client_wrote_is_its_own() -> None:
    story = SetStory(replicas=2)
    story.up(0, 1)
    bind(story, 0, "v")
    claim = put(story.got("PersistentVolumeClaim", "www-web-1"), ("spec", "volumeName"), "v")
    story.modified({**claim, "status": {"phase": "Bound"}}, by="client")
    story.settled()
    assert verdict_of("STS-092", story) is Verdict.PASS
