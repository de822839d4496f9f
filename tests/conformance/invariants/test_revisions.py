"""Judges of revisions: which template a pod came from, what is recorded, and what is trimmed."""

from pvkit.backends.objects import put
from pvkit.backends.protocol import Fault
from pvkit.conformance.verdict import Verdict
from tests.conformance.histories import message_of, verdict_of
from tests.conformance.invariants.set_story import SetStory, pod_template


def updated() -> SetStory:
    """Three pods, a new template, and all pods replaced."""
    story = SetStory()
    story.all_up()
    story.roll("2")
    for at in (2, 1, 0):
        story.drop(story.got("Pod", f"web-{at}"))
        story.pod(at, "2")
    story.say("2", "2", replicas=3, readyReplicas=3, availableReplicas=3, currentReplicas=3, updatedReplicas=3)
    return story


def test_an_update_breaks_no_promise_about_revisions() -> None:
    story = updated()
    story.settled()
    verdicts = {verdict_of(f"STS-03{number}", story) for number in range(7)}
    assert verdicts == {Verdict.PASS}


def test_a_pod_must_name_a_revision_that_exists() -> None:
    story = SetStory()
    story.pod(0, "9")
    assert "'web-rev9', which its set does not have" in message_of("STS-030", story)


def test_a_pod_may_name_a_revision_that_was_just_trimmed() -> None:
    story = SetStory()
    story.gone(story.revisions["1"], by="statefulset")
    story.pod(0)
    assert verdict_of("STS-030", story) is Verdict.PASS


def test_a_pod_must_be_what_its_revision_records() -> None:
    story = SetStory()
    story.pod(0, spec__containers=[{"name": "main", "image": "2"}])
    assert "not what its revision web-rev1 records" in message_of("STS-031", story)


def test_a_template_is_not_recorded_twice() -> None:
    story = SetStory()
    story.record(
        "1", metadata={"name": "web-again", "ownerReferences": story.revisions["1"]["metadata"]["ownerReferences"]}
    )
    assert message_of("STS-032", story) == "revisions web-rev1 and web-again record the same template"


def test_revisions_of_another_set_do_not_count() -> None:
    story = SetStory()
    other = story.added({**story.set, "metadata": {"name": "db", "namespace": "default", "generation": 1}})
    story.set = other
    story.record(
        "1", metadata={"name": "db-rev1", "ownerReferences": [{"uid": other["metadata"]["uid"], "controller": True}]}
    )
    assert verdict_of("STS-032", story) is not Verdict.FAIL


def test_a_new_revision_gets_the_highest_number() -> None:
    story = SetStory()
    story.record("2", revision=1)
    assert "got number 1" in message_of("STS-033", story)


def test_a_template_that_comes_back_gets_the_highest_number() -> None:
    story = SetStory()
    story.record("2")
    story.modified({**story.revisions["1"], "revision": 2}, by="statefulset")
    assert verdict_of("STS-033", story) is Verdict.FAIL
    story = SetStory()
    story.record("2")
    story.modified({**story.revisions["1"], "revision": 3}, by="statefulset")
    assert verdict_of("STS-033", story) is Verdict.PASS


def test_revisions_that_were_held_back_excuse_a_low_number() -> None:
    story = SetStory()
    story.asked(Fault("hold", {"controller": "statefulset", "kind": "ControllerRevision"}))
    story.record("2", revision=1)
    assert verdict_of("STS-033", story) is not Verdict.FAIL


def many(limit: int) -> SetStory:
    """A set that went through four templates."""
    story = SetStory(replicas=1, revisionHistoryLimit=limit)
    for image in ("2", "3", "4"):
        story.roll(image)
    story.pod(0, "4")
    story.say("4", "4", replicas=1, readyReplicas=1, currentReplicas=1, updatedReplicas=1)
    return story


def test_old_revisions_above_the_limit_must_go() -> None:
    story = many(2)
    story.settled()
    assert "keeps 3 old revisions, its limit is 2" in message_of("STS-034", story)


def test_revisions_in_use_do_not_count() -> None:
    story = many(2)
    story.born(1, "2")
    story.settled()
    assert verdict_of("STS-034", story) is Verdict.PASS


def test_a_negative_limit_keeps_all() -> None:
    story = many(-1)
    story.settled()
    assert verdict_of("STS-034", story) is Verdict.NOT_EXERCISED


def test_revisions_that_a_client_made_are_its_own() -> None:
    story = many(3)
    reference = story.revisions["1"]["metadata"]["ownerReferences"]
    mine = {**story.revisions["1"], "metadata": {"name": "mine", "ownerReferences": reference}}
    story.added(mine, by="client")
    story.settled()
    assert verdict_of("STS-034", story) is Verdict.NOT_EXERCISED


def test_the_wanted_revision_has_the_highest_number() -> None:
    story = updated()
    story.modified({**story.latest(story.revisions["1"]), "revision": 9}, by="statefulset")
    story.settled()
    assert "wants web-rev2 with number 2, and web-rev1 has 9" in message_of("STS-035", story)


def test_the_wanted_revision_exists() -> None:
    story = updated()
    story.gone(story.revisions["2"], by="statefulset")
    story.settled()
    assert "which does not exist" in message_of("STS-035", story)


def test_the_wanted_revision_records_the_template() -> None:
    story = updated()
    story.edit(template=pod_template("3"))
    story.say("2", "2", replicas=3, readyReplicas=3, currentReplicas=3, updatedReplicas=3)
    story.settled()
    assert "does not record its template" in message_of("STS-035", story)


def test_a_status_that_the_client_wrote_promises_nothing() -> None:
    story = updated()
    story.set = story.modified(put(story.set, ("status", "updateRevision"), "nonsense"), by="client")
    story.settled()
    assert verdict_of("STS-035", story) is not Verdict.FAIL


def test_an_update_is_complete_only_with_all_replicas() -> None:
    story = SetStory()
    story.all_up()
    story.roll("2")
    story.say("2", "2", replicas=2, readyReplicas=2, updatedReplicas=2)
    assert "took web-rev2 as current" in message_of("STS-036", story)


def test_an_update_is_complete_only_when_all_are_ready() -> None:
    story = SetStory()
    story.all_up()
    story.roll("2")
    story.say("2", "2", replicas=3, readyReplicas=2, updatedReplicas=3)
    assert verdict_of("STS-036", story) is Verdict.FAIL


def test_a_current_revision_that_is_gone_is_replaced() -> None:
    story = SetStory()
    story.all_up()
    story.roll("2")
    story.gone(story.revisions["1"], by="client")
    story.say("2", "2", replicas=3, readyReplicas=3)
    assert verdict_of("STS-036", story) is Verdict.NOT_EXERCISED


def test_replicas_that_changed_a_moment_ago_may_be_counted_as_before() -> None:
    story = updated()
    story.roll("1")
    story.edit(replicas=5)
    story.say("1", "1", replicas=3, readyReplicas=3, updatedReplicas=3)
    assert verdict_of("STS-036", story) is Verdict.PASS
