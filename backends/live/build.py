"""Building a control plane from source, once per Kubernetes version, into the user's cache folder.

The sources are one small Go module of ours that ships with the package; Kubernetes, etcd and KWOK come through the Go
module proxy. A build is keyed by version and by the digest of our sources, made in a folder of its own and moved into
place when it is whole, and a lock keeps a second one waiting.
"""

import fcntl
import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

from platformdirs import user_cache_path

from pvkit.backends.errors import UsageError

PATCHES = {"1.34": "1.34.4", "1.35": "1.35.4", "1.36": "1.36.3", "1.37": "1.37.2"}
"""The patch release that is built for each minor version."""

KWOK, PROVISIONER = "v0.8.0", "v13.0.0"
PROGRAMS = {"controlplane": ".", "kwok": "sigs.k8s.io/kwok/cmd/kwok", "provisioner": "./provisioner"}

Progress = Callable[[str, float], None]


class BuildError(UsageError):
    """The build failed or cannot start; the message names the log or what is missing."""


def cache_folder() -> Path:
    """Where builds are kept."""
    return user_cache_path("pvkit") / "controlplane"


def sources() -> dict[str, bytes]:
    """Our own Go sources and stages, by path within the module."""
    root = Path(str(files("pvkit.backends.live") / "controlplane"))
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def digest() -> str:
    """What tells one state of our sources and of the versions they use from another."""
    total = hashlib.sha256(json.dumps([KWOK, PROVISIONER]).encode())
    for path, content in sources().items():
        total.update(path.encode() + b"\0" + content)
    return total.hexdigest()[:12]


def folder_for(minor: str) -> Path:
    """The folder that holds, or will hold, the programs of a version."""
    return cache_folder() / f"{PATCHES[minor]}-{digest()}"


def is_built(minor: str) -> bool:
    """Whether nothing needs to be built for this version."""
    return all((folder_for(minor) / program).is_file() for program in PROGRAMS)


def build(minor: str, progress: Progress = lambda what, share: None) -> Path:
    """Build the programs of a Kubernetes minor version, unless they are there; returns their folder.

    Takes about ten minutes on two cores with an empty Go cache. Raises `BuildError`.
    """
    if minor not in PATCHES:
        raise BuildError(f"Kubernetes {minor} cannot be built; choose from {', '.join(PATCHES)}")
    if is_built(minor):
        return folder_for(minor)
    go = shutil.which("go")
    if go is None:
        raise BuildError("no `go` on the path; `pip install 'pvkit[cluster]'` brings it, or install Go 1.26 or newer")
    cache_folder().mkdir(parents=True, exist_ok=True)
    with _locked(cache_folder() / f"{minor}.lock"):
        if not is_built(minor):
            _build(go, minor, progress)
    return folder_for(minor)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(go: str, minor: str, progress: Progress) -> None:
    work = cache_folder() / f"{PATCHES[minor]}.partial"
    shutil.rmtree(work, ignore_errors=True)
    for path, content in sources().items():
        (work / path).parent.mkdir(parents=True, exist_ok=True)
        (work / path).write_bytes(content)
    log = cache_folder() / f"{PATCHES[minor]}.log"
    with log.open("w") as out:
        run = _Runner(work, out, log)
        progress("fetching sources", 0.0)
        (work / "go.mod").write_text(_module(go, minor, run))
        run([go, "mod", "tidy"])
        _compile(go, minor, run, progress)
    shutil.rmtree(folder_for(minor), ignore_errors=True)
    folder_for(minor).mkdir()
    for program in PROGRAMS:
        (work / "bin" / program).rename(folder_for(minor) / program)
    shutil.rmtree(work)


class _Runner:
    """Runs commands in the build folder, with their output in the log."""

    def __init__(self, folder: Path, out: object, log: Path) -> None:
        self.folder, self.out, self.log = folder, out, log

    def __call__(self, command: list[str], hear: Callable[[str], None] = lambda line: None) -> str:
        lines: list[str] = []
        process = subprocess.Popen(
            command, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=_environment()
        )
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", file=self.out, flush=True)  # type: ignore[call-overload]
            lines.append(line)
            hear(line)
        if process.wait() != 0:
            raise BuildError(f"`{' '.join(command[:3])}` failed: {lines[-1].strip() if lines else ''}; see {self.log}")
        return "".join(lines)


def _environment() -> dict[str, str]:
    import os

    return {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local"}


def _module(go: str, minor: str, run: _Runner) -> str:
    """The go.mod: Kubernetes needs a `replace` for each staging module that its own file requires at v0.0.0."""
    patch = PATCHES[minor]
    said = run([go, "mod", "download", "-json", f"k8s.io/kubernetes@v{patch}"])
    there = Path(json.loads(said[said.index("{") :])["GoMod"]).read_text()
    staging = re.findall(r"^\s+(k8s\.io/[a-z-]+) v0\.0\.0$", there, re.MULTILINE)
    language = re.search(r"^go (\S+)$", there, re.MULTILINE)
    replaces = "\n".join(f"\t{name} => {name} v0.{patch.partition('.')[2]}" for name in staging)
    return (
        f"module pvkit.dev/controlplane\n\ngo {language[1] if language else '1.26.0'}\n\nrequire (\n"
        f"\tk8s.io/kubernetes v{patch}\n\tsigs.k8s.io/kwok {KWOK}\n"
        f"\tsigs.k8s.io/sig-storage-lib-external-provisioner/v13 {PROVISIONER}\n)\n\nreplace (\n{replaces}\n)\n"
    )


def _compile(go: str, minor: str, run: _Runner, progress: Progress) -> None:
    wanted = len(run([go, "list", "-deps", *PROGRAMS.values()]).splitlines())
    done = [0]

    def hear(line: str) -> None:
        done[0] += 1
        progress(f"compiling {line.strip()}", min(done[0] / wanted, 0.99))

    for program, package in PROGRAMS.items():
        flags = ["-trimpath", "-v", "-ldflags", f"-s -w {_stamps(minor)}", "-o", f"bin/{program}"]
        run([go, "build", *flags, package], hear)


def _stamps(minor: str) -> str:
    """The version that the server tells; without it kubectl refuses its answer."""
    patch = PATCHES[minor]
    stamps = {
        "gitVersion": f"v{patch}",
        "gitMajor": "1",
        "gitMinor": minor.split(".")[1],
        "gitCommit": "0" * 40,
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
    }
    return " ".join(f"-X k8s.io/component-base/version.{name}={value}" for name, value in stamps.items())
