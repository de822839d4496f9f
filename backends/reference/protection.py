"""Protection: what is in use is not removed.

A finalizer keeps a claim while a pod on a node uses it, and a volume while it is Bound. It is put on by admission, and
by these controllers where it is missing; it is taken off when nothing uses the object any more. For claims the pods
are listed live before that, because a cache that lacks one would cost somebody his data.
"""

from collections.abc import Hashable, Iterable
from typing import Any

from pvkit.backends.objects import Key, Obj, condition, deleting, finalizers, key, name, phase, put, uid
from pvkit.backends.reference.conditions import with_condition
from pvkit.backends.reference.gates import gate
from pvkit.backends.reference.rules import STOP, Controller, Effect, Write, rule
from pvkit.backends.reference.view import Seen
from pvkit.backends.storage import CLAIM_PROTECTION, VOLUME_PROTECTION
from pvkit.backends.tables import Index
from pvkit.backends.workloads import claim_keys, is_finished, node_name

GATE = "PersistentVolumeClaimUnusedSinceTime"
BOUND_ONLY_SINCE = 37


def _by_claim(pod: Obj) -> Iterable[tuple[Hashable, Any]]:
    for claim in claim_keys(pod):
        yield claim, name(pod)


PODS = Index("pods by claim", "Pod", _by_claim)


def holds(pod: Obj, claim: Key) -> bool:
    """Whether a pod keeps a claim from going: it is on a node, whatever its phase (PROT-03)."""
    return bool(node_name(pod)) and claim in claim_keys(pod)


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
    used = any(not is_finished(pod) for pod in seen.find(PODS, at))
    reason = ("PodUsingPVC", "A pod is currently referencing this PVC")
    if not used:
        reason = ("NoPodsUsingPVC", "No pods are currently referencing this PVC")
    if (condition(claim, "Unused") or {}).get("reason") == reason[0]:
        return None
    return Write("update-status", with_condition(claim, "Unused", "False" if used else "True", seen.now, *reason))


@rule("PROT-14.1", on="PersistentVolumeClaim")
def keep_used_claim(seen: Seen, at: Key) -> Effect | None:
    """A claim that is to go stays while a pod on a node uses it, in the cache or in a live list."""
    claim = seen.lookup(at)
    if claim is None:
        return STOP
    if not wants_off(claim, CLAIM_PROTECTION):
        return None
    if any(holds(pod, at) for pod in seen.find(PODS, at)):
        return STOP
    return STOP if any(holds(pod, at) for pod in seen.live_list("Pod", at.namespace)) else None


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
    """Claims that lack the finalizer, or wait for its removal; all of them where their use is told."""
    if new is None:
        return ()
    concerned = wants_on(new, CLAIM_PROTECTION) or wants_off(new, CLAIM_PROTECTION)
    return (key(new),) if concerned or gate(seen.setup, GATE) else ()


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
