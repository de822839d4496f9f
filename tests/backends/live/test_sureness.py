"""The UID that the simulated kubelet means is added to what it asks for."""

import json
from typing import Any

import pytest

from pvkit.backends.live.calls import Call
from pvkit.backends.live.sureness import AT_ONCE, Sureness

PATH = "/api/v1/namespaces/n/pods/p"
OPTIONS = {"apiVersion": "v1", "kind": "DeleteOptions"}


def shown(uid: str, **more: str) -> bytes:
    """A frame of pod n/p."""
    return json.dumps(
        {"type": "MODIFIED", "object": {"metadata": {"namespace": "n", "name": "p", "uid": uid, **more}}}
    ).encode()


@pytest.fixture
def sureness() -> Sureness:
    made = Sureness()
    made.learn(shown("u1", deletionTimestamp="2026-01-01T00:00:00Z"))
    return made


@pytest.mark.parametrize(
    ("verb", "said", "expected"),
    [
        ("delete", None, {**OPTIONS, "preconditions": {"uid": "u1"}}),
        ("delete", {"gracePeriodSeconds": 0}, {"gracePeriodSeconds": 0, "preconditions": {"uid": "u1"}}),
        ("delete", AT_ONCE, {**OPTIONS, "gracePeriodSeconds": 0, "preconditions": {"uid": "u1"}}),
        ("delete", {"preconditions": {"uid": "u0"}}, {"preconditions": {"uid": "u0"}}),
        ("update-status", {"status": {}}, {"status": {}, "metadata": {"uid": "u1"}}),
        ("update", [{"op": "remove"}], [{"op": "test", "path": "/metadata/uid", "value": "u1"}, {"op": "remove"}]),
    ],
)
def test_writes_name_the_pod_that_was_shown(sureness: Sureness, verb: str, said: Any, expected: Any) -> None:
    body = said if isinstance(said, bytes) else b"" if said is None else json.dumps(said).encode()
    assert json.loads(sureness.sure(Call(verb, "Pod", "p"), PATH, body)) == expected


@pytest.mark.parametrize(
    ("call", "path", "body"),
    [
        (Call("delete", "Pod", "q"), "/api/v1/namespaces/n/pods/q", b"{}"),
        (Call("delete", "Pod", "p"), "/api/v1/namespaces/m/pods/p", b"{}"),
        (Call("get", "Pod", "p"), PATH, b""),
        (Call("update-status", "Node", "p"), "/api/v1/nodes/p/status", b"{}"),
        (Call("delete", "Pod", "p"), PATH, b"k8s\x00binary"),
    ],
)
def test_what_is_not_known_or_cannot_be_read_stays_as_it_is(
    sureness: Sureness, call: Call, path: str, body: bytes
) -> None:
    assert sureness.sure(call, path, body) == body


def test_what_terminates_is_deleted_and_not_its_successor(sureness: Sureness) -> None:
    sureness.learn(shown("u2"))
    assert b"u1" in sureness.sure(Call("delete", "Pod", "p"), PATH, AT_ONCE)
    assert b"u2" in sureness.sure(Call("update-status", "Pod", "p"), PATH, b"{}")
