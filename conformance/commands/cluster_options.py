"""The options by which a cluster is named and consent is given, the same for every verb."""

import sys
from collections.abc import Callable, Mapping
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from pvkit.backends.live.consent import Ask

LIVE = "live"
MODEL_ONLY = frozenset({"turns", "order", "settings"})
NOT_FOR_GUESTS = frozenset({"nodes", "affinity", "defaults", "recycling"})
"""Features that would need what belongs to everybody: nodes, default classes, the recycler's pods."""
Command = TypeVar("Command", bound=Callable[..., object])


def cluster_named(command: Command) -> Command:
    """Give a command `--kubeconfig` and `--context`."""
    command = click.option("--context", metavar="NAME", help="Of the kubeconfig; by default its current one.")(command)
    return click.option("--kubeconfig", metavar="FILE", help="By default what kubectl takes, KUBECONFIG first.")(
        command
    )


def cluster_options(command: Command) -> Command:
    """Give a command `--kubeconfig`, `--context` and `--yes`."""
    agreed = click.option(
        "--yes", is_flag=True, help="Do not ask before writing on a server that is not on this machine."
    )
    return cluster_named(agreed(command))


def asker() -> "Ask | None":
    """Asks the person at the terminal; None where there is none."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None
    return lambda question: click.confirm(question, default=False, err=True)


def opened(spec: str, given: Mapping[str, Any]) -> Any:
    """The backend of that name, by the options of `cluster_options` if it is a cluster; a dry run only looks at it."""
    from pvkit.backends.registry import open_backend

    if spec != LIVE:
        return open_backend(spec)
    from pvkit.backends.live.opening import look, open_live

    if given.get("dry_run"):
        click.echo(look(given["kubeconfig"], given["context"]))
        return SimpleNamespace(close=lambda: None)
    return open_live(given["kubeconfig"], given["context"], given["yes"], asker(), partial(click.echo, err=True))


def playable(backend: Any) -> tuple[str, ...]:
    """The features that plans for a cluster can be about: no clock or order of its own, and on others' no nodes."""
    from pvkit.strategies.features import PLAIN

    guest = "nodes" in backend.describe().lacks
    return tuple(entry for entry in PLAIN if entry not in MODEL_ONLY and not (guest and entry in NOT_FOR_GUESTS))
