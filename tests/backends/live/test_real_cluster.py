"""A real control plane: it becomes ready, keeps to loopback and to itself, and goes without a trace."""

import json
import os
import signal
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

from pvkit.backends.live.cluster import clusters_folder, down, names, process_of, up
from pvkit.backends.live.components import Layout
from pvkit.backends.live.health import status
from pvkit.backends.live.programs import Programs
from pvkit.backends.live.requests import request
from tests.backends.live.programs_for_tests import gone, program, until
from tests.backends.live.real_cluster import get, listening, node, real_programs, with_words

pytestmark = pytest.mark.live
READY_SECONDS = 45.0
"""Far more than the ten that it should take: machines that run tests are busy."""

LOOPBACK = "0100007F"
COMPONENTS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok", "provisioner")


@pytest.fixture(scope="module")
def programs() -> Programs:
    return real_programs()


@pytest.fixture(scope="module")
def one(programs: Programs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Layout]:
    """A cluster of two nodes, for tests that leave it as it was."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PVKIT_CLUSTERS", str(tmp_path_factory.mktemp("clusters")))
        yield up("one", programs, [node("n1", zone="a"), node("n2")])
        for name in names():
            down(name)


def test_it_is_ready_in_time(one: Layout, programs: Programs) -> None:
    begin = monotonic()
    up("timed", programs, [node("n1"), node("n2"), node("n3")])
    seconds = monotonic() - begin
    down("timed")
    assert seconds < READY_SECONDS


def test_nodes_are_ready_and_have_their_labels(one: Layout) -> None:
    found = {entry["metadata"]["name"]: entry for entry in request(one, "GET", "/api/v1/nodes")["items"]}
    assert found["n1"]["metadata"]["labels"]["zone"] == "a"
    ready = [
        entry["status"] for each in found.values() for entry in each["status"]["conditions"] if entry["type"] == "Ready"
    ]
    assert ready == ["True", "True"]


def test_every_component_runs_and_status_says_what(one: Layout, programs: Programs) -> None:
    told = status("one")
    assert told.healthy
    assert told.kubernetes == programs.version
    assert {entry.name for entry in told.components} == {*COMPONENTS, "supervisor"}
    ports = {int(address.rpartition(":")[2]) for entry in told.components for address in entry.listens}
    assert ports == {one.ports.etcd, one.ports.peer, one.ports.api}
    assert 200 << 20 < told.memory < 2 << 30


def test_nothing_listens_off_loopback(one: Layout) -> None:
    sockets = {name: listening(process_of(one.folder, name)) for name in (*COMPONENTS, "supervisor")}
    assert {address for found in sockets.values() for address, _ in found} == {LOOPBACK}
    assert {name for name, found in sockets.items() if found} == {"etcd", "kube-apiserver"}


def refused(one: Layout, trusted: ssl.SSLContext, token: str) -> Exception:
    asked = urllib.request.Request(f"{one.server}/api/v1/nodes", headers={"Authorization": f"Bearer {token}"})
    with pytest.raises(urllib.error.URLError) as refusal:
        urllib.request.urlopen(asked, context=trusted, timeout=10)
    if isinstance(refusal.value, urllib.error.HTTPError):
        refusal.value.close()
    return refusal.value


def test_the_server_is_verified_by_its_own_authority_and_no_other(one: Layout) -> None:
    assert "CERTIFICATE_VERIFY_FAILED" in str(refused(one, ssl.create_default_context(), "any"))


def test_whoever_lacks_the_token_is_not_let_in(one: Layout) -> None:
    trusted = ssl.create_default_context(cafile=str(one.authority))
    assert getattr(refused(one, trusted, "guessed"), "code", 0) == 401


def test_two_clusters_live_side_by_side_and_end_alone(one: Layout, programs: Programs) -> None:
    two = up("two", programs, [node("m1")])
    request(one, "POST", "/api/v1/namespaces", {"metadata": {"name": "here"}})
    seen = get(two, "/api/v1/namespaces/here"), get(one, "/api/v1/namespaces/here")["metadata"]["name"]
    both = names()
    down("two")
    request(one, "DELETE", "/api/v1/namespaces/here")
    assert seen == ({}, "here")
    assert both == ["one", "two"]
    assert status("one").healthy


def test_down_leaves_no_process_and_no_file(one: Layout, programs: Programs) -> None:
    folder = up("short", programs, []).folder
    before = len(with_words(folder))
    down("short")
    assert before == len(COMPONENTS) + 1
    assert with_words(folder) == []
    assert not folder.exists()


def test_a_killed_supervisor_takes_all_along_and_the_name_can_be_used_again(one: Layout, programs: Programs) -> None:
    folder = up("short", programs, [node("n1")]).folder
    processes = with_words(folder)
    os.kill(process_of(folder, "supervisor"), signal.SIGKILL)
    assert all(gone(process) for process in processes)
    assert not status("short").healthy
    up("short", programs, [node("n1")])
    healthy = status("short").healthy
    down("short")
    assert healthy
    assert with_words(folder) == []


def test_an_interrupted_up_leaves_nothing(one: Layout, programs: Programs, tmp_path: Path) -> None:
    folder = clusters_folder() / "halfway"
    running = program("cluster", "up", "--name", "halfway", *_where(programs))
    until((folder / "kube-apiserver.pid").exists, "it is on its way")
    running.send_signal(signal.SIGINT)
    running.communicate()
    assert running.returncode == 130
    assert with_words(folder) == []
    assert not folder.exists()


def _where(programs: Programs) -> list[str]:
    """The words that make the command line take the same programs."""
    named = os.environ.get("PVKIT_BINARIES")
    return ["--binaries", named] if named else ["--kubernetes-version", programs.minor]


def test_the_command_line_starts_looks_and_ends(one: Layout, programs: Programs) -> None:
    with program("cluster", "up", "--name", "typed", "--node", "n1,zone=b", *_where(programs)) as running:
        out, error = running.communicate()
    assert (running.returncode, out) == (0, f"export KUBECONFIG={clusters_folder() / 'typed' / 'kubeconfig'}\n"), error
    with program("cluster", "status", "--name", "typed", "--json") as looking:
        told = json.loads(looking.communicate()[0])
    os.kill(process_of(clusters_folder() / "typed", "etcd"), signal.SIGKILL)
    with program("cluster", "status", "--name", "typed") as looking:
        unwell = looking.communicate()[0]
    with program("cluster", "down", "--name", "typed") as ending:
        ended = ending.communicate()[0]
    assert (told[0]["healthy"], told[0]["kubernetes"]) == (True, programs.version)
    assert (looking.returncode, "ended with -9" in unwell) == (2, True)
    assert (ending.returncode, ended) == (0, "cluster typed is down\n")


def test_an_older_version_is_emulated_and_the_server_says_so(one: Layout, programs: Programs) -> None:
    older = f"1.{int(programs.minor.split('.')[1]) - 1}"
    layout = up("older", programs, [node("n1")], emulated=older)
    said = request(layout, "GET", "/version")
    told = status("older")
    down("older")
    assert f"{said['emulationMajor']}.{said['emulationMinor']}" == older
    assert (told.kubernetes, told.emulated) == (programs.version, older)
