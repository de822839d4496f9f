"""What an API server does to a request before it is stored.

A request is read (fields, types, quantities), filled in with defaults, prepared by admission plugins, checked, and
checked again by plugins that know other objects: classes, limits, quotas. How kinds differ is told by a `Treatment`
each; this file puts the steps in order (EXPAND-04) and holds the plugins.

Most requests come from controllers and change little. All steps look only at what a request does not share with the
stored object: a status or an annotation costs no look at the spec.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pvkit.backends.errors import BadRequest, Cause, Forbidden, NotFound, ServerError
from pvkit.backends.objects import API_VERSIONS, NAMESPACED, Key, Obj, finalizers, get, name, namespace, phase, put
from pvkit.backends.reference.assignment import located
from pvkit.backends.reference.validation import (
    claim_changes,
    classes,
    cluster,
    metadata,
    pods,
    statefulsets,
    volumes,
    workload_schemas,
)
from pvkit.backends.reference.validation.fields import refusal
from pvkit.backends.reference.validation.quotas import check_limits, check_quota, forbidden
from pvkit.backends.reference.validation.quotas import resource as resource
from pvkit.backends.reference.validation.schemas import KINDS, OTHER
from pvkit.backends.reference.validation.shapes import Unreadable
from pvkit.backends.reference.validation.treatment import Treatment
from pvkit.backends.storage import (
    CLAIM_PROTECTION,
    VOLUME_PROTECTION,
    has_class,
    is_default,
    requested,
    storage_class,
)

if TYPE_CHECKING:
    from pvkit.backends.reference.store import Store

TREATMENTS: dict[str, Treatment] = {
    "PersistentVolume": volumes.VOLUME,
    "PersistentVolumeClaim": claim_changes.CLAIM,
    "StorageClass": classes.STORAGE_CLASS,
    "VolumeAttributesClass": classes.ATTRIBUTES_CLASS,
    "StatefulSet": statefulsets.STATEFUL_SET,
    "ControllerRevision": cluster.REVISION,
    "Pod": pods.POD,
    "Namespace": cluster.NAMESPACE,
    "Node": cluster.NODE,
    "Service": cluster.SERVICE,
    "ResourceQuota": cluster.QUOTA,
    "LimitRange": cluster.LIMITS,
    "CSIDriver": cluster.DRIVER,
}
_SHAPES = {**KINDS, "StatefulSet": workload_schemas.STATEFUL_SET, "Pod": workload_schemas.POD}
_PLAIN = Treatment()
_PROTECTION = {
    "PersistentVolume": VOLUME_PROTECTION,
    "PersistentVolumeClaim": CLAIM_PROTECTION,
    "VolumeAttributesClass": "kubernetes.io/vac-protection",
}
_LIFECYCLE = ("deletionTimestamp", "deletionGracePeriodSeconds", "uid", "creationTimestamp")


def has_generation(kind: str) -> bool:
    """Whether the server counts spec changes of this kind in metadata.generation (PHASE-09: volumes and claims not)."""
    return kind in ("StatefulSet", "Pod")


def grace_period(pod: Obj, asked: int | None) -> int:
    """Seconds until a deleted object goes; only a scheduled pod that still runs gets any (POD-02, POD-03)."""
    if pod["kind"] != "Pod" or not pod["spec"].get("nodeName") or phase(pod) in ("Failed", "Succeeded"):
        return 0
    wanted = asked if asked is not None else pod["spec"].get("terminationGracePeriodSeconds", 30)
    return 1 if wanted < 0 else int(wanted)


def read(obj: Obj, old: Obj | None, store: Store) -> Obj:
    """The request as typed fields, with defaults; raises `BadRequest` for what has no such fields (VALID-23)."""
    try:
        return read_as_patched(obj, old, store)
    except Unreadable as error:
        kind = obj["kind"]
        version = str(obj.get("apiVersion") or API_VERSIONS[kind]).rpartition("/")[2]
        raise BadRequest(f'{kind} in version "{version}" cannot be handled as a {kind}: {error}') from None


def read_as_patched(obj: Obj, old: Obj | None, store: Store) -> Obj:
    """The same for the outcome of a patch; raises `Unreadable`."""
    kind = obj["kind"]
    version = obj.get("apiVersion") or API_VERSIONS[kind]
    if version != API_VERSIONS[kind]:
        raise Unreadable(f'no kind "{kind}" is registered for version "{version}" in scheme')
    shaped: Obj = _SHAPES.get(kind, OTHER).read({**obj, "apiVersion": version}, old, "")
    return TREATMENTS.get(kind, _PLAIN).default(shaped, old or {}, store.moment)


def on_create(obj: Obj, store: Store) -> Obj:
    """The object as it would be stored; raises what an API server answers when it refuses."""
    kind = obj["kind"]
    treatment, moment = TREATMENTS.get(kind, _PLAIN), store.moment
    given = obj.get("metadata") or {}
    made = read({**obj, "metadata": _placed(kind, given) if isinstance(given, dict) else given}, None, store)
    version = made["metadata"].get("resourceVersion")
    if kind in NAMESPACED:
        _check_namespace(made, store)
    made = treatment.birth(_plugged(made, store), moment)
    causes: list[Cause] = [
        *metadata.on_create(made["metadata"], treatment.form, moment.minor),
        *treatment.create(made, moment),
    ]
    if causes:
        raise refusal(kind, made["metadata"].get("name", ""), causes)
    if kind == "PersistentVolumeClaim":
        check_limits(made, store)
    if kind in NAMESPACED:
        check_quota(made, None, store)
    if version not in (None, "0"):
        raise ServerError("resourceVersion should not be set on objects to be created")
    return made


def _placed(kind: str, given: Obj) -> Obj:
    """Metadata of a new object: the life of an object is the server's to write, and so is a namespace's absence."""
    kept = {field: value for field, value in given.items() if field not in _LIFECYCLE}
    if kind in NAMESPACED:
        return {**kept, "namespace": given.get("namespace") or "default"}
    kept.pop("namespace", None)
    return kept


def _check_namespace(obj: Obj, store: Store) -> None:
    """Plugin NamespaceLifecycle: nothing new where nothing is, or where all is going (VALID-91, VALID-123)."""
    where = namespace(obj)
    found = store.read(Key("Namespace", "", where))
    if found is None:
        raise NotFound(f'namespaces "{where}" not found')
    if "deletionTimestamp" in found["metadata"]:
        cause = Cause("metadata.namespace", "NamespaceTerminating", f"namespace {where} is being terminated")
        why = f"unable to create new content in namespace {where} because it is being terminated"
        called = obj["metadata"].get("name", "")
        raise Forbidden(f'{resource(obj["kind"])} "{called}" is forbidden: {why}', (cause,))


def _plugged(obj: Obj, store: Store) -> Obj:
    """The work of plugins that change a new object: protection, default class, generated name."""
    kind = obj["kind"]
    if obj["metadata"].get("generateName") and not obj["metadata"].get("name"):
        obj = put(obj, ("metadata", "name"), store.generated_name(obj["metadata"]["generateName"]))
    protection = _PROTECTION.get(kind)
    if kind == "VolumeAttributesClass" and (store.moment.minor < 33 or not store.moment.gate("VolumeAttributesClass")):
        protection = None
    if protection and protection not in finalizers(obj):
        obj = put(obj, ("metadata", "finalizers"), [*finalizers(obj), protection])
    if kind == "PersistentVolumeClaim" and not has_class(obj):
        chosen = default_class(store)
        obj = put(obj, ("spec", "storageClassName"), chosen) if chosen else obj
    if kind == "Pod" and get(obj, "spec", "nodeName"):
        obj = located(obj, store.read(Key("Node", "", obj["spec"]["nodeName"])), store.setup)
    return obj


def default_class(store: Store) -> str:
    """The name of the default class, "" without any: the newest, of equally new ones the first by name (DEFAULT-02)."""
    marked = [entry for entry in store.list("StorageClass") if is_default(entry)]
    if not marked:
        return ""
    newest = max(entry["metadata"]["creationTimestamp"] for entry in marked)
    return min(name(entry) for entry in marked if entry["metadata"]["creationTimestamp"] == newest)


def on_update(old: Obj, new: Obj, subresource: str, store: Store) -> Obj:
    """The object as an update would store it; raises what an API server answers when it refuses."""
    kind = old["kind"]
    treatment, moment = TREATMENTS.get(kind, _PLAIN), store.moment
    causes: list[Cause] = []
    if subresource == "status":
        new = treatment.report(old, new, moment)
        causes = [*treatment.status(old, new, moment)]
    elif subresource != "finalize":
        new = treatment.change(old, new, moment)
        causes = [*treatment.update(old, new, moment)]
    if new["metadata"] is not old["metadata"]:
        causes[:0] = metadata.on_update(old["metadata"], new["metadata"], moment.minor)
    if causes:
        raise refusal(kind, name(old), causes)
    if kind == "PersistentVolumeClaim" and subresource == "" and new["spec"] is not old["spec"]:
        _check_growth(old, new, store)
    return new


def _check_growth(old: Obj, new: Obj, store: Store) -> None:
    """Plugins that look at a claim's request: resize (EXPAND-01), limits, quota."""
    check_limits(new, store)
    if requested(new) <= requested(old):
        return
    if phase(old) != "Bound":
        raise forbidden(old, "Only bound persistent volume claims can be expanded")
    wanted = storage_class(new)
    found = store.read(Key("StorageClass", "", wanted)) if wanted and wanted == storage_class(old) else None
    if not get(found or {}, "allowVolumeExpansion"):
        raise forbidden(
            old,
            "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc "
            "must support resize",
        )
    check_quota(new, old, store)
