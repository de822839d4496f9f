"""Which rule could have made a write: nearly all of the model's own, and none for what a broken model writes."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded

from pvkit.backends.mutants.registry import MutantModel, named
from pvkit.backends.objects import Key, deleting, key, put
from pvkit.backends.protocol import Backend, Departure, Event, Operation
from pvkit.backends.reference.instance import Instance
from pvkit.backends.reference.model import ReferenceModel
from pvkit.backends.reference.rules import Effect, Rule
from pvkit.backends.storage import PROVISIONED_BY
from pvkit.conformance.commands.replay import located
from pvkit.conformance.execute import execute
from pvkit.conformance.explained import TAKEN, Unexplained, Walk, explain
from pvkit.conformance.fidelity import FEATURES
from pvkit.conformance.fidelity_run import Account
from pvkit.conformance.history import Entry, History
from pvkit.conformance.likeness import changes
from pvkit.conformance.reporters.fidelity import Comparisons, render
from pvkit.strategies.plan import Plan, Settle
from pvkit.strategies.plan_file import read_plans
from pvkit.strategies.plans import plans
from tests.backends.reference.builders import claim, storage_class


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


def deleted_at_a_glimpse() -> History:
    """A client calls a volume Released, the binder calls it Bound again, and a provisioner who saw the first ends it."""
    begun = Plan((Operation("create", storage_class("made")), Operation("create", claim("c", cls="made")), Settle()))
    objects = [entry.object for entry in execute(begun, ReferenceModel()).entries if isinstance(entry, Event)]
    at = next(key(obj) for obj in objects if obj["kind"] == "PersistentVolume")
    patch = Operation("patch", target=at, patch={"status": {"phase": "Released"}}, options={"subresource": "status"})
    first = tuple(Departure("turn", turn, "provisioner") for turn in range(1000))
    history = execute(replace(begun, steps=(*begun.steps, patch, Settle()), schedule=first), ReferenceModel())
    return History(history.header, list(with_the_binder_between(history)))


def with_the_binder_between(history: History) -> Iterator[Entry]:
    """As if the phase had been corrected as soon as the client had written it."""
    corrected = False
    for entry in history.entries:
        if isinstance(entry, Event) and entry.object["kind"] == "PersistentVolume" and deleting(entry.object):
            if not corrected:
                corrected, seen = True, dict(entry.object["metadata"])
                del seen["deletionTimestamp"]
                earlier = put({**entry.object, "metadata": seen}, ("status", "phase"), "Bound")
                yield replace(entry, by="binder", object=earlier)
            if entry.by == "binder":
                continue
            entry = replace(entry, object=put(entry.object, ("status", "phase"), "Bound"))
        yield entry


def test_a_pass_that_began_in_an_older_view_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    history = deleted_at_a_glimpse()
    seen, left, _, _ = explain(history)
    assert left == []
    assert seen["RECLAIM-12.3"] == 2
    monkeypatch.setattr(Walk, "_going_on", lambda *_: set())
    _, left, _, _ = explain(history)
    assert [(entry.actor, entry.event.object["metadata"]["finalizers"]) for entry in left] == [
        ("provisioner", ["kubernetes.io/pv-protection"])
    ]


def test_the_order_of_finalizers_says_nothing() -> None:
    held = put(volume("u1", "1").object, ("metadata", "finalizers"), ["one", "two"])
    assert changes(held, put(held, ("metadata", "finalizers"), ["two", "one"])) == {}
    assert changes(held, put(held, ("metadata", "finalizers"), ["two"])) != {}


def test_what_goes_unmarked_is_set_aside_only_where_one_of_its_name_went_before() -> None:
    walk = Walk(History(bound().header, []))
    came, gone = volume("u1", "1"), replace(volume("u1", "2"), type="DELETED")
    again, taken = volume("u2", "1"), replace(volume("u2", "4"), type="DELETED")
    events = [replace(came, by="client"), gone, replace(again, by="client"), taken]
    for number in range(4):
        walk.take(number, events)
    assert [entry.event.object["metadata"]["uid"] for entry in walk.unexplained] == ["u1"]
    assert walk.unlooked[TAKEN] == 1
