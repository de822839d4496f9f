"""Selectors: of labels, of nodes, of topologies."""

from collections.abc import Iterator

from pvkit.backends.errors import Cause
from pvkit.backends.objects import Obj
from pvkit.backends.reference.validation import names
from pvkit.backends.reference.validation.fields import duplicate, each, forbidden, invalid, required
from pvkit.backends.reference.validation.metadata import marked

_BAD_OPERATOR = "not a valid selector operator"
GA_KEYS = {
    "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
    "beta.kubernetes.io/os": "kubernetes.io/os",
    "beta.kubernetes.io/arch": "kubernetes.io/arch",
    "beta.kubernetes.io/instance-type": "node.kubernetes.io/instance-type",
}
"""Labels of nodes that changed their name; node affinity may follow them (VALID-32)."""


def label_selector(selector: Obj, path: str) -> Iterator[Cause]:
    """What is wrong with a label selector (VALID-48, VALID-89)."""
    yield from marked(selector.get("matchLabels") or {}, f"{path}.matchLabels")
    for position, term in enumerate(selector.get("matchExpressions") or []):
        where = f"{path}.matchExpressions[{position}]"
        yield from _sets(term, where, single=False)
        yield from each(f"{where}.key", term.get("key", ""), names.key(term.get("key", "")))
        yield from _values(term, where)


def _sets(term: Obj, where: str, single: bool) -> Iterator[Cause]:
    """Whether operator and number of values go together; `single` knows the operators Gt and Lt as well."""
    values = term.get("values") or []
    match term.get("operator", ""):
        case "In" | "NotIn":
            if not values:
                yield required(f"{where}.values", "must be specified when `operator` is 'In' or 'NotIn'")
        case "Exists" | "DoesNotExist":
            if values:
                yield forbidden(f"{where}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
        case "Gt" | "Lt" if single:
            if len(values) != 1:
                yield required(f"{where}.values", "must be specified single value when `operator` is 'Lt' or 'Gt'")
        case operator:
            yield invalid(f"{where}.operator", operator, _BAD_OPERATOR)


def _values(term: Obj, where: str) -> Iterator[Cause]:
    for position, value in enumerate(term.get("values") or []):
        yield from each(f"{where}.values[{position}]", value, names.value(value))


def node_selector(selector: Obj, path: str, strict: bool) -> Iterator[Cause]:
    """What is wrong with a node selector (VALID-13, 14, 72, 73); only a `strict` server looks at labels' values."""
    terms = selector.get("nodeSelectorTerms") or []
    if not terms:
        yield required(f"{path}.nodeSelectorTerms", "must have at least one node selector term")
    for position, term in enumerate(terms):
        where = f"{path}.nodeSelectorTerms[{position}]"
        for at, expression in enumerate(term.get("matchExpressions") or []):
            yield from _node_label(expression, f"{where}.matchExpressions[{at}]", strict)
        for at, expression in enumerate(term.get("matchFields") or []):
            yield from _node_field(expression, f"{where}.matchFields[{at}]")


def _node_label(term: Obj, where: str, strict: bool) -> Iterator[Cause]:
    yield from _sets(term, where, single=True)
    yield from each(f"{where}.key", term.get("key", ""), names.key(term.get("key", "")))
    if strict:
        yield from _values(term, where)


def _node_field(term: Obj, where: str) -> Iterator[Cause]:
    values = term.get("values") or []
    if term.get("operator") not in ("In", "NotIn"):
        yield invalid(f"{where}.operator", term.get("operator", ""), _BAD_OPERATOR)
    elif len(values) != 1:
        detail = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
        yield required(f"{where}.values", detail)
    if term.get("key") != "metadata.name":
        yield invalid(f"{where}.key", term.get("key", ""), "not a valid field selector key")
        return
    for position, value in enumerate(values):
        yield from each(f"{where}.values[{position}]", value, names.subdomain(value))


def with_ga_keys(new: Obj, old: Obj) -> Obj:
    """Stored node affinity as it reads if each beta key has become GA where the new affinity has it so."""
    terms = [_followed(a, b) for a, b in zip(_terms(new), _terms(old), strict=False)]
    if len(_terms(new)) != len(_terms(old)):
        return old
    return {"required": {"nodeSelectorTerms": terms}}


def _terms(affinity: Obj) -> list[Obj]:
    return (affinity.get("required") or {}).get("nodeSelectorTerms") or []


def _followed(new: Obj, old: Obj) -> Obj:
    followed = dict(old)
    for part in ("matchExpressions", "matchFields"):
        if len(new.get(part) or []) == len(old.get(part) or []) and old.get(part):
            followed[part] = [
                {**before, "key": after["key"]} if GA_KEYS.get(before["key"]) == after["key"] else before
                for after, before in zip(new[part], old[part], strict=True)
            ]
    return followed


def topologies(terms: list[Obj], path: str) -> Iterator[Cause]:
    """What is wrong with the allowed topologies of a class (VALID-112)."""
    seen: list[dict[str, frozenset[str]] | None] = [None] * len(terms)
    for position, term in enumerate(terms):
        where = f"{path}[{position}].matchLabelExpressions"
        meant: dict[str, frozenset[str]] = {}
        for at, requirement in enumerate(term.get("matchLabelExpressions") or []):
            yield from _topology(requirement, f"{where}[{at}]")
            if requirement["key"] in meant:
                yield duplicate(f"{where}[{at}].key", requirement["key"])
            meant[requirement["key"]] = frozenset(requirement.get("values") or ())
        if any((earlier or {}) == meant for earlier in seen):
            yield duplicate(where, "")
        seen.append(meant)


def _topology(requirement: Obj, where: str) -> Iterator[Cause]:
    values = requirement.get("values") or []
    if not values:
        yield required(f"{where}.values")
    for position, value in enumerate(values):
        if value in values[:position]:
            yield duplicate(f"{where}.values[{position}]", value)
    yield from each(f"{where}.key", requirement["key"], names.key(requirement["key"]))
