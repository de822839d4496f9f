"""A cluster in the hands of Hypothesis: a state machine for tests of one's own, and for looking around.

    from pvkit.conformance.state_machine import ClusterMachine
    class Shelf(ClusterMachine):
        spec = "package.module:Class"         # what `pvkit run --backend` takes
        judged = ("binding", "PVB-056")       # what `--include` takes; () for all promises
    TestShelf = Shelf.TestCase

Rules of your own may stand beside these; `do` carries out any step. `pvkit run` finds more, and shrinks it further.
"""

from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pvkit.backends.objects import API_VERSIONS, LEDGERS, Key, key
from pvkit.backends.protocol import Backend, Budget, Fault, Operation, Setup
from pvkit.backends.registry import open_backend
from pvkit.conformance.catalogue import selected
from pvkit.conformance.execute import blamed, carry_out
from pvkit.conformance.history import Header, History
from pvkit.conformance.judge import Judge
from pvkit.conformance.notes import Notes
from pvkit.strategies import claims, classes, disturbances, operations, pods, statefulsets, volumes
from pvkit.strategies.plan import Plan, Settle, Step, Turns
from pvkit.strategies.plan_text import write_plan
from pvkit.strategies.plans import NODES

OBJECTS = volumes.volumes() | claims.claims() | classes.classes() | pods.pods() | statefulsets.statefulsets()
PAUSES = st.just(Settle()) | st.builds(Turns, st.integers(1, 20)) | disturbances.faults()


class ClusterMachine(RuleBasedStateMachine):
    """Creates, changes, deletes, disturbs and waits; after each step, and at rest at last, the promises must hold."""

    spec: ClassVar[str] = "reference"
    judged: ClassVar[tuple[str, ...]] = ()
    world: ClassVar[Setup] = Setup(nodes=NODES[:1])

    def __init__(self) -> None:
        super().__init__()
        self.backend, self.steps, self._heard, self._told = self.opened(), list[Step](), 0, False
        with blamed(self.backend):
            self.backend.reset(self.world)
            self.history = History(Header(self.world, self.backend.describe(), "", type(self).__name__))
            self._notes = Notes(self.backend, self.history.entries)
        self.judge = Judge(self.history.header, selected(self.judged))

    def opened(self) -> Backend:
        """The backend of one example; `teardown` closes it."""
        return open_backend(self.spec)

    def existing(self) -> list[Key]:
        """The objects that there are, and that a client can ask about."""
        return [key(obj) for kind in API_VERSIONS if kind not in LEDGERS for obj in self.judge.state.all(kind)]

    @rule(step=OBJECTS.map(lambda obj: Operation("create", obj)) | PAUSES)
    def do(self, step: Step) -> None:
        """Carry out a step and judge what came of it."""
        self.steps.append(step)
        with blamed(self.backend):
            carry_out(len(self.steps) - 1, step, self.backend, Budget(), self._notes)
        for entry in self.history.entries[self._heard :]:
            self.judge.feed(entry)
        self._heard = len(self.history.entries)

    @precondition(lambda self: self.existing())
    @rule(data=st.data())
    def request(self, data: st.DataObject) -> None:
        """Read, change, scale or delete something that exists."""
        self.do(data.draw(operations.operations(self.existing()), "request"))

    @invariant()
    def promises_hold(self) -> None:
        """No promise is broken so far; what fails is told with a plan that `pvkit replay` reads."""
        broken = [result for result in self.judge.finish() if result.broken]
        self._told = bool(broken)
        told = [f"{entry.invariant.id}: {entry.invariant.sentence} {entry.violations[0].message}" for entry in broken]
        if broken:
            plan = write_plan(Plan(tuple(self.steps), self.world))
            raise AssertionError("\n".join([*told, "the plan:", plan]))  # pytest adds words of its own to an assert.

    def teardown(self) -> None:
        """Heal what was disturbed, let all come to rest, judge that too, and close the backend."""
        try:
            if not self._told:
                self.do(Fault("heal"))
                self.do(Settle())
                self.promises_hold()
        finally:
            self.backend.close()
