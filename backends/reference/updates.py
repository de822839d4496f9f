"""Updates: which pods a pass deletes because their template is no longer the wanted one.

Only a pass that found nothing to create, wait for or scale down comes so far. Pods go from the highest ordinal down to
the partition: one at a time, or as many as maxUnavailable leaves room for. Recreate is another thing altogether: all
outdated pods go first, and nothing is created while one of them exists.
"""

from pvkit.backends.objects import Key, deleting, get, name
from pvkit.backends.reference.ordering import (
    is_available,
    is_unhealthy,
    outdated,
    slots,
)
from pvkit.backends.reference.passes import Pass, Slot, at_hand, end
from pvkit.backends.reference.replicas import remove
from pvkit.backends.reference.rules import Effect, Fail, Say, rule
from pvkit.backends.reference.scaling import scaled_down
from pvkit.backends.reference.view import Seen
from pvkit.backends.workloads import partition, replicas, revision, strategy

RECREATE_SINCE = BROKEN_FIRST_SINCE = 37


def may_update(seen: Seen, work: Pass) -> bool:
    """Whether a pass has come to the updates, and its strategy has any."""
    return strategy(work.stateful_set) == "RollingUpdate" and scaled_down(seen, work)


def is_outdated(work: Pass, slot: Slot) -> bool:
    """Whether a pod is to be replaced by one of the wanted revision, and is not going already."""
    assert work.update is not None
    return revision(slot.pod) != name(work.update) and not deleting(slot.pod)


def max_unavailable(work: Pass) -> int:
    """How many pods may be unavailable: a number, or a share of the replicas rounded down, at least 1 (UPDATE-16)."""
    wanted = get(work.stateful_set, "spec", "updateStrategy", "rollingUpdate", "maxUnavailable")
    if isinstance(wanted, str) and wanted.endswith("%"):
        wanted = int(wanted[:-1]) * replicas(work.stateful_set) // 100
    return max(int(wanted or 1), 1)


def from_the_top(seen: Seen, work: Pass) -> list[Slot]:
    """The slots that an update may touch, from the highest ordinal down to the partition (UPDATE-02)."""
    return list(reversed(slots(seen, work)[partition(work.stateful_set) :]))


@rule("UPDATE-01", on="StatefulSet")
def replace_one(seen: Seen, at: Key) -> Effect | None:
    """The highest outdated pod is deleted, once all updated pods above it are available."""
    work = at_hand(seen, at)
    if work.several or not may_update(seen, work):
        return None
    for slot in from_the_top(seen, work):
        if is_outdated(work, slot):
            return None if "outdated" in slot.done else remove(seen, work, slot, "outdated")
        if is_unhealthy(work, slot.pod):
            return None
    return None


@rule("UPDATE-12", on="StatefulSet")
def replace_some(seen: Seen, at: Key) -> Effect | None:
    """The highest outdated pods are deleted, as many as maxUnavailable leaves room for."""
    work = at_hand(seen, at)
    if not work.several or _spares_the_whole(work) or not may_update(seen, work):
        return None
    room = _room(seen, work)
    return _next(seen, work, [slot for slot in from_the_top(seen, work) if is_outdated(work, slot)][: max(room, 0)])


@rule("UPDATE-14", on="StatefulSet")
def replace_broken_first(seen: Seen, at: Key) -> Effect | None:
    """With Parallel, all outdated pods that are unavailable anyway are deleted, and others as far as there is room."""
    work = at_hand(seen, at)
    if not work.several or not _spares_the_whole(work) or not may_update(seen, work):
        return None
    old = [slot for slot in from_the_top(seen, work) if is_outdated(work, slot)]
    broken = [slot for slot in old if not is_available(work, slot.pod)]
    whole = [slot for slot in old if is_available(work, slot.pod)]
    return _next(seen, work, broken + whole[: max(_room(seen, work), 0)])


def _spares_the_whole(work: Pass) -> bool:
    return work.parallel and work.minor >= BROKEN_FIRST_SINCE


def _room(seen: Seen, work: Pass) -> int:
    """How many more pods may become unavailable; those anywhere in range count, the pass's own new ones too."""
    return max_unavailable(work) - sum(is_unhealthy(work, slot.pod) for slot in slots(seen, work))


def _next(seen: Seen, work: Pass, chosen: list[Slot]) -> Effect | None:
    if any(slot.problems for slot in chosen):
        return None
    slot = next((slot for slot in chosen if "outdated" not in slot.done), None)
    return remove(seen, work, slot, "outdated") if slot is not None else None


@rule("UPDATE-24", on="StatefulSet")
def recreate(seen: Seen, at: Key) -> Effect | None:
    """With Recreate all outdated pods are deleted at once, in range or not, healthy or not."""
    work = at_hand(seen, at)
    if not work.recreates or deleting(work.stateful_set):
        return None
    found = [slot for slot in outdated(seen, work) if not deleting(slot.pod) and "delete" not in slot.done]
    return remove(seen, work, seen.tie(found)) if found else None


@rule("UPDATE-26.1", on="StatefulSet")
def tell_of_strategy(seen: Seen, at: Key) -> Effect | None:
    """A controller that does not know Recreate says so."""
    work = at_hand(seen, at)
    if not _is_unknown(work):
        return None
    return Say(work.stateful_set, "Warning", "UnknownStrategy", _unknown(work))


@rule("UPDATE-26.2", on="StatefulSet")
def leave_unknown_strategy(seen: Seen, at: Key) -> Effect | None:
    """A set with a strategy that the controller does not know is left alone, its status too."""
    work = at_hand(seen, at)
    return end(seen, Fail(_unknown(work))) if _is_unknown(work) else None


def _is_unknown(work: Pass) -> bool:
    return work.minor >= RECREATE_SINCE and strategy(work.stateful_set) == "Recreate" and not work.recreates


def _unknown(work: Pass) -> str:
    where = f"{work.at.namespace}/{work.at.name}"
    return f"statefulset {where} uses Recreate strategy but feature gate StatefulSetRecreateStrategy is disabled"
