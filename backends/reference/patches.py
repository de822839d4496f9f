"""JSON merge patch (RFC 7386) and JSON patch (RFC 6902) on trees that are never changed in place."""

from typing import Any

from pvkit.backends.errors import Invalid
from pvkit.backends.objects import Obj

_REFUSED = "the server rejected our request due to an error in our request"


def patched(obj: Obj, patch: Any) -> Obj:
    """The object after a patch: a mapping is a merge patch, a list a JSON patch (VALID-120 on a failing one)."""
    if isinstance(patch, list):
        for step in patch:
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
    path = [part.replace("~1", "/").replace("~0", "~") for part in str(step.get("path", "")).split("/")[1:]]
    changed: Obj = _edit(obj, path, step)
    return changed


def _edit(node: Any, path: list[str], step: Obj) -> Any:
    if isinstance(node, list):
        return _edit_list(node, path, step)
    if not isinstance(node, dict) or not path:
        raise Invalid(_REFUSED)
    head, rest = path[0], path[1:]
    if rest:
        if head not in node:
            raise Invalid(_REFUSED)
        return {**node, head: _edit(node[head], rest, step)}
    return _edit_field(node, head, step)


def _edit_field(node: Obj, field: str, step: Obj) -> Obj:
    match step.get("op"):
        case "add":
            return {**node, field: step.get("value")}
        case "replace" if field in node:
            return {**node, field: step.get("value")}
        case "remove" if field in node:
            return {name: value for name, value in node.items() if name != field}
        case "test" if node.get(field) == step.get("value"):
            return node
    raise Invalid(_REFUSED)


def _edit_list(node: list[Any], path: list[str], step: Obj) -> list[Any]:
    position = len(node) if path[0] == "-" else int(path[0]) if path[0].isdigit() else -1
    append = len(path) == 1 and step.get("op") == "add"
    if position < 0 or position > len(node) or (position == len(node) and not append):
        raise Invalid(_REFUSED)
    if append:
        return [*node[:position], step.get("value"), *node[position:]]
    edited = _edit_field({"at": node[position]}, "at", step) if len(path) == 1 else None
    if edited is None:
        return [*node[:position], _edit(node[position], path[1:], step), *node[position + 1 :]]
    return [*node[:position], *edited.values(), *node[position + 1 :]]
