"""Folders of their own for clusters and builds, so that no test meets those of the person who runs it."""

from pathlib import Path

import pytest


@pytest.fixture
def clusters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the clusters of this test are."""
    folder = tmp_path / "clusters"
    monkeypatch.setenv("PVKIT_CLUSTERS", str(folder))
    return folder


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the builds of this test are: nothing is built, and nothing is named or on the path."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.delenv("PVKIT_BINARIES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "nothing-here"))
    return tmp_path / "cache" / "pvkit" / "controlplane"
