"""`pvkit run`: draw plans, run them on a backend, judge, shrink, report."""

import os
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

FORMATS = ("text", "junit", "json", "yaml")


def _formats(ctx: click.Context, option: click.Parameter, value: str) -> tuple[str, ...]:
    chosen = tuple(word.strip() for word in value.split(",") if word.strip())
    unknown = [word for word in chosen if word not in FORMATS]
    if unknown:
        raise click.BadParameter(f"unknown format {unknown[0]!r}; choose from {', '.join(FORMATS)}")
    return chosen


@click.command()
@click.option("--backend", default="reference", show_default=True, help="What to run on; `pvkit list backends`.")
@click.option("--profile", default="default", show_default=True, help="How much; `pvkit list profiles`.")
@click.option("--include", multiple=True, help="Judge only these: an id, topic, level or tag; repeatable.")
@click.option("--exclude", multiple=True, help="Judge all but these; repeatable.")
@click.option("--max-examples", type=click.IntRange(1), help="Plans at most.")
@click.option("--max-time", type=click.FloatRange(min=0.1), help="Seconds for drawing and running plans.")
@click.option("--max-failures", type=click.IntRange(0), default=0, help="Stop after so many broken rules; 0: never.")
@click.option("--fail-fast", is_flag=True, help="Stop at the first broken rule.")
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="The same seed draws the same plans."
)
@click.option("--no-shrink", is_flag=True, help="Leave failing plans as they were drawn.")
@click.option("--no-canary", is_flag=True, help="Do not try a broken model beside; the report says so.")
@click.option("--strict", is_flag=True, help="A rule that was never exercised counts as undecided.")
@click.option("--kubernetes-version", default=None, help="Minor version whose rules apply, 1.32 to 1.37.")
@click.option("-o", "--output-dir", type=click.Path(path_type=Path), default=Path("report"), show_default=True)
@click.option("--report", default="text", callback=_formats, show_default=True, help="Of text,junit,json,yaml.")
@click.option("--trace", type=click.Path(path_type=Path), help="Record the history of the last plan here.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and stop.")
@click.option("--quiet", is_flag=True, help="No progress, and no report but failures.")
@click.option("--no-color", is_flag=True, help="No colours, also with NO_COLOR set.")
def command(**given: Any) -> int:
    """Draw plans, run them on a backend, judge what was seen, and report."""
    _keep_out_of_the_way()
    from pvkit.backends.registry import open_backend
    from pvkit.conformance.catalogue import selected
    from pvkit.conformance.failures import made
    from pvkit.conformance.progress import Progress
    from pvkit.conformance.runner import run
    from pvkit.strategies.plans import plans

    asked = _settings(given)
    invariants = selected(tuple(given["include"]), tuple(given["exclude"]))
    backend, size = open_backend(asked.spec), asked.size
    if given["dry_run"]:
        click.echo(
            f"up to {size.plans} plans on {asked.spec} within {size.seconds:.0f} s, judged by {len(invariants)} rules"
        )
        return 0
    folder = made(given["output_dir"])
    progress, keeper = Progress("plans", given["quiet"]), _Keeper(given["trace"])
    try:
        report = run(backend, invariants, asked, plans(asked.profile), progress, keeper)
    finally:
        progress.end()
        backend.close()
    keeper.write()
    return _report(report, folder, given)


def _keep_out_of_the_way() -> None:
    """Let Hypothesis keep its notes in the user's cache, not in the folder where the run was started."""
    from platformdirs import user_cache_path

    os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(user_cache_path("pvkit") / "hypothesis"))


def _settings(given: dict[str, Any]) -> Any:
    from pvkit.backends.errors import UsageError
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
        command=shlex.join(["pvkit", *sys.argv[1:]]),
    )


class _Keeper:
    """Keeps the latest history, if a trace is wanted."""

    def __init__(self, path: Path | None) -> None:
        self._path, self._latest = path, None  # type: Path | None, Any

    def __call__(self, history: Any) -> None:
        self._latest = history if self._path else None

    def write(self) -> None:
        """Write the trace."""
        from pvkit.conformance.trace import write_trace

        if self._path is not None and self._latest is not None:
            with self._path.open("w", encoding="utf-8") as file:
                write_trace(self._latest, file)


def _report(report: Any, folder: Path, given: dict[str, Any]) -> int:
    from pvkit.conformance.failures import save_failure
    from pvkit.conformance.report import write_reports
    from pvkit.conformance.reporters.text import render

    if any(line.plan is not None for line in report.lines):
        (folder / "failures").mkdir(exist_ok=True)
        saved = tuple(
            replace(line, file=str(save_failure(line, report, folder / "failures"))) if line.plan else line
            for line in report.lines
        )
        report = replace(report, lines=saved)
    write_reports(report, folder, given["report"])
    color = sys.stdout.isatty() and not given["no_color"] and not os.environ.get("NO_COLOR")
    if not given["quiet"] or report.exit_code:
        click.echo(render(report, color))
    code: int = report.exit_code
    return code
