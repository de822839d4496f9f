"""Mutants on which an ordinary run may be staked are found soon, and shown by a plan that a person can read."""

import pytest

from pvkit.backends.mutants.registry import Mutant, MutantModel, all_mutants
from pvkit.conformance.catalogue import all_invariants
from pvkit.conformance.focus import plans_about
from pvkit.conformance.hunt import hunt
from pvkit.strategies.plan import size

MOST_PLANS, MOST_STEPS = 300, 12
CANARIES = [entry for entry in all_mutants().values() if entry.canary][::8]


@pytest.mark.parametrize("broken", CANARIES, ids=[entry.id for entry in CANARIES])
def test_a_canary_is_found_within_a_few_plans_and_shrinks_to_a_few_steps(broken: Mutant) -> None:
    wanted = [entry for entry in all_invariants() if entry.id == broken.breaks[0]]
    caught = hunt(
        MutantModel(broken), wanted, plans_about(wanted), 1, seconds=60.0, shrink_seconds=30.0, most_plans=MOST_PLANS
    )
    assert caught.plan is not None
    assert size(caught.plan) <= MOST_STEPS
