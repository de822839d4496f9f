"""False copies of a history, each wrong in one thing that contradicts what Kubernetes promises.

On the model a mutant shows that a run could have failed. On a cluster nothing is broken on purpose, so it is what was
seen that is told wrongly: one event is changed, dropped or moved. If the judges do not notice, they would not have
noticed such a thing on the cluster either, and the run proves nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Literal

from pvkit.backends.objects import Key, Obj, deleting, key, phase, put, uid
from pvkit.backends.protocol import Event, Settled
from pvkit.backends.storage import claim_ref_uid
from pvkit.backends.workloads import node_name
from pvkit.conformance.history import Entry, History

FALSE_UID = "ffffffff-ffff-4fff-8fff-ffffffffffff"
FALSE_NAME = "a-false-name"


@dataclass(frozen=True, slots=True)
class Seen:
    """One event of a history: its place among the entries, and the same object as it was seen before, if it was."""

    place: int
    event: Event
    before: Obj | None

    @property
    def object(self) -> Obj:
        """What the event shows."""
        return self.event.object


Fits = Callable[[Seen], bool]
Change = Callable[[Sequence[Entry], Seen], list[Entry]]


@dataclass(frozen=True, slots=True)
class Kind:
    """A way to tell a history wrongly: to which events it can be done, what becomes of one, and who must notice.

    `notices` are promises of which at least one is then broken, each time. `place`: only to the last event of an
    object, or only to those with another one behind them.
    """

    id: str
    sentence: str
    notices: tuple[str, ...]
    fits: Fits
    change: Change
    place: Literal["any", "last", "not last"] = "any"


@dataclass(frozen=True, slots=True)
class Falsified:
    """A false copy, what was done to it, and the promises of which one must be seen broken."""

    history: History
    kind: Kind
    at: Key


def falsified(histories: Sequence[History], judged: Sequence[str], seed: int) -> Falsified | None:
    """A false copy of one of the histories, chosen by the seed among all ways that somebody judged must notice.

    None when there is no way. A history with gaps, without an order of events or without rest is left alone.
    """
    chance = Random(seed)
    kinds = [kind for kind in KINDS if set(judged).issuperset(kind.notices)]
    for history in chance.sample(list(histories), len(histories)):
        if not _is_whole(history):
            continue
        ways = [(kind, found) for kind in kinds if (found := places(history, kind))]
        if ways:
            kind, found = chance.choice(ways)
            return false_copy(history, kind, chance.choice(found))
    return None


def _is_whole(history: History) -> bool:
    """Whether all of it is judged: nothing was missed, and it ends at rest."""
    told, rests = history.header.backend, [entry for entry in history.entries if isinstance(entry, Settled)]
    at_rest = bool(rests) and all(entry.quiet for entry in rests) and not rests[-1].disturbed
    return at_rest and told.ordered and "events" not in told.lacks


def places(history: History, kind: Kind) -> list[Seen]:
    """The events of a history to which something can be done."""
    found = [seen for seen in _seen(history.entries) if kind.fits(seen)]
    if kind.place == "any":
        return found
    final = {key(entry.object): number for number, entry in enumerate(history.entries) if isinstance(entry, Event)}
    return [seen for seen in found if (final[key(seen.object)] == seen.place) == (kind.place == "last")]


def false_copy(history: History, kind: Kind, seen: Seen) -> Falsified:
    """The history with that one event told wrongly."""
    return Falsified(History(history.header, kind.change(history.entries, seen)), kind, key(seen.object))


def _seen(entries: Sequence[Entry]) -> Iterator[Seen]:
    known: dict[Key, Obj] = {}
    for place, entry in enumerate(entries):
        if not isinstance(entry, Event):
            continue
        at = key(entry.object)
        yield Seen(place, entry, known.get(at))
        if entry.type == "DELETED":
            known.pop(at, None)
        else:
            known[at] = entry.object


def _telling(*path: str, as_: object) -> Change:
    """Tells another value at a path."""
    return lambda entries, seen: _replaced(entries, seen, [replace(seen.event, object=put(seen.object, path, as_))])


def _dropped(entries: Sequence[Entry], seen: Seen) -> list[Entry]:
    """Without the event."""
    return _replaced(entries, seen, [])


def _moved(entries: Sequence[Entry], seen: Seen) -> list[Entry]:
    """With the event right behind the next one of the same object."""
    later = next(
        number
        for number, entry in enumerate(entries)
        if number > seen.place and isinstance(entry, Event) and key(entry.object) == key(seen.object)
    )
    return [*entries[: seen.place], *entries[seen.place + 1 : later + 1], seen.event, *entries[later + 1 :]]


def _replaced(entries: Sequence[Entry], seen: Seen, told: list[Entry]) -> list[Entry]:
    return [*entries[: seen.place], *told, *entries[seen.place + 1 :]]


def _is(seen: Seen, kind: str, type: str = "MODIFIED") -> bool:
    return seen.object["kind"] == kind and seen.event.type == type


def _is_bound_claim(seen: Seen) -> bool:
    """A claim that a component binds, or keeps bound."""
    by_component = seen.event.by not in ("client", "setup")
    return (
        _is(seen, "PersistentVolumeClaim")
        and by_component
        and phase(seen.object) == "Bound"
        and not deleting(seen.object)
    )


def _is_bound_volume(seen: Seen) -> bool:
    return _is(seen, "PersistentVolume") and phase(seen.object) == "Bound" and bool(claim_ref_uid(seen.object))


def _becomes_bound(seen: Seen) -> bool:
    return _is_bound_claim(seen) and seen.before is not None and phase(seen.before) == "Pending"


def _ends_bound(seen: Seen) -> bool:
    """The end of a claim that was bound."""
    return _is(seen, "PersistentVolumeClaim", "DELETED") and seen.before is not None and phase(seen.before) == "Bound"


KINDS: tuple[Kind, ...] = (
    Kind(
        "volume-name-changed",
        "a bound claim that names another volume",
        ("PVB-024",),
        _is_bound_claim,
        _telling("spec", "volumeName", as_=FALSE_NAME),
        place="last",
    ),
    Kind(
        "phase-moved-back",
        "a bound claim that is Pending again",
        ("PVB-025",),
        _is_bound_claim,
        _telling("status", "phase", as_="Pending"),
        place="last",
    ),
    Kind(
        "reference-changed",
        "a bound volume that refers to a claim that never was",
        ("PVB-055",),
        _is_bound_volume,
        _telling("spec", "claimRef", "uid", as_=FALSE_UID),
        place="last",
    ),
    Kind(
        "identity-changed",
        "an object whose UID changes",
        ("API-001",),
        lambda seen: seen.event.type == "MODIFIED" and bool(uid(seen.object)),
        _telling("metadata", "uid", as_=FALSE_UID),
    ),
    Kind(
        "node-changed",
        "a pod that goes from one node to another",
        ("STS-105",),
        lambda seen: _is(seen, "Pod") and seen.before is not None and bool(node_name(seen.before)),
        _telling("spec", "nodeName", as_=FALSE_NAME),
    ),
    Kind(
        "binding-dropped",
        "a volume whose claim was not seen to be bound",
        ("PVB-025",),
        _becomes_bound,
        _dropped,
        place="last",
    ),
    Kind(
        "end-dropped",
        "a bound claim whose end was not seen",
        ("API-001", "API-004", "PVB-024", "PVB-052", "PVB-103"),
        _ends_bound,
        _dropped,
    ),
    Kind("events-swapped", "a claim that is as it was before", ("API-003",), _is_bound_claim, _moved, place="not last"),
)
"""Ways to tell a history wrongly, each of which contradicts a promise wherever it can be done."""
