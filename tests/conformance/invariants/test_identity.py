"""Judges of who a set's pods are: each notices its breach, and what looks like one is left alone."""

import pytest

from pvkit.backends.objects import Obj, owner_reference, put, uid
from pvkit.backends.protocol import Fault
from pvkit.conformance.verdict import Verdict
from tests.conformance.histories import message_of, verdict_of
from tests.conformance.invariants.set_story import OWNERS, SetStory, relabelled


def wrong_pods() -> list[tuple[str, dict[str, object], str]]:
    """An invariant, what is wrong with a new pod, and a word of the message."""
    return [
        ("STS-001", {"metadata__name": "web-01"}, "web-01"),
        ("STS-001", {"metadata__name": "db-0"}, "db-0"),
        ("STS-003", {"spec__hostname": None}, "hostname"),
        ("STS-003", {"spec__subdomain": "other"}, "subdomain"),
    ]


@pytest.mark.parametrize(("id", "wrong", "word"), wrong_pods())
def test_a_new_pod_that_is_not_its_ordinal_is_noticed(id: str, wrong: dict[str, object], word: str) -> None:
    story = SetStory()
    story.born(0, **wrong)
    assert word in message_of(id, story)


@pytest.mark.parametrize("id", ["STS-001", "STS-002", "STS-003", "STS-004", "STS-005", "STS-006", "STS-009"])
def test_a_set_that_comes_up_breaks_no_promise_of_identity(id: str) -> None:
    story = SetStory()
    story.all_up()
    assert verdict_of(id, story) in (Verdict.PASS, Verdict.NOT_EXERCISED)


@pytest.mark.parametrize(("label", "value"), [("name", "web-1"), ("index", "1"), ("revision", ""), ("app", "db")])
def test_a_new_pod_with_a_wrong_label_is_noticed(label: str, value: str) -> None:
    right = SetStory().born(0)
    story = SetStory()
    story.born(0, metadata__labels=relabelled(right, **{label: value})["metadata"]["labels"])
    assert verdict_of("STS-002", story) is Verdict.FAIL


def test_the_index_label_is_the_ordinal_and_not_the_place_in_the_set() -> None:
    story = SetStory(ordinals={"start": 2})
    story.born(2)
    assert verdict_of("STS-002", story) is Verdict.PASS


def test_pods_that_a_client_makes_may_look_like_anything() -> None:
    story = SetStory()
    story.born(0, by="client", spec__hostname=None, metadata__labels={"app": "web"})
    assert {verdict_of(id, story) for id in ("STS-001", "STS-002", "STS-003", "STS-004")} == {Verdict.NOT_EXERCISED}


def test_an_owner_reference_that_does_not_block_is_noticed() -> None:
    story = SetStory()
    story.born(0, metadata__ownerReferences=[{**owner_reference(story.set), "blockOwnerDeletion": False}])
    assert verdict_of("STS-004", story) is Verdict.FAIL


def orphan(story: SetStory, called: str = "web-0", **labels: str) -> Obj:
    """A pod that a client made and nobody controls."""
    return story.born(0, by="client", metadata__name=called, metadata__ownerReferences=None, **_labels(labels))


def _labels(labels: dict[str, str]) -> dict[str, object]:
    return {"metadata__labels": labels} if labels else {}


def adopt(story: SetStory, pod: Obj) -> None:
    """The set becomes the controller of a pod."""
    story.modified(put(story.latest(pod), OWNERS, [owner_reference(story.set)]), by="statefulset")


def test_an_orphan_that_fits_may_be_adopted() -> None:
    story = SetStory()
    adopt(story, orphan(story))
    assert verdict_of("STS-005", story) is Verdict.PASS


def test_an_orphan_with_a_foreign_name_must_not_be_adopted() -> None:
    story = SetStory()
    adopt(story, orphan(story, "db-0"))
    assert "no name of its own" in message_of("STS-005", story)


def test_an_orphan_with_foreign_labels_must_not_be_adopted() -> None:
    story = SetStory()
    found = orphan(story, app="db")
    story.settled()
    adopt(story, found)
    assert "labels" in message_of("STS-005", story)


def test_an_orphan_whose_labels_just_changed_may_still_be_adopted() -> None:
    story = SetStory()
    found = orphan(story)
    story.settled()
    adopt(story, story.modified(relabelled(found, app="db"), by="client"))
    assert verdict_of("STS-005", story) is Verdict.PASS


def test_a_terminating_orphan_must_not_be_adopted() -> None:
    story = SetStory()
    found = story.mark(orphan(story), by="client")
    story.settled()
    adopt(story, found)
    assert "terminating" in message_of("STS-005", story)


def test_a_set_that_is_gone_must_adopt_nothing() -> None:
    story = SetStory()
    found = orphan(story)
    story.gone(story.set, by="client")
    adopt(story, found)
    assert "which is gone" in message_of("STS-006", story)


def test_a_set_that_is_being_deleted_must_adopt_nothing() -> None:
    story = SetStory()
    found = orphan(story)
    story.mark(story.set, by="client")
    adopt(story, found)
    assert "being deleted" in message_of("STS-006", story)


def test_an_adoption_that_was_under_way_is_excused() -> None:
    story = SetStory()
    found = orphan(story)
    story.asked(Fault("delay", {"controller": "statefulset"}))
    story.mark(story.set, by="client")
    adopt(story, found)
    assert verdict_of("STS-006", story) is not Verdict.FAIL


def test_an_orphan_that_fits_does_not_stay_one() -> None:
    story = SetStory()
    orphan(story)
    story.settled()
    assert "no controller" in message_of("STS-007", story)


def test_a_pod_that_fits_no_longer_does_not_stay_with_its_set() -> None:
    story = SetStory()
    pod = story.pod(0)
    story.modified(relabelled(pod, app="db"), by="client")
    story.settled()
    assert "does not fit" in message_of("STS-007", story)


def test_a_terminating_orphan_is_left_alone() -> None:
    story = SetStory()
    story.mark(orphan(story), by="client")
    story.settled()
    assert verdict_of("STS-007", story) is not Verdict.FAIL


def test_a_foreign_pod_must_not_be_deleted_by_a_set() -> None:
    story = SetStory()
    found = story.ready(orphan(story, app="db"))
    story.settled()
    story.mark(found, by="statefulset")
    assert "nobody controls" in message_of("STS-008", story)


def test_a_foreign_pod_may_be_deleted_by_its_client() -> None:
    story = SetStory()
    story.mark(story.ready(orphan(story, app="db")), by="client")
    assert verdict_of("STS-008", story) is Verdict.PASS


def test_a_delete_that_was_meant_for_an_earlier_pod_of_the_name_is_excused() -> None:
    story = SetStory()
    story.drop(story.pod(0), by="client")
    story.mark(story.ready(orphan(story, app="db")), by="statefulset")
    assert verdict_of("STS-008", story) is Verdict.PASS


def process(story: SetStory, pod: Obj, node: str = "n1") -> Obj:
    """The containers of a pod run."""
    spec = {"pod": pod["metadata"]["name"], "namespace": "default", "podUID": uid(pod), "node": node, "volumes": []}
    return story.added({"kind": "Process", "metadata": {"name": uid(pod)}, "spec": spec}, by="kubelet")


def test_two_pods_of_one_name_must_not_run_at_once() -> None:
    story = SetStory()
    first = story.pod(0)
    process(story, first)
    story.drop(first)
    process(story, story.pod(0))
    assert "two pods with the name web-0" in message_of("STS-009", story)


def test_a_pod_that_was_deleted_by_force_may_run_on() -> None:
    story = SetStory()
    first = story.pod(0)
    process(story, first)
    story.mark(first, by="client", grace=0)
    story.gone(first, by="client")
    process(story, story.pod(0))
    assert verdict_of("STS-009", story) is Verdict.PASS


def test_a_pod_on_a_node_that_is_gone_may_run_on() -> None:
    story = SetStory()
    first = story.pod(0)
    process(story, first)
    story.gone(story.node, by="client")
    story.drop(first, by="pod-gc")
    process(story, story.pod(0), node="n2")
    assert verdict_of("STS-009", story) is Verdict.PASS


def test_a_pod_whose_containers_have_stopped_makes_room() -> None:
    story = SetStory()
    first = story.pod(0)
    running = process(story, first)
    story.mark(first)
    story.deleted(running, by="kubelet")
    story.gone(first)
    process(story, story.pod(0))
    assert verdict_of("STS-009", story) is Verdict.PASS
