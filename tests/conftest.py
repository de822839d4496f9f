"""How Hypothesis works in the tests: the same examples each time, and no verdict by the speed of the machine."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "calm", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("calm")
