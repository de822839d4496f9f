"""What clients ask for, one request at a time: gentle and forced deletions, changes allowed and refused, scaling.

Plans make their requests by moves, which know the world. These strategies are for tests of one's own: they take the
objects to ask about, and refer to them by their keys.
"""

from collections.abc import Iterable

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from pvkit.backends.errors import UsageError
from pvkit.backends.objects import API_VERSIONS, LEDGERS, NAMESPACED, Key, Obj
from pvkit.backends.protocol import Operation
from pvkit.backends.storage import BIND_COMPLETED, BOUND_BY_CONTROLLER, SELECTED_NODE
from pvkit.backends.workloads import BEHAVIOUR
from pvkit.strategies.digits import Digits, digits
from pvkit.strategies.pods import BEHAVIOURS
from pvkit.strategies.quantities import SIZES
from pvkit.strategies.volumes import STALE_UID

PROPAGATION = ("Background", "Foreground", "Orphan")
HOLD = "example.com/hold"
"""Somebody else's finalizer."""

_LABELS: tuple[Obj, ...] = (
    {"metadata": {"labels": {"zone": "a"}}},
    {"metadata": {"labels": {"zone": None}}},
    {"metadata": {"finalizers": [HOLD]}},
    {"metadata": {"finalizers": None}},
)
_CHANGES: dict[str, tuple[Obj, ...]] = {
    "PersistentVolume": (
        {"spec": {"claimRef": None}},
        {"spec": {"claimRef": {"uid": None}}},
        {"spec": {"claimRef": {"uid": STALE_UID}}},
        {"spec": {"accessModes": ["ReadWriteMany"]}},
        {"metadata": {"annotations": {BOUND_BY_CONTROLLER: None}}},
        *({"spec": {"persistentVolumeReclaimPolicy": policy}} for policy in ("Delete", "Retain", "Recycle")),
        *({"spec": {"capacity": {"storage": size}}} for size in SIZES[:6]),
    ),
    "PersistentVolumeClaim": (
        {"spec": {"volumeName": "v1"}},
        {"spec": {"storageClassName": "slow"}},
        {"spec": {"volumeAttributesClassName": "gold"}},
        {"metadata": {"annotations": {BIND_COMPLETED: None}}},
        {"metadata": {"annotations": {SELECTED_NODE: None}}},
        *({"spec": {"resources": {"requests": {"storage": size}}}} for size in ("10Gi", "5Gi", "512Mi")),
    ),
    "Pod": tuple({"metadata": {"annotations": {BEHAVIOUR: word}}} for word in (*BEHAVIOURS, None)),
    "StatefulSet": (
        {"spec": {"template": {"metadata": {"annotations": {"example.com/round": "2"}}}}},
        {"spec": {"template": {"metadata": {"annotations": {BEHAVIOUR: "unready"}}}}},
        {"spec": {"updateStrategy": {"type": "OnDelete", "rollingUpdate": None}}},
        {"spec": {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}}},
        {"spec": {"ordinals": {"start": 1}}},
        {"spec": {"minReadySeconds": 10}},
        {"spec": {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete", "whenScaled": "Delete"}}},
        {"spec": {"podManagementPolicy": "Parallel"}},
    ),
    "Node": ({"spec": {"unschedulable": True}}, {"spec": {"unschedulable": None}}),
}
"""Merge patches a kind. Some are refused by a server, as they are of fields that never change."""


def _known(kind: str) -> str:
    if kind not in API_VERSIONS or kind in LEDGERS:
        choices = ", ".join(sorted(set(API_VERSIONS) - LEDGERS))
        raise UsageError(f"unknown kind {kind!r}; choose from {choices}")
    return kind


def _keys(targets: Iterable[Key], what: str) -> list[Key]:
    found = list(targets)
    if not found:
        raise UsageError(f"{what}({found!r}): at least one object is needed to ask about")
    for at in found:
        if (_known(at.kind) in NAMESPACED) != bool(at.namespace):
            need = "a namespace" if at.kind in NAMESPACED else "no namespace"
            raise UsageError(f"{what}: {at} must have {need}")
    return found


def creations(objects: SearchStrategy[Obj]) -> SearchStrategy[Operation]:
    """A request to create each of the objects drawn."""
    return objects.map(lambda obj: Operation("create", obj))


def deletions(targets: Iterable[Key]) -> SearchStrategy[Operation]:
    """Deletions of the objects named; shrinks to a gentle one of the first.

    Boosted: every propagation policy, no grace, and a UID that the object does not have, which must be refused.
    Raises `UsageError` when nothing is named.
    """
    found = _keys(targets, "deletions")
    options: list[Obj] = [{}, {}, {}, *({"propagation": how} for how in PROPAGATION), {"grace": 0}, {"uid": STALE_UID}]
    return digits(2).map(
        lambda numbers: Operation("delete", target=numbers.pick(found), options=dict(numbers.pick(options)))
    )


def changes(targets: Iterable[Key]) -> SearchStrategy[Operation]:
    """Merge patches of the objects named: labels and foreign finalizers of all, and what matters of each kind.

    Boosted: references cleared wholly or of their UID, policies, sizes, marks of binding, behaviours of pods, and
    fields that never change. Raises `UsageError` when nothing is named.
    """
    found = _keys(targets, "changes")

    def made(numbers: Digits) -> Operation:
        at = numbers.pick(found)
        return Operation("patch", target=at, patch=numbers.pick((*_LABELS, *_CHANGES.get(at.kind, ()))))

    return digits(2).map(made)


def scalings(targets: Iterable[Key], most: int = 4) -> SearchStrategy[Operation]:
    """Sets scaled to at most so many replicas; shrinks to none. Raises `UsageError` for other kinds."""
    found = _keys(targets, "scalings")
    for at in found:
        if at.kind != "StatefulSet":
            raise UsageError(f"scalings: {at} cannot be scaled; name a StatefulSet")
    if most < 0:
        raise UsageError(f"scalings(most={most}): the number of replicas cannot be negative")
    return st.builds(
        lambda at, count: Operation("scale", target=at, options={"replicas": count}),
        st.sampled_from(found),
        st.integers(0, most),
    )


def operations(targets: Iterable[Key]) -> SearchStrategy[Operation]:
    """Reads, changes and deletions of the objects named, and scalings of the sets among them; shrinks to a read."""
    found = _keys(targets, "operations")
    sets = [at for at in found if at.kind == "StatefulSet"]
    reads = st.sampled_from(found).map(lambda at: Operation("get", target=at))
    return st.one_of(reads, changes(found), deletions(found), *([scalings(sets)] if sets else []))
