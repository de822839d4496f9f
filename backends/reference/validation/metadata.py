"""The metadata that every object has: names, labels, annotations, owners and finalizers."""

from collections.abc import Callable, Iterator, Mapping

from pvkit.backends.errors import Cause
from pvkit.backends.objects import Obj
from pvkit.backends.reference.validation import names
from pvkit.backends.reference.validation.fields import (
    IMMUTABLE,
    each,
    forbidden,
    invalid,
    not_negative,
    required,
    shown,
    too_long,
)

Form = Callable[[str], tuple[str, ...]]

MOST_ANNOTATIONS = 256 * 1024
"""How many bytes all annotations of an object may have."""


def named(metadata: Obj, form: Form) -> Iterator[Cause]:
    """What is wrong with a new object's name."""
    prefix, name = metadata.get("generateName"), metadata.get("name")
    if prefix:
        yield from each("metadata.generateName", prefix, form(names.without_trailing_dash(prefix)))
    if not name:
        yield required("metadata.name", "name or generateName is required")
    else:
        yield from each("metadata.name", name, form(name))


def marked(labels: Mapping[str, str], path: str) -> Iterator[Cause]:
    """What is wrong with a set of labels (VALID-78)."""
    for key, value in labels.items():
        yield from each(path, key, names.key(key))
        yield from each(path, value, names.value(value))


def annotated(annotations: Mapping[str, str], path: str) -> Iterator[Cause]:
    """What is wrong with annotations: their keys' form, whose case does not matter, and their size."""
    size = 0
    for key, value in annotations.items():
        size += len(key.encode()) + len(value.encode())
        yield from each(path, key, names.key(key.lower()))
    if size > MOST_ANNOTATIONS:
        yield too_long(path, MOST_ANNOTATIONS)


def owned(owners: list[Obj], minor: int) -> Iterator[Cause]:
    """What is wrong with owner references: parts that are missing, two controllers, an Event as owner."""
    path, controllers = "metadata.ownerReferences", []
    for position, owner in enumerate(owners):
        yield from _incomplete(owner, path, position, minor)
        if owner.get("apiVersion") == "v1" and owner.get("kind") == "Event":
            where = f"{path}[{position}]" if minor >= 37 else path
            yield invalid(where, owner, "/v1, Kind=Event is disallowed from being an owner")
        if owner.get("controller"):
            controllers.append(f"{owner.get('kind')}/{owner.get('name')}")
    for second in controllers[1:]:
        yield invalid(
            path,
            owners,
            'Only one reference can have Controller set to true. Found "true" in references for '
            f"{controllers[0]} and {second}",
        )


def _incomplete(owner: Obj, path: str, position: int, minor: int) -> Iterator[Cause]:
    for part in ("apiVersion", "kind", "name", "uid"):
        if owner.get(part):
            continue
        if minor >= 37:
            yield required(f"{path}[{position}].{part}", "must not be empty")
        else:
            yield invalid(
                f"{path}.{part}", "", "version must not be empty" if part == "apiVersion" else "must not be empty"
            )


def finalized(finalizers: list[str]) -> Iterator[Cause]:
    """What is wrong with finalizers (VALID-79)."""
    path = "metadata.finalizers"
    for position, finalizer in enumerate(finalizers):
        complaints = names.key(finalizer)
        yield from each(path, finalizer, complaints)
        if "/" not in finalizer and finalizer not in names.STANDARD_FINALIZERS:
            detail = "name is neither a standard finalizer name nor is it fully qualified"
            yield invalid(f"{path}[{position}]", finalizer, detail)
    if {"orphan", "foregroundDeletion"} <= set(finalizers):
        yield invalid(path, finalizers, "finalizer orphan and foregroundDeletion cannot be both set")


def on_create(metadata: Obj, form: Form, minor: int) -> Iterator[Cause]:
    """What is wrong with the metadata of a new object."""
    yield from named(metadata, form)
    yield from not_negative("metadata.generation", metadata.get("generation"))
    yield from contents(metadata, minor)


def contents(metadata: Obj, minor: int) -> Iterator[Cause]:
    """What is wrong with labels, annotations, owners and finalizers."""
    if "labels" in metadata:
        yield from marked(metadata["labels"], "metadata.labels")
    if "annotations" in metadata:
        yield from annotated(metadata["annotations"], "metadata.annotations")
    if "ownerReferences" in metadata:
        yield from owned(metadata["ownerReferences"], minor)
    if "finalizers" in metadata:
        yield from finalized(metadata["finalizers"])


def on_update(old: Obj, new: Obj, minor: int) -> Iterator[Cause]:
    """What is wrong with a change of metadata; what did not change is not looked at again."""
    before = old.get("finalizers") or []
    if "deletionTimestamp" in old:
        extra = sorted(set(new.get("finalizers") or []) - set(before))
        if extra:
            told = ", ".join(shown(finalizer) for finalizer in extra)
            yield forbidden(
                "metadata.finalizers",
                "no new finalizers can be added if the object is being deleted, found new finalizers "
                f"[]string{{{told}}}",
            )
    changed = {part: value for part, value in new.items() if value is not old.get(part) and value != old.get(part)}
    for part in ("deletionTimestamp", "deletionGracePeriodSeconds"):
        if part in changed:
            yield invalid(f"metadata.{part}", new[part], IMMUTABLE)
    yield from contents(changed, minor)
