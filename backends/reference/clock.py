"""Logical time: it moves when told to, never by itself."""

import heapq
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

_START = datetime(2026, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=1024)
def stamp(seconds: int) -> str:
    """A Kubernetes timestamp so many whole seconds after the start of a plan."""
    return (_START + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


@lru_cache(maxsize=1024)
def seconds(text: str) -> float:
    """The inverse of `stamp`, for timestamps that a client wrote too."""
    return (datetime.fromisoformat(text.replace("Z", "+00:00")) - _START).total_seconds()


class Clock:
    """The time of one plan, and what waits for a later time."""

    def __init__(self) -> None:
        self.now = 0.0
        self._timers: list[tuple[float, int, Any]] = []
        self._count = 0

    def stamp(self) -> str:
        """The present time as a Kubernetes timestamp."""
        return stamp(int(self.now))

    def at(self, time: float, what: Any) -> None:
        """Let `what` be due at a time."""
        self._count += 1
        heapq.heappush(self._timers, (time, self._count, what))

    def next(self) -> float | None:
        """When the earliest timer is due."""
        return self._timers[0][0] if self._timers else None

    def due(self) -> list[Any]:
        """What is due by now, in order; it is taken off."""
        found = []
        while self._timers and self._timers[0][0] <= self.now:
            found.append(heapq.heappop(self._timers)[2])
        return found
