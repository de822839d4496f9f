"""What pods tell, as events: data that is kept, lost, somebody else's; logs that cannot be read; who was quicker."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pvkit.backends.errors import ServerError
from pvkit.backends.live import backend as module
from pvkit.backends.live import testimony
from pvkit.backends.live.backend import LiveBackend
from pvkit.backends.live.connection import path_of
from pvkit.backends.live.guise import NO_IMAGE, Guise
from pvkit.backends.live.patience import Pace
from pvkit.backends.live.testimony import Witness
from pvkit.backends.live.watching import Frame, Tape
from pvkit.backends.objects import LEDGERS, Key, Obj, get, key, put
from pvkit.backends.protocol import Event, Operation, Setup
from pvkit.backends.workloads import is_ready
from pvkit.conformance.catalogue import selected
from pvkit.conformance.execute import execute
from pvkit.conformance.history import History
from pvkit.conformance.judge import Result, judge
from pvkit.conformance.verdict import Verdict
from pvkit.strategies.plan import Plan, Settle, Step
from pvkit.strategies.pods import pod
from tests.backends.live.fake_cluster import PATIENCE, FakeCluster
from tests.backends.live.fake_kubelet import Kubelet

QUICK = Pace(reaction=0.02, resync=0.02)
NODE: Obj = {"kind": "Node", "metadata": {"name": "theirs"}, "status": {}}
CLAIM: Obj = {
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "data", "namespace": "default"},
    "spec": {"storageClassName": "fast", "accessModes": ["ReadWriteOnce"]},
}
GONE = Operation("delete", target=Key("Pod", "default", "reader"), options={"grace": 0})
MADE = Operation("create", pod("reader", "data"))
COMES_BACK: tuple[Step, ...] = (Operation("create", CLAIM), MADE, Settle(), GONE, Settle(), MADE, Settle())
JUDGES = ("STS-047", "PVB-133")


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    made = FakeCluster()
    made.write(NODE)
    monkeypatch.setattr(module, "Connection", lambda *_: made.connect())
    monkeypatch.setattr(module, "sweep", lambda *_: None)
    return made


@pytest.fixture
def kubelet(cluster: FakeCluster, tmp_path: Path) -> Kubelet:
    return Kubelet(cluster, tmp_path)


@pytest.fixture
def guest(cluster: FakeCluster) -> Iterator[LiveBackend]:
    made = LiveBackend(pace=QUICK, settle_seconds=PATIENCE, guise=Guise("busybox"))
    yield made
    made.close()


Meanwhile = Callable[[int], None]


def played(
    guest: LiveBackend, kubelet: Kubelet, steps: tuple[Step, ...], meanwhile: Meanwhile = lambda step: None
) -> History:
    """A plan with a kubelet and a provisioner at work after each step, and something else before them."""

    def act(number: int, step: Step, history: History) -> None:
        meanwhile(number)
        for obj in list(kubelet.cluster.objects.values()):
            if obj["kind"] == "PersistentVolumeClaim" and not get(obj, "status", "phase"):
                kubelet.provision(obj)
        for obj in list(kubelet.cluster.objects.values()):
            if obj["kind"] == "Pod" and not get(obj, "spec", "nodeName"):
                kubelet.run(obj)

    return execute(Plan(steps, Setup()), guest, hear=act)


def judged(history: History) -> dict[str, Result]:
    return {result.invariant.id: result for result in judge(history, selected(JUDGES))}


def verdicts(history: History) -> dict[str, Verdict]:
    return {id: result.verdict for id, result in judged(history).items()}


def told_of(history: History, kind: str) -> list[Event]:
    return [entry for entry in history.entries if isinstance(entry, Event) and entry.object["kind"] == kind]


def shapes(history: History) -> list[str]:
    """Events of the ledgers, with the number of marks in each asset, and of pods that are ready."""
    found = []
    for event in (entry for entry in history.entries if isinstance(entry, Event)):
        kind, marks = event.object["kind"], event.object.get("spec", {}).get("data")
        if kind in LEDGERS:
            found.append(f"{event.type} {kind}" + (f" {len(marks)}" if marks is not None else ""))
        elif kind == "Pod" and is_ready(event.object) and event.type == "MODIFIED":
            found.append(f"ready {event.object['metadata']['name']}")
    return found


def wipe(kubelet: Kubelet) -> None:
    """Lose what is on all volumes."""
    for folder in kubelet.root.iterdir():
        shutil.rmtree(folder)
        folder.mkdir()


def test_a_pod_that_comes_back_and_finds_its_data_keeps_the_promise(guest: LiveBackend, kubelet: Kubelet) -> None:
    history = played(guest, kubelet, COMES_BACK)
    assert verdicts(history) == {"STS-047": Verdict.PASS, "PVB-133": Verdict.PASS}
    first, second = (event for event in told_of(history, "Process") if event.type == "ADDED")
    (read,) = [mount["read"] for mount in second.object["spec"]["volumes"]]
    assert [mount["read"] for mount in first.object["spec"]["volumes"]] == [None]
    assert read["podUID"] == first.object["spec"]["podUID"]


def test_pods_are_told_with_their_marks_right_behind_their_readiness(guest: LiveBackend, kubelet: Kubelet) -> None:
    assert shapes(played(guest, kubelet, COMES_BACK)) == [
        "ready reader", "ADDED Asset 0", "ADDED Process", "MODIFIED Asset 1",
        "DELETED Process",
        "ready reader", "ADDED Process", "MODIFIED Asset 2",
    ]  # fmt: skip


def test_data_that_is_lost_breaks_it(guest: LiveBackend, kubelet: Kubelet) -> None:
    history = played(guest, kubelet, COMES_BACK, lambda step: wipe(kubelet) if step == 3 else None)
    assert verdicts(history)["STS-047"] is Verdict.FAIL
    assert "reader did not find in csi:disk.example:pvc-" in judged(history)["STS-047"].violations[0].message


def test_what_the_pods_of_others_left_breaks_another(
    guest: LiveBackend, kubelet: Kubelet, monkeypatch: pytest.MonkeyPatch
) -> None:
    clean = kubelet.provision

    def dirty(claim: Obj) -> Obj:
        made = clean(claim)
        (kubelet.root / made["metadata"]["name"] / "pvkit-marks").write_text("an-older-pod\n")
        return made

    monkeypatch.setattr(kubelet, "provision", dirty)
    history = played(guest, kubelet, COMES_BACK)
    assert verdicts(history)["PVB-133"] is Verdict.FAIL
    assert verdicts(history)["STS-047"] is Verdict.PASS


def test_a_claim_that_copies_another_may_hold_what_others_wrote(guest: LiveBackend, kubelet: Kubelet) -> None:
    copy = put(CLAIM, ("spec", "dataSource"), {"kind": "PersistentVolumeClaim", "name": "other"})
    history = played(guest, kubelet, (Operation("create", copy), *COMES_BACK[1:]))
    assert told_of(history, "Process") == []


def test_pods_are_told_as_the_plan_said_them(guest: LiveBackend, kubelet: Kubelet) -> None:
    history = played(guest, kubelet, COMES_BACK)
    images = {event.object["spec"]["containers"][0]["image"] for event in told_of(history, "Pod")}
    assert images == {pod("reader")["spec"]["containers"][0]["image"]}
    assert "PVKIT" not in str([entry for entry in history.entries if isinstance(entry, Event)])


def test_a_pod_that_began_beside_the_other_promises_nothing(guest: LiveBackend, kubelet: Kubelet) -> None:
    """Both pods have a node before either is known to have written; the second tells of an empty volume."""
    steps = (Operation("create", CLAIM), MADE, Operation("create", pod("second", "data")), Settle())
    logs: list[str] = []

    def act(number: int, step: Step, history: History) -> None:
        found = kubelet.cluster.objects.values()
        if number == 0:
            (claim,) = [obj for obj in found if obj["kind"] == "PersistentVolumeClaim"]
            kubelet.provision(claim)
        if number == 2:
            pods = [put(obj, ("spec", "nodeName"), "theirs") for obj in found if obj["kind"] == "Pod"]
            placed = [kubelet.cluster.write(obj) for obj in pods]
            for obj in placed:
                wipe(kubelet)  # Both look before either has written.
                kubelet.run(obj)
                logs.append(obj["metadata"]["name"])

    history = execute(Plan(steps, Setup()), guest, hear=act)
    assert logs == ["reader", "second"]
    assert [event.object["spec"]["pod"] for event in told_of(history, "Process")] == ["reader"]
    assert verdicts(history)["STS-047"] is not Verdict.FAIL


def test_logs_that_cannot_be_read_are_a_lack_and_no_failure(guest: LiveBackend, kubelet: Kubelet) -> None:
    def refuse() -> str:
        raise ServerError("dial tcp 10.0.0.1:10250: connect: connection refused")

    run = kubelet.run

    def unheard(pod: Obj) -> Obj:
        made = run(pod)
        kubelet.cluster.logs[path_of(key(pod), "log")] = refuse
        return made

    kubelet.run = unheard  # type: ignore[method-assign]
    history = played(guest, kubelet, COMES_BACK)
    assert set(verdicts(history).values()) == {Verdict.NOT_SUPPORTED}
    assert "10250: connect: connection refused" in judged(history)["STS-047"].reason
    assert not history.header.backend.data


def test_an_image_that_cannot_be_pulled_is_a_lack(
    guest: LiveBackend, kubelet: Kubelet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unpullable(pod: Obj) -> Obj:
        waiting = {"reason": "ImagePullBackOff", "message": "Back-off pulling image busybox"}
        status = {"phase": "Pending", "containerStatuses": [{"name": "app", "state": {"waiting": waiting}}]}
        return kubelet.cluster.write(put(put(pod, ("spec", "nodeName"), "theirs"), ("status",), status))

    monkeypatch.setattr(kubelet, "run", unpullable)
    history = played(guest, kubelet, COMES_BACK)
    assert set(verdicts(history).values()) == {Verdict.NOT_SUPPORTED}
    assert "pods do not start: ImagePullBackOff: Back-off" in judged(history)["STS-047"].reason


@pytest.mark.parametrize(
    ("changes", "seconds"),
    [
        ({}, testimony.STARTING_SECONDS),
        ({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}, testimony.ENDING_SECONDS),
        ({"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}, 0.0),
        ({"status": {"phase": "Succeeded"}}, 0.0),
        ({"spec": {"nodeName": ""}}, 0.0),
    ],
    ids=["it starts", "it ends", "it is ready", "it is over", "it has no node"],
)
def test_kubelets_are_given_time_to_start_and_to_end_pods(
    cluster: FakeCluster, changes: dict[str, Obj], seconds: float
) -> None:
    tape = Tape(lambda obj: True)
    made = pod("reader")
    made = {**made, "spec": {**made["spec"], "nodeName": "theirs"}}
    made = {**made, **{part: {**made.get(part, {}), **fields} for part, fields in changes.items()}}
    tape.take(Frame("ADDED", cluster.write(made), 0.0))
    assert Witness(cluster.connect(), lambda: 0).patience(tape) == seconds


def test_pods_on_volumes_without_storage_are_not_waited_for(cluster: FakeCluster) -> None:
    tape = Tape(lambda obj: True)
    made = pod("reader", "data")
    for obj in (CLAIM, {**made, "spec": {**made["spec"], "nodeName": "theirs"}}):
        tape.take(Frame("ADDED", cluster.write(obj), 0.0))
    assert Witness(cluster.connect(), lambda: 0).patience(tape) == 0.0


def test_a_log_that_is_not_whole_yet_is_read_again(
    guest: LiveBackend, kubelet: Kubelet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(testimony, "LOG_PAUSE", 0.001)
    run = kubelet.run

    def slow(pod: Obj) -> Obj:
        made = run(pod)
        whole = kubelet.cluster.logs[path_of(key(pod), "log")]
        parts = iter(["", '{"pvkit": "ma', whole()])
        kubelet.cluster.logs[path_of(key(pod), "log")] = lambda: next(parts)
        return made

    monkeypatch.setattr(kubelet, "run", slow)
    assert verdicts(played(guest, kubelet, COMES_BACK))["STS-047"] is Verdict.PASS


def test_a_pod_whose_log_never_comes_is_not_told(
    guest: LiveBackend, kubelet: Kubelet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(testimony, "LOG_SECONDS", 0.0)
    monkeypatch.setattr(kubelet, "log", lambda pod: "hello\n")
    history = played(guest, kubelet, COMES_BACK)
    assert told_of(history, "Process") == []
    assert verdicts(history)["STS-047"] is Verdict.NOT_EXERCISED


def test_without_an_image_nothing_is_read_and_it_is_said_what_to_do(cluster: FakeCluster) -> None:
    plain = LiveBackend(pace=QUICK, settle_seconds=PATIENCE)
    history = execute(Plan((Operation("create", CLAIM), MADE, Settle()), Setup()), plain)
    plain.close()
    assert not [path for method, path, _ in cluster.requests if path.endswith("/log")]
    assert judged(history)["STS-047"].reason == NO_IMAGE


def test_pods_without_volumes_are_not_asked(guest: LiveBackend, kubelet: Kubelet) -> None:
    played(guest, kubelet, (Operation("create", pod("idle")), Settle()))
    assert not [path for _, path, _ in kubelet.cluster.requests if path.endswith("/log")]


def test_where_nodes_are_simulated_the_lack_says_so(cluster: FakeCluster) -> None:
    own = LiveBackend(pace=QUICK, nodes=True, settle_seconds=PATIENCE)
    lacks, data = own.describe().lacks, own.describe().data
    own.close()
    assert "simulated" in lacks["data"]
    assert not data
