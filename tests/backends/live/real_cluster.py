"""Real control planes for tests: the programs of `PVKIT_BINARIES`, or of the build cache."""

import os
from pathlib import Path
from typing import Any

import pytest

from pvkit.backends.live.components import Layout
from pvkit.backends.live.programs import Programs, built, in_folder
from pvkit.backends.live.requests import request
from pvkit.backends.protocol import DEFAULT_KUBERNETES
from tests.backends.live.programs_for_tests import until

PODS = "/api/v1/namespaces/default/pods"
CLAIMS = "/api/v1/namespaces/default/persistentvolumeclaims"


def real_programs() -> Programs:
    """The programs that these tests start; fails with what to do when there are none."""
    named = os.environ.get("PVKIT_BINARIES")
    found = in_folder(Path(named), named) if named else built(DEFAULT_KUBERNETES)
    if found is None:
        pytest.fail("no programs to start: run `pvkit cluster build`, or set PVKIT_BINARIES")
    return found


def node(name: str, **labels: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **labels}}}


def get(cluster: Layout, path: str) -> dict[str, Any]:
    """An object; {} while there is none."""
    try:
        found: dict[str, Any] = request(cluster, "GET", path)
    except OSError as error:
        if getattr(error, "code", 0) != 404:
            raise
        return {}
    return found


def comes_to_be(cluster: Layout, path: str, *at: str, value: Any) -> dict[str, Any]:
    """The object, once the field has that value."""

    def field() -> Any:
        tree: Any = get(cluster, path)
        for name in at:
            tree = (tree or {}).get(name)
        return tree

    until(lambda: field() == value, f"{path} {'.'.join(at)} is {value!r}")
    return get(cluster, path)


def with_words(folder: Path) -> list[int]:
    """Every process on this machine whose command line names a folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if str(folder).encode() in words and int(entry.name) != os.getpid():
            found.append(int(entry.name))
    return found


def listening(process: int) -> list[tuple[str, int]]:
    """Address (hexadecimal, as the kernel prints it) and port of each socket that a process listens on."""
    inodes = set()
    for entry in Path(f"/proc/{process}/fd").iterdir():
        try:
            inodes.add(os.readlink(entry))
        except OSError:
            continue
    rows = [
        line.split() for table in ("tcp", "tcp6") for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    ]
    mine = [row[1].split(":") for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in inodes]
    return [(address, int(port, 16)) for address, port in mine]
