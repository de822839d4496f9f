"""Progress of a build on standard error: what is being done, the share that is done, the time it took and will take."""

import sys
from time import monotonic
from typing import TextIO

EVERY_SECONDS_ON_TERMINAL, EVERY_SECONDS_ELSEWHERE = 0.2, 10.0
TOLD_FROM = 0.03
"""The share from which on the rest is worth a guess."""


class BuildProgress:
    """One line that is written over on a terminal, and a line now and then elsewhere.

    The rest is guessed from the pace since the first share above 0, anew whenever the share falls back to 0: that is
    the next part.
    """

    def __init__(self, quiet: bool = False, stream: TextIO | None = None) -> None:
        self._stream, self._quiet = stream or sys.stderr, quiet
        self._terminal = self._stream.isatty()
        self._pause = EVERY_SECONDS_ON_TERMINAL if self._terminal else EVERY_SECONDS_ELSEWHERE
        self._begin = self._pace_from = monotonic()
        self._told, self._text = 0.0, ""

    def __call__(self, what: str, share: float) -> None:
        """Tell what is being done, if it is time to; on a terminal the seconds go on even if nothing else does."""
        now = monotonic()
        if share == 0.0:
            self._pace_from = now
        first = not self._text
        self._text = f"{what}{self._rest(share, now)}"
        if self._quiet or (now - self._told < self._pause and not first):
            return
        self._told = now
        text = f"{words(now - self._begin)}  {self._text}"
        self._stream.write(f"\r\x1b[K{text[:110]}" if self._terminal else f"{text}\n")
        self._stream.flush()

    def _rest(self, share: float, now: float) -> str:
        if share < TOLD_FROM:
            return ""
        left = (now - self._pace_from) / share * (1 - share)
        return f", {share:.0%}, about {words(left)} left"

    def end(self) -> None:
        """Leave no half line behind."""
        if self._terminal and not self._quiet:
            self._stream.write("\r\x1b[K")
            self._stream.flush()


def words(seconds: float) -> str:
    """`7 s`, `3 min 20 s`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
