"""What a cluster finds in its folder."""

import base64
import csv
import json
from pathlib import Path

import pytest
import yaml

from pvkit.backends.live.components import COMPONENTS_GROUP, Layout, Ports
from pvkit.backends.live.furnishing import furnish, layout_in, signing_key
from pvkit.backends.live.programs import Programs
from tests.backends.live.test_components import HEADS


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path, Programs(HEADS, "1.36.3", "here", ("a note",)), Ports(1, 2, 3), "1.33", 7)
    furnish(made)
    return made


def test_a_layout_comes_back_as_it_was(layout: Layout) -> None:
    assert layout_in(layout.folder) == layout


def test_a_folder_that_was_not_furnished_has_none(tmp_path: Path) -> None:
    assert layout_in(tmp_path) is None
    (tmp_path / "cluster.json").write_text('{"programs": ')
    assert layout_in(tmp_path) is None


def test_secrets_are_for_the_owner_only(layout: Layout) -> None:
    modes = {path.name: path.stat().st_mode & 0o777 for path in layout.folder.iterdir()}
    assert {modes[name] for name in ("tokens.csv", "service-account.key", "kubeconfig", "kubeconfig-components")} == {
        0o600
    }


def test_the_kubeconfig_verifies_the_server_and_carries_the_token(layout: Layout) -> None:
    said = yaml.safe_load(layout.kubeconfig.read_text())
    cluster, user = said["clusters"][0]["cluster"], said["users"][0]["user"]
    assert cluster == {"server": "https://127.0.0.1:3", "certificate-authority": str(layout.authority)}
    assert layout.folder.joinpath("tokens.csv").read_text().startswith(user["token"] + ",")
    assert said["current-context"] == said["contexts"][0]["name"]


def test_components_are_another_user_than_the_owner(layout: Layout) -> None:
    tokens = {
        json.loads(path.read_text())["users"][0]["user"]["token"]
        for path in (layout.kubeconfig, layout.components_kubeconfig)
    }
    rows = list(csv.reader(layout.folder.joinpath("tokens.csv").read_text().splitlines()))
    assert {row[0] for row in rows} == tokens
    assert [row[3] for row in rows] == ["system:masters", COMPONENTS_GROUP]


def test_every_start_has_another_token_and_another_key(layout: Layout) -> None:
    before = layout.kubeconfig.read_text(), (layout.folder / "service-account.key").read_text()
    furnish(layout)
    assert layout.kubeconfig.read_text() != before[0]
    assert (layout.folder / "service-account.key").read_text() != before[1]


def test_the_key_is_a_private_key_on_p256() -> None:
    lines = signing_key().splitlines()
    assert (lines[0], lines[-1]) == ("-----BEGIN EC PRIVATE KEY-----", "-----END EC PRIVATE KEY-----")
    body = base64.b64decode("".join(lines[1:-1]))
    assert (body[0], body[1], len(body)) == (0x30, len(body) - 2, 51)
    assert body[2:7] == bytes([2, 1, 1, 4, 32])
    assert body[-8:] == bytes.fromhex("2a8648ce3d030107")


def test_commands_are_written_down_for_the_supervisor(layout: Layout) -> None:
    said = json.loads((layout.folder / "cluster.json").read_text())
    assert list(said["commands"]) == list(HEADS)
    assert said["commands"]["etcd"][0] == "/programs/etcd"
