"""`pvkit selftest`: prove the kit, by catching every mutant of the model."""

import json
from pathlib import Path
from typing import Any

import click

from pvkit.conformance.commands.seconds import Seconds
from pvkit.conformance.run_report import INTERRUPTED


@click.command()
@click.option("--trials", type=click.IntRange(1), default=10, show_default=True, help="Seeds tried for each pair.")
@click.option("--mutant", "mutants", multiple=True, help="Only these mutants; repeatable.")
@click.option("--seconds", type=Seconds(min=0.1), default=10.0, show_default=True, help="For one trial.")
@click.option("--seed", type=int, default=0, show_default=True, help="The first of the seeds.")
@click.option("--workers", type=click.IntRange(1), default=2, show_default=True, help="Processes.")
@click.option("--naive", is_flag=True, help="Beside it, the same with a plain generator, for comparison.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write the matrix here, too.")
@click.option("--quiet", is_flag=True, help="No progress.")
def command(
    trials: int, mutants: tuple[str, ...], seconds: float, seed: int, workers: int, naive: bool, file: Path | None,
    quiet: bool,
) -> int:  # fmt: skip
    """Prove the kit: each mutant of the model must be caught by each invariant that it breaks."""
    from pvkit.conformance import selftest

    chosen, plain, code = selftest.pairs(mutants), list[selftest.Standing](), None
    try:
        standings = _tried(chosen, trials, seed, seconds, False, workers, quiet)
        plain = _tried(chosen, trials, seed, seconds, True, workers, quiet) if naive else []
    except selftest.Stopped as stopped:
        standings, code = [entry for entry in stopped.standings if entry.catches], INTERRUPTED
    click.echo(rendered(standings, plain, trials))
    if file is not None:
        file.write_text(json.dumps(selftest.as_json(standings, plain), indent=1) + "\n")
    if code is not None:
        click.echo("INTERRUPTED: this is what was tried until then")
        return code
    return 0 if all(entry.solved for entry in standings) else 1


def _tried(chosen: Any, trials: int, seed: int, seconds: float, naive: bool, workers: int, quiet: bool) -> Any:
    from time import perf_counter

    from pvkit.conformance import selftest
    from pvkit.conformance.progress import Tick, progress

    start, done = perf_counter(), [0]
    with progress(quiet) as tell:

        def hear(pair: Any, catch: Any) -> None:
            done[0] += 1
            tell(Tick("trials", done[0], len(chosen) * trials, perf_counter() - start))

        return selftest.trials(chosen, trials, seed, seconds, naive, workers, hear)


def rendered(standings: Any, plain: Any, trials: int) -> str:
    """The kill matrix, unsolved pairs first, and the counts below it."""
    from pvkit.conformance import selftest

    beside = {entry.pair: entry for entry in plain}
    rows = [f"{'caught':>8} {'worst s':>8} {'plans':>7} {'steps':>6} {'worst':>6}  mutant x invariant"]
    for entry in sorted(standings, key=lambda found: (found.solved, -found.worst_seconds)):
        naive = f"   naive {beside[entry.pair].found}/{trials}" if entry.pair in beside else ""
        rows.append(
            f"{entry.found:>5}/{trials:<2} {entry.worst_seconds:>8.2f} {entry.median_plans:>7.0f} "
            f"{entry.median_steps:>6.0f} {entry.worst_steps:>6}  {entry.pair.mutant} x {entry.pair.invariant}{naive}"
        )
    return "\n".join([*rows, "", *selftest.summary(standings), *(selftest.summary(plain, "naive ") if plain else ())])
