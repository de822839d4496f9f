"""Protection: what is in use is not removed.

A finalizer keeps a claim while a pod on a node uses it, a volume while it is Bound, and a class of attributes while a
volume or claim names it. It is put on by admission, and by these controllers where it is missing; it is taken off when
nothing uses the object any more. For claims the pods are listed live before that, because a cache that lacks one would
cost somebody his data; a list for each claim, where the real controller has one for some claims of a namespace.
"""

from collections.abc import Callable, Hashable, Iterable
from typing import Any

from pvkit.backends.objects import (
    Key,
    Obj,
    condition,
    deleting,
    finalizers,
    key,
    name,
    owners,
    phase,
    put,
    uid,
)
from pvkit.backends.reference.conditions import with_condition
from pvkit.backends.reference.gates import gate
from pvkit.backends.reference.rules import STOP, Controller, Effect, Write, rule
from pvkit.backends.reference.view import Seen
from pvkit.backends.storage import ATTRIBUTES_PROTECTION, CLAIM_PROTECTION, VOLUME_PROTECTION, attributes_class
from pvkit.backends.tables import Index
from pvkit.backends.workloads import claim_keys, claim_volumes, is_finished, node_name

GATE = "PersistentVolumeClaimUnusedSinceTime"
BOUND_ONLY_SINCE = 37


def _by_claim(pod: Obj) -> Iterable[tuple[Hashable, Any]]:
    for claim in claim_keys(pod):
        yield claim, name(pod)


PODS = Index("pods by claim", "Pod", _by_claim, of_spec=True)


def holds(pod: Obj, claim: Key) -> bool:
    """Whether a pod keeps a claim from going: it is on a node, whatever its phase (PROT-03)."""
    return bool(node_name(pod)) and claim in claim_keys(pod)


def _is_shut_down(pod: Obj) -> bool:
    return deleting(pod) and pod["metadata"].get("deletionGracePeriodSeconds") == 0


def keeps(pod: Obj, claim: Obj) -> bool:
    """Whether a pod holds a claim; one made for a pod's own volume only if it is that pod's, until shut down."""
    mine = any(uid(pod) == owner.get("uid") for owner in owners(claim))
    return holds(pod, key(claim)) and (_names(pod, claim) or (mine and not _is_shut_down(pod)))


def uses(pod: Obj, claim: Obj) -> bool:
    """Whether a pod counts for condition `Unused`: unfinished, on a node or not (STATUS-07)."""
    mine = any(uid(pod) == owner.get("uid") for owner in owners(claim))
    return not is_finished(pod) and key(claim) in claim_keys(pod) and (_names(pod, claim) or mine)


def _names(pod: Obj, claim: Obj) -> bool:
    """Whether a pod names the claim itself, not through a volume for which a claim is made."""
    return (name(claim), False) in claim_volumes(pod)


def wants_off(obj: Obj, finalizer: str) -> bool:
    """Whether an object is to go and only waits for this finalizer, among others."""
    return deleting(obj) and finalizer in finalizers(obj)


def wants_on(obj: Obj, finalizer: str) -> bool:
    """Whether a live object lacks the finalizer."""
    return not deleting(obj) and finalizer not in finalizers(obj)


def _off(obj: Obj, finalizer: str) -> Write:
    kept = [entry for entry in finalizers(obj) if entry != finalizer]
    return Write("update", put(obj, ("metadata", "finalizers"), kept), tolerate=("NotFound",))


def _on(obj: Obj, finalizer: str) -> Write:
    return Write("update", put(obj, ("metadata", "finalizers"), [*finalizers(obj), finalizer]))


@rule("STATUS-07", on="PersistentVolumeClaim")
def tell_of_use(seen: Seen, at: Key) -> Effect | None:
    """Where the gate is on, a claim says in a condition whether any pod that has not finished names it."""
    claim = seen.lookup(at)
    if claim is None or deleting(claim) or not gate(seen.setup, GATE):
        return None
    if seen.setup.minor >= BOUND_ONLY_SINCE and phase(claim) != "Bound":
        return None
    used = _is_found(seen, claim, uses)
    said = condition(claim, "Unused")
    if said is not None and (said.get("status") == "True") != used:
        return None
    words = ("PodUsingPVC", "A pod is currently referencing this PVC")
    if not used:
        words = ("NoPodsUsingPVC", "No pods are currently referencing this PVC")
    return Write("update-status", with_condition(claim, "Unused", "False" if used else "True", seen.now, *words))


def _is_found(seen: Seen, claim: Obj, test: Callable[[Obj, Obj], bool]) -> bool:
    """Whether a pod of the cache passes a test; if none does, whether one of a live list does."""
    if any(test(pod, claim) for pod in seen.find(PODS, key(claim))):
        return True
    return any(test(pod, claim) for pod in seen.live_find(PODS, key(claim)))


@rule("PROT-14.1", on="PersistentVolumeClaim")
def keep_used_claim(seen: Seen, at: Key) -> Effect | None:
    """A claim that is to go stays while a pod on a node uses it, in the cache or in a live list."""
    claim = seen.lookup(at)
    if claim is None:
        return STOP
    if not wants_off(claim, CLAIM_PROTECTION):
        return None
    return STOP if _is_found(seen, claim, keeps) else None


@rule("PROT-14.2", on="PersistentVolumeClaim")
def release_claim(seen: Seen, at: Key) -> Effect | None:
    """A claim that is to go and that nobody uses loses the finalizer."""
    claim = seen.lookup(at)
    return _off(claim, CLAIM_PROTECTION) if claim is not None and wants_off(claim, CLAIM_PROTECTION) else None


@rule("PROT-14.3", on="PersistentVolumeClaim")
def protect_claim(seen: Seen, at: Key) -> Effect | None:
    """A live claim without the finalizer gets it."""
    claim = seen.lookup(at)
    return _on(claim, CLAIM_PROTECTION) if claim is not None and wants_on(claim, CLAIM_PROTECTION) else STOP


@rule("PROT-15.1", on="PersistentVolume")
def release_volume(seen: Seen, at: Key) -> Effect | None:
    """A volume that is to go and is not Bound loses the finalizer; its phase alone decides (PROT-07)."""
    volume = seen.lookup(at)
    if volume is None or not wants_off(volume, VOLUME_PROTECTION) or phase(volume) == "Bound":
        return None
    return _off(volume, VOLUME_PROTECTION)


@rule("PROT-15.2", on="PersistentVolume")
def protect_volume(seen: Seen, at: Key) -> Effect | None:
    """A live volume without the finalizer gets it."""
    volume = seen.lookup(at)
    return _on(volume, VOLUME_PROTECTION) if volume is not None and wants_on(volume, VOLUME_PROTECTION) else STOP


def claim_changed(old: Obj | None, new: Obj | None, seen: Seen) -> Iterable[Key]:
    """Claims that lack the finalizer, or wait for its removal, or do not tell of their use though they should."""
    if new is None:
        return ()
    concerned = wants_on(new, CLAIM_PROTECTION) or wants_off(new, CLAIM_PROTECTION)
    silent = gate(seen.setup, GATE) and condition(new, "Unused") is None
    return (key(new),) if concerned or silent else ()


def pod_changed(old: Obj | None, new: Obj | None, seen: Seen) -> Iterable[Key]:
    """The claims of a pod that is gone, has finished or has no node; and of the one that had its name before."""
    keys: list[Key] = []
    if old is not None and (new is None or uid(old) != uid(new)):
        keys += claim_keys(old)
    if new is not None and (is_finished(new) or not node_name(new) or gate(seen.setup, GATE)):
        keys += claim_keys(new)
    return keys


def volume_changed(old: Obj | None, new: Obj | None, seen: Seen) -> Iterable[Key]:
    """Volumes that lack the finalizer, or wait for its removal."""
    concerned = new is not None and (wants_on(new, VOLUME_PROTECTION) or wants_off(new, VOLUME_PROTECTION))
    return (key(new),) if concerned and new is not None else ()


def named_attributes(obj: Obj) -> set[str]:
    """The classes of attributes that a volume or claim names: the wanted one, the present one, the one aimed at."""
    status = obj.get("status") or {}
    aimed_at = (status.get("modifyVolumeStatus") or {}).get("targetVolumeAttributesClassName")
    return {
        found for found in (attributes_class(obj), status.get("currentVolumeAttributesClassName"), aimed_at) if found
    }


def _by_attributes(obj: Obj) -> Iterable[tuple[Hashable, Any]]:
    for found in named_attributes(obj):
        yield found, name(obj)


NAMING = tuple(
    Index(f"{kind} by class of attributes", kind, _by_attributes)
    for kind in ("PersistentVolume", "PersistentVolumeClaim")
)


@rule("PROT-16.1", on="VolumeAttributesClass")
def release_attributes(seen: Seen, at: Key) -> Effect | None:
    """A class of attributes that is to go loses the finalizer once no cached volume or claim names it (PROT-11)."""
    found = seen.lookup(at)
    if found is None or not wants_off(found, ATTRIBUTES_PROTECTION):
        return None
    used = any(next(seen.find(index, at.name), None) is not None for index in NAMING)
    return STOP if used else _off(found, ATTRIBUTES_PROTECTION)


@rule("PROT-16.2", on="VolumeAttributesClass")
def protect_attributes(seen: Seen, at: Key) -> Effect | None:
    """A live class of attributes without the finalizer gets it."""
    found = seen.lookup(at)
    return _on(found, ATTRIBUTES_PROTECTION) if found is not None and wants_on(found, ATTRIBUTES_PROTECTION) else STOP


def attributes_changed(old: Obj | None, new: Obj | None, seen: Seen) -> Iterable[Key]:
    """Classes of attributes that lack the finalizer, or wait for its removal."""
    concerned = new is not None and (wants_on(new, ATTRIBUTES_PROTECTION) or wants_off(new, ATTRIBUTES_PROTECTION))
    return (key(new),) if concerned and new is not None else ()


def attributes_dropped(old: Obj | None, new: Obj | None, seen: Seen) -> Iterable[Key]:
    """The classes of attributes that a volume or claim named and does not name any more."""
    before = named_attributes(old) if old is not None else set()
    after = named_attributes(new) if new is not None else set()
    return [Key("VolumeAttributesClass", "", found) for found in sorted(before - after)]


CLAIM_PROTECTOR = Controller(
    name="pvc-protection",
    rules={"PersistentVolumeClaim": (tell_of_use, keep_used_claim, release_claim, protect_claim)},
    watches={"PersistentVolumeClaim": claim_changed, "Pod": pod_changed},
)

VOLUME_PROTECTOR = Controller(
    name="pv-protection",
    rules={"PersistentVolume": (release_volume, protect_volume)},
    watches={"PersistentVolume": volume_changed},
)

ATTRIBUTES_PROTECTOR = Controller(
    name="vac-protection",
    rules={"VolumeAttributesClass": (release_attributes, protect_attributes)},
    watches={
        "VolumeAttributesClass": attributes_changed,
        "PersistentVolume": attributes_dropped,
        "PersistentVolumeClaim": attributes_dropped,
    },
)
