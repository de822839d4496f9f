"""Failures on disk: the plan that breaks a promise, with what it broke, as a file that replays; beside it its trace."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pvkit.backends.errors import UsageError
from pvkit.conformance.run_report import Line, RunReport
from pvkit.conformance.trace import TraceFile
from pvkit.strategies.plan import Plan
from pvkit.strategies.plan_file import write_plan


def save_failure(line: Line, report: RunReport, folder: Path) -> Path:
    """Write the plan of a broken promise to `<id>-<digest>.yaml` in a folder, and its history to `.trace.jsonl` there.

    The same plan gives the same name.
    """
    assert line.plan is not None
    assert line.violation is not None
    failure = {
        "invariant": line.invariant.id,
        "sentence": line.invariant.sentence,
        "message": line.violation.message,
        "seed": report.seed,
        "kit": report.kit,
        "backend": report.spec,
    }
    path = save_plan(line.plan, folder, line.invariant.id, failure)
    if line.history is not None:
        with TraceFile(path.with_suffix(".trace.jsonl")) as file:
            file.write(line.history)
    return path


def save_plan(plan: Plan, folder: Path, word: str, failure: Mapping[str, Any]) -> Path:
    """Write a plan, with what is wrong with it on top, to `<word>-<digest>.yaml` in a folder that is made if needed."""
    digest = hashlib.sha256(write_plan(plan).encode()).hexdigest()[:8]
    path = made(folder) / f"{word}-{digest}.yaml"
    path.write_text(write_plan(plan, failure), encoding="utf-8")
    return path


def made(folder: Path) -> Path:
    """The folder, made if it is not there; raises `UsageError` when it cannot be written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".pvkit"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UsageError(f"cannot write to {folder}: {error.strerror}; name another folder with --output-dir") from None
    return folder
