"""What a cluster at rest may still do, but only after so long a time that nobody waits for it.

A client of the work queue that fails backs off for up to a quarter of an hour, and the scheduler waits ten minutes for
the volumes of a pod. The model lets that time pass when it settles.
"""

from collections.abc import Iterable

from pvkit.backends.objects import Obj, deleting, get, name, namespace
from pvkit.backends.workloads import Named, is_finished, is_overdue, node_name


def awaiting_volumes(objects: Iterable[Obj]) -> set[Named]:
    """The pods, by namespace and name, that have a node in view and not yet the volumes that they need there."""
    pods = (obj for obj in objects if obj["kind"] == "Pod" and not is_finished(obj) and not node_name(obj))
    return {(namespace(pod), name(pod)) for pod in pods if get(pod, "status", "nominatedNodeName")}


def backing_off(objects: Iterable[Obj]) -> set[Named]:
    """The StatefulSets, by namespace and name, that lack a pod which nothing keeps them from making."""
    by_kind: dict[str, dict[Named, Obj]] = {"Pod": {}, "PersistentVolumeClaim": {}, "StatefulSet": {}}
    for obj in objects:
        by_kind.get(obj["kind"], {})[namespace(obj), name(obj)] = obj
    pods, claims = by_kind["Pod"], by_kind["PersistentVolumeClaim"]
    return {at for at, obj in by_kind["StatefulSet"].items() if not deleting(obj) and is_overdue(obj, pods, claims)}
