"""The suite: one test a promise, each judged over the plans of one run. `pytest --pyargs pvkit.conformance`."""

from typing import Any

import pytest

from pvkit.conformance.reporters.text import steps
from pvkit.conformance.verdict import Verdict


def test_promise(pvkit_promise: Any, pv_report: Any) -> None:
    """The promise holds wherever its premise did."""
    line = next(line for line in pv_report.lines if line.invariant.id == pvkit_promise.id)
    if line.verdict in (Verdict.NOT_EXERCISED, Verdict.NOT_SUPPORTED):
        pytest.skip(line.reason or f"never exercised in {pv_report.plans} plans")
    if line.verdict is Verdict.FAIL:
        plan = "\n".join(steps(line.plan)) if line.plan else ""
        pytest.fail(f"{pvkit_promise.sentence}\nseen: {line.violation.message}\nthe plan:\n{plan}", pytrace=False)
    assert line.verdict is Verdict.PASS, f"{pvkit_promise.sentence}\n{line.reason}"
