"""Schedules: short lists of departures from the one that is fair and up to date.

Early turns and ties are boosted: most plans are short, and what happens first decides the rest.
"""

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from pvkit.backends.errors import UsageError
from pvkit.backends.protocol import Departure
from pvkit.backends.reference.model import CONTROLLERS
from pvkit.strategies.digits import Digits, digits

WORKERS = tuple(controller.name for controller in CONTROLLERS if not controller.each_node)


def departure(numbers: Digits) -> Departure:
    """One departure: a tie that another option wins, or a turn that a worker takes before the others."""
    tie, at, take = numbers.chance(128), numbers.number(256), numbers.number(256)
    if tie:
        return Departure("tie", at * at >> 11, 1 + (take & 3))
    return Departure("turn", at * at >> 8, WORKERS[take * len(WORKERS) >> 8])


def arranged(departures: list[Departure]) -> tuple[Departure, ...]:
    """Departures in order, one a point: of two for the same turn or tie the last counts."""
    return tuple(
        sorted({(entry.point, entry.at): entry for entry in departures}.values(), key=lambda d: (d.point, d.at))
    )


def schedules(most: int = 4) -> SearchStrategy[tuple[Departure, ...]]:
    """Schedules of at most so many departures, more often empty than not; shrinks to the empty one.

    Raises `UsageError` for a negative number.
    """
    if most < 0:
        raise UsageError(f"schedules(most={most}): the number of departures cannot be negative")
    some = st.lists(digits(3).map(departure), max_size=most)
    return st.one_of(st.just([]), some).map(arranged)
