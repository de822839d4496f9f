"""What is built, how a build is keyed, and which version stands in for which."""

from pathlib import Path

import pytest

from pvkit.backends.errors import UsageError
from pvkit.backends.live import modules
from pvkit.backends.live.modules import PATCHES, choose, control_plane, nodes, source, stamps
from pvkit.backends.protocol import DEFAULT_KUBERNETES, KUBERNETES_VERSIONS
from tests.backends.live.test_programs import fake_build


def test_a_build_is_keyed_by_version_and_digest() -> None:
    names = {control_plane(minor).folder.name for minor in PATCHES} | {nodes().folder.name}
    assert len(names) == len(PATCHES) + 1
    module = control_plane("1.36")
    assert module.folder.name == f"kubernetes-{PATCHES['1.36']}-{module.digest}"


def test_other_sources_have_another_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    before = control_plane("1.36").digest, nodes().digest
    monkeypatch.setattr(modules, "source", lambda path: source(path) + (b"//" if path == "main.go" else b""))
    assert (control_plane("1.36").digest != before[0], nodes().digest == before[1]) == (True, True)


def test_another_recipe_has_another_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    before = control_plane("1.36").digest
    monkeypatch.setattr(modules, "FLAGS", ["-race"])
    assert control_plane("1.36").digest != before


def test_every_source_is_shipped() -> None:
    for module in (control_plane("1.36"), nodes()):
        assert all(source(path).strip() for path in module.sources)


def test_half_a_build_is_none(cache: Path) -> None:
    fake_build("1.36")
    (nodes().folder / "kwok").unlink()
    assert not modules.is_built("1.36")


def test_the_default_version_has_a_build_of_its_own() -> None:
    assert choose(DEFAULT_KUBERNETES) == (DEFAULT_KUBERNETES, "")


@pytest.mark.parametrize("wanted", KUBERNETES_VERSIONS)
def test_every_version_can_be_built_or_emulated(wanted: str, cache: Path) -> None:
    minor, emulated = choose(wanted)
    assert minor in PATCHES
    assert emulated == ("" if wanted == minor else wanted)
    assert modules.can_emulate(minor, wanted)


def test_the_default_stands_in_for_a_version_in_its_reach(cache: Path) -> None:
    assert choose("1.33") == (DEFAULT_KUBERNETES, "1.33")


def test_what_is_built_already_stands_in_rather_than_what_is_not(cache: Path) -> None:
    fake_build("1.35")
    assert choose("1.33") == ("1.35", "1.33")


def test_a_version_that_nobody_knows_is_refused() -> None:
    with pytest.raises(UsageError, match=r"no control plane for Kubernetes '1\.99'; choose from 1\.32, "):
        choose("1.99")


def test_the_server_is_stamped_with_its_version() -> None:
    told = stamps(control_plane("1.36"))
    assert f"-X k8s.io/component-base/version.gitVersion=v{PATCHES['1.36']}" in told
    assert "-X k8s.io/component-base/version.gitMinor=36" in told
    assert stamps(nodes()) == ""
