"""The command line in this process, with its exit code."""

import sys
from dataclasses import dataclass

import pytest

from pvkit.conformance.cli import main


@dataclass(frozen=True)
class Called:
    """What came of a call."""

    code: int
    out: str
    err: str


def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: object) -> Called:
    """Call `pvkit` with these words."""
    monkeypatch.setattr(sys, "argv", ["pvkit", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        main()
    told = capsys.readouterr()
    return Called(int(ended.value.code or 0), told.out, told.err)
