"""Tables: the words of kubectl's own printers, at the places where they surprise."""

import pytest

from pvkit.backends.objects import Obj
from pvkit.conformance.history import State
from pvkit.conformance.tables import render
from tests.conformance.histories import Story, history_of


def shown(*objects: Obj) -> list[list[str]]:
    """The rows of the tables of some objects, split at the gaps between columns."""
    story = Story()
    for obj in objects:
        story.added(obj)
    history = history_of(story)
    state = State(history.header)
    for entry in history.entries:
        state.take(entry)  # type: ignore[arg-type]
    return [line.split() for line in render(state).splitlines()]


def claim(**spec: object) -> Obj:
    return {"kind": "PersistentVolumeClaim", "metadata": {"name": "c"}, "spec": spec, "status": {"phase": "Pending"}}


def test_a_claim_that_names_a_volume_before_it_is_bound_has_a_capacity_of_zero() -> None:
    assert shown(claim(volumeName="v"))[1][:4] == ["persistentvolumeclaim/c", "Pending", "v", "0"]


@pytest.mark.parametrize(("given", "cells"), [({}, ["<unset>"]), ({"volumeAttributesClassName": ""}, [])])
def test_only_an_attributes_class_that_was_never_set_is_unset(given: dict[str, str], cells: list[str]) -> None:
    assert shown(claim(**given))[1][2:-1] == cells


def test_an_object_that_is_being_deleted_is_terminating() -> None:
    going = claim()
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert shown(going)[1][1] == "Terminating"


def test_nothing_at_all_is_said_as_kubectl_says_it() -> None:
    assert shown() == [["No", "resources", "found"]]
