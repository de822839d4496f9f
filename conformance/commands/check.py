"""`pvkit check`: judge recorded traces again, read as streams: one entry in memory at a time."""

import os
import sys
from pathlib import Path

import click

from pvkit.backends.errors import UsageError
from pvkit.conformance.catalogue import selected
from pvkit.conformance.invariant import Invariant
from pvkit.conformance.judge import Judge
from pvkit.conformance.progress import on_terminal
from pvkit.conformance.run_report import Line
from pvkit.conformance.tally import Tallies
from pvkit.conformance.trace import read_traces
from pvkit.conformance.verdict import Verdict, exit_code


@click.command()
@click.argument("traces", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--include", multiple=True, help="Only these: an id, topic, level or tag; repeatable.")
@click.option("--exclude", multiple=True, help="All but these; repeatable.")
@click.option("--strict", is_flag=True, help="A rule that was never exercised counts as undecided.")
@click.option("--no-color", is_flag=True, help="Plain text; so does NO_COLOR, or an output that is no terminal.")
def command(
    traces: tuple[Path, ...], include: tuple[str, ...], exclude: tuple[str, ...], strict: bool, no_color: bool
) -> int:
    """Judge recorded TRACES again, with no cluster: files, or folders of `*.jsonl`."""
    invariants, verdicts = selected(include, exclude), []
    for path in found(traces):
        lines = judged(path, invariants)
        _show(lines, no_color)
        verdicts += [line.verdict for line in lines]
    return exit_code(verdicts, strict)


def found(traces: tuple[Path, ...]) -> list[Path]:
    """The files, and those in the folders; raises `UsageError` for a folder without any, and for a plan."""
    files = []
    for path in traces:
        if path.suffix in (".yaml", ".yml") and path.is_file():
            raise UsageError(f"{path} is YAML and no trace; `pvkit replay {path}` plays the plans of such a file")
        within = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
        if not within:
            raise UsageError(f"no trace in {path}; a trace ends in .jsonl, and `pvkit run --trace FILE` records one")
        files += within
    return files


def judged(path: Path, invariants: tuple[Invariant, ...]) -> tuple[Line, ...]:
    """What all histories of a file came to together; says what they are of."""
    tallies, number = Tallies(invariants), 0
    for number, (header, entries) in enumerate(read_traces(path), start=1):
        judge = Judge(header, invariants)
        for entry in entries:
            judge.feed(entry)
        for result in judge.finish():
            tallies.add(
                [result], place=f"entry {result.at + 1} of history {number}" + f" ({header.plan})" * bool(header.plan)
            )
    click.echo(
        f"{path}: {number} histor{'y' if number == 1 else 'ies'}, {header.backend.implementation}, "
        f"Kubernetes {header.setup.kubernetes_version}"
    )
    return tallies.lines()


def _show(lines: tuple[Line, ...], no_color: bool) -> None:
    broken = [line for line in lines if line.verdict is Verdict.FAIL]
    if on_terminal(sys.stdout) and not no_color and not os.environ.get("NO_COLOR"):
        from rich.console import Console

        from pvkit.conformance.reporters import terminal

        terminal.show_lines(lines)
        for line in broken:
            Console(highlight=False).print(terminal.failure(line))
        return
    from pvkit.conformance.reporters import text

    click.echo("\n\n".join([text.render_lines(lines), *map(text.failure, broken)]))
