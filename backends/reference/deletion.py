"""What a deletion request does to an object: at once, marked for later, or nothing more.

Only a pod is given grace: it is marked, and goes when its kubelet asks again with none. Anything else is marked only
while finalizers hold it. Those of the garbage collector come and go with the propagation that is asked for.
"""

from dataclasses import dataclass
from typing import Any

from pvkit.backends.errors import Cause, Conflict, Invalid
from pvkit.backends.objects import Obj, deleting, finalizers, name, put, without
from pvkit.backends.reference import admission, namespaces
from pvkit.backends.reference.clock import seconds, stamp
from pvkit.backends.reference.validation.fields import group_kind, unsupported

_HOLDS = {"Foreground": "foregroundDeletion", "Orphan": "orphan"}
_POLICIES = ("Foreground", "Background", "Orphan", "nil")


@dataclass(frozen=True, slots=True)
class Wish:
    """What a deletion request asks for: preconditions, propagation, grace in seconds."""

    uid: str | None = None
    version: str | None = None
    propagation: str | None = None
    grace: int | None = None


def check(obj: Obj, wish: Wish) -> None:
    """Refuse a request that makes no sense, or speaks of another object (VALID-119)."""
    if wish.propagation is not None and wish.propagation not in _POLICIES[:3]:
        cause: Cause = unsupported("propagationPolicy", wish.propagation, _POLICIES)
        words = f'DeleteOptions.meta.k8s.io "" is invalid: {cause.field}: {cause.message}'
        raise Invalid(words, (cause,))
    metadata = obj["metadata"]
    for word, wanted, seen, why in (
        ("UID", wish.uid, metadata["uid"], "deleted and then recreated"),
        ("ResourceVersion", wish.version, metadata["resourceVersion"], "modified"),
    ):
        if wanted is not None and wanted != seen:
            raise Conflict(
                f'Operation cannot be fulfilled on {group_kind(obj["kind"])} "{name(obj)}": the {word} in the '
                f"precondition ({wanted}) does not match the {word} in record ({seen}). "
                f"The object might have been {why}"
            )


def held(obj: Obj) -> bool:
    """Whether something keeps a deleted object: its finalizers, or those in the spec of a namespace."""
    return bool(finalizers(obj) or namespaces.spec_finalizers(obj))


def marked(obj: Obj, wish: Wish, now: int) -> Obj:
    """The object as the request leaves it if it is to stay for now; the same object if nothing changes."""
    graceful = obj["kind"] == "Pod"
    if graceful and deleting(obj) and _pending(obj, wish.grace):
        return obj
    made = _with_collector(obj, wish.propagation)
    if graceful and not _out_of_grace(obj):
        return _graceful(made, admission.grace_period(obj, wish.grace), now)
    return _terminating(made, now) if held(made) else made


def _out_of_grace(pod: Obj) -> bool:
    return deleting(pod) and not pod["metadata"].get("deletionGracePeriodSeconds")


def _pending(pod: Obj, asked: int | None) -> bool:
    """Whether a pod's own time is still running and the request does not shorten it."""
    left = pod["metadata"].get("deletionGracePeriodSeconds") or 0
    return left > 0 and (asked is None or asked >= left)


def _with_collector(obj: Obj, propagation: str | None) -> Obj:
    """The object with the finalizer that the propagation needs; without a wish, those it has stay."""
    if propagation is None:
        return obj
    kept = [finalizer for finalizer in finalizers(obj) if finalizer not in _HOLDS.values()]
    wanted = [*kept, _HOLDS[propagation]] if propagation in _HOLDS else kept
    if sorted(wanted) == sorted(finalizers(obj)):
        return obj
    path = ("metadata", "finalizers")
    return put(obj, path, wanted) if wanted else without(obj, path)


def _graceful(pod: Obj, grace: int, now: int) -> Obj:
    """A pod that goes when its grace is over; a later request may shorten the time, never beyond the present."""
    metadata = dict(pod["metadata"])
    if deleting(pod):
        asked = int(seconds(metadata["deletionTimestamp"])) - metadata["deletionGracePeriodSeconds"]
        late = asked + grace < now
        grace = 1 if late and grace else grace
        return {**pod, "metadata": metadata | _life(now if late else asked + grace, grace)}
    return {**pod, "metadata": _next_generation(metadata) | _life(now + grace, grace)}


def _life(end: int, grace: int) -> dict[str, Any]:
    return {"deletionTimestamp": stamp(end), "deletionGracePeriodSeconds": grace}


def _next_generation(metadata: Obj) -> Obj:
    return {**metadata, "generation": metadata["generation"] + 1} if "generation" in metadata else metadata


def _terminating(obj: Obj, now: int) -> Obj:
    """An object that stays until its finalizers are gone."""
    metadata = obj["metadata"]
    if not deleting(obj):
        metadata = _next_generation(metadata) | _life(now, 0)
        if obj["kind"] == "Namespace":
            metadata.pop("deletionGracePeriodSeconds")
        return namespaces.marked({**obj, "metadata": metadata})
    if metadata.get("deletionGracePeriodSeconds") or seconds(metadata["deletionTimestamp"]) > now:
        return {**obj, "metadata": metadata | _life(min(now, int(seconds(metadata["deletionTimestamp"]))), 0)}
    return obj
