"""Moves: the building blocks of a drawn plan, each a few steps that belong together.

    @move("recreation", weight=4)
    def delete_and_recreate(world: World, numbers: Digits) -> None:
        \"\"\"Something is deleted and made again under its name.\"\"\"

A move is a function of the world and of the bytes it was drawn with. It never asks for more than the bytes say, so any
move can be taken out of a plan and the others still read the same; where it finds nothing to act on it does less, or
nothing. Moves are found by walking this folder in sorted order.
"""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from pvkit.strategies import moves
from pvkit.strategies.digits import Digits
from pvkit.strategies.world import World

Act = Callable[[World, Digits], None]
PAUSES = (0, 0, -1, -1, -1, -1, 2, 1, 3, 5, 8, 13)
"""What follows a move: nothing, rest (-1), or a few turns of the controllers."""


@dataclass(frozen=True, slots=True)
class Move:
    """A building block: the features of which one must take part, and how often it comes up among the others.

    `shows` are features of which more comes to pass if a plan is about them, though the move takes part without them.
    """

    act: Act
    features: tuple[str, ...]
    weight: int
    shows: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """What it does, in English: the first line of the docstring."""
        return (self.act.__doc__ or "").strip().split("\n")[0]

    def __call__(self, world: World, numbers: Digits) -> None:
        """Make the move."""
        world.used.update(feature for feature in self.features if feature in world.features)
        self.act(world, numbers)


def move(*features: str, weight: int = 4, shows: tuple[str, ...] = ()) -> Callable[[Act], Move]:
    """Declare a move; without features it always takes part."""

    def declare(act: Act) -> Move:
        return Move(act, features, weight, shows)

    return declare


@cache
def all_moves() -> tuple[Move, ...]:
    """All moves; those that make what others need come first, because what shrinks shrinks towards them."""
    found = [
        value
        for entry in sorted(entry.name for entry in pkgutil.iter_modules(moves.__path__))
        for value in vars(importlib.import_module(f"{moves.__name__}.{entry}")).values()
        if isinstance(value, Move)
    ]
    makers = ("make_match", *MAKERS.values())
    return tuple(sorted(found, key=lambda entry: (bool(entry.features), entry.act.__name__ not in makers)))


def table(features: frozenset[str], theme: frozenset[str] = frozenset()) -> tuple[Move, ...]:
    """The moves that may be made, each as often as it weighs; those of the theme weigh more."""
    return tuple(
        entry
        for entry in all_moves()
        if not entry.features or features.intersection(entry.features)
        for _ in range(entry.weight * (THEME_WEIGHT if theme.intersection(entry.features + entry.shows) else 1))
    )


THEME_WEIGHT = 10


@cache
def maker_for(stuck: Move) -> Move:
    """The move that makes what another one needs: a set, a pod, a claim with a provisioner, or a plain pair."""
    called = {entry.act.__name__: entry for entry in all_moves()}
    wanted = next((maker for feature, maker in MAKERS.items() if feature in stuck.features), "make_match")
    return called[wanted]


MAKERS = {
    "sets": "make_set",
    "updates": "make_set",
    "scaling": "make_set",
    "retention": "make_set",
    "services": "make_set",
    "provisioning": "make_dynamic",
    "storage": "make_dynamic",
    "pods": "make_pod",
    "behaviours": "make_set",
    "outages": "make_pod",
}
"""Which move makes what moves of a feature act on."""


def pause(world: World, numbers: Digits) -> None:
    """What follows a move: nothing, rest, or a few turns."""
    count = numbers.pick(PAUSES)
    if count < 0:
        world.settle()
    else:
        world.turns(count)
