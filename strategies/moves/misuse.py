"""Moves that ask for what may not be, or for what is there already: how an API server says no, and when it must not."""

from pvkit.backends.objects import Key, Obj, key, name, put
from pvkit.backends.protocol import Operation
from pvkit.strategies.digits import Digits
from pvkit.strategies.moves.edits import bare
from pvkit.strategies.moves.registry import move, pause
from pvkit.strategies.statefulsets import stateful_set
from pvkit.strategies.volumes import STALE_UID
from pvkit.strategies.world import World

FIXED: dict[str, tuple[Obj, ...]] = {
    "PersistentVolume": (
        {"spec": {"nfs": {"server": "192.0.2.9", "path": "/elsewhere"}}},
        {"spec": {"volumeMode": "Block"}},
    ),
    "PersistentVolumeClaim": ({"spec": {"accessModes": ["ReadWriteMany"]}}, {"spec": {"volumeMode": "Block"}}),
    "StatefulSet": ({"spec": {"serviceName": "other"}}, {"spec": {"podManagementPolicy": "Parallel"}}),
    "StorageClass": ({"provisioner": "example.com/other"}, {"reclaimPolicy": "Retain"}),
}
"""What must stay as it is, by kind."""


@move("requests", weight=8)
def change_what_is_fixed(world: World, numbers: Digits) -> None:
    """A patch of a field that must stay as it is."""
    kind = numbers.pick(tuple(FIXED))
    found = world.pick(kind, numbers)
    if found is not None:
        world.patch(key(found), numbers.pick(FIXED[kind]))
        pause(world, numbers)


@move("requests", weight=6)
def write_again(world: World, numbers: Digits) -> None:
    """An update of what was just read, a create of what is there, a delete of what is not."""
    kind = numbers.pick(("PersistentVolumeClaim", "PersistentVolume", "StatefulSet", "StorageClass"))
    found = world.pick(kind, numbers)
    if found is None or numbers.chance(64):
        world.delete(Key(kind, "" if kind in ("PersistentVolume", "StorageClass") else "default", "missing"))
    elif "spec" in found and numbers.chance(64):
        world.invoke(Operation("create", bare(found)))
    else:
        world.invoke(Operation("update", put(found, ("metadata", "labels", "again"), "yes")))
    pause(world, numbers)


@move("requests", weight=6)
def write_by_an_old_version(world: World, numbers: Digits) -> None:
    """Two people edit what they both read, or one deletes what another has made anew; each knows the older one only."""
    found = world.pick(numbers.pick(("PersistentVolumeClaim", "PersistentVolume", "StatefulSet", "Pod")), numbers)
    if found is not None:
        world.patch(key(found), {"metadata": {"labels": {"first": "here"}}})
        if numbers.chance(100):
            world.delete(key(found), uid=STALE_UID)
        else:
            world.invoke(Operation("update", put(found, ("metadata", "labels", "second"), "here")))
        pause(world, numbers)


@move("requests", weight=4, shows=("edits",))
def read_what_was_written(world: World, numbers: Digits) -> None:
    """An object is written, and read at once."""
    found = world.pick(numbers.pick(("PersistentVolumeClaim", "PersistentVolume", "StatefulSet", "Pod")), numbers)
    if found is not None:
        world.patch(key(found), {"metadata": {"labels": {"written": numbers.pick(("once", "twice"))}}})
        world.invoke(Operation("get", target=key(found)))
        pause(world, numbers)


@move("finalizers", weight=5)
def strip(world: World, numbers: Digits) -> None:
    """All finalizers are taken off a claim or volume that nobody wants to delete."""
    found = world.pick(numbers.pick(("PersistentVolumeClaim", "PersistentVolume")), numbers)
    if found is not None:
        world.patch(key(found), {"metadata": {"finalizers": None}})
        pause(world, numbers)


@move("requests", weight=5)
def write_what_others_decide(world: World, numbers: Digits) -> None:
    """Somebody wants to move a pod, or to change what a set's revision records."""
    kind = numbers.pick(("Pod", "ControllerRevision"))
    found = world.pick(kind, numbers)
    if found is None:
        called = world.fresh("StatefulSet", numbers)
        world.create(stateful_set(called))
        world.settle()
        found = world.pick(kind, numbers)
    if found is not None:
        world.patch(key(found), numbers.pick(DECIDED[kind]))
        pause(world, numbers)


DECIDED: dict[str, tuple[Obj, ...]] = {
    "Pod": ({"spec": {"nodeName": "n2"}}, {"spec": {"nodeName": "n3"}}),
    "ControllerRevision": ({"data": {"spec": {"replicas": 9}}}, {"data": {"other": True}}),
}


@move("requests", "finalizers", weight=5)
def hold_what_goes(world: World, numbers: Digits) -> None:
    """An object is deleted, and while it goes somebody wants to keep it or to put something in its place."""
    found = world.pick(numbers.pick(("PersistentVolumeClaim", "PersistentVolume", "Pod")), numbers)
    if found is None:
        return
    world.delete(key(found))
    left = world.read(key(found))
    if left is not None:
        held = [*(left["metadata"].get("finalizers") or ()), "example.com/late"]
        world.patch(key(found), {"metadata": {"finalizers": held}})
    world.turns(numbers.number(8))
    pause(world, numbers)


@move("requests", weight=5)
def make_what_breaks_a_rule(world: World, numbers: Digits) -> None:
    """A volume or a claim that validation refuses."""
    kind = numbers.pick(("PersistentVolume", "PersistentVolumeClaim"))
    found = world.pick(kind, numbers)
    if found is None:
        return
    called = put(bare(found), ("metadata", "name"), f"{name(found)}-x")
    path = ("capacity",) if kind == "PersistentVolume" else ("resources", "requests")
    wrong = (
        put(called, ("spec", "accessModes"), []),
        put(called, ("spec", *path, "storage"), "-1Gi"),
        put(called, ("spec", "volumeMode"), "Raw"),
        put(called, ("metadata", "name"), "Not_A_Name"),
    )
    world.invoke(Operation("create", numbers.pick(wrong)))
    pause(world, numbers)
