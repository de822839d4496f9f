"""What the kernel says of a process, read from /proc.

Nothing here trusts a process id alone: ids are given again, so a process is ours only if its command line says so.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

_LISTENING = "0A"  # TCP_LISTEN in the kernel's net/tcp_states.h
_TIE = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG in linux/prctl.h
if os.getppid() == int(sys.argv[1]):
    try:
        os.execvp(sys.argv[2], sys.argv[2:])
    except OSError as error:
        sys.exit(f"{sys.argv[2]}: {error}")
"""


def tied(command: list[str]) -> list[str]:
    """The command, started so that the kernel kills it when this process ends, however this process ends.

    A short program does so and then becomes the command: what runs between fork and exec must not be Python where there
    are threads.
    """
    return [sys.executable, "-I", "-S", "-c", _TIE, str(os.getpid()), *command]


def words_of(process: int) -> list[str]:
    """The command line; [] when there is no such process, or it has ended and only waits to be noticed."""
    try:
        return Path(f"/proc/{process}/cmdline").read_text(errors="replace").split("\0")[:-1]
    except OSError:
        return []


def is_running(process: int, command: list[str]) -> bool:
    """Whether that process runs this command; a script's interpreter may stand in front of it."""
    return process > 0 and bool(command) and words_of(process)[-len(command) :] == command


def is_stopped(process: int) -> bool:
    """Whether it was stopped by a signal (a pause) and not continued."""
    try:
        return Path(f"/proc/{process}/stat").read_text(errors="replace").rpartition(")")[2].split()[0] == "T"
    except OSError:
        return False


def memory_of(process: int) -> int:
    """Resident memory in bytes; 0 when there is no such process."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def listens_on(process: int) -> list[str]:
    """The TCP addresses that a process listens on, as `127.0.0.1:6443`; other users' processes show nothing."""
    own = set(_sockets(process))
    found = [
        _address(local)
        for table in ("tcp", "tcp6")
        for local, state, inode in _entries(Path(f"/proc/{process}/net/{table}"))
        if state == _LISTENING and inode in own
    ]
    return sorted(found)


def _sockets(process: int) -> Iterator[str]:
    try:
        numbers = os.listdir(f"/proc/{process}/fd")
    except OSError:
        return
    for number in numbers:
        with suppress(OSError):
            link = os.readlink(f"/proc/{process}/fd/{number}")
            if link.startswith("socket:["):
                yield link[8:-1]


def _entries(table: Path) -> Iterator[tuple[str, str, str]]:
    """Local address, state and inode of each line."""
    try:
        lines = table.read_text().splitlines()[1:]
    except OSError:
        return
    for line in lines:
        fields = line.split()
        yield fields[1], fields[3], fields[9]


def _address(local: str) -> str:
    """`0100007F:192B` as 127.0.0.1:6443: the address in words of the machine's byte order, the port in hexadecimal."""
    packed, port = local.split(":")
    words = [bytes.fromhex(packed[at : at + 8]) for at in range(0, len(packed), 8)]
    raw = b"".join(word[::-1] if sys.byteorder == "little" else word for word in words)
    if len(raw) == 4:
        return f"{'.'.join(map(str, raw))}:{int(port, 16)}"
    import ipaddress

    return f"[{ipaddress.IPv6Address(raw)}]:{int(port, 16)}"


def end(processes: dict[int, list[str]], seconds: float, wait: Callable[[float], None]) -> list[int]:
    """Kill those of these processes that still run their command; returns those that are not gone in that time."""
    for process, command in processes.items():
        with suppress(ProcessLookupError):
            if is_running(process, command):
                os.kill(process, signal.SIGKILL)
    left = seconds
    while alive := [process for process, command in processes.items() if is_running(process, command)]:
        if left <= 0:
            return alive
        wait(0.02)
        left -= 0.02
    return []
