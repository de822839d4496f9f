"""Cleaning up finds all that a run left and nothing else, and removes exactly what it listed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pvkit.backends.errors import BackendError, UsageError
from pvkit.backends.live.cleanup import Removal, find_leftovers, sweep
from pvkit.backends.live.connection import Connection
from pvkit.backends.storage import PROVISIONED_BY
from tests.backends.live.calling import call
from tests.backends.live.fake_server import FakeServer, kubeconfig, serving, status

RUN = "3fa2c1"
LABELS = {"pvkit.dev/run": RUN}
VOLUMES, CLASSES, NAMESPACES = (
    "/api/v1/persistentvolumes",
    "/apis/storage.k8s.io/v1/storageclasses",
    "/api/v1/namespaces",
)
HOME = f"k{RUN}-0-default"
OWN_CLASS = f"k{RUN}-0-fast"
DRIVER = {PROVISIONED_BY: "csi.example.com"}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    monkeypatch.setattr("pvkit.backends.live.cleanup.POLL_SECONDS", 0.01)
    with serving(FakeServer()) as fake:
        yield fake


@pytest.fixture
def connection(server: FakeServer, tmp_path: Path) -> Connection:
    return Connection(str(kubeconfig(tmp_path / "config", server.url)))


def volume(server: FakeServer, called: str, claim: tuple[str, str] | None = None, **metadata: Any) -> dict[str, Any]:
    """A volume, bound to a claim if that is given."""
    spec: dict[str, Any] = {"persistentVolumeReclaimPolicy": "Delete", "storageClassName": OWN_CLASS}
    if claim:
        spec["claimRef"] = {"namespace": claim[0], "name": claim[1]}
    return server.put(f"{VOLUMES}/{called}", spec=spec, metadata=metadata)


def names(found: tuple[dict[str, Any], ...]) -> list[str]:
    return [obj["metadata"]["name"] for obj in found]


def test_what_carries_the_label_is_found_whatever_its_kind(server: FakeServer, connection: Connection) -> None:
    server.put(f"{NAMESPACES}/{HOME}", metadata={"labels": LABELS})
    volume(server, "a", labels=LABELS)
    server.put(f"{CLASSES}/b", metadata={"labels": LABELS})
    server.put("/apis/storage.k8s.io/v1/volumeattributesclasses/c", metadata={"labels": LABELS})
    server.put("/api/v1/nodes/d", metadata={"labels": LABELS})
    assert sorted(names(find_leftovers(connection, RUN).all)) == ["a", "b", "c", "d", HOME]


def test_what_belongs_to_others_is_not_found(server: FakeServer, connection: Connection) -> None:
    server.put(f"{NAMESPACES}/{HOME}", metadata={"labels": LABELS})
    server.put(f"{NAMESPACES}/k{RUN}-1-mine", metadata={})
    server.put(f"{NAMESPACES}/prod", metadata={"labels": {"pvkit.dev/run": "other1"}})
    volume(server, "free")
    volume(server, "elsewhere", ("prod", "data"), annotations=DRIVER)
    volume(server, "of-a-namespace-like-ours", (f"k{RUN}-1-mine", "data"), annotations=DRIVER)
    volume(server, "of-another-run", ("k3fa2c12-0-default", "data"), annotations=DRIVER)
    server.put(f"{CLASSES}/standard", metadata={})
    found = find_leftovers(connection, RUN)
    assert names(found.all) == [HOME]
    assert found.foreign == ()


def test_a_volume_made_for_a_claim_of_the_run_is_found_without_a_label(
    server: FakeServer, connection: Connection
) -> None:
    server.put(f"{NAMESPACES}/{HOME}", metadata={"labels": LABELS})
    volume(server, "pvc-1", (HOME, "data"), annotations=DRIVER)
    assert names(find_leftovers(connection, RUN).provisioned) == ["pvc-1"]


def test_it_is_found_when_the_namespace_is_gone_already(server: FakeServer, connection: Connection) -> None:
    volume(server, "pvc-1", (HOME, "data"), annotations=DRIVER)
    assert names(find_leftovers(connection, RUN).provisioned) == ["pvc-1"]


@pytest.mark.parametrize(
    ("annotations", "storage_class"),
    [({}, OWN_CLASS), (DRIVER, "standard"), (DRIVER, "")],
    ids=["made by hand", "made by a driver for somebody else", "made by a driver, without a class"],
)
def test_somebody_elses_volume_that_a_claim_of_the_run_took_is_told_and_stays(
    server: FakeServer, connection: Connection, annotations: dict[str, str], storage_class: str
) -> None:
    volume(server, "theirs", (HOME, "data"), annotations=annotations)["spec"]["storageClassName"] = storage_class
    server.put(f"{NAMESPACES}/{HOME}", metadata={"labels": LABELS})
    found = find_leftovers(connection, RUN)
    assert names(found.foreign) == ["theirs"]
    assert Removal(connection, found, seconds=5.0).remove() == []
    assert list(server.objects) == [f"{VOLUMES}/theirs"]
    assert server.written() == [f"DELETE {NAMESPACES}/{HOME}"]


def test_every_delete_names_the_uid_that_was_listed(server: FakeServer, connection: Connection) -> None:
    server.put(f"{NAMESPACES}/{HOME}", metadata={"labels": LABELS})
    volume(server, "a", labels=LABELS)
    uids = {path: obj["metadata"]["uid"] for path, obj in server.objects.items()}
    sweep(connection, RUN)
    deleted = {path: body["preconditions"]["uid"] for method, path, body in server.requests if method == "DELETE"}
    assert deleted == uids
    assert server.objects == {}


def test_an_object_that_was_made_again_under_the_name_stays(server: FakeServer, connection: Connection) -> None:
    volume(server, "a", labels=LABELS)
    found = find_leftovers(connection, RUN)
    del server.objects[f"{VOLUMES}/a"]
    volume(server, "a")
    assert Removal(connection, found, seconds=5.0).remove() == []
    assert list(server.objects) == [f"{VOLUMES}/a"]


def test_finalizers_of_the_run_itself_are_taken_off(server: FakeServer, connection: Connection) -> None:
    volume(server, "a", labels=LABELS, finalizers=["example.com/hold", "kubernetes.io/pv-protection"])
    found = find_leftovers(connection, RUN)
    Removal(connection, found, seconds=0.0).remove()
    patches = [body["metadata"]["finalizers"] for method, _, body in server.requests if method == "PATCH"]
    assert patches[0] == ["kubernetes.io/pv-protection"] or patches[0] is None


@pytest.mark.parametrize("said", ["NamespaceContentRemaining", "NamespaceFinalizersRemaining", "", "Other"])
def test_a_namespace_is_looked_into_when_the_server_says_that_it_does_not_go(
    server: FakeServer, connection: Connection, said: str
) -> None:
    held = {"type": said, "status": "True" if said else "False"}
    server.put(
        f"{NAMESPACES}/{HOME}", metadata={"labels": LABELS, "finalizers": ["test"]}, status={"conditions": [held]}
    )
    place = f"{NAMESPACES}/{HOME}/persistentvolumeclaims/c"
    server.put(
        place, spec={}, metadata={"finalizers": ["example.com/hold"], "deletionTimestamp": "2026-01-02T00:00:00Z"}
    )
    Removal(connection, find_leftovers(connection, RUN), seconds=0.1)._let_go(force=False)
    assert (place not in server.objects) == said.startswith("Namespace")


def test_what_a_controller_holds_is_left_to_it_first(server: FakeServer, connection: Connection) -> None:
    volume(server, "a", labels=LABELS, finalizers=["kubernetes.io/pv-protection"])
    removal = Removal(connection, find_leftovers(connection, RUN), seconds=0.4)
    assert removal.remove() == []
    written = [method for method, _, _ in server.requests]
    assert written[0] == "DELETE"
    assert "PATCH" in written[1:]


def test_a_volume_made_for_a_claim_is_never_torn_from_its_provisioner(
    server: FakeServer, connection: Connection
) -> None:
    volume(
        server,
        "pvc-1",
        (HOME, "data"),
        annotations=DRIVER,
        finalizers=["external-provisioner.volume.kubernetes.io/finalizer"],
    )
    left = Removal(connection, find_leftovers(connection, RUN), seconds=0.4).remove()
    assert names(tuple(left)) == ["pvc-1"]
    assert left[0]["metadata"]["finalizers"] == ["external-provisioner.volume.kubernetes.io/finalizer"]


def test_storage_made_for_the_run_does_not_stay_because_of_its_policy(
    server: FakeServer, connection: Connection
) -> None:
    volume(server, "pvc-1", (HOME, "data"), annotations=DRIVER)["spec"]["persistentVolumeReclaimPolicy"] = "Retain"
    server.refuse["DELETE"] = status(403, "Forbidden", "not yet")
    Removal(connection, find_leftovers(connection, RUN), seconds=0.1).remove()
    assert server.objects[f"{VOLUMES}/pvc-1"]["spec"]["persistentVolumeReclaimPolicy"] == "Delete"


def test_classes_wait_until_what_was_made_by_them_is_gone(server: FakeServer, connection: Connection) -> None:
    server.put(f"{CLASSES}/fast", metadata={"labels": LABELS})
    volume(server, "pvc-1", (HOME, "data"), annotations=DRIVER)
    sweep(connection, RUN)
    assert [path for method, path, _ in server.requests if method == "DELETE"] == [
        f"{VOLUMES}/pvc-1",
        f"{CLASSES}/fast",
    ]


def test_what_stays_is_named_with_the_command_that_tries_again(server: FakeServer, connection: Connection) -> None:
    volume(server, "a", labels=LABELS)
    server.refuse["DELETE"] = status(403, "Forbidden", "not for you")
    with pytest.raises(BackendError, match=rf"persistentvolume/a of run {RUN} are left.*pvkit cleanup --run-id {RUN}"):
        sweep(connection, RUN, 0.1)


@pytest.mark.parametrize("word", ["", "a,b", "A", "a=b", "*", "../x"])
def test_what_is_no_run_id_is_refused_before_the_server_is_asked(connection: Connection, word: str) -> None:
    with pytest.raises(UsageError, match="no id of a run"):
        find_leftovers(connection, word)


def test_the_command_tells_what_it_removes_and_what_is_left(
    server: FakeServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    volume(server, "a", labels=LABELS)
    volume(server, "b", labels=LABELS)
    server.refuse["DELETE .*/b$"] = status(403, "Forbidden", "b is not for you")
    config = kubeconfig(tmp_path / "config", server.url)
    found = call(capsys, monkeypatch, "cleanup", "--run-id", RUN, "--kubeconfig", config, "--max-time", "1")
    assert found.code == 2
    assert "removing persistentvolume/a" in found.out
    assert "persistentvolume/b: b is not for you" in found.out
