"""What a run came to, as data: reporters turn it into text and files."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce

from pvkit import __version__
from pvkit.backends.protocol import Description
from pvkit.conformance.history import History
from pvkit.conformance.invariant import Invariant, Violation
from pvkit.conformance.verdict import Verdict, exit_code, merged
from pvkit.strategies.plan import Plan

UNCLEAN, INCONCLUSIVE, INTERRUPTED = 2, 3, 130


@dataclass(frozen=True, slots=True)
class Line:
    """One invariant over a whole run.

    `held` and `at_risk` count how often its premise held and how often it could have failed; `broken` counts plans.
    `violation`, `plan`, `steps` and `history` are of the smallest plan known that breaks it, and `file` is where it was
    saved; `place` says where it happened when there is no plan. `reason` tells why it is undecided.
    """

    invariant: Invariant
    verdict: Verdict
    held: int = 0
    at_risk: int = 0
    broken: int = 0
    reason: str = ""
    violation: Violation | None = None
    plan: Plan | None = None
    steps: int = 0
    file: str = ""
    place: str = ""
    history: History | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Canary:
    """A mutant that was tried beside the run, to show that it could have failed. `caught` is None when not tried.

    On a cluster it is a way of telling a history wrongly; `told` then says what was told.
    """

    mutant: str = ""
    invariant: str = ""
    caught: bool | None = None
    plans: int = 0
    seconds: float = 0.0
    told: str = ""


@dataclass(frozen=True, slots=True)
class RunReport:
    """A run: one line an invariant, worst first, and what it was made with.

    `skipped` counts the plans whose world the backend cannot be, by its reason. `unclean` says what the backend left
    behind, "" if nothing.
    """

    backend: Description
    spec: str
    profile: str
    seed: int
    plans: int
    seconds: float
    lines: tuple[Line, ...]
    canary: Canary = Canary()
    shapes: Mapping[str, int] = field(default_factory=Counter)
    skipped: Mapping[str, int] = field(default_factory=Counter)
    kit: str = __version__
    strict: bool = False
    command: str = ""
    interrupted: bool = False
    unclean: str = ""

    @property
    def valid(self) -> bool:
        """Whether the run showed that it could have failed: a canary that got away makes it invalid."""
        return self.canary.caught is not False

    @property
    def verdict(self) -> str:
        """One word for the whole: INVALID, or the verdict of all lines; `strict` passes no more than it may."""
        if not self.valid:
            return "INVALID"
        if self.strict and self._judged == INCONCLUSIVE:
            return str(Verdict.UNKNOWN)
        return str(reduce(merged, (line.verdict for line in self.lines), Verdict.NOT_EXERCISED))

    @property
    def exit_code(self) -> int:
        """As `pvkit run` exits: a violation (1) outweighs what was left behind (2), and that an invalid run (3)."""
        if self.interrupted:
            return INTERRUPTED
        if self.unclean and self._judged != 1:
            return UNCLEAN
        return self._judged if self._judged == 1 or self.valid else INCONCLUSIVE

    @property
    def _judged(self) -> int:
        return exit_code([line.verdict for line in self.lines], self.strict)
