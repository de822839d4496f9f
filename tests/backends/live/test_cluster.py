"""Starting and ending a cluster of scripts: whatever goes wrong, nothing is left running and the message says why."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pvkit.backends.errors import UsageError
from pvkit.backends.live.cluster import down, names, up
from pvkit.backends.live.launching import StartError, supervisor_command
from pvkit.backends.live.processes import is_running, words_of
from pvkit.backends.live.programs import in_folder
from tests.backends.live.programs_for_tests import FOUR, PAUSE, folder_of, gone, noted, program, script, until

NODES = [{"metadata": {"name": "n1"}}]


@pytest.fixture
def binaries(tmp_path: Path, clusters: Path, cache: Path) -> Path:
    """Programs that start, do nothing and never are ready."""
    return folder_of(tmp_path / "programs", *FOUR, "kwok", "provisioner")


def starting(binaries: Path, name: str = "one") -> "subprocess.Popen[str]":
    """A `pvkit cluster up` that will wait for an API server that never answers."""
    return program("cluster", "up", "--name", name, "--binaries", str(binaries))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_up_that_is_ended_leaves_nothing_running_and_nothing_behind(
    number: int, binaries: Path, clusters: Path
) -> None:
    running = starting(binaries)
    processes = [noted(clusters / "one", component) for component in ("supervisor", "etcd", "kube-apiserver")]
    running.send_signal(number)
    running.communicate()
    assert all(gone(process) for process in processes)
    until(lambda: not (clusters / "one").exists(), "the folder is gone")
    assert running.returncode == (-number if number == signal.SIGKILL else 130)


def test_a_component_that_ends_at_once_is_named_with_its_last_words_and_nothing_is_left(
    binaries: Path, clusters: Path
) -> None:
    script(binaries / "etcd", "import sys; print('first line'); sys.exit('the disk is full')")
    with pytest.raises(StartError) as failure:
        up("one", in_folder(binaries, "here"), NODES)
    said = str(failure.value)
    assert said.startswith("etcd ended with 1; its log ends: ")
    assert "the disk is full" in said
    assert not (clusters / "one").exists()
    logs = Path(said.rpartition("logs: ")[2])
    assert "the disk is full" in (logs / "etcd.log").read_text()


def test_a_port_that_somebody_took_meanwhile_is_replaced_a_few_times(binaries: Path, clusters: Path) -> None:
    tried = binaries / "tried"
    note = f"import sys; open({str(tried)!r}, 'a').write(' '.join(sys.argv) + chr(10)); "
    script(binaries / "etcd", note + "sys.exit('listen tcp 127.0.0.1: bind: address already in use')")
    with pytest.raises(StartError, match="address already in use"):
        up("one", in_folder(binaries, "here"), NODES)
    attempts = tried.read_text().splitlines()
    assert len(attempts) == len(set(attempts)) == 3


def test_a_name_that_is_up_is_refused_and_says_how_to_end_it(binaries: Path, clusters: Path) -> None:
    first = starting(binaries)
    noted(clusters / "one", "etcd")
    second = starting(binaries)
    said = second.communicate()[1]
    assert (second.returncode, "cluster 'one' is being started by another process" in said) == (2, True)
    first.kill()
    first.communicate()


@pytest.mark.parametrize("name", ["", "A", "../one", "one/two", ".failed", "-one", "x" * 43])
def test_a_name_that_is_none_is_refused(name: str, binaries: Path, clusters: Path) -> None:
    with pytest.raises(UsageError, match="is no name for a cluster; use up to 42 lower-case letters"):
        up(name, in_folder(binaries, "here"), NODES)
    with pytest.raises(UsageError, match="no cluster"):
        down(name)


def test_nodes_need_kwok_and_the_message_says_so(binaries: Path, clusters: Path) -> None:
    (binaries / "kwok").unlink()
    with pytest.raises(UsageError, match="has no kwok, which plays the nodes; `pvkit cluster build` makes it"):
        up("one", in_folder(binaries, "here"), NODES)


def test_what_is_not_up_cannot_be_ended(clusters: Path) -> None:
    with pytest.raises(UsageError, match="no cluster 'one' is up; running: none"):
        down("one")


def leftover(clusters: Path, name: str, **processes: int) -> Path:
    """The folder of a cluster whose supervisor went without it, with noted process ids."""
    folder = clusters / name
    folder.mkdir(parents=True)
    commands = {component: [sys.executable, "-c", PAUSE, str(folder), component] for component in processes}
    (folder / "cluster.json").write_text(json.dumps({"commands": commands}))
    for component, process in processes.items():
        (folder / f"{component}.pid").write_text(str(process))
    return folder


def test_down_ends_what_a_crash_left_and_removes_its_folder(clusters: Path) -> None:
    command = [sys.executable, "-c", PAUSE, str(clusters / "one"), "etcd"]
    with subprocess.Popen(command) as left:
        until(lambda: words_of(left.pid) == command, "it runs")
        folder = leftover(clusters, "one", etcd=left.pid, supervisor=2**22 + 1)
        assert names() == ["one"]
        down("one")
        assert left.wait() == -signal.SIGKILL
    assert not folder.exists()
    assert names() == []


def test_down_spares_a_process_that_was_given_an_old_number(clusters: Path) -> None:
    other = [sys.executable, "-c", PAUSE, str(clusters / "two"), "etcd"]
    with subprocess.Popen(other) as bystander:
        until(lambda: words_of(bystander.pid) == other, "it runs")
        leftover(clusters, "one", etcd=bystander.pid, supervisor=os.getpid())
        down("one")
        assert is_running(bystander.pid, other)
        bystander.kill()


def test_up_clears_away_what_a_crash_left_under_its_name(binaries: Path, clusters: Path) -> None:
    folder = leftover(clusters, "one", etcd=2**22 + 1)
    (folder / "etcd.start").touch()
    running = starting(binaries)
    noted(folder, "kube-apiserver")
    assert not (folder / "etcd.start").exists()
    running.kill()
    running.communicate()


def test_down_ends_a_cluster_that_is_still_starting(binaries: Path, clusters: Path) -> None:
    running = starting(binaries)
    processes = [noted(clusters / "one", component) for component in ("supervisor", "etcd", "kube-apiserver")]
    down("one")
    assert all(not words_of(process) for process in processes)
    said = running.communicate()[1]
    assert (running.returncode, "Traceback" in said) == (2, False)


def test_a_supervisor_is_known_by_its_folder(clusters: Path) -> None:
    assert supervisor_command(clusters / "one")[1:] != supervisor_command(clusters / "two")[1:]
