"""Rules, and the controllers that are made of them.

A rule looks at one object as its controller has seen it and answers with one effect, or with `None` when its guard
does not hold. A controller gives, for each kind of key in its queues, the rules in the order in which they are tried:
the first that answers decides. After a write the same key is tried again from the top, so a pass over an object is a
chain of single writes, and a crash between any two of them needs no code. All state between two writes is in the
API objects, except what a controller keeps in `Seen.memory`, which a crash wipes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pvkit.backends.objects import Key, Obj

if TYPE_CHECKING:
    from pvkit.backends.reference.view import Seen

WriteVerb = Literal["create", "update", "update-status", "delete"]


@dataclass(frozen=True, slots=True)
class Write:
    """One request to the API server.

    An update carries the resourceVersion of `object` unless `blind`; a delete names `object`'s key and, unless
    `blind`, its UID. `tolerate` lists reasons of refusal that count as success (`NotFound`, `AlreadyExists`).
    `say` is a Kubernetes Event (type, reason, message) recorded once the write succeeded, `said_of` its object.
    `refused` gives the effect that answers a refusal, by reason; without one a refusal is a sync error.
    `options` go to the API server as they are (`propagation`, `grace`).
    """

    verb: WriteVerb
    object: Obj
    blind: bool = False
    tolerate: tuple[str, ...] = ()
    say: tuple[str, str, str] | None = None
    said_of: Obj | None = None
    remember: Callable[[Obj], None] | None = None
    refused: Callable[[str], Effect | None] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stop:
    """The pass over this key ends well; only an event, a timer or a resync brings it back."""


@dataclass(frozen=True, slots=True)
class Fail:
    """The pass ends with an error: the key comes back after a back-off."""

    message: str


@dataclass(frozen=True, slots=True)
class After:
    """The pass ends; the key (`key`, or the current one) comes back after so many seconds."""

    seconds: float
    key: Key | None = None


@dataclass(frozen=True, slots=True)
class Wake:
    """The pass ends; another key of this controller is queued."""

    key: Key


@dataclass(frozen=True, slots=True)
class Say:
    """Record a Kubernetes Event about an object, then go on with the next rule.

    The same words about the same object are recorded once: real clusters merge them, and no judge may count them.
    """

    about: Obj
    type: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Again:
    """Write nothing and try the rules again from the top: a refusal was taken note of, and the pass goes on."""


Effect = Write | Stop | Fail | After | Wake | Say | Again
STOP, AGAIN = Stop(), Again()

Body = Callable[["Seen", Key], Effect | None]
Handler = Callable[["Obj | None", "Obj | None", "Seen"], Iterable[Key]]


class Rule:
    """A guarded step of the model: an id from the semantics catalogue, its kind of key, and a sentence."""

    __slots__ = ("body", "id", "on", "sentence")

    def __init__(self, id: str, on: str, body: Body) -> None:
        self.id, self.on, self.body = id, on, body
        self.sentence = (body.__doc__ or "").strip().split("\n")[0]

    def __repr__(self) -> str:
        return f"<rule {self.id} on {self.on}>"


def rule(id: str, *, on: str) -> Callable[[Body], Rule]:
    """Declare a rule; the first line of its docstring is the rule in English."""

    def declare(body: Body) -> Rule:
        return Rule(id, on, body)

    return declare


@dataclass(eq=False)
class Controller:
    """A control loop: what it watches, which keys an event queues, and the rules for each kind of key.

    Each kind of key in `rules` has a queue and a worker of its own, as the real controllers have. `watches` maps each
    kind that is watched to a handler `(old, new, seen) -> keys to queue`. `resync` is the period in seconds after
    which all objects of the kinds in `rules` are queued again, 0 for never. `own_writes`: the answer to a write
    replaces the cached object at once (RACE-04), as opposed to when its event arrives.
    """

    name: str
    rules: Mapping[str, tuple[Rule, ...]]
    watches: Mapping[str, Handler]
    resync: float = 0.0
    own_writes: bool = False
    retries_since: int = 0
    """The minor version since which a failed pass comes back after a back-off (TIME-02)."""
    each_node: bool = False
    """Whether one copy runs on each node (`Seen.node`), as kubelets do."""
    operations: frozenset[str] = frozenset()
    """Kinds of key that are worked on beside the queues: a failure brings nothing back, the next resync does."""
    rival: Callable[[Obj, Seen], bool] = field(default=lambda obj, seen: False)
    """Whether an object may want what others want, too: which of these a resync takes first is left to chance."""
    start: Callable[[dict[str, Any]], None] = field(default=lambda memory: None)
    """Fills a fresh memory after a start or restart."""


def itself(old: Obj | None, new: Obj | None, seen: Seen) -> Iterable[Key]:
    """The plainest handler: an event about an object queues that object."""
    from_either = new if new is not None else old
    assert from_either is not None
    metadata = from_either["metadata"]
    return (Key(from_either["kind"], metadata.get("namespace", ""), metadata["name"]),)


def nothing(old: Obj | None, new: Obj | None, seen: Seen) -> Iterable[Key]:
    """A kind that is cached but wakes nobody."""
    return ()
