"""The plug-in: verdicts as test outcomes, in one process and in several."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import pvkit

SOURCE = Path(pvkit.__file__).parent.parent
SUITE = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--pyargs", "pvkit.conformance"]
PLUGIN = [] if SOURCE.name == "site-packages" else ["-p", "pvkit.conformance.pytest_plugin"]
"""An installed plug-in is found by itself; in a bare checkout it has to be named."""


def suite(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The suite run as a user would run it, in an empty folder."""
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    return subprocess.run(
        [*SUITE, *PLUGIN, "--pv-max-examples", "8", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_each_promise_is_a_test_with_its_id(tmp_path: Path) -> None:
    done = suite(tmp_path, "-rA", "--pv-include", "PVB-001", "--pv-include", "PVB-002")
    assert "test_promise[PVB-001]" in done.stdout
    assert "test_promise[PVB-002]" in done.stdout
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_broken_promise_fails_with_the_plan_that_shows_it(tmp_path: Path) -> None:
    done = suite(
        tmp_path, "--pv-backend", "mutant:never-available", "--pv-include", "PVB-056", "--pv-max-examples", "60"
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "the plan:" in done.stdout


def test_the_suite_runs_on_several_workers(tmp_path: Path) -> None:
    done = suite(tmp_path, "-n", "2", "--pv-include", "matching")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--pv-include", "PVB-9999"), "no invariant, topic or tag"),
        (("--pv-backend", "nowhere.at:All"), "cannot be imported"),
    ],
)
def test_what_does_not_exist_is_refused_by_name(tmp_path: Path, arguments: tuple[str, str], message: str) -> None:
    done = suite(tmp_path, *arguments)
    assert done.returncode != 0
    assert message in done.stdout + done.stderr
