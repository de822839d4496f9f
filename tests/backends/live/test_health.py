"""What is said of a cluster: of one that runs, one that is paused, one that has ended. Scripts stand in for programs."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import pvkit
from pvkit.backends.live.components import Layout, free_ports
from pvkit.backends.live.furnishing import furnish
from pvkit.backends.live.health import Component, status
from pvkit.backends.live.launching import supervisor_command
from pvkit.backends.live.processes import is_stopped
from pvkit.backends.live.programs import in_folder
from tests.backends.live.programs_for_tests import FOUR, folder_of, noted, script, until

LISTENER = """
import sys
if '--version' in sys.argv: print('Kubernetes v1.36.3'); sys.exit()
import signal, socket
port = next(word for word in sys.argv if word.startswith('--secure-port=')).partition('=')[2]
server = socket.create_server(('127.0.0.1', int(port)))
signal.pause()
"""
ETCD = """
import http.server, sys
port = next(word for word in sys.argv if word.startswith('--listen-client-urls=')).rpartition(':')[2]
class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b'{"health": "true"}')
http.server.HTTPServer(('127.0.0.1', int(port)), Health).serve_forever()
"""


@pytest.fixture
def cluster(tmp_path: Path, clusters: Path, cache: Path) -> Iterator[Layout]:
    """A cluster of scripts that its supervisor keeps; the API server listens and never answers."""
    programs = folder_of(tmp_path / "programs", *FOUR)
    script(programs / "kube-apiserver", LISTENER)
    script(programs / "etcd", ETCD)
    layout = Layout(clusters / "one", in_folder(programs, "here"), free_ports(), "1.33")
    layout.folder.mkdir(parents=True)
    furnish(layout)
    environment = {**os.environ, "PYTHONPATH": str(Path(pvkit.__file__).parent.parent)}
    with subprocess.Popen(
        supervisor_command(layout.folder), stdin=subprocess.PIPE, env=environment, text=True
    ) as supervisor:
        assert supervisor.stdin is not None
        supervisor.stdin.write("".join(f"start {name}\n" for name in FOUR) + "keep\n")
        supervisor.stdin.flush()
        noted(layout.folder, "kube-scheduler")
        yield layout
        supervisor.terminate()


def component(name: str) -> Component:
    return next(entry for entry in status("one").components if entry.name == name)


def when(name: str, right: Callable[[Component], bool]) -> Component:
    """The component, once it is as it should be."""
    until(lambda: right(component(name)), f"{name} is as expected")
    return component(name)


def test_what_can_be_asked_says_how_it_is(cluster: Layout) -> None:
    etcd = when("etcd", lambda seen: seen.state == "healthy")
    assert etcd.listens == (f"127.0.0.1:{cluster.ports.etcd}",)
    assert etcd.memory > 2**20


def test_what_cannot_be_asked_runs(cluster: Layout) -> None:
    assert when("kube-scheduler", lambda seen: seen.state == "running").listens == ()


def test_the_supervisor_is_looked_at_too(cluster: Layout) -> None:
    assert component("supervisor").process == noted(cluster.folder, "supervisor")


def test_an_api_server_without_an_answer_is_not_well_and_has_no_version(cluster: Layout) -> None:
    (cluster.folder / "certificates").mkdir()
    api = when("kube-apiserver", lambda seen: bool(seen.listens))
    told = status("one")
    assert api.state.startswith("does not answer")
    assert (told.healthy, told.kubernetes, told.emulated, told.source) == (False, "", "1.33", "here")


def test_a_paused_component_is_said_to_be_so(cluster: Layout) -> None:
    process = noted(cluster.folder, "kube-scheduler")
    os.kill(process, signal.SIGSTOP)
    until(lambda: is_stopped(process), "it stops")
    assert component("kube-scheduler").state == "paused"


def test_a_component_that_was_killed_has_ended_and_uses_nothing(cluster: Layout) -> None:
    os.kill(noted(cluster.folder, "kube-scheduler"), signal.SIGKILL)
    ended = when("kube-scheduler", lambda seen: seen.state == f"ended with -{int(signal.SIGKILL)}")
    assert (ended.process, ended.memory, ended.listens) == (0, 0, ())


def test_a_cluster_whose_supervisor_was_killed_runs_nothing(cluster: Layout) -> None:
    os.kill(noted(cluster.folder, "supervisor"), signal.SIGKILL)
    until(lambda: all(entry.process == 0 for entry in status("one").components), "nothing runs")
    assert {entry.state for entry in status("one").components} == {"not running"}
    assert status("one").memory == 0
