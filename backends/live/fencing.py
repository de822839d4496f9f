"""The fence: a version up to which everything that was written is known to have been seen.

A list that names no version is answered from the latest state, so what a stream has shown can be held against it: once
every listed object was seen at that version or a newer one, and nothing is believed to exist that the list lacks, the
stream is complete up to the list's own version. The oldest of these versions, over all kinds, is the fence. Nothing is
written for it.
"""

from collections.abc import Iterable
from functools import partial
from time import monotonic

from pvkit.backends.errors import ApiError, Unavailable
from pvkit.backends.live.connection import Connection, path_of
from pvkit.backends.live.reaching import UNAUTHORIZED, explained
from pvkit.backends.live.watching import Tape, Watches
from pvkit.backends.objects import Key, Obj, version

LOOK_SECONDS = 0.02


def fence(connection: Connection, tape: Tape, places: Iterable[tuple[str, str]], limit: float) -> int:
    """The version up to which a tape is complete; 0 when that could not be found before `limit` (of `monotonic`).

    Only the kinds in the namespaces named ("" for kinds without) are looked at; of the others nothing may exist.
    """
    found = []
    for kind, place in sorted(places):
        reached = _complete(connection, tape, kind, place, limit)
        if not reached:
            return 0
        found.append(reached)
    return min(found, default=0)


def overtaken(watches: Watches, tape: Tape, kinds: set[str], present: int, limit: float) -> set[str]:
    """Those of some kinds of which something later than a version is seen before `limit`.

    Where plans are played side by side, what others do tells soon that nothing is on its way, and costs no request.
    """
    while True:
        passed = watches.passed(kinds, present)
        left = limit - monotonic()
        if passed == kinds or left <= 0:
            return passed
        tape.wait(lambda: False, min(left, LOOK_SECONDS))


def _complete(connection: Connection, tape: Tape, kind: str, place: str, limit: float) -> int:
    """The version up to which one kind's stream is complete in one namespace ("" for kinds without)."""
    try:
        listed = connection.request("GET", path_of(Key(kind, place, "")))
    except (ApiError, Unavailable) as error:
        if getattr(error, "code", 0) == UNAUTHORIZED:  # No wait mends that.
            raise explained(error, connection.server) from None
        return 0
    items: list[Obj] = [{"kind": kind, **item} for item in listed["items"]]
    mine = [item for item in items if tape.is_mine(item)]
    reached = version(listed)
    done = partial(tape.has_shown, mine, kind, frozenset({place}), reached)
    return reached if tape.wait(done, limit - monotonic()) else 0
