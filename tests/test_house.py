"""The habits of the house that a machine can check: sizes, names, words that must not appear."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CODE = sorted(
    path for folder in ("backends", "strategies", "conformance", "benchmarks") for path in (ROOT / folder).rglob("*.py")
)
TEXTS = sorted(
    path
    for folder in ("backends", "strategies", "conformance", "benchmarks", "tests", "docs", ".ci")
    for path in (ROOT / folder).rglob("*")
    if path.is_file() and "__pycache__" not in path.parts
)
MOST_LINES, MOST_FUNCTION_LINES = 400, 70
UNDECIDED = {"utils", "util", "helpers", "common", "base", "constants", "misc"}


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", CODE, ids=_name)
def test_module_keeps_within_the_walls(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= MOST_LINES
    assert path.stem not in UNDECIDED
    assert ast.get_docstring(ast.parse(text)) is not None


@pytest.mark.parametrize("path", CODE, ids=_name)
def test_functions_keep_within_the_walls(path: Path) -> None:
    too_long = [
        node.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno >= MOST_FUNCTION_LINES
    ]
    assert too_long == []


def test_functions_are_short_in_the_median() -> None:
    sizes = sorted(
        (node.end_lineno or 0) - node.lineno + 1
        for path in CODE
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
    )
    assert sizes[len(sizes) // 2] <= 10


@pytest.mark.parametrize("path", TEXTS, ids=_name)
def test_no_file_names_a_place_on_one_machine(path: Path) -> None:
    assert re.findall(r"/(?:root|home)/\w+", path.read_text(errors="replace")) == []


def test_tests_never_sleep() -> None:
    sleepers = [
        _name(path)
        for path in (ROOT / "tests").rglob("*.py")
        if any(
            isinstance(n, ast.Call) and ast.unparse(n.func).endswith("sleep")
            for n in ast.walk(ast.parse(path.read_text()))
        )
    ]
    assert sleepers == []
