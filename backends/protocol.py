"""What passes between a plan, a backend and a history.

A backend is a cluster, real or imagined. It is asked by `Operation` (what a client asks an API server for) and
`Fault` (a disturbance), answers with an `Outcome`, and is watched through `Event`. What only some backends can do is
a small protocol of its own (`CanDisturb`, `CanStep`), and callers ask whether it is there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, Protocol, runtime_checkable

from pvkit.backends.errors import Cause
from pvkit.backends.objects import Key, Obj

VERBS = ("create", "get", "list", "update", "patch", "delete", "scale")

DEFAULT_KUBERNETES = "1.36"
KUBERNETES_VERSIONS = ("1.32", "1.33", "1.34", "1.35", "1.36", "1.37")


@cache
def _minor(version: str) -> int:
    return int(version.split(".")[1])


@dataclass(frozen=True, slots=True)
class Setup:
    """The world a plan starts in; fixed before anything runs.

    `nodes` are Node manifests, `namespaces` exist beside `default`, `gates` override feature gates by name, and
    `options` are named settings of components (`resync-seconds`, `dynamic-provisioning`, ...).
    """

    kubernetes_version: str = DEFAULT_KUBERNETES
    nodes: tuple[Obj, ...] = ()
    namespaces: tuple[str, ...] = ()
    gates: Mapping[str, bool] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def minor(self) -> int:
        """The minor version, 36 for 1.36."""
        return _minor(self.kubernetes_version)


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing a client asks for.

    `object` is the body of a create or update; `target` names the object of the other verbs; `patch` is a JSON merge
    patch (a mapping) or a JSON patch (a list). `options`: `subresource` (`status`), `propagation`, `grace` (seconds),
    `uid` and `version` (preconditions of a delete), `replicas` (scale), `selector` (list).
    """

    verb: str
    object: Obj | None = None
    target: Key | None = None
    patch: Any = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fault:
    """One disturbance: a fault word (`hold`, `crash`, ...) and what it applies to."""

    word: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the client was told: `ok` with the object, `failed` with a status, or `unknown` when no answer came.

    A fault that a backend cannot make answers `failed` with reason `NotSupported`.
    """

    status: Literal["ok", "failed", "unknown"]
    code: int = 200
    reason: str = ""
    message: str = ""
    causes: tuple[Cause, ...] = ()
    object: Obj | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One change that was observed: what was seen, not what happened.

    `index` counts events in the order of writes where the backend knows it, else in the order of arrival. `by` names
    the component that wrote, where known, and is "client" for the plan's own operations; `time` is in seconds.
    """

    index: int
    type: Literal["ADDED", "MODIFIED", "DELETED"]
    object: Obj
    by: str = ""
    time: float = 0.0


@dataclass(frozen=True, slots=True)
class Departure:
    """One point where a schedule leaves the default, which is fair and up to date.

    `turn`: at that turn of the model the worker named by `take` goes first, if it has work. `tie`: of that
    equal choice the option numbered `take` (counted round) wins.
    """

    point: Literal["turn", "tie"]
    at: int
    take: str | int


@dataclass(frozen=True, slots=True)
class Budget:
    """How long settling may last: turns of the model, seconds of the backend's clock.

    While faults are in force nothing needs to come to rest (two views that are held apart can quarrel for ever), so
    `disturbed_turns` limits the wait then.
    """

    turns: int = 20_000
    disturbed_turns: int = 1_000
    seconds: float = 4_000.0


@dataclass(frozen=True, slots=True)
class Settled:
    """The end of a wait: whether all was quiet, and the backend's clock in seconds.

    `disturbed` names the faults still in force; promises about settled states are judged only without any.
    """

    quiet: bool
    time: float
    reason: str = ""
    disturbed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Description:
    """What a backend says of itself.

    `ordered`: events of all kinds come in one order of writes. `ledgers`: the histories hold `Asset` and `Process`
    objects, all of them; `data`: those at least that tell what pods wrote and found. `lacks` gives a reason for each
    capability that cannot be exercised. `lag`: for how many seconds of its clock a healthy component may act on what is
    no longer so; 0 where, but for faults, all see every write at once.
    """

    implementation: str
    version: str
    kubernetes_version: str
    ordered: bool = True
    ledgers: bool = False
    lacks: Mapping[str, str] = field(default_factory=dict)
    lag: float = 5.0
    data: bool = False

    @property
    def shows_data(self) -> bool:
        """Whether the histories tell what pods wrote and found; all ledgers tell that, too."""
        return self.data or self.ledgers


class Backend(Protocol):
    """A cluster, real or imagined, that plays one plan after another."""

    def reset(self, setup: Setup, schedule: tuple[Departure, ...] = ()) -> None:
        """Begin a plan in a world that no other plan can touch."""

    def invoke(self, operation: Operation) -> Outcome:
        """Ask as a client and return the answer."""

    def settle(self, budget: Budget) -> Settled:
        """Wait until nothing more happens, within the budget."""

    def observe(self) -> list[Event]:
        """The events seen since the last call."""

    def describe(self) -> Description:
        """What this backend is and can do."""

    def close(self) -> None:
        """Leave nothing behind."""


@runtime_checkable
class CanDisturb(Protocol):
    """A backend that can make faults."""

    def fault_words(self) -> frozenset[str]:
        """The fault words it obeys."""

    def disturb(self, fault: Fault) -> Outcome:
        """Make the fault."""


@runtime_checkable
class CanStep(Protocol):
    """A backend whose controllers can be let go a few turns at a time."""

    def run(self, turns: int) -> None:
        """Let controllers take at most that many turns."""


@runtime_checkable
class TellsLate(Protocol):
    """A backend whose answers come at once and whose events a little later.

    It tells of no event before a wait has ended, and then of all up to that point; only then is it known where among
    them an answer belongs. What it says of itself is final when a plan has ended.
    """

    def moment(self) -> int:
        """A mark of the answer that was just given."""

    def events_before(self, moment: int) -> int:
        """How many of the plan's events, of those told so far, had been written before that answer came."""


@runtime_checkable
class Shares(Protocol):
    """A backend on whose cluster several plans are played at once, each on a backend of its own."""

    def beside(self) -> Backend:
        """Another backend on the same cluster."""

    def foresee(self, operations: Sequence[Operation]) -> None:
        """Hear what the next plan will ask for, before it begins: some plans cannot be side by side."""

    def leave(self) -> None:
        """End the plan under way, so that nothing of it meets the plans to come."""

    def limit(self, seconds: float) -> None:
        """Raise `OutOfTime` in every plan that is still under way after so many seconds from now."""


@runtime_checkable
class Refuses(Protocol):
    """A backend that cannot be every world that a plan may ask for."""

    def refuses(self, setup: Setup) -> str:
        """Why a plan's world cannot be had, "" if it can; `reset` raises `UsageError` in the first case."""
