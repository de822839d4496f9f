"""YAML documents that remember on which line each value stands.

Numbers, booleans and null are read as kubectl reads them; all else stays text: a date is no object of a calendar, and
a key is always a string. A key that stands twice is an error, where most readers would keep the last.
"""

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pvkit.backends.errors import Place, PlanError

_PREFIX = "tag:yaml.org,2002:"
_TAGS = {f"{_PREFIX}{tag}" for tag in ("map", "seq", "str", "null", "bool", "int", "float", "timestamp", "value")}
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_DECIMAL = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_TRUE = frozenset({"true", "yes", "on"})
_NAMES = {
    str: "text",
    int: "a whole number",
    bool: "true or false",
    dict: "a mapping",
    list: "a list",
    float: "a number",
}


@dataclass(frozen=True, slots=True)
class Part:
    """A value in a file, and where it stands. `label` is what messages call it, such as `steps[2].create`."""

    file: str
    node: yaml.Node
    value: Any
    label: str = ""

    @property
    def place(self) -> Place:
        """File and line."""
        return Place(self.file, self.node.start_mark.line + 1)

    def error(self, seen: str, expected: str) -> PlanError:
        """An error at this place."""
        return PlanError(self.place, f"{self.label}: {seen}" if self.label else seen, expected)

    def of(self, kind: type, what: str = "") -> Any:
        """The value, which must be of a type; `None` counts as an empty mapping or list."""
        if self.value is None and kind in (dict, list):
            return kind()
        number = isinstance(self.value, int) and not isinstance(self.value, bool) and kind in (int, float)
        if number or (isinstance(self.value, kind) and isinstance(self.value, bool) == (kind is bool)):
            return self.value
        raise self.error(f"{_shown(self.value)} is not {_NAMES[kind]}", what or _NAMES[kind])

    def text(self, what: str) -> str:
        """The value as it is written, which must be a scalar that is not empty."""
        if not isinstance(self.node, yaml.ScalarNode) or self.value in (None, ""):
            raise self.error(f"{_shown(self.value)} is no {what}", f"a {what}")
        return str(self.node.value)

    def one_of(self, known: Iterable[str], what: str) -> str:
        """The value as it is written, which must be one of the words that are known."""
        word = self.text(what)
        if word not in known:
            raise self.error(f"unknown {what} {word!r}", nearest(word, known))
        return word

    def get(self, field: str) -> "Part | None":
        """The part under a key, or `None`; this part must be a mapping."""
        self.of(dict)
        found = _pairs(self.file, self.node).get(field) if isinstance(self.node, yaml.MappingNode) else None
        return None if found is None else Part(self.file, found[1], self.value[field], self._below(field))

    def need(self, field: str, why: str = "") -> "Part":
        """The part under a key, which must be there."""
        found = self.get(field)
        if found is None:
            raise self.error(f"{_meant(field, self.value or {})}no {field!r}", why or f"a field {field!r}")
        return found

    def parts(self) -> Iterator["Part"]:
        """The entries of a list."""
        self.of(list)
        for number, node in enumerate(self.node.value if isinstance(self.node, yaml.SequenceNode) else ()):
            yield Part(self.file, node, self.value[number], f"{self.label}[{number}]")

    def only(self, known: Iterable[str], what: str) -> None:
        """Refuse keys that are not known."""
        known = tuple(known)
        for field in self.of(dict):
            if field not in known:
                at = _pairs(self.file, self.node)[field][0]
                raise Part(self.file, at, field, self.label).error(f"unknown {what} {field!r}", nearest(field, known))

    def _below(self, field: str) -> str:
        return f"{self.label}.{field}" if self.label else field


def _shown(value: Any) -> str:
    text = repr(value) if value is not None else "nothing"
    return text if len(text) <= 60 else f"{text[:57]}..."


def nearest(word: str, known: Iterable[str]) -> str:
    """What would have been valid: the words that are known, or at least the nearest ones."""
    words = sorted(known)
    near = difflib.get_close_matches(word, words, n=2, cutoff=0.6)
    meant = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
    return f"one of {', '.join(words)}{meant}" if words else "no field at all"


def _meant(field: str, seen: Iterable[str]) -> str:
    """Names the key that was probably meant to be a missing one, for the beginning of a message."""
    near = difflib.get_close_matches(field, seen, n=1, cutoff=0.7)
    return f"a field {near[0]!r} but " if near else ""


def read_documents(path: str | Path) -> list[Part]:
    """The documents of a file that are not empty; raises `PlanError` for what cannot be read as YAML."""
    file = str(path)
    try:
        text = Path(path).read_text(encoding="utf-8")
        nodes = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
    except OSError as error:
        raise PlanError(Place(file), error.strerror or str(error), "a file that can be read") from None
    except UnicodeDecodeError as error:
        raise PlanError(Place(file), f"byte {error.start} is not UTF-8", "a text in UTF-8") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        seen = " ".join(filter(None, (error.context, error.problem)))
        raise PlanError(Place(file, mark.line + 1 if mark else 0), seen, "well-formed YAML") from None
    except yaml.YAMLError as error:
        raise PlanError(Place(file), str(error).splitlines()[0], "well-formed YAML") from None
    parts = [Part(file, node, _value(file, node, ())) for node in nodes]
    return [part for part in parts if part.value is not None]


def _value(file: str, node: yaml.Node, above: tuple[yaml.Node, ...]) -> Any:
    """The JSON tree of a node; an alias that leads back to itself has none."""
    if any(node is other for other in above):
        raise Part(file, node, None).error("an alias that contains itself", "a tree")
    if node.tag not in _TAGS:
        raise Part(file, node, None).error(f"tag {node.tag!r}", "plain values, without tags of programs")
    above = (*above, node)
    if isinstance(node, yaml.MappingNode):
        return {field: _value(file, child, above) for field, (_, child) in _pairs(file, node).items()}
    if isinstance(node, yaml.SequenceNode):
        return [_value(file, child, above) for child in node.value]
    return _scalar(file, node)


def _scalar(file: str, node: yaml.Node) -> Any:
    text, tag = str(node.value), node.tag.removeprefix(_PREFIX)
    if tag == "null":
        return None
    if tag == "bool":
        return text.lower() in _TRUE
    if tag in ("int", "float") and _INTEGER.fullmatch(text):
        return int(text)
    if tag in ("int", "float") and _DECIMAL.fullmatch(text):
        return float(text)
    return text


def _pairs(file: str, node: yaml.Node) -> dict[str, tuple[yaml.Node, yaml.Node]]:
    """Key and value nodes by key, merged keys (`<<`) behind those that stand here."""
    own: dict[str, tuple[yaml.Node, yaml.Node]] = {}
    merged: dict[str, tuple[yaml.Node, yaml.Node]] = {}
    for at, child in node.value:
        if not isinstance(at, yaml.ScalarNode):
            raise Part(file, at, None).error("a key that is a list or a mapping", "a word as key")
        if at.tag == f"{_PREFIX}merge":
            for source in child.value if isinstance(child, yaml.SequenceNode) else (child,):
                merged = {**_merged(file, source), **merged}
        elif at.value in own:
            first = own[at.value][0].start_mark.line + 1
            raise Part(file, at, at.value).error(f"{at.value!r} stands here and on line {first}", "each key once")
        else:
            own[str(at.value)] = (at, child)
    return {**merged, **own}


def _merged(file: str, source: yaml.Node) -> dict[str, tuple[yaml.Node, yaml.Node]]:
    if not isinstance(source, yaml.MappingNode):
        raise Part(file, source, None).error("'<<' of something that is no mapping", "an alias of a mapping")
    return _pairs(file, source)
