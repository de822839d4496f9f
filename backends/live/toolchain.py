"""Go: where it is, and commands run by it with everything they say in a log."""

import os
import re
import select
import shutil
import signal
import subprocess
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from pvkit.backends.errors import UsageError
from pvkit.backends.live.processes import tied

GO_NEEDED = (1, 26)
REMEDY = "`pip install 'pvkit[cluster]'` brings one"
HEARTBEAT_SECONDS = 1.0


class BuildError(UsageError):
    """The build failed or cannot start; the message names the log or what is missing."""


def find_go() -> str:
    """The first `go` that is new enough: the machine's on the path, else beside the running interpreter.

    The one beside the interpreter comes last even where its folder is on the path, as in an environment of tox: the
    machine's has a cache that is warm. Raises `BuildError`.
    """
    beside = sysconfig.get_path("scripts")
    path = os.pathsep.join(entry for entry in os.get_exec_path() if entry != beside)
    there = [shutil.which("go", path=path), shutil.which("go", path=beside)]
    old = []
    for go in dict.fromkeys(path for path in there if path):
        version = _version(go)
        if version >= GO_NEEDED:
            return go
        old.append(f"{go} is {'.'.join(map(str, version)) or 'no Go'}")
    needed = ".".join(map(str, GO_NEEDED))
    if old:
        raise BuildError(f"Go {needed} or newer is needed; {', '.join(old)}; {REMEDY}")
    raise BuildError(f"no Go toolchain: no `go` on the path nor beside this Python; {REMEDY} (Go {needed} or newer)")


def _version(go: str) -> tuple[int, ...]:
    try:
        said = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, timeout=60).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ()
    found = re.match(r"go(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else ()


class Commands:
    """Runs commands in one folder; the log holds what they say. `tick` is called at least each second."""

    def __init__(self, folder: Path, log: IO[str], tick: Callable[[], None]) -> None:
        self.folder, self.log, self.tick = folder, log, tick

    def __call__(self, command: list[str], hear: Callable[[str], None] = lambda line: None) -> str:
        """Everything that the command said; `hear` gets each line at once. Raises `BuildError` when it fails."""
        print("$", *command, file=self.log, flush=True)
        process = subprocess.Popen(
            tied(command),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=_environment(),
            process_group=0,
        )
        said = []
        try:
            for line in self._lines(process):
                print(line, file=self.log, flush=True)
                said.append(line)
                hear(line)
            code = process.wait()
        finally:
            self._end(process)
        if code != 0:
            last = next((line for line in reversed(said) if line.strip()), "")
            raise BuildError(f"`{' '.join(['go', *command[1:3]])}` failed: {last.strip()}; see {self.log.name}")
        return "\n".join(said)

    def _lines(self, process: "subprocess.Popen[bytes]") -> Iterator[str]:
        assert process.stdout is not None
        source, rest = process.stdout.fileno(), b""
        while True:
            if not select.select([source], [], [], HEARTBEAT_SECONDS)[0]:
                self.tick()
                continue
            chunk = os.read(source, 65536)
            if not chunk:
                break
            *lines, rest = (rest + chunk).split(b"\n")
            yield from (line.decode(errors="replace") for line in lines)
        if rest:
            yield rest.decode(errors="replace")

    def _end(self, process: "subprocess.Popen[bytes]") -> None:
        """Leave no compiler behind, whatever interrupted us."""
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        assert process.stdout is not None
        process.stdout.close()


def _environment() -> dict[str, str]:
    """Ours, but for what would build something else than our sources for this machine."""
    unwanted = ("GOFLAGS", "GOWORK", "GOOS", "GOARCH", "GO111MODULE")
    kept = {name: value for name, value in os.environ.items() if name not in unwanted}
    return {**kept, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": "-buildvcs=false"}
