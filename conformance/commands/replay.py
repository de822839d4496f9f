"""`pvkit replay`: run saved plans or failures again, showing after each step what kubectl would show."""

from pathlib import Path
from typing import Any

import click

from pvkit.conformance.commands.cluster_options import cluster_options, data_options, opened

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
@cluster_options
@data_options
@click.option("--include", multiple=True, help="Judge only these: an id, topic, level or tag; repeatable.")
@click.option("--exclude", multiple=True, help="Judge all but these; repeatable.")
@click.option("-o", "--output", "wide", type=click.Choice(["wide"]), help="More columns, as kubectl has them.")
@click.option("--trace", type=click.Path(path_type=Path), help="Record the histories here, for `pvkit check`.")
@click.option("--strict", is_flag=True, help="A rule that was never exercised counts as undecided.")
@click.option("--quiet", is_flag=True, help="Verdicts only, no steps and no tables.")
def command(
    files: tuple[str, ...], backend: str, include: tuple[str, ...], exclude: tuple[str, ...], wide: str | None,
    trace: Path | None, strict: bool, quiet: bool, **cluster: Any,
) -> int:  # fmt: skip
    """Run the plans in FILES again, or plans that ship with the kit by name (`walkthrough`).

    After each step come the tables of `kubectl get pv,pvc,pod` that it changed.
    """
    from contextlib import closing, nullcontext

    from pvkit.conformance.catalogue import selected
    from pvkit.conformance.execute import execute
    from pvkit.conformance.judge import judge
    from pvkit.conformance.playback import Playback
    from pvkit.conformance.trace import TraceFile
    from pvkit.strategies.plan_file import read_plans

    invariants, codes = selected(include, exclude), [0]
    plans = [(word, plan) for word in files for plan in read_plans(located(word))]
    with closing(opened(backend, cluster)) as system, TraceFile(trace) if trace else nullcontext() as recorder:
        for word, plan in plans:
            history = execute(plan, system, hear=None if quiet else Playback(click.echo, wide is not None))
            if recorder is not None:
                recorder.write(history)
            for note in passed_over(plan, history, system):
                click.echo(f"passed over: {note}", err=True)
            codes.append(tell(plan.name or word, judge(history, invariants), history, strict))
    return 1 if 1 in codes else max(codes)


def passed_over(plan: Any, history: Any, system: Any) -> list[str]:
    """What of a plan its backend could not play, each with the reason: such a plan shows less than it could."""
    from pvkit.backends.protocol import CanStep, Fault
    from pvkit.conformance.history import Asked
    from pvkit.strategies.plan import Turns

    told = [
        f"step {entry.step + 1}, {entry.request.word}: {entry.outcome.message}"
        for entry in history.entries
        if isinstance(entry, Asked) and isinstance(entry.request, Fault) and entry.outcome.reason == "NotSupported"
        if entry.request.word != "heal"
    ]
    if not isinstance(system, CanStep) and (plan.schedule or any(isinstance(step, Turns) for step in plan.steps)):
        told.append("turns and schedule: this backend cannot be told who goes next")
    return told


def tell(name: str, results: Any, history: Any, strict: bool) -> int:
    """Print what was broken or undecided, and the counts; returns the exit code."""
    from pvkit.conformance.history import Expected
    from pvkit.conformance.verdict import Verdict, exit_code

    for entry in results:
        if entry.verdict is Verdict.FAIL:
            click.echo(f"\nFAIL {entry.invariant.id}: {entry.invariant.sentence}\n     {entry.violations[0].message}")
        elif entry.verdict is Verdict.UNKNOWN:
            click.echo(f"\nUNKNOWN {entry.invariant.id}: {entry.reason.strip().splitlines()[-1]}")
    counts = {verdict: sum(entry.verdict is verdict for entry in results) for verdict in Verdict}
    expected = [entry for entry in history.entries if isinstance(entry, Expected)]
    missed = sum(not entry.met for entry in expected)
    told = ", ".join(f"{count} {str(verdict).lower().replace('_', ' ')}" for verdict, count in counts.items() if count)
    met = f"{len(expected) - missed} of {len(expected)} expectations met; " if expected else ""
    click.echo(f"\n{name}: {met}{told}")
    return 1 if missed else exit_code([entry.verdict for entry in results], strict)
