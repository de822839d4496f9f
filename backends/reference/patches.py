"""JSON merge patch (RFC 7386) and JSON patch (RFC 6902) on trees that are never changed in place.

As on a real API server, a field that is not there reads as null to `test` and `copy`, and `replace` adds it.
"""

from typing import Any

from pvkit.backends.errors import Invalid
from pvkit.backends.objects import Obj

_REFUSED = "the server rejected our request due to an error in our request"
_ABSENT = object()


def patched(obj: Obj, patch: Any) -> Obj:
    """The object after a patch: a mapping is a merge patch, a list a JSON patch (VALID-120 on a failing one)."""
    if isinstance(patch, list):
        for step in patch:
            if not isinstance(step, dict):
                raise Invalid(_REFUSED)
            obj = _step(obj, step)
        return obj
    merged: Obj = _merge(obj, patch)
    return merged


def _merge(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for field, value in patch.items():
        if value is None:
            result.pop(field, None)
        else:
            result[field] = _merge(result.get(field), value)
    return result


def _step(obj: Obj, step: Obj) -> Obj:
    path = _path(step.get("path"))
    match step.get("op"):
        case "test":
            if _at(obj, path) != step.get("value"):
                raise Invalid(_REFUSED)
            return obj
        case "add" | "replace" | "remove" as operation:
            return _edited(obj, path, operation, step.get("value"))
        case "copy":
            return _edited(obj, path, "add", _at(obj, _path(step.get("from"))))
        case "move":
            source = _path(step.get("from"))
            moved = _at(obj, source)
            return _edited(_edited(obj, source, "remove", None), path, "add", moved)
    raise Invalid(_REFUSED)


def _path(pointer: Any) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in str(pointer or "").split("/")[1:]]


def _at(node: Any, path: list[str]) -> Any:
    for position, part in enumerate(path):
        if isinstance(node, dict) and part not in node and position == len(path) - 1:
            return None
        if isinstance(node, list) and part.isdigit() and int(part) < len(node):
            node = node[int(part)]
        elif isinstance(node, dict) and part in node:
            node = node[part]
        else:
            raise Invalid(_REFUSED)
    return node


def _edited(obj: Obj, path: list[str], operation: str, value: Any) -> Obj:
    if not path:
        raise Invalid(_REFUSED)
    made: Obj = _edit(obj, path, operation, value)
    return made


def _edit(node: Any, path: list[str], operation: str, value: Any) -> Any:
    head, rest = path[0], path[1:]
    if isinstance(node, list):
        return _edit_list(node, head, rest, operation, value)
    if not isinstance(node, dict):
        raise Invalid(_REFUSED)
    if rest:
        return {**node, head: _edit(node.get(head, _ABSENT), rest, operation, value)}
    if operation == "remove" and head not in node:
        raise Invalid(_REFUSED)
    if operation == "remove":
        return {field: kept for field, kept in node.items() if field != head}
    return {**node, head: value}


def _edit_list(node: list[Any], head: str, rest: list[str], operation: str, value: Any) -> list[Any]:
    inserts = operation == "add" and not rest
    position = len(node) if head == "-" else int(head) if head.isdigit() else -1
    if not 0 <= position < len(node) + inserts:
        raise Invalid(_REFUSED)
    before, after = node[:position], node[position + 1 :]
    if inserts:
        return [*before, value, *node[position:]]
    if rest:
        return [*before, _edit(node[position], rest, operation, value), *after]
    return [*before, *after] if operation == "remove" else [*before, value, *after]
