"""Which programs a cluster is made of: where they are looked for, of which version they are, what to do if some lack.

In this order: a folder that is named (`--binaries`), the folder of envtest (`KUBEBUILDER_ASSETS`), the path, the cache
of our own builds. The four programs of the control plane come from one place, so that they are of one version.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pvkit.backends.errors import UsageError
from pvkit.backends.live.modules import PATCHES, can_emulate, choose, control_plane, is_built, nodes
from pvkit.backends.protocol import DEFAULT_KUBERNETES

CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
MULTI_CALL = "controlplane"
"""The file name of our own binary, which takes the name of the program as its first argument."""

ASSETS = "KUBEBUILDER_ASSETS"


class MissingPrograms(UsageError):
    """A folder lacks programs; the message names them and says what to do."""


@dataclass(frozen=True, slots=True)
class Programs:
    """Command-line heads by component, the Kubernetes version (`1.36.3`), where they come from, and what to know."""

    heads: Mapping[str, tuple[str, ...]]
    version: str
    source: str
    notes: tuple[str, ...] = ()

    @property
    def minor(self) -> str:
        """The minor version, `1.36`."""
        return self.version.rpartition(".")[0]

    @property
    def components(self) -> tuple[str, ...]:
        """What can be started, in the order of starting."""
        return tuple(self.heads)


def find(wanted: str = "", binaries: Path | None = None, strict: bool = True) -> Programs | None:
    """The programs for a Kubernetes minor version ("" for any); None when they have to be built first.

    Raises `MissingPrograms` when a folder that was named lacks some; envtest's only if `strict` and nothing is built.
    """
    if binaries is not None:
        return in_folder(binaries, str(binaries))
    note = ""
    if os.environ.get(ASSETS):
        try:
            return in_folder(Path(os.environ[ASSETS]), ASSETS)
        except MissingPrograms as error:
            if strict and not is_built(choose(wanted or DEFAULT_KUBERNETES)[0]):
                raise
            note = f"{ASSETS} is passed over: {error.args[0].partition(';')[0]}"
    else:
        there = on_path()
        if there is not None and (not wanted or can_emulate(there.minor, wanted)):
            return there
    return built(choose(wanted or DEFAULT_KUBERNETES)[0], note)


def emulation(programs: Programs, wanted: str) -> str:
    """The version that these programs have to emulate to behave as the wanted one, "" for none."""
    if not wanted or wanted == programs.minor:
        return ""
    if not can_emulate(programs.minor, wanted):
        raise UsageError(
            f"the programs of {programs.source} are Kubernetes {programs.version} and cannot emulate {wanted}; "
            "without --binaries and KUBEBUILDER_ASSETS a build of ours is used"
        )
    return wanted


def in_folder(folder: Path, called: str) -> Programs:
    """The programs of one folder: our one binary, or the four under their own names."""

    def look(name: str) -> str | None:
        return shutil.which(name, path=str(folder.absolute()))

    if not folder.is_dir():
        raise UsageError(f"no folder {str(folder)!r} ({called})" if called == ASSETS else f"no folder {called!r}")
    missing = [] if look(MULTI_CALL) else [name for name in CONTROL_PLANE if not look(name)]
    if missing:
        raise MissingPrograms(_lacks(folder, called, missing))
    return _collected(look, called)


def _lacks(folder: Path, called: str, missing: list[str]) -> str:
    """Which programs lack, why that may be, and the ways out."""
    unusable = [name for name in missing if (folder / name).exists()]
    where = f"{called} ({folder})" if called == ASSETS else called
    text = f"{where} lacks {' and '.join(missing)}"
    if unusable:
        text += f"; {' and '.join(unusable)} is there but cannot be executed, chmod +x it"
    elif missing == list(CONTROL_PLANE[2:]):
        text += "; envtest's folder has etcd and kube-apiserver only: copy the others of the same version into it"
    else:
        text += "; copy them of the same version into it"
    way = f"unset {ASSETS}" if called == ASSETS else "leave out --binaries"
    return f"{text}, or {way} and run `pvkit cluster build`, which makes all of them"


def on_path() -> Programs | None:
    """The four programs on the path, if all of them are there."""
    return _collected(shutil.which, "PATH") if all(shutil.which(name) for name in CONTROL_PLANE) else None


def built(minor: str, note: str = "") -> Programs | None:
    """Our own build of a version, if it is in the cache."""
    if minor not in PATCHES or not is_built(minor):
        return None

    def look(name: str) -> str | None:
        return shutil.which(name, path=f"{control_plane(minor).folder}{os.pathsep}{nodes().folder}")

    return _collected(look, "the build cache", (note,) if note else ())


def _collected(look: Callable[[str], str | None], called: str, notes: tuple[str, ...] = ()) -> Programs:
    """Put the programs of one place together with KWOK and the provisioner, which may come from elsewhere."""
    both = look(MULTI_CALL)
    heads = {name: (both, name) if both else (str(look(name)),) for name in CONTROL_PLANE}
    for name in ("kwok", "provisioner"):
        path = look(name) or (shutil.which(name) if name == "kwok" else None) or _from_cache(name)
        if path:
            heads[name] = (path,)
        elif name == "provisioner":
            notes += ("no provisioner is there: no class provisions volumes; `pvkit cluster build` makes one",)
    return Programs(heads, version_of(heads["kube-apiserver"]), called, notes)


def _from_cache(name: str) -> str | None:
    return shutil.which(name, path=str(nodes().folder))


def version_of(head: tuple[str, ...]) -> str:
    """What a Kubernetes program says its version is, as `1.36.3`."""
    try:
        said = subprocess.run([*head, "--version"], capture_output=True, text=True, timeout=60).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"{head[0]} cannot be run: {error}; is it for this kind of machine?") from None
    found = re.search(r"v(\d+\.\d+\.\d+)", said)
    if found is None:
        raise UsageError(f"{head[0]} --version says {said.strip()[:80]!r}; expected `Kubernetes v1.36.3` or the like")
    return found[1]
