"""Judges of answers: what a server says, against what was there and what came of it."""

from typing import Any

import pytest

from pvkit.backends.objects import Key, Obj, put, uid, version
from pvkit.backends.protocol import Fault, Operation, Outcome
from pvkit.conformance.verdict import Verdict
from tests.conformance.histories import Story, message_of, verdict_of
from tests.conformance.invariants.storage_story import volume

AT = Key("PersistentVolume", "", "volume")
CONFLICT = Outcome("failed", 409, "Conflict", "the object has been modified")
NOT_FOUND = Outcome("failed", 404, "NotFound", "not found")
TAKEN = Outcome("failed", 409, "AlreadyExists", "already exists")


def one_volume() -> tuple[Story, Obj]:
    """A volume that a client made, and the answer to it."""
    story = Story()
    made = story.added(volume())
    story.asked(Operation("create", volume()), Outcome("ok", 201, object=made))
    return story, made


def update(story: Story, obj: Obj, at: Obj) -> None:
    """The volume is updated at the version of another, and accepted."""
    wanted = put(put(obj, ("spec", "capacity"), {"storage": "9Gi"}), ("metadata", "resourceVersion"), str(version(at)))
    story.asked(Operation("update", wanted), Outcome("ok", object=story.modified(wanted, by="client")))


def ask(story: Story, verb: str, outcome: Outcome, **options: Any) -> None:
    """Something is asked about the volume."""
    story.asked(Operation(verb, target=AT, patch={}, options=options), outcome)


def test_an_ordinary_exchange_breaks_no_promise() -> None:
    story, made = one_volume()
    update(story, made, made)
    ask(story, "get", Outcome("ok", object=story.latest(made)))
    story.asked(Operation("create", volume()), TAKEN)
    story.asked(Operation("update", made), CONFLICT)
    ask(story, "delete", CONFLICT, uid="other")
    story.deleted(story.latest(made), by="client")
    ask(story, "delete", Outcome("ok", object=story.latest(made)), uid=uid(made))
    ask(story, "get", NOT_FOUND)
    verdicts = {id: verdict_of(id, story) for id in (f"API-02{number}" for number in range(8))}
    assert set(verdicts.values()) == {Verdict.PASS}


def test_a_refusal_that_changes_something_is_noticed() -> None:
    story, made = one_volume()
    story.modified(put(made, ("spec", "capacity"), {"storage": "9Gi"}), by="client")
    ask(story, "patch", Outcome("failed", 422, "Invalid", "no"))
    assert "patch was refused (Invalid) and changed" in message_of("API-020", story)


def test_what_others_change_meanwhile_is_not_the_requests() -> None:
    story, made = one_volume()
    story.modified({**made, "status": {"phase": "Available"}}, by="binder")
    ask(story, "patch", Outcome("failed", 422, "Invalid", "no"))
    assert verdict_of("API-020", story) is Verdict.PASS


def test_a_stale_update_that_is_accepted_is_noticed() -> None:
    story, made = one_volume()
    story.modified({**made, "status": {"phase": "Available"}}, by="binder")
    update(story, made, made)
    assert "told version 1 and was accepted at 2" in message_of("API-021", story)


def test_a_fresh_update_that_is_a_conflict_is_noticed() -> None:
    story, made = one_volume()
    story.asked(Operation("update", made), CONFLICT)
    assert "was a conflict" in message_of("API-022", story)


def test_an_update_without_a_version_that_is_a_conflict_is_noticed() -> None:
    story, _ = one_volume()
    story.asked(Operation("update", volume()), CONFLICT)
    assert "with version none" in message_of("API-022", story)


def test_an_update_of_another_uid_is_a_conflict() -> None:
    story, made = one_volume()
    story.asked(Operation("update", put(made, ("metadata", "uid"), "other")), CONFLICT)
    assert verdict_of("API-022", story) is not Verdict.FAIL


def test_a_create_that_replaces_is_noticed() -> None:
    story, made = one_volume()
    again = story.modified(made, by="client")
    story.asked(Operation("create", volume()), Outcome("ok", 201, object=again))
    assert "replaced an object that was there" in message_of("API-023", story)


def test_a_name_that_is_said_to_be_taken_and_is_not_is_noticed() -> None:
    story = Story()
    story.asked(Operation("create", volume()), TAKEN)
    assert "and there is none" in message_of("API-023", story)


def test_a_name_that_became_free_meanwhile_may_have_been_taken() -> None:
    story, made = one_volume()
    story.deleted(made, by="somebody")
    story.asked(Operation("create", volume()), TAKEN)
    assert verdict_of("API-023", story, lag=5.0) is Verdict.PASS


@pytest.mark.parametrize("verb", ["get", "patch", "delete", "scale"])
def test_a_missing_object_that_is_found_is_noticed(verb: str) -> None:
    story = Story()
    ask(story, verb, Outcome("ok", object=volume()))
    assert "which does not exist" in message_of("API-024", story)


def test_an_object_that_is_there_and_not_found_is_noticed() -> None:
    story, _ = one_volume()
    ask(story, "get", NOT_FOUND)
    assert "and it exists" in message_of("API-024", story)


def test_an_object_that_just_appeared_may_not_have_been_found() -> None:
    story, _ = one_volume()
    ask(story, "get", NOT_FOUND)
    assert verdict_of("API-024", story, lag=5.0) is Verdict.PASS


@pytest.mark.parametrize("options", [{"uid": "other"}, {"version": "99"}])
def test_a_delete_that_hits_another_object_is_noticed(options: dict[str, str]) -> None:
    story, made = one_volume()
    story.deleted(made, by="client")
    ask(story, "delete", Outcome("ok", object=made), **options)
    assert "hit" in message_of("API-025", story)


def test_a_delete_of_the_right_uid_that_is_refused_is_noticed() -> None:
    story, made = one_volume()
    ask(story, "delete", CONFLICT, uid=uid(made))
    assert "was refused" in message_of("API-025", story)


def test_a_code_that_is_not_its_reasons_is_noticed() -> None:
    story = Story()
    ask(story, "get", Outcome("failed", 500, "NotFound", "not found"))
    assert "came with code 500, expected 404" in message_of("API-026", story)


def test_faults_are_answered_in_their_own_way() -> None:
    story = Story()
    story.asked(Fault("crash"), Outcome("failed", 501, "NotFound", "no such fault"))
    assert verdict_of("API-026", story) is Verdict.NOT_EXERCISED


def test_a_get_that_shows_the_past_is_noticed() -> None:
    story, made = one_volume()
    update(story, made, made)
    ask(story, "get", Outcome("ok", object=made))
    assert "shows version 1, the client wrote 2" in message_of("API-027", story)
