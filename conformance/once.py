"""Work that several processes need and one does: the first to come makes the result, the others wait and read it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


def once(path: Path, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `make` returns, as JSON keeps it, made by whichever process comes first; the file holds it for the others.

    When `make` raises, nothing is kept, and the next process tries.
    """
    import fcntl  # Only systems that have it start several workers here, and help needs none.

    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            whole = path.with_suffix(".part")
            whole.write_text(json.dumps(make()), encoding="utf-8")
            whole.rename(path)
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return kept
