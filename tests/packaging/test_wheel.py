"""What is installed: one package of one name, with everything it needs inside."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="session")
def wheel_names(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The names in a wheel built from this checkout."""
    out, tree = tmp_path_factory.mktemp("wheel"), tmp_path_factory.mktemp("tree") / "pvkit"
    # A build leaves folders behind in its tree, and pytest would take plug-ins from them.
    shutil.copytree(ROOT, tree, symlinks=True, ignore=shutil.ignore_patterns(".*", "build", "*.egg-info"))
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", str(out), str(tree)], check=True, capture_output=True
    )
    (wheel,) = out.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_the_wheel_installs_one_package_only(wheel_names: list[str]) -> None:
    tops = {name.split("/")[0] for name in wheel_names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"pvkit"}


@pytest.mark.parametrize("folder", ["backends", "strategies", "conformance"])
def test_every_module_of_the_checkout_is_in_the_wheel(wheel_names: list[str], folder: str) -> None:
    wanted = {f"pvkit/{path.relative_to(ROOT)}" for path in (ROOT / folder).rglob("*.py")}
    assert wanted - set(wheel_names) == set()


def test_schemas_plans_and_the_type_marker_are_in_the_wheel(wheel_names: list[str]) -> None:
    wanted = {"pvkit/py.typed"} | {
        f"pvkit/{path.relative_to(ROOT)}"
        for kind in ("*.json", "*.yaml")
        for path in (ROOT / "conformance").rglob(kind)
    }
    assert wanted - set(wheel_names) == set()
