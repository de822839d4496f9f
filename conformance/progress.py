"""Progress on standard error: how many plans, how fast, how long still."""

import sys
from time import perf_counter
from typing import TextIO

EVERY_SECONDS_ON_TERMINAL, EVERY_SECONDS_ELSEWHERE = 0.2, 10.0


class Progress:
    """One line that is written over on a terminal, and a line now and then elsewhere."""

    def __init__(self, what: str, quiet: bool = False, stream: TextIO | None = None) -> None:
        self._what, self._quiet = what, quiet
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._pause = EVERY_SECONDS_ON_TERMINAL if self._terminal else EVERY_SECONDS_ELSEWHERE
        self._last = perf_counter()

    def __call__(self, done: int, wanted: int, seconds: float) -> None:
        """Tell how far it is, if it is time to."""
        now = perf_counter()
        if self._quiet or now - self._last < self._pause:
            return
        self._last = now
        rate = done / seconds if seconds else 0.0
        left = f", about {(wanted - done) / rate:.0f} s left" if rate else ""
        text = f"{done} of {wanted} {self._what}, {rate:.0f} a second{left}"
        self._stream.write(f"\r\x1b[K{text}" if self._terminal else f"{text}\n")
        self._stream.flush()

    def end(self) -> None:
        """Leave no half line behind."""
        if self._terminal and not self._quiet:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
