"""Views of a cluster that are older than the present: what a controller may have seen when it made a write.

Each kind has a watch of its own, and each of its events comes by itself; so a view may lag as a whole, in one kind, or
in one object. These are tried, first the whole, each the nearest to the present first; two kinds that lag by different
amounts are not.
Last comes what is older in the object that was written itself: a deletion and a patch name no version.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Generator
from dataclasses import dataclass

from pvkit.backends.objects import Key, Obj

LATEST = 64
"""How many of the latest events a view may lack; and of the latest of a kind or of an object, if only that lags."""
Put = Callable[[Key, Obj | None], object]


@dataclass(frozen=True, slots=True)
class _Step:
    """What an event did to one object."""

    at: Key
    old: Obj | None
    new: Obj | None


def _steps() -> deque[_Step]:
    return deque(maxlen=LATEST)


class OlderViews:
    """Takes back the latest events in tables, which `put` writes, and brings them forth again."""

    def __init__(self, put: Put) -> None:
        self._put = put
        self._latest: deque[_Step] = _steps()
        self._of_kind: defaultdict[str, deque[_Step]] = defaultdict(_steps)
        self._of_object: defaultdict[Key, deque[_Step]] = defaultdict(_steps)

    def note(self, at: Key, old: Obj | None, new: Obj | None) -> None:
        """One more event."""
        for steps in (self._latest, self._of_kind[at.kind], self._of_object[at]):
            steps.append(_Step(at, old, new))

    def __call__(self, written: Key) -> Generator[None]:
        """Step from view to view: the object that was written is as it was first, for the server compares versions.

        Close the iterator, and all is as before.
        """
        everything = list(reversed(self._latest))
        yield from self._without([step for step in everything if step.at != written])
        for kind in list(self._of_kind):
            yield from self._without([step for step in reversed(self._of_kind[kind]) if step.at != written])
        for at in [at for at in self._of_object if at != written]:
            yield from self._without(list(reversed(self._of_object[at])))
        yield from self._without(list(reversed(self._of_object[written])))
        yield from self._without(everything)

    def _without(self, steps: list[_Step]) -> Generator[None]:
        undone: list[_Step] = []
        try:
            for step in steps:
                self._put(step.at, step.old)
                undone.append(step)
                yield
        finally:
            for step in reversed(undone):
                self._put(step.at, step.new)
