"""Small numbers from which everything else is chosen: one draw of a few bytes decides a whole object.

A draw costs Hypothesis far more than the choice is worth, so objects, operations and moves are made from a short run
of bytes. Each byte decides one thing, 0 decides for the simplest, and a byte that is missing is 0: what shrinks,
shrinks to what a person would write.
"""

from collections.abc import Sequence
from functools import cache
from typing import TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

T = TypeVar("T")


class Digits:
    """The bytes of one draw, taken one after another."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def number(self, below: int) -> int:
        """A number from 0 up to a bound of at most 256; greater bytes give greater numbers."""
        at = self._at
        self._at = at + 1
        return self._data[at] * below >> 8 if at < len(self._data) else 0

    def pick(self, options: Sequence[T]) -> T:
        """One of the options, the first for 0."""
        return options[self.number(len(options))]

    def chance(self, of_256: int) -> bool:
        """True so many times in 256, for the greatest bytes: never for 0."""
        return self.number(256) >= 256 - of_256


@cache
def digits(count: int) -> SearchStrategy[Digits]:
    """So many bytes."""
    return st.binary(min_size=count, max_size=count).map(Digits)
