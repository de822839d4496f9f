"""Plans: what will be done, fixed before anything runs.

A plan is data: the world it starts in, its steps, and a schedule of departures from the default. The same plan runs
on the model in a millisecond and on a cluster in seconds, is a file that a person can read and send, and shrinks.
`plan_file` reads and writes it as YAML.
"""

from dataclasses import dataclass, field

from pvkit.backends.objects import Obj
from pvkit.backends.protocol import Departure, Fault, Operation, Setup


@dataclass(frozen=True, slots=True)
class Settle:
    """Wait until nothing more happens."""


@dataclass(frozen=True, slots=True)
class Turns:
    """Let the controllers take a few turns, so that the next operation falls between two of their writes."""

    count: int


@dataclass(frozen=True, slots=True)
class Expect:
    """Partial objects that must match what is there now.

    Each has `kind` and `metadata.name`. A field that is `None` must be absent, a list must match entry by entry, and
    `absent: True` at the top says that no such object may exist. A drawn plan expects nothing: that is for people.
    """

    objects: tuple[Obj, ...]


Step = Operation | Fault | Settle | Turns | Expect


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in a world. `expect` is for hand-written walk-throughs: partial objects that must match at the end.

    `features` names what the swarm chose to take part, for the report.
    """

    steps: tuple[Step, ...]
    setup: Setup = field(default_factory=Setup)
    schedule: tuple[Departure, ...] = ()
    name: str = ""
    expect: tuple[Obj, ...] = ()
    features: tuple[str, ...] = ()


def size(plan: Plan) -> int:
    """How many steps a person has to read: operations, faults and departures; pauses between them do not count."""
    return sum(not isinstance(step, Turns) for step in plan.steps) + len(plan.schedule)
