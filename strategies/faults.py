"""Fault words as plans know them, and strategies that draw disturbances.

The words and their options are those that the reference model and the proxy before a real control plane obey; a test
keeps this table and the model's functions equal.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Word:
    """A fault word: the options that it cannot do without and those that it may have, each with its type."""

    needs: Mapping[str, type] = field(default_factory=dict)
    may: Mapping[str, type] = field(default_factory=dict)


_CALL = {"kind": str, "verb": str, "nth": int}

WORDS: dict[str, Word] = {
    "hold": Word({"controller": str, "kind": str}),
    "release": Word({"controller": str, "kind": str}, {"how": str, "count": int}),
    "freeze": Word({"controller": str}),
    "thaw": Word({"controller": str}),
    "crash": Word({"controller": str}, {"after": int, "lists": dict}),
    "refuse": Word({"controller": str}, {**_CALL, "times": int, "answer": str}),
    "lose-answer": Word({"controller": str}, _CALL),
    "delay": Word({"controller": str}, {**_CALL, "turns": int}),
    "second-leader": Word({"controller": str}),
    "advance": Word({"seconds": float}),
    "cut-off": Word({"node": str}),
    "power-off": Word({"node": str}),
    "rejoin": Word({"node": str}),
    "storage": Word({}, {"refuse": int, "slow": int}),
    "heal": Word(),
}
FAULT_WORDS = tuple(WORDS)
