"""The world in which a plan is drawn: the reference model is run along, so that steps refer to what exists then.

A move looks at the objects, chooses among them and adds steps; each step is played at once. What a step refers to may
have gone by the time a faulty backend plays the plan: then it must fail in the documented manner.
"""

import threading
from collections.abc import Callable
from typing import Any

from pvkit.backends.objects import NAMESPACED, Key, Obj, deleting, key, name
from pvkit.backends.protocol import Budget, Departure, Fault, Operation, Outcome, Setup
from pvkit.backends.reference.model import ReferenceModel
from pvkit.strategies.digits import Digits
from pvkit.strategies.names import POOLS
from pvkit.strategies.plan import Settle, Step, Turns

SKIP_BELOW = 8
"""A step whose byte is smaller is left out: seldom when drawn, and always once it has shrunk to 0."""
BUDGET = Budget(turns=5_000)


_LOCAL = threading.local()


def _model() -> ReferenceModel:
    """The model of this thread: a plan is drawn from beginning to end before the next one begins."""
    if not hasattr(_LOCAL, "model"):
        _LOCAL.model = ReferenceModel()
    found: ReferenceModel = _LOCAL.model
    return found


class World:
    """Steps so far, and the model after them."""

    def __init__(
        self,
        setup: Setup,
        schedule: tuple[Departure, ...],
        features: frozenset[str],
        most_steps: int,
        theme: frozenset[str] = frozenset(),
    ) -> None:
        self.model = _model()
        self.model.reset(setup, schedule)
        self.setup, self.features, self.most_steps, self.theme = setup, features, most_steps, theme
        self.steps: list[Step] = []
        self.used: set[str] = set()
        self.buried: dict[Key, Obj] = {}
        self._made: dict[Key, Obj] = {}
        self._keep, self._at = b"", 0

    @property
    def full(self) -> bool:
        """Whether the plan is as long as it may be."""
        return len(self.steps) >= self.most_steps

    def begin(self, keep: bytes) -> None:
        """Begin a move; each of its steps takes a byte that says whether it stays, the last byte all that are left."""
        self._keep, self._at = keep, 0

    def has(self, feature: str) -> bool:
        """Whether a feature takes part; one that was asked for counts as used."""
        found = feature in self.features
        if found:
            self.used.add(feature)
        return found

    def _left_out(self) -> bool:
        at = self._at
        self._at = min(at + 1, len(self._keep) - 1)
        return self.full or not self._keep or self._keep[at] < SKIP_BELOW

    def invoke(self, operation: Operation) -> Outcome | None:
        """Add an operation; `None` when it is left out."""
        if self._left_out():
            return None
        self.steps.append(operation)
        outcome = self.model.invoke(operation)
        if operation.verb == "create" and operation.object is not None and outcome.object is not None:
            self._made[key(outcome.object)] = operation.object
        if operation.verb == "delete" and operation.target in self._made:
            self.buried[operation.target] = self._made[operation.target]
        return outcome

    def create(self, obj: Obj) -> Outcome | None:
        """Create an object."""
        return self.invoke(Operation("create", obj))

    def delete(self, at: Key, **options: Any) -> Outcome | None:
        """Delete an object."""
        return self.invoke(Operation("delete", target=at, options=options))

    def patch(self, at: Key, patch: Any, **options: Any) -> Outcome | None:
        """Patch an object."""
        return self.invoke(Operation("patch", target=at, patch=patch, options=options))

    def scale(self, at: Key, replicas: int) -> Outcome | None:
        """Set a set's replicas."""
        return self.invoke(Operation("scale", target=at, options={"replicas": replicas}))

    def settle(self) -> None:
        """Let all come to rest; twice in a row is once."""
        left_out = self._left_out()  # It takes its byte in any case: what comes after shrinks by itself.
        if not isinstance(self.steps[-1] if self.steps else Settle(), Settle) and not left_out:
            self.steps.append(Settle())
            self.model.settle(BUDGET)

    def turns(self, count: int) -> None:
        """Let controllers take a few turns."""
        if count and self.has("turns") and not self._left_out():
            self.steps.append(Turns(count))
            self.model.run(count)

    def fault(self, word: str, **options: Any) -> None:
        """Make a disturbance."""
        if not self._left_out():
            fault = Fault(word.replace("_", "-"), {name.replace("_", "-"): value for name, value in options.items()})
            self.steps.append(fault)
            self.model.disturb(fault)

    def objects(self, kind: str) -> list[Obj]:
        """The objects of a kind as they are now, in the order in which they came."""
        return list(self.model.engine.store.tables[kind].objects.values())

    def read(self, at: Key) -> Obj | None:
        """An object as it is now."""
        return self.model.engine.store.read(at)

    def pick(self, kind: str, numbers: Digits, where: Callable[[Obj], bool] = lambda obj: True) -> Obj | None:
        """One of the objects of a kind for which something holds; `None` when there is none."""
        found = [obj for obj in self.objects(kind) if where(obj)]
        at = numbers.number(max(len(found), 1))
        return found[at] if found else None

    def fresh(self, kind: str, numbers: Digits, namespace: str = "default") -> str:
        """A name of the pool that is not taken now, but perhaps was; any name when all are."""
        table = self.model.engine.store.tables[kind].objects
        where = namespace if kind in NAMESPACED else ""
        free = [called for called in POOLS[kind] if Key(kind, where, called) not in table]
        return numbers.pick(free or POOLS[kind])

    def namespace(self, numbers: Digits) -> str:
        """A namespace: `default` unless others take part."""
        others = numbers.number(256) >= 176 and bool(self.setup.namespaces) and self.has("namespaces")
        return self.setup.namespaces[0] if others else "default"

    def ensure(self, obj: Obj) -> None:
        """Create an object unless there is one of its name."""
        if self.read(key(obj)) is None:
            self.create(obj)

    def controllers(self) -> list[str]:
        """The names of the controllers that run, one for all copies of a kubelet."""
        return list(dict.fromkeys(called.split("@")[0] for called in self.model.engine.instances if "#" not in called))

    def watched(self, controller: str) -> list[str]:
        """The kinds that a controller has a view of."""
        found = [entry for entry in self.model.engine.controllers if entry.name == controller]
        return [kind for entry in found for kind in entry.watches if kind not in ("Asset", "Process")]

    def nodes(self) -> list[str]:
        """The nodes that are there and not cut off."""
        away = self.model.engine.world.get("cut-off", ())
        return [name(node) for node in self.objects("Node") if name(node) not in away and not deleting(node)]
