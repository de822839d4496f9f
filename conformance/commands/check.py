"""`pvkit check`: judge recorded traces again, read as streams."""

from pathlib import Path

import click

from pvkit.conformance.catalogue import selected
from pvkit.conformance.judge import Judge, Result
from pvkit.conformance.run_report import Line
from pvkit.conformance.trace import read_trace
from pvkit.conformance.verdict import exit_code


@click.command()
@click.argument("traces", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--include", multiple=True, help="Only these: an id, topic, level or tag; repeatable.")
@click.option("--exclude", multiple=True, help="All but these; repeatable.")
@click.option("--strict", is_flag=True, help="A rule that was never exercised counts as undecided.")
def command(traces: tuple[Path, ...], include: tuple[str, ...], exclude: tuple[str, ...], strict: bool) -> int:
    """Judge recorded TRACES again, with no cluster."""
    from pvkit.conformance.reporters.text import render_lines

    invariants, verdicts = selected(include, exclude), []
    for path in traces:
        header, entries = read_trace(path)
        judge = Judge(header, invariants)
        for entry in entries:
            judge.feed(entry)
        lines = [line_of(found) for found in judge.finish()]
        click.echo(f"{path}: {header.backend.implementation}, Kubernetes {header.setup.kubernetes_version}")
        click.echo(render_lines(tuple(sorted(lines, key=lambda line: (-line.verdict, line.invariant.id)))))
        verdicts += [line.verdict for line in lines]
    return exit_code(verdicts, strict)


def line_of(found: Result) -> Line:
    """What a report says of one invariant in one history."""
    violation = found.violations[0] if found.violations else None
    broken = int(found.broken > 0)
    return Line(found.invariant, found.verdict, found.held, found.at_risk, broken, found.reason, violation)
