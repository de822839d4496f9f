"""Invariants: promises with an id, a level, a scope and a source, each one small generator.

An invariant yields, it does not assert: `HELD` when its premise held, `AT_RISK` when it could have failed there (a
choice among two fitting volumes, a retention rule with a bound claim), and a `Violation` with its witnesses when it
did. So every breach is reported, a rule that was never exercised is known, and a crash in a check is no breach.

    @invariant("PVB-001", scope=Scope.ALWAYS, level=Level.CONTRACT, source="website: Binding", on=("PersistentVolume",))
    def volume_serves_one_claim(change: Change, memory: Memory) -> Findings:
        \"\"\"No two claims name the same volume.\"\"\"

`on` lists the kinds whose changes it wants to see, or one type of them (`Pod ADDED`). `memory` is a dict of its own
that lives as long as the history; what it keeps there must not grow with the length of the history, only with what
exists. `Scope.ALWAYS` judges the state after a change, `Scope.EACH_STEP` the change itself, `Scope.SETTLED` the state
once all is quiet and nothing disturbs; a settled invariant takes `(state, memory)`, and `on=("Asked",)`, or
`("Asked create",)` for one verb, makes an invariant of answers, which takes `(asked, state, memory)`.

`when` is a plain function of the same evidence without the memory (`change`, `state`, or `asked, state`): where it is
false the invariant is not asked. It is worked out once an entry for all invariants that name the same function, so
most entries cost a promise nothing; put there what the promise begins with. One that can only be true where a certain
part of the object changed says so by `@of_change_in("spec")`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar

from pvkit.backends.objects import Obj
from pvkit.backends.protocol import KUBERNETES_VERSIONS
from pvkit.conformance.history import Follower


class Scope(Enum):
    """When an invariant is judged."""

    ALWAYS = "always"
    EACH_STEP = "each step"
    SETTLED = "settled"


class Level(Enum):
    """Who promises it: the documentation, or only what Kubernetes does today."""

    CONTRACT = "contract"
    UPSTREAM = "upstream"


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken promise: what was seen against what was expected, and the objects that show it."""

    message: str
    witnesses: tuple[Obj, ...] = ()


class Mark(Enum):
    """What an invariant yields besides violations."""

    HELD = "held"
    AT_RISK = "at risk"


HELD, AT_RISK = Mark.HELD, Mark.AT_RISK
"""The premise held here; it held and the promise could have been broken here (counts as held too)."""

Memory = dict[Any, Any]
Findings = Iterator[Violation | Mark]
Check = Callable[..., Findings]
When = Callable[..., object]


@dataclass(frozen=True, slots=True, eq=False)
class Invariant:
    """One promise. `needs` names evidence without which it is UNKNOWN: `order` (one order over all kinds), `ledgers`,
    `data` (of these, what pods wrote and found).

    `lacks` names capabilities of `Description.lacks` that make it NOT_SUPPORTED; `versions` the Kubernetes minors it
    holds for. `follows` are the followers it asks (`State.follow`). `when` is the condition on which it is asked.
    """

    id: str
    scope: Scope
    level: Level
    source: str
    on: tuple[str, ...]
    check: Check
    needs: frozenset[str]
    versions: tuple[str, ...]
    tags: frozenset[str]
    follows: tuple[type[Follower], ...] = ()
    when: When | None = None

    @property
    def sentence(self) -> str:
        """The promise in English: the first line of the docstring."""
        return (self.check.__doc__ or "").strip().split("\n")[0]

    @property
    def name(self) -> str:
        """The name of its function."""
        return self.check.__name__

    @property
    def topic(self) -> str:
        """The file it stands in."""
        return self.check.__module__.rpartition(".")[2]


PARTS = ("spec", "status", "annotations")
"""Parts of an object of which a change may have left some untouched."""

_PARTS_OF: dict[When, frozenset[str]] = {}

C = TypeVar("C", bound=When)


def of_change_in(*parts: str) -> Callable[[C], C]:
    """Say of a condition that only a change in one of these parts can make it true; else it is not even looked at."""

    def declare(when: C) -> C:
        _PARTS_OF[when] = frozenset(parts)
        return when

    return declare


def parts_of(when: When | None) -> frozenset[str]:
    """The parts of which one has to change to make a condition true; none where that is not said."""
    return _PARTS_OF.get(when, frozenset()) if when is not None else frozenset()


def invariant(
    id: str,
    *,
    scope: Scope,
    level: Level,
    source: str,
    on: tuple[str, ...] = (),
    needs: tuple[str, ...] = (),
    versions: tuple[str, ...] = KUBERNETES_VERSIONS,
    tags: tuple[str, ...] = (),
    follows: tuple[type[Follower], ...] = (),
    when: When | None = None,
) -> Callable[[Check], Invariant]:
    """Declare an invariant; see the module's own text for the shapes of its function."""

    def declare(check: Check) -> Invariant:
        if not (check.__doc__ or "").strip():
            raise TypeError(f"{id} has no sentence: its function needs a docstring")
        if bool(on) == (scope is Scope.SETTLED):
            raise TypeError(f"{id}: `on` names kinds of events, and a settled invariant has none")
        if len({word.startswith("Asked") for word in on}) > 1:
            raise TypeError(f"{id}: an invariant of answers takes other evidence than one of changes")
        return Invariant(
            id, scope, level, source, on, check, frozenset(needs), versions, frozenset(tags), follows, when
        )

    return declare
