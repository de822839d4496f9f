"""Status: what a set says of its pods at the end of a pass.

All counts are of the pods as the pass found them, so they lag behind what the pass did. They are written whenever one
of them differs from what the set says, after an error too, and while the set is being deleted.
"""

from typing import Any

from pvkit.backends.objects import Key, Obj, deleting, get, name, phase, uid
from pvkit.backends.reference.clock import stamp
from pvkit.backends.reference.ordering import condemned, is_available, outdated, slots
from pvkit.backends.reference.passes import Pass, ask, at_hand
from pvkit.backends.reference.rules import Effect, rule
from pvkit.backends.reference.view import Seen
from pvkit.backends.workloads import is_ready, replicas, revision, strategy

CONDITIONS_SINCE = COMPLETES_ALL_SINCE = 37
COMPARED = (
    "replicas", "readyReplicas", "availableReplicas", "currentReplicas", "updatedReplicas",
    "currentRevision", "updateRevision",
)  # fmt: skip
_ALWAYS_SHOWN = frozenset({"replicas", "availableReplicas", "collisionCount"})


def counted(seen: Seen, work: Pass) -> list[Obj]:
    """The pods that the status counts: those of an ordinal; all claimed ones while the set is being deleted."""
    everybody = [*slots(seen, work), *condemned(seen, work)]
    return work.members if deleting(work.stateful_set) else [slot.pod for slot in everybody if slot.exists]


def new_status(seen: Seen, work: Pass) -> Obj:
    """The status that a pass arrives at (STATUS-01 to STATUS-05).

    Each pod deleted for an update is taken off the current ones, even one that was not among them. The real count can
    so fall below zero, which the API server refuses until a later pass counts right; here it stops at zero.
    """
    assert work.update is not None
    assert work.current is not None
    pods = [pod for pod in counted(seen, work) if phase(pod)]
    ready = [pod for pod in pods if is_ready(pod)]
    staying = [revision(pod) for pod in pods if not deleting(pod)]
    deleted = sum("outdated" in slot.done and not slot.problems for slot in slots(seen, work))
    status: Obj = {
        "observedGeneration": int(work.stateful_set["metadata"].get("generation") or 0),
        "replicas": len(pods),
        "readyReplicas": len(ready),
        "availableReplicas": sum(is_available(work, pod) for pod in ready),
        "currentReplicas": max(staying.count(name(work.current)) - deleted, 0),
        "updatedReplicas": staying.count(name(work.update)),
        "currentRevision": name(work.current),
        "updateRevision": name(work.update),
        "collisionCount": work.collisions,
    }
    status = completed(work, status)
    conditions = _conditions(seen, work, status)
    return {**status, "conditions": conditions} if conditions else status


def completed(work: Pass, status: Obj) -> Obj:
    """The status once every replica is updated and ready: its revision is the current one (STATUS-07)."""
    completes = strategy(work.stateful_set) == "RollingUpdate" or work.minor >= COMPLETES_ALL_SINCE
    counts = {status[field] for field in ("updatedReplicas", "readyReplicas", "replicas")}
    if not completes or counts != {replicas(work.stateful_set)}:
        return status
    return {**status, "currentReplicas": status["updatedReplicas"], "currentRevision": status["updateRevision"]}


def differs(old: Obj, new: Obj) -> bool:
    """Whether a status is worth writing: a count or revision changed, or a newer generation was seen (STATUS-06)."""
    return (
        new["observedGeneration"] > int(old.get("observedGeneration") or 0)
        or any((new[field] or 0) != (old.get(field) or 0) for field in COMPARED)
        or ("conditions" in new and new["conditions"] != old.get("conditions"))
    )


@rule("STATUS-06", on="StatefulSet")
def write_status(seen: Seen, at: Key) -> Effect | None:
    """The status is written when a count, a revision or the observed generation changed."""
    work = at_hand(seen, at)
    if ("status", "") in work.done:
        return None
    work.done.add(("status", ""))
    status = new_status(seen, work)
    if not differs(work.stateful_set.get("status") or {}, status):
        return None
    shown = {field: value for field, value in status.items() if value or field in _ALWAYS_SHOWN}
    known = seen.lookup(at)
    base = known if known is not None and uid(known) == uid(work.stateful_set) else work.stateful_set

    def refused(reason: str) -> None:
        work.errors.append(seen.refusal)

    return ask(work, "update-status", {**base, "status": shown}, lambda _: None, refused)


def _conditions(seen: Seen, work: Pass, status: Obj) -> list[Obj]:
    """The conditions that go on; only Recreate adds one, Progressing."""
    if work.minor < CONDITIONS_SINCE:
        return []
    old: list[Obj] = get(work.stateful_set, "status", "conditions") or []
    if not work.recreates or deleting(work.stateful_set):
        return old
    found = next((entry for entry in old if entry["type"] == "Progressing"), None)
    if outdated(seen, work):
        wanted = ("True", "RecreateInProgress", "Deleting old revision pods")
    elif status["currentRevision"] != status["updateRevision"]:
        wanted = ("True", "RecreateInProgress", "Waiting for new-revision pods to be created")
    elif found is not None:
        wanted = ("False", "RecreateCompleted", "All pods recreated successfully")
    else:
        return old
    return [*(entry for entry in old if entry is not found), _condition(work, found, wanted)]


def _condition(work: Pass, old: Obj | None, wanted: tuple[str, str, str]) -> dict[str, Any]:
    status, reason, message = wanted
    since = old["lastTransitionTime"] if old and old["status"] == status else stamp(int(work.now))
    made = {"type": "Progressing", "status": status, "reason": reason, "message": message}
    return {**made, "lastTransitionTime": since}
