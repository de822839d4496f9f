"""The StatefulSet controller: what wakes it, how a pass over a set begins and ends, and its rules in order.

Passes over one set follow each other, never side by side (LIVE-02). The order of the rules is the order of a pass: who
belongs to the set, which revision is wanted, pods in range, condemned pods, updates, status, history. The chapters:
`membership`, `revisions`, `ordering`, `replicas`, `claim_owners`, `scaling`, `updates`, `set_status`.
"""

from collections.abc import Iterable
from typing import Any

from pvkit.backends.objects import Key, Obj, controller_of, deleting, key, labels, namespace, selects, uid
from pvkit.backends.reference.claim_owners import doom_claims, own_claim, tell_of_controller
from pvkit.backends.reference.gates import gate
from pvkit.backends.reference.membership import adopt_pod, adopt_revision, release_pod
from pvkit.backends.reference.ordering import available_at, condemned, front, is_available, slots, trouble
from pvkit.backends.reference.passes import Pass, at_hand, begin, end, under_way
from pvkit.backends.reference.replicas import create_claim, create_pod, repair_pod, replace_finished, tell_of_claims
from pvkit.backends.reference.revisions import avoid_collision, record_revision, roll_back, trim_history
from pvkit.backends.reference.rules import STOP, After, Controller, Effect, Fail, itself, nothing, rule
from pvkit.backends.reference.scaling import delete_all, delete_highest
from pvkit.backends.reference.set_status import counted, write_status
from pvkit.backends.reference.updates import (
    leave_unknown_strategy,
    recreate,
    replace_broken_first,
    replace_one,
    replace_some,
    tell_of_strategy,
)
from pvkit.backends.reference.view import Seen
from pvkit.backends.tables import Index
from pvkit.backends.workloads import is_ready

HALF_A_DAY = 43_200.0
EXACT_TIMERS_SINCE = 35
"""The minor version since which availability is looked at again when it is due, and not a second later."""


def _by_namespace(stateful_set: Obj) -> Iterable[tuple[Any, Any]]:
    yield namespace(stateful_set), key(stateful_set).name


SETS = Index("sets by namespace", "StatefulSet", _by_namespace, of_spec=True)


def _owner(pod: Obj, seen: Seen) -> Iterable[Key]:
    """The cached set that controls a pod, by name and UID."""
    owner = controller_of(pod)
    if owner is None or owner["kind"] != "StatefulSet":
        return ()
    found = seen.get("StatefulSet", namespace(pod), owner["name"])
    return (key(found),) if found is not None and uid(found) == owner["uid"] else ()


def wake_for_pod(old: Obj | None, new: Obj | None, seen: Seen) -> Iterable[Key]:
    """A pod wakes the set that controls it or did; an orphan, the sets that select it, when its labels change."""
    if new is None:
        return _owner(old, seen) if old is not None else ()
    before = controller_of(old) if old is not None else None
    changed = old is not None and before != controller_of(new)
    former = _owner(old, seen) if old is not None and changed else ()
    if controller_of(new) is not None:
        return (*former, *_owner(new, seen))
    if old is None and deleting(new):
        return ()
    if old is None or changed or labels(old) != labels(new):
        return (*former, *(key(entry) for entry in seen.find(SETS, namespace(new)) if _selects(entry, new)))
    return ()


def _selects(stateful_set: Obj, pod: Obj) -> bool:
    selector = stateful_set["spec"].get("selector")
    return bool(selector) and selects(selector, labels(pod))


@rule("LIVE-06", on="StatefulSet")
def wait_for_own_writes(seen: Seen, at: Key) -> Effect | None:
    """From 1.36 a pass begins only when the caches hold what the last pass wrote."""
    work = under_way(seen, at)
    if work is not None:
        work.front = None
        return None
    if not gate(seen.setup, "StaleControllerConsistencyStatefulSet"):
        return None
    written: dict[str, int] = (seen.memory.get("written") or {}).get(at) or {}
    behind = [kind for kind, version in written.items() if not seen.reached(kind, version)]
    return end(seen, Fail(f"the cache of {behind[0]} lacks an own write")) if behind else None


@rule("DEL-05", on="StatefulSet")
def leave_gone_set(seen: Seen, at: Key) -> Effect | None:
    """A set that is gone from the cache gets no pass; one under way goes on with the set as it was."""
    if under_way(seen, at) is not None:
        return None
    stateful_set = seen.lookup(at)
    if stateful_set is None:
        seen.memory.get("written", {}).pop(at, None)
        return end(seen, STOP)
    begin(seen, at, stateful_set)
    return None


@rule("LIVE-03", on="StatefulSet")
def end_with_error(seen: Seen, at: Key) -> Effect | None:
    """A pass that met an error comes again after a back-off."""
    work = at_hand(seen, at)
    found = errors(seen, work)
    return end(seen, Fail("; ".join(found))) if found else None


@rule("LIVE-05", on="StatefulSet")
def end_until_available(seen: Seen, at: Key) -> Effect | None:
    """A pass that found pods ready but not yet available comes again when the first of them is."""
    work = at_hand(seen, at)
    wait = int(work.stateful_set["spec"].get("minReadySeconds") or 0)
    waiting = [pod for pod in counted(seen, work) if wait and is_ready(pod) and not is_available(work, pod)]
    if not waiting:
        return None
    due = [time for pod in waiting if (time := available_at(work, pod)) is not None]
    late = 0.0 if work.minor >= EXACT_TIMERS_SINCE else 1.0
    return end(seen, After(max(min(due, default=seen.now + wait) - seen.now, 0.0) + late))


@rule("LIVE-04", on="StatefulSet")
def end_quietly(seen: Seen, at: Key) -> Effect | None:
    """A pass that is done, or waits for a pod, ends without a word; an event brings the set back."""
    return end(seen, STOP)


def errors(seen: Seen, work: Pass) -> list[str]:
    """Why a pass ends with an error: the refusals that were not tolerated, and claims that are being deleted."""
    refused = [text for slot in (*slots(seen, work), *condemned(seen, work)) for text in slot.problems]
    ending = [text for slot in front(seen, work) for text in trouble(seen, work, slot) if text not in slot.problems]
    return [*work.errors, *refused, *ending]


STATEFULSET = Controller(
    name="statefulset",
    rules={
        "StatefulSet": (
            wait_for_own_writes,
            leave_gone_set,
            adopt_revision,
            release_pod,
            adopt_pod,
            roll_back,
            avoid_collision,
            record_revision,
            tell_of_strategy,
            leave_unknown_strategy,
            recreate,
            replace_finished,
            create_claim,
            tell_of_claims,
            create_pod,
            tell_of_controller,
            own_claim,
            repair_pod,
            doom_claims,
            delete_highest,
            delete_all,
            replace_one,
            replace_some,
            replace_broken_first,
            write_status,
            trim_history,
            end_with_error,
            end_until_available,
            end_quietly,
        )
    },
    watches={
        "StatefulSet": itself,
        "Pod": wake_for_pod,
        "PersistentVolumeClaim": nothing,
        "ControllerRevision": nothing,
    },
    resync=HALF_A_DAY,
)
