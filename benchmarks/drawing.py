"""Plans drawn by Hypothesis for a measurement, with the time that drawing took."""

from time import process_time

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

from pvkit.strategies.plan import Plan
from pvkit.strategies.plans import plans


def drawn(count: int, number: int, strategy: SearchStrategy[Plan] | None = None) -> tuple[float, list[Plan]]:
    """Seconds of a processor that drawing took, and the plans, for the seed `number`."""
    sample: list[Plan] = []

    @seed(number)
    @settings(
        database=None,
        deadline=None,
        max_examples=count,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(plans() if strategy is None else strategy)
    def keep(plan: Plan) -> None:
        sample.append(plan)

    start = process_time()
    keep()
    return process_time() - start, sample
