"""`pvkit run` as people use it: on backends that misbehave, interrupted, with options from everywhere."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

import pvkit as pvkit_package
from pvkit.conformance.cli import pvkit
from pvkit.conformance.trace import read_traces
from pvkit.strategies.plan_file import read_plans

ROOT = Path(__file__).parent.parent.parent
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join([str(Path(pvkit_package.__file__).parent.parent), str(ROOT)]),
}
FEW = ("--max-examples", "5", "--no-canary", "--profile", "smoke")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nobody's settings, and a folder of its own for what is written."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("PVKIT_")]:
        monkeypatch.delenv(name)
    return tmp_path


def pv(*arguments: str) -> Result:
    """The command line in this process."""
    return CliRunner().invoke(pvkit, list(arguments), standalone_mode=False)


def program(*arguments: str) -> "subprocess.Popen[str]":
    """The installed program, in a process of its own."""
    line = [sys.executable, "-c", "from pvkit.conformance.cli import main; main()", *arguments]
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)


def ended(*arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of the installed program."""
    with program(*arguments) as process:
        out, error = process.communicate(timeout=120)
        return process.returncode, out, error


def test_a_run_that_passes_exits_with_zero_and_writes_its_report(elsewhere: Path) -> None:
    shown = pv("run", *FEW, "--include", "PVB-001", "--report", "text,json")
    assert shown.return_value == 0
    assert (elsewhere / "report" / "report.txt").read_text() == shown.output
    assert json.loads((elsewhere / "report" / "results.json").read_text())["verdict"] == "PASS"


def test_quiet_says_nothing_of_a_run_that_passes() -> None:
    assert pv("run", *FEW, "--include", "PVB-001", "--quiet").output == ""


def test_quiet_says_what_is_broken_and_nothing_else() -> None:
    shown = pv("run", *FEW, "--backend", "mutant:never-available", "--include", "phases", "--no-shrink", "--quiet")
    assert shown.return_value == 1
    assert "FAIL" in shown.output
    assert "PASS " not in shown.output


def test_include_and_exclude_choose_the_rules_together() -> None:
    shown = pv("run", "--include", "api", "--include", "PVB-001", "--exclude", "API-020", "--dry-run")
    everything = pv("run", "--include", "api", "--include", "PVB-001", "--dry-run")
    counts = [int(entry.output.split("judged by ")[1].split()[0]) for entry in (shown, everything)]
    assert counts[0] + 1 == counts[1]


def test_nothing_left_to_judge_is_refused() -> None:
    code, _, error = ended("run", "--include", "PVB-001", "--exclude", "PVB-001")
    assert (code, error) == (2, "pvkit: nothing is left to judge: --exclude leaves out all that --include chose\n")


def test_a_dry_run_plays_nothing_and_writes_nothing(elsewhere: Path) -> None:
    assert pv("run", "--dry-run", "--backend", "tests.conformance.backends:Foreign").return_value == 0
    assert list(elsewhere.iterdir()) == []


def test_a_rule_that_was_not_exercised_is_no_pass_when_strict() -> None:
    chosen = ("run", *FEW, "--include", "API-013", "--max-examples", "1")
    assert [pv(*chosen).return_value, pv(*chosen, "--strict").return_value] == [0, 3]


def test_without_a_canary_the_report_says_so() -> None:
    assert "no canary was tried" in pv("run", *FEW, "--include", "PVB-001").output


def test_a_backend_that_raises_exits_with_two_and_leaves_the_plan(elsewhere: Path) -> None:
    code, _, error = ended("run", "--backend", "tests.conformance.backends:Foreign", "--no-canary", "--quiet")
    assert (code, "Traceback" in error) == (2, False)
    assert "the backend Foreign raised ConnectionResetError: the line is dead; expected an Outcome" in error
    (saved,) = (elsewhere / "report" / "failures").glob("error-*.yaml")
    assert f"Reproduce with: pvkit replay {saved.relative_to(elsewhere)} --backend" in error
    assert read_plans(saved)[0].steps


MISMADE = {
    "one that raises when it is made": ("tests.conformance.backends:Unmakeable", "it raised OSError: no such cluster"),
    "one that raises when it is imported": ("crooked:Any", "importing crooked raised ZeroDivisionError"),
    "one of a module that has no such name": ("tests.conformance.backends:Nobody", "has no 'Nobody'"),
    "an unknown name": ("referenc", "no backend 'referenc'; name `reference`"),
}


@pytest.mark.parametrize("case", MISMADE)
def test_a_backend_that_cannot_be_had_exits_with_two(case: str, elsewhere: Path) -> None:
    (elsewhere / "crooked.py").write_text("1 / 0\n")
    backend, message = MISMADE[case]
    code, _, error = ended("run", "--backend", backend)
    assert (code, "Traceback" in error) == (2, False)
    assert message in error


def test_a_backend_that_cannot_be_closed_is_told_beside_the_report() -> None:
    code, out, error = ended("run", *FEW, "--backend", "tests.conformance.backends:Unclosable", "--include", "PVB-001")
    assert code in (0, 3)
    assert "5 plans in" in out
    assert "the backend could not be closed (OSError: the door is stuck)" in error


def test_what_a_backend_leaves_behind_is_in_the_report_and_exits_with_two() -> None:
    code, out, error = ended("run", *FEW, "--backend", "tests.conformance.backends:Untidy", "--include", "PVB-001")
    assert code == 2
    assert "LEFT BEHIND: persistentvolume/left of run abc is left" in out
    assert "persistentvolume/left of run abc is left" in error


def test_an_error_of_pvkit_itself_is_no_broken_promise() -> None:
    line = "import pvkit.conformance.cli as c; c.configuration = lambda start: 1 / 0; c.main()"
    done = subprocess.run(
        [sys.executable, "-c", line, "run"], capture_output=True, text=True, env=ENVIRONMENT, timeout=120
    )
    assert done.returncode == 2
    assert "ZeroDivisionError" in done.stderr
    assert "this is an error of pvkit itself" in done.stderr


SLOW = """
from pathlib import Path
from pvkit.backends.reference.model import ReferenceModel

class Slow(ReferenceModel):
    plans = 0

    def settle(self, budget):
        Slow.plans += 1
        if Slow.plans == 5:
            print("under way", flush=True)
        return super().settle(budget)

    def close(self):
        Path("closed").touch()
"""


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM], ids=lambda sent: sent.name)
def test_an_interrupted_run_reports_what_was_done_and_leaves_nothing(sent: signal.Signals, elsewhere: Path) -> None:
    (elsewhere / "slow.py").write_text(SLOW)
    endless = ("--max-examples", "1000000", "--max-time", "600", "--no-canary", "--report", "text,json")
    with program("run", "--backend", "slow:Slow", *endless) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "under way\n"
        process.send_signal(sent)
        out, error = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "Traceback" not in error
    assert "INTERRUPTED, until then" in out.splitlines()[-1]
    results = json.loads((elsewhere / "report" / "results.json").read_text())
    assert results["interrupted"] is True
    assert results["plans"] >= 1
    assert (elsewhere / "closed").exists()


def test_a_run_streams_every_history_into_its_trace(elsewhere: Path) -> None:
    assert pv("run", *FEW, "--include", "PVB-001", "--trace", "all.jsonl", "--seed", "3").return_value == 0
    traces = [(header, list(entries)) for header, entries in read_traces(elsewhere / "all.jsonl")]
    assert len(traces) == 5
    assert {header.seed for header, _ in traces} == {"3"}


def test_a_trace_is_judged_as_the_run_was(elsewhere: Path) -> None:
    chosen = ("--include", "binding", "--include", "phases")
    pv(
        "run",
        *FEW,
        *chosen,
        "--backend",
        "mutant:never-available",
        "--no-shrink",
        "--trace",
        "all.jsonl",
        "--report",
        "json",
    )
    rules = json.loads((elsewhere / "report" / "results.json").read_text())["rules"]
    shown = pv("check", "all.jsonl", *chosen)
    assert shown.return_value == 1
    assert shown.output.startswith("all.jsonl: 5 histories, pvkit reference model")
    rows = [row.split() for row in shown.output.splitlines()[1 : len(rules) + 1]]
    found = {row[1]: (row[0], row[3], row[6]) for row in rows}
    assert found == {
        rule["id"]: (rule["verdict"], f"{rule['held']:,}", f"{rule['atRisk']:,}") for rule in rules
    }  # fmt: skip
    assert "at: entry " in shown.output


def test_a_failure_has_its_history_beside_its_plan(elsewhere: Path) -> None:
    chosen = ("--include", "PVB-056", "--backend", "mutant:never-available")
    assert pv("run", *FEW, *chosen).return_value == 1
    folder = elsewhere / "report" / "failures"
    (plan,) = folder.glob("PVB-056-*.yaml")
    assert yaml.safe_load(plan.read_text())["failure"]["backend"] == "mutant:never-available"
    assert [path.name for path in folder.glob("*.jsonl")] == [f"{plan.stem}.trace.jsonl"]
    assert pv("check", str(folder), "--include", "PVB-056").return_value == 1
    assert pv("replay", str(plan), "--quiet", "--backend", "mutant:never-available").return_value == 1


def test_a_folder_without_traces_is_refused(elsewhere: Path) -> None:
    code, _, error = ended("check", str(elsewhere))
    assert (code, f"no trace in {elsewhere}" in error) == (2, True)


def test_the_report_names_the_command_that_does_the_same_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PVKIT_SEED", "7")
    shown = pv("run", *FEW, "--include", "PVB-001", "--include", "PVB-002", "--report", "json,text")
    again = next(line for line in shown.output.splitlines() if line.startswith("the same run again: "))
    words = set(again.removeprefix("the same run again: ").split(" --"))
    assert words == {
        "pvkit run", "seed 7", "profile smoke", "include PVB-001", "include PVB-002", "max-examples 5", "no-canary"
    }  # fmt: skip


def test_a_flag_outweighs_the_environment_and_that_the_nearest_file(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def plans(*flags: str) -> str:
        return pv("run", "--dry-run", "--profile", "smoke", *flags).output.split()[2]

    assert plans() == "60"
    (elsewhere / "pyproject.toml").write_text("[tool.pvkit]\nmax-examples = 1\n")
    assert plans() == "1"
    (elsewhere / "pvkit.toml").write_text("max-examples = 2\n")
    assert plans() == "2"
    monkeypatch.setenv("PVKIT_MAX_EXAMPLES", "3")
    assert plans() == "3"
    assert plans("--max-examples", "4") == "4"


BAD_SETTINGS = {
    "no TOML": ("profile = ", "write TOML such as"),
    "a value of the wrong kind": ('max-examples = "many"', "'many' is not a valid integer"),
    "an unknown rule": ('include = "PVB-00"', "did you mean PVB-001 or PVB-002 or PVB-003?"),
    "an unknown profile": ('profile = "huge"', "choose from smoke, default, full"),
}


@pytest.mark.parametrize("case", BAD_SETTINGS)
def test_bad_settings_exit_with_two(case: str, elsewhere: Path) -> None:
    text, message = BAD_SETTINGS[case]
    (elsewhere / "pvkit.toml").write_text(text)
    code, _, error = ended("run", "--dry-run")
    assert (code, "Traceback" in error) == (2, False)
    assert message in error


def test_a_verb_that_was_mistyped_is_named() -> None:
    code, _, error = ended("runn")
    assert (code, "did you mean 'run'?" in error) == (2, True)


def test_a_folder_for_failures_is_made_only_when_there_are_any(elsewhere: Path) -> None:
    pv("run", *FEW, "--include", "PVB-001")
    assert [path.name for path in (elsewhere / "report").iterdir()] == ["report.txt"]


@pytest.mark.parametrize("seconds", ["nan", "inf", "-1", "soon"])
def test_a_time_that_never_ends_is_refused(seconds: str) -> None:
    found = CliRunner().invoke(pvkit, ["run", "--max-time", seconds])
    assert found.exit_code == 2
    assert "--max-time" in found.output
    assert seconds in found.output
