"""Sizes that lie side by side: equal in different words, just enough, and just not enough.

The pool holds decimal and binary suffixes that look alike (`1G` is 73 MB short of `1Gi`), texts that mean the same
(`1024Mi`, `0.5Gi`, `1e9`), and amounts one byte apart, because a comparison that is wrong is wrong there.
"""

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from pvkit.backends.errors import UsageError
from pvkit.backends.quantities import amount

SIZES = (
    "1Gi", "2Gi", "1024Mi", "1G", "1073741825", "3Gi", "5Gi", "0.5Gi", "512Mi", "1073741823", "2G", "1e9", "1000M",
    "1.5Gi", "1536Mi", "10Gi",
)  # fmt: skip
"""The pool, the plainest first."""

NEIGHBOURS: tuple[tuple[str, str, str], ...] = (
    ("1Gi", "1024Mi", "1G"),
    ("2Gi", "2Gi", "2147483647"),
    ("1G", "1000M", "999999999"),
    ("0.5Gi", "512Mi", "500M"),
    ("1073741825", "1073741826", "1Gi"),
    ("1.5Gi", "1536Mi", "1.5G"),
    ("1e9", "1G", "999999999"),
    ("5Gi", "5368709120", "5G"),
)
"""Rows of: a size that is asked for, one that just fits, and one that just does not."""


def quantities(at_least: str = "", at_most: str = "") -> SearchStrategy[str]:
    """Sizes from the pool, between two bounds if they are given; raises `UsageError` when none lies between them.

    Shrinks to the plainest text, `1Gi` where the bounds allow it.
    """
    low = amount(at_least) if at_least else 0
    high = amount(at_most) if at_most else None
    found = [size for size in SIZES if low <= amount(size) and (high is None or amount(size) <= high)]
    if not found:
        asked = f"quantities(at_least={at_least!r}, at_most={at_most!r})"
        raise UsageError(f"{asked}: no size of the pool lies between; the pool is {', '.join(SIZES)}")
    return st.sampled_from(found)


def neighbours() -> SearchStrategy[tuple[str, str, str]]:
    """A size that is asked for, one that just fits and one that just does not."""
    return st.sampled_from(NEIGHBOURS)
