"""Matching: which volume fits a claim, and which of several is taken, when nobody waits for a pod.

Volumes are grouped by their set of access modes; the fewest modes that do come first, and in a group the smallest
volume that holds the request (BIND-03). Where two groups or two volumes are equal Kubernetes defines no winner.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping
from functools import lru_cache
from itertools import combinations
from typing import Any

from pvkit.backends.objects import Obj, deleting, labels, name, phase, selects
from pvkit.backends.reference.view import Seen
from pvkit.backends.storage import (
    ACCESS_MODES,
    access_modes,
    attributes_class,
    capacity,
    claim_ref,
    requested,
    reserved_for,
    selector,
    storage_class,
    volume_mode,
)
from pvkit.backends.tables import Index

MOST_EQUALS = 16
"""How many equal volumes stand for choice; more would only cost time."""


def is_free(volume: Obj) -> bool:
    """Whether a volume may be given to anybody: Available, without a reference, not going (BIND-02 e, f)."""
    return claim_ref(volume) is None and phase(volume) == "Available" and not deleting(volume)


def _free(volume: Obj) -> Iterable[tuple[Hashable, Any]]:
    if is_free(volume):
        yield shelf(volume, access_modes(volume)), capacity(volume)


def _by_reference(volume: Obj) -> Iterable[tuple[Hashable, Any]]:
    found = claim_ref(volume)
    if found is not None:
        yield (found.get("namespace") or "", found.get("name")), name(volume)


def shelf(obj: Obj, modes: frozenset[str]) -> Hashable:
    """What must be equal on volume and claim, together with a set of access modes."""
    return storage_class(obj), volume_mode(obj), attributes_class(obj), modes


FREE = Index("free volumes", "PersistentVolume", _free)
RESERVED = Index("volumes by claimRef", "PersistentVolume", _by_reference, of_spec=True)


@lru_cache(maxsize=64)
def groups(wanted: frozenset[str]) -> tuple[tuple[frozenset[str], ...], ...]:
    """All sets of access modes that contain those wanted, by ascending number of modes."""
    rest = [mode for mode in ACCESS_MODES if mode not in wanted]
    return tuple(
        tuple(wanted | frozenset(more) for more in combinations(rest, number)) for number in range(len(rest) + 1)
    )


Test = Callable[[Obj, Obj], bool]

DEMANDS: Mapping[str, Test] = {
    "access modes": lambda volume, claim: access_modes(volume) >= access_modes(claim),
    "size": lambda volume, claim: capacity(volume) >= requested(claim),
    "volumeMode": lambda volume, claim: volume_mode(volume) == volume_mode(claim),
    "attributes class": lambda volume, claim: attributes_class(volume) == attributes_class(claim),
    "terminating": lambda volume, claim: not deleting(volume),
}
"""What even a reservation does not waive, by the words of an explanation (PREB-03)."""

WAIVED: Mapping[str, Test] = {
    "phase": lambda volume, claim: phase(volume) == "Available",
    "selector": lambda volume, claim: selects(selector(claim), labels(volume)),
    "class": lambda volume, claim: storage_class(volume) == storage_class(claim),
}
"""What is asked of a volume besides, unless it is reserved for the claim."""


def suits(volume: Obj, claim: Obj) -> bool:
    """Whether a volume meets what even a reservation does not waive."""
    return all(test(volume, claim) for test in DEMANDS.values())


def reservations(seen: Seen, claim: Obj) -> list[Obj]:
    """The volumes whose claimRef is this claim's and that suit it."""
    bucket = (claim["metadata"]["namespace"], name(claim))
    return [volume for volume in seen.find(RESERVED, bucket) if reserved_for(volume, claim) and suits(volume, claim)]


def smallest_free(seen: Seen, claim: Obj, group: frozenset[str]) -> list[Obj]:
    """The smallest free volumes of one group that fit: several where they are equal."""
    found: list[Obj] = []
    for volume in seen.find(FREE, shelf(claim, group), least=requested(claim)):
        if found and (capacity(volume) > capacity(found[0]) or len(found) == MOST_EQUALS):
            break
        if WAIVED["selector"](volume, claim):
            found.append(volume)
    return found


def best_match(seen: Seen, claim: Obj, only_reserved: bool = False) -> Obj | None:
    """The volume that a claim takes (BIND-03, BIND-19); with `only_reserved` none that is free (SCHED-01)."""
    own = reservations(seen, claim)
    for level in groups(access_modes(claim)):
        options: list[Obj] = []
        for group in level:
            held = [volume for volume in own if access_modes(volume) == group]
            found = held or ([] if only_reserved else smallest_free(seen, claim, group))
            if found:
                options.append(seen.tie(found))
        if options:
            return seen.tie(options)
    return None
