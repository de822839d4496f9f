"""`pvkit cluster`: a real control plane on this machine, without Docker: build, up, down, status."""

import json
import shlex
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import click

from pvkit.conformance.commands.seconds import Seconds

if TYPE_CHECKING:
    from pvkit.backends.live.health import Status
    from pvkit.backends.live.programs import Programs

HOSTNAME = "kubernetes.io/hostname"
DEFAULT_NODES = 3
UNHEALTHY = 2


class Parts(click.Group):
    """The parts of this verb take the environment's words as the other verbs do: `PVKIT_NAME`, `PVKIT_BINARIES`."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """One part."""
        found = super().get_command(ctx, cmd_name)
        if found is not None:
            found.context_settings = {**found.context_settings, "auto_envvar_prefix": "PVKIT"}
        return found


named = click.option("--name", default="pvkit", show_default=True, help="Several clusters live side by side by name.")
versioned = click.option(
    "--kubernetes-version", default="", metavar="MINOR", help="1.32 to 1.37; one without a build is emulated."
)
located = click.option(
    "--binaries",
    type=click.Path(path_type=Path),
    help="A folder with the programs; nothing is built then. Also KUBEBUILDER_ASSETS, and the path.",
)
silent = click.option("--quiet", is_flag=True, help="No progress.")


@click.group(cls=Parts)
def command() -> None:
    """A real control plane on this machine, without Docker."""


@command.command()
@versioned
@located
@silent
def build(kubernetes_version: str, binaries: Path | None, quiet: bool) -> int:
    """Build a control plane from source, once per Kubernetes version.

    It takes some ten minutes on two cores and needs Go: `pip install 'pvkit[cluster]'` brings it.
    """
    programs = programs_for(kubernetes_version, binaries, quiet, strict=False)
    click.echo(f"Kubernetes {programs.version}: {programs.heads['kube-apiserver'][0]} ({programs.source})")
    _tell_emulation(programs, kubernetes_version)
    return 0


@command.command()
@named
@versioned
@click.option("--nodes", type=click.IntRange(0), help=f"Plain nodes n1, n2, ...  [default: {DEFAULT_NODES}]")
@click.option(
    "--node", "labelled", multiple=True, metavar="NAME[,KEY=VALUE]...", help="A node with labels; repeatable."
)
@click.option(
    "--resync-seconds",
    type=Seconds(0.1),
    default=1,
    show_default=True,
    help="Of the volume binder; elsewhere it is 15, and what waits for it takes so long.",
)
@click.option("--faults", is_flag=True, help="Let plans disturb its components; each controller is then a process.")
@located
@silent
def up(
    name: str,
    kubernetes_version: str,
    nodes: int | None,
    labelled: tuple[str, ...],
    resync_seconds: float,
    faults: bool,
    binaries: Path | None,
    quiet: bool,
) -> int:
    """Start a cluster, wait until its nodes are Ready, print how to use it: `eval $(pvkit cluster up)`."""
    from pvkit.backends.live import cluster
    from pvkit.backends.live.programs import emulation

    plain = nodes if nodes is not None else 0 if labelled else DEFAULT_NODES
    manifests = [node_of(f"n{number}") for number in range(1, plain + 1)] + [node_of(text) for text in labelled]
    programs = programs_for(kubernetes_version, binaries, quiet)
    emulated = _tell_emulation(programs, kubernetes_version)
    begin = monotonic()
    layout = cluster.up(name, programs, manifests, emulation(programs, kubernetes_version), resync_seconds, faults)
    told = f"cluster {name}: Kubernetes {programs.version}{emulated}, {len(manifests)} nodes Ready"
    click.echo(f"{told} after {monotonic() - begin:.1f} s, {layout.server}", err=True)
    click.echo(f"`pvkit cluster down --name {shlex.quote(name)}` ends it", err=True)
    click.echo(f"export KUBECONFIG={shlex.quote(str(layout.kubeconfig))}")
    return 0


@command.command()
@named
def down(name: str) -> int:
    """End a cluster, wait until its processes are gone, and remove what it kept."""
    from pvkit.backends.live import cluster

    cluster.down(name)
    click.echo(f"cluster {name} is down")
    return 0


@command.command()
@click.option("--name", help="Only this one.")
@click.option("--json", "as_json", is_flag=True, help="For machines; memory in bytes.")
def status(name: str | None, as_json: bool) -> int:
    """Tell of each cluster: versions, health, memory, ports. Exits with 2 when one is not well."""
    from pvkit.backends.live import cluster, health

    found = [health.status(each) for each in ([name] if name else cluster.names())]
    if as_json:
        click.echo(json.dumps([record(entry) for entry in found], indent=2))
    else:
        click.echo("\n\n".join(text_of(entry) for entry in found) or "no cluster is up; `pvkit cluster up` starts one")
    return 0 if all(entry.healthy for entry in found) else UNHEALTHY


def node_of(text: str) -> dict[str, Any]:
    """The manifest of `NAME,KEY=VALUE,...`."""
    from pvkit.backends.errors import UsageError

    name, *pairs = text.split(",")
    wrong = [pair for pair in pairs if not pair.partition("=")[0] or "=" not in pair]
    if wrong or not name:
        raise UsageError(f"--node {text!r}: write NAME,KEY=VALUE,..., such as n1,topology.kubernetes.io/zone=a")
    return {"metadata": {"name": name, "labels": {HOSTNAME: name, **dict(pair.split("=", 1) for pair in pairs)}}}


def programs_for(wanted: str, binaries: Path | None, quiet: bool, strict: bool = True) -> "Programs":
    """The programs, built if they are nowhere; notes on them go to standard error."""
    from pvkit.backends.live.build import build as make
    from pvkit.backends.live.modules import choose, control_plane
    from pvkit.backends.live.programs import built, find
    from pvkit.backends.protocol import DEFAULT_KUBERNETES
    from pvkit.conformance.build_progress import BuildProgress

    minor, _ = choose(wanted or DEFAULT_KUBERNETES)
    programs = find(wanted, binaries, strict)
    if programs is None:
        log = control_plane(minor).log
        click.echo(f"building Kubernetes {minor}, once; some ten minutes on two cores; log: {log}", err=True)
        progress = BuildProgress(quiet)
        try:
            make(minor, progress)
        finally:
            progress.end()
        programs = built(minor)
        assert programs is not None
    for note in programs.notes:
        click.echo(note, err=True)
    return programs


def _tell_emulation(programs: "Programs", wanted: str) -> str:
    """Say that a version is emulated, if it is; returns the words for it."""
    from pvkit.backends.live.programs import emulation

    emulated = emulation(programs, wanted)
    if not emulated:
        return ""
    click.echo(
        f"Kubernetes {programs.version} emulates {emulated}: its feature gates stand as they did, its code is newer",
        err=True,
    )
    return f" emulating {emulated}"


def record(entry: "Status") -> dict[str, Any]:
    """A status as JSON."""
    from dataclasses import asdict

    return {**asdict(entry), "healthy": entry.healthy, "memory": entry.memory}


def text_of(entry: "Status") -> str:
    """A status for people."""
    version = f"Kubernetes {entry.kubernetes or '(does not answer)'}"
    emulated = f" emulating {entry.emulated}" if entry.emulated else ""
    head = f"{entry.name}  {version}{emulated} from {entry.source}  {entry.server}  {entry.memory >> 20} MiB"
    width = max(len(component.name) for component in entry.components)
    lines = [
        f"  {component.name:<{width}}  {component.state:<9}  {component.memory >> 20:>5} MiB"
        f"  {component.process or '-':>8}  {', '.join(component.listens)}".rstrip()
        for component in entry.components
    ]
    return "\n".join([head, *lines, f"  export KUBECONFIG={shlex.quote(entry.kubeconfig)}"])
