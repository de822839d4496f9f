"""The program that pods run, in this machine's `sh`, and containers as they are sent and told."""

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pvkit.backends.live.guise import Guise
from pvkit.backends.live.marks import CONTAINERS, INSTEAD_OF, PROGRAM, Found, dressed, found_in, looked_at, undressed
from pvkit.backends.live.naming import Names
from pvkit.backends.objects import Obj, get, put
from pvkit.strategies.pods import pod
from pvkit.strategies.statefulsets import stateful_set, template
from tests.backends.live.fake_kubelet import printed

IMAGE = "mirror.example/busybox:1"
PLAIN = pod("reader", "data")
(CONTAINER,) = PLAIN["spec"]["containers"]


def found(by: str, *folders: Path) -> list[Found]:
    """What a pod of that UID finds on its volumes, these folders."""
    places = {f"volume-{number}": folder for number, folder in enumerate(folders)}
    container = dressed(pod("reader", *(["data"] * len(folders)))["spec"]["containers"][0], IMAGE)
    return list(found_in(printed(container, by, places)).values())


def test_a_pod_finds_what_the_pods_before_it_wrote(tmp_path: Path) -> None:
    assert found("first", tmp_path) == [Found("volume-0", (), True, True)]
    assert found("second", tmp_path) == [Found("volume-0", ("first",), True, True)]
    assert found("third", tmp_path) == [Found("volume-0", ("first", "second"), True, True)]


def test_each_volume_is_told_by_itself(tmp_path: Path) -> None:
    (old := tmp_path / "old").mkdir()
    (new := tmp_path / "a new one").mkdir()
    found("first", old)
    assert found("second", old, new) == [
        Found("volume-0", ("first",), True, True),
        Found("volume-1", (), True, True),
    ]


def test_a_pod_without_volumes_tells_nothing_and_goes_on() -> None:
    assert found("first") == []


def test_a_volume_that_cannot_be_written_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "pvkit-marks").mkdir()
    assert found("first", tmp_path) == [Found("volume-0", (), False, False)]


def test_a_volume_that_is_not_there_is_no_empty_one(tmp_path: Path) -> None:
    assert found("first", tmp_path / "missing") == [Found("volume-0", (), False, False)]


@pytest.mark.parametrize("text", ["}{\n", 'a"b\n', "\n", "a b\n", "first\n\x00\x00\n"])
def test_what_is_no_mark_is_not_told_as_one_and_breaks_no_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "pvkit-marks").write_text(text)
    (told,) = found("second", tmp_path)
    assert (told.read, told.wrote) == (False, True) or told.marks == ("first",)
    assert set(told.marks) <= {"first"}


def test_a_mark_that_breaks_off_is_a_mark_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "pvkit-marks").write_text("first\nsecond")
    assert found("third", tmp_path)[0].marks == ("first", "second")


def test_the_program_goes_on_until_it_is_told_to_end(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "PVKIT_POD_UID": "first"}
    command = ["sh", "-c", PROGRAM, "pvkit", f"data={tmp_path}"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as running:
        assert running.stdout is not None
        assert found_in(running.stdout.readline()) == {"data": Found("data", (), True, True)}
        assert running.poll() is None
        running.send_signal(signal.SIGTERM)
        assert running.wait(10) == 0
        assert running.stdout.read() == ""  # Its sleep is ended, too: nobody holds the pipe any more.


def test_a_kubelet_replaces_nothing_in_the_program() -> None:
    assert "$(" not in PROGRAM
    assert "$$" not in PROGRAM


@pytest.mark.parametrize(
    "line",
    ["", "{", "[]", "3", '{"pvkit": "other"}', '{"pvkit": "marks"}', '{"pvkit": "marks", "volume": "v", "found": 3}'],
)
def test_lines_of_others_are_passed_over(line: str) -> None:
    good = '{"pvkit": "marks", "volume": "v", "found": ["a"], "read": true, "wrote": false}'
    assert found_in(f"{line}\n{good}\n{line}") == {"v": Found("v", ("a",), True, False)}


def test_after_a_restart_the_last_word_counts() -> None:
    lines = [
        f'{{"pvkit": "marks", "volume": "v", "found": [{marks}], "read": true, "wrote": true}}' for marks in ("", '"a"')
    ]
    assert found_in("\n".join(lines))["v"].marks == ("a",)


CONTAINERS_OF_PLANS: dict[str, Obj] = {
    "a plain one": CONTAINER,
    "one with a command": {**CONTAINER, "command": ["run"], "args": ["--fast"], "env": [{"name": "A", "value": "b"}]},
    "one without mounts": {"name": "app", "image": "registry.example/app:1"},
    "one of which a patch speaks": {"name": "app"},
}


@pytest.mark.parametrize("container", CONTAINERS_OF_PLANS.values(), ids=CONTAINERS_OF_PLANS)
def test_a_container_is_told_as_the_plan_said_it(container: Obj) -> None:
    sent = dressed(container, IMAGE)
    assert sent["image"] == IMAGE
    told = undressed(sent)
    assert {field: told[field] for field in container} == container
    assert told.keys() - container.keys() <= {"imagePullPolicy"}
    assert dressed(sent, "another") == sent


def test_a_container_asks_for_no_privilege_and_no_second_pull() -> None:
    sent = dressed(CONTAINER, IMAGE)
    assert "securityContext" not in sent
    assert sent["imagePullPolicy"] == "IfNotPresent"


def test_a_pod_without_volumes_is_not_asked() -> None:
    sent = put(PLAIN, ("spec", "containers"), [dressed(pod("idle")["spec"]["containers"][0], IMAGE)])
    assert looked_at(sent) == {}


def test_mounts_that_are_read_only_are_not_written() -> None:
    mounts = [{"name": "a", "mountPath": "/a"}, {"name": "b", "mountPath": "/b", "readOnly": True}]
    sent = put(PLAIN, ("spec", "containers"), [dressed({**CONTAINER, "volumeMounts": mounts}, IMAGE)])
    assert looked_at(sent) == {"app": {"a"}}


SET = stateful_set("web", template("www"))
REVISION = {"kind": "ControllerRevision", "metadata": {"name": "web-1"}, "data": {"spec": SET["spec"]}}


@pytest.mark.parametrize("obj", [PLAIN, SET, REVISION], ids=lambda obj: obj["kind"])
def test_objects_are_told_in_the_plans_own_containers(obj: Obj) -> None:
    names = Names("k1-0", "1", guise=Guise(IMAGE))
    sent, path = names.out(obj), CONTAINERS[obj["kind"]]
    assert [entry["image"] for entry in get(sent, *path)] == [IMAGE]
    (told,) = get(names.told(sent), *path)
    (said,) = get(obj, *path)
    assert {field: told[field] for field in said} == said
    assert INSTEAD_OF not in str(names.told(sent))


def test_a_new_template_of_a_plan_is_a_new_template_on_the_cluster() -> None:
    names = Names("k1-0", "1", guise=Guise(IMAGE))

    def patched(image: str) -> Any:
        patch = {"spec": {"template": {"spec": {"containers": [{**CONTAINER, "image": image}]}}}}
        return names.patch("StatefulSet", patch)["spec"]["template"]["spec"]["containers"][0]

    assert patched("registry.example/app:1") != patched("registry.example/app:2")
    assert {patched(f"registry.example/app:{number}")["image"] for number in (1, 2)} == {IMAGE}


def test_without_an_image_containers_stay_as_they_are() -> None:
    names = Names("k1-0", "1")
    assert names.out(SET)["spec"]["template"] == SET["spec"]["template"]
