"""The store as one controller has seen it.

A controller reads a cache for each kind it watches. While a cache is up to date it is the store's own table, which
costs nothing; when a fault holds its events back it becomes a copy that falls behind, and catches up on release.
`Seen` is what a rule may look at: the caches, the memory, live reads where the real controller makes them, and the
choices that Kubernetes leaves open.
"""

from collections.abc import Hashable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from pvkit.backends.objects import Key, Obj, key, version
from pvkit.backends.protocol import Event, Setup
from pvkit.backends.tables import Index, Table

if TYPE_CHECKING:
    from pvkit.backends.reference.engine import Engine

T = TypeVar("T")


class Cache:
    """One kind as one controller instance sees it."""

    def __init__(self, table: Table) -> None:
        self.live = table
        self.table = table
        self.held = False
        self.pending: list[Event] = []

    def hold(self) -> None:
        """Stop the flow of events; what is cached stays as it is."""
        if self.table is self.live:
            self.table = Table(self.live.objects)
        self.held = True

    def empty(self) -> None:
        """Forget everything, as a start with an unfilled cache does; what exists waits among the pending events."""
        self.pending = [Event(0, "ADDED", obj) for obj in self.live.objects.values()]
        self.table, self.held = Table(), True

    def rewind(self, log: list[Event], kind: str, back: int) -> None:
        """Show the kind as it was some of its own events ago; those events wait."""
        own = [event for event in log if event.object["kind"] == kind]
        past = Table()
        for event in own[: len(own) - back]:
            past.change(key(event.object), None if event.type == "DELETED" else event.object)
        self.table, self.held, self.pending = past, True, own[max(len(own) - back, 0) :]

    def apply(self, event: Event) -> Obj | None:
        """Bring one change into a cache that lags, unless it knows better; returns what the cache held before."""
        at = key(event.object)
        known = self.table.objects.get(at)
        if known is not None and version(event.object) < version(known):
            return known
        return self.table.change(at, None if event.type == "DELETED" else event.object)

    def catch_up(self) -> None:
        """Follow the store again, once nothing is pending."""
        self.held = False
        if not self.pending:
            self.table = self.live


class Seen:
    """What one controller instance knows, for the use of its rules."""

    def __init__(self, engine: "Engine", instance: str) -> None:
        self._engine = engine
        self._instance = instance
        self.caches: dict[str, Cache] = {}
        self.memory: dict[str, Any] = {}
        self.scratch: dict[str, dict[str, Any]] = {}
        """What one pass over a key notes for its own later steps, by kind of key; a new pass begins without."""
        self.node = ""
        """The node of an instance that runs once on each node."""
        self.refusal = ""
        """The message of the last refusal of a write, for the events that repeat it."""

    @property
    def now(self) -> float:
        """The logical time in seconds."""
        return self._engine.clock.now

    @property
    def world(self) -> dict[str, Any]:
        """What is no API object and no controller's: nodes cut off, storage backends that refuse; set by faults."""
        return self._engine.world

    @property
    def setup(self) -> Setup:
        """The world of this plan: version, gates, options."""
        return self._engine.setup

    def get(self, kind: str, namespace: str, name: str) -> Obj | None:
        """An object from the cache."""
        return self.caches[kind].table.objects.get((kind, namespace, name))  # type: ignore[call-overload, no-any-return]

    def lookup(self, key: Key) -> Obj | None:
        """An object from the cache, by key."""
        return self.caches[key.kind].table.objects.get(key)

    def all(self, kind: str) -> list[Obj]:
        """All cached objects of a kind."""
        return list(self.caches[kind].table.objects.values())

    def find(self, index: Index, bucket: Hashable, least: Any = None) -> Iterator[Obj]:
        """Cached objects in a bucket of an index, by ascending rank."""
        return self.caches[index.kind].table.find(index, bucket, least)

    def buckets(self, index: Index) -> list[Hashable]:
        """The buckets of an index that hold anything."""
        return list(self.caches[index.kind].table.buckets(index))

    def reached(self, kind: str, point: int) -> bool:
        """Whether the cache of a kind has come as far as a resourceVersion."""
        return not any(version(event.object) <= point for event in self.caches[kind].pending)

    def live(self, key: Key) -> Obj | None:
        """A live GET: what the API server stores now; raises `Unavailable` or `ApiError` while a fault refuses it."""
        return self._engine.live_get(self._instance, key)

    def live_list(self, kind: str, namespace: str) -> list[Obj]:
        """A live LIST of a namespace ("" for all)."""
        return self._engine.live_list(self._instance, kind, namespace)

    def live_find(self, index: Index, bucket: Hashable) -> list[Obj]:
        """A live LIST of which only one bucket of an index matters."""
        return self._engine.live_find(self._instance, index, bucket)

    def tie(self, options: Sequence[T]) -> T:
        """One of several choices among which Kubernetes defines no winner; the schedule chooses."""
        return options[0] if len(options) == 1 else options[self._engine.schedule.tie(len(options))]
