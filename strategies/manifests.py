"""Kubernetes manifests in files, as kubectl takes them, checked as far as a plan depends on them.

Kinds, versions, names and quantities are looked at here, where the line is known. All else is for the API server to
refuse, because a plan may ask for what is refused on purpose. A server passes over a field that it does not know; who
reads manifests to give an answer about them must not.
"""

from collections.abc import Iterator
from pathlib import Path

from pvkit.backends.objects import API_VERSIONS, LEDGERS, Obj
from pvkit.backends.quantities import QuantityError, amount
from pvkit.backends.reference.validation.schemas import KINDS as SHAPES
from pvkit.backends.reference.validation.shapes import Many, Shape, Struct
from pvkit.strategies.documents import Part, read_documents

KINDS = tuple(sorted(set(API_VERSIONS) - LEDGERS))
_QUANTITIES = frozenset({"capacity", "requests", "limits", "hard", "allocatable", "allocatedResources", "max", "min"})


def read_manifests(path: str | Path, known_only: bool = False) -> list[Obj]:
    """The objects of a file of one or more documents, lists unrolled; raises `PlanError` with file and line.

    With `known_only` a field that no server knows is an error, too, in what a volume is and in what a claim asks for,
    and so is a volume, a claim or a template of claims that says nothing of it.
    """
    parts = [part for document in read_documents(path) for part in _items(document)]
    found = [manifest(part) for part in parts]
    for part, obj in zip(parts, found, strict=True):
        if known_only:
            _check_claims_and_volumes(part, obj["kind"])
    return found


def manifests(part: Part) -> list[Obj]:
    """The objects of one document: itself, or the items of a list."""
    return [manifest(item) for item in _items(part)]


def _items(part: Part) -> Iterator[Part]:
    part.of(dict, "a manifest")
    kind = part.need("kind", "the kind of object, such as 'kind: PersistentVolume'")
    items = part.get("items")
    if str(kind.value).endswith("List") and items is not None:
        for item in items.parts():
            yield from _items(item)
    else:
        yield part


def _check_claims_and_volumes(part: Part, kind: str) -> None:
    """Refuse what a server would pass over or miss in what a volume is, and in what a claim or a template asks for."""
    if kind in ("PersistentVolume", "PersistentVolumeClaim"):
        _check_fields(part.need("spec", f"the spec of this {kind}"), SHAPES[kind].fields["spec"])
    spec = part.get("spec") if kind == "StatefulSet" else None
    made = spec.get("volumeClaimTemplates") if spec is not None else None
    for template in made.parts() if made is not None else ():
        template.need("metadata", "'metadata' with a name").need("name", "the name of this template").text("name")
        asked = template.need("spec", "the spec of this template")
        _check_fields(asked, SHAPES["PersistentVolumeClaim"].fields["spec"])


def _check_fields(part: Part, shape: Shape) -> None:
    if isinstance(shape, Struct) and isinstance(part.value, dict) and not shape.open:
        part.only(shape.fields, "field")
        for field in part.value:
            child = part.get(field)
            assert child is not None
            _check_fields(child, shape.fields[field])
    elif isinstance(shape, Many) and isinstance(part.value, list):
        for entry in part.parts():
            _check_fields(entry, shape.of)


def manifest(part: Part, only_kind: str = "") -> Obj:
    """One object, whose kind, version, name and quantities make sense; `only_kind` is meant where none is said."""
    part.of(dict, "a manifest")
    kind_part = part.get("kind") if only_kind else part.need("kind", "the kind of object")
    kind = kind_part.one_of((only_kind,) if only_kind else KINDS, "kind") if kind_part else only_kind
    version = part.get("apiVersion")
    if version is not None and version.value != API_VERSIONS[kind]:
        raise version.error(f"{version.value!r} is not the version of a {kind}", repr(API_VERSIONS[kind]))
    metadata = part.need("metadata", "'metadata' with a name")
    if not metadata.of(dict).get("generateName"):
        metadata.need("name", f"the name of this {kind}").text("name")
    check_quantities(part)
    return dict(part.value)


def check_quantities(part: Part) -> None:
    """Look at every amount of resources below a part; raises `PlanError` at the first that is none."""
    if isinstance(part.value, list):
        for entry in part.parts():
            check_quantities(entry)
    elif isinstance(part.value, dict):
        for field in part.value:
            child = part.get(field)
            assert child is not None
            if field in _QUANTITIES and isinstance(child.value, dict):
                _check(child)
            else:
                check_quantities(child)


def _check(amounts: Part) -> None:
    for resource in amounts.value:
        entry = amounts.get(resource)
        if entry is None or entry.value is None or isinstance(entry.value, dict):
            continue
        try:
            amount(entry.value)
        except (QuantityError, TypeError):
            seen = f"{entry.value!r} is no quantity"
            raise entry.error(seen, "a number with a suffix such as 500m, 5G, 0.5Gi or 1e3") from None
