"""What the model can do about a plan that comes nearest to what a cluster did.

Kubernetes leaves open which of several equal things is chosen, and which of its components is quicker. So the plan is
played again with other choices, and with one controller of the model going first wherever it has work, as long as that
brings the settled states and the answers nearer.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from pvkit.backends.objects import Obj
from pvkit.backends.protocol import Departure
from pvkit.backends.reference.model import ReferenceModel
from pvkit.backends.workloads import Named
from pvkit.conformance.comparison import Difference, Rest, differences, settled_states, unpaired
from pvkit.conformance.delays import awaiting_volumes, backing_off
from pvkit.conformance.history import Asked, History
from pvkit.conformance.twins import Uids, played
from pvkit.strategies.plan import Plan

MOST_TIES, MOST_OPTIONS = 40, 8
"""How many choices of the model are tried otherwise, and how many options of each."""
Schedule = tuple[Departure, ...]


@dataclass(frozen=True, slots=True)
class Gap:
    """What two histories differ in: the settled states that are the same, the differences of the next, answers.

    `delayed` tells what was not compared because a cluster does it much later.
    """

    same: int
    left: list[Difference]
    answers: list[str]
    delayed: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, ...]:
        """Something that is smaller the nearer the histories are; empty when they are the same."""
        if not self.left and not self.answers:
            return ()
        return -self.same, len(self.left) + len(self.answers)


class Nearest:
    """The plays of a plan on the model, held against a history of a cluster; the nearest so far is `gap`.

    `kind` tells what brought it there: `same` nothing, `choice` other choices, `order` another order of controllers,
    `different` if it is not there. `fired` and `wrote` tell of the rules in the first play.
    """

    def __init__(self, model: ReferenceModel, plan: Plan, theirs: History, uids: Uids) -> None:
        self._model, self._plan, self._theirs, self._uids = model, plan, theirs, uids
        self._choices: Schedule = ()
        self._order: Schedule = ()
        self.gap, self._ties = self._played(())
        self.fired, self.wrote = dict(model.engine.fired), dict(model.engine.wrote)
        self._choose()
        if self.gap.size:
            self._reorder()
            self._choose()

    @property
    def kind(self) -> str:
        """What brought the model to where it is."""
        if self.gap.size:
            return "different"
        return "order" if self._order else "choice" if self._choices else "same"

    def _played(self, schedule: Schedule) -> tuple[Gap, list[int]]:
        """How far the model is with a schedule, and how many options each of its choices had."""
        ours = played(replace(self._plan, schedule=schedule), self._model, self._uids)
        rests = list(zip(settled_states(ours), settled_states(self._theirs), strict=True))
        same, left = _differences(rests)
        gap = Gap(same, left, list(_answers(ours, self._theirs)), tuple(_delayed(rests)))
        return gap, self._model.engine.schedule.ties

    def _choose(self) -> None:
        """Try one choice after the other."""
        for at in range(MOST_TIES):
            for take in range(1, min(self._ties[at], MOST_OPTIONS) if at < len(self._ties) else 0):
                if not self.gap.size:
                    return
                other = (*self._choices, Departure("tie", at, take))
                found, ties = self._played((*self._order, *other))
                if found.size < self.gap.size:
                    self.gap, self._ties, self._choices = found, ties, other

    def _reorder(self) -> None:
        """Let one controller after the other go first, always."""
        turns = 2 * self._model.engine.schedule.turns
        for name in [*self._model.engine.instances]:
            order = tuple(Departure("turn", at, name) for at in range(turns))
            found, ties = self._played((*order, *self._choices))
            if found.size < self.gap.size:
                self.gap, self._ties, self._order = found, ties, order


def _differences(rests: Sequence[tuple[Rest, Rest]]) -> tuple[int, list[Difference]]:
    """The differences at the first rest at which there are any, and how many rests were the same before."""
    for number, (ours, theirs) in enumerate(rests):
        if not (ours.calm and theirs.calm) or _late(backing_off, ours, theirs):
            continue
        late = {f"Pod {where}/{called}" for where, called in _late(awaiting_volumes, ours, theirs)}
        mine, live = ({at: obj for at, obj in side.state.items() if at not in late} for side in (ours, theirs))
        found = differences(mine, live)
        if found and differences(unpaired(mine), unpaired(live)):
            return number, found
    return 0, []


def _late(who: Callable[[Iterable[Obj]], set[Named]], ours: Rest, theirs: Rest) -> set[Named]:
    """Who waits on the cluster alone; what waits in the model, too, is compared."""
    return who(theirs.objects) - who(ours.objects)


def _delayed(rests: Sequence[tuple[Rest, Rest]]) -> Iterator[str]:
    """What of each rest was left out of the comparison, with the reason."""
    for ours, theirs in rests:
        if ours.calm and theirs.calm and _late(backing_off, ours, theirs):
            yield "settle: not compared: a set waits out a long back-off"
        elif ours.calm and theirs.calm and _late(awaiting_volumes, ours, theirs):
            yield "settle: a pod not compared: the scheduler still waits for its volumes"


def _answers(ours: History, theirs: History) -> Iterator[str]:
    """Answers with another code or reason."""
    mine_asked, live_asked = ([e for e in history.entries if isinstance(e, Asked)] for history in (ours, theirs))
    for mine, live in zip(mine_asked, live_asked, strict=True):
        told = [(entry.outcome.status, entry.outcome.code, entry.outcome.reason) for entry in (mine, live)]
        if told[0] != told[1]:
            messages = [entry.outcome.message for entry in (mine, live)]
            yield f"step {mine.step}: model {told[0]} {messages[0]!r}, live {told[1]} {messages[1]!r}"
