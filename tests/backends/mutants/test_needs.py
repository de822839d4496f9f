"""Mutants that are said to show only when something is disturbed do not show when nothing is."""

import pytest

from benchmarks.faultfree import in_need, without_faults
from pvkit.backends.mutants.registry import Mutant

PLANS = 6
"""As many as fit into a quick test; `python -m benchmarks.faultfree` goes on for as long as it is told to."""


@pytest.mark.parametrize("broken", in_need(), ids=lambda broken: broken.id)
def test_a_mutant_that_needs_a_disturbance_does_not_show_without_one(broken: Mutant) -> None:
    catch = without_faults(broken, seed=1, seconds=60.0, most_plans=PLANS)
    assert not catch.found, catch.message
    assert catch.plans == PLANS
