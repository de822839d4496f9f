"""Namespaces and nodes that plans of a run use one after another, where the cluster is the kit's own.

Making and ending them anew was a third of all requests of a plan. A plan finds them as if they had been made for it:
just those that its world asks for, never changed by anybody, and empty for so long that no component is still at work
on what the last plan had there. What was under a quota or a limit is not used again, for admission remembers these.
Names outside of namespaces are never used twice.
"""

import threading
from collections.abc import Iterator
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

    When nobody lives there, `names` and `tape` are those of the last plan, and `left` is when it went.
    """

    tag: str
    setup: Setup
    parts: dict[Key, Obj] = field(default_factory=dict)
    names: Names | None = None
    tape: Tape | None = None
    left: float = 0.0

    @property
    def namespaces(self) -> frozenset[str]:
        """Its namespaces on the cluster."""
        return frozenset(at.name for at in self.parts if at.kind == "Namespace")

    def fits(self, setup: Setup) -> bool:
        """Whether it is the world that a plan asks for."""
        return self.setup.nodes == setup.nodes and self.setup.namespaces == setup.namespaces

    def is_whole(self, tape: Tape) -> bool:
        """Whether all of it, and no more, was there all the time, and nothing happened that a next plan may feel."""
        wanted = 1 + len(self.setup.namespaces) + len(self.setup.nodes)
        ever = {at for at in list(tape.last) if at.kind in HOUSEHOLD}
        if tape.gaps or len(self.parts) != wanted or ever != set(self.parts) or not UNFIT.isdisjoint(tape.kinds):
            return False
        found = {key(obj): obj for obj in tape.objects(*HOUSEHOLD)}
        return all(at in found and _is_as_made(found[at], made) for at, made in self.parts.items())

    def is_ready(self) -> bool:
        """Whether a plan can move in."""
        tape = self.tape
        if tape is None or monotonic() - max(self.left, tape.arrived) < REST_SECONDS:
            return False
        return len(tape.objects()) == len(self.parts) and self.is_whole(tape)


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
        self._empty: list[Home] = []

    def take(self, setup: Setup) -> Home | None:
        """The one of this world that was left first, if a plan can move in."""
        with self._lock:
            for home in self._empty:
                if home.fits(setup) and home.is_ready():
                    self._empty.remove(home)
                    return home
        return None

    def give(self, home: Home, names: Names, tape: Tape) -> None:
        """Leave it to the next plan; the tape goes on hearing what happens there."""
        home.names, home.tape, home.left = names, tape, monotonic()
        with self._lock:
            self._empty.append(home)

    def forsaken(self) -> Iterator[tuple[Home, Names, Tape]]:
        """Those that did not become empty, with what is known of them; they are taken out."""
        limit = monotonic() - FORSAKEN_SECONDS
        with self._lock:
            given_up = [home for home in self._empty if home.left < limit and not home.is_ready()]
            self._empty = [home for home in self._empty if home not in given_up]
        for home in given_up:
            if home.names is not None and home.tape is not None:
                yield home, home.names, home.tape
