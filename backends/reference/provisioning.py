"""Provisioning: volumes made on demand, and taken back, by a provisioner outside of Kubernetes.

It makes the storage first and the volume object second, under names that follow from the claim's UID, so that whoever
tries again finds what was made before. Storage whose claim went away before the volume object was written is found by
going over the provisioner's own storage. It deletes the storage of a volume that is Released under policy Delete, then
lets the volume object go; a finalizer keeps the object until then, whatever is deleted first.
"""

from collections.abc import Hashable, Iterable
from typing import Any

from pvkit.backends.objects import (
    Key,
    Obj,
    annotations,
    deleting,
    finalizers,
    key,
    labels,
    name,
    namespace,
    phase,
    put,
    reference,
    uid,
    without,
)
from pvkit.backends.reference.assets import REFUSAL, asset_behind, slowness, storage_refuses
from pvkit.backends.reference.rules import (
    AGAIN,
    STOP,
    After,
    Controller,
    Effect,
    Fail,
    Say,
    Write,
    itself,
    nothing,
    rule,
)
from pvkit.backends.reference.view import Seen
from pvkit.backends.storage import (
    PROVISIONED_BY,
    PROVISIONER_FINALIZER,
    SELECTED_NODE,
    STORAGE_PROVISIONER,
    asset_of,
    attributes_class,
    claim_ref_uid,
    reclaim_policy,
    selector,
    storage_class,
    volume_name,
    waits_for_consumer,
)
from pvkit.backends.tables import Index

PROVISIONER = "pvkit.dev/provisioner"
DRIVER = "csi.pvkit.dev"
HOSTNAME = "kubernetes.io/hostname"


def _by_class(claim: Obj) -> Iterable[tuple[Hashable, Any]]:
    if not volume_name(claim):
        yield storage_class(claim), (namespace(claim), name(claim))


CLAIMS = Index("unbound claims by class", "PersistentVolumeClaim", _by_class)


def volume_for(claim: Obj, found: Obj, node: Obj | None) -> Obj:
    """The volume that is made for a claim of a class, for a node if one was selected."""
    called = f"pvc-{uid(claim)}"
    spec: Obj = {
        "capacity": {"storage": claim["spec"]["resources"]["requests"]["storage"]},
        "accessModes": claim["spec"]["accessModes"],
        "volumeMode": claim["spec"].get("volumeMode") or "Filesystem",
        "persistentVolumeReclaimPolicy": found.get("reclaimPolicy") or "Delete",
        "storageClassName": storage_class(claim),
        "claimRef": reference(claim),
        "csi": {"driver": DRIVER, "volumeHandle": called},
    }
    if attributes_class(claim):
        spec["volumeAttributesClassName"] = attributes_class(claim)
    if found.get("mountOptions"):
        spec["mountOptions"] = found["mountOptions"]
    if node is not None:
        host = {"key": HOSTNAME, "operator": "In", "values": [labels(node).get(HOSTNAME, name(node))]}
        spec["nodeAffinity"] = {"required": {"nodeSelectorTerms": [{"matchExpressions": [host]}]}}
    metadata = {"name": called, "annotations": {PROVISIONED_BY: PROVISIONER}, "finalizers": [PROVISIONER_FINALIZER]}
    return {"kind": "PersistentVolume", "metadata": metadata, "spec": spec}


def is_asked(seen: Seen, claim: Obj) -> Obj | None:
    """The class of a claim for which this provisioner is to make a volume now; `None` when it is not its turn."""
    found = seen.get("StorageClass", "", storage_class(claim)) if storage_class(claim) else None
    if found is None or found.get("provisioner") != PROVISIONER or volume_name(claim):
        return None
    if annotations(claim).get(STORAGE_PROVISIONER) != PROVISIONER:
        return None
    return found if SELECTED_NODE in annotations(claim) or not waits_for_consumer(found) else None


def _parameter(found: Obj, word: str) -> int:
    text = str((found.get("parameters") or {}).get(word, "0"))
    return int(text) if text.isdigit() else 0


def _asset_key(claim: Obj) -> Key:
    return Key("Asset", "", f"csi:{DRIVER}:pvc-{uid(claim)}")


def is_made_for(volume: Obj, claim: Obj) -> bool:
    """Whether a volume is the one that this provisioner made for a claim, and not somebody else's of that name."""
    return annotations(volume).get(PROVISIONED_BY) == PROVISIONER and claim_ref_uid(volume) == uid(claim)


@rule("CLASS-05.1", on="PersistentVolumeClaim")
def ignore(seen: Seen, at: Key) -> Effect | None:
    """Only a claim that this provisioner is asked for, and that has no volume yet, is its business."""
    claim = seen.lookup(at)
    if claim is None or is_asked(seen, claim) is None:
        return STOP
    volume = seen.live(Key("PersistentVolume", "", f"pvc-{uid(claim)}"))
    if volume is None:
        return None
    return STOP if is_made_for(volume, claim) else Fail("the name of the volume is taken")


@rule("CLASS-07", on="PersistentVolumeClaim")
def refuse_selector(seen: Seen, at: Key) -> Effect | None:
    """A claim with a selector is refused, and an event says so."""
    claim = seen.lookup(at)
    if claim is None or not selector(claim):
        return None
    return Say(claim, "Warning", "ProvisioningFailed", "claim.Spec.Selector is not supported")


@rule("CLASS-05.2", on="PersistentVolumeClaim")
def take_time(seen: Seen, at: Key) -> Effect | None:
    """A slow backend, or one that refuses, makes the claim wait; a refusal for a node asks for another node."""
    claim = seen.lookup(at)
    found = is_asked(seen, claim) if claim is not None else None
    if claim is None or found is None or selector(claim):
        return STOP
    if seen.live(_asset_key(claim)) is not None:
        return None
    since: float = seen.memory.setdefault(f"since {uid(claim)}", seen.now)
    slow = max(_parameter(found, "slow"), slowness(seen))
    if seen.now < since + slow:
        return After(since + slow - seen.now)
    failures: int = seen.memory.setdefault(f"failures {uid(claim)}", 0)
    if failures < _parameter(found, "fail") or storage_refuses(seen):
        seen.memory[f"failures {uid(claim)}"] = failures + 1
        return _give_up(claim)
    return None


def _give_up(claim: Obj) -> Effect:
    if SELECTED_NODE not in annotations(claim):
        return Fail(REFUSAL)
    return Write("update", without(claim, ("metadata", "annotations", SELECTED_NODE)))


@rule("CLASS-05.3", on="PersistentVolumeClaim")
def make_storage(seen: Seen, at: Key) -> Effect | None:
    """The storage comes first, under a name that another try will find."""
    claim = seen.lookup(at)
    assert claim is not None
    if seen.live(_asset_key(claim)) is not None:
        return None
    spec = {
        "size": claim["spec"]["resources"]["requests"]["storage"],
        "claim": uid(claim),
        "by": PROVISIONER,
        "data": [],
        "for": [namespace(claim), name(claim)],
    }
    made = {"kind": "Asset", "metadata": {"name": _asset_key(claim).name}, "spec": spec}
    return Write("create", made, tolerate=("AlreadyExists",))


@rule("CLASS-05.4", on="PersistentVolumeClaim")
def make_volume(seen: Seen, at: Key) -> Effect | None:
    """Then the volume object, reserved for the claim from the start; one that exists is looked at again."""
    claim = seen.lookup(at)
    found = is_asked(seen, claim) if claim is not None else None
    if claim is None or found is None:
        return STOP
    chosen = annotations(claim).get(SELECTED_NODE)
    node = seen.live(Key("Node", "", chosen)) if chosen else None
    if chosen and node is None:
        return _give_up(claim)
    made = volume_for(claim, found, node)
    return Write("create", made, refused=lambda why: AGAIN if why == "AlreadyExists" else None)


def _own(seen: Seen, at: Key) -> Obj | None:
    """The cached volume of that name, if this provisioner made it and the API server still has this very one."""
    volume = seen.lookup(at)
    if volume is None or annotations(volume).get(PROVISIONED_BY) != PROVISIONER:
        return None
    stored = seen.live(at)
    return stored if stored is not None and uid(stored) == uid(volume) else None


@rule("RECLAIM-12.1", on="PersistentVolume")
def keep_until_released(seen: Seen, at: Key) -> Effect | None:
    """A volume is left alone until it is Released under policy Delete; under Retain our finalizer is taken off.

    That is judged once, by what is cached and by the API server's word (the library goes by its cache alone): from then
    on the deletion goes through to its end.
    """
    if _is_begun(seen, at):
        return None
    volume = seen.lookup(at)
    if volume is None or annotations(volume).get(PROVISIONED_BY) != PROVISIONER:
        return STOP
    ours = PROVISIONER_FINALIZER in finalizers(volume)
    if reclaim_policy(volume) != "Delete":
        return _without_finalizer(volume) if ours else STOP
    if not ours and not deleting(volume) and phase(volume) != "Released":
        return Write("update", put(volume, ("metadata", "finalizers"), [*finalizers(volume), PROVISIONER_FINALIZER]))
    if phase(volume) != "Released" or (deleting(volume) and not ours):
        return STOP
    stored = _own(seen, at)
    if stored is None or phase(stored) != "Released" or reclaim_policy(stored) != "Delete":
        return STOP
    seen.scratch.setdefault(at.kind, {})["released"] = True
    return None


def _is_begun(seen: Seen, at: Key) -> bool:
    """Whether this pass deletes the volume."""
    return "released" in seen.scratch.get(at.kind, {})


def _without_finalizer(volume: Obj) -> Write:
    kept = [entry for entry in finalizers(volume) if entry != PROVISIONER_FINALIZER]
    return Write("update", put(volume, ("metadata", "finalizers"), kept), tolerate=("NotFound",))


@rule("RECLAIM-12.2", on="PersistentVolume")
def delete_storage(seen: Seen, at: Key) -> Effect | None:
    """The storage of a volume that was seen Released is deleted; a refusal is tried again."""
    volume = _own(seen, at)
    if volume is None:
        return STOP
    asset = asset_behind(seen, volume)
    if asset is None:
        return None
    if storage_refuses(seen):
        return Fail(REFUSAL)
    return Write("delete", asset, tolerate=("NotFound",))


@rule("RECLAIM-12.3", on="PersistentVolume")
def let_volume_go(seen: Seen, at: Key) -> Effect | None:
    """Once the storage is gone the volume object is deleted, and our finalizer keeps it no longer."""
    volume = _own(seen, at)
    if volume is None:
        return STOP
    if not deleting(volume):
        return Write("delete", volume, tolerate=("NotFound",))
    return _without_finalizer(volume) if PROVISIONER_FINALIZER in finalizers(volume) else STOP


@rule("CLASS-13", on="Asset")
def delete_unclaimed(seen: Seen, at: Key) -> Effect | None:
    """Storage whose claim is gone, and for which no volume object was ever written, is deleted."""
    asset = seen.live(at)
    if asset is None or asset["spec"].get("by") != PROVISIONER or not asset["spec"].get("for"):
        return STOP
    where, called = asset["spec"]["for"]
    claim = seen.live(Key("PersistentVolumeClaim", where, called))
    alive = claim is not None and uid(claim) == asset["spec"]["claim"]
    volume = seen.live(Key("PersistentVolume", "", f"pvc-{asset['spec']['claim']}"))
    if alive or volume is not None:
        return STOP
    return Fail(REFUSAL) if storage_refuses(seen) else Write("delete", asset, tolerate=("NotFound",))


def claim_changed(old: Obj | None, new: Obj | None, seen: Seen) -> Iterable[Key]:
    """A claim; and the storage made for one that is gone."""
    keys = [key(new)] if new is not None else []
    if old is not None and (new is None or uid(old) != uid(new)):
        keys.append(_asset_key(old))
    return keys


def class_changed(old: Obj | None, new: Obj | None, seen: Seen) -> Iterable[Key]:
    """A class that appears brings back the claims that wait for it."""
    if new is None or old is not None or new.get("provisioner") != PROVISIONER:
        return ()
    return [key(claim) for claim in seen.find(CLAIMS, name(new))]


def volume_gone(old: Obj | None, new: Obj | None, seen: Seen) -> Iterable[Key]:
    """A volume; one that vanished without our doing leaves storage behind."""
    if new is not None:
        return (key(new),)
    assert old is not None
    return (Key("Asset", "", asset_of(old)),) if annotations(old).get(PROVISIONED_BY) == PROVISIONER else ()


PROVISIONING = Controller(
    name="provisioner",
    rules={
        "PersistentVolumeClaim": (ignore, refuse_selector, take_time, make_storage, make_volume),
        "PersistentVolume": (keep_until_released, delete_storage, let_volume_go),
        "Asset": (delete_unclaimed,),
    },
    watches={
        "PersistentVolumeClaim": claim_changed,
        "PersistentVolume": volume_gone,
        "StorageClass": class_changed,
        "Asset": itself,
        "Node": nothing,
    },
    resync=15.0,
)
