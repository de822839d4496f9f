"""The command line: what people type, what they get back, and how it exits."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import pvkit as pvkit_package
from pvkit.backends.errors import KitError
from pvkit.conformance.cli import VERBS, configuration, pvkit
from tests.backends.live.fake_server import FakeServer, kubeconfig, serving

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(pvkit_package.__file__).parent.parent)}
VOLUME = """
apiVersion: v1
kind: PersistentVolume
metadata: {name: shelf}
spec:
  capacity: {storage: 1Gi}
  accessModes: [ReadWriteOnce]
  nfs: {server: 192.0.2.1, path: /export}
"""
PLAN = """
apiVersion: pvkit/v1
kind: Plan
metadata: {name: small}
steps:
- create:
    kind: PersistentVolume
    metadata: {name: shelf}
    spec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteOnce], nfs: {server: 192.0.2.1, path: /x}}
- settle: {}
"""


def pv(*arguments: str) -> Result:
    """The command line in this process."""
    return CliRunner().invoke(pvkit, list(arguments), standalone_mode=False)


def code(*arguments: str) -> tuple[int, str]:
    """Exit code and standard error of the installed program, in a process of its own."""
    program = "from pvkit.conformance.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=120, env=ENVIRONMENT
    )
    return done.returncode, done.stderr


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN)
    return path


@pytest.mark.parametrize("verb", list(VERBS))
def test_every_verb_has_help(verb: str) -> None:
    shown = pv(verb, "--help")
    assert shown.exit_code == 0
    assert "Usage" in shown.output


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys\nfrom pvkit.conformance.cli import pvkit\n"
        "try:\n    pvkit(['--help'])\nexcept SystemExit:\n    pass\n"
        "print(sorted({'kubernetes', 'hypothesis', 'rich', 'yaml', 'pytest'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=ENVIRONMENT)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_plan_replays_with_tables_and_verdicts(plan: Path) -> None:
    shown = pv("replay", str(plan))
    assert shown.return_value == 0
    assert "persistentvolume/shelf   1Gi" in shown.output
    assert "Available" in shown.output


def test_an_unmet_expectation_exits_with_one(plan: Path) -> None:
    plan.write_text(PLAN + "- expect: [{kind: PersistentVolume, name: shelf, phase: Bound}]\n")
    shown = pv("replay", str(plan), "--quiet")
    assert shown.return_value == 1
    assert "0 of 1 expectations met" in shown.output


def test_a_broken_backend_exits_with_one(plan: Path) -> None:
    shown = pv("replay", str(plan), "--quiet", "--backend", "mutant:never-available")
    assert shown.return_value == 1
    assert "FAIL PVB-056" in shown.output


def test_a_trace_is_judged_again(plan: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    assert pv("replay", str(plan), "--quiet", "--trace", str(trace)).return_value == 0
    shown = pv("check", str(trace))
    assert shown.return_value == 0
    assert "PASS" in shown.output


def test_a_trace_that_was_cut_exits_with_two_and_names_the_line(plan: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    assert pv("replay", str(plan), "--quiet", "--trace", str(trace)).return_value == 0
    trace.write_text("".join(trace.read_text().splitlines(keepends=True)[:2]))
    exit_code, said = code("check", str(trace))
    assert (exit_code, "Traceback" in said) == (2, False)
    assert f"{trace}:2: the end of the file; expected the end mark" in said


def test_who_wants_a_plan_checked_is_told_how_to_play_it(plan: Path) -> None:
    exit_code, said = code("check", str(plan))
    assert (exit_code, "Traceback" in said) == (2, False)
    assert f"{plan} is YAML and no trace; `pvkit replay {plan}` plays" in said


@pytest.mark.parametrize("what", ["invariants", "rules", "mutants", "backends", "profiles", "faults"])
def test_lists_have_an_id_and_a_sentence_for_everything(what: str) -> None:
    rows = json.loads(pv("list", what, "--json").output)
    assert rows
    assert all(row["id"] and row["sentence"] for row in rows)


def test_versions_are_those_of_the_kit_and_of_the_rules() -> None:
    told = json.loads(pv("version", "--json").output)
    assert told["kit"] == pvkit_package.__version__
    assert pv("version").output.splitlines()[0] == f"pvkit {told['kit']}"
    assert f"{told['rules']['from']} to {told['rules']['to']}" in pv("version").output


def test_the_version_of_a_server_is_asked_of_the_server(tmp_path: Path) -> None:
    with serving(FakeServer()) as fake:
        named = kubeconfig(tmp_path / "config", fake.url)
        shown = pv("version", "--server", "--kubeconfig", str(named)).output
        told = json.loads(pv("version", "--server", "--kubeconfig", str(named), "--json").output)["server"]
    assert f"server {told['version']} at {fake.url}, context {told['context']}" in shown


def test_a_server_that_nobody_can_find_has_no_version() -> None:
    exit_code, said = code("version", "--server", "--kubeconfig", "nowhere.yaml")
    assert (exit_code, "Traceback" in said) == (2, False)
    assert "no usable kubeconfig" in said


def test_a_promise_is_listed_with_its_level_its_versions_and_its_source() -> None:
    first, below = pv("list", "invariants").output.splitlines()[:2]
    row = json.loads(pv("list", "invariants", "--json").output)[0]
    assert first.split("  ") == [row["id"], row["level"], row["versions"], row["sentence"]]
    assert f"source: {row['source']}" in below


def test_a_profile_is_listed_with_its_size() -> None:
    row = json.loads(pv("list", "profiles", "--json").output)[0]
    assert (type(row["plans"]), type(row["seconds"])) == (int, float)
    assert f"plans: {row['plans']}; seconds: {row['seconds']}" in pv("list", "profiles").output


def test_explain_names_the_winner_and_what_refused_the_others(tmp_path: Path) -> None:
    manifests = tmp_path / "all.yaml"
    claim = VOLUME.replace("PersistentVolume", "PersistentVolumeClaim").replace("shelf", "wish")
    claim = claim.replace("capacity: {storage: 1Gi}", "resources: {requests: {storage: 1Gi}}").replace(
        "  nfs: {server: 192.0.2.1, path: /export}\n", ""
    )
    manifests.write_text(f"{VOLUME}---{VOLUME.replace('shelf', 'small').replace('1Gi', '1Mi')}---{claim}")
    shown = pv("explain", "-f", str(manifests)).output
    assert "size: wants 1Gi, has 1Mi" in shown
    assert "takes shelf" in shown


CLAIM = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: wish}
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 1Gi}}
"""
SET = """
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: web}
spec:
  volumeClaimTemplates:
  - metadata: {name: data}
    spec:
      accessModes: [ReadWriteOnce]
      resources: {requests: {storage: 1Gi}}
"""
MISTAKEN = {
    "a claim's field": (CLAIM.replace("accessModes", "acessModes"), 6, "'acessModes'", "'accessModes'"),
    "a volume's field": (VOLUME.replace("capacity", "capacities"), 6, "'capacities'", "'capacity'"),
    "a field of a template": (SET.replace("requests:", "request:"), 10, "'request'", "'requests'"),
}


@pytest.mark.parametrize("case", MISTAKEN)
def test_explain_refuses_a_field_that_a_server_would_pass_over(case: str, tmp_path: Path) -> None:
    text, line, seen, meant = MISTAKEN[case]
    manifests = tmp_path / "all.yaml"
    manifests.write_text(text)
    exit_code, said = code("explain", "-f", str(manifests))
    assert (exit_code, "Traceback" in said) == (2, False)
    assert said.startswith(f"pvkit: {manifests}:{line}: spec")
    assert f"unknown field {seen}" in said
    assert f"did you mean {meant}?" in said


HALVES = {
    "a claim without a spec": ("kind: PersistentVolumeClaim\nmetadata: {name: wish}\n", "no 'spec'"),
    "a template without a spec": (SET.partition("    spec:")[0], "no 'spec'"),
    "a template without a name": (SET.replace("metadata: {name: data}", "metadata: {}"), "no 'name'"),
}


@pytest.mark.parametrize("case", HALVES)
def test_explain_says_what_a_manifest_lacks(case: str, tmp_path: Path) -> None:
    text, message = HALVES[case]
    manifests = tmp_path / "all.yaml"
    manifests.write_text(text)
    with pytest.raises(KitError, match=message):
        CliRunner().invoke(pvkit, ["explain", "-f", str(manifests)], standalone_mode=False, catch_exceptions=False)


@pytest.mark.parametrize("text", ["", "---\n# nothing yet\n"])
def test_explain_says_which_file_is_empty(text: str, tmp_path: Path) -> None:
    (tmp_path / "claim.yaml").write_text(CLAIM)
    (tmp_path / "empty.yaml").write_text(text)
    exit_code, said = code("explain", "-f", str(tmp_path / "claim.yaml"), "-f", str(tmp_path / "empty.yaml"))
    assert (exit_code, said.splitlines()) == (
        2,
        [f"pvkit: {tmp_path}/empty.yaml is empty; name files with claims and volumes by -f"],
    )


def test_a_file_of_settings_is_found_by_walking_up(tmp_path: Path) -> None:
    (tmp_path / "pvkit.toml").write_text('profile = "smoke"\nmax-examples = 3\n')
    (tmp_path / "deep" / "down").mkdir(parents=True)
    assert configuration(tmp_path / "deep" / "down") == {"run": {"profile": "smoke", "max_examples": 3}}


def test_a_file_of_settings_speaks_the_words_of_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.pvkit]\nreport = "json"\noutput-dir = "out"\ninclude = "PVB-001"\n')
    assert configuration(tmp_path) == {"run": {"report": "json", "output_dir": "out", "include": ["PVB-001"]}}


def test_the_environment_outweighs_the_file_and_a_flag_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pvkit.toml").write_text("max-examples = 3\n")
    monkeypatch.chdir(tmp_path)
    assert "up to 3 plans" in pv("run", "--dry-run").output
    monkeypatch.setenv("PVKIT_MAX_EXAMPLES", "4")
    assert "up to 4 plans" in pv("run", "--dry-run").output
    assert "up to 5 plans" in pv("run", "--dry-run", "--max-examples", "5").output


def test_an_unknown_setting_is_refused_with_a_suggestion(tmp_path: Path) -> None:
    (tmp_path / "pvkit.toml").write_text('profil = "smoke"\n')
    with pytest.raises(KitError, match="unknown key 'profil'; did you mean 'profile'"):
        configuration(tmp_path)


BAD_INPUT = {
    "malformed YAML": ("steps: [", "expected well-formed YAML"),
    "an unknown kind": (
        PLAN.replace("kind: PersistentVolume", "kind: PersistentVolum"),
        "did you mean 'PersistentVolume'",
    ),
    "an invalid quantity": (PLAN.replace("1Gi", "1Zi"), "'1Zi' is no quantity"),
    "a plan from another version": (PLAN.replace("pvkit/v1", "pvkit/v7"), "pvkit/v7"),
    "an unknown step": (PLAN.replace("settle", "setle"), "did you mean 'settle'"),
    "an empty file": ("", "expected"),
}


@pytest.mark.parametrize("case", BAD_INPUT)
def test_a_bad_plan_exits_with_two_and_says_where_and_what(case: str, plan: Path) -> None:
    text, message = BAD_INPUT[case]
    plan.write_text(text)
    exit_code, said = code("replay", str(plan))
    assert exit_code == 2
    assert str(plan) in said
    assert message in said
    assert "Traceback" not in said


BAD_WORDS = {
    "a file that is not there": (("replay", "nowhere.yaml"), "no file 'nowhere.yaml'"),
    "an unknown invariant": (("run", "--include", "PVB-00"), "did you mean"),
    "an unknown mutant": (("run", "--backend", "mutant:never-availabel"), "did you mean never-available"),
    "a backend that cannot be imported": (("run", "--backend", "nowhere.at:All"), "cannot be imported"),
    "a backend of half a name": (("run", "--backend", "pathlib:"), "package.module:Class"),
    "something that is no backend": (("run", "--backend", "pathlib:Path"), "it lacks reset"),
    "an unknown profile": (("run", "--profile", "huge"), "choose from smoke, default, full"),
    "an unknown version": (("run", "--kubernetes-version", "1.99"), "no rules for Kubernetes '1.99'"),
    "an unknown format": (("run", "--report", "pdf"), "unknown format 'pdf'"),
    "a value of the wrong kind": (("run", "--max-examples", "many"), "'many' is not a valid integer"),
    "a folder that cannot be written to": (("run", "-o", "/proc/nothing"), "cannot write to /proc/nothing"),
    "a trace that is not there": (("check", "nowhere.jsonl"), "cannot be read"),
    "a trace that is none": (("check", str(Path(__file__))), "expected one JSON object a line"),
    "an unknown verb": (("runn",), "No such command 'runn'"),
    "manifests without a claim": (
        ("explain", "-f", str(Path(__file__).parent / "volume.yaml")),
        "no PersistentVolumeClaim",
    ),
}


@pytest.mark.parametrize("case", BAD_WORDS)
def test_bad_words_exit_with_two_and_say_what_would_be_valid(case: str) -> None:
    words, message = BAD_WORDS[case]
    exit_code, said = code(*words)
    assert (exit_code, "Traceback" in said) == (2, False), said
    assert message in said
