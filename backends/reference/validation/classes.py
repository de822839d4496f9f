"""StorageClasses and VolumeAttributesClasses, at the door of the API server (VALID-107 to VALID-115, VAC-01)."""

from collections.abc import Iterator, Mapping

from pvkit.backends.errors import Cause
from pvkit.backends.objects import Obj
from pvkit.backends.reference.validation import names
from pvkit.backends.reference.validation.fields import (
    IMMUTABLE,
    each,
    forbidden,
    invalid,
    one_of,
    required,
    too_long,
)
from pvkit.backends.reference.validation.selectors import topologies
from pvkit.backends.reference.validation.treatment import Moment, Treatment

MOST_PARAMETERS, MOST_PARAMETER_BYTES = 512, 256 * 1024
_IMMUTABLE = ("provisioner", "parameters", "reclaimPolicy", "volumeBindingMode")


def default(storage_class: Obj, old: Obj, at: Moment) -> Obj:
    """Policy Delete, binding Immediate (DEFAULT-06)."""
    return {"reclaimPolicy": "Delete", "volumeBindingMode": "Immediate", **storage_class}


def _driver(name: str, path: str) -> list[Cause]:
    return each(path, name.lower(), names.key(name.lower())) if name else [required(path)]


def _parameters(parameters: Mapping[str, str]) -> Iterator[Cause]:
    if len(parameters) > MOST_PARAMETERS:
        yield too_long("parameters", MOST_PARAMETERS)
        return
    if "" in parameters:
        yield invalid("parameters", "", "field can not be empty.")
    if sum(len(key.encode()) + len(value.encode()) for key, value in parameters.items()) > MOST_PARAMETER_BYTES:
        yield too_long("parameters", MOST_PARAMETER_BYTES)


def check(storage_class: Obj, at: Moment) -> Iterator[Cause]:
    """What is wrong with a class, new or changed."""
    yield from _driver(storage_class["provisioner"], "provisioner")
    yield from _parameters(storage_class.get("parameters") or {})
    if storage_class["reclaimPolicy"]:
        yield from one_of("reclaimPolicy", storage_class["reclaimPolicy"], ("Delete", "Retain"))
    yield from one_of("volumeBindingMode", storage_class["volumeBindingMode"], ("Immediate", "WaitForFirstConsumer"))
    yield from topologies(storage_class.get("allowedTopologies") or [], "allowedTopologies")


def check_update(old: Obj, new: Obj, at: Moment) -> Iterator[Cause]:
    """What is wrong with a change of a class: four of its fields may not change (CLASS-10)."""
    yield from check(new, at)
    for field in _IMMUTABLE:
        before, after = old.get(field), new.get(field)
        if before == after:
            continue
        if at.minor < 36 and field != "volumeBindingMode":
            yield forbidden(field, f"updates to {field} are forbidden.")
        else:
            yield invalid(field, None if at.minor >= 37 else after, IMMUTABLE)


def check_attributes(attributes: Obj, at: Moment) -> Iterator[Cause]:
    """What is wrong with a new class of attributes."""
    yield from _driver(attributes["driverName"], "driverName")
    yield from _parameters(attributes.get("parameters") or {})
    if not attributes.get("parameters"):
        yield required("parameters", "must contain at least one key/value pair")


def check_attributes_update(old: Obj, new: Obj, at: Moment) -> Iterator[Cause]:
    """What is wrong with a change of a class of attributes: all but its metadata is immutable."""
    for field in ("driverName", "parameters"):
        if old.get(field) != new.get(field):
            yield forbidden(field, f"updates to {field} are forbidden.")
    yield from check_attributes(new, at)


STORAGE_CLASS = Treatment(default=default, create=check, update=check_update)
ATTRIBUTES_CLASS = Treatment(create=check_attributes, update=check_attributes_update)
