"""`pvkit version`: of the kit, of the rules, and which Kubernetes versions they speak of."""

import click

from pvkit import __version__
from pvkit.backends.protocol import DEFAULT_KUBERNETES, KUBERNETES_VERSIONS


@click.command()
def command() -> None:
    """The version of the kit and of the rules."""
    click.echo(f"pvkit {__version__}")
    click.echo(
        f"rules for Kubernetes {KUBERNETES_VERSIONS[0]} to {KUBERNETES_VERSIONS[-1]}, by default {DEFAULT_KUBERNETES}"
    )
