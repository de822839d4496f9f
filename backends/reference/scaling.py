"""Scaling down: what a pass does to condemned pods, those whose ordinal is out of range.

Once their claims have the right owners, OrderedReady deletes the highest one, and only the highest, if it is healthy or
the one unhealthy pod there is; Parallel deletes all of them.
"""

from pvkit.backends.objects import Key, deleting
from pvkit.backends.reference.claim_owners import awaiting_owners
from pvkit.backends.reference.ordering import condemned, in_range_passed, is_unhealthy
from pvkit.backends.reference.passes import Pass, Slot, at_hand
from pvkit.backends.reference.replicas import remove
from pvkit.backends.reference.rules import Effect, rule
from pvkit.backends.reference.view import Seen


def may_delete_condemned(seen: Seen, work: Pass) -> bool:
    """Whether the pass has come to the deletions: nothing in range stops it, and all claims have their owners."""
    return in_range_passed(seen, work) and not awaiting_owners(seen, work)


def first_unhealthy(work: Pass) -> Slot | None:
    """The condemned pod with the lowest ordinal among the unhealthy ones (ORDER-06)."""
    return next((slot for slot in reversed(work.condemned.slots) if is_unhealthy(work, slot.pod)), None)


@rule("ORDER-04", on="StatefulSet")
def delete_highest(seen: Seen, at: Key) -> Effect | None:
    """With OrderedReady the highest condemned pod is deleted, if it is healthy or the first unhealthy one."""
    work = at_hand(seen, at)
    if work.parallel or not condemned(seen, work) or not may_delete_condemned(seen, work):
        return None
    highest = condemned(seen, work)[0]
    if "delete" in highest.done or deleting(highest.pod):
        return None
    if highest.stops and highest is not first_unhealthy(work):
        return None
    return remove(seen, work, highest)


@rule("SCALE-06", on="StatefulSet")
def delete_all(seen: Seen, at: Key) -> Effect | None:
    """With Parallel every condemned pod is deleted, whatever its health."""
    work = at_hand(seen, at)
    if not work.parallel or not condemned(seen, work) or not may_delete_condemned(seen, work):
        return None
    found = [slot for slot in work.condemned.batch(_leaves) if not _leaves(slot) and not slot.problems]
    return remove(seen, work, seen.tie(found)) if found else None


def _leaves(slot: Slot) -> bool:
    return not slot.problems and (deleting(slot.pod) or "delete" in slot.done)


def scaled_down(seen: Seen, work: Pass) -> bool:
    """Whether the pass goes on to updates: with OrderedReady only when no condemned pod is left (SCALE-05)."""
    if not may_delete_condemned(seen, work):
        return False
    return not condemned(seen, work) if not work.parallel else not work.condemned.batch(_leaves)
