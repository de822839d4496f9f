"""On a real control plane that belongs to others a run leaves everything as it was, however it ends."""

import json
import signal
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from pvkit.backends.errors import BackendError
from pvkit.backends.live.backend import LiveBackend
from pvkit.backends.live.cleanup import sweep
from pvkit.backends.live.cluster import down, up
from pvkit.backends.live.components import Layout
from pvkit.backends.live.connection import Connection
from pvkit.backends.live.patience import Pace
from pvkit.backends.live.permissions import cluster_role
from pvkit.backends.live.preflight import examine
from pvkit.backends.live.requests import request
from pvkit.backends.objects import Key, Obj, phase, put
from pvkit.backends.protocol import Budget, Operation, Setup
from pvkit.backends.storage import DEFAULT_CLASS, storage_class, volume_name
from pvkit.conformance.commands.cluster_options import drawn_for
from pvkit.conformance.execute import execute
from pvkit.conformance.history import Asked
from pvkit.strategies.plan import Plan
from tests.backends.live.bystanders import THEIRS, claim, picture, plant, volume
from tests.backends.live.calling import call
from tests.backends.live.programs_for_tests import program, until
from tests.backends.live.real_cluster import get, node, real_programs

pytestmark = pytest.mark.live
QUICK = Pace(resync=1.0, provisioning=1.0)
DRAWN = 5
ROLES = "/apis/rbac.authorization.k8s.io/v1"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Layout]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PVKIT_CLUSTERS", str(tmp_path_factory.mktemp("clusters")))
        layout = up("safety", real_programs(), [node("n1"), node("n2")], resync_seconds=1)
        plant(layout)
        bound = f"/api/v1/namespaces/{THEIRS}/persistentvolumeclaims/data"
        until(lambda: get(layout, bound).get("status", {}).get("phase") == "Bound", "the bystander's claim is bound")
        yield layout
        down("safety")


@pytest.fixture
def untouched(cluster: Layout) -> Iterator[None]:
    """In the end everything is as it was."""
    before = picture(cluster)
    yield
    after = picture(cluster)
    assert [at for at in before if after.get(at) != before[at]] == []
    assert [at for at in after if at not in before] == []


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cluster: Layout) -> None:
    """The kit does not know the cluster for its own, and finds it by KUBECONFIG."""
    monkeypatch.setenv("PVKIT_CLUSTERS", str(tmp_path / "none"))
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))


def guest(kubeconfig: Path) -> LiveBackend:
    return LiveBackend(str(kubeconfig), pace=QUICK, settle_seconds=20.0)


def drawn(backend: LiveBackend, wanted: int) -> list[Plan]:
    """Plans that are drawn for a cluster of somebody else's."""
    found: list[Plan] = []

    @settings(
        max_examples=wanted, database=None, deadline=None, derandomize=True, phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(drawn_for(backend, "smoke", 1))
    def each(plan: Plan) -> None:
        found.append(plan)

    each()
    return found


@pytest.mark.usefixtures("untouched")
def test_drawn_plans_leave_everything_as_it_was(cluster: Layout) -> None:
    backend = guest(cluster.kubeconfig)
    try:
        histories = [execute(plan, backend) for plan in drawn(backend, DRAWN)]
    finally:
        backend.close()
    assert len(histories) == DRAWN
    assert any(isinstance(entry, Asked) and entry.outcome.status == "ok" for one in histories for entry in one.entries)


def held(backend: LiveBackend, kind: str) -> dict[str, Obj]:
    """The last that was seen of the objects of a kind, by name."""
    return {
        event.object["metadata"]["name"]: event.object for event in backend.observe() if event.object["kind"] == kind
    }


@pytest.mark.usefixtures("untouched")
def test_claims_and_volumes_without_a_class_meet_each_other_and_nobody_else(cluster: Layout) -> None:
    """The free volume would fit the plan's claims, and the plan's volume the hungry claim."""
    backend = guest(cluster.kubeconfig)
    try:
        backend.reset(Setup())
        for made in (
            volume("shelf", "", ("ReadWriteOnce", "ReadWriteMany")),
            claim("data", "", "default"),
            claim("more", None, "default"),
        ):
            assert backend.invoke(Operation("create", object=made)).status == "ok"
        assert backend.settle(Budget()).quiet
        claims = held(backend, "PersistentVolumeClaim")
    finally:
        backend.close()
    assert sorted(phase(entry) for entry in claims.values()) == ["Bound", "Pending"]
    assert {volume_name(entry) for entry in claims.values()} <= {"", "shelf"}
    assert {storage_class(entry) for entry in claims.values()} == {""}
    assert claims["data"]["spec"]["storageClassName"] == ""
    assert "storageClassName" not in claims["more"]["spec"]


REFUSED = {
    "a node": Operation("delete", target=Key("Node", "", "n1")),
    "a node's labels": Operation("patch", target=Key("Node", "", "n1"), patch={"metadata": {"labels": {"a": "b"}}}),
    "a default class": Operation(
        "create",
        object={
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": "mine", "annotations": {DEFAULT_CLASS: "true"}},
            "provisioner": "csi.example.com",
        },
    ),
    "a recycled volume": Operation(
        "create", object=put(volume("shelf"), ("spec", "persistentVolumeReclaimPolicy"), "Recycle")
    ),
    "a volume on a node": Operation(
        "create", object=put(volume("shelf"), ("spec", "hostPath"), {"path": "/nonexistent"})
    ),
}


@pytest.mark.usefixtures("untouched")
def test_what_would_reach_beyond_a_plan_is_not_sent(cluster: Layout) -> None:
    backend = guest(cluster.kubeconfig)
    try:
        backend.reset(Setup())
        answers = {name: backend.invoke(operation) for name, operation in REFUSED.items()}
    finally:
        backend.close()
    assert {name: answer.code for name, answer in answers.items()} == dict.fromkeys(REFUSED, 403)
    assert all(answer.message.startswith("not sent to a cluster that others use") for answer in answers.values())


@pytest.mark.usefixtures("untouched")
def test_volumes_that_were_made_for_a_run_go_with_their_storage(cluster: Layout) -> None:
    backend = guest(cluster.kubeconfig)
    made_by: Obj = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "kept"},
        "provisioner": "pvkit.dev/provisioner",
        "reclaimPolicy": "Retain",
    }
    try:
        backend.reset(Setup())
        for made in (made_by, claim("data", "kept", "default")):
            assert backend.invoke(Operation("create", object=made)).status == "ok"
        assert backend.settle(Budget()).quiet
        claims = held(backend, "PersistentVolumeClaim")
    finally:
        backend.close()
    assert [phase(entry) for entry in claims.values()] == ["Bound"]


def begun(words: tuple[str, ...], cluster: Layout) -> tuple[Any, str]:
    """A run in a process of its own that has begun its first plan, and its id."""
    process = program("run", "--backend", "live", "--yes", "--max-examples", "500", "--quiet", "--no-canary", *words)
    line = process.stderr.readline()
    run_id = line.split()[1]
    until(lambda: get(cluster, f"/api/v1/namespaces/k{run_id}-0-default"), "the first plan has begun")
    return process, run_id


@pytest.mark.usefixtures("untouched", "elsewhere")
def test_an_interrupted_run_leaves_everything_as_it_was(cluster: Layout, tmp_path: Path) -> None:
    process, _ = begun(("--output-dir", str(tmp_path / "report")), cluster)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
    assert process.returncode == 130


@pytest.mark.usefixtures("untouched", "elsewhere")
def test_after_a_killed_run_cleanup_leaves_everything_as_it_was(
    cluster: Layout, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    process, run_id = begun(("--output-dir", str(tmp_path / "report")), cluster)
    process.kill()
    process.communicate(timeout=60)
    found = call(capsys, monkeypatch, "cleanup", "--run-id", run_id)
    assert found.code == 0
    assert f"nothing of run {run_id} is left" in found.out


@pytest.fixture
def somebody(cluster: Layout, tmp_path: Path) -> Iterator[Callable[[dict[str, Any]], Path]]:
    """Gives a kubeconfig of somebody who may do what a role says; afterwards they are gone."""
    place, name = "/api/v1/namespaces/default/serviceaccounts", "somebody"

    def made(role: dict[str, Any]) -> Path:
        request(cluster, "POST", place, {"metadata": {"name": name}})
        request(cluster, "POST", f"{ROLES}/clusterroles", role)
        subject = {"kind": "ServiceAccount", "name": name, "namespace": "default"}
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role["metadata"]["name"]}
        binding = {"metadata": {"name": name}, "roleRef": reference, "subjects": [subject]}
        request(cluster, "POST", f"{ROLES}/clusterrolebindings", binding)
        token = request(cluster, "POST", f"{place}/{name}/token", {"spec": {}})["status"]["token"]
        config = json.loads(cluster.kubeconfig.read_text())
        config["users"][0]["user"] = {"token": token}
        path = tmp_path / "somebody"
        path.write_text(json.dumps(config))
        connection = Connection(str(path))
        until(lambda: examine(connection).fit or not role["rules"], "the role is in force")
        return path

    yield made
    for path in (f"{ROLES}/clusterrolebindings/{name}", f"{ROLES}/clusterroles/pvkit", f"{place}/{name}"):
        if get(cluster, path):
            request(cluster, "DELETE", path)


@pytest.mark.usefixtures("untouched")
def test_a_run_works_under_exactly_the_printed_role(
    cluster: Layout, somebody: Callable[[dict[str, Any]], Path]
) -> None:
    kubeconfig = somebody(cluster_role())
    assert examine(Connection(str(kubeconfig))).missing == ()
    backend = guest(kubeconfig)
    try:
        histories = [execute(plan, backend) for plan in drawn(backend, DRAWN)]
    finally:
        backend.close()
    asked = [entry for history in histories for entry in history.entries if isinstance(entry, Asked)]
    assert len(asked) > DRAWN
    assert [entry for entry in asked if "cannot" in entry.outcome.message and entry.outcome.code == 403] == []


@pytest.mark.usefixtures("untouched")
def test_who_may_do_nothing_is_told_what_is_missing(
    cluster: Layout, somebody: Callable[[dict[str, Any]], Path], capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    kubeconfig = somebody({"metadata": {"name": "pvkit"}, "rules": []})
    found = call(capsys, monkeypatch, "preflight", "--kubeconfig", kubeconfig)
    assert found.code == 2
    assert "persistentvolumes: list, watch, create, delete, get, patch, update" in found.out


def go_on(backend: LiveBackend) -> None:
    """Go on making volumes for as long as the server may still remember who we were."""
    limit = time.monotonic() + 60.0
    for number in count():
        assert time.monotonic() < limit
        backend.invoke(Operation("create", object=volume(f"v{number}", "mine")))
        backend.settle(Budget(seconds=1.0))


@pytest.mark.usefixtures("untouched")
def test_credentials_that_end_in_the_middle_end_the_run_and_cleanup_leaves_nothing(
    cluster: Layout, somebody: Callable[[dict[str, Any]], Path]
) -> None:
    backend = guest(somebody(cluster_role()))
    backend.reset(Setup())
    request(cluster, "DELETE", "/api/v1/namespaces/default/serviceaccounts/somebody")
    with pytest.raises(BackendError, match="has expired; log in again"):
        go_on(backend)
    with pytest.raises(BackendError):
        backend.close()
    sweep(Connection(str(cluster.kubeconfig)), backend.run_id)
