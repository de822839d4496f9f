"""Objects of one kind with the indexes over them, kept current with each change.

An API store, a controller's cache and a judge's state are each a table a kind. An `Index` says where an object is
filed: in buckets, each ordered by a rank, so that "the smallest volume of this class that holds 5Gi" costs a
bisection and not a walk over ten thousand volumes.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pvkit.backends.objects import Key, Obj

Place = tuple[Hashable, Any]


@dataclass(frozen=True, eq=False)
class Index:
    """A way to find objects of one kind: `places(obj)` yields (bucket, rank) pairs; ranks in a bucket must compare.

    `of_spec`: they follow from the object's key and its spec alone, so nothing is refiled while the spec is the same.
    """

    name: str
    kind: str
    places: Callable[[Obj], Iterable[Place]]
    of_spec: bool = False


_NOWHERE: list[Place] = []


class Filing:
    """The buckets of one index: in each, ranks and keys in ascending order."""

    __slots__ = ("_places", "buckets", "index")

    def __init__(self, index: Index, objects: dict[Key, Obj]) -> None:
        self.index = index
        self.buckets: dict[Hashable, list[tuple[Any, Key]]] = {}
        self._places: dict[Key, list[Place]] = {}
        for key, obj in objects.items():
            self.change(key, obj)

    def change(self, key: Key, new: Obj | None) -> None:
        """Refile one object; nothing moves when its places stay the same."""
        before = self._places.get(key, _NOWHERE)
        after = list(self.index.places(new)) if new is not None else _NOWHERE
        if before == after:
            return
        self._move(key, before, after)
        if after:
            self._places[key] = after
        else:
            del self._places[key]

    def _move(self, key: Key, before: list[Place], after: list[Place]) -> None:
        for bucket, rank in before:
            entries = self.buckets[bucket]
            del entries[bisect_left(entries, (rank, key))]
            if not entries:
                del self.buckets[bucket]
        for bucket, rank in after:
            insort(self.buckets.setdefault(bucket, []), (rank, key))


_EMPTY: list[tuple[Any, Key]] = []


class Table:
    """All objects of one kind, by key, in the order in which they came."""

    def __init__(self, objects: dict[Key, Obj] | None = None) -> None:
        self.objects: dict[Key, Obj] = dict(objects) if objects else {}
        self._filings: dict[Index, Filing] = {}

    def change(self, key: Key, new: Obj | None) -> Obj | None:
        """Store an object, or drop it when `new` is None; returns what stood there."""
        old = self.objects.get(key)
        if new is None:
            self.objects.pop(key, None)
        else:
            self.objects[key] = new
        if self._filings:
            respecified = old is None or new is None or old.get("spec") is not new.get("spec")
            for index, filing in self._filings.items():
                if respecified or not index.of_spec:
                    filing.change(key, new)
        return old

    def get(self, *key: str) -> Obj | None:
        """The object with a key (kind, namespace, name), or None; saves making a `Key` of them."""
        return self.objects.get(key)  # type: ignore[call-overload, no-any-return]

    def bucket(self, index: Index, bucket: Hashable) -> list[tuple[Any, Key]]:
        """The (rank, key) pairs filed in a bucket, ascending; not to be changed by the caller."""
        filing = self._filings.get(index) or self._filing(index)
        return filing.buckets.get(bucket, _EMPTY)

    def buckets(self, index: Index) -> Iterable[Hashable]:
        """The buckets that hold anything."""
        return self._filing(index).buckets.keys()

    def find(self, index: Index, bucket: Hashable, least: Any = None) -> Iterator[Obj]:
        """The objects in a bucket by ascending rank, from rank `least` on if that is given."""
        entries = self.bucket(index, bucket)
        return self._walk(entries, least) if entries else iter(())

    def _walk(self, entries: list[tuple[Any, Key]], least: Any) -> Iterator[Obj]:
        start = 0 if least is None else bisect_left(entries, (least,))
        for position in range(start, len(entries)):
            yield self.objects[entries[position][1]]

    def _filing(self, index: Index) -> Filing:
        """The filing of an index, made when it is first asked for."""
        filing = self._filings[index] = self._filings.get(index) or Filing(index, self.objects)
        return filing
