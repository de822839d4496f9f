"""Volumes and claims as an API server stores them, and the writes of a bind, for stories about them."""

from typing import Any

from pvkit.backends.objects import Obj, annotate, name, namespace, put, uid, without
from pvkit.backends.storage import BIND_COMPLETED, BOUND_BY_CONTROLLER, CLAIM_PROTECTION, VOLUME_PROTECTION
from tests.conformance.histories import Story

RWO, ROX, RWX, RWOP = "ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"


def volume(name: str = "volume", size: str = "1Gi", modes: tuple[str, ...] = (RWO,), **spec: Any) -> Obj:
    """A volume on NFS, as stored right after its creation; `spec` replaces fields, `labels` and `annotations` too."""
    metadata: Obj = {"name": name, "finalizers": [VOLUME_PROTECTION]}
    metadata |= {field: spec.pop(field) for field in ("labels", "annotations", "finalizers") if field in spec}
    shared = {"nfs": {"server": "192.0.2.1", "path": f"/{name}"}, "persistentVolumeReclaimPolicy": "Retain"}
    if {"csi", "local", "hostPath"} & set(spec):
        del shared["nfs"]
    shared |= {"capacity": {"storage": size}, "accessModes": list(modes), "volumeMode": "Filesystem"}
    return {
        "kind": "PersistentVolume",
        "metadata": metadata,
        "spec": {**shared, **spec},
        "status": {"phase": "Pending"},
    }


def claim(name: str = "claim", size: str = "1Gi", modes: tuple[str, ...] = (RWO,), **spec: Any) -> Obj:
    """A claim of no class in particular, as stored right after its creation."""
    metadata: Obj = {"name": name, "namespace": "default", "finalizers": [CLAIM_PROTECTION]}
    metadata |= {field: spec.pop(field) for field in ("labels", "annotations", "finalizers") if field in spec}
    shared = {"resources": {"requests": {"storage": size}}, "accessModes": list(modes), "volumeMode": "Filesystem"}
    kind = {"kind": "PersistentVolumeClaim", "metadata": metadata, "status": {"phase": "Pending"}}
    return {**kind, "spec": {**shared, **spec}}


def storage_class(name: str = "shelf", mode: str = "Immediate", **fields: Any) -> Obj:
    """A class whose volumes nobody makes, unless `provisioner` says who does."""
    metadata = {"name": name, "annotations": fields.pop("annotations", {})}
    shared = {"provisioner": "kubernetes.io/no-provisioner", "reclaimPolicy": "Delete", "volumeBindingMode": mode}
    return {"kind": "StorageClass", "metadata": metadata, **shared, **fields}


def node(name: str = "node-1", **labels: str) -> Obj:
    """A node that takes any pod."""
    return {"kind": "Node", "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **labels}}}


def pod(name: str = "pod", claims: tuple[str, ...] = ("claim",), **spec: Any) -> Obj:
    """A pod that uses claims."""
    volumes = [{"name": f"v{i}", "persistentVolumeClaim": {"claimName": used}} for i, used in enumerate(claims)]
    metadata = {"name": name, "namespace": "default"}
    return {"kind": "Pod", "metadata": metadata, "spec": {"volumes": volumes, **spec}, "status": {"phase": "Pending"}}


def on_node(name: str) -> Obj:
    """`spec.nodeAffinity` of a volume that is on one node."""
    terms = [{"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [name]}]}]
    return {"required": {"nodeSelectorTerms": terms}}


def reference(claim: Obj, with_uid: bool = True) -> Obj:
    """A claimRef to a claim; without the UID it only reserves."""
    named = {"kind": "PersistentVolumeClaim", "apiVersion": "v1", "namespace": namespace(claim), "name": name(claim)}
    return {**named, "uid": uid(claim)} if with_uid else named


def available(story: Story, made: Obj) -> Obj:
    """A volume is made and found to be free."""
    return story.modified(put(story.added(made), ("status", "phase"), "Available"))


def reserved_by(made: Obj, for_claim: Obj, with_uid: bool = True) -> Obj:
    """The volume with a claimRef."""
    return put(made, ("spec", "claimRef"), reference(for_claim, with_uid))


def give(story: Story, free: Obj, to: Obj, marked: bool = True) -> Obj:
    """First write of a bind: the volume gets the claim's UID."""
    given = reserved_by(free, to)
    return story.modified(annotate(given, **{BOUND_BY_CONTROLLER: "yes"}) if marked else given)


def turn(story: Story, obj: Obj, phase: str, by: str = "controller") -> Obj:
    """A phase is written."""
    return story.modified(put(obj, ("status", "phase"), phase), by=by)


def complete(story: Story, unbound: Obj, with_volume: str, marked: bool = True) -> Obj:
    """Third write of a bind: the claim gets the volume's name and the marks."""
    marks = {BIND_COMPLETED: "yes"} | ({BOUND_BY_CONTROLLER: "yes"} if marked else {})
    return story.modified(annotate(put(unbound, ("spec", "volumeName"), with_volume), **marks))


def show(story: Story, completed: Obj, bound: Obj) -> Obj:
    """Last write of a bind: the claim is Bound and shows what its volume has."""
    shown = {"phase": "Bound", "capacity": bound["spec"]["capacity"], "accessModes": bound["spec"]["accessModes"]}
    return story.modified({**completed, "status": shown})


def bound(story: Story, free: Obj, unbound: Obj) -> tuple[Obj, Obj]:
    """The four writes of a bind: the volume and the claim as they are afterwards."""
    taken = turn(story, give(story, free, unbound), "Bound")
    return taken, show(story, complete(story, unbound, name(taken)), taken)


def pair(story: Story, **fields: Any) -> tuple[Obj, Obj]:
    """A fresh volume and a fresh claim, bound."""
    return bound(story, available(story, volume(**fields)), story.added(claim()))


def gone(story: Story, unused: Obj) -> Obj:
    """A claim or volume is deleted by the client and let go by its protection."""
    return story.deleted(story.terminating(unused))


def without_reference(taken: Obj) -> Obj:
    """The volume without its claimRef."""
    return without(taken, ("spec", "claimRef"))
