"""Programs that stand in for real ones: small Python scripts, and ways to wait for what they do."""

import os
import select
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from time import monotonic

import pvkit

PATIENCE_SECONDS = 20.0
PAUSE = "import signal; signal.pause()"
SERVER = "import sys\nif '--version' in sys.argv: print('Kubernetes v1.36.3'); sys.exit()\n" + PAUSE
FOUR = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")


def script(path: Path, text: str) -> Path:
    """An executable Python script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!{sys.executable} -S\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def folder_of(path: Path, *names: str, text: str = SERVER) -> Path:
    """A folder with scripts of these names, which do nothing and tell a version."""
    path.mkdir(parents=True, exist_ok=True)
    for name in names:
        script(path / name, text)
    return path


def until(done: Callable[[], object], what: str) -> None:
    """Wait until it is so, looking often; fails when it takes too long."""
    never, limit = threading.Event(), monotonic() + PATIENCE_SECONDS
    while not done():
        assert monotonic() < limit, f"{what}: not after {PATIENCE_SECONDS:.0f} s"
        never.wait(0.01)


def gone(process: int) -> bool:
    """Whether a process, not our child, ends in time; at once if there is none."""
    try:
        watched = os.pidfd_open(process)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([watched], [], [], PATIENCE_SECONDS)[0])
    finally:
        os.close(watched)


def noted(folder: Path, component: str) -> int:
    """The process id of a component, once it is noted."""
    until((folder / f"{component}.pid").exists, f"{component} has started")
    return int((folder / f"{component}.pid").read_text())


def program(*arguments: str) -> "subprocess.Popen[str]":
    """The command line in a process of its own, which can be interrupted."""
    code = "from pvkit.conformance.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": str(Path(pvkit.__file__).parent.parent)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
