"""Changes of a claim: which are allowed depends on its phase, its class and what it says already (VALID-60 to 101)."""

from collections.abc import Iterator

from pvkit.backends.errors import Cause
from pvkit.backends.objects import Obj, annotations, get, phase, put
from pvkit.backends.quantities import amount
from pvkit.backends.reference.validation import claims
from pvkit.backends.reference.validation.fields import forbidden, unchanged
from pvkit.backends.reference.validation.treatment import Moment, Treatment
from pvkit.backends.storage import BETA_CLASS

IMMUTABLE_SPEC = (
    "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n"
)
_ATTRIBUTES = "spec.volumeAttributesClassName"


def check_update(old: Obj, new: Obj, at: Moment) -> Iterator[Cause]:
    """What is wrong with a change of a claim: little of it may change at all."""
    if old["spec"] is not new["spec"]:
        yield from _check_change(old, new, at)
    yield from _beta_class(old, new)


def _check_change(old: Obj, new: Obj, at: Moment) -> Iterator[Cause]:
    before, after = old["spec"], new["spec"]
    changed = {field for field in before.keys() | after.keys() if before.get(field) != after.get(field)}
    if not changed or (changed == {"volumeName"} and not before.get("volumeName")):
        return
    yield from claims.check_spec(after, "spec", grouped=bool(get(before, "dataSourceRef", "apiGroup")))
    if _meaning(_allowed(old, new, at)) != _meaning(before):
        yield forbidden("spec", IMMUTABLE_SPEC)
    yield from _shrinking(old, new)
    yield from unchanged("volumeMode", after["volumeMode"], before["volumeMode"])
    yield from _attributes(old, new, at)


def _beta_class(old: Obj, new: Obj) -> list[Cause]:
    """The beta annotation is immutable; it may go once the field says the same (VALID-67)."""
    was, wanted = annotations(old).get(BETA_CLASS), annotations(new).get(BETA_CLASS)
    named = new["spec"].get("storageClassName")
    if was is not None and "storageClassName" not in old["spec"] and named == was and wanted in (None, was):
        return []
    return unchanged(f"metadata.annotations.{BETA_CLASS}", wanted or "", was or "")


def _allowed(old: Obj, new: Obj, at: Moment) -> Obj:
    """The new spec with the changes that are allowed taken back: what is left of change is forbidden."""
    before, rest = old["spec"], dict(new["spec"])
    if not before.get("volumeName"):
        rest.pop("volumeName", None)
    named = rest.get("storageClassName")
    if "storageClassName" not in before and annotations(old).get(BETA_CLASS, named) == named:
        rest.pop("storageClassName", None)
    if phase(old) == "Bound":
        if at.minor >= 34 or "volumeAttributesClassName" in rest:
            _take_back(rest, before, "volumeAttributesClassName")
        if get(rest, "resources", "requests") is not None:
            path = ("resources", "requests", "storage")
            rest = put(rest, path, get(before, *path))
    return rest


def _take_back(rest: Obj, before: Obj, field: str) -> None:
    rest.pop(field, None)
    if field in before:
        rest[field] = before[field]


def _meaning(spec: Obj) -> Obj:
    """The spec with amounts in place of their texts, for 1Gi and 1024Mi are the same."""
    amounts = {part: {key: amount(text) for key, text in listed.items()} for part, listed in spec["resources"].items()}
    return {**spec, "resources": amounts}


def _shrinking(old: Obj, new: Obj) -> list[Cause]:
    path = ("spec", "resources", "requests", "storage")
    before, after = amount(get(old, *path) or "0"), amount(get(new, *path) or "0")
    held = amount(get(old, "status", "capacity", "storage") or "0")
    if after < before and after <= held:
        return [forbidden(".".join(path), "field can not be less than status.capacity")]
    return []


def _attributes(old: Obj, new: Obj, at: Moment) -> Iterator[Cause]:
    before, after = old["spec"].get("volumeAttributesClassName"), new["spec"].get("volumeAttributesClassName")
    if before == after or not (at.gate("VolumeAttributesClass") or before is not None):
        return
    if not at.gate("VolumeAttributesClass"):
        yield forbidden(_ATTRIBUTES, "update is forbidden when the VolumeAttributesClass feature gate is disabled")
    if at.minor < 34:
        if before is not None and not after:
            what = "nil" if after is None else "an empty string"
            yield forbidden(_ATTRIBUTES, f"update from non-nil value to {what} is forbidden")
    elif get(old, "status", "currentVolumeAttributesClassName") is not None and not after:
        what = "nil" if after is None else "empty string"
        yield forbidden(
            _ATTRIBUTES, f"update to {what} is forbidden when status.currentVolumeAttributesClassName is not nil"
        )


CLAIM = Treatment(
    default=claims.default,
    birth=claims.birth,
    change=claims.change,
    report=claims.report,
    create=claims.check,
    update=check_update,
    status=claims.check_status,
)
