"""How the clusters on this machine are: what runs, since when it does not, which version answers, memory and ports."""

from dataclasses import dataclass
from typing import Any

from pvkit.backends.live.cluster import clusters_folder, layout_of, process_of
from pvkit.backends.live.components import Layout
from pvkit.backends.live.furnishing import state_of
from pvkit.backends.live.launching import supervisor_command
from pvkit.backends.live.processes import is_running, is_stopped, listens_on, memory_of
from pvkit.backends.live.requests import request, request_etcd

HEALTHY = ("healthy", "running")
"""What a component that does its work is called: those that can be asked and said yes, and those that cannot."""


@dataclass(frozen=True, slots=True)
class Component:
    """One component: its state in a word or two, process id (0 for none), resident memory in bytes, addresses."""

    name: str
    state: str
    process: int
    memory: int
    listens: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Status:
    """One cluster; `kubernetes` is what the API server answers, "" when it does not."""

    name: str
    kubernetes: str
    emulated: str
    source: str
    server: str
    kubeconfig: str
    components: tuple[Component, ...]

    @property
    def healthy(self) -> bool:
        """Whether every component does its work."""
        return all(component.state in HEALTHY for component in self.components)

    @property
    def memory(self) -> int:
        """Resident memory of all of it in bytes."""
        return sum(component.memory for component in self.components)


def status(name: str) -> Status:
    """How one cluster is; raises `UsageError` when there is none of that name."""
    layout = layout_of(name)
    commands = {**state_of(layout.folder)["commands"], "supervisor": supervisor_command(layout.folder)[1:]}
    components = tuple(_component(layout, component, command) for component, command in commands.items())
    answers = any(entry.name == "kube-apiserver" and entry.state == "healthy" for entry in components)
    version = _version(layout) if answers else ""
    source, server, kubeconfig = layout.programs.source, layout.server, str(layout.kubeconfig)
    return Status(name, version, layout.emulated, source, server, kubeconfig, components)


def _component(layout: Layout, component: str, command: list[str]) -> Component:
    folder = clusters_folder() / layout.folder.name
    process = process_of(folder, component)
    if not is_running(process, command):
        told = folder / f"{component}.exit"
        return Component(component, f"ended with {told.read_text()}" if told.exists() else "not running", 0, 0, ())
    state = "paused" if is_stopped(process) else _asked(layout, component)
    return Component(component, state, process, memory_of(process), tuple(listens_on(process)))


def _asked(layout: Layout, component: str) -> str:
    """What a running component says of itself; most cannot be asked, for they listen nowhere."""
    try:
        match component:
            case "etcd":
                return "healthy" if request_etcd(layout, "/health").get("health") == "true" else "unhealthy"
            case "kube-apiserver":
                request(layout, "GET", "/readyz")
                return "healthy"
    except (OSError, ValueError, AttributeError) as error:
        return f"does not answer: {error}"
    return "running"


def _version(layout: Layout) -> str:
    try:
        said: dict[str, Any] = request(layout, "GET", "/version")
    except (OSError, ValueError):
        return ""
    return str(said.get("gitVersion", "")).lstrip("v")
