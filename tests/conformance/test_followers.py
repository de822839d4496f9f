"""Followers, and invariants that ask for one type of event only."""

from pvkit.backends.protocol import Operation, Settled
from pvkit.conformance.history import Asked, Change, State
from pvkit.conformance.invariant import HELD, Findings, Level, Memory, Scope, Violation, invariant
from pvkit.conformance.judge import judge
from tests.conformance.histories import Story, history_of


class Counter:
    """Counts what it is shown."""

    def __init__(self) -> None:
        self.events = self.steps = 0

    def take(self, change: Change) -> None:
        """One more event."""
        self.events += 1

    def hear(self, entry: Asked | Settled, state: State) -> None:
        """One more step or wait."""
        self.steps += 1


def counting(id: str) -> object:
    """An invariant that tells what the counter has seen so far."""

    @invariant(id, scope=Scope.SETTLED, level=Level.UPSTREAM, source="a test", follows=(Counter,))
    def count(state: State, memory: Memory) -> Findings:
        """Tells how much was seen."""
        seen = state.follow(Counter)
        yield Violation(f"{seen.events} events, {seen.steps} steps")

    return count


def story() -> Story:
    """A node appears, changes and goes; then all is at rest."""
    found = Story()
    node = found.added({"kind": "Node", "metadata": {"name": "n"}})
    found.asked(Operation("create"))
    found.deleted(found.modified(node))
    found.settled()
    return found


def test_a_follower_sees_everything_before_it_is_asked_and_once_for_all() -> None:
    results = judge(history_of(story()), [counting("A-1"), counting("A-2")])  # type: ignore[list-item]
    assert [result.violations[0].message for result in results] == ["3 events, 2 steps"] * 2


@invariant("A-3", scope=Scope.EACH_STEP, level=Level.UPSTREAM, source="a test", on=("Node MODIFIED", "Node DELETED"))
def not_the_first(change: Change, memory: Memory) -> Findings:
    """Holds for every change but the first."""
    yield HELD


def test_an_invariant_is_shown_only_the_types_that_it_asked_for() -> None:
    (result,) = judge(history_of(story()), [not_the_first])
    assert result.held == 2
