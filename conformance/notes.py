"""Writing a history down while a plan is played: events in the order of writes, each answer where it belongs.

Most backends tell at once what a request did. Others answer at once and tell of events later (`TellsLate`); then
answers wait until a wait has ended, and the events around them are known.
"""

from collections.abc import Sequence

from pvkit.backends.protocol import Backend, Settled, TellsLate
from pvkit.conformance.history import Asked, Entry, Expected


class Notes:
    """Takes down what happens, in order, at the end of `entries`."""

    def __init__(self, backend: Backend, entries: list[Entry]) -> None:
        self._backend, self._entries = backend, entries
        self._late = backend if isinstance(backend, TellsLate) else None
        self._waiting: list[tuple[int, Entry]] = []
        self._told = 0
        self.events()

    @property
    def latest(self) -> Entry | None:
        """What was taken down last, placed or not."""
        if self._waiting:
            return self._waiting[-1][1]
        return self._entries[-1] if self._entries else None

    def answer(self, entry: Asked | Expected) -> None:
        """An answer that was just given."""
        if self._late is not None:
            self._waiting.append((self._late.moment(), entry))
        else:
            self.events()
            self._entries.append(entry)

    def events(self) -> None:
        """Whatever is told by now, with the answers that waited for it."""
        fresh: Sequence[Entry] = self._backend.observe()
        if self._late is not None:
            for moment, entry in self._waiting:
                before = max(self._late.events_before(moment) - self._told, 0)
                self._entries.extend([*fresh[:before], entry])
                fresh, self._told = fresh[before:], self._told + before
            self._waiting.clear()
        self._entries.extend(fresh)
        self._told += len(fresh)

    def rest(self, settled: Settled) -> None:
        """The end of a wait."""
        self.events()
        self._entries.append(settled)
