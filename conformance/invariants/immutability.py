"""Immutability: fields that a server never lets change, whoever asks.

Judged are the objects, not the answers: a field that has changed was let change. A claim's request may grow, its
class may be filled in, its volume be named, once; a set keeps its selector, service, policy and templates.
"""

from collections.abc import Iterator
from typing import Any

from pvkit.backends.objects import Obj, annotations, get, name
from pvkit.backends.storage import (
    BETA_CLASS,
    access_modes,
    asset_of,
    requested,
    selector,
    volume_mode,
    volume_name,
)
from pvkit.backends.workloads import templates
from pvkit.conformance.history import Change
from pvkit.conformance.invariant import AT_RISK, HELD, Findings, Level, Memory, Scope, Violation, invariant

CLAIM_VALIDATION = "pkg/apis/core/validation/validation.go: ValidatePersistentVolumeClaimUpdate"
VOLUME_VALIDATION = "pkg/apis/core/validation/validation.go: ValidatePersistentVolumeUpdate"
SET_DOC = "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/"
CLASS_DOC = "https://kubernetes.io/docs/concepts/storage/storage-classes/"

CLASS_FIELDS = ("provisioner", "parameters", "reclaimPolicy", "volumeBindingMode")


def _judged(change: Change, fields: Iterator[tuple[str, Any, Any]]) -> Findings:
    """One finding for the change, and a violation for each field that is another now."""
    changed = [(field, before, after) for field, before, after in fields if before != after]
    yield AT_RISK if change.old is not None and change.old.get("spec") != change.obj.get("spec") else HELD
    for field, before, after in changed:
        yield Violation(f"{change.key} changed its {field} from {before} to {after}", (change.old or {}, change.obj))


@invariant(
    "API-010",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"VALID-61 to VALID-68, PREB-05; {CLAIM_VALIDATION}",
    on=("PersistentVolumeClaim",),
)
def claim_spec_stays(change: Change, memory: Memory) -> Findings:
    """A claim keeps its modes, selector and source; its volume and its class once it has them."""
    old, new = change.old, change.new
    if old is None or new is None:
        return
    if old["spec"] == new["spec"] and BETA_CLASS not in annotations(old):
        yield HELD
    else:
        yield from _judged(change, _claim_fields(old, new))


def _claim_fields(old: Obj, new: Obj) -> Iterator[tuple[str, Any, Any]]:
    if BETA_CLASS in annotations(old) and BETA_CLASS in annotations(new) and _says_no_class(old):
        yield BETA_CLASS, annotations(old)[BETA_CLASS], annotations(new)[BETA_CLASS]
    yield "accessModes", sorted(access_modes(old)), sorted(access_modes(new))
    yield "volumeMode", volume_mode(old), volume_mode(new)
    yield "selector", selector(old), selector(new)
    yield "dataSource", get(old, "spec", "dataSource"), get(new, "spec", "dataSource")
    if volume_name(old):
        yield "volumeName", volume_name(old), volume_name(new)
    # The value of the old annotation may move to the field.
    if not _says_no_class(old):
        yield "storageClassName", old["spec"]["storageClassName"], get(new, "spec", "storageClassName")


def _says_no_class(claim: Obj) -> bool:
    return get(claim, "spec", "storageClassName") is None


@invariant(
    "API-011",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"VALID-30, VALID-31; {VOLUME_VALIDATION}",
    on=("PersistentVolume",),
)
def volume_source_stays(change: Change, memory: Memory) -> Findings:
    """A volume keeps its source and its volume mode."""
    old, new = change.old, change.new
    if old is None or new is None:
        return
    if old["spec"] == new["spec"]:
        yield HELD
        return
    fields = (("source", asset_of(old), asset_of(new)), ("volumeMode", volume_mode(old), volume_mode(new)))
    yield from _judged(change, iter(fields))


@invariant(
    "API-012",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"VALID-10, VALID-12, PVC-16, S8; {SET_DOC}; "
    "pkg/apis/apps/validation/validation.go: ValidateStatefulSetUpdate",
    on=("StatefulSet",),
)
def set_stays_what_it_is(change: Change, memory: Memory) -> Findings:
    """A set keeps its selector, its service, its pod management policy and its claim templates."""
    old, new = change.old, change.new
    if old is None or new is None:
        return
    if old["spec"] == new["spec"]:
        yield HELD
    else:
        yield from _judged(change, _set_fields(old, new))


def _set_fields(old: Obj, new: Obj) -> Iterator[tuple[str, Any, Any]]:
    for field in ("selector", "serviceName", "podManagementPolicy"):
        yield field, get(old, "spec", field), get(new, "spec", field)
    yield "volumeClaimTemplates", list(_templates(old)), list(_templates(new))


def _templates(stateful_set: Obj) -> Iterator[tuple[Any, ...]]:
    """What the templates ask for, equal quantities being equal (1Gi and 1024Mi)."""
    for template in templates(stateful_set):
        wanted = {"metadata": {}, **template}
        yield (
            name(template),
            sorted(access_modes(wanted)),
            requested(wanted),
            volume_mode(wanted),
            get(template, "spec", "storageClassName"),
        )


@invariant(
    "API-013",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"CLASS-10; {CLASS_DOC}; pkg/apis/storage/validation/validation.go: ValidateStorageClassUpdate",
    on=("StorageClass",),
)
def class_stays_what_it_is(change: Change, memory: Memory) -> Findings:
    """A class keeps its provisioner, its parameters, its reclaim policy and its binding mode."""
    old, new = change.old, change.new
    if old is None or new is None:
        return
    yield AT_RISK
    for field in CLASS_FIELDS:
        if old.get(field) != new.get(field):
            yield Violation(f"{change.key} changed its {field} from {old.get(field)} to {new.get(field)}", (old, new))


@invariant(
    "API-014",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source="VALID-17; https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/controller-revision-v1/",
    on=("ControllerRevision",),
)
def revision_keeps_its_data(change: Change, memory: Memory) -> Findings:
    """A ControllerRevision keeps what it records."""
    old, new = change.old, change.new
    if old is None or new is None:
        return
    yield HELD
    if old.get("data") != new.get("data"):
        yield Violation(f"{change.key} records something else than before", (old, new))
