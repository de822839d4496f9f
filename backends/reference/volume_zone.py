"""Zones and regions that a volume carries as labels must be those of the node (SCHED-25)."""

from collections.abc import Iterable, Mapping

from pvkit.backends.objects import Obj, labels
from pvkit.backends.reference.view import Seen
from pvkit.backends.storage import volume_name
from pvkit.backends.workloads import claim_volumes

WRONG_ZONE = "node(s) had no available volume zone"
_LABELS = {
    "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region": "topology.kubernetes.io/region",
}
"""The labels that are compared, each with the one that stands in for it on a node."""


def missing_volume(seen: Seen, pod: Obj) -> str:
    """The refusal of a pod with a claim whose volume does not exist; "" if all do. Ephemeral claims do not count."""
    for claim_name, ephemeral in claim_volumes(pod):
        claim = seen.get("PersistentVolumeClaim", pod["metadata"]["namespace"], claim_name)
        if claim is None or ephemeral or not volume_name(claim):
            continue
        if seen.get("PersistentVolume", "", volume_name(claim)) is None:
            return f'persistentvolume "{volume_name(claim)}" not found'
    return ""


def outside_zone(seen: Seen, bound: Iterable[Obj], node: Obj) -> bool:
    """Whether a node lies outside the zone or region of one of these claims' volumes."""
    marks = labels(node)
    if not any(label in marks for label in _LABELS):
        return False
    volumes = [seen.get("PersistentVolume", "", volume_name(claim)) for claim in bound]
    return any(volume is not None and not _inside(volume, marks) for volume in volumes)


def _inside(volume: Obj, marks: Mapping[str, str]) -> bool:
    for label, current_name in _LABELS.items():
        zones = labels(volume).get(label)
        if zones is not None and marks.get(label, marks.get(current_name)) not in zones.split("__"):
            return False
    return True
