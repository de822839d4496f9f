"""Building a control plane from source, once per Kubernetes version, into the user's cache folder.

Each module is made in a folder of its own and renamed into place when it is whole, and a lock keeps a second build of
the same waiting. What the toolchain says is kept in a log beside it.
"""

import fcntl
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep

from pvkit.backends.live.modules import FLAGS, PATCHES, Module, cache_folder, control_plane, nodes, source, stamps
from pvkit.backends.live.toolchain import BuildError, Commands, find_go

PACKAGE_WEIGHT, LINK_WEIGHT = 20_000, 2_000_000
"""What beginning with a package and linking a program count as, in bytes of source: 100,000 take a second."""

Progress = Callable[[str, float], None]
"""Told at least once a second what is being done, and the share of the work that is done, from 0 to 1."""


def build(minor: str, progress: Progress = lambda what, share: None) -> None:
    """Build what a Kubernetes minor version needs, unless it is there. Raises `BuildError`.

    Takes about ten minutes on two cores with an empty Go cache, half a minute with a warm one.
    """
    if minor not in PATCHES:
        raise BuildError(f"Kubernetes {minor} cannot be built; choose from {', '.join(PATCHES)}")
    for module in (control_plane(minor), nodes()):
        if not module.is_built():
            _build_once(module, progress)


def _build_once(module: Module, progress: Progress) -> None:
    go = find_go()
    cache_folder().mkdir(parents=True, exist_ok=True)
    with _locked(cache_folder() / f"{module.name}-{module.version}.lock", progress):
        if not module.is_built():
            _build(go, module, progress)


@contextmanager
def _locked(path: Path, progress: Progress) -> Iterator[None]:
    """Hold a lock that ends with the process that holds it, however it ends."""
    with path.open("a+") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                progress(f"waiting for the build of process {path.read_text() or '?'}", 0.0)
                sleep(0.2)
        lock.truncate(0)
        print(os.getpid(), end="", file=lock, flush=True)
        yield


def _build(go: str, module: Module, progress: Progress) -> None:
    """Build in a folder beside, which is renamed at the end; what an earlier build left there is thrown away."""
    work = cache_folder() / f"{module.name}-{module.version}.partial"
    shutil.rmtree(work, ignore_errors=True)
    for path in module.sources:
        (work / path).parent.mkdir(parents=True, exist_ok=True)
        (work / path).write_bytes(source(path))
    try:
        with module.log.open("w") as log:
            _Build(go, module, Commands(work, log, lambda: None), progress).run()
        shutil.rmtree(module.folder, ignore_errors=True)
        (work / "bin").rename(module.folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


class _Build:
    """The steps of one build, and how far it is."""

    def __init__(self, go: str, module: Module, commands: Commands, progress: Progress) -> None:
        self.go, self.module, self.commands, self.progress = go, module, commands, progress
        self.what, self.share = "", 0.0
        commands.tick = self.tick

    def tick(self) -> None:
        """Say again what is being done: it takes its time."""
        self.progress(f"{self.module.name} {self.module.version}: {self.what}", self.share)

    def say(self, what: str, share: float = 0.0) -> None:
        """Say that something else is being done."""
        self.what, self.share = what, share
        self.tick()

    def run(self) -> None:
        """Fetch, count, compile, link."""
        self.say("fetching sources")
        (self.commands.folder / "go.mod").write_text(self.module_file())
        self.commands([self.go, "mod", "tidy"], self.hear_download)
        weights = self.weights()
        self.compile(weights)

    def hear_download(self, line: str) -> None:
        """A line of the toolchain while it fetches."""
        if line.startswith("go: downloading "):
            self.say(f"fetching {line.removeprefix('go: downloading ')}")

    def module_file(self) -> str:
        """The go.mod. Kubernetes needs a `replace` for each staging module that its own file requires at v0.0.0."""
        name, _, version = self.module.requires[0].partition(" ")
        said = self.commands([self.go, "mod", "download", "-json", f"{name}@{version}"], self.hear_download)
        there = Path(json.loads(said[said.index("{") :])["GoMod"]).read_text()
        staging = re.findall(r"^\s+(k8s\.io/[a-z-]+) v0\.0\.0$", there, re.MULTILINE)
        language = re.search(r"^go (\S+)$", there, re.MULTILINE)
        replaces = "".join(f"replace {path} => {path} v0.{version.partition('.')[2]}\n" for path in staging)
        requires = "".join(f"require {path}\n" for path in self.module.requires)
        go = language[1] if language else "1.26.0"
        return f"module pvkit.dev/{self.module.name}\n\ngo {go}\n\n{requires}\n{replaces}"

    def weights(self) -> dict[str, int]:
        """The packages that have to be compiled, with what each counts as."""
        self.say("looking for what is compiled already")
        form = '{{if .Stale}}{{.ImportPath}}\t{{.Dir}}\t{{join .GoFiles "\t"}}{{end}}'
        said = self.commands(
            [self.go, "list", "-deps", "-trimpath", "-f", form, *self.module.programs.values()], self.hear_download
        )
        rows = [line.split("\t") for line in said.splitlines() if line.count("\t") >= 2]
        return {row[0]: PACKAGE_WEIGHT + sum(_size(Path(row[1]) / name) for name in row[2:]) for row in rows}

    def compile(self, weights: dict[str, int]) -> None:
        """Compile and link all programs; the toolchain names each package that it begins with."""
        links = LINK_WEIGHT * len(self.module.programs)
        total, left = sum(weights.values()) + links, set(weights)

        def hear(line: str) -> None:
            if line in left:
                left.discard(line)
                done = total - links - sum(weights[package] for package in left)
                what = f"compiling {len(weights) - len(left)} of {len(weights)} packages" if left else "linking"
                self.say(what, done / total)

        (self.commands.folder / "bin").mkdir()
        for program, package in self.module.programs.items():
            flags = [*FLAGS, "-ldflags", f"-s -w {stamps(self.module)}".strip(), "-o", f"bin/{program}"]
            self.commands([self.go, "build", *flags, package], hear)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
