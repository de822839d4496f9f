"""Answers: which of the changes that were seen are the client's own, and where among them its answers belong."""

from typing import Any

import pytest

from pvkit.backends.live.answers import Answer, Answers, answer_of
from pvkit.backends.live.watching import Frame
from pvkit.backends.objects import Key, Obj
from pvkit.backends.protocol import Operation

POD = Key("Pod", "default", "p")


def pod(version: int, **metadata: Any) -> Obj:
    """A pod as a server shows it."""
    made = {"name": "p", "namespace": "default", "uid": "u", "resourceVersion": str(version), **metadata}
    return {"kind": "Pod", "metadata": made, "spec": {}}


GOING = {"deletionTimestamp": "2026-01-01T00:00:00Z"}
DELETE = Operation("delete", target=POD)


class Told:
    """Answers to requests, and whose each change was found to be."""

    def __init__(self) -> None:
        self.answers, self.before = Answers(), None  # type: Answers, Obj | None

    def asked(self, operation: Operation, found: Obj, known: int) -> int:
        """An answer came; returns its number."""
        answer = answer_of(operation, found, POD, known)
        self.answers.note(answer, int(found.get("metadata", {}).get("resourceVersion", 0)))
        return self.answers.give(answer)

    def own(self, obj: Obj, how: str = "MODIFIED") -> bool:
        """A change was seen."""
        found = self.answers.own(Frame(how, obj, 0.0), self.before)
        self.before = obj if how != "DELETED" else None
        return found


def test_a_write_is_known_by_its_version() -> None:
    told = Told()
    told.asked(Operation("create", pod(1)), pod(5), 0)
    assert told.own(pod(5), "ADDED")
    assert not told.own(pod(6))


def test_a_write_that_changed_nothing_is_not_the_clients() -> None:
    told = Told()
    told.asked(Operation("update", pod(5)), pod(5), known=5)
    assert not told.own(pod(5))


def test_a_patch_that_found_its_wish_fulfilled_by_another_is_not_the_clients() -> None:
    told = Told()
    assert not told.own(pod(5, labels={"a": "b"}), "ADDED")
    told.asked(Operation("patch", target=POD, patch={"metadata": {"labels": {"a": "b"}}}), pod(6, labels={"a": "b"}), 4)
    assert not told.own({**pod(6, labels={"a": "b"}), "status": {"phase": "Running"}})


def test_a_patch_that_changed_what_it_speaks_of_is_the_clients() -> None:
    told = Told()
    told.own(pod(5), "ADDED")
    told.asked(Operation("patch", target=POD, patch={"metadata": {"labels": {"a": "b"}}}), pod(6, labels={"a": "b"}), 5)
    assert told.own(pod(6, labels={"a": "b"}))


def test_a_patch_that_left_something_empty_is_the_clients() -> None:
    told = Told()
    told.own(pod(5), "ADDED")
    told.asked(Operation("patch", target=POD, patch={"spec": {"ref": {"uid": None}}}), pod(6), known=5)
    assert told.own({**pod(6), "spec": {"ref": {}}})


def test_a_later_request_that_only_finds_a_version_does_not_take_it_from_its_writer() -> None:
    told = Told()
    told.own(pod(5, finalizers=["x"]), "ADDED")
    told.asked(DELETE, pod(6, finalizers=["x"], **GOING), known=5)
    told.asked(Operation("patch", target=POD, patch={"metadata": {"finalizers": None}}), pod(6, **GOING), known=5)
    assert told.own(pod(6, finalizers=["x"], **GOING))
    assert told.own(pod(7, finalizers=["x"], **GOING), "DELETED")


def test_a_removal_at_once_is_known_by_the_objects_uid() -> None:
    told = Told()
    told.asked(DELETE, {"kind": "Status", "details": {"uid": "u"}}, known=5)
    assert told.own(pod(9), "DELETED")
    assert not told.own(pod(12, uid="another"), "DELETED")


def test_the_mark_and_the_removal_of_one_request_are_both_the_clients() -> None:
    told = Told()
    told.own(pod(5), "ADDED")
    told.asked(DELETE, pod(7, deletionGracePeriodSeconds=0, **GOING), known=5)
    assert told.own(pod(6, deletionGracePeriodSeconds=0, **GOING))
    assert told.own(pod(7, deletionGracePeriodSeconds=0, **GOING), "DELETED")


@pytest.mark.parametrize("held", [{"deletionGracePeriodSeconds": 30}, {"finalizers": ["example.com/hold"]}])
def test_an_object_that_is_only_marked_is_removed_by_somebody_else(held: Obj) -> None:
    told = Told()
    told.own(pod(5), "ADDED")
    told.asked(DELETE, pod(6, **held, **GOING), known=5)
    assert told.own(pod(6, **held, **GOING))
    assert not told.own(pod(9, **held, **GOING), "DELETED")


def test_an_update_that_takes_the_last_finalizer_removes_the_object() -> None:
    told = Told()
    told.own(pod(5, finalizers=["x"], **GOING), "ADDED")
    told.asked(Operation("update", pod(5)), pod(5, deletionGracePeriodSeconds=0, **GOING), known=5)
    assert told.own(pod(6, finalizers=["x"], **GOING), "DELETED")


def test_an_answer_belongs_after_its_write_and_a_removal_moves_it() -> None:
    told = Told()
    first = told.asked(Operation("create", pod(1)), pod(5), 0)
    second = told.asked(DELETE, {"kind": "Status", "details": {"uid": "u"}}, known=5)
    assert (told.answers.moment(first), told.answers.moment(second)) == (5, 5)
    told.own(pod(8), "DELETED")
    assert (told.answers.moment(first), told.answers.moment(second)) == (5, 8)


def test_no_answer_comes_before_the_one_before_it() -> None:
    answers = Answers()
    numbers = [answers.give(Answer(moment)) for moment in (7, 0, 9)]
    assert [answers.moment(number) for number in numbers] == [7, 7, 9]
