"""`pvkit run`: draw plans, run them on a backend, judge, shrink, report."""

import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from pvkit.backends.errors import BackendError, UsageError
from pvkit.conformance.commands.cluster_options import BESIDE, LIVE, cluster_options, data_options, drawn_for, opened
from pvkit.conformance.commands.seconds import Seconds

FORMATS = ("text", "junit", "json", "yaml", "html")
OF_NO_EFFECT = frozenset({"output_dir", "report", "trace", "dry_run", "quiet", "no_color", "yes"})
"""Options that change nothing about what is run, only about how it is told."""


def _formats(ctx: click.Context, option: click.Parameter, value: str) -> tuple[str, ...]:
    chosen = tuple(word.strip() for word in value.split(",") if word.strip())
    unknown = [word for word in chosen if word not in FORMATS]
    if unknown:
        raise click.BadParameter(f"unknown format {unknown[0]!r}; choose from {', '.join(FORMATS)}")
    return chosen


@click.command()
@click.option("--backend", default="reference", show_default=True, help="What to run on; `pvkit list backends`.")
@cluster_options
@data_options
@click.option("--profile", default="default", show_default=True, help="How much; `pvkit list profiles`.")
@click.option("--include", multiple=True, help="Judge only these: an id, topic, level or tag; repeatable.")
@click.option("--exclude", multiple=True, help="Judge all but these; repeatable.")
@click.option("--max-examples", type=click.IntRange(1), help="Plans at most.")
@click.option("--max-time", type=Seconds(min=0.1), help="Seconds for drawing and running plans.")
@click.option("--max-failures", type=click.IntRange(0), default=0, help="Stop after so many broken rules; 0: never.")
@click.option("--fail-fast", is_flag=True, help="Stop at the first broken rule.")
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="The same seed draws the same plans."
)
@click.option(
    "-p", "--parallel", type=click.IntRange(1, 64), help=f"Plans at once on a cluster; by default {BESIDE} of them."
)
@click.option("--no-shrink", is_flag=True, help="Leave failing plans as they were drawn.")
@click.option("--no-canary", is_flag=True, help="Do not try a broken model beside; the report says so.")
@click.option("--strict", is_flag=True, help="A rule that was never exercised counts as undecided.")
@click.option("--kubernetes-version", default=None, help="Minor version whose rules apply, 1.32 to 1.37.")
@click.option("-o", "--output-dir", type=click.Path(path_type=Path), default=Path("report"), show_default=True)
@click.option("--report", default="text", callback=_formats, show_default=True, help=f"Of {','.join(FORMATS)}.")
@click.option(
    "--trace",
    type=click.Path(path_type=Path),
    help="Record every history here, one behind the other, for `pvkit check`: about 60 kB a plan, and a twentieth of "
    "the time. The history of a failure is kept beside its plan in any case.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and stop.")
@click.option("--quiet", is_flag=True, help="No progress, and no report but of what went wrong.")
@click.option("--no-color", is_flag=True, help="Plain text; so does NO_COLOR, or an output that is no terminal.")
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> int:
    """Draw plans, run them on a backend, judge what was seen, and report.

    Without options it takes a minute at most. Options may stand in the environment, too (PVKIT_SEED=7), and in
    `pvkit.toml` or under [tool.pvkit] in `pyproject.toml`: a flag outweighs the environment, and that the file.
    """
    keep_out_of_the_way()
    from pvkit.conformance.catalogue import selected
    from pvkit.conformance.failures import made

    asked = _settings(ctx, given)
    invariants, size = selected(tuple(given["include"]), tuple(given["exclude"])), asked.size
    if not invariants:
        raise UsageError("nothing is left to judge: --exclude leaves out all that --include chose")
    with _closing(opened(asked.spec, given)) as (backend, left):
        if given["dry_run"]:
            rules = f"{len(invariants)} rule{'s' * (len(invariants) != 1)}"
            click.echo(f"up to {size.plans} plans on {asked.spec} within {size.seconds:.0f} s, judged by {rules}")
            return 0
        if asked.spec == LIVE and given["kubernetes_version"] is None:
            asked = replace(asked, kubernetes_version=backend.describe().kubernetes_version)
        report = _run(backend, invariants, asked, made(given["output_dir"]), given)
    return _report(replace(report, unclean="; ".join(left)), given["output_dir"], given)


@contextmanager
def _closing(backend: Any) -> Iterator[tuple[Any, list[str]]]:
    """The backend, closed whatever happens, and what it then says that it leaves: no reason to lose the report."""
    left: list[str] = []
    try:
        yield backend, left
    finally:
        try:
            backend.close()
        except BackendError as error:
            left.append(str(error))
            click.echo(f"pvkit: {error}", err=True)
        except Exception as error:  # noqa: BLE001 - a backend is foreign code, and may raise anything
            click.echo(f"pvkit: the backend could not be closed ({type(error).__name__}: {error})", err=True)


def _run(backend: Any, invariants: Any, asked: Any, folder: Path, given: dict[str, Any]) -> Any:
    from contextlib import nullcontext

    from pvkit.conformance.failures import save_plan
    from pvkit.conformance.progress import progress
    from pvkit.conformance.runner import PlanFailed, run
    from pvkit.conformance.trace import TraceFile
    from pvkit.strategies.plans import plans

    try:
        with (
            TraceFile(given["trace"]) if given["trace"] else nullcontext() as file,
            progress(given["quiet"], _colorful(given)) as hear,
        ):
            keep = file.write if file else (lambda history: None)
            live = asked.spec == LIVE
            drawn = drawn_for(backend, asked.profile, asked.parallel) if live else plans(asked.profile)
            return run(backend, invariants, asked, drawn, hear, keep)
    except PlanFailed as error:
        saved = save_plan(error.plan, folder / "failures", "error", {"message": str(error), "backend": asked.spec})
        again = f"pvkit replay {saved} --backend {asked.spec}"
        raise BackendError(f"{error}\n  in plan {error.after + 1}. Reproduce with: {again}") from error


def keep_out_of_the_way() -> None:
    """Let Hypothesis keep its notes in the user's cache, not in the folder where the run was started."""
    from platformdirs import user_cache_path

    os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(user_cache_path("pvkit") / "hypothesis"))


def _settings(ctx: click.Context, given: dict[str, Any]) -> Any:
    from pvkit.backends.protocol import DEFAULT_KUBERNETES, KUBERNETES_VERSIONS
    from pvkit.conformance.run_settings import Settings

    version = given["kubernetes_version"] or DEFAULT_KUBERNETES
    if version not in KUBERNETES_VERSIONS:
        raise UsageError(f"no rules for Kubernetes {version!r}; choose from {', '.join(KUBERNETES_VERSIONS)}")
    return Settings(
        profile=given["profile"],
        seed=given["seed"],
        plans=given["max_examples"] or 0,
        seconds=given["max_time"] or 0.0,
        failures=1 if given["fail_fast"] else given["max_failures"],
        shrink=not given["no_shrink"],
        canary=not given["no_canary"] and not given["backend"].startswith("mutant:"),
        strict=given["strict"],
        kubernetes_version=version,
        spec=given["backend"],
        command=_again(ctx, given),
        parallel=_parallel(given["backend"], given["parallel"]),
    )


def _parallel(spec: str, asked: int | None) -> int:
    """How many plans are played at once; only a cluster can be asked for several."""
    if asked and asked > 1 and spec != LIVE:
        raise UsageError(f"--parallel {asked} is for --backend {LIVE}; other backends play one plan after the other")
    return asked or (BESIDE if spec == LIVE else 1)


def _again(ctx: click.Context, given: dict[str, Any]) -> str:
    """The command that does the same again, wherever its options came from."""
    words = ["pvkit", "run"]
    for option in ctx.command.params:
        name = option.name or ""
        if name in OF_NO_EFFECT or ctx.get_parameter_source(name) is ParameterSource.DEFAULT:
            continue
        value, flag = given[name], getattr(option, "is_flag", False)
        if flag:
            words += [option.opts[-1]] if value else []
            continue
        for each in value if isinstance(value, tuple) else (value,):
            words += [option.opts[-1], str(each)]
    return shlex.join(words)


def _colorful(given: dict[str, Any]) -> bool:
    return not given["no_color"] and not os.environ.get("NO_COLOR")


def _report(report: Any, folder: Path, given: dict[str, Any]) -> int:
    from pvkit.conformance.failures import save_failure
    from pvkit.conformance.progress import on_terminal
    from pvkit.conformance.report import write_reports

    lines = tuple(
        replace(line, file=str(save_failure(line, report, folder / "failures"))) if line.plan else line
        for line in report.lines
    )
    report = replace(report, lines=lines)
    write_reports(report, folder, given["report"])
    code: int = report.exit_code
    if given["quiet"] and not code:
        return code
    if on_terminal(sys.stdout) and _colorful(given):
        from pvkit.conformance.reporters.terminal import show

        show(report, given["quiet"])
    else:
        from pvkit.conformance.reporters.text import render

        click.echo(render(report, given["quiet"]), nl=False)
    return code
