"""Plans drawn by Hypothesis for a measurement, with the time that drawing took."""

from time import perf_counter

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

from pvkit.strategies.plan import Plan
from pvkit.strategies.plans import plans


def drawn(count: int, number: int, strategy: SearchStrategy[Plan] | None = None) -> tuple[float, list[Plan]]:
    """Seconds that drawing took, and the plans, for the seed `number`."""
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

    start = perf_counter()
    keep()
    return perf_counter() - start, sample
