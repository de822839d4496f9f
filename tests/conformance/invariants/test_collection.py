"""Judges of the garbage collector and of namespaces: what goes, what stays, and in which order."""

import pytest

from pvkit.backends.objects import Obj, owner_reference, put
from pvkit.backends.protocol import Fault
from pvkit.conformance.verdict import Verdict
from tests.conformance.histories import Story, message_of, verdict_of
from tests.conformance.invariants.set_story import OWNERS, SetStory


def held(story: SetStory, finalizer: str) -> Obj:
    """The set's deletion is asked for, with a finalizer of the collector."""
    marks = {"finalizers": [finalizer], "deletionTimestamp": story.stamp()}
    latest = story.latest(story.set)
    story.set = story.modified({**latest, "metadata": {**latest["metadata"], **marks}}, by="client")
    return story.set


def deleted_set() -> SetStory:
    """A set with three pods is deleted, and they go."""
    story = SetStory()
    story.all_up()
    story.gone(story.set, by="client")
    for at in (1, 0, 2):
        story.drop(story.got("Pod", f"web-{at}"), by="garbage-collector")
    story.gone(story.revisions["1"], by="garbage-collector")
    story.settled()
    return story


def test_what_has_lost_its_owner_goes() -> None:
    assert verdict_of("API-030", deleted_set()) is Verdict.PASS


def test_what_has_lost_its_owner_and_stays_is_noticed() -> None:
    story = SetStory()
    story.all_up()
    story.gone(story.set, by="client")
    story.settled()
    assert "Pod web-0 exists although its owners are gone: StatefulSet web" in message_of("API-030", story)


def test_another_set_of_the_same_name_is_another_owner() -> None:
    story = SetStory(replicas=1)
    story.all_up()
    story.gone(story.set, by="client")
    story.added({**story.set, "metadata": {**story.set["metadata"], "uid": "another"}})
    story.settled()
    assert verdict_of("API-030", story) is Verdict.FAIL


def test_an_owner_of_a_kind_that_is_not_watched_may_exist() -> None:
    story = Story()
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "c", "uid": "u"}
    story.added({"kind": "Pod", "metadata": {"name": "p", "ownerReferences": [reference]}, "spec": {}})
    story.settled()
    assert verdict_of("API-030", story) is Verdict.NOT_EXERCISED


def test_what_a_finalizer_holds_is_going() -> None:
    story = SetStory(replicas=1)
    story.all_up()
    story.gone(story.set, by="client")
    story.mark(story.got("Pod", "web-0"), by="garbage-collector")
    story.gone(story.revisions["1"], by="garbage-collector")
    story.settled()
    assert verdict_of("API-030", story) is Verdict.PASS


def slice_of(story: SetStory) -> tuple[Obj, Obj]:
    """A service and the slice that it owns."""
    service = story.added({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {}})
    metadata = {"name": "s-1", "ownerReferences": [owner_reference(service)]}
    return service, story.added({"kind": "EndpointSlice", "metadata": metadata}, by="endpointslice")


def test_what_has_an_owner_is_not_collected() -> None:
    story = SetStory()
    _, piece = slice_of(story)
    story.gone(piece, by="garbage-collector")
    assert "although its owner s exists" in message_of("API-031", story)


def test_where_removals_are_not_attributed_nobody_is_blamed_for_one() -> None:
    story = SetStory()
    _, piece = slice_of(story)
    story.gone(piece, by="")
    assert verdict_of("API-031", story, lag=5.0) is Verdict.NOT_EXERCISED


def test_what_has_lost_its_owner_may_be_collected() -> None:
    story = SetStory()
    service, piece = slice_of(story)
    story.gone(service, by="client")
    story.gone(piece, by="garbage-collector")
    assert verdict_of("API-031", story) is Verdict.PASS


def test_an_owner_in_the_foreground_waits_for_its_pods() -> None:
    story = SetStory()
    story.all_up()
    held(story, "foregroundDeletion")
    story.gone(story.set, by="garbage-collector")
    assert "is gone and its dependent" in message_of("API-032", story)


def test_an_owner_in_the_foreground_goes_after_its_pods() -> None:
    story = SetStory(replicas=1)
    story.all_up()
    held(story, "foregroundDeletion")
    story.drop(story.got("Pod", "web-0"), by="garbage-collector")
    story.gone(story.revisions["1"], by="garbage-collector")
    story.gone(story.set, by="garbage-collector")
    assert verdict_of("API-032", story) is Verdict.PASS


@pytest.mark.parametrize("excuse", ["not blocking", "client", "stale"])
def test_dependents_may_be_left_behind_for_a_good_reason(excuse: str) -> None:
    story = SetStory(replicas=1)
    pod = story.pod(0)
    if excuse == "not blocking":
        story.modified(put(pod, OWNERS, [{**owner_reference(story.set), "blockOwnerDeletion": False}]), by="client")
        story.gone(story.revisions["1"], by="client")
    if excuse == "stale":
        story.asked(Fault("hold", {"controller": "garbage-collector", "kind": "Pod"}))
    held(story, "foregroundDeletion")
    if excuse == "client":
        story.modified(put(story.set, ("metadata", "finalizers"), []), by="client")
    story.gone(story.set, by="garbage-collector")
    assert verdict_of("API-032", story) is not Verdict.FAIL


def test_orphans_are_set_free_before_their_owner_goes() -> None:
    story = SetStory(replicas=1)
    story.all_up()
    held(story, "orphan")
    story.gone(story.set, by="garbage-collector")
    assert "still refers to it" in message_of("API-033", story)


def test_an_owner_goes_when_its_orphans_are_free() -> None:
    story = SetStory(replicas=1)
    story.all_up()
    held(story, "orphan")
    for obj in (story.got("Pod", "web-0"), story.revisions["1"]):
        story.modified(put(story.latest(obj), OWNERS, []), by="garbage-collector")
    story.gone(story.set, by="garbage-collector")
    assert verdict_of("API-033", story) is Verdict.PASS


def test_what_nobody_owns_is_deleted_by_its_client() -> None:
    story = SetStory()
    service = story.added({"kind": "Service", "metadata": {"name": "s"}, "spec": {}})
    story.gone(story.set, by="client")
    story.gone(service, by="garbage-collector")
    assert "deleted by nobody's wish" in message_of("API-034", story)


def leaving(story: Story) -> Obj:
    """A namespace is being deleted."""
    space = story.added({"kind": "Namespace", "metadata": {"name": "other"}}, by="setup")
    return story.mark(space, by="client") if isinstance(story, SetStory) else story.terminating(space)


def test_what_is_in_a_namespace_goes_with_it() -> None:
    story = Story()
    space = leaving(story)
    service = story.added({"kind": "Service", "metadata": {"name": "s", "namespace": "other"}, "spec": {}})
    story.deleted(service, by="namespace")
    assert verdict_of("API-034", story) is Verdict.PASS
    story.deleted(space, by="namespace")
    story.settled()
    assert verdict_of("API-035", story) is not Verdict.FAIL


def test_what_stays_in_a_namespace_that_is_gone_is_noticed() -> None:
    story = Story()
    story.added({"kind": "Namespace", "metadata": {"name": "default"}}, by="setup")
    space = leaving(story)
    story.added({"kind": "Service", "metadata": {"name": "s", "namespace": "other"}, "spec": {}})
    story.settled()
    assert "which is being deleted" in message_of("API-035", story)
    story.deleted(space, by="namespace")
    story.settled()
    assert verdict_of("API-035", story) is Verdict.FAIL


def test_nothing_new_appears_in_a_namespace_that_is_leaving() -> None:
    story = Story()
    leaving(story)
    story.added({"kind": "Service", "metadata": {"name": "s", "namespace": "other"}, "spec": {}})
    assert "was created in a namespace that is being deleted" in message_of("API-036", story)
    assert verdict_of("API-036", story, lag=5.0) is Verdict.PASS
