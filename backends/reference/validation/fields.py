"""Causes: what a validation finds wrong with a field, in the words of an API server.

A check is a function that yields causes; all causes of a request are reported together. A cause names the field by
its path, one of a few reasons, and a message that begins with words fixed by the reason.
"""

import json
from collections.abc import Iterable
from typing import Any

from pvkit.backends.errors import Cause, Invalid
from pvkit.backends.objects import API_VERSIONS

IMMUTABLE = "field is immutable"
NEGATIVE = "must be greater than or equal to 0"


def shown(value: Any) -> str:
    """A value as messages print it: JSON without spaces."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def required(path: str, detail: str = "") -> Cause:
    """A field that must be there and is not."""
    return Cause(path, "FieldValueRequired", f"Required value: {detail}" if detail else "Required value")


def invalid(path: str, value: Any, detail: str = "") -> Cause:
    """A value that breaks a rule of form."""
    return Cause(path, "FieldValueInvalid", f"Invalid value: {shown(value)}" + (f": {detail}" if detail else ""))


def unsupported(path: str, value: Any, supported: Iterable[str]) -> Cause:
    """A value that is none of those that are defined."""
    words = ", ".join(shown(word) for word in supported)
    return Cause(path, "FieldValueNotSupported", f"Unsupported value: {shown(value)}: supported values: {words}")


def forbidden(path: str, detail: str) -> Cause:
    """A value that is well formed and not allowed here."""
    return Cause(path, "FieldValueForbidden", f"Forbidden: {detail}")


def too_long(path: str, most: int) -> Cause:
    """A value of more than so many bytes."""
    return Cause(path, "FieldValueTooLong", f"Too long: may not be more than {most} bytes")


def duplicate(path: str, value: Any) -> Cause:
    """A value that may stand only once."""
    return Cause(path, "FieldValueDuplicate", f"Duplicate value: {shown(value)}")


def not_found(path: str, value: Any) -> Cause:
    """A reference to something that is not there."""
    return Cause(path, "FieldValueNotFound", f"Not found: {shown(value)}")


def each(path: str, value: str, details: Iterable[str]) -> list[Cause]:
    """One invalid cause for each complaint about a value."""
    return [invalid(path, value, detail) for detail in details]


def one_of(path: str, value: str, supported: Iterable[str]) -> list[Cause]:
    """A cause unless the value is among those supported, which are listed in alphabetical order."""
    known = sorted(supported)
    return [] if value in known else [unsupported(path, value, known)]


def unchanged(path: str, new: Any, old: Any) -> list[Cause]:
    """A cause if an immutable field changed."""
    return [] if new == old else [invalid(path, new, IMMUTABLE)]


def not_negative(path: str, value: int | None) -> list[Cause]:
    """A cause for a number below zero."""
    return [invalid(path, value, NEGATIVE)] if value is not None and value < 0 else []


def group_kind(kind: str) -> str:
    """A kind as refusals of a whole object name it: `StorageClass.storage.k8s.io`."""
    group, _, version = API_VERSIONS[kind].rpartition("/")
    return f"{kind}.{group}" if version and group else kind


def refusal(kind: str, name: str, causes: Iterable[Cause]) -> Invalid:
    """The refusal of an object for its causes, each told once.

    Servers up to 1.36 repeat a cause that two checks find; repetition means nothing, so it is left out.
    """
    told = tuple(dict.fromkeys(causes))
    words = [f"{cause.field}: {cause.message}" for cause in told]
    return Invalid(
        f'{group_kind(kind)} "{name}" is invalid: {words[0] if len(words) == 1 else "[" + ", ".join(words) + "]"}', told
    )
