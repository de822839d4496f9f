"""What a set does to its pods, told from the events alone: creations, and deletions that nobody else can have made.

Each deletion has a turn: the views in which a set that keeps the rules would make it. A pod is condemned where its
ordinal is out of range, or outdated where its revision is not the one of the template.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pvkit.backends.objects import Key, Obj, deleting, get, name, uid
from pvkit.backends.workloads import (
    first_ordinal,
    is_parallel,
    ordinal,
    ordinals,
    partition,
    replicas,
    revision,
    strategy,
)
from pvkit.conformance.history import Change, State
from pvkit.conformance.invariants.cuts import Cut, Cuts, Glimpse, set_key
from pvkit.conformance.invariants.moments import begins_to_go, remembered
from pvkit.conformance.invariants.sets import (
    POD,
    REVISIONS_BY_SET,
    alike,
    is_canonical,
    set_of,
    taken_away,
    template_of,
)

View = Callable[[Obj, Cut], bool]

BROKEN_FIRST_SINCE = 37
MAX_UNAVAILABLE_SINCE = 35


@dataclass(frozen=True, slots=True)
class Act:
    """A pod that its set created or deleted: the pod, its ordinal, the set as it is, and what could be seen."""

    pod: Obj
    ordinal: int
    stateful_set: Obj
    at: Key
    cuts: Cuts
    state: State

    def some_version(self, holds: Callable[[Obj], bool], statuses: bool = False) -> bool:
        """Whether a version of this very set in the window has a property; `statuses` tells old statuses apart."""
        wanted = uid(self.stateful_set)
        return self.cuts.some_version(self.at, lambda version: uid(version) == wanted and holds(version), statuses)

    def some_view(self, holds: View) -> bool:
        """Whether a version of this very set and a cut, of those in the window, have a property together."""
        wanted = uid(self.stateful_set)
        return self.cuts.some_view(self.at, lambda version, cut: uid(version) == wanted and holds(version, cut))

    @property
    def maybe_condemned(self) -> bool:
        """Whether the pod is out of range in some version of the set."""
        return self.some_version(lambda version: self.ordinal not in ordinals(version))

    @property
    def ordered(self) -> bool:
        """Whether the set promises an order."""
        return not is_parallel(self.stateful_set)


@remembered
def creation_of(change: Change) -> Act | None:
    """The creation of a pod by its set; None for any other change, and where the set is gone meanwhile (DEL-05)."""
    if not change.born or change.by_client or change.key.kind != POD or change.life.by_client:
        return None
    return _act(change, change.obj)


@remembered
def deletion_of(change: Change) -> Act | None:
    """The deletion of a pod by its set; None where somebody else may have asked for it."""
    pod = change.old
    if pod is None or change.key.kind != POD or not begins_to_go(change) or taken_away(change, pod):
        return None
    act = _act(change, pod)
    if act is None or deleting(act.stateful_set):
        return None
    finished = any(_at(cut, act.ordinal).finished for cut in act.cuts.cuts(act.at))
    return None if finished else act


def _act(change: Change, pod: Obj) -> Act | None:
    stateful_set = set_of(change.state, pod)
    if stateful_set is None or not is_canonical(name(pod)):
        return None
    at = set_key(pod)
    if at.name != name(stateful_set):
        return None
    return Act(pod, ordinal(pod), stateful_set, at, change.state.follow(Cuts), change.state)


_NOBODY = Glimpse("", "", False, False, False, "", False)


def _at(cut: Cut, ordinal: int) -> Glimpse:
    return cut.get(ordinal, _NOBODY)


def _own(act: Act, cut: Cut) -> Glimpse:
    """The pod in a cut; where it is not there yet, the pass that creates it knows its revision only (UPDATE-23)."""
    return cut.get(act.ordinal) or _NOBODY._replace(revision=revision(act.pod))


def healthy(cut: Cut, ordinals: Iterable[int]) -> bool:
    """Whether all of these pods are there, ready and not terminating."""
    return all((glimpse := cut.get(one)) is not None and glimpse.healthy for one in ordinals)


def is_condemned(act: Act) -> View:
    """The pod's ordinal is out of range, and the pod is there."""
    return lambda version, cut: act.ordinal not in ordinals(version) and act.ordinal in cut


def is_highest(act: Act) -> View:
    """The pod is condemned, and no condemned pod with a higher ordinal is there (ORDER-07)."""

    def holds(version: Obj, cut: Cut) -> bool:
        if not is_condemned(act)(version, cut):
            return False
        own = uid(version)
        return not any(
            one > act.ordinal and one not in ordinals(version) and glimpse.owner == own for one, glimpse in cut.items()
        )

    return holds


def rest_is_healthy(act: Act) -> View:
    """The pod is condemned, and all pods in range are healthy (ORDER-05)."""
    return lambda version, cut: is_condemned(act)(version, cut) and healthy(cut, ordinals(version))


def may_scale_down(act: Act) -> View:
    """All that scaling down in order asks for together, the health of other condemned pods too (ORDER-04 to 07)."""

    def holds(version: Obj, cut: Cut) -> bool:
        if not (is_highest(act)(version, cut) and healthy(cut, ordinals(version))):
            return False
        own = uid(version)
        lower = [one for one, glimpse in cut.items() if one < act.ordinal and glimpse.owner == own]
        return cut[act.ordinal].healthy or healthy(cut, (one for one in lower if one not in ordinals(version)))

    return holds


def wanted_revisions(act: Act, version: Obj) -> set[str]:
    """The names of the set's revisions that hold the template of a version; "?" where none is known."""
    names = {
        name(found)
        for found in act.state.find(REVISIONS_BY_SET, uid(act.stateful_set))
        if alike(template_of(found), version["spec"]["template"])
    }
    return names or {"?"}


def is_outdated(act: Act, version: Obj, glimpse: Glimpse) -> bool:
    """Whether a pod's revision can be another than the one wanted."""
    return any(wanted != glimpse.revision for wanted in wanted_revisions(act, version))


def is_updatable(act: Act) -> View:
    """The set updates by itself, the pod is in range and not below the partition, and outdated."""

    def holds(version: Obj, cut: Cut) -> bool:
        if strategy(version) == "OnDelete" or not _above_partition(version, act.ordinal):
            return False
        return is_outdated(act, version, _own(act, cut))

    return holds


def _above_partition(version: Obj, at: int) -> bool:
    if strategy(version) == "Recreate":
        return True
    return at in ordinals(version) and at - first_ordinal(version) >= partition(version)


def recreates(act: Act) -> bool:
    """Whether the set's strategy was Recreate at any time in the window: then updates have no order."""
    return any(strategy(version) == "Recreate" for version in act.cuts.versions(act.at))


def max_unavailable(version: Obj) -> int:
    """How many pods an update may make unavailable, 1 where the set does not say (UPDATE-16)."""
    wanted = get(version, "spec", "updateStrategy", "rollingUpdate", "maxUnavailable")
    if isinstance(wanted, str):
        wanted = int(wanted.rstrip("%")) * replicas(version) // 100
    return max(int(wanted or 1), 1)


def may_update(act: Act) -> View:
    """All that an update in order asks for: health of all, nothing condemned, the highest first (UPDATE-01)."""

    def holds(version: Obj, cut: Cut) -> bool:
        if not is_updatable(act)(version, cut) or not healthy(cut, ordinals(version)):
            return False
        if any(one not in ordinals(version) and glimpse.owner == uid(version) for one, glimpse in cut.items()):
            return False
        return any(
            _rank(act, version, cut, wanted) < max_unavailable(version) for wanted in wanted_revisions(act, version)
        )

    return holds


def _rank(act: Act, version: Obj, cut: Cut, wanted: str) -> int:
    """How many outdated pods are above the pod; more than any budget if the pod is not outdated itself."""
    if _own(act, cut).revision == wanted:
        return 10**9
    span = range(act.ordinal + 1, ordinals(version).stop)
    return sum(_at(cut, one).revision != wanted and not _at(cut, one).going for one in span)


def may_update_in_parallel(act: Act) -> View:
    """What an update of a Parallel set asks for: all above is updated and healthy, or there is room (UPDATE-08)."""
    minor = act.state.setup.minor
    gated = act.state.setup.gates.get("MaxUnavailableStatefulSet", minor >= MAX_UNAVAILABLE_SINCE)

    def holds(version: Obj, cut: Cut) -> bool:
        if not is_updatable(act)(version, cut):
            return False
        for wanted in wanted_revisions(act, version) - {_own(act, cut).revision}:
            above = [_at(cut, one) for one in range(act.ordinal + 1, ordinals(version).stop)]
            if all(glimpse.revision == wanted and glimpse.healthy for glimpse in above):
                return True
            if gated and _fits_budget(act, version, cut, wanted, minor):
                return True
        return False

    return holds


def _fits_budget(act: Act, version: Obj, cut: Cut, wanted: str, minor: int) -> bool:
    if minor >= BROKEN_FIRST_SINCE and not _at(cut, act.ordinal).ready:
        return True
    unavailable = sum(not _at(cut, one).healthy for one in ordinals(version))
    above = [_at(cut, one) for one in range(act.ordinal + 1, ordinals(version).stop)]
    ahead = sum(glimpse.revision != wanted and glimpse.healthy for glimpse in above)
    return ahead + unavailable < max_unavailable(version)
