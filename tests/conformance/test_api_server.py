"""Answers of the API compared: with a server that only seems to be one, and with a real one."""

from pathlib import Path
from typing import Any, cast

import pytest

from pvkit.backends.live import cluster
from pvkit.backends.live.connection import Connection
from pvkit.backends.objects import Key, Obj
from pvkit.conformance.api_answers import Asked, cases, model_of
from pvkit.conformance.api_server import Answered, Server, compared, stop_others, told
from tests.backends.live.real_cluster import real_programs


class Recorded:
    """A connection that only remembers what was sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, Any]] = []

    def request(self, method: str, path: str, body: Any = None) -> Obj:
        self.sent.append((method, path, body))
        return {"metadata": {"name": "made", **(body or {}).get("metadata", {})}}


def server() -> tuple[Server, Recorded]:
    connection = Recorded()
    return Server(cast(Connection, connection)), connection


def test_requests_go_where_an_api_server_takes_them() -> None:
    api, connection = server()
    api.create({"kind": "PersistentVolumeClaim", "metadata": {"namespace": "default", "name": "c"}})
    api.update({"kind": "PersistentVolume", "metadata": {"name": "v"}}, "status")
    api.patch(Key("Pod", "default", "p"), {"spec": {}})
    api.create({"kind": "Binding", "metadata": {"namespace": "default", "name": "p"}})
    api.delete(Key("PersistentVolume", "", "a b"), uid="u", grace=0, propagation="Orphan")
    assert [entry[:2] for entry in connection.sent] == [
        ("POST", "/api/v1/namespaces/default/persistentvolumeclaims"),
        ("PUT", "/api/v1/persistentvolumes/v/status"),
        ("PATCH", "/api/v1/namespaces/default/pods/p"),
        ("POST", "/api/v1/namespaces/default/pods/p/binding"),
        ("DELETE", "/api/v1/persistentvolumes/a%20b"),
    ]
    options = connection.sent[-1][2]
    assert options["preconditions"] == {"uid": "u"}
    assert (options["gracePeriodSeconds"], options["propagationPolicy"]) == (0, "Orphan")


def test_a_name_that_is_empty_is_never_asked_for() -> None:
    api, connection = server()
    assert api.read(Key("PersistentVolume", "", "")) is None
    assert connection.sent == []


def test_one_case_asked_of_two_worlds_is_answered_the_same() -> None:
    case = cases()[0]
    one, other = Asked(case), Asked(case, model_of(case))
    asks = [step["ask"] for step in case["steps"]]
    assert [one.answer(ask) for ask in asks] == [other.answer(ask) for ask in asks]


def test_an_answer_that_differs_is_shown_in_full() -> None:
    good = Answered("a", {"create": "Pod"}, {"code": 201}, {"code": 201})
    bad = Answered("b", {"create": "Pod"}, {"code": 201}, {"code": 409, "reason": "AlreadyExists"})
    first, *others = told([good, bad])
    assert first.startswith("1 of 2 answers of the API the same")
    assert others == ["  b: {'create': 'Pod'}: model {'code': 201}, live {'code': 409, 'reason': 'AlreadyExists'}"]


@pytest.mark.live
def test_every_answer_of_the_model_is_a_real_servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PVKIT_CLUSTERS", str(tmp_path))
    layout = cluster.up("answers", real_programs(), [])
    try:
        stop_others(layout)
        answers = list(compared(Connection(str(layout.kubeconfig)), "1.36"))
    finally:
        cluster.down("answers")
    assert [str(entry) for entry in answers if entry.model != entry.live] == []
    assert len(answers) >= 200
    assert sum(entry.live["code"] >= 400 for entry in answers) >= 100
