"""`pvkit cleanup`: remove what a run left on a cluster, and nothing else."""

from typing import TYPE_CHECKING, Any

import click

from pvkit.conformance.commands import cluster_options
from pvkit.conformance.commands.seconds import Seconds

if TYPE_CHECKING:
    from pvkit.backends.live.cleanup import Leftovers, Removal

LEFT = 2


@click.command()
@click.option("--run-id", required=True, metavar="ID", help="The id that the run printed at its start.")
@cluster_options.cluster_options
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and stop.")
@click.option("--max-time", type=Seconds(min=1.0), default=60.0, show_default=True, help="Seconds to wait.")
def command(run_id: str, kubeconfig: str | None, context: str | None, yes: bool, dry_run: bool, max_time: float) -> int:
    """Remove what a run left on a cluster: 0 when nothing is left, 2 when something is."""
    from pvkit.backends.live.cleanup import Removal, find_leftovers
    from pvkit.backends.live.consent import consent
    from pvkit.backends.live.reaching import connect, context_of, explaining, reach

    connection = connect(kubeconfig, context)
    reached = reach(connection, context_of(kubeconfig, context))
    with explaining(connection.server):
        found = find_leftovers(connection, run_id)
        click.echo(listing(found, connection.server))
        if dry_run or not found.all:
            return 0
        consent(connection, reached, "remove what is listed above", yes, cluster_options.asker())
        removal = Removal(connection, found, lambda obj: click.echo(f"removing {called(obj)}"), max_time)
        left = removal.remove()
    click.echo(outcome(left, removal))
    return LEFT if left else 0


def called(obj: dict[str, Any]) -> str:
    """An object as people write it, `persistentvolume/data`."""
    return f"{obj['kind'].lower()}/{obj['metadata']['name']}"


def listing(found: "Leftovers", server: str) -> str:
    """What there is, for a person."""
    if not found.all and not found.foreign:
        return f"nothing on {server} carries the run id {found.run_id}"
    lines = [f"run {found.run_id} left on {server}:"] if found.all else [f"nothing of run {found.run_id} on {server}"]
    for obj in found.labelled:
        inside = " and all that is in it" if obj["kind"] == "Namespace" else ""
        lines.append(f"  {called(obj)}{inside}")
    lines += [f"  {called(obj)}, made for its claim {_claim(obj)}" for obj in found.provisioned]
    lines += [
        f"  {called(obj)} is not the run's and stays, though bound to its claim {_claim(obj)}" for obj in found.foreign
    ]
    return "\n".join(lines)


def _claim(volume: dict[str, Any]) -> str:
    reference = volume["spec"]["claimRef"]
    return f"{reference['namespace']}/{reference['name']}"


def outcome(left: list[dict[str, Any]], removal: "Removal") -> str:
    """What is left, and why."""
    from pvkit.backends.live.cleanup import waits_for

    if not left:
        return f"nothing of run {removal.found.run_id} is left"
    lines = [f"left after {removal.seconds:.0f} s:"]
    for obj in left:
        reason = removal.refused.get(obj["metadata"]["uid"]) or waits_for(obj)
        lines.append(f"  {called(obj)}" + (f": {reason}" if reason else ""))
    return "\n".join(lines)
