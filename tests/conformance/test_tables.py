"""Tables: the words of kubectl's own printers, at the places where they surprise."""

import pytest

from pvkit.backends.objects import Obj
from pvkit.conformance.history import State
from pvkit.conformance.tables import duration, render
from tests.conformance.histories import Story, history_of


def shown(*objects: Obj, wide: bool = False) -> list[list[str]]:
    """The rows of the tables of some objects, split at the gaps between columns."""
    story = Story()
    for obj in objects:
        story.added(obj)
    history = history_of(story)
    state = State(history.header)
    for entry in history.entries:
        state.take(entry)  # type: ignore[arg-type]
    return [line.split() for line in render(state, wide).splitlines()]


def pod(**status: object) -> Obj:
    spec = {"containers": [{"name": "a"}, {"name": "b"}], "nodeName": "n1"}
    return {"kind": "Pod", "metadata": {"name": "p"}, "spec": spec, "status": {"phase": "Running", **status}}


def container(ready: bool = False, restarts: int = 0, **state: Obj) -> Obj:
    return {"ready": ready, "restartCount": restarts, "state": state}


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


def test_a_size_is_written_as_an_api_server_writes_it() -> None:
    volume = {"kind": "PersistentVolume", "metadata": {"name": "v"}, "spec": {"capacity": {"storage": "0.5Gi"}}}
    assert shown(volume)[1][1] == "512Mi"


def test_a_pod_has_the_columns_of_kubectl_and_more_of_them_when_asked() -> None:
    assert shown(pod())[0] == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert shown(pod(podIP="10.0.0.1"), wide=True)[1][5:7] == ["10.0.0.1", "n1"]
    assert shown(claim(volumeMode="Block"), wide=True)[1][-1] == "Block"


@pytest.mark.parametrize(
    ("status", "cells"),
    [
        ({}, ["0/2", "Running", "0"]),
        ({"conditions": [{"type": "Ready", "status": "True"}]}, ["2/2", "Running", "0"]),
        ({"phase": "Failed", "reason": "Evicted"}, ["0/2", "Evicted", "0"]),
        ({"containerStatuses": [container(waiting={"reason": "CrashLoopBackOff"}, restarts=3)]}, ["0/2", "CrashLoopBackOff", "3"]),
        ({"containerStatuses": [container(terminated={"exitCode": 2})]}, ["0/2", "ExitCode:2", "0"]),
        ({"containerStatuses": [container(terminated={"signal": 9, "exitCode": 137})]}, ["0/2", "Signal:9", "0"]),
        ({"containerStatuses": [container(True, running={}), container(running={})]}, ["1/2", "Running", "0"]),
        ({"conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]}, ["0/2", "SchedulingGated", "0"]),
    ],
)  # fmt: skip
def test_a_pods_status_is_what_has_most_to_say(status: Obj, cells: list[str]) -> None:
    assert shown(pod(**status))[1][1:4] == cells


def test_a_finished_pod_is_not_terminating_when_it_is_deleted() -> None:
    going = pod(phase="Succeeded")
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert shown(going)[1][2] == "Succeeded"


def test_objects_of_other_namespaces_bring_a_column_with_them() -> None:
    away = {**claim(), "metadata": {"name": "c", "namespace": "other"}}
    volume = {"kind": "PersistentVolume", "metadata": {"name": "v"}, "spec": {"capacity": {"storage": "1Gi"}}}
    rows = shown(claim(), away, volume)
    assert rows[0][0] == "NAME"
    assert [row[:2] for row in rows[3:]] == [
        ["NAMESPACE", "NAME"],
        ["default", "persistentvolumeclaim/c"],
        ["other", "persistentvolumeclaim/c"],
    ]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.9, "0s"), (119, "119s"), (120, "2m"), (185, "3m5s"), (600, "10m"), (10_799, "179m"), (10_800, "3h"),
        (11_160, "3h6m"), (28_800, "8h"), (172_800, "2d"), (176_400, "2d1h"), (691_200, "8d"), (94_608_000, "3y"),
        (94_780_800, "3y2d"), (315_360_000, "10y"),
    ],
)  # fmt: skip
def test_ages_are_shortened_as_kubectl_shortens_them(seconds: float, words: str) -> None:
    assert duration(seconds) == words
