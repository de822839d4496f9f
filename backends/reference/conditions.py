"""Conditions of pods and nodes, and the patches of a status by which components write them.

A component patches only its own part of a status, by the UID of the object that it means. So the write is made on what
is stored, whatever the writer's cache shows, and nobody's patch takes back another's.
"""

from collections.abc import Callable

from pvkit.backends.objects import Obj, condition, key, uid
from pvkit.backends.reference.clock import stamp
from pvkit.backends.reference.view import Seen


def with_condition(obj: Obj, kind: str, status: str, now: float, reason: str = "", message: str = "") -> Obj:
    """A copy whose condition of that type says so; the time of transition moves only with the status."""
    old = condition(obj, kind) or {}
    entry = {"type": kind, "status": status}
    entry |= {field: text for field, text in (("reason", reason), ("message", message)) if text}
    kept = old.get("lastTransitionTime") if old.get("status") == status else None
    entry["lastTransitionTime"] = kept or stamp(int(now))
    if entry == old:
        return obj
    conditions = list((obj.get("status") or {}).get("conditions") or ())
    if old:
        conditions[conditions.index(old)] = entry
    else:
        conditions.append(entry)
    return {**obj, "status": {**(obj.get("status") or {}), "conditions": conditions}}


def patched(seen: Seen, obj: Obj, edit: Callable[[Obj], Obj]) -> Obj | None:
    """The stored object after an edit of its status; `None` if it is gone, is another one, or says so already."""
    stored = seen.live(key(obj))
    if stored is None or uid(stored) != uid(obj):
        return None
    edited = edit(stored)
    return None if edited == stored else edited
