"""Verdicts, and how several make one.

A rule that was never exercised is not a pass; a check that crashed or lacked evidence is UNKNOWN, never a pass.
"""

from enum import IntEnum


class Verdict(IntEnum):
    """What became of one invariant in one or many histories; the worse has the greater value."""

    NOT_SUPPORTED = -1
    PASS = 0
    NOT_EXERCISED = 1
    UNKNOWN = 2
    FAIL = 3

    def __str__(self) -> str:
        return self.name


def merged(first: Verdict, second: Verdict) -> Verdict:
    """The verdict over two histories: the worse, except that one history which exercised the rule is enough."""
    pair = {first, second}
    if pair <= {Verdict.PASS, Verdict.NOT_EXERCISED, Verdict.NOT_SUPPORTED}:
        return next(v for v in (Verdict.PASS, Verdict.NOT_EXERCISED, Verdict.NOT_SUPPORTED) if v in pair)
    return max(first, second)


def exit_code(verdicts: list[Verdict], strict: bool = False) -> int:
    """0 all hold, 1 something is broken, 3 something is undecided; `strict` counts unexercised rules as undecided."""
    if Verdict.FAIL in verdicts:
        return 1
    undecided = {Verdict.UNKNOWN, Verdict.NOT_EXERCISED} if strict else {Verdict.UNKNOWN}
    return 3 if undecided & set(verdicts) else 0
