"""Whether a driver that tells how much storage is left has enough for a claim on a node (SCHED-12)."""

from collections.abc import Hashable, Iterable
from typing import Any

from pvkit.backends.objects import Obj, get, labels, selects
from pvkit.backends.quantities import amount, whole
from pvkit.backends.reference.view import Seen
from pvkit.backends.storage import requested
from pvkit.backends.tables import Index


def _by_class(capacity: Obj) -> Iterable[tuple[Hashable, Any]]:
    yield capacity.get("storageClassName"), ()


BY_CLASS = Index("capacities by class", "CSIStorageCapacity", _by_class)


def has_capacity(seen: Seen, claim: Obj, storage_class: Obj, node: Obj) -> bool:
    """Whether there is room: no CSIDriver that opts in, no storage request, or one capacity object that fits."""
    driver = seen.get("CSIDriver", "", str(storage_class.get("provisioner")))
    if driver is None or not (driver.get("spec") or {}).get("storageCapacity"):
        return True
    if get(claim, "spec", "resources", "requests", "storage") is None:
        return True
    found = seen.find(BY_CLASS, storage_class["metadata"]["name"])
    return any(_holds(capacity, claim) and _covers(capacity, node) for capacity in found)


def _holds(capacity: Obj, claim: Obj) -> bool:
    limit = capacity.get("maximumVolumeSize", capacity.get("capacity"))
    return limit is not None and amount(limit) >= whole(requested(claim))


def _covers(capacity: Obj, node: Obj) -> bool:
    """A missing topology matches no node, an empty selector every node."""
    topology = capacity.get("nodeTopology")
    return topology is not None and selects(topology, labels(node))
