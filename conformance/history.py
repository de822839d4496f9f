"""What was asked, answered and seen, in order, and the state at each point of it.

A history is a sequence of entries: `Asked` with its `Outcome`, `Event`, `Settled`, `Expected`. `State` is all that
was seen up to one point; it grows by one event at a time and keeps only what exists now, so a history may be as long
as it likes.
"""

from collections import OrderedDict, defaultdict
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from pvkit.backends.objects import Key, Obj, annotations, deleting, finalizers, key, labels, owners
from pvkit.backends.protocol import Description, Event, Fault, Operation, Outcome, Settled, Setup
from pvkit.backends.tables import Index, Table


@dataclass(frozen=True, slots=True)
class Asked:
    """A step of the plan and what became of it; `step` is its number in the plan, from 0."""

    step: int
    request: Operation | Fault
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Expected:
    """What the plan expected at one point: a partial object, whether it was met, and what was seen (None: nothing)."""

    step: int
    object: Obj
    met: bool
    seen: Obj | None = None


Entry = Asked | Event | Settled | Expected


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


@dataclass(slots=True)
class Life:
    """What became of one object since it appeared.

    `first` is the object as it appeared, `by_client` whether the client made it; `born` and `changed` are the indexes
    of its first and last event, `born_at` and `changed_at` their times. `hands` tells for each part that the client
    changed later the index of the last such change: `spec.<field>`, `status`, `labels`, `annotations.<key>`,
    `finalizers`, `owners`, `deletion`.
    """

    first: Obj
    by_client: bool
    born: int
    born_at: float
    changed: int
    changed_at: float
    hands: dict[str, int] = field(default_factory=dict)

    def touched(self, *parts: str, since: int = -1) -> bool:
        """Whether the client changed one of these parts after an index."""
        return bool(self.hands) and any(self.hands.get(part, -1) > since for part in parts)

    def follow(self, event: Event, old: Obj) -> None:
        """Take one more event of the object into account."""
        self.changed, self.changed_at = event.index, event.time
        if event.by == "client":
            for part in _changed_parts(old, event.object):
                self.hands[part] = event.index


def _newborn(event: Event) -> Life:
    return Life(
        event.object,
        event.by in ("client", "setup"),
        event.index,
        event.time,
        changed=event.index,
        changed_at=event.time,
    )


def _changed_parts(old: Obj, new: Obj) -> Iterator[str]:
    for place in ("spec", "metadata.annotations"):
        before = (old.get("spec") if place == "spec" else annotations(old)) or {}
        after = (new.get("spec") if place == "spec" else annotations(new)) or {}
        if before is not after:
            prefix = place.rpartition(".")[2]
            yield from (f"{prefix}.{name}" for name in {**before, **after} if before.get(name) != after.get(name))
    if old.get("status") != new.get("status"):
        yield "status"
    if labels(old) != labels(new):
        yield "labels"
    if finalizers(old) != finalizers(new):
        yield "finalizers"
    if owners(old) != owners(new):
        yield "owners"
    if deleting(new) and not deleting(old):
        yield "deletion"


@dataclass(slots=True, eq=False)
class Change:
    """One event in its context: the object before and after, its life, and the state that includes it.

    `old` is None for a creation, `new` for a removal; `obj` is the object as it is, or as it last was. `by_client`
    tells whether the plan's own client made the change (its answer carried this resourceVersion). Nobody changes one;
    that it is not frozen saves a microsecond an event.
    """

    event: Event
    key: Key
    old: Obj | None
    new: Obj | None
    state: "State"
    life: Life
    obj: Obj
    by_client: bool

    @property
    def born(self) -> bool:
        """Whether the object was created."""
        return self.old is None

    @property
    def gone(self) -> bool:
        """Whether the object was removed."""
        return self.new is None


class Follower(Protocol):
    """What several invariants derive from the same events, kept once for all of them.

    It is made before the first entry and sees each one before the invariants do. What it keeps must grow only with
    what exists, as with an invariant's own memory.
    """

    def take(self, change: Change) -> None:
        """One more event, the state already including it."""

    def hear(self, entry: "Asked | Settled", state: "State") -> None:
        """One more step of the plan, or the end of a wait."""


F = TypeVar("F", bound=Follower)

MOST_DEPARTED = 512
"""How many removed objects are remembered."""

SEEING = frozenset({"refuse", "storage"})
"""Words of faults that make no component's view of the API any older."""


class State:
    """All objects as seen up to one point of a history, with indexes over them.

    `time` is the backend's clock in seconds; `setup` is the world of the plan. `faults` are the words of the faults
    made since all was last whole: since the beginning, or since a settling after `heal`. `asked` counts the operations
    and faults of the plan so far, other than time that passed. `rest` is the index of the last event before all was
    last at rest.
    """

    def __init__(self, header: Header) -> None:
        self.header = header
        self.time = 0.0
        self.index = -1
        self.faults: set[str] = set()
        self.asked = 0
        self.rest = -1
        self._healed = False
        self._tables: defaultdict[str, Table] = defaultdict(Table)
        self._lives: dict[Key, Life] = {}
        self._departed: OrderedDict[Key, Obj] = OrderedDict()
        self._followers: dict[type[Any], Follower] = {}

    def follow(self, kind: type[F]) -> F:
        """The follower of a kind, made at the first call; invariants name theirs, so that it misses nothing."""
        found = self._followers.get(kind)
        if found is None:
            found = self._followers[kind] = kind()
        return found  # type: ignore[return-value]

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
        life = self._lives.get(at) if old is not None else None
        if life is None or old is None:
            life = self._lives[at] = _newborn(event)
        else:
            life.follow(event, old)
        if new is None:
            del self._lives[at]
            self._bury(at, event.object)
        change = Change(event, at, old, new, self, life, event.object, event.by == "client")
        for follower in self._followers.values():
            follower.take(change)
        return change

    def _bury(self, at: Key, last: Obj) -> None:
        self._departed[at] = last
        self._departed.move_to_end(at)
        if len(self._departed) > MOST_DEPARTED:
            self._departed.popitem(last=False)

    def hear(self, entry: "Asked | Settled") -> None:
        """Take note of a step of the plan, or of the end of a wait."""
        self._note(entry)
        for follower in self._followers.values():
            follower.hear(entry, self)

    def _note(self, entry: "Asked | Settled") -> None:
        if isinstance(entry, Settled):
            self.time = entry.time
            if entry.quiet and not entry.disturbed:
                self.rest = self.index
                if self._healed:
                    self.faults.clear()
            return
        request = entry.request
        word = request.word if isinstance(request, Fault) and entry.outcome.status != "failed" else ""
        if word != "advance":
            self.asked += 1
        if word not in ("", "advance", "heal"):
            self.faults.add(word)
        self._healed = word == "heal" or (self._healed and word in ("", "advance"))

    def life(self, at: Key) -> Life | None:
        """What became of an object that exists, or None."""
        return self._lives.get(at)

    def departed(self, at: Key) -> Obj | None:
        """The object that was last removed under a key, as it last was; None if there was none of late."""
        return self._departed.get(at)

    def departed_of(self, kind: str) -> list[Obj]:
        """The objects of a kind that were removed of late, each as it last was."""
        return [last for at, last in self._departed.items() if at.kind == kind]

    def known(self, at: Key) -> bool:
        """Whether every healthy component has seen the object as it is now."""
        life = self._lives.get(at)
        return life is not None and self.faults <= SEEING and life.changed_at <= self.time - self.header.backend.lag

    def get(self, kind: str, namespace: str, name: str) -> Obj | None:
        """An object, or None."""
        return self._tables[kind].get(kind, namespace, name)

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
