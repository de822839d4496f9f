"""What a run is asked to do, and the profiles that say it in one word."""

from dataclasses import dataclass

from pvkit.backends.errors import UsageError
from pvkit.backends.protocol import DEFAULT_KUBERNETES

LIVE = "live"
"""The name of the backend that is a cluster."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A size of run: plans drawn at most, seconds for drawing, seconds for shrinking one failure."""

    sentence: str
    plans: int
    seconds: float
    shrink_seconds: float


PROFILES = {
    "smoke": Profile("a few seconds: does anything work at all", 60, 15.0, 5.0),
    "default": Profile("within a minute on the model", 600, 40.0, 10.0),
    "full": Profile("thousands of plans", 6_000, 1_200.0, 60.0),
}


ON_A_CLUSTER = {
    "smoke": (60, 32.0, 10.0),
    "default": (1_000, 185.0, 30.0),
    "full": (10_000, 3_600.0, 300.0),
}
"""Plans and seconds of each profile on a cluster, where looking, cleaning up and shrinking take their part, too: a
minute in all, five minutes, about an hour and a half."""


@dataclass(frozen=True, slots=True)
class Settings:
    """One run. `failures` 0 means no limit; `parallel` is how many plans are played at once."""

    profile: str = "default"
    seed: int = 0
    plans: int = 0
    seconds: float = 0.0
    failures: int = 0
    shrink: bool = True
    canary: bool = True
    strict: bool = False
    kubernetes_version: str = DEFAULT_KUBERNETES
    spec: str = "reference"
    command: str = ""
    parallel: int = 1

    @property
    def size(self) -> Profile:
        """The profile with what was asked otherwise; raises `UsageError` for an unknown one."""
        if self.profile not in PROFILES:
            raise UsageError(f"no profile {self.profile!r}; choose from {', '.join(PROFILES)}")
        named = PROFILES[self.profile]
        if self.spec == LIVE:
            named = Profile(named.sentence, *ON_A_CLUSTER[self.profile])
        return Profile(named.sentence, self.plans or named.plans, self.seconds or named.seconds, named.shrink_seconds)
