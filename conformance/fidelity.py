"""Fidelity: the same plans on the model and on a real control plane, and where the two differ.

A plan is played on both. Each live history is judged by all invariants; then the settled states are compared. What
differs may be a choice that Kubernetes leaves open or a matter of who was quicker, so other choices and other orders of
the model's controllers are tried (`nearest.py`); if none comes to the same, the plan is played once more with a rest
after each step. Only what differs then, too, is a difference, and the real one is right.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter

from pvkit.backends.protocol import Backend, Budget
from pvkit.backends.reference.model import ReferenceModel
from pvkit.conformance.comparison import Difference
from pvkit.conformance.execute import execute
from pvkit.conformance.history import History
from pvkit.conformance.invariant import Invariant
from pvkit.conformance.judge import Result, judge
from pvkit.conformance.nearest import Nearest
from pvkit.conformance.playable import for_cluster, rested
from pvkit.conformance.twins import Uids, played, uids_of
from pvkit.conformance.verdict import Verdict
from pvkit.strategies.features import PLAIN
from pvkit.strategies.plan import Plan

FEATURES = tuple(feature for feature in PLAIN if feature not in ("turns", "order", "settings", "expansion"))
"""What plans for a running cluster are about: nothing that only the model can be told."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of one plan: broken promises, undecided ones, and differences that nothing explains.

    `kind`: `different` when nothing explained the differences, else what did (`same` when there were none).
    `answers` are answers of the API that differ, by step. `rested` is the history of the second play, if there was one;
    it is judged like the first, and `only_rested` are the ids of promises that only it breaks.
    `fired` tells how often each rule of the model did, `wrote` how often it changed something that a watch shows,
    `left_out` what of the drawn plan no cluster can play as it is, and what was not compared.
    """

    plan: Plan
    seconds: float
    kind: str
    differences: tuple[Difference, ...]
    answers: tuple[str, ...]
    broken: tuple[Result, ...]
    undecided: tuple[Result, ...]
    history: History
    rested: History | None
    only_rested: frozenset[str]
    fired: Mapping[str, int]
    wrote: Mapping[str, int]
    left_out: tuple[str, ...]


class Comparer:
    """Plays plans on the model and on a live backend."""

    def __init__(self, live: Backend, invariants: Sequence[Invariant], budget: Budget | None = None) -> None:
        self._live, self._invariants = live, invariants
        self._model, self._budget = ReferenceModel(), budget or Budget()
        self._fired: Mapping[str, int] = {}
        self._wrote: Mapping[str, int] = {}
        self._delayed: tuple[str, ...] = ()
        self._rested: History | None = None
        self._results: list[Result] = []
        self._uids = Uids()

    def __call__(self, drawn: Plan, version: str) -> Finding:
        """Play and compare one drawn plan."""
        self._rested, self._results = None, []
        start, uids = perf_counter(), uids_of(execute(drawn, self._model))
        self._uids = uids
        plan, left_out = for_cluster(drawn, version)
        history = played(plan, self._live, uids, self._budget)
        seconds, results = perf_counter() - start, judge(history, self._invariants)
        kind, left, answers = self._explained(plan, history, uids)
        finding = Finding(
            plan=plan,
            seconds=seconds,
            kind=kind,
            differences=tuple(left),
            answers=tuple(answers),
            broken=tuple(entry for entry in results if entry.verdict is Verdict.FAIL),
            undecided=tuple(entry for entry in results if entry.verdict is Verdict.UNKNOWN),
            history=history,
            rested=None,
            only_rested=frozenset(),
            fired=self._fired,
            wrote=self._wrote,
            left_out=(*left_out, *self._delayed),
        )
        return self.with_rest(finding)

    def _explained(self, plan: Plan, history: History, uids: Uids) -> tuple[str, list[Difference], list[str]]:
        """What explains the differences of a plan, and those that stay."""
        kind, left, answers = self._compared(plan, history, uids)
        if not left and not answers:
            return kind, [], []
        kind, left, answers = self._compared(rested(plan), self.rest(plan), uids)
        return ("timing" if not left and not answers else "different"), left, answers

    def rest(self, plan: Plan) -> History:
        """The plan that was played last, once more on the cluster, with a rest after each step."""
        if self._rested is None:
            self._rested = played(rested(plan), self._live, self._uids, self._budget)
            self._results = judge(self._rested, self._invariants)
        return self._rested

    def with_rest(self, finding: Finding) -> Finding:
        """The finding on the plan that was played last, with what its second play broke, if there was one by now."""
        broken = _more(finding.broken, self._results, Verdict.FAIL)
        undecided = _more(finding.undecided, self._results, Verdict.UNKNOWN)
        only = finding.only_rested | {entry.invariant.id for entry in broken[len(finding.broken) :]}
        return replace(finding, broken=broken, undecided=undecided, rested=self._rested, only_rested=only)

    def _compared(self, plan: Plan, history: History, uids: Uids) -> tuple[str, list[Difference], list[str]]:
        """What the nearest that the model comes to a history leaves, and what brought it there."""
        found = Nearest(self._model, plan, history, uids)
        self._fired, self._wrote = found.fired, found.wrote
        self._delayed = found.gap.delayed
        return found.kind, found.gap.left, found.gap.answers


def _more(known: tuple[Result, ...], results: Sequence[Result], verdict: Verdict) -> tuple[Result, ...]:
    """Results, and those of another play with that verdict: one for an invariant."""
    ids = {entry.invariant.id for entry in known}
    return *known, *(entry for entry in results if entry.verdict is verdict and entry.invariant.id not in ids)
