"""Whole plans, drawn along the reference model.

A plan is a list of moves, each a run of bytes. What a move does is decided by its bytes and by what exists when its
turn comes, which the model says; so a plan refers to things that are there, or on purpose are not, and a move that is
taken away leaves the others readable. Each plan draws which features take part (a swarm), a world to begin in, and a
schedule; all of them shrink to nothing.
"""

from collections.abc import Sequence
from functools import cache

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from pvkit.backends.errors import UsageError
from pvkit.backends.objects import Obj
from pvkit.backends.protocol import DEFAULT_KUBERNETES, KUBERNETES_VERSIONS, Setup
from pvkit.strategies.digits import Digits
from pvkit.strategies.features import FEATURES, THEMES, known
from pvkit.strategies.moves.registry import Move, maker_for, table
from pvkit.strategies.naive import naive_plans
from pvkit.strategies.plan import Plan
from pvkit.strategies.schedules import arranged, departure
from pvkit.strategies.volumes import HOSTNAME, ZONE
from pvkit.strategies.world import World

__all__ = ["PROFILES", "naive_plans", "plans"]

PROFILES = {"smoke": (8, 16), "default": (20, 32), "full": (30, 60)}
"""How many moves a plan of a profile is drawn from at most, and how many steps it has at most."""

CHOICES, KEEPS = 24, 9
"""Bytes of a move: its choices, after the one that says which move it is, and one for each of its steps."""
BLOCK = 1 + CHOICES + KEEPS
"""Bytes of a move, and of a plan's head: Hypothesis copies blocks of equal length, and no copy is wasted."""
MASK = (len(FEATURES) + 7) // 8
"""Bytes of the head that say which features take part."""
MOST_DEPARTURES = 3

NODES: tuple[Obj, ...] = (
    {"metadata": {"name": "n1", "labels": {HOSTNAME: "n1", ZONE: "a", "rank": "5"}}},
    {"metadata": {"name": "n2", "labels": {HOSTNAME: "n3", ZONE: "b", "rank": "1"}}},
    {"metadata": {"name": "n3", "labels": {HOSTNAME: "n2", ZONE: "a"}}},
)
"""The nodes: names and hostnames differ crosswise, so that one taken for the other shows."""


def plans(
    profile: str = "default", features: Sequence[str] | None = None, faults: bool = True, about: Sequence[str] = ()
) -> SearchStrategy[Plan]:
    """Plans of one to a few dozen steps, in which some of the features take part (default: of all), with disturbances.

    Three of four dwell on the features of `about`, if there are any. Shrinks to few steps, plain objects, no
    disturbance and the empty schedule. Raises `UsageError` for an unknown profile or feature.
    """
    if profile not in PROFILES:
        raise UsageError(f"unknown profile {profile!r}; choose from {', '.join(PROFILES)}")
    theme = frozenset(known(tuple(about), faults)) if about else frozenset[str]()
    return _plans(profile, known(tuple(features) if features is not None else None, faults), theme)


@cache
def _plans(profile: str, features: tuple[str, ...], about: frozenset[str]) -> SearchStrategy[Plan]:
    most_moves, most_steps = PROFILES[profile]
    themes = (*THEMES, *(about for _ in range(3 * len(THEMES)) if about))
    block = st.binary(min_size=BLOCK, max_size=BLOCK)
    moves = st.lists(block, min_size=4, max_size=most_moves, unique=True)
    return st.tuples(block, moves).map(lambda drawn: plan_of(*drawn, features, themes, most_steps))


def plan_of(
    head: bytes, moves: list[bytes], features: tuple[str, ...], themes: Sequence[frozenset[str]], most_steps: int
) -> Plan:
    """The plan that was drawn: `head` says what takes part, where and in which order; the rest are moves."""
    mask = int.from_bytes(head[:MASK], "big")
    swarm = frozenset(feature for number, feature in enumerate(FEATURES) if feature in features and mask >> number & 1)
    numbers = Digits(head[MASK:])
    theme = numbers.pick(themes)
    swarm |= theme.intersection(features)
    setup = _setup(numbers, swarm)
    departures = [departure(numbers) for _ in range(numbers.number(MOST_DEPARTURES + 1))]
    schedule = arranged(departures) if "order" in swarm else ()
    world = World(setup, schedule, swarm, most_steps, theme)
    world.used.update({"order"} if schedule else (), {"settings"} if setup.options or setup.gates else ())
    pool = table(swarm, theme)
    for drawn in moves:
        make(pool, world, drawn)
    return Plan(tuple(world.steps), setup, schedule, features=tuple(entry for entry in FEATURES if entry in world.used))


def make(pool: tuple[Move, ...], world: World, drawn: bytes) -> None:
    """Make the move that was drawn, or, when it finds nothing to act on, the one that makes something."""
    chosen, numbers, before = pool[drawn[0] * len(pool) >> 8], drawn[1 : 1 + CHOICES], len(world.steps)
    world.begin(drawn[1 + CHOICES :])
    chosen(world, Digits(numbers))
    if len(world.steps) == before:
        maker_for(chosen)(world, Digits(numbers))


def _setup(numbers: Digits, swarm: frozenset[str]) -> Setup:
    """One node and the current version, unless the features say otherwise."""
    count, version, setting = 1 + numbers.number(3), numbers.number(256), numbers.number(256)
    several = swarm & {"nodes", "affinity", "outages"}
    options: Obj = {}
    gates: dict[str, bool] = {}
    if "settings" in swarm:
        options = dict(numbers.pick(SETTINGS))
        gates = dict(numbers.pick(GATES))
    versions = (DEFAULT_KUBERNETES, *(entry for entry in KUBERNETES_VERSIONS if entry != DEFAULT_KUBERNETES))
    return Setup(
        kubernetes_version=versions[max(version - 192, 0) * len(versions) >> 6] if "settings" in swarm else versions[0],
        nodes=NODES[: count if several else 1],
        namespaces=("other",) if "namespaces" in swarm and setting >= 16 else (),
        gates=gates,
        options=options,
    )


SETTINGS: tuple[Obj, ...] = (
    {},
    {},
    {},
    {},
    {"stopping-seconds": 10},
    {"resync": False},
    {"dynamic-provisioning": False},
    {"node-grace-seconds": 100},
)
GATES: tuple[dict[str, bool], ...] = ({}, {}, {}, {"MaxUnavailableStatefulSet": True}, {"VolumeAttributesClass": False})
