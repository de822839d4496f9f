"""The suite: one test a promise, each judged over the plans of one run. `pytest --pyargs pvkit.conformance`."""

from typing import Any

import pytest

from pvkit.conformance.verdict import Verdict


def test_promise(pvkit_promise: Any, pv_verdicts: Any) -> None:
    """The promise holds wherever its premise did."""
    found = pv_verdicts[pvkit_promise.id]
    verdict, reason = Verdict[found["verdict"]], found.get("reason", "")
    if verdict in (Verdict.NOT_EXERCISED, Verdict.NOT_SUPPORTED):
        pytest.skip(reason or "never exercised")
    if verdict is Verdict.FAIL:
        told = [f"expected: {pvkit_promise.sentence}", f"observed: {found['violation']}", "the plan:", *found["plan"]]
        pytest.fail("\n".join([*told, f"Reproduce with: {found['reproduce']}"]), pytrace=False)
    assert verdict is Verdict.PASS, f"{pvkit_promise.sentence}\n{reason}"
