"""What is built: two small Go modules of ours, whose sources ship with the package.

One has the four programs of the control plane in one binary, in exactly the module graph of that Kubernetes version;
the other has KWOK and the provisioner, which serve all versions. A build is keyed by version and by the digest of its
sources and recipe.
"""

import hashlib
import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from platformdirs import user_cache_path

from pvkit.backends.errors import UsageError
from pvkit.backends.protocol import DEFAULT_KUBERNETES, KUBERNETES_VERSIONS

PATCHES = {"1.34": "1.34.4", "1.35": "1.35.4", "1.36": "1.36.3", "1.37": "1.37.2"}
"""The patch release that is built for each minor version."""

EMULATED_MINORS = 3
"""How many minor versions back Kubernetes' programs can emulate."""

KWOK, PROVISIONER = "v0.8.0", "v13.0.0"
FLAGS = ["-trimpath", "-v"]


@dataclass(frozen=True, slots=True)
class Module:
    """One Go module that is built: its sources, what it requires, and its programs by package."""

    name: str
    version: str
    sources: tuple[str, ...]
    programs: dict[str, str]
    requires: tuple[str, ...]

    @property
    def digest(self) -> str:
        """What tells one state of sources and recipe from another."""
        total = hashlib.sha256(json.dumps([self.version, self.programs, self.requires, FLAGS]).encode())
        for path in self.sources:
            total.update(path.encode() + b"\0" + source(path))
        return total.hexdigest()[:12]

    @property
    def folder(self) -> Path:
        """The folder that holds, or will hold, the programs."""
        return cache_folder() / f"{self.name}-{self.version}-{self.digest}"

    @property
    def log(self) -> Path:
        """What the toolchain said in the latest build."""
        return cache_folder() / f"{self.name}-{self.version}.log"

    def is_built(self) -> bool:
        """Whether nothing needs to be done."""
        return all((self.folder / program).is_file() for program in self.programs)


def control_plane(minor: str) -> Module:
    """The four programs of a Kubernetes minor version, in one binary."""
    required = (f"k8s.io/kubernetes v{PATCHES[minor]}",)
    return Module("kubernetes", PATCHES[minor], ("main.go",), {"controlplane": "."}, required)


def nodes() -> Module:
    """KWOK and the provisioner."""
    programs = {"kwok": "sigs.k8s.io/kwok/cmd/kwok", "provisioner": "./provisioner"}
    library = f"sigs.k8s.io/sig-storage-lib-external-provisioner/{PROVISIONER.partition('.')[0]} {PROVISIONER}"
    required = (f"sigs.k8s.io/kwok {KWOK}", library)
    return Module("nodes", KWOK.lstrip("v"), ("tools.go", "provisioner/main.go"), programs, required)


def cache_folder() -> Path:
    """Where builds are kept."""
    return user_cache_path("pvkit") / "controlplane"


def source(path: str) -> bytes:
    """One of our own files, by its path in the folder `controlplane`."""
    return (Path(str(files("pvkit.backends.live"))) / "controlplane" / path).read_bytes()


def is_built(minor: str) -> bool:
    """Whether nothing needs to be built for this version."""
    return control_plane(minor).is_built() and nodes().is_built()


def choose(wanted: str) -> tuple[str, str]:
    """The minor version to build for a wanted one, and the version that it has to emulate, "" for none.

    A version without a build of its own is emulated: by a newer one that is built already, else by the default.
    """
    if wanted in PATCHES:
        return wanted, ""
    if wanted not in KUBERNETES_VERSIONS:
        raise UsageError(f"no control plane for Kubernetes {wanted!r}; choose from {', '.join(KUBERNETES_VERSIONS)}")
    reach = [minor for minor in PATCHES if can_emulate(minor, wanted)]
    built = [minor for minor in reach if is_built(minor)]
    return (built or [minor for minor in reach if minor == DEFAULT_KUBERNETES] or reach)[0], wanted


def can_emulate(minor: str, wanted: str) -> bool:
    """Whether programs of that minor version can behave as the wanted one."""
    return 0 <= _number(minor) - _number(wanted) <= EMULATED_MINORS


def _number(minor: str) -> int:
    return int(minor.split(".")[1])


def stamps(module: Module) -> str:
    """The version that a server tells; without it kubectl refuses its answer. "" for other programs."""
    if module.name != "kubernetes":
        return ""
    major, minor, _ = module.version.split(".")
    told = {
        "gitVersion": f"v{module.version}",
        "gitMajor": major,
        "gitMinor": minor,
        "gitCommit": "0" * 40,
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
    }
    return " ".join(f"-X k8s.io/component-base/version.{name}={value}" for name, value in told.items())
