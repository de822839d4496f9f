"""PersistentVolumeClaims, at the door of the API server (VALID-40 to VALID-105, DEFAULT-07)."""

from collections.abc import Iterator

from pvkit.backends.errors import Cause
from pvkit.backends.objects import Obj, get
from pvkit.backends.quantities import amount
from pvkit.backends.reference.validation import names
from pvkit.backends.reference.validation.fields import each, invalid, one_of, required, unsupported
from pvkit.backends.reference.validation.selectors import label_selector
from pvkit.backends.reference.validation.treatment import Moment
from pvkit.backends.reference.validation.volumes import access_modes, sound_amount

RESIZE_STATUSES = (
    "ControllerResizeInProgress", "ControllerResizeInfeasible", "NodeResizeInProgress", "NodeResizeInfeasible",
    "NodeResizePending",
)  # fmt: skip
_SNAPSHOT = ("snapshot.storage.k8s.io", "VolumeSnapshot")


def with_mode(spec: Obj) -> Obj:
    """The spec with volume mode Filesystem where none is given (DEFAULT-06)."""
    return spec if "volumeMode" in spec else {**spec, "volumeMode": "Filesystem"}


def default(claim: Obj, old: Obj, at: Moment) -> Obj:
    """Mode Filesystem, phase Pending."""
    if claim["spec"] is not old.get("spec"):
        claim = {**claim, "spec": with_mode(claim["spec"])}
    status = claim["status"]
    return claim if "phase" in status else {**claim, "status": {"phase": "Pending", **status}}


def birth(claim: Obj, at: Moment) -> Obj:
    """A new claim is Pending; data sources that are not allowed are dropped, the others mirrored (DEFAULT-07)."""
    return {**claim, "spec": _data_sources(_enabled(claim["spec"], {}, at), {}), "status": {"phase": "Pending"}}


def change(old: Obj, new: Obj, at: Moment) -> Obj:
    """Data sources are dropped and mirrored as on creation, if the claim has none."""
    if new["spec"] is old["spec"]:
        return new
    return {**new, "spec": _data_sources(_enabled(new["spec"], old["spec"], at), old["spec"])}


def _enabled(spec: Obj, old: Obj, at: Moment) -> Obj:
    """The spec without what a gate that is off forbids and the stored claim does not use."""
    dropped = []
    if "volumeAttributesClassName" not in old and not at.gate("VolumeAttributesClass"):
        dropped.append("volumeAttributesClassName")
    elsewhere = get(spec, "dataSourceRef", "namespace")
    if elsewhere and "dataSourceRef" not in old and not at.gate("CrossNamespaceVolumeDataSource"):
        dropped.append("dataSourceRef")
    return {field: value for field, value in spec.items() if field not in dropped} if dropped else spec


def _data_sources(spec: Obj, old: Obj) -> Obj:
    source, reference = spec.get("dataSource"), spec.get("dataSourceRef")
    in_use = "dataSource" in old or "dataSourceRef" in old
    if source is not None and reference is None and not in_use and not _long_allowed(source):
        return {field: value for field, value in spec.items() if field != "dataSource"}
    if source is not None and reference is None:
        return {**spec, "dataSourceRef": dict(source)}
    if reference is not None and source is None and not reference.get("namespace"):
        return {**spec, "dataSource": {field: reference[field] for field in ("apiGroup", "kind", "name")}}
    return spec


def _long_allowed(source: Obj) -> bool:
    group, kind = source.get("apiGroup") or "", source["kind"]
    return (group, kind) in (("", "PersistentVolumeClaim"), _SNAPSHOT)


def report(old: Obj, new: Obj, at: Moment) -> Obj:
    """Parts of the status whose gate is off are dropped, unless the claim has them already."""
    dropped = []
    if not at.gate("VolumeAttributesClass"):
        dropped += ["currentVolumeAttributesClassName", "modifyVolumeStatus"]
    if not at.gate("CSIVolumeHealth"):
        dropped.append("healthStatus")
    unknown = [field for field in dropped if field in new["status"] and field not in (old.get("status") or {})]
    if not unknown:
        return new
    return {**new, "status": {field: value for field, value in new["status"].items() if field not in unknown}}


def check_spec(spec: Obj, path: str, grouped: bool = False) -> Iterator[Cause]:
    """What is wrong with the spec of a claim or template; `grouped`: the stored data source has an API group."""
    if not spec.get("accessModes"):
        yield required(f"{path}.accessModes", "at least 1 access mode is required")
    if "selector" in spec:
        yield from label_selector(spec["selector"], f"{path}.selector")
    yield from access_modes(spec, path)
    asked = get(spec, "resources", "requests", "storage")
    if asked is None:
        yield required(f"{path}.resources[storage]")
    elif amount(asked) <= 0:
        yield invalid(f"{path}.resources[storage]", asked, "must be greater than zero")
    yield from _class_name(spec, "storageClassName", path)
    yield from one_of(f"{path}.volumeMode", spec.get("volumeMode", "Filesystem"), ("Block", "Filesystem"))
    for field in ("dataSource", "dataSourceRef"):
        if field in spec:
            yield from _data_source(spec[field], f"{path}.{field}", grouped)
    yield from _two_sources(spec, path)
    yield from _class_name(spec, "volumeAttributesClassName", path)


def _class_name(spec: Obj, field: str, path: str) -> list[Cause]:
    name = spec.get(field)
    return each(f"{path}.{field}", name, names.subdomain(name)) if name else []


def _data_source(source: Obj, path: str, grouped: bool) -> Iterator[Cause]:
    group, kind = source.get("apiGroup") or "", source["kind"]
    for part in ("name", "kind"):
        if not source[part]:
            yield required(f"{path}.{part}")
    if not group and kind != "PersistentVolumeClaim":
        yield invalid(path, kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup")
    if group and not grouped:
        yield from each(f"{path}.apiGroup", group, names.subdomain(group))
    if source.get("namespace"):
        yield from each(f"{path}.namespace", source["namespace"], names.label(source["namespace"]))


def _two_sources(spec: Obj, path: str) -> Iterator[Cause]:
    source, reference = spec.get("dataSource"), spec.get("dataSourceRef")
    if source is None or reference is None:
        return
    if reference.get("namespace"):
        yield invalid(path, {}, "may not be specified when dataSourceRef.namespace is specified")
    elif any(source[part] != reference[part] for part in ("apiGroup", "kind", "name")):
        yield invalid(path, {}, "must match dataSourceRef")


def check(claim: Obj, at: Moment) -> Iterator[Cause]:
    """What is wrong with a new claim."""
    return check_spec(claim["spec"], "spec")


def check_status(old: Obj, new: Obj, at: Moment) -> Iterator[Cause]:
    """What is wrong with a claim's status: its amounts and resizing only; any phase passes (VALID-102 to VALID-105)."""
    status = new["status"]
    for key, text in (status.get("capacity") or {}).items():
        yield from sound_amount(text, f"status.capacity[{key}]")
    path = "status.allocatedResourceStatus" + ("es" if at.minor >= 34 else "")
    for key, word in (status.get("allocatedResourceStatuses") or {}).items():
        yield from _resource(key, path)
        if word not in RESIZE_STATUSES:
            yield unsupported(path, key, RESIZE_STATUSES)
    for key, text in (status.get("allocatedResources") or {}).items():
        wrong = list(_resource(key, "status.allocatedResources"))
        yield from wrong or sound_amount(text, f"status.allocatedResources[{key}]")


def _resource(key: str, path: str) -> Iterator[Cause]:
    """What is wrong with the name of a resource; without a domain, or with Kubernetes' own, only storage is right."""
    complaints = names.key(key)
    yield from each(path, key, complaints)
    if not complaints and key != "storage" and ("/" not in key or "kubernetes.io/" in key):
        yield unsupported(path, key, ["storage"])
