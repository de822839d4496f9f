"""A real control plane on this machine: up, down, status.

Each cluster has a name and a folder of its own; whoever can read the folder (mode 0700) can use the cluster, nobody
else: the token is random for each start, and clients verify the certificate that the API server made for itself.
"""

import json
import os
import secrets
import shutil
import signal
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from platformdirs import user_state_path

from pvkit.backends.errors import BackendError, UsageError
from pvkit.backends.live.components import COMPONENTS, LOOPBACK, Layout, Ports, command, free_ports

START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Health:
    """What one component of a cluster is doing: process id (0 when not running) and resident memory in bytes."""

    component: str
    process: int
    memory: int


def clusters_folder() -> Path:
    """Where the folders of running clusters are."""
    return Path(os.environ.get("PVKIT_CLUSTERS") or user_state_path("pvkit") / "clusters")


def layout_of(name: str) -> Layout:
    """The layout of a cluster that is up; raises `UsageError` when there is none of that name."""
    folder = clusters_folder() / name
    try:
        said = json.loads((folder / "cluster.json").read_text())
    except FileNotFoundError:
        running = ", ".join(sorted(path.name for path in clusters_folder().glob("*/"))) or "none"
        raise UsageError(f"no cluster {name!r} is up; running: {running}") from None
    return Layout(folder, Path(said["programs"]), Ports(**said["ports"]), said["emulated"], said["resync"])


def up(name: str, programs: Path, nodes: list[dict[str, Any]], emulated: str = "", resync_seconds: int = 15) -> Layout:
    """Start a cluster and wait until its nodes are Ready; whatever goes wrong, nothing is left running."""
    folder = clusters_folder() / name
    if (folder / "cluster.json").exists():
        raise UsageError(f"cluster {name!r} is up already; `pvkit cluster down --name {name}` ends it")
    layout = Layout(folder, programs, free_ports(), emulated, resync_seconds)
    _furnish(layout)
    supervisor = _supervise(layout)
    try:
        _start(layout, supervisor, nodes)
        _order(supervisor, "keep")
    except BaseException:
        supervisor.terminate()
        supervisor.wait()
        shutil.rmtree(folder, ignore_errors=True)
        raise
    (folder / "supervisor.pid").write_text(str(supervisor.pid))
    return layout


def _furnish(layout: Layout) -> None:
    """Write everything that the components read."""
    layout.folder.mkdir(parents=True, mode=0o700, exist_ok=True)
    token = secrets.token_urlsafe(32)
    _private(layout.folder / "tokens.csv", f'{token},pvkit,pvkit,"system:masters"\n')
    key = subprocess.run(["openssl", "genrsa", "2048"], check=True, capture_output=True, text=True).stdout
    _private(layout.folder / "service-account.key", key)
    stages = files("pvkit.backends.live") / "controlplane" / "stages.yaml"
    (layout.folder / "stages.yaml").write_text(stages.read_text())
    _private(layout.kubeconfig, json.dumps(_kubeconfig(layout, token), indent=1))
    said = {
        "programs": str(layout.programs),
        "ports": {"etcd": layout.ports.etcd, "peer": layout.ports.peer, "api": layout.ports.api},
        "emulated": layout.emulated,
        "resync": layout.resync_seconds,
        "commands": {component: command(layout, component) for component in COMPONENTS},
    }
    (layout.folder / "cluster.json").write_text(json.dumps(said, indent=1))


def _private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


def _kubeconfig(layout: Layout, token: str) -> dict[str, Any]:
    """A kubeconfig; JSON is YAML, and every client reads it."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": "pvkit", "cluster": {"server": layout.server, "certificate-authority": str(layout.authority)}}
        ],
        "users": [{"name": "pvkit", "user": {"token": token}}],
        "contexts": [{"name": "pvkit", "context": {"cluster": "pvkit", "user": "pvkit"}}],
        "current-context": "pvkit",
    }


def _supervise(layout: Layout) -> "subprocess.Popen[str]":
    with (layout.folder / "supervisor.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "pvkit.backends.live.supervisor", str(layout.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )


def _order(supervisor: "subprocess.Popen[str]", words: str) -> None:
    assert supervisor.stdin is not None
    supervisor.stdin.write(words + "\n")
    supervisor.stdin.flush()


def _start(layout: Layout, supervisor: "subprocess.Popen[str]", nodes: list[dict[str, Any]]) -> None:
    limit = monotonic() + START_SECONDS
    _order(supervisor, "start etcd")
    _order(supervisor, "start kube-apiserver")
    _until(lambda: _answers(layout, "/readyz"), limit, layout, "kube-apiserver")
    for component in COMPONENTS[2:]:
        _order(supervisor, f"start {component}")
    for node in nodes:
        _request(layout, "POST", "/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", **node})
    _until(lambda: _ready_nodes(layout) >= len(nodes), limit, layout, "kwok")
    _until(lambda: _answers(layout, "/api/v1/namespaces/default"), limit, layout, "kube-controller-manager")


def _until(done: Callable[[], bool], limit: float, layout: Layout, component: str) -> None:
    """Ask again, ever less often, until it is so or the time is over."""
    pause = 0.02
    while not done():
        if monotonic() > limit:
            log = (layout.folder / f"{component}.log").read_text(errors="replace").strip().splitlines()[-3:]
            raise BackendError(
                f"{component} was not ready after {START_SECONDS:.0f} s; its log ends: " + "\n".join(log)
            )
        sleep(pause)
        pause = min(pause * 1.3, 0.2)


def _ready_nodes(layout: Layout) -> int:
    listed = _request(layout, "GET", "/api/v1/nodes")
    ready = [entry for node in listed["items"] for entry in node["status"].get("conditions", ())]
    return sum(entry["type"] == "Ready" and entry["status"] == "True" for entry in ready)


def _answers(layout: Layout, path: str) -> bool:
    try:
        _request(layout, "GET", path)
    except (OSError, ValueError):
        return False
    return True


def _request(layout: Layout, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """One request to the API server, its certificate verified; raises `OSError` when it does not answer 2xx."""
    token = json.loads(layout.kubeconfig.read_text())["users"][0]["user"]["token"]
    asked = urllib.request.Request(
        layout.server + path,
        None if body is None else json.dumps(body).encode(),
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        method=method,
    )
    trusted = ssl.create_default_context(cafile=str(layout.authority))
    with urllib.request.urlopen(asked, context=trusted, timeout=10) as answer:
        text = answer.read().decode()
    return json.loads(text) if text.startswith("{") else text


def down(name: str) -> None:
    """End a cluster's own processes, wait until they are gone, remove its folder."""
    layout = layout_of(name)
    process = int((layout.folder / "supervisor.pid").read_text())
    if _is_supervisor(process, layout.folder):
        os.kill(process, signal.SIGTERM)
        limit = monotonic() + 60.0
        while _is_supervisor(process, layout.folder):
            if monotonic() > limit:
                raise BackendError(f"the supervisor {process} of cluster {name!r} does not end")
            sleep(0.05)
    shutil.rmtree(layout.folder)


def _is_supervisor(process: int, folder: Path) -> bool:
    """Whether that process id still is the supervisor of this folder, and no other program's by now."""
    try:
        words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return str(folder).encode() in words


def status(name: str) -> list[Health]:
    """What each component of a cluster is doing."""
    folder = layout_of(name).folder
    return [_health(component, folder / f"{component}.pid") for component in COMPONENTS]


def _health(component: str, pid_file: Path) -> Health:
    try:
        process = int(pid_file.read_text())
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    except (OSError, ValueError):
        return Health(component, 0, 0)
    return Health(component, process, pages * os.sysconf("SC_PAGE_SIZE"))


__all__ = ["LOOPBACK", "Health", "down", "layout_of", "status", "up"]
