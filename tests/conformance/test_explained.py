"""Which rule could have made a write: nearly all of the model's own, and none for what a broken model writes."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded

from pvkit.backends.mutants.registry import MutantModel, named
from pvkit.backends.objects import Key, key, put
from pvkit.backends.protocol import Backend, Event
from pvkit.backends.reference.instance import Instance
from pvkit.backends.reference.model import ReferenceModel
from pvkit.backends.reference.rules import Effect, Rule
from pvkit.backends.storage import PROVISIONED_BY
from pvkit.conformance.commands.replay import located
from pvkit.conformance.execute import execute
from pvkit.conformance.explained import Unexplained, Walk, explain
from pvkit.conformance.fidelity import FEATURES
from pvkit.conformance.fidelity_run import Account
from pvkit.conformance.history import History
from pvkit.conformance.reporters.fidelity import Comparisons, render
from pvkit.strategies.plan import Plan
from pvkit.strategies.plan_file import read_plans
from pvkit.strategies.plans import plans


def explained(backend: Backend, count: int) -> tuple[int, list[Unexplained]]:
    """How many writes were explained over some drawn plans, and which were not."""
    sample: list[Plan] = []

    @seeded(3)
    @settings(max_examples=count, phases=(Phase.generate,), suppress_health_check=list(HealthCheck))
    @given(plans(features=FEATURES, faults=False))
    def draw(plan: Plan) -> None:
        sample.append(plan)

    draw()
    seen, left = 0, list[Unexplained]()
    for plan in sample:
        rules, unexplained, _, _ = explain(execute(plan, backend))
        seen += rules.total()
        left += unexplained
    return seen, left


def test_all_writes_of_the_model_are_those_of_its_rules() -> None:
    seen, left = explained(ReferenceModel(), 10)
    assert seen > 200
    assert not left, [(entry.event.type, key(entry.event.object)) for entry in left]


def test_what_no_rule_would_write_is_told_with_its_neighbours() -> None:
    _, left = explained(MutantModel(named("class-ignored")), 10)
    bound = [entry for entry in left if entry.event.object["kind"] == "PersistentVolume"]
    assert bound
    assert bound[0].actor == "binder"
    assert all(len(entry.neighbours) in (2, 3, 4) for entry in bound)


def test_what_is_not_looked_at_is_counted_by_its_reason() -> None:
    model = ReferenceModel()
    _, _, unlooked, _ = explain(execute(Plan(()), model))
    assert set(unlooked) <= {"heartbeats and taints of nodes", "the status of namespaces"}


def volume(uid: str, resource_version: str, made_by: str = "somebody") -> Event:
    """A volume that a provisioner made, seen."""
    metadata = {
        "name": "pvc-1", "uid": uid, "resourceVersion": resource_version, "annotations": {PROVISIONED_BY: made_by}
    }  # fmt: skip
    spec = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "csi": {"volumeHandle": "pvc-1"}}
    kind = "MODIFIED" if resource_version != "1" else "ADDED"
    return Event(int(resource_version), kind, {"kind": "PersistentVolume", "metadata": metadata, "spec": spec})


def bound() -> History:
    """A history in which the binder writes."""
    (plan,) = read_plans(located("walkthrough"))
    return execute(replace(plan, steps=plan.steps[:5]), ReferenceModel())


def test_a_pass_that_ends_in_an_error_is_counted_and_makes_what_it_leaves_unexplained_undecided(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decide = Instance.decide

    def broken(self: Instance, at: Key) -> tuple[Rule | None, Effect]:
        if self.controller.name == "binder":
            raise KeyError(at)
        return decide(self, at)

    history = bound()
    monkeypatch.setattr(Instance, "decide", broken)
    _, left, _, broken_off = explain(history)
    assert broken_off["binder (KeyError)"]
    assert {entry.actor: entry.broken_off for entry in left} == {"binder": ("binder (KeyError)",)}
    account = Account("plans", unexplained=left, broken_off=broken_off)
    told = render(Comparisons("a cluster", "1.36", 1, "pvkit fidelity", [account]))
    assert "an error, and explain nothing" in told
    assert "undecided: passes of the model ended in an error: binder (KeyError)" in told


def test_no_pass_ends_in_an_error_where_all_is_explained() -> None:
    _, left, _, broken_off = explain(bound())
    assert (left, broken_off) == ([], {})


def test_storage_behind_a_volume_stays_as_it_is_when_the_volume_changes() -> None:
    walk = Walk(History(bound().header, []))
    events = [volume("u1", "1"), volume("u1", "2")]
    walk.take(0, events)
    assets = walk.engine.store.tables["Asset"]
    (at,) = assets.objects
    assets.change(at, put(assets.objects[at], ("spec", "claim"), "c"))
    walk.take(1, events)
    assert assets.objects[at]["spec"]["claim"] == "c"


def test_each_view_is_looked_at_with_both_clocks(monkeypatch: pytest.MonkeyPatch) -> None:
    walk, events = Walk(History(bound().header, [])), [volume("u1", "1"), volume("u2", "1")]
    walk.take(0, events[:1])
    clocks: list[float] = []
    monkeypatch.setattr(walk, "_now", lambda *_: clocks.append(walk.engine.clock.now) or set())
    walk._explaining(Event(2, "ADDED", {"kind": "Pod", "metadata": {"name": "p", "namespace": "default"}}), None)
    steps = [after - before for before, after in zip(clocks[::2], clocks[1::2], strict=True)]
    assert len(clocks) > 2
    assert set(steps) == {-1.0}
