"""PersistentVolumes, at the door of the API server (VALID-01 to VALID-36)."""

from collections.abc import Iterator
from posixpath import normpath

from pvkit.backends.errors import Cause
from pvkit.backends.objects import Obj, annotations, get, put
from pvkit.backends.quantities import amount, whole
from pvkit.backends.reference.clock import stamp
from pvkit.backends.reference.validation import names
from pvkit.backends.reference.validation.fields import (
    IMMUTABLE,
    each,
    forbidden,
    invalid,
    one_of,
    required,
    unchanged,
    unsupported,
)
from pvkit.backends.reference.validation.schemas import SOURCES
from pvkit.backends.reference.validation.selectors import node_selector, with_ga_keys
from pvkit.backends.reference.validation.sources import MOUNT_OPTIONS, checked, second
from pvkit.backends.reference.validation.treatment import Moment, Treatment
from pvkit.backends.storage import ACCESS_MODES, READ_WRITE_ONCE_POD

MOUNT_OPTION_ANNOTATION = "volume.beta.kubernetes.io/mount-options"
UNCHECKED = frozenset({"claimRef", "mountOptions"})
"""Fields of a volume's spec that may hold anything, so that binding needs no look at the others."""
_DEFAULTS: dict[str, Obj] = {
    "hostPath": {"type": ""},
    "iscsi": {"iscsiInterface": "default"},
    "rbd": {"pool": "rbd", "user": "admin", "keyring": "/etc/ceph/keyring"},
    "azureDisk": {"cachingMode": "ReadWrite", "fsType": "ext4", "readOnly": False, "kind": "Shared"},
    "scaleIO": {"storageMode": "ThinProvisioned", "fsType": "xfs"},
}
"""What a server adds to a source that does not say it."""


def default(volume: Obj, old: Obj, at: Moment) -> Obj:
    """Policy Retain, mode Filesystem, and what is particular to a source (DEFAULT-06)."""
    spec = volume["spec"]
    if spec is not old.get("spec"):
        spec = {"persistentVolumeReclaimPolicy": "Retain", "volumeMode": "Filesystem", **spec}
        for source in _DEFAULTS.keys() & spec.keys():
            spec[source] = {**_DEFAULTS[source], **spec[source]}
        volume = {**volume, "spec": spec}
    status = volume["status"]
    return volume if "phase" in status else {**volume, "status": {"phase": "Pending", **status}}


def birth(volume: Obj, at: Moment) -> Obj:
    """A new volume is Pending; a class of attributes is dropped while its gate is off."""
    volume = {**volume, "status": {"phase": "Pending", "lastPhaseTransitionTime": stamp(int(at.now))}}
    return _without_attributes(volume, at)


def change(old: Obj, new: Obj, at: Moment) -> Obj:
    """A class of attributes is dropped while its gate is off, unless the volume has one already."""
    return new if "volumeAttributesClassName" in old["spec"] else _without_attributes(new, at)


def _without_attributes(volume: Obj, at: Moment) -> Obj:
    if "volumeAttributesClassName" not in volume["spec"] or at.gate("VolumeAttributesClass"):
        return volume
    kept = {field: value for field, value in volume["spec"].items() if field != "volumeAttributesClassName"}
    return {**volume, "spec": kept}


def report(old: Obj, new: Obj, at: Moment) -> Obj:
    """The status with `lastPhaseTransitionTime`, which the server keeps unless a client writes another (PHASE-07)."""
    status, before = new["status"], get(old, "status", "lastPhaseTransitionTime")
    written = status.get("lastPhaseTransitionTime")
    if status.get("phase") == get(old, "status", "phase"):
        return new if written or not before else put(new, ("status", "lastPhaseTransitionTime"), before)
    if written in (None, before):
        return put(new, ("status", "lastPhaseTransitionTime"), stamp(int(at.now)))
    return new


def access_modes(spec: Obj, path: str) -> Iterator[Cause]:
    """Modes that are not known, and ReadWriteOncePod beside others (VALID-03, VALID-04)."""
    modes = spec.get("accessModes") or []
    for mode in modes:
        yield from one_of(f"{path}.accessModes", mode, ACCESS_MODES)
    known = {mode for mode in modes if mode in ACCESS_MODES}
    if READ_WRITE_ONCE_POD in known and len(known) > 1:
        yield forbidden(f"{path}.accessModes", "may not use ReadWriteOncePod with other access modes")


def sound_amount(text: str, path: str) -> Iterator[Cause]:
    """An amount below zero is none."""
    if amount(text) < 0:
        yield invalid(path, whole(amount(text)), "must be a valid resource quantity")


def _capacity(spec: Obj) -> Iterator[Cause]:
    capacity = spec.get("capacity")
    if not capacity:
        yield required("spec.capacity")
    if set(capacity or ()) != {"storage"}:
        yield unsupported("spec.capacity", capacity, ["storage"])
    for key, text in (capacity or {}).items():
        yield from sound_amount(text, f"spec.capacity[{key}]")
        if amount(text) <= 0:
            yield invalid(f"spec.capacity[{key}]", text, "must be greater than zero")


def _source(spec: Obj) -> Iterator[Cause]:
    found = [kind for kind in SOURCES if kind in spec]
    if not found:
        yield required("spec", "must specify a volume type")
    for kind in found[:1]:
        yield from checked(kind, spec[kind], f"spec.{kind}")
    if found[:1] == ["local"] and "nodeAffinity" not in spec:
        yield required("spec.nodeAffinity", "Local volume requires node affinity")
    for kind in found[1:]:
        yield second(kind)
    if _is_root(get(spec, "hostPath", "path") or "") and spec.get("persistentVolumeReclaimPolicy") == "Recycle":
        yield forbidden("spec.persistentVolumeReclaimPolicy", "may not be 'recycle' for a hostPath mount of '/'")


def _is_root(path: str) -> bool:
    return path.startswith("/") and normpath("/" + path.lstrip("/")) == "/"


def _affinity(spec: Obj, strict: bool) -> Iterator[Cause]:
    affinity = spec.get("nodeAffinity")
    if affinity is None:
        return
    if "required" not in affinity:
        yield required("spec.nodeAffinity.required", "must specify required node constraints")
    else:
        yield from node_selector(affinity["required"], "spec.nodeAffinity.required", strict)


def _attributes_class(spec: Obj) -> Iterator[Cause]:
    wanted = spec.get("volumeAttributesClassName")
    if wanted is None:
        return
    path = "spec.volumeAttributesClassName"
    if not wanted:
        yield required(path, "an empty string is disallowed")
    else:
        yield from each(path, wanted, names.subdomain(wanted))
    if "csi" not in spec:
        yield required("spec.csi", "has to be specified when using volumeAttributesClassName")


def check(volume: Obj, at: Moment) -> Iterator[Cause]:
    """What is wrong with a volume, new or changed."""
    spec = volume["spec"]
    if not spec.get("accessModes"):
        yield required("spec.accessModes")
    yield from access_modes(spec, "spec")
    yield from _capacity(spec)
    yield from one_of(
        "spec.persistentVolumeReclaimPolicy", spec["persistentVolumeReclaimPolicy"], ("Delete", "Recycle", "Retain")
    )
    yield from _affinity(spec, strict=at.minor >= 33)
    yield from _source(spec)
    yield from each("spec.storageClassName", spec.get("storageClassName", ""), _class_form(spec))
    yield from one_of("spec.volumeMode", spec["volumeMode"], ("Block", "Filesystem"))
    yield from _attributes_class(spec)
    yield from _mount_options(volume)


def _mount_options(volume: Obj) -> Iterator[Cause]:
    if MOUNT_OPTION_ANNOTATION in annotations(volume) and not MOUNT_OPTIONS & volume["spec"].keys():
        detail = "may not specify mount options for this volume type"
        yield forbidden(f"metadata.annotations.{MOUNT_OPTION_ANNOTATION}", detail)


def _class_form(spec: Obj) -> tuple[str, ...]:
    return names.subdomain(spec["storageClassName"]) if spec.get("storageClassName") else ()


def check_update(old: Obj, new: Obj, at: Moment) -> Iterator[Cause]:
    """What is wrong with a change of a volume; a change of claimRef alone needs no look (VALID-24)."""
    before, after = old["spec"], new["spec"]
    fields = () if before is after else before.keys() | after.keys()
    if all(field in UNCHECKED or before.get(field) == after.get(field) for field in fields):
        yield from _mount_options(new)
    else:
        yield from check(new, at)
        yield from _immutable(before, after, at)


def _immutable(before: Obj, after: Obj, at: Moment) -> Iterator[Cause]:
    sources = {kind: after[kind] for kind in SOURCES if kind in after}
    if "csi" in sources and "csi" in before and "controllerExpandSecretRef" not in before["csi"]:
        without = {part: value for part, value in sources["csi"].items() if part != "controllerExpandSecretRef"}
        sources["csi"] = without
    if sources != {kind: before[kind] for kind in SOURCES if kind in before}:
        yield forbidden("spec.persistentvolumesource", "spec.persistentvolumesource is immutable after creation\n")
    yield from unchanged("volumeMode", after["volumeMode"], before["volumeMode"])
    yield from _same_affinity(before.get("nodeAffinity"), after.get("nodeAffinity"), at)
    if "volumeAttributesClassName" in before and "volumeAttributesClassName" not in after:
        yield forbidden("spec.volumeAttributesClassName", "update from non-nil value to nil is forbidden")


def _same_affinity(before: Obj | None, after: Obj | None, at: Moment) -> Iterator[Cause]:
    if before is None or before == after or at.gate("MutablePVNodeAffinity"):
        return
    if after is None or with_ga_keys(after, before) != after:
        detail = f"{IMMUTABLE}, except for updating from beta label to GA"
        yield invalid("nodeAffinity", after and _as_go_prints(after), detail)


def _as_go_prints(affinity: Obj) -> Obj:
    """Node affinity as a refusal shows it: the server's own type has no names for JSON."""
    terms = [
        {
            "MatchExpressions": _requirements(term.get("matchExpressions")),
            "MatchFields": _requirements(term.get("matchFields")),
        }
        for term in (affinity.get("required") or {}).get("nodeSelectorTerms") or []
    ]
    return {"Required": {"NodeSelectorTerms": terms or None} if "required" in affinity else None}


def _requirements(expressions: list[Obj] | None) -> list[Obj] | None:
    return expressions and [
        {"Key": entry["key"], "Operator": entry["operator"], "Values": entry.get("values")} for entry in expressions
    ]


VOLUME = Treatment(default=default, birth=birth, change=change, report=report, create=check, update=check_update)
