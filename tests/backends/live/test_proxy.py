"""The proxy before a server of ours: what it passes on, and what becomes of calls in trouble."""

import asyncio
import json
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from functools import partial
from http.client import RemoteDisconnected
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from pvkit.backends.live.components import CONTROL, Layout, Ports, free_lines, free_ports
from pvkit.backends.live.line import Trouble
from pvkit.backends.live.programs import Programs
from pvkit.backends.live.proxy import Proxy, control, listen, readable
from tests.backends.live.fake_server import CERTIFICATE, FakeServer, serving
from tests.backends.live.programs_for_tests import until

VOLUMES = "/api/v1/persistentvolumes"
TOKEN = "a-token"
PROGRAMS = Programs({"kube-controller-manager": ("true",), "kube-scheduler": ("true",)}, "1.36.3", "nowhere")


class Behind:
    """A proxy in front of a fake server, both on loopback, with the line of the binder."""

    def __init__(self, folder: Path, fake: FakeServer) -> None:
        self.fake = fake
        (folder / "certificates").mkdir()
        for name in ("apiserver.crt", "apiserver.key"):
            (folder / "certificates" / name).write_bytes(CERTIFICATE.read_bytes())
        port = int(fake.url.rpartition(":")[2])
        lines = free_lines(PROGRAMS)
        self.layout = Layout(folder, PROGRAMS, Ports(*(free_ports().etcd, free_ports().peer, port)), lines=lines)
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.runners: list[web.AppRunner] = []
        self.run(self._start())

    def run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(20)

    async def _start(self) -> None:
        self.proxy = Proxy(self.layout)
        self.binder = self.proxy.lines["binder"]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE)
        lines = self.layout.lines
        passed = partial(self.proxy.passed, self.binder)
        self.runners.append(await listen(passed, lines["binder"], context))
        self.runners.append(await listen(control(self.proxy, TOKEN), lines[CONTROL], context))

    async def _stop(self) -> None:
        await self.proxy.session.close()
        for runner in self.runners:
            await runner.cleanup()

    def close(self) -> None:
        self.run(self._stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def ask(
        self, method: str, path: str, body: Any = None, actor: str = "binder", token: str = TOKEN
    ) -> tuple[int, Any]:
        """The answer: code and JSON."""
        trusted = ssl.create_default_context(cafile=str(CERTIFICATE))
        url = f"https://127.0.0.1:{self.layout.lines[actor]}{path}"
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        asked = urllib.request.Request(url, data, headers, method=method)
        try:
            with urllib.request.urlopen(asked, context=trusted, timeout=20) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def make(self, name: str) -> tuple[int, Any]:
        return self.ask("POST", VOLUMES, {"metadata": {"name": name}})


@pytest.fixture
def behind(tmp_path: Path) -> Iterator[Behind]:
    with serving(FakeServer(), tls=True) as fake:
        made = Behind(tmp_path, fake)
        yield made
        made.close()


def test_requests_and_answers_pass_as_they_are(behind: Behind) -> None:
    code, made = behind.make("v")
    assert code == 201
    assert behind.ask("GET", f"{VOLUMES}/v") == (200, made)
    assert behind.ask("GET", f"{VOLUMES}/w")[0] == 404
    assert behind.fake.written() == [f"POST {VOLUMES}"]


@pytest.mark.parametrize(
    ("answer", "code", "reason"),
    [("conflict", 409, "Conflict"), ("quota", 403, "Forbidden"), ("server-error", 500, "InternalError")],
)
def test_the_second_write_is_refused_and_not_passed_on(behind: Behind, answer: str, code: int, reason: str) -> None:
    behind.binder.troubles.append(Trouble("refuse", nth=2, answer=answer))
    codes = [behind.make(name)[0] for name in ("a", "b", "c")]
    assert codes == [201, code, 201]
    assert sorted(behind.fake.objects) == [f"{VOLUMES}/a", f"{VOLUMES}/c"]
    behind.binder.troubles.append(Trouble("refuse", answer=answer))
    assert behind.make("d")[1]["reason"] == reason


def test_a_call_that_times_out_is_neither_carried_out_nor_answered(behind: Behind) -> None:
    behind.binder.troubles.append(Trouble("refuse", answer="timeout"))
    with pytest.raises((RemoteDisconnected, urllib.error.URLError, ConnectionError)):
        behind.make("v")
    assert behind.fake.objects == {}


def test_a_write_whose_answer_is_lost_is_stored(behind: Behind) -> None:
    behind.binder.troubles.append(Trouble("lose-answer"))
    with pytest.raises((RemoteDisconnected, urllib.error.URLError, ConnectionError)):
        behind.make("v")
    assert list(behind.fake.objects) == [f"{VOLUMES}/v"]


def test_a_delayed_call_waits_until_all_is_healed(behind: Behind) -> None:
    behind.binder.troubles.append(Trouble("delay", seconds=3600))
    answers: list[int] = []
    asking = threading.Thread(target=lambda: answers.append(behind.make("v")[0]))
    asking.start()
    until(lambda: "under way" in behind.binder.busy(), "the call is under way")
    before = dict(behind.fake.objects)
    behind.loop.call_soon_threadsafe(behind.binder.heal)
    asking.join(20)
    assert (before, answers) == ({}, [201])


def test_faults_are_taken_from_whoever_has_the_token(behind: Behind) -> None:
    fault = {"word": "hold", "options": {"controller": "binder", "kind": "Pod"}}
    refused = behind.ask("POST", "/", fault, CONTROL, "guessed")[0]
    before = set(behind.binder.held)
    taken = behind.ask("POST", "/", fault, CONTROL)
    assert (refused, before, taken, behind.binder.held) == (401, set(), (200, {"lacks": ""}), {"Pod"})


def test_the_state_of_each_actor_is_told(behind: Behind) -> None:
    behind.ask("POST", "/", {"word": "hold", "options": {"controller": "binder", "kind": "Pod"}}, CONTROL)
    told = behind.ask("GET", "/", None, CONTROL)[1]
    assert set(told) == set(behind.layout.lines) - {CONTROL}
    assert (told["binder"]["held"], told["scheduler"]["held"]) == (["Pod"], [])


def test_a_list_that_an_actor_asks_for_cannot_be_made_to_look_empty(behind: Behind) -> None:
    fault = {"word": "crash", "options": {"controller": "scheduler", "lists": {"Pod": "empty"}}}
    told = behind.ask("POST", "/", fault, CONTROL)[1]["lacks"]
    assert told == "scheduler lists Pod by a request, which cannot be made to look empty"


def test_whom_the_cluster_does_not_have_cannot_be_disturbed(behind: Behind) -> None:
    fault = {"word": "freeze", "options": {"controller": "kubelet"}}
    assert behind.ask("POST", "/", fault, CONTROL) == (200, {"lacks": "this cluster has no kubelet"})


def test_what_cannot_be_read_line_by_line_is_not_accepted() -> None:
    accepted = (
        "application/vnd.kubernetes.protobuf;as=Table;g=meta.k8s.io;v=v1,application/json;as=Table,application/cbor"
    )
    assert readable(accepted) == "application/json;as=Table"
    assert readable("application/vnd.kubernetes.protobuf") == "application/json"
