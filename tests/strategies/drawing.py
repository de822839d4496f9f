"""Draws for tests that count: the same ones every time, because the seed is fixed."""

from typing import TypeVar

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

T = TypeVar("T")


def draws(strategy: SearchStrategy[T], count: int, number: int = 1) -> list[T]:
    """The first draws of a strategy for the seed `number`, fewer when it has no more."""
    found: list[T] = []

    @seed(number)
    @settings(
        database=None,
        deadline=None,
        max_examples=count,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def keep(value: T) -> None:
        found.append(value)

    keep()
    return found
