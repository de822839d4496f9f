"""A cluster for faults: each controller a process of its own, behind a port of its own; others pay nothing for it."""

import json
from pathlib import Path

import pytest

from pvkit.backends.errors import UsageError
from pvkit.backends.live import cluster
from pvkit.backends.live.actors import ACTORS, MANAGER, PARTS, Actor
from pvkit.backends.live.components import CONTROL, LOOPBACK, PROXY, Layout, commands, free_lines, free_ports
from pvkit.backends.live.furnishing import furnish, layout_in
from pvkit.backends.live.programs import Programs

NAMES = ("etcd", "kube-apiserver", MANAGER, "kube-scheduler", "kwok", "provisioner")
PROGRAMS = Programs({name: (name,) for name in NAMES}, "1.36.3", "nowhere")


@pytest.fixture
def plain(tmp_path: Path) -> Layout:
    return Layout(tmp_path, PROGRAMS, free_ports())


@pytest.fixture
def faulty(tmp_path: Path) -> Layout:
    return Layout(tmp_path, PROGRAMS, free_ports(), lines=free_lines(PROGRAMS))


def option(command: list[str], name: str) -> str:
    return next(word.partition("=")[2] for word in command if word.startswith(f"--{name}="))


def test_a_cluster_without_faults_has_no_process_more(plain: Layout) -> None:
    assert tuple(commands(plain)) == NAMES
    assert {option(command, "kubeconfig") for name, command in commands(plain).items() if name in NAMES[2:]} == {
        str(plain.components_kubeconfig),
        str(plain.kubeconfig),  # The provisioner's, who may record Events.
    }


def test_a_cluster_for_faults_has_a_proxy_and_a_process_for_each_actor(faulty: Layout) -> None:
    assert set(commands(faulty)) == {*NAMES, PROXY, *(actor.component for actor in ACTORS.values())}


@pytest.mark.parametrize("actor", PARTS, ids=lambda actor: actor.name)
def test_a_part_of_the_controller_manager_does_nothing_else_and_no_other_does_it(faulty: Layout, actor: Actor) -> None:
    made = commands(faulty)
    assert option(made[actor.component], "controllers") == actor.part
    assert f"-{actor.part}" in option(made[MANAGER], "controllers").split(",")


def test_every_actor_has_a_port_of_its_own_and_the_rest_asks_the_server_itself(faulty: Layout) -> None:
    assert set(faulty.lines) == {*ACTORS, CONTROL}
    assert len(set(faulty.lines.values())) == len(faulty.lines)
    assert option(commands(faulty)[MANAGER], "kubeconfig") == str(faulty.components_kubeconfig)


def test_kubeconfigs_of_actors_name_the_proxy_and_are_secret(faulty: Layout) -> None:
    furnish(faulty)
    for name in ACTORS:
        path = faulty.kubeconfig_of(name)
        said = json.loads(path.read_text())["clusters"][0]["cluster"]
        assert said["server"] == f"https://{LOOPBACK}:{faulty.lines[name]}"
        assert said["certificate-authority"] == str(faulty.authority)
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_cluster_for_faults_is_known_again_by_its_folder(faulty: Layout) -> None:
    furnish(faulty)
    assert layout_in(faulty.folder) == faulty


def test_faults_without_the_package_for_them_say_what_to_do(clusters: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'pvkit\[cluster\]'"):
        cluster.up("faulty", PROGRAMS, [], faults=True)
