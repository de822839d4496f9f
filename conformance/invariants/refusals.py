"""Refusals: requests that a server must not accept, and where it says the fault is.

A handful of cases from the table of validation, told by the request alone. A request may have more than one fault, and
be refused for something else before its fields are looked at; it is never accepted.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pvkit.backends.objects import Key, Obj, get, selects
from pvkit.backends.protocol import Fault, Operation
from pvkit.backends.quantities import QuantityError, amount
from pvkit.backends.storage import READ_WRITE_ONCE_POD, asset_of, volume_source
from pvkit.conformance.history import Asked, State
from pvkit.conformance.invariant import AT_RISK, HELD, Findings, Level, Memory, Scope, Violation, invariant
from pvkit.conformance.invariants.requests import body_of, refused, subject

CORE = "pkg/apis/core/validation/validation.go"
APPS = "pkg/apis/apps/validation/validation.go"
CLAIM, VOLUME, SET, CLASS = "PersistentVolumeClaim", "PersistentVolume", "StatefulSet", "StorageClass"


@dataclass(frozen=True, slots=True)
class Fault422:
    """A fault of a new object: its kind, what is wrong, how to tell, and the field that the server names."""

    kind: str
    words: str
    field: str
    has: Callable[[Obj], bool]


def _modes(obj: Obj) -> list[str]:
    found = get(obj, "spec", "accessModes")
    return [str(mode) for mode in found] if isinstance(found, list) else []


def _is_nothing(quantity: Any) -> bool:
    try:
        return quantity is not None and amount(quantity) <= 0
    except QuantityError:
        return False


def _below_zero(*path: str) -> Callable[[Obj], bool]:
    def has(obj: Obj) -> bool:
        found = get(obj, "spec", *path)
        return isinstance(found, int) and not isinstance(found, bool) and found < 0

    return has


def _other_than(allowed: tuple[str, ...], *path: str) -> Callable[[Obj], bool]:
    def has(obj: Obj) -> bool:
        found = get(obj, "spec", *path)
        return isinstance(found, str) and found != "" and found not in allowed

    return has


def _mixes_once_per_pod(obj: Obj) -> bool:
    return READ_WRITE_ONCE_POD in _modes(obj) and len(set(_modes(obj))) > 1


def _mismatched(obj: Obj) -> bool:
    selector, marks = get(obj, "spec", "selector"), get(obj, "spec", "template", "metadata", "labels")
    if not isinstance(selector, dict) or not isinstance(marks, dict) or not selector.get("matchLabels"):
        return False
    return not selects({"matchLabels": selector["matchLabels"]}, marks)


def _is_empty_selector(obj: Obj) -> bool:
    return bool(get(obj, "spec", "selector") == {})


def _rolls_on_delete(obj: Obj) -> bool:
    return get(obj, "spec", "updateStrategy", "type") == "OnDelete" and bool(
        get(obj, "spec", "updateStrategy", "rollingUpdate")
    )


RETENTION = ("persistentVolumeClaimRetentionPolicy",)
FAULTS = (
    Fault422(CLAIM, "no access modes", "spec.accessModes", lambda obj: "spec" in obj and not _modes(obj)),
    Fault422(CLAIM, "ReadWriteOncePod beside other modes", "spec.accessModes", _mixes_once_per_pod),
    Fault422(
        CLAIM,
        "no storage request",
        "spec.resources[storage]",
        lambda obj: "spec" in obj and get(obj, "spec", "resources", "requests", "storage") is None,
    ),
    Fault422(
        CLAIM,
        "a request for nothing",
        "spec.resources[storage]",
        lambda obj: _is_nothing(get(obj, "spec", "resources", "requests", "storage")),
    ),
    Fault422(VOLUME, "no access modes", "spec.accessModes", lambda obj: "spec" in obj and not _modes(obj)),
    Fault422(VOLUME, "ReadWriteOncePod beside other modes", "spec.accessModes", _mixes_once_per_pod),
    Fault422(VOLUME, "no capacity", "spec.capacity", lambda obj: "spec" in obj and not get(obj, "spec", "capacity")),
    Fault422(
        VOLUME,
        "a capacity of nothing",
        "spec.capacity[storage]",
        lambda obj: _is_nothing(get(obj, "spec", "capacity", "storage")),
    ),
    Fault422(VOLUME, "no source", "spec", lambda obj: "spec" in obj and not volume_source(obj)[0]),
    Fault422(
        VOLUME,
        "a local source without node affinity",
        "spec.nodeAffinity",
        lambda obj: get(obj, "spec", "local") is not None and get(obj, "spec", "nodeAffinity") is None,
    ),
    Fault422(SET, "negative replicas", "spec.replicas", _below_zero("replicas")),
    Fault422(SET, "negative minReadySeconds", "spec.minReadySeconds", _below_zero("minReadySeconds")),
    Fault422(SET, "a negative start", "spec.ordinals.start", _below_zero("ordinals", "start")),
    Fault422(
        SET,
        "a negative partition",
        "spec.updateStrategy.rollingUpdate.partition",
        _below_zero("updateStrategy", "rollingUpdate", "partition"),
    ),
    Fault422(SET, "an empty selector", "spec.selector", _is_empty_selector),
    Fault422(SET, "a selector that its pods do not match", "spec.template.metadata.labels", _mismatched),
    Fault422(
        SET,
        "an unknown pod management policy",
        "spec.podManagementPolicy",
        _other_than(("OrderedReady", "Parallel"), "podManagementPolicy"),
    ),
    Fault422(SET, "rollingUpdate under OnDelete", "spec.updateStrategy.rollingUpdate", _rolls_on_delete),
    Fault422(
        SET,
        "an unknown retention policy",
        "spec.persistentVolumeClaimRetentionPolicy.whenDeleted",
        _other_than(("Retain", "Delete"), *RETENTION, "whenDeleted"),
    ),
    Fault422(
        SET,
        "an unknown retention policy",
        "spec.persistentVolumeClaimRetentionPolicy.whenScaled",
        _other_than(("Retain", "Delete"), *RETENTION, "whenScaled"),
    ),
)
"""Faults of new objects; the fields are those that a server was seen to name."""

_FAULTS_OF = {kind: [fault for fault in FAULTS if fault.kind == kind] for kind in {fault.kind for fault in FAULTS}}


def _faults(asked: Asked) -> list[Fault422]:
    """The faults of the body of a create."""
    request = asked.request
    if isinstance(request, Fault) or request.verb != "create":
        return []
    body = body_of(request)
    return [fault for fault in _FAULTS_OF.get(str(body.get("kind")), ()) if fault.has(body)]


@invariant(
    "API-040",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"VALID-01 to VALID-45, STS VALID-02 to VALID-09; {CORE}; {APPS}",
    on=("Asked create",),
)
def invalid_objects_are_refused(asked: Asked, state: State, memory: Memory) -> Findings:
    """A new volume, claim or set that breaks a rule of validation is not accepted."""
    found = _faults(asked)
    if not found:
        return
    yield AT_RISK
    if asked.outcome.status == "ok":
        told = ", ".join(fault.words for fault in found)
        witness = asked.outcome.object
        yield Violation(f"a {found[0].kind} with {told} was accepted", (witness,) if witness is not None else ())


def _is_invalid(asked: Asked, state: State) -> bool:
    return refused(asked.outcome, "Invalid") and bool(asked.outcome.causes)


@invariant(
    "API-041",
    scope=Scope.EACH_STEP,
    level=Level.UPSTREAM,
    source=f"VALID-01 to VALID-45, STS VALID-02 to VALID-09; {CORE}; {APPS}",
    on=("Asked create",),
    when=_is_invalid,
)
def refusals_name_the_field(asked: Asked, state: State, memory: Memory) -> Findings:
    """A refusal as Invalid names the field of each fault among its causes."""
    fields = {cause.field for cause in asked.outcome.causes}
    for fault in _faults(asked):
        yield AT_RISK
        if fault.field not in fields:
            told = ", ".join(sorted(fields))
            yield Violation(f"a {fault.kind} with {fault.words} was refused for {told}, and not for {fault.field}")


IMMUTABLE = {
    SET: ("serviceName", "podManagementPolicy"),
    CLAIM: ("accessModes", "volumeMode"),
    CLASS: ("provisioner", "reclaimPolicy", "volumeBindingMode"),
}
NAMED = {SET: "spec", CLAIM: "spec", VOLUME: "spec.persistentvolumesource"}


@invariant(
    "API-042",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"VALID-10, VALID-12, VALID-30, VALID-61 to VALID-66, CLASS-10; {CORE}; {APPS}",
    on=("Asked patch",),
)
def immutable_fields_are_defended(asked: Asked, state: State, memory: Memory) -> Findings:
    """A patch that changes a field which must stay is refused, not taken and not passed over."""
    request = asked.request
    if isinstance(request, Fault) or request.verb != "patch" or request.options.get("subresource"):
        return
    key = subject(request)
    stored = state.lookup(key) if key is not None else None
    if key is None or stored is None:
        return
    for field in _changed(request, key, stored):
        yield AT_RISK
        if asked.outcome.status == "ok":
            yield Violation(f"a patch of {key} that changes {field} was accepted", (stored,))
        elif refused(asked.outcome, "Invalid") and key.kind in NAMED:
            fields = {cause.field for cause in asked.outcome.causes}
            yield HELD
            if not fields & {NAMED[key.kind], field, f"spec.{field}"}:
                told = ", ".join(sorted(fields)) or "nothing"
                yield Violation(f"a patch of {key} that changes {field} was refused for {told}", (stored,))


def _changed(request: Operation, key: Key, stored: Obj) -> Iterator[str]:
    """The immutable fields that a merge patch sets to something else than what is stored."""
    patch = request.patch if isinstance(request.patch, dict) else {}
    wanted, present = (patch, stored) if key.kind == CLASS else (patch.get("spec") or {}, stored.get("spec") or {})
    for field in IMMUTABLE.get(key.kind, ()):
        if wanted.get(field) and present.get(field) and wanted[field] != present[field]:
            yield field
    if key.kind == VOLUME:
        kind, source = volume_source(stored)
        changed = wanted.get(kind)
        if kind and isinstance(changed, dict):
            merged = {**stored, "spec": {**stored["spec"], kind: {**source, **changed}}}
            if asset_of(merged) != asset_of(stored):
                yield kind
