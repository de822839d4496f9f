"""The supervisor leaves nothing behind: told to end, left alone, killed."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import pvkit
from pvkit.backends.live.launching import supervisor_command
from pvkit.backends.live.processes import is_running
from tests.backends.live.programs_for_tests import PAUSE, gone, noted, until

SHORT = "import sys; print('no room'); sys.exit(3)"
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + PAUSE
COMMANDS = {name: [sys.executable, "-c", code, name] for name, code in {"a": PAUSE, "b": DEAF, "c": SHORT}.items()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a cluster of two programs that stay, one of them deaf, and one that does not."""
    made = tmp_path / "cluster"
    made.mkdir()
    (made / "cluster.json").write_text(json.dumps({"commands": {**COMMANDS, "d": [str(made / "no-such-program")]}}))
    return made


@pytest.fixture
def supervisor(folder: Path) -> "Iterator[subprocess.Popen[bytes]]":
    """A supervisor that waits for orders."""
    environment = {**os.environ, "PYTHONPATH": str(Path(pvkit.__file__).parent.parent)}
    with subprocess.Popen(supervisor_command(folder), stdin=subprocess.PIPE, env=environment) as process:
        yield process
        process.kill()


def order(supervisor: "subprocess.Popen[bytes]", *lines: str) -> None:
    assert supervisor.stdin is not None
    supervisor.stdin.write("".join(f"{line}\n" for line in lines).encode())
    supervisor.stdin.flush()


def let_go(supervisor: "subprocess.Popen[bytes]") -> None:
    """What happens when whoever started it ends, in whatever way."""
    assert supervisor.stdin is not None
    supervisor.stdin.close()


def test_what_is_started_is_noted_and_runs(folder: Path, supervisor: "subprocess.Popen[bytes]") -> None:
    order(supervisor, "start a")
    process = noted(folder, "a")
    assert noted(folder, "supervisor") == supervisor.pid
    until(lambda: is_running(process, COMMANDS["a"]), "it runs")
    assert is_running(process, COMMANDS["a"])


def test_whoever_started_it_goes_away_and_so_does_everything(
    folder: Path, supervisor: "subprocess.Popen[bytes]"
) -> None:
    order(supervisor, "start a", "start b")
    processes = noted(folder, "a"), noted(folder, "b")
    let_go(supervisor)
    assert all(gone(process) for process in processes)
    supervisor.wait()
    assert not folder.exists()


def test_a_cluster_that_is_kept_outlives_whoever_started_it(
    folder: Path, supervisor: "subprocess.Popen[bytes]"
) -> None:
    order(supervisor, "start a", "keep")
    process = noted(folder, "a")
    let_go(supervisor)
    (folder / "a.start").touch()
    os.kill(process, signal.SIGKILL)
    until(lambda: not (folder / "a.start").exists(), "it still obeys")
    assert supervisor.poll() is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_told_to_end_it_ends_all_even_what_is_deaf_or_paused(
    number: int, folder: Path, supervisor: "subprocess.Popen[bytes]"
) -> None:
    order(supervisor, "start a", "start b", "keep")
    paused, deaf = noted(folder, "a"), noted(folder, "b")
    os.kill(paused, signal.SIGSTOP)
    supervisor.send_signal(number)
    assert gone(paused)
    assert gone(deaf)
    assert supervisor.wait() == 0


def test_killed_it_takes_all_along(folder: Path, supervisor: "subprocess.Popen[bytes]") -> None:
    order(supervisor, "start a", "start b", "keep")
    processes = {name: noted(folder, name) for name in ("a", "b")}
    until(lambda: all(is_running(processes[name], COMMANDS[name]) for name in processes), "both run")
    supervisor.kill()
    assert all(gone(process) for process in processes.values())


def test_what_ends_by_itself_is_noted_with_its_code_and_last_words(
    folder: Path, supervisor: "subprocess.Popen[bytes]"
) -> None:
    order(supervisor, "start c")
    until((folder / "c.exit").exists, "the end is noted")
    assert (folder / "c.exit").read_text() == "3"
    assert (folder / "c.log").read_text() == "no room\n"


def test_a_program_that_is_not_there_ends_at_once(folder: Path, supervisor: "subprocess.Popen[bytes]") -> None:
    order(supervisor, "start d")
    until((folder / "d.exit").exists, "the end is noted")
    assert "no-such-program: [Errno 2] No such file or directory" in (folder / "d.log").read_text()


def test_what_was_killed_is_started_again_when_somebody_asks(
    folder: Path, supervisor: "subprocess.Popen[bytes]"
) -> None:
    order(supervisor, "start a", "keep")
    first = noted(folder, "a")
    os.kill(first, signal.SIGKILL)
    until((folder / "a.exit").exists, "the end is noted")
    (folder / "a.start").touch()
    until(lambda: noted(folder, "a") != first, "another one runs")
    assert (folder / "a.exit").exists() is False
    assert gone(first)
