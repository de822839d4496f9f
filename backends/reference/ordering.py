"""Ordering: where a pass over a set stands, and what lets it go on.

The pods in range are gone over from the lowest ordinal up. With OrderedReady one that is absent, terminating, not
ready or not available stops the pass, whatever comes after it: higher ordinals, condemned pods, updates. With Parallel
nothing stops it but an error. Condemned pods, those out of range, are gone over from the highest ordinal down.
"""

from collections import defaultdict

from pvkit.backends.objects import Obj, condition, deleting, get, name, phase
from pvkit.backends.reference.claim_templates import any_stale, claims, going, missing
from pvkit.backends.reference.clock import seconds
from pvkit.backends.reference.identity import identity_matches, storage_matches, unborn
from pvkit.backends.reference.passes import Pass, Slot, Walk
from pvkit.backends.reference.retention import owners_right
from pvkit.backends.reference.revisions import current
from pvkit.backends.reference.view import Seen
from pvkit.backends.workloads import (
    first_ordinal,
    is_finished,
    is_ready,
    ordinal,
    ordinals,
    partition,
    revision,
    strategy,
)

EQUALITY_SINCE, AVAILABILITY_SINCE = 34, 34


def revision_for(work: Pass, at: int) -> Obj:
    """The revision that a new pod of an ordinal is made from (UPDATE-03): by partition, or by count without one."""
    assert work.current is not None
    assert work.update is not None
    index = at - first_ordinal(work.stateful_set)
    rolling = get(work.stateful_set, "spec", "updateStrategy", "rollingUpdate")
    if rolling is not None:
        old = index < partition(work.stateful_set)
    else:
        old = strategy(work.stateful_set) == "RollingUpdate" and index < int(
            get(work.stateful_set, "status", "currentReplicas") or 0
        )
    return work.current if old else work.update


def available_at(work: Pass, pod: Obj) -> float | None:
    """When a pod that is ready becomes available; None while it is not ready, or says not since when."""
    ready = condition(pod, "Ready") or {}
    wait = int(work.stateful_set["spec"].get("minReadySeconds") or 0)
    if ready.get("status") != "True":
        return None
    if wait == 0:
        return 0.0
    return seconds(ready["lastTransitionTime"]) + wait if ready.get("lastTransitionTime") else None


def is_available(work: Pass, pod: Obj) -> bool:
    """Whether a pod has been ready for minReadySeconds; before 1.34 a little longer than that."""
    since = available_at(work, pod)
    if since is None:
        return False
    return since <= work.now if work.minor >= EQUALITY_SINCE or since == 0.0 else since < work.now


def is_unhealthy(work: Pass, pod: Obj) -> bool:
    """Whether a pod holds back updates and other condemned pods: since 1.34 by availability, before by readiness."""
    well = is_available(work, pod) if work.minor >= AVAILABILITY_SINCE else is_ready(pod)
    return not well or deleting(pod)


def stops(work: Pass, pod: Obj) -> bool:
    """Whether an OrderedReady pass waits at a pod in range (ORDER-02, ORDER-05)."""
    return deleting(pod) or not is_ready(pod) or not is_available(work, pod)


def arrange(seen: Seen, work: Pass) -> None:
    """Sort the claimed pods into the slots in range, ascending, and the condemned, descending."""
    work.current, work.arranged = current(work), True
    found: defaultdict[int, list[Obj]] = defaultdict(list)
    for pod in work.members:
        found[ordinal(pod)].append(pod)
    found.pop(-1, None)
    in_range = ordinals(work.stateful_set)
    work.in_range = Walk([_slot(seen, work, at, found.get(at)) for at in in_range], work.parallel)
    out = [
        Slot(at, pod, True, stops(work, pod))
        for at in sorted(found, reverse=True)
        if at not in in_range
        for pod in found[at]
    ]
    work.claims_of_condemned, work.condemned = Walk(out, work.parallel), Walk(out, work.parallel)


def _slot(seen: Seen, work: Pass, at: int, pods: list[Obj] | None) -> Slot:
    """The slot of an ordinal; of two spellings of it either may win, the longer unless told otherwise (SCALE-11)."""
    if pods:
        pod = seen.tie(pods[::-1])
        return Slot(at, pod, True, stops(work, pod))
    return Slot(at, unborn(work.stateful_set, at, name(revision_for(work, at))), False, True)


def slots(seen: Seen, work: Pass) -> list[Slot]:
    """The slots in range, ascending."""
    if not work.arranged:
        arrange(seen, work)
    return work.in_range.slots


def condemned(seen: Seen, work: Pass) -> list[Slot]:
    """The slots out of range, descending."""
    if not work.arranged:
        arrange(seen, work)
    return work.condemned.slots


def is_absent(slot: Slot) -> bool:
    """Whether the slot has no pod and the pass did not try to create it yet."""
    return not slot.exists and "create" not in slot.done


def is_kept(work: Pass, slot: Slot) -> bool:
    """Whether the pass has come so far with a pod that it compares it with its identity."""
    return slot.exists and not is_finished(slot.pod) and (work.parallel or not slot.stops)


def front(seen: Seen, work: Pass) -> list[Slot]:
    """The slots in range at which the pass stands: one, or with Parallel a batch; [] when all are passed."""
    if work.front is None:
        slots(seen, work)
        work.front = [] if not acts(seen, work) else work.in_range.batch(lambda slot: passed(seen, work, slot))
    return work.front


def acts(seen: Seen, work: Pass) -> bool:
    """Whether the set creates and deletes at all: not while it is terminating, or is clearing out for Recreate."""
    return not deleting(work.stateful_set) and not (work.recreates and outdated(seen, work))


def outdated(seen: Seen, work: Pass) -> list[Slot]:
    """The pods of any ordinal that exist at another revision than the one wanted."""
    assert work.update is not None
    wanted, everybody = name(work.update), [*slots(seen, work), *condemned(seen, work)]
    return [slot for slot in everybody if slot.exists and revision(slot.pod) != wanted]


def passed(seen: Seen, work: Pass, slot: Slot) -> bool:
    """Whether a slot needs nothing more in this pass, and does not stop it."""
    if slot.problems:
        return False
    if slot.exists and is_finished(slot.pod):
        return work.parallel and (deleting(slot.pod) or "delete" in slot.done)
    if is_absent(slot):
        return work.parallel and any_stale(seen, work, slot)
    if slot.stops and not work.parallel:
        return False
    if phase(slot.pod) == "Pending" and (missing(seen, work, slot) or going(seen, work, slot)):
        return False
    return not wrong_claims(seen, work, slot) and not needs_repair(work, slot)


def in_range_passed(seen: Seen, work: Pass) -> bool:
    """Whether all pods in range are passed, so that condemned pods may go (ORDER-05)."""
    return not front(seen, work) and acts(seen, work)


def wrong_claims(seen: Seen, work: Pass, slot: Slot) -> list[Obj]:
    """The claims of a pod whose owners are not as the policy wants; those tried in this pass are left out."""
    return [
        claim
        for claim in claims(seen, work, slot)
        if not owners_right(claim, work.stateful_set, slot.pod) and f"owners of {name(claim)}" not in slot.done
    ]


def needs_repair(work: Pass, slot: Slot) -> bool:
    """Whether a pod has to be updated to be what its ordinal says."""
    if not slot.exists or "repair" in slot.done:
        return False
    return (
        slot.reowned
        or not identity_matches(work.stateful_set, slot.pod)
        or not storage_matches(work.stateful_set, slot.pod)
    )


def trouble(seen: Seen, work: Pass, slot: Slot) -> list[str]:
    """Why a slot ends the pass with an error: what was refused, and claims that are being deleted."""
    created = slot.exists or "create" in slot.done
    waits = phase(slot.pod) == "Pending" if created else not any_stale(seen, work, slot)
    ending = [f"pvc {name(claim)} is being deleted" for claim in going(seen, work, slot)] if waits else []
    return [*slot.problems, *ending]
