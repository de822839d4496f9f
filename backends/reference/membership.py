"""Membership: which pods and revisions are the set's own.

A pod belongs to a set by its controller reference, its labels and its name together. Orphans that fit are adopted,
own pods that no longer fit are released. Before the first adoption the set is read again from the API server, because
a set that was deleted meanwhile must adopt nothing.
"""

from collections.abc import Callable

from pvkit.backends.objects import (
    Key,
    Obj,
    controller_of,
    deleting,
    key,
    name,
    owner_reference,
    owners,
    put,
    uid,
    without,
)
from pvkit.backends.reference.passes import Pass, ask, at_hand, end, live
from pvkit.backends.reference.rules import Effect, Fail, rule
from pvkit.backends.reference.view import Seen

OWNERS = ("metadata", "ownerReferences")


def may_adopt(seen: Seen, stateful_set: Obj) -> bool:
    """Whether the API server still has this very set, and not in deletion."""
    fresh = seen.live(key(stateful_set))
    return fresh is not None and uid(fresh) == uid(stateful_set) and not deleting(fresh)


@rule("REV-08", on="StatefulSet")
def adopt_revision(seen: Seen, at: Key) -> Effect | None:
    """An orphaned revision that matches the selector is adopted."""
    work = at_hand(seen, at)
    if work.orphans and work.orphans[0]["kind"] == "ControllerRevision":
        return _adopt(seen, work, work.orphans[0])
    return _unsettled(seen, work)


@rule("IDENT-07", on="StatefulSet")
def release_pod(seen: Seen, at: Key) -> Effect | None:
    """An own pod that no longer fits by labels or name loses its reference to the set."""
    work = at_hand(seen, at)
    if not work.strangers or deleting(work.stateful_set):
        return None
    return _release(seen, work, work.strangers[0])


@rule("IDENT-06", on="StatefulSet")
def adopt_pod(seen: Seen, at: Key) -> Effect | None:
    """An orphaned pod that fits by labels and name is adopted, unless it or the set is terminating."""
    work = at_hand(seen, at)
    if work.orphans and not deleting(work.stateful_set):
        return _adopt(seen, work, work.orphans[0])
    return _unsettled(seen, work)


def _unsettled(seen: Seen, work: Pass) -> Effect | None:
    """A pass that could not settle who belongs to the set goes no further."""
    return end(seen, Fail("; ".join(work.errors))) if work.errors and not work.arranged else None


def _adopt(seen: Seen, work: Pass, obj: Obj) -> Effect:
    work.waiting = True
    if not may_adopt(seen, work.stateful_set):
        return end(seen, Fail(f"the set is gone or going: {name(obj)} is not adopted"))
    base = _stored(seen, work, obj)
    if controller_of(base) is not None:
        return end(seen, Fail(f"{name(obj)} has another controller by now"))

    def adopted(_: Obj) -> None:
        work.orphans.remove(obj)
        if obj["kind"] == "Pod":
            work.members.append(obj)

    wanted = put(base, OWNERS, [*owners(base), owner_reference(work.stateful_set)])
    return ask(work, "update", wanted, adopted, _leave(seen, work, work.orphans, obj))


def _release(seen: Seen, work: Pass, pod: Obj) -> Effect:
    base = _stored(seen, work, pod)
    kept = [owner for owner in owners(base) if owner["uid"] != uid(work.stateful_set)]
    wanted = put(base, OWNERS, kept) if kept else without(base, OWNERS)
    return ask(work, "update", wanted, lambda _: work.strangers.remove(pod), _leave(seen, work, work.strangers, pod))


def _stored(seen: Seen, work: Pass, obj: Obj) -> Obj:
    """What a patch is applied to: the object as it is stored, whatever the cache shows."""
    stored = live(seen, work, key(obj))
    return stored if stored is not None and uid(stored) == uid(obj) else obj


def _leave(seen: Seen, work: Pass, waiting: list[Obj], obj: Obj) -> Callable[[str], None]:
    """How a refusal is taken: an object that is gone is nobody's business, anything else is an error."""

    def refused(reason: str) -> None:
        waiting.remove(obj)
        if reason != "NotFound":
            work.errors.append(seen.refusal)

    return refused
