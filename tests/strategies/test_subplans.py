"""Parts of a plan: what they keep, and what a search among them comes down to."""

from typing import Any

from hypothesis import HealthCheck, find, given, settings
from hypothesis import strategies as st

from pvkit.backends.objects import Key, Obj
from pvkit.backends.protocol import Departure, Fault, Operation, Setup
from pvkit.strategies.plan import Plan, Settle
from pvkit.strategies.plans import plans
from pvkit.strategies.subplans import plainer_plans, subplans

QUIET = settings(database=None, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
CLAIM: Obj = {
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "c1", "namespace": "default", "labels": {"app": "web", "tier": "data"}},
    "spec": {"accessModes": ["ReadWriteOnce", "ReadOnlyMany"], "volumeName": "v1"},
}
WHOLE = Plan(
    (
        Operation("create", CLAIM),
        Settle(),
        Operation("delete", target=Key("PersistentVolumeClaim", "default", "c1"), options={"grace": 0}),
        Fault("crash", {"controller": "binder"}),
        Settle(),
    ),
    Setup(nodes=({"metadata": {"name": "n1"}}, {"metadata": {"name": "n2"}}), options={"resync": False}),
    (Departure("turn", 0, "binder"), Departure("tie", 1, "1")),
)


@QUIET
@given(st.data())
def test_a_part_has_steps_of_the_whole_in_their_order(data: st.DataObject) -> None:
    whole = data.draw(plans("smoke"))
    part = data.draw(subplans(whole))
    left = iter(whole.steps)
    assert all(any(step == entry for entry in left) for step in part.steps)
    assert set(part.setup.options) <= set(whole.setup.options)
    assert part.setup.nodes[:1] == whole.setup.nodes[:1]


def test_what_does_not_matter_is_left_out() -> None:
    found = find(subplans(WHOLE), lambda plan: any(isinstance(step, Fault) for step in plan.steps), settings=QUIET)
    assert found == Plan((WHOLE.steps[3],), Setup(nodes=WHOLE.setup.nodes[:1]))


def test_a_departure_and_a_setting_stay_where_they_matter() -> None:
    def matters(plan: Plan) -> bool:
        return WHOLE.schedule[1] in plan.schedule and "resync" in plan.setup.options

    found = find(subplans(WHOLE), matters, settings=QUIET)
    assert (found.steps, found.schedule, found.setup.options) == ((), WHOLE.schedule[1:], {"resync": False})


def test_fields_that_do_not_matter_are_left_out() -> None:
    def matters(plan: Plan) -> bool:
        made: Any = plan.steps[0]
        return "ReadOnlyMany" in made.object["spec"].get("accessModes", [])

    found = find(plainer_plans(WHOLE), matters, settings=QUIET)
    assert found.steps[0] == Operation(
        "create",
        {**CLAIM, "metadata": {"name": "c1", "namespace": "default"}, "spec": {"accessModes": ["ReadOnlyMany"]}},
    )
    assert found.steps[2] == Operation("delete", target=Key("PersistentVolumeClaim", "default", "c1"))
    assert (found.steps[3:], found.setup, found.schedule) == (WHOLE.steps[3:], WHOLE.setup, WHOLE.schedule)
