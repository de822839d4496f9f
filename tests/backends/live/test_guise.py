"""An image and a class of the cluster are looked at before anything is written, and the class is only read."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pvkit.backends.live import opening
from pvkit.backends.live.connection import Connection
from pvkit.backends.live.guise import NO_CLASS, NO_IMAGE, Guise
from pvkit.backends.live.naming import Names
from pvkit.backends.live.rehearsal import rehearse
from pvkit.backends.objects import Obj
from pvkit.backends.storage import KIT_PROVISIONER, NO_PROVISIONER
from pvkit.strategies.classes import MADE, storage_class
from tests.backends.live.calling import Called, call
from tests.backends.live.fake_server import FakeServer, kubeconfig, serving

BAD = 2
CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
THEIRS: Obj = {
    "metadata": {"name": "standard", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
    "provisioner": "disk.example",
    "parameters": {"kind": "fast"},
    "reclaimPolicy": "Retain",
    "volumeBindingMode": "WaitForFirstConsumer",
    "allowVolumeExpansion": True,
}


@pytest.fixture
def server() -> Iterator[FakeServer]:
    fake = FakeServer()
    fake.put(f"{CLASSES}/standard", **THEIRS)
    fake.put(f"{CLASSES}/by-hand", metadata={"name": "by-hand"}, provisioner=NO_PROVISIONER)
    with serving(fake):
        yield fake


@pytest.fixture
def dry_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, server: FakeServer, tmp_path: Path
) -> Callable[..., Called]:
    """`pvkit run --backend live --dry-run` on the fake server."""
    monkeypatch.setenv("PVKIT_CLUSTERS", str(tmp_path / "clusters"))
    config = kubeconfig(tmp_path / "config", server.url)
    words = ("run", "--backend", "live", "--kubeconfig", config, "--dry-run")
    return lambda *more: call(capsys, monkeypatch, *words, *more)


def test_what_is_there_can_be_used(dry_run: Callable[..., Called], server: FakeServer) -> None:
    found = dry_run("--image", "mirror.example:5000/tools/busybox:1.37@sha256:ab", "--storage-class", "standard")
    assert found.code == 0
    assert "pods run the image mirror.example:5000/tools/busybox:1.37@sha256:ab" in found.out
    assert "volumes for the plans' claims are made by disk.example, as for class standard" in found.out
    assert server.written() == []


def test_without_an_image_nobody_is_asked_about_one(dry_run: Callable[..., Called]) -> None:
    assert "image" not in dry_run().out


def test_what_pods_will_run_is_rehearsed(server: FakeServer, tmp_path: Path) -> None:
    connection = Connection(str(kubeconfig(tmp_path / "config", server.url)))
    rehearse(connection, "3fa2c1", Guise("busybox").worn)
    sent = [body for method, path, body in server.requests if method == "POST" and "/pods?" in path]
    assert [entry["image"] for body in sent for entry in body["spec"]["containers"]] == ["busybox"]


MISTAKES = {
    "no image": (("--image", "busy box"), "--image 'busy box' names no image"),
    "an option for an image": (("--image", "--yes"), "--image '--yes' names no image"),
    "a class that is not there": (("--storage-class", "fast"), "has no such class; it has by-hand, standard"),
    "a class by hand": (("--storage-class", "by-hand"), "nobody makes volumes for that class"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_what_cannot_be_used_is_told(case: str, dry_run: Callable[..., Called], server: FakeServer) -> None:
    words, message = MISTAKES[case]
    found = dry_run(*words)
    assert found.code == BAD
    assert message in found.err
    assert server.written() == []


def test_who_may_not_read_logs_is_told_before_anything_is_written(
    dry_run: Callable[..., Called], server: FakeServer
) -> None:
    server.denied.add(("get", "pods/log"))
    found = dry_run("--image", "busybox")
    assert found.code == BAD
    assert "you may not get pods/log" in found.err
    assert dry_run().code == 0


@pytest.mark.parametrize("words", [("--image", "busybox"), ("--storage-class", "standard")], ids=lambda words: words[0])
def test_where_nodes_are_simulated_it_would_change_nothing(
    dry_run: Callable[..., Called], monkeypatch: pytest.MonkeyPatch, words: tuple[str, str]
) -> None:
    monkeypatch.setattr(opening, "own_cluster", lambda server: object())
    found = dry_run(*words)
    assert found.code == BAD
    assert f"{words[0]} would change nothing on a cluster of the kit's own: its nodes" in found.err


def test_other_backends_run_no_pods(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    found = call(capsys, monkeypatch, "run", "--image", "busybox")
    assert found.code == BAD
    assert "--image and --storage-class are for --backend live; reference runs no pods" in found.err


def sent(plan_class: Obj, borrowed: Obj = THEIRS) -> Obj:
    return Names("k1-0", "1", private=True, guise=Guise("busybox", borrowed)).out(plan_class)


def test_a_class_of_the_kits_is_a_private_copy_of_the_clusters() -> None:
    made = sent(storage_class("fast", {**MADE, "parameters": {"slow": "5"}, "reclaimPolicy": "Delete"}))
    assert made["metadata"] == {"name": "k1-0-fast"}
    assert (made["provisioner"], made["parameters"]) == ("disk.example", {"kind": "fast"})
    assert made["reclaimPolicy"] == "Delete"
    assert "allowVolumeExpansion" not in made


@pytest.mark.parametrize(
    ("theirs", "expected"), [("WaitForFirstConsumer", "WaitForFirstConsumer"), ("Immediate", None)]
)
def test_a_provisioner_that_wants_to_know_the_node_is_told(theirs: str, expected: Any) -> None:
    made = sent(storage_class("fast", MADE), {**THEIRS, "volumeBindingMode": theirs})
    assert made.get("volumeBindingMode") == expected


@pytest.mark.parametrize("provisioner", [NO_PROVISIONER, "example.com/nobody"])
def test_classes_of_nobody_stay_as_they_are(provisioner: str) -> None:
    assert sent(storage_class("fast", {"provisioner": provisioner}))["provisioner"] == provisioner


def test_without_a_class_of_the_cluster_nothing_is_copied() -> None:
    names = Names("k1-0", "1", private=True, guise=Guise("busybox"))
    assert names.out(storage_class("fast", MADE))["provisioner"] == KIT_PROVISIONER


def test_what_is_not_put_on_is_lacked_and_said_so() -> None:
    assert Guise().lacks.items() >= {("data", NO_IMAGE), ("provisioning", NO_CLASS)}
    assert Guise("busybox", THEIRS).lacks.keys().isdisjoint({"data", "provisioning"})
