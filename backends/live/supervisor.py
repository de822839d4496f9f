"""The process that owns the components of one cluster: `python -m pvkit.backends.live.supervisor FOLDER`.

It reads the command lines from `cluster.json`, starts each when told to, and ends all of them when it is told to
(SIGTERM), when whoever started it goes away before saying that all is well (end of file on standard input), and, by
the kernel's help, when it is killed itself. So nothing runs on by accident. A cluster that nobody said to keep leaves
no folder either.
"""

import json
import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from pvkit.backends.live.processes import tied

OWN_NAME = "supervisor"
REVIVE_SECONDS = 0.2


class Supervisor:
    """Starts and ends the components. `COMPONENT.pid` tells the process, `COMPONENT.exit` how it ended by itself."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.commands: dict[str, list[str]] = json.loads((folder / "cluster.json").read_text())["commands"]
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        _note(folder / f"{OWN_NAME}.pid", os.getpid())

    def start(self, component: str) -> None:
        """Start one component, with its output in a log of its own; note its process id in a file."""
        with (self.folder / f"{component}.log").open("ab") as log:
            process = subprocess.Popen(
                tied(self.commands[component]), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.running[component] = process
        (self.folder / f"{component}.exit").unlink(missing_ok=True)
        _note(self.folder / f"{component}.pid", process.pid)

    def obey(self, orders: str) -> bool:
        """Carry out orders, `start COMPONENT` or `keep` a line; returns whether the cluster is to be kept."""
        kept = False
        for word, *names in (line.split() for line in orders.splitlines() if line.strip()):
            if word == "keep":
                kept = True
            else:
                self.start(names[0])
        return kept

    def look(self) -> None:
        """Note which components ended by themselves."""
        for component, process in self.running.items():
            told = self.folder / f"{component}.exit"
            if process.poll() is not None and not told.exists():
                _note(told, process.returncode)

    def revive(self) -> None:
        """Start again what has ended, once somebody asks by a file `COMPONENT.start`."""
        for request in self.folder.glob("*.start"):
            process = self.running.get(request.stem)
            if process is not None and process.poll() is not None:
                self.start(request.stem)
                request.unlink()

    def stop(self) -> None:
        """End all components at once, for what they hold is thrown away, and wait until they are gone."""
        for process in self.running.values():
            process.kill()
        for process in self.running.values():
            process.wait()


def _note(path: Path, number: int) -> None:
    """Write a small file that readers see whole or not at all."""
    beside = path.with_name(f".{path.name}")
    beside.write_text(str(number))
    beside.replace(path)


def main() -> None:
    """Obey until told to keep the cluster, then wait for the end."""
    wake, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    ends = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    for number in (*ends, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    supervisor = Supervisor(Path(sys.argv[1]))
    orders, kept = sys.stdin.fileno(), False
    try:
        while True:
            ready, _, _ = select.select([wake] if kept else [wake, orders], [], [], REVIVE_SECONDS)
            if wake in ready and set(os.read(wake, 4096)) & set(ends):
                return
            if orders in ready:
                words = os.read(orders, 65536)
                if not words:
                    return
                kept = supervisor.obey(words.decode())
            supervisor.look()
            supervisor.revive()
    finally:
        supervisor.stop()
        if not kept:
            shutil.rmtree(supervisor.folder, ignore_errors=True)


if __name__ == "__main__":
    main()
