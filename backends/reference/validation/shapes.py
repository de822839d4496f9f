"""Reading a request: the tree that a client sent becomes the tree that a server would store.

A server decodes JSON into typed fields and writes them back, so fields that it does not know vanish, as do nulls and
most zero values; quantities come out in their canonical form; a value of another type is a bad request. A `Shape`
does the same to a tree. What is the stored tree's own object was read before and is passed on unseen: a controller's
update shares all that it does not change with what it read, so reading it costs next to nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pvkit.backends.quantities import QuantityError, stored

OMIT = object()
"""Answered by a shape for a value that is not stored."""

_WORDS = {str: "string", bool: "bool", int: "number", float: "number", dict: "object", list: "array"}
_FORM = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"


class Unreadable(Exception):
    """A value of the wrong type; the message is what a server says of it, but for the names of Go types."""


def _reject(value: Any, where: str, wanted: str) -> Unreadable:
    word = _WORDS.get(type(value), "null")
    return Unreadable(f"json: cannot unmarshal {word} into Go struct field {where} of type {wanted}")


class Shape:
    """How one field is read; this one takes everything as it is."""

    def read(self, value: Any, old: Any, where: str) -> Any:
        """The value to store, or `OMIT`; `old` is what is stored there now."""
        return value


@dataclass(frozen=True, slots=True)
class Plain(Shape):
    """A text, number or truth value; its zero value is not stored unless `keep`."""

    type: type
    word: str
    keep: bool = False

    def read(self, value: Any, old: Any, where: str) -> Any:
        """The value itself."""
        if not isinstance(value, self.type) or (self.type is int and isinstance(value, bool)):
            raise _reject(value, where, self.word)
        return value if value or self.keep else OMIT


class Quantity(Shape):
    """An amount, stored canonically."""

    def read(self, value: Any, old: Any, where: str) -> Any:
        """The canonical text."""
        if not isinstance(value, str | int | float):
            raise Unreadable(_FORM)
        try:
            return stored(value)
        except QuantityError:
            raise Unreadable(_FORM) from None


class NumberOrText(Shape):
    """A number, or a text such as a percentage."""

    def read(self, value: Any, old: Any, where: str) -> Any:
        """The value itself."""
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise _reject(value, where, "intstr.IntOrString")
        return value


@dataclass(frozen=True, slots=True)
class Many(Shape):
    """A list of one shape; an empty one is not stored."""

    of: Shape

    def read(self, value: Any, old: Any, where: str) -> Any:
        """The list with each entry read."""
        if not isinstance(value, list):
            raise _reject(value, where, "[]")
        if not value:
            return OMIT
        known = old if isinstance(old, list) and len(old) == len(value) else [None] * len(value)
        return [
            entry if entry is before and entry is not None else self._entry(entry, before, where)
            for entry, before in zip(value, known, strict=True)
        ]

    def _entry(self, entry: Any, before: Any, where: str) -> Any:
        if entry is None:
            entry = {} if isinstance(self.of, Struct) else ""
        got = self.of.read(entry, before, where)
        return entry if got is OMIT else got


@dataclass(frozen=True, slots=True)
class Table(Shape):
    """A map from free keys to one shape, in the order of keys; an empty one is not stored unless `keep`."""

    of: Shape
    keep: bool = False

    def read(self, value: Any, old: Any, where: str) -> Any:
        """The map with each value read."""
        if not isinstance(value, dict):
            raise _reject(value, where, "map[string]")
        if not value:
            return value if self.keep else OMIT
        known = old if isinstance(old, dict) else {}
        read = {}
        for name in sorted(value):
            entry = value[name]
            if entry is None:
                entry = "0" if isinstance(self.of, Quantity) else ""
            got = entry if entry is known.get(name) else self.of.read(entry, None, where)
            read[name] = entry if got is OMIT else got
        return read


@dataclass(frozen=True, slots=True)
class Struct(Shape):
    """Named fields, each of its own shape.

    Fields that are not named vanish, unless the struct is `open`: then they are kept as they came. `always` holds
    what stands in a field that the client left out; it is stored even when empty.
    """

    fields: Mapping[str, Shape]
    open: bool = False
    always: Mapping[str, Any] = field(default_factory=dict)

    def read(self, value: Any, old: Any, where: str) -> Any:
        """The struct with each field read."""
        if not isinstance(value, dict):
            raise _reject(value, where, "struct")
        known = old if isinstance(old, dict) else {}
        read = {}
        for name, entry in value.items():
            if entry is None:
                continue
            if entry is not known.get(name):
                shape = self.fields.get(name)
                if shape is not None:
                    entry = shape.read(entry, known.get(name), f"{where}.{name}" if where else name)
                elif not self.open:
                    continue
                if entry is OMIT:
                    continue
            read[name] = entry
        for name, default in self.always.items():
            if name not in read:
                read[name] = default
        return read


TEXT, TEXT_KEPT = Plain(str, "string"), Plain(str, "string", keep=True)
NUMBER, NUMBER_KEPT = Plain(int, "int32"), Plain(int, "int32", keep=True)
TRUTH, TRUTH_KEPT = Plain(bool, "bool"), Plain(bool, "bool", keep=True)
ANYTHING, AMOUNT, NUMBER_OR_TEXT = Shape(), Quantity(), NumberOrText()
TEXTS, MARKS, AMOUNTS = Many(TEXT_KEPT), Table(TEXT_KEPT), Table(AMOUNT)
