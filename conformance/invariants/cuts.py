"""What a controller may have seen: every pair of a version of a set and a cut of its pods that it may have acted on.

A controller works on caches, so an action rests on some prefix of the events of each kind, and the prefixes of two
kinds have nothing to do with each other. How old a prefix may be is bounded by two things only: once all was quiet and
nothing disturbed, everybody had seen everything; and only a restart shows a list older than what was seen before. So
the window of an action reaches back to the last rest, or without bounds after such a restart. A promise about an
action holds if it holds for one pair in the window. Where the window is longer than what is remembered, it is taken
to hold.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pvkit.backends.objects import Key, Obj, controller_of, deleting, labels, name, namespace, selects, uid
from pvkit.backends.protocol import Fault, Settled
from pvkit.backends.workloads import is_finished, is_ready, parent_and_ordinal, revision
from pvkit.conformance.history import Asked, Change, State
from pvkit.conformance.invariants.sets import CLAIM, POD, SET, is_canonical, set_of

MOST_MOVES = 512
MOST_VERSIONS = 128
MOST_CLAIMS = 1024


class Glimpse(NamedTuple):
    """A pod as far as it matters to its set: UIDs of itself and its controller, health, revision.

    `fits`: whether its labels match the selector of the set of that name.
    """

    uid: str
    owner: str
    ready: bool
    going: bool
    finished: bool
    revision: str
    fits: bool

    @property
    def healthy(self) -> bool:
        """Running, ready and not terminating."""
        return self.ready and not self.going


Cut = dict[int, Glimpse]
"""The pods of a set by ordinal, at one moment."""


@dataclass(slots=True)
class Sight:
    """What there was to be seen of one set, by name, and of the pods with such names.

    `versions` are index, object, and whether more than its status changed then; `moves` are changes of pods: index,
    ordinal, before. `stirred` is the index of the last event that must have woken the controller for this set.
    `odd`: a pod with a name like `web-00` was there; `odd_names`: those that are there now.
    """

    versions: deque[tuple[int, Obj, bool]] = field(default_factory=lambda: deque(maxlen=MOST_VERSIONS))
    moves: deque[tuple[int, int, Glimpse | None]] = field(default_factory=lambda: deque(maxlen=MOST_MOVES))
    now: Cut = field(default_factory=dict)
    lost_versions: int = -1
    lost_moves: int = -1
    stirred: int = -1
    odd: bool = False
    odd_names: set[str] = field(default_factory=set)


class Cuts:
    """The follower that remembers sights, by the key of the set."""

    def __init__(self) -> None:
        self.sights: dict[Key, Sight] = {}
        self.claims: dict[Key, int] = {}
        self.quotas: dict[str, int] = {}
        self.rest = self.rest_before = -1
        self.rewound = self.armed = False
        self.blurred = False
        self.blurred_until = -1
        self.standings: list[Any] | None = None
        """Where the sets stand at the last rest, once somebody has worked it out."""

    def take(self, change: Change) -> None:
        """One more event."""
        kind = change.key.kind
        if kind == POD:
            self._take_pod(change)
        elif kind == SET:
            self._take_set(change)
        elif kind == CLAIM and change.gone:
            self.claims[change.key] = change.event.index
            if len(self.claims) > MOST_CLAIMS:
                del self.claims[next(iter(self.claims))]
        elif kind in ("ResourceQuota", "LimitRange"):
            self.quotas[change.key.namespace] = change.event.index

    def hear(self, entry: Asked | Settled, state: State) -> None:
        """A rest ends all older views; a restart may bring them back, and one that is yet to come may do so later."""
        if isinstance(entry, Settled):
            if entry.quiet and not entry.disturbed:
                self._rest(state)
        elif isinstance(entry.request, Fault) and entry.outcome.status != "failed":
            self.rewound = self.rewound or may_rewind(entry.request)
            self.armed = self.armed or (self.rewound and bool(entry.request.options.get("after")))
            self.blurred = self.blurred or entry.request.word not in CLEAR

    def _rest(self, state: State) -> None:
        self.standings = None
        self.rest_before, self.rest, self.rewound = self.rest, state.index, self.armed
        if self.blurred:
            self.blurred, self.blurred_until = False, state.index
        for at, sight in list(self.sights.items()):
            sight.odd = bool(sight.odd_names)
            if state.lookup(at) is None and not sight.now and not sight.odd:
                del self.sights[at]

    def _sight(self, at: Key) -> Sight:
        """The sight of a set, made at need; what was before the last rest is then not remembered."""
        found = self.sights.get(at)
        if found is None:
            found = self.sights[at] = Sight(lost_versions=self.rest, lost_moves=self.rest)
        return found

    def _take_set(self, change: Change) -> None:
        sight = self._sight(change.key)
        sight.stirred = change.event.index
        old, new = change.old, change.new
        if new is None:
            return
        wishes = old is None or _wishes(old) != _wishes(new)
        if wishes or (old is not None and _told(old) != _told(new)):
            if len(sight.versions) == MOST_VERSIONS:
                sight.lost_versions = sight.versions[0][0]
            sight.versions.append((change.event.index, new, wishes))

    def _take_pod(self, change: Change) -> None:
        parent, at = parent_and_ordinal(change.key.name)
        if not parent:
            return
        where = Key(SET, change.key.namespace, parent)
        sight, owner = self._sight(where), set_of(change.state, change.obj)
        if owner is not None and name(owner) == parent:
            sight.stirred = change.event.index
        if at < 0 or not is_canonical(change.key.name):
            sight.odd = True
            (sight.odd_names.discard if change.new is None else sight.odd_names.add)(change.key.name)
            return
        before = sight.now.get(at)
        after = _glimpse(change.new, change.state.lookup(where)) if change.new is not None else None
        if before == after:
            return
        if len(sight.moves) == MOST_MOVES:
            sight.lost_moves = sight.moves[0][0]
        sight.moves.append((change.event.index, at, before))
        if after is None:
            sight.now.pop(at, None)
        else:
            sight.now[at] = after

    @property
    def since(self) -> int:
        """The index at which the window begins: what was so then may still be seen."""
        return -1 if self.rewound else self.rest

    def sight(self, at: Key) -> Sight:
        """What there was to be seen of a set."""
        return self.sights.get(at) or Sight()

    def versions(self, at: Key, statuses: bool = False) -> list[Obj]:
        """The versions of a set in the window, the newest first; with `statuses` those that differ in status, too."""
        found: list[Obj] = []
        fresh = True
        for index, version, wishes in reversed(self.sight(at).versions):
            if fresh or statuses:
                found.append(version)
            fresh = wishes
            if index <= self.since:
                break
        return found

    def cuts(self, at: Key, since: int | None = None) -> Iterator[Cut]:
        """The cuts of a set's pods in the window, or since an index, the newest first.

        Each holds only until the next is asked for.
        """
        sight, since = self.sight(at), self.since if since is None else since
        cut = dict(sight.now)
        yield cut
        for index, ordinal, before in reversed(sight.moves):
            if index <= since:
                return
            if before is None:
                cut.pop(ordinal, None)
            else:
                cut[ordinal] = before
            yield cut

    def whole(self, at: Key) -> bool:
        """Whether all of the window is remembered, and all of its pods have names of the usual form."""
        sight = self.sight(at)
        return not sight.odd and max(sight.lost_moves, sight.lost_versions) <= self.since

    def some_version(self, at: Key, holds: Callable[[Obj], bool], statuses: bool = False) -> bool:
        """Whether a version of a set, of those in the window, has a property."""
        return any(holds(version) for version in self.versions(at, statuses)) or not self.whole(at)

    def some_view(self, at: Key, holds: Callable[[Obj, Cut], bool]) -> bool:
        """Whether a pair of a version and a cut, of those in the window, has a property."""
        versions = self.versions(at)
        return any(holds(version, cut) for cut in self.cuts(at) for version in versions) or not self.whole(at)

    def informed(self, at: Key) -> bool:
        """Whether the set was woken at a time when it saw everything, so that it has no excuse at rest."""
        return not self.blurred and self.sight(at).stirred > self.blurred_until

    def lately_gone(self, claim: Key) -> bool:
        """Whether a claim that does not exist may still be seen."""
        return self.claims.get(claim, -2) > self.since or (self.rewound and claim in self.claims)


def may_rewind(fault: Fault) -> bool:
    """Whether a fault may show a component a state older than what it saw before."""
    if fault.word in ("crash", "second-leader"):
        return bool(fault.options.get("lists")) or fault.word != "crash"
    return fault.word not in STEADY


CLEAR = frozenset({"refuse", "storage", "advance", "heal"})
"""Words of faults that keep nobody from seeing what there is."""

STEADY = frozenset(
    {
        "hold", "release", "freeze", "thaw", "refuse", "lose-answer", "delay", "advance", "cut-off", "rejoin",
        "storage", "heal",
    }
)  # fmt: skip
"""Words of faults that leave every view at least as new as it was."""


def _wishes(stateful_set: Obj) -> tuple[object, ...]:
    return uid(stateful_set), deleting(stateful_set), stateful_set["spec"]


def _told(stateful_set: Obj) -> tuple[object, ...]:
    status = stateful_set.get("status") or {}
    return status.get("currentRevision"), status.get("updateRevision"), status.get("currentReplicas")


def _glimpse(pod: Obj, stateful_set: Obj | None) -> Glimpse:
    selector = stateful_set["spec"].get("selector") if stateful_set is not None else None
    return Glimpse(
        uid(pod),
        str((controller_of(pod) or {}).get("uid", "")),
        is_ready(pod),
        deleting(pod),
        is_finished(pod),
        revision(pod),
        selector is None or selects(selector, labels(pod)),
    )


def set_key(pod: Obj) -> Key:
    """The key of the set that a pod's name tells of."""
    return Key(SET, namespace(pod), parent_and_ordinal(name(pod))[0])
