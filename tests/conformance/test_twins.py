"""One plan on two backends: what it says of UIDs, revisions and versions is told to each in that backend's own."""

from typing import Any

from pvkit.backends.objects import Obj, get, name
from pvkit.backends.protocol import Event, Operation
from pvkit.backends.reference.model import ReferenceModel
from pvkit.conformance.execute import execute
from pvkit.conformance.history import Asked, History
from pvkit.conformance.twins import played, uids_of
from pvkit.strategies.plan import Plan, Settle
from tests.backends.reference.builders import pod, stateful_set, storage_class

FIRST = (Operation("create", storage_class("other")), Settle())
"""What makes all UIDs and versions other ones on the second backend."""


def made(history: History, kind: str, called: str = "") -> list[Obj]:
    seen = [entry.object for entry in history.entries if isinstance(entry, Event)]
    return [obj for obj in seen if obj["kind"] == kind and (not called or name(obj) == called)]


def answers(history: History) -> list[int]:
    return [entry.outcome.code for entry in history.entries if isinstance(entry, Asked)]


def elsewhere(*steps: Any) -> tuple[History, History]:
    """A plan as it was drawn, and as it is played where more was made before."""
    drawn = execute(Plan(steps), ReferenceModel())
    return drawn, played(Plan((*FIRST, *steps)), ReferenceModel(), uids_of(drawn))


def versioned(drawn_version: str) -> tuple[Any, ...]:
    changed = storage_class("late")
    changed["metadata"] |= {"labels": {"again": "yes"}, "resourceVersion": drawn_version}
    return Operation("create", storage_class("late")), Settle(), Operation("update", changed)


def test_a_version_that_was_the_latest_is_the_latest_there() -> None:
    (first,) = made(execute(Plan(versioned("0")[:2]), ReferenceModel()), "StorageClass")
    drawn, there = elsewhere(*versioned(first["metadata"]["resourceVersion"]))
    assert answers(drawn) == [201, 200]
    assert answers(there) == [201, 201, 200]
    assert get(made(there, "StorageClass", "late")[-1], "metadata", "labels") == {"again": "yes"}


def test_a_version_that_was_old_stays_old() -> None:
    drawn, there = elsewhere(*versioned("1"))
    assert (answers(drawn), answers(there)) == ([201, 409], [201, 201, 409])


class Late(ReferenceModel):
    """A backend that has not told of its revisions yet."""

    def observe(self) -> list[Event]:
        return [event for event in super().observe() if event.object["kind"] != "ControllerRevision"]


def test_a_hash_of_a_revision_that_no_answer_told_of_is_looked_for() -> None:
    begin = (Operation("create", stateful_set("web", replicas=1)), Settle())
    drawn = uids_of(execute(Plan(begin), ReferenceModel()))
    (at,) = drawn.revisions
    for known, place in ((drawn.revisions, at._replace(name="web-drawn")), (drawn.hashes, "web-drawn")):
        known[place] = drawn.revisions[at]  # type: ignore[index]
    copy = pod("copy", labels={"controller-revision-hash": "web-drawn"})
    there = played(Plan((*begin, Operation("create", copy), Settle())), Late(), drawn)
    assert made(there, "Pod", "copy")[-1]["metadata"]["labels"]["controller-revision-hash"] == at.name
