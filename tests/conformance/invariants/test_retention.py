"""Judges of what becomes of a set's claims: who owns them, when, and who may take them away."""

import pytest

from pvkit.backends.objects import Obj, owner_reference, put
from pvkit.backends.protocol import Fault
from pvkit.conformance.verdict import Verdict
from tests.conformance.histories import message_of, verdict_of
from tests.conformance.invariants.set_story import OWNERS, SetStory, retention

WANTED = [
    ("Retain", "Retain", None, None),
    ("Retain", "Delete", "set", "set"),
    ("Delete", "Retain", None, "pod"),
    ("Delete", "Delete", "set", "pod"),
]
"""Policies, and who owns the claim of a pod in range and of one out of range."""


def story_of(scaled: str, deleted: str, wanted: str | None) -> SetStory:
    """Two pods, all at rest, their claims owned as told."""
    story = SetStory(replicas=2, **retention(scaled, deleted))
    for at in (0, 1):
        pod = story.pod(at)
        own(story, at, pod, wanted)
    story.ready(story.got("Pod", "web-1"))
    return story


def own(story: SetStory, at: int, pod: Obj, wanted: str | None) -> None:
    """The claim of an ordinal gets an owner, if one is wanted."""
    if wanted is not None:
        story.own(story.got("PersistentVolumeClaim", f"www-web-{at}"), story.set if wanted == "set" else pod)


@pytest.mark.parametrize(("scaled", "deleted", "inside", "outside"), WANTED)
def test_claims_are_owned_as_the_policy_says(
    scaled: str, deleted: str, inside: str | None, outside: str | None
) -> None:
    story = story_of(scaled, deleted, inside)
    story.settled()
    story.edit(replicas=1)
    pod = story.mark(story.got("Pod", "web-1"), by="client")
    claim = story.got("PersistentVolumeClaim", "www-web-1")
    story.own(claim, *{"set": (story.set,), "pod": (pod,), None: ()}[outside])
    story.settled()
    assert {verdict_of(id, story) for id in ("STS-051", "STS-056")} <= {Verdict.PASS, Verdict.NOT_EXERCISED}
    assert verdict_of("STS-050", story) is not Verdict.FAIL


@pytest.mark.parametrize(("scaled", "deleted", "inside", "outside"), WANTED)
def test_claims_that_are_owned_otherwise_are_noticed(
    scaled: str, deleted: str, inside: str | None, outside: str | None
) -> None:
    story = story_of(scaled, deleted, None if inside else "set")
    story.settled()
    assert "under the policy" in message_of("STS-056", story)


def test_claims_of_pods_out_of_range_are_judged_too() -> None:
    story = story_of("Delete", "Retain", None)
    story.edit(replicas=1)
    story.mark(story.got("Pod", "web-1"), by="client")
    story.settled()
    assert "www-web-1" in message_of("STS-056", story)


def test_behind_a_broken_pod_nothing_is_brought_in_line() -> None:
    story = story_of("Retain", "Delete", None)
    story.ready(story.got("Pod", "web-0"), ready=False)
    story.settled()
    assert verdict_of("STS-056", story) is not Verdict.FAIL


def test_an_owner_that_does_not_control_is_noticed() -> None:
    story = SetStory(replicas=1, **retention(deleted="Delete"))
    pod = story.pod(0)
    story.own(story.got("PersistentVolumeClaim", "www-web-0"), story.set, controller=False)
    story.ready(pod)
    story.settled()
    assert "as its controller" in message_of("STS-056", story)


def test_a_foreign_controller_makes_a_claim_nobody_elses() -> None:
    story = SetStory(replicas=1, **retention(deleted="Delete"))
    story.own(story.claim(0), story.node, by="operator")
    story.pod(0)
    story.settled()
    assert verdict_of("STS-056", story) is not Verdict.FAIL


def test_owners_that_the_client_changed_may_stay_so() -> None:
    story = story_of("Retain", "Delete", "set")
    story.own(story.got("PersistentVolumeClaim", "www-web-0"), by="client")
    story.settled()
    assert verdict_of("STS-056", story) is Verdict.PASS


def test_a_set_that_was_kept_from_seeing_is_excused_until_it_wakes() -> None:
    story = SetStory(replicas=1, **retention(deleted="Delete"))
    story.asked(Fault("hold", {"controller": "statefulset", "kind": "PersistentVolumeClaim"}))
    story.pod(0)
    story.asked(Fault("heal"))
    story.settled()
    assert verdict_of("STS-056", story) is Verdict.NOT_EXERCISED
    story.edit(minReadySeconds=0)
    story.settled()
    assert verdict_of("STS-056", story) is Verdict.FAIL


def test_under_retain_no_claim_is_given_to_its_set() -> None:
    story = SetStory()
    story.own(story.claim(0), story.set)
    assert "although the set's policy" in message_of("STS-050", story)


def test_a_policy_that_was_just_changed_excuses_an_owner() -> None:
    story = SetStory(**retention(deleted="Delete"))
    claim = story.claim(0)
    story.edit(**retention())
    story.own(claim, story.set)
    assert verdict_of("STS-050", story) is Verdict.PASS


def test_a_claim_in_range_is_not_given_to_its_pod() -> None:
    story = SetStory(**retention("Delete"), ordinals={"start": 2})
    story.own(story.claim(4), story.pod(4))
    assert "range(2, 5)" in message_of("STS-050", story)


def test_a_claim_that_just_went_out_of_range_may_be_given_to_its_pod() -> None:
    story = SetStory(**retention("Delete"))
    story.all_up()
    story.edit(replicas=2)
    story.own(story.got("PersistentVolumeClaim", "www-web-2"), story.got("Pod", "web-2"))
    assert verdict_of("STS-050", story) is Verdict.PASS


def test_the_claim_of_another_set_is_left_alone() -> None:
    story = SetStory(**retention(deleted="Delete"))
    story.own(story.claim(0, by="client", metadata__name="www-webby-0"), story.set)
    assert "which is not its" in message_of("STS-051", story)


def test_the_claim_of_another_ordinal_is_left_alone() -> None:
    story = SetStory(**retention("Delete"))
    story.own(story.claim(0), story.pod(1))
    assert verdict_of("STS-051", story) is Verdict.FAIL


def test_a_claim_without_owners_must_not_be_deleted() -> None:
    story = SetStory()
    story.mark(story.claim(0), by="somebody")
    assert "it had no owner" in message_of("STS-052", story)


def test_a_claim_whose_owner_lives_must_not_be_deleted() -> None:
    story = SetStory(**retention(deleted="Delete"))
    claim = story.own(story.claim(0), story.set)
    story.mark(claim, by="garbage-collector")
    assert "its owner StatefulSet web exists" in message_of("STS-052", story)


def test_a_claim_goes_with_its_last_owner() -> None:
    story = SetStory(**retention(deleted="Delete"))
    claim = story.own(story.claim(0), story.set)
    story.gone(story.set, by="client")
    story.mark(claim, by="garbage-collector")
    assert verdict_of("STS-052", story) is Verdict.PASS


def test_an_owner_of_the_same_name_and_another_uid_is_another_owner() -> None:
    story = SetStory(**retention(deleted="Delete"))
    claim = story.own(story.claim(0), story.set)
    story.gone(story.set, by="client")
    story.set = story.added({**story.set, "metadata": {**story.set["metadata"], "uid": "another"}})
    story.mark(claim, by="garbage-collector")
    assert verdict_of("STS-052", story) is Verdict.PASS


def test_an_owner_that_waits_for_its_claims_lets_them_go() -> None:
    story = SetStory(**retention(deleted="Delete"))
    claim = story.own(story.claim(0), story.set)
    waiting = put(story.latest(story.set), ("metadata", "finalizers"), ["foregroundDeletion"])
    story.mark(story.modified(waiting, by="client"), by="client")
    story.mark(claim, by="garbage-collector")
    assert verdict_of("STS-052", story) is Verdict.PASS


@pytest.mark.parametrize("by", ["client", "namespace"])
def test_claims_go_with_their_client_or_their_namespace(by: str) -> None:
    story = SetStory()
    claim = story.claim(0)
    if by == "namespace":
        space = {"kind": "Namespace", "metadata": {"name": "default", "deletionTimestamp": story.stamp()}}
        story.modified({**space, "metadata": {**space["metadata"], "uid": "uid-1"}}, by="client")
    story.mark(claim, by=by)
    assert verdict_of("STS-052", story) is not Verdict.FAIL


def scaled(doomed: bool) -> SetStory:
    """Two pods, one fewer is wanted, and after a rest for the first time the second is deleted."""
    story = SetStory(replicas=2, **retention("Delete"))
    story.up(0, 1)
    story.settled()
    story.edit(replicas=1)
    if doomed:
        story.own(story.got("PersistentVolumeClaim", "www-web-1"), story.got("Pod", "web-1"))
    story.mark(story.got("Pod", "web-1"))
    return story


def test_a_claim_must_be_set_to_go_before_its_pod_goes() -> None:
    assert "before its claim www-web-1" in message_of("STS-053", scaled(doomed=False))


def test_a_claim_that_is_set_to_go_makes_room_for_the_deletion() -> None:
    assert verdict_of("STS-053", scaled(doomed=True)) is Verdict.PASS


def test_a_pod_that_its_client_deletes_leaves_its_claim_behind() -> None:
    story = SetStory(replicas=2, **retention("Delete"))
    story.up(0, 1)
    story.edit(replicas=1)
    story.mark(story.got("Pod", "web-1"), by="client")
    assert verdict_of("STS-053", story) is Verdict.NOT_EXERCISED


def test_under_retain_no_claim_has_to_go() -> None:
    story = SetStory(replicas=2)
    story.up(0, 1)
    story.edit(replicas=1)
    story.mark(story.got("Pod", "web-1"))
    assert verdict_of("STS-053", story) is Verdict.NOT_EXERCISED


def test_a_doomed_claim_must_not_be_used_again() -> None:
    story = scaled(doomed=True)
    story.gone(story.got("Pod", "web-1"))
    story.edit(replicas=2)
    story.settled()
    story.born(1)
    assert "an earlier pod of its name" in message_of("STS-054", story)


def test_a_policy_that_became_retain_lets_a_doomed_claim_be_used() -> None:
    story = scaled(doomed=True)
    story.gone(story.got("Pod", "web-1"))
    story.edit(replicas=2, **retention())
    story.settled()
    story.born(1)
    assert verdict_of("STS-054", story) is Verdict.PASS


def shared_claim() -> tuple[SetStory, Obj]:
    """A claim that an operator's object owns beside the set."""
    story = SetStory(**retention(deleted="Delete"))
    operator = story.added({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "operator"}, "spec": {}})
    references = [{**owner_reference(operator), "controller": False}, owner_reference(story.set)]
    return story, story.modified(put(story.claim(0), OWNERS, references), by="client")


def test_an_owner_that_others_gave_must_be_kept() -> None:
    story, claim = shared_claim()
    story.own(claim, story.set)
    assert "lost its owner Service operator" in message_of("STS-055", story)


def test_an_owner_that_is_gone_may_be_dropped() -> None:
    story, claim = shared_claim()
    story.gone(story.got("Service", "operator"), by="client")
    story.own(claim, story.set)
    assert verdict_of("STS-055", story) is Verdict.PASS


def test_a_set_may_withdraw_itself() -> None:
    story, claim = shared_claim()
    story.modified(put(claim, OWNERS, claim["metadata"]["ownerReferences"][:1]), by="statefulset")
    assert verdict_of("STS-055", story) is Verdict.PASS
