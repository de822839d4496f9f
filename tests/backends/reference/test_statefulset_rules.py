"""Every rule of the StatefulSet controller: a world in which it fires, and one nearly the same in which it must not."""

from collections.abc import Callable

import pytest

from pvkit.backends.reference.revisions import revision_name
from pvkit.backends.reference.statefulset import STATEFULSET
from pvkit.backends.workloads import POD_NAME_LABEL
from tests.backends.reference.sets import PARALLEL, World, orphan, policy, rolling, stateful_set

RULES = STATEFULSET.rules["StatefulSet"]
GATE = {"MaxUnavailableStatefulSet": True}
RECREATE = {"updateStrategy": {"type": "Recreate"}}
Scene = Callable[[], World]

FIRES: dict[str, Scene] = {}
RESTS: dict[str, Scene] = {}


def fires(id: str) -> Callable[[Scene], Scene]:
    """A scene in which a rule fires."""
    return lambda scene: FIRES.setdefault(id, scene)


def rests(id: str) -> Callable[[Scene], Scene]:
    """A scene in which a rule must not fire."""
    return lambda scene: RESTS.setdefault(id, scene)


def rolled_out(replicas: int = 2, version: str = "1.36", gates: dict[str, bool] | None = None, **spec: object) -> World:
    """A set that is rolled out; what fired so far is forgotten."""
    world = World(version, gates)
    world.create(stateful_set(replicas=replicas, **spec))
    world.settle()
    world.engine.fired.clear()
    return world


def poked(world: World) -> World:
    """The set has been looked at once more."""
    world.patch("StatefulSet", "web", {"metadata": {"annotations": {"poke": "1"}}})
    return world.settle()


@fires("LIVE-06")
def own_writes_have_not_come_back() -> World:
    world = rolled_out(1)
    world.fault("hold", controller="statefulset", kind="Pod")
    world.edit(replicas=2)
    return poked(world.settle())


@rests("LIVE-06")
def own_writes_have_come_back() -> World:
    world = rolled_out(1)
    world.edit(replicas=2)
    return poked(world.settle())


@fires("DEL-05")
def set_is_gone() -> World:
    world = rolled_out()
    world.delete("StatefulSet", "web")
    return world.settle()


@rests("DEL-05")
def set_is_terminating() -> World:
    world = rolled_out()
    world.patch("StatefulSet", "web", {"metadata": {"finalizers": ["example.com/hold"]}})
    world.delete("StatefulSet", "web")
    return world.settle()


def _free_revision(app: str) -> World:
    world = rolled_out()
    metadata = {"name": "free", "namespace": "default", "labels": {"app": app}}
    world.create({"kind": "ControllerRevision", "metadata": metadata, "data": {"spec": {}}, "revision": 1})
    return poked(world)


@fires("REV-08")
def orphaned_revision_matches() -> World:
    return _free_revision("web")


@rests("REV-08")
def orphaned_revision_is_of_something_else() -> World:
    return _free_revision("other")


@fires("IDENT-07")
def pod_stops_matching() -> World:
    world = rolled_out()
    world.patch("Pod", "web-1", {"metadata": {"labels": {"app": "other"}}})
    return world.settle()


@rests("IDENT-07")
def pod_gets_one_more_label() -> World:
    world = rolled_out()
    world.patch("Pod", "web-1", {"metadata": {"labels": {"more": "1"}}})
    return world.settle()


@fires("IDENT-06")
def orphan_fits() -> World:
    world = rolled_out()
    world.create(orphan("web-7"))
    return world.settle()


@rests("IDENT-06")
def orphan_has_another_name() -> World:
    world = rolled_out()
    world.create(orphan("web-x-7"))
    return world.settle()


def _templates(*images: str) -> World:
    world = rolled_out()
    for image in images:
        world.roll(image)
        world.settle()
    return world


@fires("UPDATE-20")
def template_goes_back() -> World:
    return _templates("2", "1")


@rests("UPDATE-20")
def template_goes_on() -> World:
    return _templates("2", "3")


def _taken(collisions: int) -> World:
    world, made = World(), World().create(stateful_set())
    metadata = {"name": revision_name(made, collisions), "namespace": "default"}
    world.create({"kind": "ControllerRevision", "metadata": metadata, "data": {"spec": {}}, "revision": 1})
    world.create(stateful_set())
    return world.settle()


@fires("REV-01")
def template_is_new() -> World:
    return _templates("2")


@rests("REV-01")
def template_is_known() -> World:
    world = rolled_out()
    world.edit(replicas=3)
    return world.settle()


@fires("UPDATE-26.1")
@fires("UPDATE-26.2")
@rests("UPDATE-24")
def strategy_is_unknown() -> World:
    world = World("1.37", {"StatefulSetRecreateStrategy": True})
    world.create(stateful_set(**RECREATE))
    world.gates["StatefulSetRecreateStrategy"] = False
    return world.settle()


@fires("UPDATE-24")
@rests("UPDATE-26.1")
@rests("UPDATE-26.2")
def strategy_is_recreate() -> World:
    world = rolled_out(2, "1.37", {"StatefulSetRecreateStrategy": True}, **RECREATE)
    world.roll("2")
    return world.settle()


@fires("POD-01")
def pod_in_range_fails() -> World:
    world = rolled_out()
    world.fail("web-1")
    return world.settle()


@rests("POD-01")
def condemned_pod_fails() -> World:
    world = rolled_out(2)
    world.keep("unready", "web-0")
    world.edit(replicas=1)
    world.fail("web-1")
    return world.settle()


def _lost_claim(pod_is: str) -> World:
    world = rolled_out(1)
    if pod_is == "pending":
        world.patch("Pod", "web-0", {"status": {"phase": "Pending", "conditions": None}}, "status")
        world.keep("unready", "web-0")
    world.delete("PersistentVolumeClaim", "www-web-0")
    world.patch("PersistentVolumeClaim", "www-web-0", {"metadata": {"finalizers": None}})
    return poked(world)


@fires("PVC-01")
def claim_of_a_pending_pod_is_lost() -> World:
    return _lost_claim("pending")


@rests("PVC-01")
def claim_of_a_running_pod_is_lost() -> World:
    return _lost_claim("running")


def _claim_in_deletion(held: bool) -> World:
    world = rolled_out(1)
    if not held:
        world.patch("PersistentVolumeClaim", "www-web-0", {"metadata": {"finalizers": None}})
    world.delete("PersistentVolumeClaim", "www-web-0")
    world.delete("Pod", "web-0")
    return world.settle()


@fires("PVC-07")
@rests("ORDER-02")
def claim_is_being_deleted() -> World:
    return _claim_in_deletion(True)


@fires("ORDER-02")
@rests("PVC-07")
def claim_is_gone() -> World:
    return _claim_in_deletion(False)


def _controlled(deleted: str) -> World:
    world = rolled_out(1, **policy("Retain", deleted))
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "theirs", "uid": "u-1", "controller": True}
    world.patch("PersistentVolumeClaim", "www-web-0", {"metadata": {"ownerReferences": [owner]}})
    world.delete("Pod", "web-0")
    return world.settle()


@fires("RETAIN-08")
def claim_under_delete_has_a_foreign_controller() -> World:
    return _controlled("Delete")


@rests("RETAIN-08")
def claim_under_retain_has_a_foreign_controller() -> World:
    return _controlled("Retain")


@fires("RETAIN-02")
def policy_becomes_delete() -> World:
    world = rolled_out()
    world.edit(**policy("Retain", "Delete"))
    return world.settle()


@rests("RETAIN-02")
def policy_for_scaling_becomes_delete() -> World:
    world = rolled_out()
    world.edit(**policy("Delete", "Retain"))
    return world.settle()


def _relabelled(lower_pod_ready: bool) -> World:
    world = rolled_out()
    if not lower_pod_ready:
        world.keep("unready", "web-0")
    world.patch("Pod", "web-1", {"metadata": {"labels": {POD_NAME_LABEL: "x"}}})
    return world.settle()


@fires("IDENT-04")
def label_is_wrong() -> World:
    return _relabelled(True)


@rests("IDENT-04")
def label_is_wrong_above_a_broken_pod() -> World:
    return _relabelled(False)


def _scaled_down(**spec: object) -> World:
    world = rolled_out(3, **spec)
    world.edit(replicas=1)
    return world.settle()


@fires("RETAIN-03")
def condemned_claims_are_to_go() -> World:
    return _scaled_down(**policy("Delete", "Retain"))


@fires("ORDER-04")
@rests("RETAIN-03")
@rests("SCALE-06")
def condemned_claims_are_to_stay() -> World:
    return _scaled_down()


@fires("SCALE-06")
@rests("ORDER-04")
def condemned_pods_of_a_parallel_set() -> World:
    return _scaled_down(**PARALLEL)


def _rolled(version: str = "1.36", gates: dict[str, bool] | None = None, **spec: object) -> World:
    world = rolled_out(2, version, gates, **spec)
    world.roll("2")
    return world.settle()


@fires("UPDATE-01")
@rests("UPDATE-12")
def update_with_the_gate_off() -> World:
    return _rolled()


@fires("UPDATE-12")
@rests("UPDATE-01")
def update_with_the_gate_on() -> World:
    return _rolled(gates=GATE)


@fires("UPDATE-14")
def parallel_update_in_1_37() -> World:
    return _rolled("1.37", **PARALLEL)


@rests("UPDATE-14")
def parallel_update_in_1_36() -> World:
    return _rolled(gates=GATE, **PARALLEL)


@fires("STATUS-06")
def pod_becomes_unready() -> World:
    world = rolled_out()
    world.keep("unready", "web-1")
    return world


@rests("STATUS-06")
def pod_gets_an_annotation() -> World:
    world = rolled_out()
    world.patch("Pod", "web-1", {"metadata": {"annotations": {"poke": "1"}}})
    return world.settle()


def _history(limit: int) -> World:
    world = rolled_out(1, revisionHistoryLimit=limit)
    for image in "234":
        world.roll(image)
        world.settle()
    return world


@fires("REV-05")
def history_is_too_long() -> World:
    return _history(1)


@rests("REV-05")
def history_is_unlimited() -> World:
    return _history(-1)


@fires("LIVE-03")
def pod_is_refused() -> World:
    world = rolled_out(1)
    world.fault("refuse", controller="statefulset", kind="Pod", verb="create", answer="quota")
    world.edit(replicas=2)
    return world.settle()


@fires("LIVE-04")
@rests("LIVE-03")
@rests("LIVE-05")
def pod_is_accepted() -> World:
    world = rolled_out(1)
    world.edit(replicas=2)
    return world.settle()


@fires("LIVE-05")
def pod_is_ready_but_not_available() -> World:
    world = rolled_out(1, minReadySeconds=10)
    world.edit(replicas=2)
    return world.settle()


@rests("LIVE-04")
def no_set_at_all() -> World:
    return World().settle()


@pytest.mark.parametrize("id", [entry.id for entry in RULES if entry.id != "REV-04"])
def test_rule_fires(id: str) -> None:
    assert FIRES[id]().fired(id) > 0


@pytest.mark.parametrize("id", [entry.id for entry in RULES if entry.id != "REV-04"])
def test_rule_rests(id: str) -> None:
    assert RESTS[id]().fired(id) == 0


def test_a_rule_that_only_takes_note_changes_what_the_next_one_does() -> None:
    """REV-04 writes nothing itself: it turns a taken name into another one."""
    assert _taken(0).status()["collisionCount"] == 1
    assert _taken(1).status()["collisionCount"] == 0


def test_ids_and_sentences_are_unique() -> None:
    assert len({entry.id for entry in RULES}) == len({entry.sentence for entry in RULES}) == len(RULES)
    assert all(entry.sentence.endswith(".") for entry in RULES)


def test_no_rule_is_forgotten_here() -> None:
    assert {entry.id for entry in RULES} - {"REV-04"} == set(FIRES) == set(RESTS)


def test_partitions_do_not_change_which_rule_is_for_updates() -> None:
    assert _rolled(**rolling(partition=1)).fired("UPDATE-01") == 1
