"""The live backend on a cluster in this process: one order of events and answers, rest, gaps, and what it refuses."""

from collections.abc import Iterator
from threading import Thread
from typing import Any

import pytest

from pvkit.backends.errors import OutOfTime, Unavailable, UsageError
from pvkit.backends.live import backend as module
from pvkit.backends.live.backend import LiveBackend
from pvkit.backends.live.patience import Pace
from pvkit.backends.live.room import is_about_defaults
from pvkit.backends.objects import Key, Obj, key, put, version
from pvkit.backends.protocol import Budget, Event, Operation, Outcome, Settled, Setup, TellsLate
from pvkit.conformance.catalogue import selected
from pvkit.conformance.execute import execute
from pvkit.conformance.history import Asked
from pvkit.conformance.judge import judge
from pvkit.conformance.verdict import Verdict
from pvkit.strategies.plan import Plan, Settle
from tests.backends.live.fake_cluster import PATIENCE, FakeCluster

QUICK = Pace(reaction=0.02, resync=0.02)
VOLUME = {"kind": "PersistentVolume", "metadata": {"name": "v"}, "spec": {"storageClassName": "fast"}}
CLAIM = {"kind": "PersistentVolumeClaim", "metadata": {"name": "c"}, "spec": {"storageClassName": "fast"}}
V = Key("PersistentVolume", "", "v")


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    made = FakeCluster()
    monkeypatch.setattr(module, "Connection", lambda *_: made.connect())
    monkeypatch.setattr(module, "sweep", lambda *_: None)
    return made


@pytest.fixture
def live(cluster: FakeCluster) -> Iterator[LiveBackend]:
    made = LiveBackend(pace=QUICK, nodes=True, settle_seconds=PATIENCE)
    yield made
    made.close()


def stored(cluster: FakeCluster, called: str) -> Obj:
    """The one object whose name ends so."""
    (found,) = [obj for at, obj in cluster.objects.items() if at.name.endswith(called)]
    return found


def told(live: LiveBackend) -> list[tuple[str, str, str]]:
    """What is told after a rest: type, name, and whose each event is; the world itself aside."""
    assert live.settle(Budget()).quiet
    events = [event for event in live.observe() if event.object["kind"] not in ("Node", "Namespace")]
    return [(event.type, event.object["metadata"]["name"], event.by) for event in events]


def test_the_world_of_a_plan_is_made_and_told_as_its_beginning(live: LiveBackend) -> None:
    live.reset(Setup(nodes=({"metadata": {"name": "n1"}},), namespaces=("other",)))
    assert live.settle(Budget()).quiet
    seen = [(event.type, *key(event.object), event.by) for event in live.observe()]
    assert seen == [
        ("ADDED", "Namespace", "", "default", "setup"),
        ("ADDED", "Namespace", "", "other", "setup"),
        ("ADDED", "Node", "", "n1", "setup"),
    ]


def test_nothing_is_told_before_a_wait_has_ended(live: LiveBackend) -> None:
    live.reset(Setup())
    assert live.invoke(Operation("create", VOLUME)).status == "ok"
    assert live.observe() == []
    assert told(live) == [("ADDED", "v", "client")]


def test_changes_by_others_are_not_the_clients(cluster: FakeCluster, live: LiveBackend) -> None:
    live.reset(Setup())
    live.invoke(Operation("create", VOLUME))
    cluster.write(put(stored(cluster, "-v"), ("status",), {"phase": "Available"}))
    live.invoke(Operation("patch", target=V, patch={"spec": {"storageClassName": "slow"}}))
    live.invoke(Operation("delete", target=V))
    assert told(live) == [
        ("ADDED", "v", "client"),
        ("MODIFIED", "v", ""),
        ("MODIFIED", "v", "client"),
        ("DELETED", "v", "client"),
    ]


def history_of(cluster: FakeCluster, live: LiveBackend) -> list[str]:
    """A plan in which others write between the client's requests, as a history: who did what, in order."""
    steps = (
        Operation("create", VOLUME),
        Operation("get", target=Key("Pod", "", "missing")),
        Operation("create", CLAIM),
    )
    entries = execute(Plan((*steps, Settle()), Setup()), live).entries
    found = []
    for entry in entries:
        if isinstance(entry, Event):
            found.append(f"{entry.type} {entry.object['kind']}")
        elif isinstance(entry, Asked):
            found.append(f"answer {entry.step}: {entry.outcome.reason or 'ok'}")
        else:
            found.append("rest")
    return found[1:]


def test_answers_stand_right_after_their_writes_however_late_the_events_come(
    cluster: FakeCluster, live: LiveBackend
) -> None:
    cluster.hold("PersistentVolume")
    writer = Thread(target=release_when_asked, args=(cluster, "PersistentVolumeClaim"))
    writer.start()
    assert history_of(cluster, live) == [
        "ADDED PersistentVolume",
        "answer 0: ok",
        "answer 1: NotFound",
        "ADDED PersistentVolumeClaim",
        "answer 2: ok",
        "rest",
    ]
    writer.join()


def release_when_asked(cluster: FakeCluster, kind: str) -> None:
    """Let all frames go once an object of a kind was asked for."""
    with cluster.changed:
        cluster.changed.wait_for(lambda: any(at.kind == kind for at in cluster.objects), PATIENCE)
    cluster.release("PersistentVolume")


def test_what_is_never_at_rest_is_not_called_so(cluster: FakeCluster) -> None:
    live = LiveBackend(pace=Pace(reaction=60.0), nodes=True, settle_seconds=0.05)
    live.reset(Setup())
    settled = live.settle(Budget())
    assert (settled.quiet, settled.reason) == (False, "still busy after 0 s")
    live.close()


def test_after_lost_events_nothing_is_said_of_the_plan(cluster: FakeCluster, live: LiveBackend) -> None:
    class Losing:
        """The same backend, on a cluster that forgets its log while the plan is under way."""

        def __getattr__(self, word: str) -> Any:
            return getattr(live, word)

        def settle(self, budget: Budget) -> Settled:
            cluster.compact()
            live.play.tape.wait(lambda: len(live.play.tape.gaps) > 1, PATIENCE)
            return live.settle(budget)

    history = execute(Plan((Operation("create", VOLUME),), Setup()), Losing())
    assert "were lost" in history.header.backend.lacks["events"]
    assert {result.verdict for result in judge(history, selected(("binding",)))} == {Verdict.UNKNOWN}


def test_a_request_without_an_answer_leaves_a_gap(
    cluster: FakeCluster, live: LiveBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    live.reset(Setup())

    def silent(operation: Operation) -> Obj:
        raise Unavailable("no answer")

    monkeypatch.setattr(live.play.asker, "ask", silent)
    assert live.invoke(Operation("create", VOLUME)) == Outcome("unknown", 0, "Unavailable", "no answer")
    assert "no answer came to create" in live.describe().lacks["events"]


@pytest.mark.parametrize(
    ("setup", "why"),
    [
        (Setup("1.33"), "the plan is for Kubernetes 1.33, the server is 1.36"),
        (Setup(options={"resync": False}), "the plan wants resync: False, which a running cluster cannot be told"),
        (
            Setup(options={"stopping-seconds": 10}),
            "the plan wants stopping-seconds: 10, which a running cluster cannot",
        ),
    ],
)
def test_a_world_that_cannot_be_had_is_refused(live: LiveBackend, setup: Setup, why: str) -> None:
    assert live.refuses(setup).startswith(why)
    with pytest.raises(UsageError, match=why):
        live.reset(setup)


def test_plans_do_not_see_each_other(cluster: FakeCluster, live: LiveBackend) -> None:
    other = live.beside()
    live.reset(Setup())
    other.reset(Setup())
    live.invoke(Operation("create", VOLUME))
    assert told(other) == []
    assert told(live) == [("ADDED", "v", "client")]
    other.close()


def test_a_plan_leaves_nothing_behind(cluster: FakeCluster, live: LiveBackend) -> None:
    live.reset(Setup(nodes=({"metadata": {"name": "n1"}},)))
    live.invoke(Operation("create", VOLUME))
    held = put(CLAIM, ("metadata", "finalizers"), ["example.com/hold"])
    live.invoke(Operation("create", held))
    assert live.settle(Budget()).quiet
    live.clear()
    assert {at.kind for at in cluster.objects} == {"Namespace", "Node"}  # The next plan may have these.


def test_all_versions_come_from_one_counter(live: LiveBackend) -> None:
    assert live.describe().ordered


def test_where_a_kind_has_a_counter_of_its_own_there_is_no_order(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = cluster.listed

    def apart(kind: str, place: str) -> Obj:
        return put(plain(kind, place), ("metadata", "resourceVersion"), "7") if kind == "Pod" else plain(kind, place)

    monkeypatch.setattr(cluster, "listed", apart)
    live = LiveBackend(pace=QUICK)
    assert not live.describe().ordered
    live.close()


def test_a_live_backend_tells_late(live: LiveBackend) -> None:
    assert isinstance(live, TellsLate)
    live.reset(Setup())
    live.invoke(Operation("create", VOLUME))
    moment = live.moment()
    assert live.settle(Budget()).quiet
    assert [version(event.object) for event in live.observe()] == sorted(
        version(obj) for obj in live.play.tape.objects()
    )
    assert live.events_before(moment) == 2


DEFAULT = {
    "kind": "StorageClass",
    "metadata": {"name": "d", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
    "provisioner": "csi.example.com",
}
BARE_VOLUME = put(VOLUME, ("spec",), {})
BARE_CLAIM = put(CLAIM, ("spec",), {})


def class_of(cluster: FakeCluster, called: str) -> Any:
    return stored(cluster, called)["spec"].get("storageClassName")


def test_a_plan_that_has_the_cluster_for_itself_has_real_objects_without_a_class(
    cluster: FakeCluster, live: LiveBackend
) -> None:
    live.reset(Setup())
    live.invoke(Operation("create", BARE_VOLUME))
    assert class_of(cluster, "-v") is None


def test_side_by_side_what_has_no_class_gets_one_of_the_plans_own(cluster: FakeCluster, live: LiveBackend) -> None:
    other = live.beside()
    for backend in (live, other):
        backend.foresee([Operation("create", BARE_VOLUME)])
        backend.reset(Setup())
    live.invoke(Operation("create", BARE_VOLUME))
    other.invoke(Operation("create", BARE_CLAIM))
    assert class_of(cluster, "-v")
    assert class_of(cluster, "c")
    assert class_of(cluster, "-v") != class_of(cluster, "c")
    for backend in (live, other):
        assert backend.settle(Budget()).quiet
        made = [event.object for event in backend.observe() if event.by == "client"]
        assert [obj["spec"] for obj in made] == [{}]
    other.close()


def test_beside_others_no_class_becomes_the_default_unless_it_was_foreseen(live: LiveBackend) -> None:
    other = live.beside()
    other.foresee([])
    other.reset(Setup())
    answer = other.invoke(Operation("create", DEFAULT))
    assert (answer.code, answer.message.partition(":")[0]) == (403, "not sent while other plans are under way")
    other.close()


def test_of_plans_about_default_classes_one_at_a_time_is_played(cluster: FakeCluster, live: LiveBackend) -> None:
    other = live.beside()
    for backend in (live, other):
        backend.foresee([Operation("create", DEFAULT)])
    live.reset(Setup())
    assert live.invoke(Operation("create", DEFAULT)).status == "ok"
    waiting = Thread(target=other.reset, args=(Setup(),))
    waiting.start()
    before = [at for at in cluster.objects if at.kind == "Namespace"]
    assert len(before) == 1
    live.leave()
    waiting.join(PATIENCE)
    assert not waiting.is_alive()
    assert other.invoke(Operation("create", DEFAULT)).status == "ok"
    assert [at.kind for at in cluster.objects if at.kind == "StorageClass"] == ["StorageClass"]
    other.close()


@pytest.mark.parametrize(
    "operation",
    [
        Operation("create", DEFAULT),
        Operation("patch", target=Key("StorageClass", "", "d"), patch={"metadata": DEFAULT["metadata"]}),
        Operation("patch", target=V, patch={"spec": {"storageClassName": ""}}),
        Operation("patch", target=V, patch=[{"op": "add", "path": "/spec/storageClassName", "value": ""}]),
        Operation("patch", target=key({**CLAIM}), patch={"spec": {"storageClassName": "late"}}),
        Operation("update", BARE_CLAIM),
    ],
)
def test_a_plan_for_which_no_class_must_mean_that_is_told_from_others(operation: Operation) -> None:
    assert is_about_defaults([operation])


@pytest.mark.parametrize("made", [VOLUME, CLAIM, BARE_VOLUME, BARE_CLAIM])
def test_creating_objects_without_a_class_is_not_about_default_classes(made: Obj) -> None:
    assert not is_about_defaults([Operation("create", made), Operation("delete", target=key(made))])


def test_every_delete_names_a_uid(cluster: FakeCluster, live: LiveBackend) -> None:
    live.reset(Setup(nodes=({"metadata": {"name": "n1"}},), namespaces=("other",)))
    for made in (
        BARE_VOLUME,
        BARE_CLAIM,
        {"kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": []}},
        VOLUME | {"metadata": {"name": "w"}},
    ):
        live.invoke(Operation("create", made))
    live.invoke(Operation("delete", target=V))
    assert live.settle(Budget()).quiet
    live.clear()
    deletes = [body for method, _, body in cluster.requests if method == "DELETE"]
    assert len(deletes) == 5
    assert [body for body in deletes if not (body.get("preconditions") or {}).get("uid")] == []


def test_a_volume_that_was_not_made_by_the_run_is_not_deleted_by_a_plan(
    cluster: FakeCluster, live: LiveBackend
) -> None:
    live.reset(Setup())
    tag = live.play.names.tag
    cluster.write({"kind": "PersistentVolume", "metadata": {"name": f"{tag}-v"}, "spec": {}})
    answer = live.invoke(Operation("delete", target=V))
    assert (answer.code, answer.message) == (403, "not sent: persistentvolume/v was not made by this run")
    assert live.settle(Budget()).quiet
    live.clear()
    assert [at.kind for at in cluster.objects] == ["Namespace", "PersistentVolume"]


def test_when_the_time_of_a_run_is_over_its_plans_end_and_are_cleared(cluster: FakeCluster, live: LiveBackend) -> None:
    other = live.beside()
    other.reset(Setup())
    other.invoke(Operation("create", VOLUME))
    live.limit(0.0)
    for ask in (lambda: other.settle(Budget()), lambda: other.invoke(Operation("create", CLAIM))):
        with pytest.raises(OutOfTime):
            ask()
    other.leave()
    assert [at.kind for at in cluster.objects] == ["Namespace"]
    live.limit(60.0)
    other.reset(Setup())
    assert other.invoke(Operation("create", VOLUME)).status == "ok"
    other.close()


def test_who_waits_for_its_turn_is_told_when_the_time_is_over(live: LiveBackend) -> None:
    other = live.beside()
    for backend in (live, other):
        backend.foresee([Operation("create", DEFAULT)])
    live.reset(Setup())
    live.limit(0.05)
    with pytest.raises(OutOfTime):
        other.reset(Setup())
    other.close()
