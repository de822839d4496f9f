"""The store: versions, conflicts, deletion, and the log of what happened."""

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pvkit.backends.errors import AlreadyExists, ApiError, BadRequest, Conflict, Forbidden, Invalid, NotFound
from pvkit.backends.objects import Key, Obj, annotate, finalizers, get, key, name, put, uid, version
from pvkit.backends.protocol import Event, Setup
from pvkit.backends.reference.clock import Clock
from pvkit.backends.reference.store import Store

VOLUME: Obj = {
    "kind": "PersistentVolume",
    "metadata": {"name": "v"},
    "spec": {"capacity": {"storage": "5Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/data"}},
}
CLAIM: Obj = {
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "c", "namespace": "default"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}
POD: Obj = {
    "kind": "Pod",
    "metadata": {"name": "p", "namespace": "default"},
    "spec": {"containers": [{"name": "main", "image": "nginx:1"}]},
}
ON_NODE = put(POD, ("spec", "nodeName"), "n1")


@pytest.fixture
def store() -> Store:
    made = Store(Setup(), Clock())
    made.create({"kind": "Namespace", "metadata": {"name": "default"}})
    return made


def happened(store: Store, since: int = 1) -> list[tuple[str, str]]:
    return [(event.type, name(event.object)) for event in store.log[since:]]


def test_one_counter_gives_every_write_of_any_kind_the_next_version(store: Store) -> None:
    for obj in (VOLUME, CLAIM, POD):
        store.create(obj)
    store.update(annotate(store.list("Pod")[0], a="b"))
    assert [version(event.object) for event in store.log] == [1, 2, 3, 4, 5]


def test_an_event_tells_who_wrote_and_when(store: Store) -> None:
    store.clock.now = 7.5
    store.create(VOLUME, by="binder")
    assert (store.log[-1].type, store.log[-1].by, store.log[-1].time) == ("ADDED", "binder", 7.5)


def test_listeners_get_the_event_and_what_stood_there_before(store: Store) -> None:
    heard: list[tuple[Event, Obj | None]] = []
    store.listeners.append(lambda event, old: heard.append((event, old)))
    first = store.create(VOLUME)
    second = store.update(annotate(first, a="b"))
    assert [(first, None), (second, first)] == [(event.object, old) for event, old in heard]


def test_a_name_that_is_used_again_has_another_uid(store: Store) -> None:
    first = store.create(POD)
    store.delete(key(first))
    assert uid(first) != uid(store.create(POD))


def test_an_update_of_an_old_version_is_a_conflict(store: Store) -> None:
    first = store.create(VOLUME)
    store.update(annotate(first, a="1"))
    with pytest.raises(Conflict, match="the object has been modified"):
        store.update(annotate(first, a="2"))


def test_a_blind_update_meets_no_conflict(store: Store) -> None:
    first = store.create(VOLUME)
    store.update(annotate(first, a="1"))
    assert store.update(annotate(first, a="2"), blind=True)["metadata"]["annotations"] == {"a": "2"}


def test_an_update_for_another_incarnation_is_a_conflict_even_when_blind(store: Store) -> None:
    first = store.create(POD)
    store.delete(key(first))
    store.create(POD)
    with pytest.raises(Conflict, match="UID in precondition"):
        store.update(annotate(first, a="1"), blind=True)


def test_a_patch_meets_no_conflict_unless_it_names_a_version(store: Store) -> None:
    first = store.create(VOLUME)
    store.update(annotate(first, a="1"))
    store.patch(key(first), {"metadata": {"labels": {"b": "2"}}})
    with pytest.raises(Conflict, match="the object has been modified"):
        store.patch(key(first), {"metadata": {"resourceVersion": first["metadata"]["resourceVersion"]}})


def test_what_is_missing_is_not_found(store: Store) -> None:
    at = Key("PersistentVolume", "", "gone")
    for ask in (lambda: store.get(at), lambda: store.patch(at, {}), lambda: store.delete(at)):
        with pytest.raises(NotFound, match='persistentvolumes "gone" not found'):
            ask()
    assert store.read(at) is None


def test_a_name_that_is_taken_is_refused_and_says_if_it_is_going(store: Store) -> None:
    store.create(VOLUME)
    with pytest.raises(AlreadyExists, match=r'^persistentvolumes "v" already exists'):
        store.create(VOLUME)
    store.delete(key(VOLUME))
    with pytest.raises(AlreadyExists, match=r"^object is being deleted"):
        store.create(VOLUME)


def test_an_update_that_changes_nothing_makes_no_event(store: Store) -> None:
    made = store.create(VOLUME)
    assert made is store.update(made)
    assert made is store.update({**made, "spec": copy.deepcopy(made["spec"])})
    assert made is store.patch(key(made), {"spec": {"capacity": {"storage": "5120Mi"}}})
    assert happened(store) == [("ADDED", "v")]


def test_the_first_update_of_a_claim_is_a_change_even_when_nothing_is(store: Store) -> None:
    made = store.create(CLAIM)
    once = store.update(made)
    assert version(once) > version(made)
    assert once is store.update(once)


def test_a_new_object_without_a_namespace_goes_to_default_and_its_status_is_dropped(store: Store) -> None:
    made = store.create({**CLAIM, "status": {"phase": "Bound"}, "metadata": {"name": "c"}})
    assert (made["metadata"]["namespace"], made["status"]["phase"]) == ("default", "Pending")


def test_the_status_endpoint_writes_status_and_metadata_only(store: Store) -> None:
    made = store.create(VOLUME)
    sent = put(annotate({**made, "status": {"phase": "Available"}}, a="b"), ("spec", "storageClassName"), "x")
    now = store.update(sent, "status")
    assert ("Available", {"a": "b"}, made["spec"]) == (
        now["status"]["phase"],
        now["metadata"]["annotations"],
        now["spec"],
    )


def test_the_main_endpoint_leaves_the_status_alone(store: Store) -> None:
    made = store.create(VOLUME)
    now = store.update(put({**made, "status": {"phase": "Bound"}}, ("spec", "storageClassName"), "x"))
    assert (made["status"], "x") == (now["status"], now["spec"]["storageClassName"])


def test_finalizers_hold_a_deleted_object(store: Store) -> None:
    made = store.create(VOLUME)
    marked = store.delete(key(made))
    assert marked["metadata"]["deletionGracePeriodSeconds"] == 0
    assert happened(store) == [("ADDED", "v"), ("MODIFIED", "v")]


def test_the_last_finalizer_goes_with_the_object(store: Store) -> None:
    made = store.create(VOLUME)
    store.delete(key(made))
    store.patch(key(made), {"metadata": {"finalizers": None}})
    assert happened(store) == [("ADDED", "v"), ("MODIFIED", "v"), ("DELETED", "v")]
    assert finalizers(made) == finalizers(store.log[-1].object)
    assert store.read(key(made)) is None


def test_an_object_without_finalizers_goes_at_once(store: Store) -> None:
    store.create({"kind": "StorageClass", "metadata": {"name": "fast"}, "provisioner": "p"})
    store.delete(Key("StorageClass", "", "fast"))
    assert happened(store) == [("ADDED", "fast"), ("DELETED", "fast")]


def test_taking_finalizers_off_a_living_object_keeps_it(store: Store) -> None:
    made = store.create(VOLUME)
    store.patch(key(made), {"metadata": {"finalizers": None}})
    assert finalizers(store.get(key(made))) == ()


def test_a_pod_that_is_not_scheduled_is_marked_and_goes_in_one_request(store: Store) -> None:
    store.create(POD)
    store.delete(key(POD))
    assert [kind for kind, _ in happened(store)] == ["ADDED", "MODIFIED", "DELETED"]
    assert store.log[-1].object["metadata"]["deletionGracePeriodSeconds"] == 0


def test_a_pod_on_a_node_waits_for_the_request_of_its_kubelet(store: Store) -> None:
    store.create(ON_NODE)
    store.delete(key(POD))
    store.delete(key(POD), grace=0)
    marks = [event.object["metadata"].get("deletionGracePeriodSeconds") for event in store.log[1:]]
    assert marks == [None, 30, 0, 0]
    assert store.read(key(POD)) is None


def test_a_grace_period_can_only_be_shortened(store: Store) -> None:
    store.create(ON_NODE)
    left = [store.delete(key(POD), grace=grace)["metadata"]["deletionGracePeriodSeconds"] for grace in (20, 60, 5)]
    assert left == [20, 20, 5]


def test_a_shortened_grace_period_counts_from_the_first_request(store: Store) -> None:
    store.create(ON_NODE)
    store.clock.now = 10.0
    store.delete(key(POD), grace=20)
    store.clock.now = 12.0
    assert store.delete(key(POD), grace=5)["metadata"]["deletionTimestamp"] == "2026-01-01T00:00:15Z"


def test_a_grace_period_is_never_shortened_into_the_past(store: Store) -> None:
    store.create(ON_NODE)
    store.delete(key(POD), grace=20)
    store.clock.now = 12.0
    marked = store.delete(key(POD), grace=5)["metadata"]
    assert (marked["deletionTimestamp"], marked["deletionGracePeriodSeconds"]) == ("2026-01-01T00:00:12Z", 1)


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_pod_that_has_finished_gets_no_grace(store: Store, phase: str) -> None:
    made = store.create(ON_NODE)
    store.update({**made, "status": {**made["status"], "phase": phase}}, "status")
    store.delete(key(POD))
    assert store.read(key(POD)) is None


def test_a_finalizer_holds_a_pod_whose_grace_is_over(store: Store) -> None:
    store.create(put(ON_NODE, ("metadata", "finalizers"), ["example.com/hold"]))
    store.delete(key(POD), grace=0)
    assert store.get(key(POD))["metadata"]["deletionGracePeriodSeconds"] == 0
    store.patch(key(POD), {"metadata": {"finalizers": None}})
    assert store.read(key(POD)) is None


def test_grace_holds_a_pod_whose_finalizers_are_gone(store: Store) -> None:
    store.create(put(ON_NODE, ("metadata", "finalizers"), ["example.com/hold"]))
    store.delete(key(POD))
    store.patch(key(POD), {"metadata": {"finalizers": None}})
    assert store.get(key(POD))["metadata"]["deletionGracePeriodSeconds"] == 30


@pytest.mark.parametrize("wrong", [{"uid": "x"}, {"version": "999"}])
def test_a_precondition_that_fails_deletes_nothing(store: Store, wrong: dict[str, str]) -> None:
    made = store.create(VOLUME)
    with pytest.raises(Conflict, match="in the precondition"):
        store.delete(key(made), **wrong)
    assert made is store.get(key(made))


def test_a_namespace_waits_for_the_finalizers_of_its_spec(store: Store) -> None:
    at = key(store.create({"kind": "Namespace", "metadata": {"name": "other"}}))
    marked = store.delete(at)
    assert marked["status"]["phase"] == "Terminating"
    with pytest.raises(Forbidden, match="because it is being terminated"):
        store.create(put(CLAIM, ("metadata", "namespace"), "other"))
    store.update(put(marked, ("spec", "finalizers"), []), "finalize")
    assert store.read(at) is None


def test_a_namespace_that_does_not_exist_holds_nothing(store: Store) -> None:
    with pytest.raises(NotFound, match='namespaces "nowhere" not found'):
        store.create(put(CLAIM, ("metadata", "namespace"), "nowhere"))


def test_generated_names_begin_as_asked_and_never_meet(store: Store) -> None:
    asked = {**CLAIM, "metadata": {"generateName": "data-", "namespace": "default"}}
    names = [name(store.create(asked)) for _ in range(50)]
    assert all(made.startswith("data-") and len(made) == 10 for made in names)
    assert len(set(names)) == 50


def test_a_list_is_of_a_namespace_and_a_selector(store: Store) -> None:
    store.create({"kind": "Namespace", "metadata": {"name": "other"}})
    for where, mark in (("default", "x"), ("default", "y"), ("other", "x")):
        metadata = {"name": f"c-{mark}", "namespace": where, "labels": {"mark": mark}}
        store.create({**CLAIM, "metadata": metadata})
    marked = {"matchLabels": {"mark": "x"}}
    counts = [
        len(store.list("PersistentVolumeClaim", where, selector))
        for where, selector in (("", None), ("default", None), ("", marked), ("other", marked))
    ]
    assert counts == [3, 2, 2, 1]


def test_a_request_that_cannot_be_read_is_told_from_one_that_is_wrong(store: Store) -> None:
    with pytest.raises(BadRequest, match="quantities must match"):
        store.create(put(VOLUME, ("spec", "capacity"), {"storage": "much"}))
    with pytest.raises(Invalid, match="must be greater than zero"):
        store.create(put(VOLUME, ("spec", "capacity"), {"storage": "0"}))


def test_a_refused_request_leaves_no_trace(store: Store) -> None:
    made = store.create(CLAIM)
    before = (store.version, len(store.log))
    for wrong in (put(made, ("spec", "accessModes"), []), put(made, ("metadata", "finalizers"), ["bad"])):
        with pytest.raises(Invalid):
            store.update(wrong)
    assert before == (store.version, len(store.log))
    assert made is store.get(key(made))


class Looked(Exception):
    """Raised by a check that should not have been made."""


@pytest.mark.parametrize("kind", ["PersistentVolume", "PersistentVolumeClaim", "Pod", "StatefulSet"])
@pytest.mark.parametrize("endpoint", ["", "status"])
def test_a_status_or_an_annotation_costs_no_look_at_the_spec(
    store: Store, monkeypatch: pytest.MonkeyPatch, kind: str, endpoint: str
) -> None:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": POD["spec"]}
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template}
    stateful_set = {"kind": "StatefulSet", "metadata": {"name": "s", "namespace": "default"}, "spec": spec}
    made = store.create(next(obj for obj in (VOLUME, CLAIM, POD, stateful_set) if obj["kind"] == kind))

    def look(*args: Any, **options: Any) -> Any:
        raise Looked

    validation = "pvkit.backends.reference.validation"
    for check in ("volumes.check", "claims.check_spec", "pods.check_spec", "statefulsets.check_spec"):
        monkeypatch.setattr(f"{validation}.{check}", look)
    changed = annotate({**made, "status": {**made["status"], "conditions": []}}, a="b")
    assert store.update(changed, endpoint)["metadata"]["annotations"] == {"a": "b"}


ACTS = ["create", "label", "finalize", "free", "status", "delete", "force", "grow"]
acts = st.lists(st.tuples(st.sampled_from(ACTS), st.sampled_from([VOLUME, CLAIM, POD, ON_NODE])), max_size=25)


def act(store: Store, word: str, obj: Obj, number: int) -> None:
    """One request of a random life; any refusal is fine."""
    at = key(obj)
    match word:
        case "create":
            store.create(obj)
        case "label":
            store.patch(at, {"metadata": {"labels": {"n": str(number % 3)}}})
        case "finalize":
            store.patch(at, {"metadata": {"finalizers": ["example.com/hold"]}})
        case "free":
            store.patch(at, {"metadata": {"finalizers": None}})
        case "status":
            store.patch(at, {"status": {"phase": "Bound" if number % 2 else "Failed"}}, "status")
        case "delete":
            store.delete(at)
        case "force":
            store.delete(at, grace=0)
        case "grow":
            store.patch(at, {"spec": {"capacity": {"storage": f"{number + 1}Gi"}}})


@given(acts)
@settings(deadline=None)
def test_the_log_tells_all_that_is_stored_and_nothing_that_was_told_changes(steps: list[tuple[str, Obj]]) -> None:
    store = Store(Setup(), Clock())
    store.create({"kind": "Namespace", "metadata": {"name": "default"}})
    told = [copy.deepcopy(event.object) for event in store.log]
    for number, (word, obj) in enumerate(steps):
        store.clock.now += 1
        try:
            act(store, word, obj, number)
        except ApiError:
            continue
        finally:
            told += [copy.deepcopy(event.object) for event in store.log[len(told) :]]
    assert told == [event.object for event in store.log]
    replayed: dict[Key, Obj] = {}
    for position, event in enumerate(store.log):
        assert (position, position + 1) == (event.index, version(event.object))
        at = key(event.object)
        assert (event.type == "ADDED") == (at not in replayed)
        if event.type == "DELETED":
            assert uid(replayed.pop(at)) == uid(event.object)
        else:
            replayed[at] = event.object
    assert replayed == {at: obj for table in store.tables.values() for at, obj in table.objects.items()}


@given(acts)
@settings(deadline=None)
def test_nothing_that_terminates_comes_back_to_life(steps: list[tuple[str, Obj]]) -> None:
    store = Store(Setup(), Clock())
    store.create({"kind": "Namespace", "metadata": {"name": "default"}})
    for number, (word, obj) in enumerate(steps):
        store.clock.now += 1
        try:
            act(store, word, obj, number)
        except ApiError:
            continue
    going: set[str] = set()
    for event in store.log:
        marked = get(event.object, "metadata", "deletionTimestamp") is not None
        assert marked or uid(event.object) not in going or event.object["kind"] == "Namespace"
        going |= {uid(event.object)} if marked else set()
