"""`pvkit replay`: run saved plans or failures again, showing after each step what kubectl would show."""

from pathlib import Path
from typing import Any

import click

SHIPPED = Path(__file__).parent.parent / "plans"


def located(word: str) -> Path:
    """The file of that name, or the plan of that name which ships with the kit; raises `UsageError`."""
    from pvkit.backends.errors import UsageError

    path, shipped = Path(word), SHIPPED / f"{word}.yaml"
    if path.exists() or not shipped.exists():
        if not path.exists():
            names = ", ".join(sorted(entry.stem for entry in SHIPPED.glob("*.yaml")))
            raise UsageError(f"no file {word!r}; plans that ship with the kit: {names}")
        return path
    return shipped


@click.command()
@click.argument("files", nargs=-1, required=True)
@click.option("--backend", default="reference", show_default=True, help="What to run on; `pvkit list backends`.")
@click.option("--include", multiple=True, help="Judge only these: an id, topic, level or tag; repeatable.")
@click.option("--exclude", multiple=True, help="Judge all but these; repeatable.")
@click.option("--trace", type=click.Path(path_type=Path), help="Record the history of the last plan here.")
@click.option("--quiet", is_flag=True, help="Verdicts only, no tables.")
def command(
    files: tuple[str, ...],
    backend: str,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    trace: Path | None,
    quiet: bool,
) -> int:
    """Run the plans in FILES again, or plans that ship with the kit by name (`walkthrough`)."""
    from pvkit.backends.registry import open_backend
    from pvkit.conformance.catalogue import selected
    from pvkit.conformance.execute import execute
    from pvkit.conformance.judge import judge
    from pvkit.conformance.trace import write_trace
    from pvkit.conformance.verdict import exit_code
    from pvkit.strategies.plan_file import read_plans

    invariants, system, codes = selected(include, exclude), open_backend(backend), [0]
    for word in files:
        for plan in read_plans(located(word)):
            history = execute(plan, system)
            if not quiet:
                show(plan, history)
            results = judge(history, invariants)
            missed = tell(plan.name or word, results, history)
            codes.append(1 if missed else exit_code([entry.verdict for entry in results]))
            if trace is not None:
                with trace.open("w", encoding="utf-8") as file:
                    write_trace(history, file)
    system.close()
    return 1 if 1 in codes else max(codes)


def show(plan: Any, history: Any) -> None:
    """Print each step of a history, and the tables at each point of rest."""
    from pvkit.backends.protocol import Event, Settled
    from pvkit.conformance.history import Asked, Expected, State
    from pvkit.conformance.tables import render

    state = State(history.header)
    for entry in history.entries:
        if isinstance(entry, Event):
            state.take(entry)
        elif isinstance(entry, Asked):
            click.echo(f"\n{entry.step + 1}. {described(entry.request)}: {_answer(entry.outcome)}")
        elif isinstance(entry, Settled):
            click.echo(f"\nsettled after {entry.time:.0f} s\n" if entry.quiet else f"\nnot settled: {entry.reason}\n")
            click.echo(render(state))
        elif isinstance(entry, Expected) and not entry.met:
            click.echo(f"\nNOT AS EXPECTED (step {entry.step + 1}): {entry.object}\nseen: {entry.seen}")


def described(request: Any) -> str:
    """A step in a few words."""
    from pvkit.backends.protocol import Fault

    if isinstance(request, Fault):
        return " ".join([request.word, *(f"{name}={value}" for name, value in request.options.items())])
    if request.object is not None:
        metadata = request.object.get("metadata") or {}
        where = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
        return f"{request.verb} {request.object.get('kind')} {where}{metadata.get('name')}"
    more = " ".join(f"{name}={value}" for name, value in request.options.items())
    patch = f" {request.patch}" if request.patch is not None else ""
    return f"{request.verb} {request.target}{' ' + more if more else ''}{patch}"


def _answer(outcome: Any) -> str:
    return "ok" if outcome.status == "ok" else f"{outcome.status} {outcome.code} {outcome.reason}: {outcome.message}"


def tell(name: str, results: Any, history: Any) -> int:
    """Print what was broken or undecided; returns how many expectations were not met."""
    from pvkit.conformance.history import Expected
    from pvkit.conformance.verdict import Verdict

    for entry in results:
        if entry.verdict is Verdict.FAIL:
            click.echo(f"FAIL {entry.invariant.id}: {entry.invariant.sentence}\n     {entry.violations[0].message}")
        elif entry.verdict is Verdict.UNKNOWN:
            click.echo(f"UNKNOWN {entry.invariant.id}: {entry.reason.strip().splitlines()[-1]}")
    counts = {verdict: sum(entry.verdict is verdict for entry in results) for verdict in Verdict}
    expected = [entry for entry in history.entries if isinstance(entry, Expected)]
    missed = sum(not entry.met for entry in expected)
    told = ", ".join(f"{count} {str(verdict).lower()}" for verdict, count in counts.items() if count)
    click.echo(f"\n{name}: {told}; {len(expected) - missed} of {len(expected)} expectations met")
    return missed
