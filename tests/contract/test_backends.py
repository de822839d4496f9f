"""What every backend owes its callers, whatever it is made of."""

from collections.abc import Iterator

import pytest

from pvkit.backends.mutants.registry import MutantModel, named
from pvkit.backends.objects import Key, Obj, version
from pvkit.backends.protocol import Backend, Budget, CanDisturb, CanStep, Event, Fault, Operation, Setup
from pvkit.backends.reference.model import ReferenceModel

VOLUME: Obj = {
    "apiVersion": "v1",
    "kind": "PersistentVolume",
    "metadata": {"name": "shelf"},
    "spec": {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "",
        "nfs": {"server": "192.0.2.1", "path": "/export"},
    },
}
SHELF = Key("PersistentVolume", "", "shelf")


@pytest.fixture(params=["reference", "mutant"])
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """Each backend that runs without a cluster."""
    made: Backend = ReferenceModel() if request.param == "reference" else MutantModel(named("parallel-is-ordered"))
    made.reset(Setup())
    yield made
    made.close()


def volumes(events: list[Event]) -> list[Event]:
    return [event for event in events if event.object["kind"] == "PersistentVolume"]


def test_an_answer_carries_the_stored_object(backend: Backend) -> None:
    outcome = backend.invoke(Operation("create", VOLUME))
    assert (outcome.status, outcome.code) == ("ok", 201)
    assert outcome.object is not None
    assert outcome.object["metadata"]["uid"]


def test_a_refusal_is_an_answer_and_no_exception(backend: Backend) -> None:
    outcome = backend.invoke(Operation("get", target=SHELF))
    assert (outcome.status, outcome.code, outcome.reason) == ("failed", 404, "NotFound")


def test_events_are_told_once_and_in_the_order_of_writes(backend: Backend) -> None:
    backend.observe()
    backend.invoke(Operation("create", VOLUME))
    backend.settle(Budget())
    seen = backend.observe()
    versions = [version(event.object) for event in seen]
    assert [event.index for event in seen] == sorted(event.index for event in seen)
    assert versions == sorted(set(versions))
    assert backend.observe() == []


def test_the_clients_own_change_is_told_as_such(backend: Backend) -> None:
    outcome = backend.invoke(Operation("create", VOLUME))
    own = [event for event in volumes(backend.observe()) if event.by == "client"]
    assert outcome.object is not None
    assert [version(event.object) for event in own] == [version(outcome.object)]


def test_a_settled_backend_stays_quiet(backend: Backend) -> None:
    backend.invoke(Operation("create", VOLUME))
    assert backend.settle(Budget()).quiet
    backend.observe()
    assert backend.settle(Budget()).quiet
    assert backend.observe() == []


def test_a_budget_that_is_too_small_is_admitted(backend: Backend) -> None:
    backend.invoke(Operation("create", VOLUME))
    settled = backend.settle(Budget(turns=0))
    assert not settled.quiet
    assert "still busy" in settled.reason


def test_a_plan_knows_nothing_of_the_one_before(backend: Backend) -> None:
    backend.invoke(Operation("create", VOLUME))
    backend.reset(Setup(namespaces=("other",)))
    assert volumes(backend.observe()) == []
    assert backend.invoke(Operation("get", target=SHELF)).reason == "NotFound"
    assert backend.invoke(Operation("get", target=Key("Namespace", "", "other"))).status == "ok"


def test_the_same_plan_gives_the_same_events(backend: Backend) -> None:
    runs = []
    for _ in range(2):
        backend.reset(Setup())
        backend.invoke(Operation("create", VOLUME))
        backend.settle(Budget())
        runs.append(backend.observe())
    assert runs[0] == runs[1]


def test_a_fault_in_force_is_told_at_rest_and_heal_ends_it(backend: Backend) -> None:
    assert isinstance(backend, CanDisturb)
    backend.disturb(Fault("freeze", {"controller": "binder"}))
    assert backend.settle(Budget()).disturbed == ("freeze binder",)
    backend.disturb(Fault("heal"))
    assert backend.settle(Budget()).disturbed == ()


def test_controllers_can_be_let_go_turn_by_turn(backend: Backend) -> None:
    assert isinstance(backend, CanStep)
    backend.settle(Budget())
    backend.invoke(Operation("create", VOLUME))
    backend.observe()
    backend.run(0)
    assert backend.observe() == []
    backend.run(50)
    assert [event.object["status"]["phase"] for event in volumes(backend.observe())] == ["Available"]


def test_a_backend_says_what_it_is(backend: Backend) -> None:
    said = backend.describe()
    assert said.implementation
    assert said.kubernetes_version == Setup().kubernetes_version
