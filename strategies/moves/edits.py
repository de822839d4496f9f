"""Moves in which an administrator or user changes or deletes what is there."""

from pvkit.backends.objects import Key, Obj, annotations, finalizers, get, key, labels, name, namespace, uid
from pvkit.backends.protocol import Operation
from pvkit.backends.storage import DEFAULT_CLASS, SELECTED_NODE, claim_ref, volume_name
from pvkit.strategies.digits import Digits
from pvkit.strategies.moves.registry import move, pause
from pvkit.strategies.quantities import SIZES
from pvkit.strategies.volumes import STALE_UID
from pvkit.strategies.world import World

FOREIGN = "example.com/hold"
DELETABLE = (
    "PersistentVolumeClaim", "PersistentVolume", "Pod", "PersistentVolumeClaim", "PersistentVolume", "Pod",
    "StatefulSet", "StorageClass", "PersistentVolumeClaim", "Node", "ControllerRevision", "Service",
)  # fmt: skip
PROPAGATION = ("", "", "", "Background", "Foreground", "Orphan")


@move("edits", "reservations", weight=7)
def edit_volume(world: World, numbers: Digits) -> None:
    """An administrator changes a volume: its reference, policy, labels, size or class."""
    volume = world.pick("PersistentVolume", numbers)
    if volume is None:
        return
    other = world.pick("PersistentVolumeClaim", numbers)
    patches: list[Obj] = [
        {"spec": {"claimRef": None}},
        {"spec": {"persistentVolumeReclaimPolicy": "Delete"}},
        {"spec": {"claimRef": {"uid": None, "resourceVersion": None}}},
        {"spec": {"persistentVolumeReclaimPolicy": "Retain"}},
        {"metadata": {"labels": {"zone": numbers.pick(("a", "b", None))}}},
        {"spec": {"capacity": {"storage": numbers.pick(SIZES)}}},
        {"spec": {"storageClassName": numbers.pick(("slow", "fast", ""))}},
        {"spec": {"claimRef": {"uid": STALE_UID}}} if claim_ref(volume) else {"spec": {"claimRef": None}},
        {"spec": {"claimRef": _reference(other)}} if other else {"spec": {"claimRef": None}},
        {"spec": {"accessModes": ["ReadWriteMany"]}},
        {"metadata": {"annotations": {"pv.kubernetes.io/bound-by-controller": numbers.pick((None, "yes"))}}},
    ]
    if volume["spec"].get("hostPath"):
        patches[1] = patches[3]
    world.patch(key(volume), numbers.pick(patches))
    pause(world, numbers)


def _reference(claim: Obj) -> Obj:
    return {"kind": "PersistentVolumeClaim", "namespace": namespace(claim), "name": name(claim), "uid": uid(claim)}


@move("edits", weight=5)
def edit_claim(world: World, numbers: Digits) -> None:
    """A user changes a claim: what may change, what may not, and the marks of its binding."""
    claim = world.pick("PersistentVolumeClaim", numbers)
    if claim is None:
        return
    named = world.pick("PersistentVolume", numbers)
    patches: list[Obj] = [
        {"metadata": {"labels": {"changed": "yes"}}},
        {"spec": {"volumeName": name(named) if named else "missing"}},
        {"metadata": {"annotations": {"pv.kubernetes.io/bind-completed": None}}},
        {"spec": {"storageClassName": numbers.pick(("fast", "slow", "made"))}},
        {"spec": {"accessModes": ["ReadWriteMany"]}},
        {"metadata": {"annotations": {SELECTED_NODE: numbers.pick((None, "n1", "n2"))}}},
        {"spec": {"volumeAttributesClassName": numbers.pick(("silver", "gold", None))}},
        {"spec": {"volumeMode": "Block"}},
        {"metadata": {"ownerReferences": []}},
    ]
    world.patch(key(claim), numbers.pick(patches))
    pause(world, numbers)


@move("expansion", weight=5)
def expand_claim(world: World, numbers: Digits) -> None:
    """A claim asks for more, or for less, bound or not."""
    bound = world.pick("PersistentVolumeClaim", numbers, lambda obj: bool(volume_name(obj)))
    claim = bound or world.pick("PersistentVolumeClaim", numbers)
    if claim is None:
        return
    size = numbers.pick(("10Gi", "20Gi", "5Gi", "10Gi", "1Gi", "512Mi"))
    world.patch(key(claim), {"spec": {"resources": {"requests": {"storage": size}}}})
    pause(world, numbers)


@move("deletions", "recreation", weight=14)
def delete_something(world: World, numbers: Digits) -> None:
    """An object is deleted, gently or by force, its dependents with it, before it or left behind."""
    kind = numbers.pick(DELETABLE)
    found = world.pick(kind, numbers) or world.pick("PersistentVolumeClaim", numbers)
    if found is None:
        return
    options: Obj = {}
    if numbers.chance(40) and kind == "Pod":
        options["grace"] = 0
    how = numbers.pick(PROPAGATION) if kind in ("StatefulSet", "PersistentVolumeClaim") else ""
    if how:
        options["propagation"] = how
    world.delete(key(found), **options)
    pause(world, numbers)


@move("recreation", weight=9)
def recreate(world: World, numbers: Digits) -> None:
    """What was deleted comes back under its name; one that is still there is deleted first."""
    gone = list(world.buried)
    at = numbers.number(max(len(gone), 1))
    if gone and numbers.chance(170):
        world.create(world.buried[gone[at]])
    else:
        found = world.pick(numbers.pick(("PersistentVolumeClaim", "PersistentVolume", "Pod", "StatefulSet")), numbers)
        if found is None:
            return
        world.delete(key(found))
        pause(world, numbers)
        world.create(world.buried.get(key(found)) or bare(found))
    pause(world, numbers)


def bare(obj: Obj) -> Obj:
    """An object as somebody would write it again: without what a server or controller put there."""
    metadata: Obj = {"name": name(obj), **({"namespace": namespace(obj)} if namespace(obj) else {})}
    if labels(obj):
        metadata["labels"] = dict(labels(obj))
    spec = {field: value for field, value in obj["spec"].items() if field not in ("claimRef", "volumeName", "nodeName")}
    return {
        **{field: obj[field] for field in ("apiVersion", "kind") if field in obj},
        "metadata": metadata,
        "spec": spec,
    }


@move("finalizers", weight=5)
def change_finalizers(world: World, numbers: Digits) -> None:
    """Somebody else's finalizer is put on an object, or taken off."""
    kind = numbers.pick(("PersistentVolumeClaim", "PersistentVolume", "Pod", "StatefulSet"))
    held = world.pick(kind, numbers, lambda obj: FOREIGN in finalizers(obj))
    found = held if held is not None and numbers.chance(150) else world.pick(kind, numbers)
    if found is None:
        return
    kept = [entry for entry in finalizers(found) if entry != FOREIGN]
    wanted = kept if FOREIGN in finalizers(found) else [*kept, FOREIGN]
    world.patch(key(found), {"metadata": {"finalizers": wanted or None}})
    pause(world, numbers)


@move("status", weight=3)
def write_status(world: World, numbers: Digits) -> None:
    """Somebody writes a status that is not theirs to write."""
    kind = numbers.pick(("PersistentVolume", "PersistentVolumeClaim", "Pod"))
    found = world.pick(kind, numbers)
    if found is None:
        return
    phases = {
        "PersistentVolume": ("Available", "Released", "Failed", "Bound"),
        "PersistentVolumeClaim": ("Pending", "Lost", "Bound"),
        "Pod": ("Failed", "Succeeded"),
    }
    world.patch(key(found), {"status": {"phase": numbers.pick(phases[kind])}}, subresource="status")
    pause(world, numbers)


@move("classes", "defaults", weight=3)
def edit_class(world: World, numbers: Digits) -> None:
    """A class becomes default or stops to be, or is deleted and made anew with other words."""
    found = world.pick("StorageClass", numbers)
    if found is None:
        return
    if numbers.chance(90):
        world.delete(key(found))
        pause(world, numbers)
        other = {"reclaimPolicy": numbers.pick(("Retain", "Delete"))}
        world.create({**world.buried.get(key(found), found), **other, "metadata": {"name": name(found)}})
    else:
        default = None if annotations(found).get(DEFAULT_CLASS) == "true" else "true"
        world.patch(key(found), {"metadata": {"annotations": {DEFAULT_CLASS: default}}})
    pause(world, numbers)


@move("edits", "status", "deletions", weight=7)
def ask(world: World, numbers: Digits) -> None:
    """A read, a repeated create, an update from an old copy: requests that change nothing or are refused."""
    kind = numbers.pick(("PersistentVolumeClaim", "PersistentVolume", "Pod", "StatefulSet"))
    found = world.pick(kind, numbers)
    if found is None:
        world.invoke(Operation("get", target=Key(kind, "", "missing")))
        return
    stale = {**found, "metadata": {**found["metadata"], "resourceVersion": "1", "labels": {"stale": "yes"}}}
    requests = (
        Operation("get", target=key(found)),
        Operation("list", target=Key(kind, namespace(found), "")),
        Operation("update", stale),
        Operation("create", bare(found)) if "spec" in found else Operation("get", target=key(found)),
        Operation("delete", target=key(found), options={"uid": STALE_UID}),
    )
    world.invoke(numbers.pick(requests))
    pause(world, numbers)


@move("nodes", "affinity", weight=3)
def edit_node(world: World, numbers: Digits) -> None:
    """A node changes its labels, is closed to new pods, or is opened again."""
    node = world.pick("Node", numbers)
    if node is None:
        return
    closed = bool(get(node, "spec", "unschedulable"))
    patches: tuple[Obj, ...] = (
        {"spec": {"unschedulable": not closed}},
        {"metadata": {"labels": {"topology.kubernetes.io/zone": numbers.pick(("b", "a", None))}}},
        {"metadata": {"labels": {"rank": numbers.pick(("5", "1", None))}}},
    )
    world.patch(key(node), numbers.pick(patches))
    pause(world, numbers)


@move("namespaces", weight=1)
def delete_namespace(world: World, numbers: Digits) -> None:
    """The other namespace is deleted with all that it holds."""
    if world.setup.namespaces and numbers.chance(128):
        world.delete(Key("Namespace", "", world.setup.namespaces[0]))
        pause(world, numbers)
