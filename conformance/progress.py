"""Progress on standard error: how many, how fast, how long still; a bar on a terminal, a line at times elsewhere."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Self, TextIO

if TYPE_CHECKING:
    from rich.progress import TaskID

EVERY_SECONDS = 10.0
"""How often a line is written where there is no terminal."""


@dataclass(frozen=True, slots=True)
class Tick:
    """How far some work is: `done` of `wanted`, after `seconds` of at most `limit` (0: as long as it takes).

    Where `wanted` is 0 there is nothing to count, and `what` is all there is to say.
    `broken` counts the promises that were broken so far.
    """

    what: str
    done: int
    wanted: int
    seconds: float
    limit: float = 0.0
    broken: int = 0

    @property
    def rate(self) -> float:
        """How many a second."""
        return self.done / self.seconds if self.seconds else 0.0

    @property
    def left(self) -> float | None:
        """Seconds that it will still take, None as long as nobody knows."""
        if not self.rate:
            return None
        needed = (self.wanted - self.done) / self.rate
        return max(min(needed, self.limit - self.seconds) if self.limit else needed, 0.0)

    def __str__(self) -> str:
        if not self.wanted:
            return self.what
        left = f", {self.rate:.0f} a second, about {self.left:.0f} s left" if self.left is not None else ""
        return f"{self.done} of {self.wanted} {self.what}{left}{f', {self.broken} broken' if self.broken else ''}"


Listener = Callable[[Tick], None]
"""Hears how far a run is."""


def deaf(tick: Tick) -> None:
    """The listener that does not listen."""


class Silence:
    """Hears ticks while it is entered, and tells nothing; the others tell of them."""

    def __call__(self, tick: Tick) -> None:
        """Hear and forget."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing to end."""


class Lines(Silence):
    """A line every few seconds, for logs."""

    def __init__(self, stream: TextIO, every: float = EVERY_SECONDS) -> None:
        self._stream, self._every, self._last = stream, every, perf_counter()

    def __call__(self, tick: Tick) -> None:
        """Tell how far it is, if it is time to."""
        now = perf_counter()
        if now - self._last >= self._every:
            self._last = now
            self._stream.write(f"{tick}\n")
            self._stream.flush()


class Bar(Silence):
    """One line on a terminal, written over and gone in the end."""

    def __init__(self, stream: TextIO, color: bool) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

        console = Console(file=stream, no_color=not color, force_terminal=True)
        columns = (SpinnerColumn(), BarColumn(bar_width=30), TextColumn("{task.description}"))
        self._progress = Progress(*columns, console=console, transient=True, refresh_per_second=5)
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def __call__(self, tick: Tick) -> None:
        """Move the bar; it is as far as the plans or the time are, whichever ends the work."""
        if tick.what not in self._tasks:
            for task in self._tasks.values():
                self._progress.update(task, visible=False)
            self._tasks[tick.what] = self._progress.add_task(tick.what, total=1.0)
        share = max(tick.done / tick.wanted if tick.wanted else 0.0, tick.seconds / tick.limit if tick.limit else 0.0)
        self._progress.update(self._tasks[tick.what], completed=min(share, 1.0), description=str(tick))


def progress(quiet: bool = False, color: bool = True, stream: TextIO | None = None) -> Silence:
    """What hears the ticks of some work, to be entered for as long as it takes."""
    stream = stream or sys.stderr
    if quiet:
        return Silence()
    return Bar(stream, color) if on_terminal(stream) else Lines(stream)


def on_terminal(stream: TextIO) -> bool:
    """Whether a person is looking, at a terminal that can do more than write line after line."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"
