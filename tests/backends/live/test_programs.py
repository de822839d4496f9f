"""Where programs are looked for, and what is said when some lack."""

from pathlib import Path

import pytest

from pvkit.backends.errors import UsageError
from pvkit.backends.live.modules import control_plane, nodes
from pvkit.backends.live.programs import MissingPrograms, emulation, find, in_folder
from tests.backends.live.programs_for_tests import FOUR, folder_of, script


def fake_build(minor: str) -> None:
    """What a build of ours leaves in the cache."""
    folder_of(control_plane(minor).folder, "controlplane")
    folder_of(nodes().folder, "kwok", "provisioner")


def test_our_one_binary_is_all_four_programs(tmp_path: Path, cache: Path) -> None:
    found = in_folder(folder_of(tmp_path / "all", "controlplane", "kwok", "provisioner"), "here")
    assert found.heads["kube-scheduler"] == (str(tmp_path / "all" / "controlplane"), "kube-scheduler")
    assert found.components == (*FOUR, "kwok", "provisioner")
    assert (found.version, found.minor, found.notes) == ("1.36.3", "1.36", ())


def test_the_four_programs_may_be_files_of_their_own(tmp_path: Path, cache: Path) -> None:
    found = in_folder(folder_of(tmp_path / "four", *FOUR), "here")
    assert found.heads["etcd"] == (str(tmp_path / "four" / "etcd"),)


def test_without_a_provisioner_a_note_says_what_does_not_work(tmp_path: Path, cache: Path) -> None:
    found = in_folder(folder_of(tmp_path / "four", *FOUR), "here")
    assert found.components == FOUR
    assert "no provisioner is there" in found.notes[0]


def test_kwok_and_provisioner_are_taken_from_the_cache_when_the_folder_lacks_them(tmp_path: Path, cache: Path) -> None:
    fake_build("1.36")
    found = in_folder(folder_of(tmp_path / "four", *FOUR), "here")
    assert found.heads["kwok"] == (str(nodes().folder / "kwok"),)
    assert found.notes == ()


def test_what_lacks_is_named_with_what_to_do(tmp_path: Path, cache: Path) -> None:
    folder = folder_of(tmp_path / "half", "etcd", "kube-apiserver", "kubectl")
    with pytest.raises(MissingPrograms) as refusal:
        find("", folder)
    said = str(refusal.value)
    assert "lacks kube-controller-manager and kube-scheduler" in said
    assert "envtest's folder has etcd and kube-apiserver only" in said
    assert "leave out --binaries and run `pvkit cluster build`" in said


def test_a_program_that_cannot_be_executed_is_said_to_be_so(tmp_path: Path, cache: Path) -> None:
    folder = folder_of(tmp_path / "four", *FOUR)
    (folder / "etcd").chmod(0o644)
    with pytest.raises(MissingPrograms, match=r"lacks etcd; etcd is there but cannot be executed, chmod \+x it"):
        find("", folder)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(UsageError, match="no folder"):
        find("", tmp_path / "nowhere")


def test_envtest_alone_is_refused_and_the_variable_named(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(folder_of(tmp_path / "envtest", "etcd", "kube-apiserver")))
    with pytest.raises(MissingPrograms, match=r"^KUBEBUILDER_ASSETS \(.*envtest\) lacks kube-controller-manager"):
        find()
    assert find(strict=False) is None


def test_envtest_is_passed_over_with_a_note_once_there_is_a_build(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(folder_of(tmp_path / "envtest", "etcd", "kube-apiserver")))
    fake_build("1.36")
    found = find()
    assert found is not None
    assert found.source == "the build cache"
    assert found.notes[0].startswith("KUBEBUILDER_ASSETS is passed over: KUBEBUILDER_ASSETS")


def test_a_named_folder_goes_before_envtest_and_envtest_before_the_path(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(folder_of(tmp_path / "path", *FOUR)))
    on_path = find()
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(folder_of(tmp_path / "assets", *FOUR)))
    in_assets = find()
    named = find("", folder_of(tmp_path / "named", *FOUR))
    assert [found.source if found else None for found in (on_path, in_assets, named)] == [
        "PATH",
        "KUBEBUILDER_ASSETS",
        str(tmp_path / "named"),
    ]


def test_programs_on_the_path_that_cannot_play_the_version_are_passed_over(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(folder_of(tmp_path / "path", *FOUR)))
    assert find("1.37") is None
    assert find("1.33") is not None


def test_nothing_anywhere_means_that_it_must_be_built(cache: Path) -> None:
    assert find() is None


def test_emulation_reaches_three_versions_back_and_none_forward(tmp_path: Path, cache: Path) -> None:
    found = in_folder(folder_of(tmp_path / "four", *FOUR), "here")
    assert [emulation(found, wanted) for wanted in ("", "1.36", "1.33")] == ["", "", "1.33"]
    for wanted in ("1.32", "1.37"):
        with pytest.raises(UsageError, match=f"are Kubernetes 1.36.3 and cannot emulate {wanted}"):
            emulation(found, wanted)


def test_a_program_for_another_machine_is_refused(tmp_path: Path, cache: Path) -> None:
    folder = folder_of(tmp_path / "four", *FOUR)
    (folder / "kube-apiserver").write_bytes(b"\x7fELF, but not quite")
    with pytest.raises(UsageError, match="cannot be run"):
        find("", folder)


def test_a_program_that_tells_no_version_is_refused(tmp_path: Path, cache: Path) -> None:
    folder = folder_of(tmp_path / "four", *FOUR)
    script(folder / "kube-apiserver", "print('hello')")
    with pytest.raises(UsageError, match=r"--version says 'hello'; expected `Kubernetes v1\.36\.3`"):
        find("", folder)
