"""What the kernel says of processes, asked about this one and about others that are made for it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from pvkit.backends.live.processes import end, is_running, is_stopped, listens_on, memory_of, tied, words_of
from tests.backends.live.programs_for_tests import PAUSE, gone, until

COMMAND = [sys.executable, "-c", PAUSE, "this one"]


@pytest.fixture
def child() -> "Iterator[subprocess.Popen[bytes]]":
    with subprocess.Popen(COMMAND) as process:
        until(lambda: words_of(process.pid) == COMMAND, "it runs")
        yield process
        process.kill()


def test_a_process_is_known_by_its_whole_command_line(child: "subprocess.Popen[bytes]") -> None:
    assert is_running(child.pid, COMMAND)
    assert is_running(child.pid, COMMAND[1:])
    assert not is_running(child.pid, [*COMMAND[:-1], "that one"])
    assert not is_running(child.pid, [])
    assert not is_running(0, COMMAND)


def test_a_process_that_ended_but_was_not_noticed_does_not_run(child: "subprocess.Popen[bytes]") -> None:
    child.kill()
    assert gone(child.pid)
    assert not is_running(child.pid, COMMAND)


def test_a_pause_is_seen(child: "subprocess.Popen[bytes]") -> None:
    before = is_stopped(child.pid)
    child.send_signal(signal.SIGSTOP)
    until(lambda: is_stopped(child.pid), "it stops")
    assert (before, is_stopped(child.pid)) == (False, True)


def test_nothing_is_known_of_a_process_that_is_not_there() -> None:
    nobody = 2**22 + 1  # above the highest process id that Linux gives
    assert (words_of(nobody), memory_of(nobody), is_stopped(nobody), listens_on(nobody)) == ([], 0, False, [])


def test_memory_is_in_bytes() -> None:
    assert 2**20 < memory_of(os.getpid()) < 2**40


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_what_a_process_listens_on_is_seen_and_what_it_is_connected_to_is_not(family: int, address: str) -> None:
    try:
        server = socket.create_server((address, 0), family=socket.AddressFamily(family))
    except OSError:
        pytest.skip(f"no {address} on this machine")
    with server, socket.create_connection(server.getsockname()[:2]) as client:
        port = server.getsockname()[1]
        shown = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        assert shown in listens_on(os.getpid())
        assert not any(entry.endswith(f":{client.getsockname()[1]}") for entry in listens_on(os.getpid()))


def test_only_processes_that_still_run_their_command_are_ended(child: "subprocess.Popen[bytes]") -> None:
    until_gone = {child.pid: [*COMMAND[:-1], "that one"], os.getpid(): COMMAND, 0: []}
    assert end(until_gone, 5.0, lambda seconds: None) == []
    assert child.poll() is None
    assert end({child.pid: COMMAND}, 5.0, lambda seconds: None) == []
    assert child.wait() == -signal.SIGKILL


def test_a_tied_process_ends_with_the_one_that_started_it() -> None:
    code = (
        f"import subprocess, sys; from pvkit.backends.live.processes import tied\n"
        f"print(subprocess.Popen(tied({COMMAND!r})).pid, flush=True); {PAUSE}"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
    ) as parent:
        assert parent.stdout is not None
        process = int(parent.stdout.readline())
        until(lambda: is_running(process, COMMAND), "it runs")
        parent.kill()
        assert gone(process)


def test_a_tied_command_is_known_by_its_own_words() -> None:
    with subprocess.Popen(tied(COMMAND)) as process:
        until(lambda: words_of(process.pid) == COMMAND, "it became the command")
        process.kill()
    assert process.returncode == -signal.SIGKILL
