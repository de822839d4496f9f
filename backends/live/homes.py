"""Namespaces and nodes that plans of a run use one after another, where the cluster is the kit's own.

Making and ending them anew was a third of all requests of a plan. A plan finds them as if they had been made for it:
just those that its world asks for, never changed by anybody, and empty for so long that no component is still at work
on what the last plan had there. What was under a quota or a limit is not used again, for admission remembers these.
Names outside of namespaces are never used twice.
"""

import threading
from dataclasses import dataclass, field
from time import monotonic

from pvkit.backends.live.cleaning import HOUSEHOLD
from pvkit.backends.live.naming import Names
from pvkit.backends.live.watching import Tape
from pvkit.backends.objects import Key, Obj, deleting, key, labels, uid, version
from pvkit.backends.protocol import Setup

UNFIT = frozenset({"ResourceQuota", "LimitRange", "CSINode"})
"""Kinds that nobody moves in after."""
REST_SECONDS = 1.0
"""How long a home has been empty before the next plan moves in."""
FORSAKEN_SECONDS = 12.0
"""After how long a home that did not become empty is given up."""


@dataclass(slots=True, eq=False)
class Home:
    """The namespaces and nodes of a world, under one tag; `parts` as they were made.

    `tape` is that of the last plan, which goes on hearing what happens there; None before there was one.
    """

    tag: str
    setup: Setup
    parts: dict[Key, Obj] = field(default_factory=dict)
    tape: Tape | None = None

    @property
    def namespaces(self) -> frozenset[str]:
        """Its namespaces on the cluster."""
        return frozenset(at.name for at in self.parts if at.kind == "Namespace")

    def fits(self, setup: Setup) -> bool:
        """Whether it is the world that a plan asks for."""
        return self.setup.nodes == setup.nodes and self.setup.namespaces == setup.namespaces

    def is_whole(self, tape: Tape) -> bool:
        """Whether all of it, and no more, was there all the time, and nothing happened that a next plan may feel."""
        namespaces = {"default", *self.setup.namespaces}  # Every world has that one, asked for or not.
        wanted = len(namespaces) + len(self.setup.nodes)
        ever = {at for at in list(tape.last) if at.kind in HOUSEHOLD}
        if tape.gaps or len(self.parts) != wanted or ever != set(self.parts) or not UNFIT.isdisjoint(tape.kinds):
            return False
        found = {key(obj): obj for obj in tape.objects(*HOUSEHOLD)}
        return all(at in found and _is_as_made(found[at], made) for at, made in self.parts.items())


@dataclass(frozen=True, slots=True, eq=False)
class Left:
    """A home in which nobody lives: `names` and `tape` are those of the last plan, and `since` is when it went."""

    home: Home
    names: Names
    tape: Tape
    since: float

    def is_empty(self) -> bool:
        """Whether nothing but the home itself is there, as it was made."""
        return len(self.tape.objects()) == len(self.home.parts) and self.home.is_whole(self.tape)

    def is_quiet(self) -> bool:
        """Whether nothing has happened there for long enough."""
        return monotonic() - max(self.since, self.tape.arrived) >= REST_SECONDS


def _is_as_made(found: Obj, made: Obj) -> bool:
    """Whether nobody changed it; a kubelet tells how its node is."""
    if found["kind"] == "Namespace":
        return uid(found) == uid(made) and version(found) == version(made)
    same = uid(found) == uid(made) and labels(found) == labels(made) and found.get("spec") == made.get("spec")
    return same and not deleting(found)


class Homes:
    """The homes of a run in which nobody lives."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left: list[Left] = []

    def take(self, setup: Setup) -> Home | None:
        """The one of this world that was left first, if a plan can move in."""
        with self._lock:
            for left in self._left:
                if left.home.fits(setup) and left.is_quiet() and left.is_empty():
                    self._left.remove(left)
                    return left.home
        return None

    def give(self, home: Home, names: Names, tape: Tape) -> None:
        """Leave it to the next plan."""
        home.tape = tape
        with self._lock:
            self._left.append(Left(home, names, tape, monotonic()))

    def forsaken(self) -> list[Left]:
        """Those that did not become empty in time; they are taken out, and whoever asks is to remove them."""
        limit = monotonic() - FORSAKEN_SECONDS
        with self._lock:
            given_up = [left for left in self._left if left.since < limit and not left.is_empty()]
            self._left = [left for left in self._left if left not in given_up]
        return given_up
