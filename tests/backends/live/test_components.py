"""The command lines: loopback only, nothing off it, and what a cluster was asked for."""

from pathlib import Path

import pytest

from pvkit.backends.live.components import COMPONENTS, LOOPBACK, Layout, Ports, command, free_ports
from pvkit.backends.live.programs import Programs

HEADS = {name: (f"/programs/{name}",) for name in COMPONENTS}


def layout(folder: Path, emulated: str = "") -> Layout:
    return Layout(folder, Programs(HEADS, "1.36.3", "here"), Ports(1001, 1002, 1003), emulated)


def test_ports_are_free_and_three() -> None:
    ports = free_ports()
    assert len({ports.etcd, ports.peer, ports.api}) == 3
    assert min(ports.etcd, ports.peer, ports.api) > 1023


@pytest.mark.parametrize("component", COMPONENTS)
def test_every_address_is_on_loopback(component: str, tmp_path: Path) -> None:
    words = command(layout(tmp_path), component)
    addresses = [word.partition("://")[2].split(":")[0] for word in words if "http" in word and "invalid" not in word]
    assert set(addresses) <= {LOOPBACK}
    assert not any("=0.0.0.0" in word or "=::" in word for word in words)


def test_what_would_listen_everywhere_by_default_is_told_not_to(tmp_path: Path) -> None:
    for component in ("kube-controller-manager", "kube-scheduler"):
        assert "--secure-port=0" in command(layout(tmp_path), component)
    assert f"--bind-address={LOOPBACK}" in command(layout(tmp_path), "kube-apiserver")
    assert "--server-address=" in command(layout(tmp_path), "kwok")


def test_emulation_is_asked_of_the_three_programs_that_know_it(tmp_path: Path) -> None:
    asked = {name for name in COMPONENTS if "--emulated-version=kube=1.33" in command(layout(tmp_path, "1.33"), name)}
    assert asked == {"kube-apiserver", "kube-controller-manager", "kube-scheduler"}
    assert not any("emulated" in word for name in COMPONENTS for word in command(layout(tmp_path), name))


def test_every_command_line_names_the_folder_of_its_cluster(tmp_path: Path) -> None:
    assert all(str(tmp_path) in " ".join(command(layout(tmp_path), name)) for name in COMPONENTS)


def test_the_resync_period_is_the_volume_binders(tmp_path: Path) -> None:
    words = command(Layout(tmp_path, Programs(HEADS, "1.36.3", ""), Ports(1, 2, 3), "", 1), "kube-controller-manager")
    assert "--pvclaimbinder-sync-period=1s" in words


def test_no_component_is_told_to_trust_blindly(tmp_path: Path) -> None:
    assert not any("insecure" in word for name in COMPONENTS for word in command(layout(tmp_path), name))
