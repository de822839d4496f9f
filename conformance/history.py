"""What was asked, answered and seen, in order, and the state at each point of it.

A history is a sequence of entries: `Asked` with its `Outcome`, `Event`, `Settled`. `State` is all that was seen up to
one point; it grows by one event at a time and keeps only what exists now, so a history may be as long as it likes.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pvkit.backends.objects import Key, Obj, key
from pvkit.backends.protocol import Description, Event, Fault, Operation, Outcome, Settled, Setup
from pvkit.backends.tables import Index, Table


@dataclass(frozen=True, slots=True)
class Asked:
    """A step of the plan and what became of it; `step` is its number in the plan, from 0."""

    step: int
    request: Operation | Fault
    outcome: Outcome


Entry = Asked | Event | Settled


@dataclass(frozen=True, slots=True)
class Header:
    """What holds for a whole history: the world it began in, what was observed, and how."""

    setup: Setup
    backend: Description
    seed: str = ""
    plan: str = ""


@dataclass(slots=True)
class History:
    """A header and its entries, in order."""

    header: Header
    entries: list[Entry] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Change:
    """One event in its context: the object before and after, and the state that includes it.

    `old` is None for a creation, `new` for a removal. `index` is the event's place in the order of the history.
    """

    event: Event
    key: Key
    old: Obj | None
    new: Obj | None
    state: "State"

    @property
    def obj(self) -> Obj:
        """The object as it is, or as it last was."""
        return self.event.object

    @property
    def by_client(self) -> bool:
        """Whether the plan's own client made this change (its answer carried this resourceVersion)."""
        return self.event.by == "client"

    @property
    def born(self) -> bool:
        """Whether the object was created."""
        return self.old is None

    @property
    def gone(self) -> bool:
        """Whether the object was removed."""
        return self.new is None


class State:
    """All objects as seen up to one point of a history, with indexes over them.

    `time` is the backend's clock in seconds; `setup` is the world of the plan.
    """

    def __init__(self, header: Header) -> None:
        self.header = header
        self.time = 0.0
        self.index = -1
        self._tables: defaultdict[str, Table] = defaultdict(Table)

    @property
    def setup(self) -> Setup:
        """The world of the plan: version, gates, options."""
        return self.header.setup

    def take(self, event: Event) -> Change:
        """Bring one event into the state."""
        at = key(event.object)
        new = None if event.type == "DELETED" else event.object
        old = self._tables[at.kind].change(at, new)
        self.time, self.index = event.time, event.index
        return Change(event, at, old, new, self)

    def get(self, kind: str, namespace: str, name: str) -> Obj | None:
        """An object, or None."""
        return self._tables[kind].objects.get(Key(kind, namespace, name))

    def lookup(self, at: Key) -> Obj | None:
        """An object by key, or None."""
        return self._tables[at.kind].objects.get(at)

    def all(self, kind: str) -> list[Obj]:
        """All objects of a kind."""
        return list(self._tables[kind].objects.values())

    def find(self, index: Index, bucket: Hashable, least: Any = None) -> Iterator[Obj]:
        """Objects in a bucket of an index, by ascending rank."""
        return self._tables[index.kind].find(index, bucket, least)

    def count(self, index: Index, bucket: Hashable) -> int:
        """How many objects a bucket holds."""
        return len(self._tables[index.kind].bucket(index, bucket))
