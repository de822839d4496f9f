"""The options by which a cluster is named and consent is given, the same for every verb."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from pvkit.backends.live.consent import Ask

Command = TypeVar("Command", bound=Callable[..., object])


def cluster_named(command: Command) -> Command:
    """Give a command `--kubeconfig` and `--context`."""
    known = ["PVKIT_KUBECONFIG", "KUBECONFIG"]
    command = click.option("--context", metavar="NAME", help="Of the kubeconfig; by default its current one.")(command)
    return click.option("--kubeconfig", envvar=known, metavar="FILE", help="As kubectl has it.")(command)


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
