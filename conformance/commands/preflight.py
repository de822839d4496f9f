"""`pvkit preflight`: which server this is, what a run would make there, and which permissions are missing."""

import json
from typing import TYPE_CHECKING

import click

from pvkit.conformance.commands.cluster_options import cluster_named

if TYPE_CHECKING:
    from pvkit.backends.live.permissions import Refusal
    from pvkit.backends.live.preflight import Preflight

UNFIT = 2


@click.command()
@cluster_named
@click.option("--print-rbac", is_flag=True, help="Print the smallest role that suffices as YAML, ask no server.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(kubeconfig: str | None, context: str | None, print_rbac: bool, as_json: bool) -> int:
    """Look at a cluster before a run, without writing anything: 0 when a run can begin, 2 when not."""
    if print_rbac:
        click.echo(role_text(), nl=False)
        return 0
    from pvkit.backends.live.preflight import examine
    from pvkit.backends.live.reaching import connect, context_of

    connection = connect(kubeconfig, context)
    found = examine(connection, context_of(kubeconfig, context))
    click.echo(json.dumps(found.as_json(), indent=1) if as_json else rendered(found))
    return 0 if found.fit else UNFIT


def role_text() -> str:
    """The role as YAML, with the command that gives it to somebody."""
    import yaml

    from pvkit.backends.live.permissions import cluster_role

    role = cluster_role()
    name = role["metadata"]["name"]
    return (
        "# The smallest role under which `pvkit run --backend live` and `pvkit cleanup` work.\n"
        "# pvkit preflight --print-rbac | kubectl apply -f -\n"
        f"# kubectl create clusterrolebinding {name} --clusterrole={name} --user=NAME\n"
        f"{yaml.safe_dump(role, sort_keys=False, default_flow_style=None)}"
    )


def rendered(found: "Preflight") -> str:
    """What was found, for a person."""
    from pvkit.backends.live.permissions import CREATED

    reached = found.reached
    lines = [
        f"server      {reached.server}",
        f"context     {reached.context}",
        f"version     {reached.version}, judged by the rules for {reached.minor}",
        "a run makes, all labelled with its id and removed at its end:",
        *(f"  {kind}: {what}" for kind, what in CREATED),
    ]
    lines += [f"the server does not know {kind}" for kind in found.absent]
    for title, refused in (
        ("permissions missing:", found.missing),
        ("permissions that only some plans need:", found.optional),
    ):
        lines += [title, *(f"  {line}" for line in _grouped(refused))] if refused else []
    lines.append("a run can begin" if found.fit else _way_out(found))
    return "\n".join(lines)


def _grouped(refused: "tuple[Refusal, ...]") -> list[str]:
    """One line a resource, with all verbs that are refused on it, and what cannot be done without."""
    rows: dict[tuple[str, str, str, str], list[str]] = {}
    for refusal in refused:
        grant = refusal.grant
        rows.setdefault((grant.resource, grant.group, grant.without, refusal.reason), []).append(refusal.verb)
    return [
        f"{resource}{f'.{group}' if group else ''}: {', '.join(verbs)}"
        + (f"; without, {without}" if without else "")
        + (f" ({reason})" if reason else "")
        for (resource, group, without, reason), verbs in rows.items()
    ]


def _way_out(found: "Preflight") -> str:
    if found.needed_kinds:
        return f"a run cannot begin: {', '.join(found.needed_kinds)} would have to be served"
    return "a run cannot begin; `pvkit preflight --print-rbac` prints the role that suffices"
