"""Operations: what the binder does beside its queues, one at a time for each object (RECLAIM-14).

Deletion, recycling and provisioning are keys of their own. What one pass over such a key notes for its later steps is
in `Seen.scratch`: the object as it was at the start, and how far the operation has come. An operation that failed is
not begun again before its back-off is over, whoever asks; nothing but the next look at its object asks again.
"""

from typing import Any

from pvkit.backends.objects import Key, Obj, uid
from pvkit.backends.reference.view import Seen

FIRST, LONGEST = 0.5, 122.0
"""Seconds of back-off: 500 ms, doubling up to 2 min 2 s (RECLAIM-08)."""


def notes(seen: Seen, at: Key) -> dict[str, Any]:
    """What the operation under way has noted."""
    return seen.scratch.setdefault(at.kind, {})


def subject(seen: Seen, at: Key) -> Obj | None:
    """The volume of the operation as it was when that began; `None` if there was none, or the operation is over."""
    found = notes(seen, at)
    if "subject" not in found:
        found["subject"] = seen.get("PersistentVolume", "", at.name)
    volume: Obj | None = None if "over" in found else found["subject"]
    return volume


def end(seen: Seen, at: Key) -> None:
    """Nothing is left to do in this operation, except what was just decided."""
    notes(seen, at)["over"] = True


def _failures(seen: Seen) -> dict[tuple[Key, str], tuple[float, float]]:
    found: dict[tuple[Key, str], tuple[float, float]] = seen.memory.setdefault("failed operations", {})
    return found


def is_postponed(seen: Seen, at: Key, obj: Obj) -> bool:
    """Whether the last operation of this name failed and its back-off is not over."""
    until, _ = _failures(seen).get((at, uid(obj)), (0.0, 0.0))
    return seen.now < until


def has_failed(seen: Seen, at: Key, obj: Obj) -> None:
    """Note a failure: each one doubles the time before the next try."""
    _, last = _failures(seen).get((at, uid(obj)), (0.0, 0.0))
    wait = min(2 * last, LONGEST) if last else FIRST
    _failures(seen)[at, uid(obj)] = seen.now + wait, wait


def has_succeeded(seen: Seen, at: Key, obj: Obj) -> None:
    """Note a success: failures before it are forgotten."""
    _failures(seen).pop((at, uid(obj)), None)
