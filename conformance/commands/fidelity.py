"""`pvkit fidelity`: the reference model against a real control plane, plan by plan and answer by answer."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import click

from pvkit.backends.errors import UsageError
from pvkit.conformance.commands.cluster_options import asker, cluster_options
from pvkit.conformance.commands.run import keep_out_of_the_way
from pvkit.conformance.run_report import INTERRUPTED

RESYNC_SECONDS = 0.2
"""Of the volume binder on a cluster that is started for the comparison, so that waits for it are short."""

OURS = "a control plane of the kit's own"

MOST_CLUSTERS = 4
"""How many clusters are used side by side."""


@click.command()
@click.option("--plans", type=click.IntRange(0), default=30, show_default=True, help="Plans without faults.")
@click.option("--faulty", type=click.IntRange(0), default=10, show_default=True, help="Plans with faults.")
@click.option("--answers/--no-answers", default=True, show_default=True, help="Compare answers of the API, too.")
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="The same seed draws the same plans."
)
@click.option("-p", "--parallel", type=click.IntRange(1, 64), default=6, show_default=True, help="Plans at once.")
@click.option("--kubernetes-version", default="", metavar="MINOR", help="Of a cluster that is started for this.")
@click.option("--binaries", type=click.Path(path_type=Path), help="A folder with the programs; nothing is built then.")
@click.option("--results", type=click.Path(path_type=Path), help="Write the page of results here.")
@click.option("-o", "--output-dir", type=click.Path(path_type=Path), default=Path("report"), show_default=True)
@click.option("--quiet", is_flag=True, help="No progress.")
@cluster_options
def command(**given: Any) -> int:
    """Hold the reference model against a real control plane.

    Without --kubeconfig and --context, clusters of its own are started and ended. Exits with 1 when something differs
    that is neither a choice that Kubernetes leaves open nor a matter of who was quicker.
    """
    from pvkit.conformance.failures import made
    from pvkit.conformance.reporters.fidelity import page, render

    if not (given["plans"] or given["faulty"] or given["answers"]):
        raise UsageError("nothing to compare: give --plans, --faulty or --answers")
    keep_out_of_the_way()
    folder = made(given["output_dir"]) / "fidelity"
    found = _compared(given)
    _save(found, folder)
    click.echo(render(found), nl=False)
    if given["results"] is not None:
        given["results"].write_text(page(found, datetime.now(UTC).date().isoformat()), encoding="utf-8")
    if found.interrupted:
        return INTERRUPTED
    return 0 if found.is_clean else 1


def _compared(given: dict[str, Any]) -> Any:
    from pvkit.conformance.fidelity_run import Account
    from pvkit.conformance.reporters.fidelity import Comparisons

    wanted = ((given["plans"], False, "plans without faults"), (given["faulty"], True, "plans with faults"))
    accounts, interrupted = [], False
    told = {"server": _meant(given), "version": given["kubernetes_version"]}
    answers: list[Any] = []
    try:
        if given["answers"]:
            _ask(answers, given, told)
        for count, faults, what in wanted:
            if count:
                accounts.append(Account(what))
                with _backends(given, faults, count) as backends:
                    _play(backends, accounts[-1], faults, count, given, told)
    except KeyboardInterrupt:
        interrupted = True
    again = " ".join(["pvkit", "fidelity", *sys.argv[2:]])
    lines, clean = _answered(answers) if answers else ([], True)
    return Comparisons(told["server"], told["version"], given["seed"], again, accounts, lines, clean, interrupted)


def _meant(given: dict[str, Any]) -> str:
    """What is compared with first, before it could be asked what it is."""
    named = [f"{option} {given[option]}" for option in ("kubeconfig", "context") if given[option]]
    return f"the cluster of {', '.join(named)}" if named and not given["answers"] else OURS


def _ask(answers: list[Any], given: dict[str, Any], told: dict[str, str]) -> None:
    """Ask the model and a server of our own what is in the table of answers; nobody else may write there meanwhile."""
    from pvkit.backends.live import cluster
    from pvkit.backends.live.connection import Connection
    from pvkit.backends.live.programs import emulation
    from pvkit.conformance.api_server import compared, stop_others
    from pvkit.conformance.commands.cluster import programs_for
    from pvkit.conformance.progress import progress

    name, wanted = f"fidelity-{os.getpid()}-answers", given["kubernetes_version"]
    programs = programs_for(wanted, given["binaries"], given["quiet"])
    emulated = emulation(programs, wanted)
    minor = emulated or ".".join(programs.version.lstrip("v").split(".")[:2])
    told["version"] = minor
    layout = cluster.up(name, programs, [], emulated, resync_seconds=RESYNC_SECONDS)
    try:
        stop_others(layout)
        with progress(given["quiet"]) as hear:
            answers.extend(compared(Connection(str(layout.kubeconfig)), minor, hear))
    finally:
        cluster.down(name)


def _answered(answers: list[Any]) -> tuple[list[str], bool]:
    from pvkit.conformance.api_server import told

    return told(answers), all(entry.model == entry.live for entry in answers)


@contextmanager
def _backends(given: dict[str, Any], faults: bool, count: int) -> Iterator[list[Any]]:
    """The cluster that was named, or some that are started for this and ended after.

    A fault meets a whole cluster, and so does a default class.
    """
    from pvkit.backends.live.opening import open_live

    tell = partial(click.echo, err=True)
    with ExitStack() as stack:
        if given["kubeconfig"] or given["context"]:
            backends = [open_live(given["kubeconfig"], given["context"], given["yes"], asker(), tell)]
        else:
            number = min(given["parallel"], MOST_CLUSTERS, count)
            layouts = [stack.enter_context(_started(given, faults, at)) for at in range(number)]
            backends = [open_live(str(layout.kubeconfig), None, True, None, tell) for layout in layouts]
        for backend in backends:
            stack.callback(backend.close)
        yield backends


@contextmanager
def _started(given: dict[str, Any], faults: bool, at: int) -> Iterator[Any]:
    """A control plane of our own."""
    from pvkit.backends.live import cluster
    from pvkit.backends.live.programs import emulation
    from pvkit.conformance.commands.cluster import programs_for

    name, wanted = f"fidelity-{os.getpid()}-{at}", given["kubernetes_version"]
    programs = programs_for(wanted, given["binaries"], given["quiet"])
    layout = cluster.up(name, programs, [], emulation(programs, wanted), resync_seconds=RESYNC_SECONDS, faults=faults)
    try:
        yield layout
    finally:
        cluster.down(name)


def _play(
    backends: list[Any], account: Any, faults: bool, count: int, given: dict[str, Any], told: dict[str, str]
) -> None:
    from pvkit.conformance.catalogue import all_invariants
    from pvkit.conformance.fidelity_run import Comparison, strategy_for
    from pvkit.conformance.progress import progress

    described = backends[0].describe()
    told["version"] = described.kubernetes_version
    if given["kubeconfig"] or given["context"]:
        told["server"] = described.implementation
    with progress(given["quiet"]) as hear:
        comparison = Comparison(account, all_invariants(), described.kubernetes_version, hear)
        comparison.play(backends, strategy_for(faults), count, given["seed"], 1 if faults else given["parallel"])


def _save(found: Any, folder: Path) -> None:
    """Every plan that differs or failed, as a file that replays."""
    from pvkit.conformance.failures import save_plan
    from pvkit.conformance.playable import rested

    for account in found.accounts:
        for finding in account.odd:
            said = [*map(str, finding.differences), *finding.answers, *(entry.invariant.id for entry in finding.broken)]
            save_plan(finding.plan, folder, finding.kind, {"message": "; ".join(said[:6]), "backend": "live"})
            if finding.only_rested:
                only = "; ".join(sorted(finding.only_rested))
                save_plan(rested(finding.plan), folder, "rested", {"message": only, "backend": "live"})
        for plan, said in account.failed:
            save_plan(plan, folder, "failed", {"message": said, "backend": "live"})
