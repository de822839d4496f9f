"""The pages: generated ones are fresh, and what the README shows is what the commands say."""

import importlib.util
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from pvkit.conformance.cli import VERBS, pvkit

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_generated_catalogues_say_what_the_code_says() -> None:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    assert generate.stale() == []


@pytest.mark.parametrize("verb", list(VERBS))
def test_the_readme_speaks_of_every_verb(verb: str) -> None:
    assert f"pvkit {verb}" in README


def test_every_verb_that_the_readme_speaks_of_exists() -> None:
    assert set(re.findall(r"pvkit ([a-z]+)(?: |`|$)", README, re.MULTILINE)) - set(VERBS) <= {"draws", "is", "has"}


def test_the_readme_shows_what_the_walk_through_says() -> None:
    shown = CliRunner().invoke(pvkit, ["replay", "walkthrough"], standalone_mode=False).output
    block = re.search(r"\$ pvkit replay walkthrough\n(.*?)```", README, re.DOTALL)
    assert block is not None
    parts = [part.strip() for part in block[1].split("...")]
    assert all(part in shown for part in parts if part)
