"""The process that owns the components of one cluster: `python -m pvkit.backends.live.supervisor FOLDER`.

It reads the command lines from `cluster.json`, starts each in turn, and ends all of them when it is told to
(SIGTERM), when whoever started it goes away before saying that all is well (end of file on standard input), and, by
the kernel's help, when it is killed itself. So nothing runs on by accident.
"""

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

GRACE_SECONDS = 20
_PARENT_DEATH = 1  # PR_SET_PDEATHSIG in linux/prctl.h


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PARENT_DEATH, signal.SIGKILL)


class Supervisor:
    """Starts and ends the components."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.commands: dict[str, list[str]] = json.loads((folder / "cluster.json").read_text())["commands"]
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, component: str) -> None:
        """Start one component, with its output in a log of its own; note its process id in a file."""
        with (self.folder / f"{component}.log").open("ab") as log:
            process = subprocess.Popen(
                self.commands[component],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_die_with_parent,
            )
        self.running[component] = process
        (self.folder / f"{component}.pid").write_text(str(process.pid))

    def obey(self, orders: str) -> bool:
        """Carry out orders, `start COMPONENT` or `keep` a line; returns whether the cluster is to be kept."""
        for word, *names in (line.split() for line in orders.splitlines() if line.strip()):
            if word == "keep":
                return True
            self.start(names[0])
        return False

    def revive(self) -> None:
        """Start again what was killed, once somebody asks by a file `COMPONENT.start`."""
        for request in self.folder.glob("*.start"):
            component = request.stem
            if self.running[component].poll() is not None:
                self.start(component)
                request.unlink()

    def stop(self) -> None:
        """End all components, the API server before etcd, and wait until they are gone."""
        for component in reversed(self.running):
            process = self.running[component]
            process.send_signal(signal.SIGCONT)
            process.terminate()
            try:
                process.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def main() -> None:
    """Obey until told to keep the cluster, then wait for the end."""
    wake, woken = os.pipe()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: os.write(woken, b"x"))
    supervisor = Supervisor(Path(sys.argv[1]))
    orders, kept = sys.stdin.fileno(), False
    try:
        while True:
            ready, _, _ = select.select([wake] if kept else [wake, orders], [], [], 0.2)
            if wake in ready:
                return
            if orders in ready:
                words = os.read(orders, 65536)
                if not words:
                    return
                kept = supervisor.obey(words.decode())
            supervisor.revive()
    finally:
        supervisor.stop()


if __name__ == "__main__":
    main()
