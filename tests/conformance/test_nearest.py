"""What brings the model to where a cluster came: nothing, another choice, another order; or nothing at all."""

from dataclasses import replace
from typing import Any

from pvkit.backends.mutants.registry import MutantModel, named
from pvkit.backends.objects import Key, Obj, deleting, name, phase
from pvkit.backends.protocol import Backend, Departure, Event, Operation
from pvkit.backends.reference.model import ReferenceModel
from pvkit.conformance.execute import execute
from pvkit.conformance.history import History
from pvkit.conformance.nearest import Nearest
from pvkit.conformance.twins import uids_of
from pvkit.strategies.plan import Plan, Settle
from tests.backends.reference.builders import claim, node, pod, stateful_set, storage_class, volume


def plan_of(*steps: Any) -> Plan:
    made = (Operation("create", step) if isinstance(step, dict) else step for step in steps)
    return Plan(tuple(made), replace(Plan(()).setup, nodes=(node("n1"),)))


def went(plan: Plan, *departures: Departure, backend: Backend | None = None) -> History:
    """What another backend does, or the model with other choices than its own: in place of a cluster."""
    return execute(replace(plan, schedule=departures), backend or ReferenceModel())


def nearest(plan: Plan, theirs: History) -> Nearest:
    return Nearest(ReferenceModel(), plan, theirs, uids_of(execute(plan, ReferenceModel())))


def seen(history: History, kind: str) -> list[Obj]:
    objects = [entry.object for entry in history.entries if isinstance(entry, Event)]
    return [obj for obj in objects if obj["kind"] == kind]


def running(history: History) -> set[str]:
    return {name(obj) for obj in seen(history, "Pod") if phase(obj) == "Running"}


RIVALS = plan_of(
    storage_class("late", "kubernetes.io/no-provisioner", late=True),
    claim("a", cls="late"), claim("b", cls="late"), pod("p", "a"), pod("q", "b"),
    Settle(), volume("v", cls="late"), Settle(),
)  # fmt: skip
"""Two pods wait for one volume, and either may have it."""


def test_what_is_the_same_needs_nothing() -> None:
    found = nearest(RIVALS, went(RIVALS))
    assert (found.kind, found.gap.size) == ("same", ())


def test_another_choice_is_found() -> None:
    chosen = [went(RIVALS, Departure("tie", at, 1)) for at in range(6)]
    theirs = next(history for history in chosen if running(history) != running(went(RIVALS)))
    assert running(theirs) < {"p", "q"}
    assert nearest(RIVALS, theirs).kind == "choice"


def test_a_controller_that_was_quicker_is_found() -> None:
    steps = (storage_class("made"), claim("c", cls="made"), Settle())
    (made,) = {name(obj) for obj in seen(went(plan_of(*steps)), "PersistentVolume")}
    patch = Operation(
        "patch",
        target=Key("PersistentVolume", "", made),
        patch={"status": {"phase": "Released"}},
        options={"subresource": "status"},
    )
    plan = plan_of(*steps, patch, Settle())
    theirs = went(plan, *(Departure("turn", at, "provisioner") for at in range(1000)))
    assert deleting(seen(theirs, "PersistentVolume")[-1])
    assert not deleting(seen(went(plan), "PersistentVolume")[-1])
    assert nearest(plan, theirs).kind == "order"


def test_what_a_broken_one_does_is_nowhere_near() -> None:
    plan = plan_of(
        volume("v"), claim("c"), Settle(), Operation("delete", target=Key("PersistentVolumeClaim", "default", "c")),
        Settle(),
    )  # fmt: skip
    found = nearest(plan, went(plan, backend=MutantModel(named("never-released"))))
    assert found.kind == "different"
    assert [str(entry) for entry in found.gap.left] == [
        "PersistentVolume v status.phase: model 'Released', live 'Bound'"
    ]


def without_pods(history: History) -> History:
    kept = [entry for entry in history.entries if not (isinstance(entry, Event) and entry.object["kind"] == "Pod")]
    return History(history.header, kept)


def test_a_rest_at_which_only_the_cluster_backs_off_is_set_aside_and_told() -> None:
    plan = plan_of(stateful_set("web", replicas=1), Settle())
    found = nearest(plan, without_pods(went(plan)))
    assert found.kind == "same"
    assert found.gap.delayed == ("settle: not compared: a set waits out a long back-off",)


def test_a_rest_at_which_nobody_backs_off_is_compared() -> None:
    plan = plan_of(pod("p"), Settle())
    found = nearest(plan, without_pods(went(plan)))
    assert ([str(entry) for entry in found.gap.left], found.gap.delayed) == (
        ["Pod default/p : model 'there', live 'absent'"],
        (),
    )
