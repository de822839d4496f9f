"""Moves in which something ends: a pod, its node, a namespace, an owner before what it owns, one owner of two."""

from pvkit.backends.objects import Key, Obj, put, uid
from pvkit.backends.workloads import node_name
from pvkit.strategies.claims import claim
from pvkit.strategies.digits import Digits
from pvkit.strategies.moves.registry import move, pause
from pvkit.strategies.pods import pod
from pvkit.strategies.statefulsets import service, stateful_set
from pvkit.strategies.volumes import volume
from pvkit.strategies.world import World

HELD = ["example.com/hold"]
GOING: tuple[Obj, ...] = ({"propagation": "Foreground"}, {}, {"propagation": "Foreground"}, {"propagation": "Orphan"})


@move("endings", weight=6)
def end_a_pod(world: World, numbers: Digits) -> None:
    """A pod runs, or has run, and is deleted, perhaps while somebody holds it or changes what he is charged with."""
    used: tuple[str, ...] = ()
    if numbers.chance(90):
        used = (world.fresh("PersistentVolumeClaim", numbers),)
        world.create(volume(world.fresh("PersistentVolume", numbers)))
        world.create(claim(*used))
    called, how = world.fresh("Pod", numbers), numbers.pick(("", "", "evicted", "finish", "crash"))
    held, made = numbers.chance(110), pod(called, *used, behaviour=how)
    at = Key("Pod", "default", called)
    world.create(put(made, ("metadata", "finalizers"), HELD) if held else made)
    world.settle()
    world.delete(at)
    if numbers.chance(190):
        world.settle()
    if held and numbers.chance(128):
        world.patch(at, {"metadata": {"finalizers": None}})
    pause(world, numbers)


@move("endings", weight=6)
def end_a_node(world: World, numbers: Digits) -> None:
    """A node is deleted while a pod runs on it."""
    called = world.fresh("Pod", numbers)
    world.create(pod(called))
    world.settle()
    found = world.read(Key("Pod", "default", called))
    if found is not None and node_name(found):
        world.delete(Key("Node", "", node_name(found)))
    pause(world, numbers)


@move("endings", weight=6)
def end_a_namespace(world: World, numbers: Digits) -> None:
    """A namespace is deleted, with something in it or with nothing; somebody may come too late."""
    if not world.setup.namespaces:
        return
    where = world.setup.namespaces[0]
    world.has("namespaces")
    if numbers.chance(128):
        world.create(claim(world.fresh("PersistentVolumeClaim", numbers, where), namespace=where))
    if numbers.chance(90):
        world.create(pod(world.fresh("Pod", numbers, where), namespace=where))
    world.delete(Key("Namespace", "", where))
    if numbers.chance(100):
        world.create(claim(world.fresh("PersistentVolumeClaim", numbers, where), namespace=where))
    pause(world, numbers)


def owned(obj: Obj, *by: Obj, blocks: bool = True) -> Obj:
    """An object that belongs to others."""
    references = [
        {
            "apiVersion": owner["apiVersion"],
            "kind": owner["kind"],
            "name": owner["metadata"]["name"],
            "uid": uid(owner),
            **({"blockOwnerDeletion": True} if blocks else {}),
        }
        for owner in by
    ]
    return put(obj, ("metadata", "ownerReferences"), references)


def made(world: World, obj: Obj) -> Obj | None:
    """An object as it is once it is created; `None` when that was left out."""
    outcome = world.create(obj)
    return outcome.object if outcome is not None and outcome.status == "ok" else None


@move("owners", weight=6)
def end_an_owner(world: World, numbers: Digits) -> None:
    """An owner is deleted before what it owns, after it or without it; a finalizer may hold what it owns."""
    owner = made(world, service(world.fresh("Service", numbers)))
    if owner is None:
        return
    called = world.fresh("Service", numbers)
    child = owned(service(called), owner, blocks=numbers.chance(128))
    held = numbers.chance(128)
    world.create(put(child, ("metadata", "finalizers"), HELD) if held else child)
    pause(world, numbers)
    world.delete(Key("Service", "default", owner["metadata"]["name"]), **numbers.pick(GOING))
    pause(world, numbers)
    if held and numbers.chance(90):
        world.patch(Key("Service", "default", called), {"metadata": {"finalizers": None}})
        pause(world, numbers)


@move("owners", weight=6)
def end_one_of_two_owners(world: World, numbers: Digits) -> None:
    """Of two owners one goes."""
    owners = [made(world, service(world.fresh("Service", numbers))) for _ in range(2)]
    first, second = owners
    if first is None or second is None:
        return
    kind = numbers.pick(("Service", "StatefulSet"))
    called = world.fresh(kind, numbers)
    child = service(called) if kind == "Service" else stateful_set(called, replicas=0)
    world.create(owned(child, first, second))
    pause(world, numbers)
    world.delete(Key("Service", "default", first["metadata"]["name"]), **numbers.pick(GOING[:3]))
    pause(world, numbers)


COLLECTOR = "garbage-collector"


@move("strays", weight=8)
def unseen_owner(world: World, numbers: Digits) -> None:
    """The garbage collector does not see an owner come, or sees its forerunner going, when what it owns appears."""
    again = numbers.chance(140)
    kind, called = numbers.pick(("Service", "StatefulSet")), world.fresh("Service", numbers)
    other = "StatefulSet" if kind == "Service" else "Service"
    at = Key(kind, "default", called)
    owner = service(called) if kind == "Service" else stateful_set(called, replicas=0)
    if again:
        world.create(put(owner, ("metadata", "finalizers"), HELD))
        world.delete(at)
        world.settle()
    world.fault("hold", controller=COLLECTOR, kind=kind)
    if again:
        world.patch(at, {"metadata": {"finalizers": None}})
    found = made(world, owner)
    if found is None:
        return
    name = world.fresh(other, numbers)
    child = service(name) if other == "Service" else stateful_set(name, replicas=0)
    world.create(owned(child, found))
    pause(world, numbers)
    if numbers.chance(90):
        world.fault("release", controller=COLLECTOR, kind=kind)
        pause(world, numbers)


@move("strays", weight=6)
def late_collection(world: World, numbers: Digits) -> None:
    """What belongs to a gone owner is deleted and made again while the collector's own delete is under way."""
    owner = made(world, service(world.fresh("Service", numbers)))
    if owner is None:
        return
    called = world.fresh("Service", numbers)
    world.create(owned(service(called), owner))
    world.settle()
    world.fault("delay", controller=COLLECTOR, kind="Service", verb="delete", turns=numbers.pick((40, 20, 60)))
    world.delete(Key("Service", "default", owner["metadata"]["name"]))
    world.turns(numbers.pick((4, 2, 8)))
    world.delete(Key("Service", "default", called))
    world.create(service(called))
    pause(world, numbers)


@move("strays", weight=6)
def late_removal(world: World, numbers: Digits) -> None:
    """A pod is deleted by force and made again while its node's last delete of it is under way."""
    called = world.fresh("Pod", numbers)
    at, plain = Key("Pod", "default", called), pod(called)
    world.create(plain)
    world.settle()
    world.fault("advance", seconds=60.0)
    world.fault("delay", controller="kubelet", kind="Pod", verb="delete", turns=numbers.pick((60, 30, 90)))
    world.delete(at)
    world.turns(numbers.pick((8, 5, 12)))
    world.delete(at, grace=0)
    world.create(plain)
    pause(world, numbers)
