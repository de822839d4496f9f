"""`pvkit cluster`: what people type, what they get back, how it exits. Nothing real is started."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pvkit.backends.errors import UsageError
from pvkit.backends.live.health import Component, Status
from pvkit.conformance.build_progress import BuildProgress, words
from pvkit.conformance.cli import pvkit
from pvkit.conformance.commands.cluster import HOSTNAME, node_of, record, text_of
from tests.backends.live.programs_for_tests import FOUR, folder_of, program

ONE = Status(
    "one",
    "1.36.3",
    "1.33",
    "the build cache",
    "https://127.0.0.1:7000",
    "/some where/kubeconfig",
    (
        Component("etcd", "healthy", 11, 100 << 20, ("127.0.0.1:7001", "127.0.0.1:7002")),
        Component("kube-scheduler", "running", 12, 20 << 20, ()),
    ),
)


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No cluster, no build and no program of whoever runs the tests."""
    monkeypatch.setenv("PVKIT_CLUSTERS", str(tmp_path / "clusters"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "nothing-here"))
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path / "nothing-here"))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.delenv("PVKIT_BINARIES", raising=False)


def cluster(*words: str) -> Result:
    return CliRunner().invoke(pvkit, ["cluster", *words], standalone_mode=False)


def said(*words: str) -> tuple[int, str]:
    """Exit code and standard error of the program."""
    with program("cluster", *words) as running:
        error = running.communicate()[1]
    return running.returncode, error


def test_an_unknown_name_cannot_be_ended_nor_looked_at() -> None:
    for part in ("down", "status"):
        code, error = said(part, "--name", "nobody")
        assert (code, error) == (2, "pvkit: no cluster 'nobody' is up; running: none\n")


def test_no_cluster_is_no_error() -> None:
    shown = cluster("status")
    assert (shown.return_value, shown.output) == (0, "no cluster is up; `pvkit cluster up` starts one\n")
    assert json.loads(cluster("status", "--json").output) == []


BAD_WORDS = {
    "an unknown version": (("up", "--kubernetes-version", "1.99"), "no control plane for Kubernetes '1.99'; choose"),
    "a name that is none": (("up", "--name", "A b", "--binaries", "{whole}"), "'A b' is no name for a cluster"),
    "a node without a value": (("up", "--node", "n1,zone"), "--node 'n1,zone': write NAME,KEY=VALUE"),
    "fewer nodes than none": (("up", "--nodes", "-1"), "-1 is not in the range x>=0"),
    "a folder that is not there": (("up", "--binaries", "nowhere"), "no folder 'nowhere'"),
    "a folder that lacks two": (("up", "--binaries", "{envtest}"), "lacks kube-controller-manager and kube-scheduler"),
    "a version out of reach": (
        ("up", "--binaries", "{whole}", "--kubernetes-version", "1.32"),
        "are Kubernetes 1.36.3 and cannot emulate 1.32",
    ),
}


@pytest.mark.parametrize("case", BAD_WORDS)
def test_bad_words_exit_with_two_and_say_what_would_be_valid(case: str, tmp_path: Path) -> None:
    arguments, message = BAD_WORDS[case]
    folder_of(tmp_path / "envtest", "etcd", "kube-apiserver")
    folder_of(tmp_path / "whole", *FOUR, "kwok")
    places = {"whole": tmp_path / "whole", "envtest": tmp_path / "envtest"}
    code, error = said(*(word.format(**places) for word in arguments))
    assert (code, "Traceback" in error) == (2, False), error
    assert message in error


def test_without_go_a_build_exits_with_two_and_names_the_extra() -> None:
    with pytest.raises(UsageError, match=r"no Go toolchain: .*`pip install 'pvkit\[cluster\]'` brings one"):
        CliRunner().invoke(pvkit, ["cluster", "build"], standalone_mode=False, catch_exceptions=False)


def test_what_is_there_is_not_built_and_emulation_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PVKIT_BINARIES", str(folder_of(tmp_path / "whole", *FOUR, "kwok", "provisioner")))
    shown = cluster("build", "--kubernetes-version", "1.33")
    assert shown.return_value == 0
    assert shown.stdout == f"Kubernetes 1.36.3: {tmp_path}/whole/kube-apiserver ({tmp_path}/whole)\n"
    assert "Kubernetes 1.36.3 emulates 1.33" in shown.stderr


def test_a_node_has_its_labels_and_its_hostname() -> None:
    assert node_of("n1,zone=a,rack=") == {
        "metadata": {"name": "n1", "labels": {HOSTNAME: "n1", "zone": "a", "rack": ""}}
    }
    with pytest.raises(UsageError, match="write NAME,KEY=VALUE"):
        node_of(",zone=a")


def test_a_status_reads_as_a_table_with_versions_memory_and_ports() -> None:
    head, etcd, scheduler, export = text_of(ONE).splitlines()
    assert head.split("  ") == [
        "one",
        "Kubernetes 1.36.3 emulating 1.33 from the build cache",
        "https://127.0.0.1:7000",
        "120 MiB",
    ]
    assert etcd.split() == ["etcd", "healthy", "100", "MiB", "11", "127.0.0.1:7001,", "127.0.0.1:7002"]
    assert scheduler.split() == ["kube-scheduler", "running", "20", "MiB", "12"]
    assert export.strip() == "export KUBECONFIG='/some where/kubeconfig'"


def test_a_status_for_machines_says_the_same() -> None:
    told = json.loads(json.dumps(record(ONE)))
    assert (told["healthy"], told["memory"], told["kubernetes"]) == (True, 120 << 20, "1.36.3")
    assert told["components"][0]["listens"] == ["127.0.0.1:7001", "127.0.0.1:7002"]


def test_help_imports_neither_the_live_backend_nor_what_is_heavy() -> None:
    code = (
        "import sys\nfrom pvkit.conformance.cli import pvkit\n"
        "try:\n    pvkit(['cluster', 'up', '--help'])\nexcept SystemExit:\n    pass\n"
        "print([name for name in sys.modules if name in ('kubernetes', 'rich', 'hypothesis', 'yaml') or '.live' in name])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": ":".join(sys.path)}
    )
    assert done.stdout.splitlines()[-1] == "[]"


class Clock:
    """Hands out the time that a test says it is."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr("pvkit.conformance.build_progress.monotonic", lambda: self.now)


def test_progress_tells_the_time_the_share_and_a_guess_of_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, stream = Clock(monkeypatch), io.StringIO()
    progress = BuildProgress(stream=stream)
    progress("fetching", 0.0)
    clock.now += 20
    progress("looking", 0.0)
    clock.now += 60
    progress("compiling", 0.25)
    clock.now += 1
    progress("compiling more", 0.26)
    progress.end()
    assert stream.getvalue().splitlines() == [
        "0 s  fetching",
        "20 s  looking",
        "1 min 20 s  compiling, 25%, about 3 min 0 s left",
    ]


def test_progress_that_is_not_wanted_is_silent() -> None:
    stream = io.StringIO()
    BuildProgress(quiet=True, stream=stream)("compiling", 0.5)
    assert stream.getvalue() == ""


def test_times_read_as_people_say_them() -> None:
    assert [words(seconds) for seconds in (0.4, 59.4, 200)] == ["0 s", "59 s", "3 min 20 s"]
