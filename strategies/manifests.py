"""Kubernetes manifests in files, as kubectl takes them, checked as far as a plan depends on them.

Kinds, versions, names and quantities are looked at here, where the line is known. All else is for the API server to
refuse, because a plan may ask for what is refused on purpose.
"""

from pathlib import Path

from pvkit.backends.objects import API_VERSIONS, LEDGERS, Obj
from pvkit.backends.quantities import QuantityError, amount
from pvkit.strategies.documents import Part, read_documents

KINDS = tuple(sorted(set(API_VERSIONS) - LEDGERS))
_QUANTITIES = frozenset({"capacity", "requests", "limits", "hard", "allocatable", "allocatedResources", "max", "min"})


def read_manifests(path: str | Path) -> list[Obj]:
    """The objects of a file of one or more documents, lists unrolled; raises `PlanError` with file and line."""
    return [obj for document in read_documents(path) for obj in manifests(document)]


def manifests(part: Part) -> list[Obj]:
    """The objects of one document: itself, or the items of a list."""
    part.of(dict, "a manifest")
    kind = part.need("kind", "the kind of object, such as 'kind: PersistentVolume'")
    items = part.get("items")
    if str(kind.value).endswith("List") and items is not None:
        return [obj for item in items.parts() for obj in manifests(item)]
    return [manifest(part)]


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
