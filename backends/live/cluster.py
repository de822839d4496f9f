"""A real control plane on this machine: up, down.

Each cluster has a name and a folder of its own. A process that outlives `up`, the supervisor, owns the components;
`down` ends that one and whatever it may have left, and nothing else.
"""

import fcntl
import os
import re
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from platformdirs import user_state_path

from pvkit.backends.errors import BackendError, UsageError
from pvkit.backends.live.components import Layout, free_lines, free_ports
from pvkit.backends.live.furnishing import STATE, layout_in, state_of
from pvkit.backends.live.launching import StartError, launch, supervisor_command
from pvkit.backends.live.processes import end, is_running
from pvkit.backends.live.programs import Programs

END_SECONDS = 30.0
ATTEMPTS = 3
"""How often other ports are tried when somebody takes one between our looking and our listening."""

DEFAULT_NAME = "pvkit"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,40}[a-z0-9])?")


def clusters_folder() -> Path:
    """Where the folders of running clusters are."""
    return Path(os.environ.get("PVKIT_CLUSTERS") or user_state_path("pvkit") / "clusters").absolute()


def names() -> list[str]:
    """The clusters that were started and not ended, whether they run well or not."""
    return sorted(
        path.parent.name for path in clusters_folder().glob(f"*/{STATE}") if _NAME.fullmatch(path.parent.name)
    )


def layout_of(name: str) -> Layout:
    """The layout of a cluster that is up; raises `UsageError` when there is none of that name."""
    layout = layout_in(clusters_folder() / name) if _NAME.fullmatch(name) else None
    if layout is None:
        raise UsageError(f"no cluster {name!r} is up; running: {', '.join(names()) or 'none'}")
    return layout


def up(
    name: str,
    programs: Programs,
    nodes: list[dict[str, Any]],
    emulated: str = "",
    resync_seconds: float = 15,
    faults: bool = False,
) -> Layout:
    """Start a cluster and wait until its nodes are Ready; whatever goes wrong, nothing is left running.

    `nodes` are Node manifests without kind. With `faults` the components can be disturbed, through a proxy. Raises
    `UsageError` for a name that is in use or not fit for one, and `BackendError` when a component is not ready in time.
    """
    _check(name, programs, nodes, faults)
    folder = clusters_folder() / name
    with _alone(name):
        for attempt in range(1, ATTEMPTS + 1):
            _make_room(name, folder)
            lines = free_lines(programs) if faults else {}
            layout = Layout(folder, programs, free_ports(), emulated, resync_seconds, lines)
            try:
                launch(layout, nodes)
                break
            except StartError as error:
                if not error.taken or attempt == ATTEMPTS:
                    raise
    return layout


def _check(name: str, programs: Programs, nodes: list[dict[str, Any]], faults: bool) -> None:
    if sys.platform != "linux":
        raise UsageError("pvkit can start a control plane on Linux only; point it at a cluster by --kubeconfig")
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name for a cluster; use up to 42 lower-case letters, digits and dashes")
    if nodes and "kwok" not in programs.heads:
        ways = "`pvkit cluster build` makes it, `--nodes 0` does without"
        raise UsageError(f"{programs.source} has no kwok, which plays the nodes; {ways}")
    if faults and find_spec("aiohttp") is None:
        raise UsageError("faults need the package aiohttp; `pip install 'pvkit[cluster]'` brings it")


@contextmanager
def _alone(name: str) -> Iterator[None]:
    """Let nobody else start a cluster of that name meanwhile."""
    clusters_folder().mkdir(parents=True, mode=0o700, exist_ok=True)
    with (clusters_folder() / f".{name}.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"cluster {name!r} is being started by another process") from None
        yield


def _make_room(name: str, folder: Path) -> None:
    """Refuse if the cluster is up; clear away what a crash, a killed supervisor or a reboot left of it."""
    if _supervisor_of(folder):
        raise UsageError(f"cluster {name!r} is up already; `pvkit cluster down --name {name}` ends it")
    if folder.exists():
        _clear(name, folder)
    folder.mkdir(mode=0o700)


def down(name: str) -> None:
    """End a cluster's own processes, wait until they are gone, remove its folder."""
    folder = clusters_folder() / name
    if not _NAME.fullmatch(name) or not folder.is_dir():
        layout_of(name)
    _clear(name, folder)


def _clear(name: str, folder: Path) -> None:
    components, supervisor = _components_of(folder), _supervisor_of(folder)
    if supervisor:
        with suppress(ProcessLookupError):
            os.kill(supervisor, signal.SIGTERM)
        limit = monotonic() + END_SECONDS
        while is_running(supervisor, _supervisor_words(folder)) and monotonic() < limit:
            sleep(0.02)
        components[supervisor] = _supervisor_words(folder)
    left = end(components, END_SECONDS, sleep)
    if left:
        raise BackendError(f"processes {left} of cluster {name!r} do not end")
    shutil.rmtree(folder, ignore_errors=True)


def process_of(folder: Path, component: str) -> int:
    """The process id that a component (or the `supervisor`) was noted with; 0 when there is none."""
    try:
        return int((folder / f"{component}.pid").read_text())
    except (OSError, ValueError):
        return 0


def _supervisor_of(folder: Path) -> int:
    """The process id of the supervisor, if that still is the supervisor of this folder; 0 otherwise."""
    process = process_of(folder, "supervisor")
    return process if is_running(process, _supervisor_words(folder)) else 0


def _supervisor_words(folder: Path) -> list[str]:
    """What its command line ends with, whichever Python runs it."""
    return supervisor_command(folder)[1:]


def _components_of(folder: Path) -> dict[int, list[str]]:
    commands = state_of(folder).get("commands", {})
    return {process_of(folder, component): command for component, command in commands.items()}
