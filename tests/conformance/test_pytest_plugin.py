"""The plug-in: verdicts as test outcomes, in one process and in several."""

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

import pvkit
from pvkit.conformance.commands.cluster_options import cluster_options, data_options
from pvkit.conformance.pytest_plugin import CLUSTER, as_ours

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


def test_a_broken_promise_fails_with_the_plan_that_shows_it_and_where_it_is_saved(tmp_path: Path) -> None:
    done = suite(tmp_path, "--pv-backend", "mutant:never-available", "--pv-include", "PVB-056")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "the plan:" in done.stdout
    (saved,) = (tmp_path / "report" / "failures").glob("PVB-056-*.yaml")
    assert f"Reproduce with: pvkit replay {saved.relative_to(tmp_path)}" in done.stdout


COUNTING = """
import os
from pvkit.backends.mutants.registry import MutantModel, named

class Counting(MutantModel):
    \"\"\"Notes each process that plays plans on it.\"\"\"

    def __init__(self):
        super().__init__(named("never-available"))
        self._noted = False

    def invoke(self, operation):
        if not self._noted:
            with open("players.txt", "a") as file:
                file.write(f"{os.getpid()}\\n")
        self._noted = True
        return super().invoke(operation)
"""


def test_several_workers_share_one_run_and_its_verdicts(tmp_path: Path) -> None:
    (tmp_path / "counting.py").write_text(COUNTING)
    chosen = ("--pv-include", "PVB-056", "--pv-include", "PVB-001", "--pv-backend", "counting:Counting", "-rA")
    alone, shared = suite(tmp_path, *chosen), suite(tmp_path, *chosen, "-n", "2")
    assert (alone.returncode, shared.returncode) == (1, 1), shared.stdout + shared.stderr
    assert outcomes(alone) == outcomes(shared)
    assert len((tmp_path / "players.txt").read_text().splitlines()) == 2


def outcomes(done: subprocess.CompletedProcess[str]) -> list[str]:
    """What became of each test, in the order of their ids."""
    lines = [line for line in done.stdout.splitlines() if line.startswith(("PASSED", "FAILED"))]
    return sorted(line.partition(" - ")[0] for line in lines)


def test_excluded_promises_are_no_tests(tmp_path: Path) -> None:
    done = suite(tmp_path, "--collect-only", "--pv-include", "api", "--pv-exclude", "API-021")
    assert "test_promise[API-020]" in done.stdout
    assert "API-021" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--pv-include", "PVB-9999"), "no invariant, topic or tag"),
        (("--pv-exclude", "PVB-9999"), "no invariant, topic or tag"),
        (("--pv-backend", "nowhere.at:All"), "cannot be imported"),
        (("--pv-backend", "mutant:never-availabel"), "did you mean never-available"),
        (("--pv-profile", "huge"), "choose from smoke, default, full"),
    ],
)
def test_what_does_not_exist_is_a_usage_error(tmp_path: Path, arguments: tuple[str, str], message: str) -> None:
    done = suite(tmp_path, *arguments)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert message in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_backend_that_gives_up_is_told_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(
        "from pvkit.backends.reference.model import ReferenceModel\n"
        "class Broken(ReferenceModel):\n"
        "    def invoke(self, operation):\n"
        "        raise RuntimeError('no cluster today')\n"
    )
    done = suite(tmp_path, "--pv-backend", "broken:Broken", "--pv-include", "PVB-001")
    assert done.returncode == 1
    assert "the backend Broken raised RuntimeError: no cluster today" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_what_is_for_clusters_only_is_told_by_the_plug_ins_own_options(tmp_path: Path) -> None:
    done = suite(tmp_path, "--pv-image", "busybox", "--pv-include", "PVB-001")
    assert done.returncode == 1
    assert "--pv-image and --pv-storage-class are for --pv-backend live" in done.stdout


@pytest.mark.parametrize(
    ("message", "told"),
    [
        *((f"give --{word}, or not", f"give --pv-{word}, or not") for word in ("backend", "kubeconfig", "context")),
        *((f"`--{word} X` is none", f"`--pv-{word} X` is none") for word in ("yes", "image", "storage-class")),
        ("--contexts, a--yes and --image-pull are none", "--contexts, a--yes and --image-pull are none"),
        ("--pv-yes", "--pv-yes"),
    ],
)
def test_options_in_messages_are_those_of_pytest(message: str, told: str) -> None:
    assert as_ours(message) == told


def test_every_option_that_names_a_cluster_has_a_name_here(tmp_path: Path) -> None:
    given = {param.name for param in cluster_options(data_options(click.Command("it"))).params}
    known = suite(tmp_path, "--help").stdout
    assert set(CLUSTER) == given
    assert all(ours in known for ours in CLUSTER.values())


def test_a_cluster_that_cannot_be_reached_is_told_without_a_traceback(tmp_path: Path) -> None:
    done = suite(tmp_path, "--pv-backend", "live", "--pv-kubeconfig", "nowhere.yaml", "--pv-include", "PVB-001")
    assert done.returncode == 1
    assert "no usable kubeconfig" in done.stdout
    assert "name one with --pv-kubeconfig or KUBECONFIG" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
