"""`pvkit version`: of the kit, of the rules, and of a server if it is to be asked."""

import json
from typing import Any

import click

from pvkit import __version__
from pvkit.backends.protocol import DEFAULT_KUBERNETES, KUBERNETES_VERSIONS
from pvkit.conformance.commands.cluster_options import cluster_named


@click.command()
@click.option("--server", "ask", is_flag=True, help="Ask the cluster, too.")
@cluster_named
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(ask: bool, kubeconfig: str | None, context: str | None, as_json: bool) -> None:
    """The version of the kit, of the rules, and of a server."""
    found: dict[str, Any] = {
        "kit": __version__,
        "rules": {"from": KUBERNETES_VERSIONS[0], "to": KUBERNETES_VERSIONS[-1], "default": DEFAULT_KUBERNETES},
    }
    if ask:
        found["server"] = _server(kubeconfig, context)
    click.echo(json.dumps(found, indent=1) if as_json else "\n".join(_lines(found)))


def _server(kubeconfig: str | None, context: str | None) -> dict[str, str]:
    """Who answers; raises `BackendError` when nobody does."""
    from pvkit.backends.live.reaching import connect, context_of, reach

    reached = reach(connect(kubeconfig, context), context_of(kubeconfig, context))
    return {"version": reached.version, "address": reached.server, "context": reached.context}


def _lines(found: dict[str, Any]) -> list[str]:
    rules, server = found["rules"], found.get("server")
    asked = [f"server {server['version']} at {server['address']}, context {server['context']}"] if server else []
    return [
        f"pvkit {found['kit']}",
        f"rules for Kubernetes {rules['from']} to {rules['to']}, by default {rules['default']}",
        *asked,
    ]
