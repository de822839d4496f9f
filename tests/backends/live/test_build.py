"""Building: whole or not at all, once, with progress and a log; a script stands in for Go."""

import json
import os
from pathlib import Path

import pytest

from pvkit.backends.live.build import build
from pvkit.backends.live.modules import control_plane, is_built, nodes
from pvkit.backends.live.processes import words_of
from pvkit.backends.live.toolchain import BuildError, find_go
from tests.backends.live.programs_for_tests import gone, program, script, until

KUBERNETES_MODULE = """
module k8s.io/kubernetes

go 1.26.0

require (
	k8s.io/api v0.0.0
	k8s.io/utils v0.0.0-20260210185600-b8788abfbbc2
	k8s.io/component-base v0.0.0
)
"""
GO = """
import json, os, pathlib, stat, sys
here = pathlib.Path(__file__).parent
words = sys.argv[1:]
with (here / "calls").open("a") as calls:
    calls.write(" ".join(words) + "\\n")
verb = " ".join(words[:2]) if words[0] == "mod" else words[0]
if (here / "stop-at").exists() and (here / "stop-at").read_text() == verb:
    (here / "process").write_text(str(os.getpid()))
    (here / "gate").open().read()
if (here / "fail-at").exists() and (here / "fail-at").read_text() == verb:
    print("k8s.io/api@v0.36.3: no such host"); sys.exit(1)
if verb == "env":
    print((here / "version").read_text() if (here / "version").exists() else "go1.26.8")
elif verb == "mod download":
    print("go: downloading", words[-1].replace("@", " "))
    print(json.dumps({"GoMod": str(here / "kubernetes.mod")}))
elif verb == "list":
    for package in ("fmt", "k8s.io/api", "main"):
        print(package, here, "go", sep="\\t")
elif verb == "build":
    print("fmt", "k8s.io/api", "main", sep="\\n")
    made = pathlib.Path(words[words.index("-o") + 1])
    made.write_text(f"#!{sys.executable} -S\\nprint('Kubernetes v1.36.3')")
    made.chmod(0o755)
"""


@pytest.fixture
def go(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a `go` that notes how it is called, and stops or fails where it is told to."""
    folder = script(tmp_path / "go" / "go", GO).parent
    (folder / "kubernetes.mod").write_text(KUBERNETES_MODULE)
    os.mkfifo(folder / "gate")
    monkeypatch.setenv("PATH", str(folder))
    return folder


def calls(go: Path, verb: str) -> list[str]:
    return [line for line in (go / "calls").read_text().splitlines() if line.startswith(verb)]


def test_all_programs_are_built_and_nothing_else_is_left(go: Path, cache: Path) -> None:
    build("1.36")
    assert is_built("1.36")
    assert [path.name for path in cache.glob("*.partial")] == []
    assert {path.name for path in control_plane("1.36").folder.iterdir()} == {"controlplane"}
    assert {path.name for path in nodes().folder.iterdir()} == {"kwok", "provisioner"}


def test_what_is_built_is_not_built_again(go: Path, cache: Path) -> None:
    build("1.36")
    before = len(calls(go, "build"))
    build("1.36")
    assert (before, len(calls(go, "build"))) == (3, 3)


def test_another_version_shares_the_programs_that_play_nodes(go: Path, cache: Path) -> None:
    build("1.36")
    build("1.35")
    assert len(calls(go, "build")) == 4


def test_every_staging_module_is_replaced_and_no_other(go: Path, cache: Path) -> None:
    (go / "stop-at").write_text("mod tidy")
    running = program("cluster", "build")
    written = cache / f"kubernetes-{control_plane('1.36').version}.partial" / "go.mod"
    until((go / "process").exists, "the module is written")
    said = written.read_text()
    (go / "stop-at").unlink()
    (go / "gate").write_text("go on")
    running.communicate()
    assert "replace k8s.io/api => k8s.io/api v0.36.3\n" in said
    assert "replace k8s.io/component-base => k8s.io/component-base v0.36.3\n" in said
    assert "k8s.io/utils" not in said
    assert "require k8s.io/kubernetes v1.36.3\n" in said
    assert "go 1.26.0\n" in said


def test_progress_grows_names_what_is_done_and_stays_below_the_whole(go: Path, cache: Path) -> None:
    told: list[tuple[str, float]] = []
    build("1.36", lambda what, share: told.append((what, share)))
    shares = [share for what, share in told if what.startswith("kubernetes")]
    assert shares == sorted(shares)
    assert 0.0 < shares[-1] < 1.0
    assert any("compiling 1 of 3 packages" in what for what, _ in told)
    assert any("fetching k8s.io/kubernetes v1.36.3" in what for what, _ in told)


@pytest.mark.parametrize("verb", ["mod download", "mod tidy", "list", "build"])
def test_a_failure_names_the_step_its_last_words_and_the_log_and_leaves_nothing(
    verb: str, go: Path, cache: Path
) -> None:
    (go / "fail-at").write_text(verb)
    with pytest.raises(BuildError) as failure:
        build("1.36")
    log = control_plane("1.36").log
    assert f"`go {verb}" in str(failure.value)
    assert f"no such host; see {log}" in str(failure.value)
    assert "no such host" in log.read_text()
    assert {path.name for path in cache.iterdir()} == {log.name, f"{log.stem}.lock"}


def test_a_second_build_waits_for_the_first_and_builds_nothing(go: Path, cache: Path) -> None:
    (go / "stop-at").write_text("build")
    first = program("cluster", "build")
    until((go / "process").exists, "the first build compiles")
    told: list[str] = []

    def hear(what: str, share: float) -> None:
        told.append(what)
        if (go / "stop-at").exists():
            (go / "stop-at").unlink()
            (go / "gate").write_text("go on")

    build("1.36", hear)
    first.communicate()
    assert (told[0], first.returncode) == (f"waiting for the build of process {first.pid}", 0)
    assert len(calls(go, "build")) == 3


def test_an_interrupted_build_leaves_neither_a_compiler_nor_half_a_build(go: Path, cache: Path) -> None:
    (go / "stop-at").write_text("build")

    def interrupt(what: str, share: float) -> None:
        if (go / "process").exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build("1.36", interrupt)
    assert words_of(int((go / "process").read_text())) == []
    assert not is_built("1.36")
    assert list(cache.glob("*.partial")) == []


def test_a_killed_build_takes_its_compiler_along_and_the_next_one_starts_afresh(go: Path, cache: Path) -> None:
    (go / "stop-at").write_text("build")
    running = program("cluster", "build")
    until(lambda: (go / "process").exists() and (go / "process").read_text(), "it compiles")
    compiler = int((go / "process").read_text())
    running.kill()
    running.communicate()
    assert gone(compiler)
    (go / "stop-at").unlink()
    build("1.36")
    assert is_built("1.36")
    assert list(cache.glob("*.partial")) == []


def test_the_toolchain_sees_no_settings_that_would_build_something_else(
    go: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOFLAGS", "-mod=vendor")
    monkeypatch.setenv("GOOS", "plan9")
    script(go / "go", GO + "\nimport os; json.dump(dict(os.environ), (here / 'environment').open('w'))")
    build("1.36")
    seen = json.loads((go / "environment").read_text())
    assert (seen["GOFLAGS"], seen["CGO_ENABLED"], seen["GOTOOLCHAIN"]) == ("-buildvcs=false", "0", "local")
    assert "GOOS" not in seen


def test_without_go_the_extra_is_named(cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path))
    with pytest.raises(BuildError, match=r"no Go toolchain: .*`pip install 'pvkit\[cluster\]'` brings one"):
        build("1.36")


def test_go_beside_the_interpreter_serves_where_none_or_an_old_one_is_on_the_path(
    go: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    beside = script(tmp_path / "scripts" / "go", "print('go1.27.3')")
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(beside.parent))
    assert find_go() == str(go / "go")
    monkeypatch.setenv("PATH", f"{beside.parent}{os.pathsep}{go}")
    assert find_go() == str(go / "go")
    (go / "version").write_text("go1.22.1")
    assert find_go() == str(beside)
    (go / "go").unlink()
    assert find_go() == str(beside)


def test_a_go_that_is_too_old_is_named(go: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (go / "version").write_text("go1.22.1")
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path))
    with pytest.raises(BuildError, match=r"Go 1\.26 or newer is needed; .* is 1\.22; `pip install"):
        find_go()


def test_the_lock_is_free_after_a_failure(go: Path, cache: Path) -> None:
    (go / "fail-at").write_text("build")
    with pytest.raises(BuildError):
        build("1.36")
    (go / "fail-at").unlink()
    build("1.36")
    assert is_built("1.36")
