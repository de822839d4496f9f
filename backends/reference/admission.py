"""What an API server does to a request before it is stored: defaults, validation, immutability, admission plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pvkit.backends.errors import Forbidden, NotFound
from pvkit.backends.objects import API_VERSIONS, NAMESPACED, Key, Obj, finalizers, get, put
from pvkit.backends.quantities import canonical
from pvkit.backends.reference import namespaces
from pvkit.backends.storage import CLAIM_PROTECTION, VOLUME_PROTECTION

if TYPE_CHECKING:
    from pvkit.backends.reference.store import Store

_RESOURCES = {
    "StorageClass": "storageclasses.storage.k8s.io",
    "VolumeAttributesClass": "volumeattributesclasses.storage.k8s.io",
    "StatefulSet": "statefulsets.apps",
    "ControllerRevision": "controllerrevisions.apps",
    "EndpointSlice": "endpointslices.discovery.k8s.io",
    "CSIDriver": "csidrivers.storage.k8s.io",
    "CSINode": "csinodes.storage.k8s.io",
    "CSIStorageCapacity": "csistoragecapacities.storage.k8s.io",
}


def resource(kind: str) -> str:
    """The resource name that messages of the API server use for a kind."""
    return _RESOURCES.get(kind, kind.lower() + "s")


def has_generation(kind: str) -> bool:
    """Whether the server counts spec changes of this kind in metadata.generation (PHASE-09: volumes and claims not)."""
    return kind == "StatefulSet"


def grace_period(pod: Obj, asked: int | None) -> int:
    """Seconds until a deleted object goes; only a scheduled pod that still runs gets any (POD-02, POD-03)."""
    if pod["kind"] != "Pod" or not pod["spec"].get("nodeName") or get(pod, "status", "phase") in ("Failed", "Succeeded"):
        return 0
    wanted = asked if asked is not None else pod["spec"].get("terminationGracePeriodSeconds", 30)
    return max(int(wanted), 1) if wanted < 0 else int(wanted)


def on_create(obj: Obj, store: Store) -> Obj:
    """The object as it would be stored; raises what an API server answers when it refuses."""
    kind = obj["kind"]
    metadata = dict(obj["metadata"])
    if kind in NAMESPACED:
        metadata.setdefault("namespace", "default")
        _check_namespace(metadata["namespace"], store)
    else:
        metadata.pop("namespace", None)
    made = {"apiVersion": API_VERSIONS[kind], **obj, "metadata": metadata}
    made.pop("status", None)
    default = _DEFAULTS.get(kind)
    return default(made) if default else made


def on_update(old: Obj, new: Obj, subresource: str, store: Store) -> Obj:
    """The object as an update would store it; raises what an API server answers when it refuses."""
    return new


def _check_namespace(namespace: str, store: Store) -> None:
    found = store.read(Key("Namespace", "", namespace))
    if found is None:
        raise NotFound(f'namespaces "{namespace}" not found')
    if "deletionTimestamp" in found["metadata"]:
        raise Forbidden(f"unable to create new content in namespace {namespace} because it is being terminated")


def _volume(volume: Obj) -> Obj:
    volume = {**volume, "spec": {"persistentVolumeReclaimPolicy": "Retain", "volumeMode": "Filesystem", **volume["spec"]}}
    volume = put(volume, ("spec", "capacity", "storage"), canonical(volume["spec"]["capacity"]["storage"]))
    volume = put(volume, ("metadata", "finalizers"), [*finalizers(volume), VOLUME_PROTECTION])
    return {**volume, "status": {"phase": "Pending"}}


def _claim(claim: Obj) -> Obj:
    claim = {**claim, "spec": {"volumeMode": "Filesystem", **claim["spec"]}}
    path = ("spec", "resources", "requests", "storage")
    claim = put(claim, path, canonical(get(claim, *path)))
    claim = put(claim, ("metadata", "finalizers"), [*finalizers(claim), CLAIM_PROTECTION])
    return {**claim, "status": {"phase": "Pending"}}


_DEFAULTS = {"PersistentVolume": _volume, "PersistentVolumeClaim": _claim, "Namespace": namespaces.born}
