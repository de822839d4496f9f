"""Failures on disk: the plan that breaks a promise, with what it broke, as a file that replays."""

import hashlib
from pathlib import Path

from pvkit.backends.errors import UsageError
from pvkit.conformance.run_report import Line, RunReport
from pvkit.strategies.plan_file import write_plan


def save_failure(line: Line, report: RunReport, folder: Path) -> Path:
    """Write the plan of a broken promise to `<id>-<digest>.yaml` in a folder; the same plan gives the same name."""
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
    digest = hashlib.sha256(write_plan(line.plan).encode()).hexdigest()[:8]
    path = folder / f"{line.invariant.id}-{digest}.yaml"
    path.write_text(write_plan(line.plan, failure))
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
