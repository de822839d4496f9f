"""Starting the components of one cluster, in order, until it is ready to be used.

The supervisor is a process of its own that starts and owns them; it ends all of them unless it is told to keep them.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pvkit
from pvkit.backends.errors import BackendError
from pvkit.backends.live.components import PROXY, Layout, commands
from pvkit.backends.live.disturbing import Disturber
from pvkit.backends.live.furnishing import furnish
from pvkit.backends.live.granting import grant
from pvkit.backends.live.requests import answers, request

START_SECONDS = 60.0
_TAKEN = "address already in use"
_LESS_TIDY = {"GOGC": os.environ.get("GOGC", "400")}
"""Collecting garbage at each doubling of the heap, Go's default, was a tenth of what the API server did."""
_FIRST = ("etcd", "kube-apiserver")
_ACCOUNT = "/api/v1/namespaces/default/serviceaccounts/default"  # The controller manager makes it once it is at work.


class StartError(BackendError):
    """A component did not become ready; `taken` when that was because of a port."""

    def __init__(self, message: str, taken: bool = False) -> None:
        super().__init__(message)
        self.taken = taken


def launch(layout: Layout, nodes: list[dict[str, Any]]) -> None:
    """Furnish the folder and start everything; on any way out but success nothing is left, logs of a failure aside."""
    supervisor = None
    try:
        furnish(layout)
        supervisor = _Supervised(layout)
        supervisor.start(nodes)
        supervisor.order("keep")
    except BaseException as error:
        logs = _keep_logs(layout.folder) if isinstance(error, StartError) else None
        if supervisor is not None:
            supervisor.abandon()
        shutil.rmtree(layout.folder, ignore_errors=True)
        if isinstance(error, StartError):
            raise StartError(f"{error}\nlogs: {logs}", error.taken) from None
        raise
    supervisor.release()


def supervisor_command(folder: Path) -> list[str]:
    """The command line of a cluster's supervisor."""
    return [sys.executable, "-m", "pvkit.backends.live.supervisor", str(folder)]


def _keep_logs(folder: Path) -> Path:
    """Copy the logs out of a folder that is about to go."""
    kept = folder.parent / ".failed" / folder.name
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True)
    for log in folder.glob("*.log"):
        shutil.copy(log, kept)
    return kept


class _Supervised:
    """A supervisor that was just started, and what it was told to start."""

    def __init__(self, layout: Layout) -> None:
        self._layout, self._started = layout, list[str]()
        self._limit = monotonic() + START_SECONDS
        home = str(Path(pvkit.__file__).parent.parent)
        path = os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH"))))
        with (layout.folder / "supervisor.log").open("ab") as log:
            # In its own folder: `python -m` would take modules of the same names from the user's.
            self._process = subprocess.Popen(
                supervisor_command(layout.folder),
                cwd=layout.folder,
                env={**os.environ, **_LESS_TIDY, "PYTHONPATH": path},
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                text=True,
                start_new_session=True,
            )

    def order(self, words: str) -> None:
        """Send one line."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(words + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise StartError(f"the supervisor ended; {self._end_of_log('supervisor')}") from None

    def start(self, nodes: list[dict[str, Any]]) -> None:
        """Start all components, and return when the nodes are Ready and the controllers at work."""
        layout = self._layout
        self._begin(*_FIRST)
        self._until(lambda: answers(layout, "/readyz"), "kube-apiserver")
        try:
            grant(layout)
        except OSError as error:
            raise StartError(f"the API server does not take a role: {error}") from None
        disturber = Disturber(layout) if layout.lines else None
        if disturber is not None:
            self._begin(PROXY)
            self._until(lambda: bool(_told(disturber)), PROXY)
        self._begin(*(name for name in commands(layout) if name not in (*_FIRST, PROXY)))
        try:
            for node in nodes:
                request(layout, "POST", "/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", **node})
        except OSError as error:
            raise StartError(f"the API server does not take a node: {error}") from None
        self._until(lambda: _ready_nodes(layout) >= len(nodes), "kwok")
        self._until(lambda: answers(layout, _ACCOUNT), "kube-controller-manager")
        if disturber is not None:
            self._until(lambda: not any(state["busy"] for state in _told(disturber).values()), PROXY)

    def _begin(self, *components: str) -> None:
        for component in components:
            self.order(f"start {component}")
            self._started.append(component)

    def _until(self, done: Callable[[], bool], component: str) -> None:
        """Ask again, ever less often, until it is so, a component has ended, or the time is over."""
        pause = 0.02
        while not done():
            self._look()
            if monotonic() > self._limit:
                text = f"{component} was not ready after {START_SECONDS:.0f} s"
                raise StartError(f"{text}; {self._end_of_log(component)}")
            sleep(pause)
            pause = min(pause * 1.3, 0.2)

    def _look(self) -> None:
        """Notice at once what has ended, instead of waiting for it."""
        for component in self._started:
            told = self._layout.folder / f"{component}.exit"
            if told.exists():
                said = self._end_of_log(component)
                raise StartError(f"{component} ended with {told.read_text()}; {said}", _TAKEN in said)
        if self._process.poll() is not None:
            raise StartError(f"the supervisor ended; {self._end_of_log('supervisor')}")

    def _end_of_log(self, component: str) -> str:
        try:
            lines = (self._layout.folder / f"{component}.log").read_text(errors="replace").strip().splitlines()
        except OSError:
            lines = []
        return "its log ends: " + "\n".join(lines[-3:]) if lines else "its log is empty"

    def abandon(self) -> None:
        """End it, and with it everything that it started; returns when all are gone."""
        self._process.terminate()
        self._process.wait()
        self.release()

    def release(self) -> None:
        """Let go of it: if it was told to keep the cluster, it lives on by itself."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        # Nobody waits for it any more, and that is meant.
        self._process.returncode = self._process.returncode or 0


def _told(disturber: Disturber) -> dict[str, dict[str, Any]]:
    try:
        return disturber.states()
    except OSError:
        return {}


def _ready_nodes(layout: Layout) -> int:
    try:
        listed = request(layout, "GET", "/api/v1/nodes")
    except OSError:
        return -1
    ready = [entry for node in listed["items"] for entry in node["status"].get("conditions", ())]
    return sum(entry["type"] == "Ready" and entry["status"] == "True" for entry in ready)
