"""Making a failing plan smaller: it fails as before, is as small as it gets, and the time is kept."""

from time import monotonic

from pvkit.backends.errors import BackendError
from pvkit.backends.protocol import Operation
from pvkit.conformance.shrink import shrunk
from pvkit.strategies.plan import Plan, Settle, Turns


def creation(name: str) -> Operation:
    return Operation("create", {"kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": {}})


WHOLE = Plan((creation("a"), Settle(), creation("b"), Turns(3), creation("c"), Settle(), creation("d")))


def names(plan: Plan) -> list[str]:
    return [step.object["metadata"]["name"] for step in plan.steps if isinstance(step, Operation) and step.object]


def test_steps_and_fields_go_that_do_not_matter() -> None:
    small = shrunk(WHOLE, lambda plan: {"a", "c"} <= set(names(plan)), 30.0)
    assert names(small) == ["a", "c"]
    assert small.steps == tuple(
        Operation("create", {"kind": "Pod", "metadata": {"name": name}, "spec": {}}) for name in ("a", "c")
    )


def test_a_plan_of_which_nothing_can_go_stays() -> None:
    def fails(plan: Plan) -> bool:
        return plan == WHOLE

    assert shrunk(WHOLE, fails, 30.0) == WHOLE


def test_each_plan_is_played_once() -> None:
    played: list[str] = []

    def fails(plan: Plan) -> bool:
        played.append(repr(plan))
        return "b" in names(plan)

    shrunk(WHOLE, fails, 30.0)
    assert len(played) == len(set(played)) > 1


def test_a_plan_at_which_the_backend_gives_up_is_none_that_fails() -> None:
    def fails(plan: Plan) -> bool:
        if "d" not in names(plan):
            raise BackendError("gone")
        return True

    assert names(shrunk(WHOLE, fails, 30.0)) == ["d"]


def test_without_time_the_plan_stays_as_it_was() -> None:
    before = monotonic()
    assert shrunk(WHOLE, lambda plan: True, 0.0) == WHOLE
    assert monotonic() - before < 5
