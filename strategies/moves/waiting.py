"""Moves about pods that wait: for a volume, a claim or a node that comes later, for a choice that others make, too."""

from pvkit.backends.objects import Key, Obj
from pvkit.strategies.claims import claim
from pvkit.strategies.classes import LATE, MADE, storage_class
from pvkit.strategies.digits import Digits
from pvkit.strategies.moves.registry import move, pause
from pvkit.strategies.pods import pod
from pvkit.strategies.traits import Trait
from pvkit.strategies.volumes import HOSTNAME, ZONE, on_nodes, reserved, volume
from pvkit.strategies.world import World

PLACES: tuple[Obj, ...] = (
    on_nodes((HOSTNAME, "In", ("n1",)), (ZONE, "In", ("b",))),
    on_nodes((HOSTNAME, "In", ("n3",))),
    on_nodes((ZONE, "In", ("a",)), (HOSTNAME, "In", ("n3",))),
    {"required": {"nodeSelectorTerms": [{}, on_nodes((ZONE, "In", ("b",)))["required"]["nodeSelectorTerms"][0]]}},
    on_nodes((ZONE, "In", ("c",)), (HOSTNAME, "In", ("n1",))),
    {"required": {"nodeSelectorTerms": [{}]}},
)
"""Where a volume may be: by one of several terms, by a hostname that is another node's name, by an empty term."""


def claimed(world: World, numbers: Digits, storage_class: str = "fast", **size: str) -> Key:
    """A new claim."""
    called = world.fresh("PersistentVolumeClaim", numbers)
    world.create(claim(called, storage_class=storage_class, **size))
    return Key("PersistentVolumeClaim", "default", called)


@move("waits", weight=7)
def help_comes_late(world: World, numbers: Digits) -> None:
    """A pod waits, its claims too; then comes the claim, or the volume, and perhaps nothing else."""
    delayed = numbers.chance(128)
    cls = "late" if delayed else "fast"
    if delayed:
        world.ensure(storage_class("late", LATE))
    called = world.fresh("PersistentVolumeClaim", numbers)
    first = numbers.chance(200)
    if first:
        world.create(claim(called, storage_class=cls))
    world.create(pod(world.fresh("Pod", numbers), called))
    world.settle()
    if not first:
        world.create(claim(called, storage_class=cls))
    world.create(volume(world.fresh("PersistentVolume", numbers), storage_class=cls))
    pause(world, numbers)


@move("waits", "affinity", weight=7)
def go_where_it_is(world: World, numbers: Digits) -> None:
    """A pod's volume says in some words on which nodes it is."""
    delayed = numbers.chance(128)
    cls = "late" if delayed else "fast"
    if delayed:
        world.ensure(storage_class("late", LATE))
    place = Trait("affinity", {"nodeAffinity": numbers.pick(PLACES)})
    world.create(volume(world.fresh("PersistentVolume", numbers), place, storage_class=cls))
    if numbers.chance(64):
        place = Trait("affinity", {"nodeAffinity": numbers.pick(PLACES)})
        world.create(volume(world.fresh("PersistentVolume", numbers), place, storage_class=cls))
    used = claimed(world, numbers, cls)
    world.create(pod(world.fresh("Pod", numbers), used.name))
    pause(world, numbers)


@move("waits", weight=6)
def wait_beside_others(world: World, numbers: Digits) -> None:
    """A pod that somebody put on a node uses a claim that is not bound or not there; another pod has all it needs."""
    name = claimed(world, numbers, "grow").name if numbers.chance(190) else "missing"
    placed = pod(world.fresh("Pod", numbers), name, spec={"nodeName": "n1"})
    world.create(placed)
    pause(world, numbers)
    world.create(volume(world.fresh("PersistentVolume", numbers)))
    used = claimed(world, numbers)
    world.create(pod(world.fresh("Pod", numbers), used.name))
    pause(world, numbers)
    if name != "missing" and numbers.chance(128):
        promised = reserved(Key("PersistentVolumeClaim", "default", name))
        how = numbers.pick((promised, Trait("sizes")))
        world.create(volume(world.fresh("PersistentVolume", numbers), how, storage_class="grow"))
        pause(world, numbers)


@move("waits", "nodes", weight=6)
def another_for_the_node(world: World, numbers: Digits) -> None:
    """A volume is being made for one pod's node; the pod gives way to one that can only be elsewhere."""
    world.ensure(storage_class("slow", {**MADE, **LATE, "parameters": {"slow": "20"}}))
    used, first = claimed(world, numbers, "slow"), world.fresh("Pod", numbers)
    world.create(pod(first, used.name, spec={"nodeSelector": {HOSTNAME: "n1"}}))
    world.turns(numbers.pick((12, 20, 8)))
    if numbers.chance(200):
        world.delete(Key("Pod", "default", first), grace=0)
    other = first if numbers.chance(80) else world.fresh("Pod", numbers)
    world.create(pod(other, used.name, spec={"nodeSelector": {HOSTNAME: numbers.pick(("n2", "n3"))}}))
    pause(world, numbers)


@move("waits", weight=7)
def rely_on_what_goes(world: World, numbers: Digits) -> None:
    """A pod comes to use a claim that is to be deleted and that somebody holds."""
    called = world.fresh("PersistentVolumeClaim", numbers)
    world.create(volume(world.fresh("PersistentVolume", numbers)))
    world.create(claim(called, Trait("waits", finalizers=("example.com/hold",))))
    world.settle()
    world.delete(Key("PersistentVolumeClaim", "default", called))
    world.create(pod(world.fresh("Pod", numbers), called))
    pause(world, numbers)


@move("waits", weight=6)
def next_incarnation(world: World, numbers: Digits) -> None:
    """A pod is replaced by another of its name, on other claims or for another node, while its volume is being made."""
    world.ensure(storage_class("slow", {**MADE, **LATE, "parameters": {"slow": "20"}}))
    used, called = claimed(world, numbers, "slow"), world.fresh("Pod", numbers)
    world.create(pod(called, used.name))
    world.turns(numbers.pick((10, 6, 16)))
    world.delete(Key("Pod", "default", called), grace=0)
    other = numbers.pick(("missing", "c8", used.name))
    if other == "c8":
        world.ensure(claim(other, storage_class="grow"))
    world.create(pod(called, other))
    pause(world, numbers)


@move("block", weight=4, shows=("delayed",))
def promise_what_does_not_fit(world: World, numbers: Digits) -> None:
    """A volume is promised to a claim that waits for its pod, and is of another volume mode, or of the same."""
    world.ensure(storage_class("late", LATE))
    mine = Key("PersistentVolumeClaim", "default", world.fresh("PersistentVolumeClaim", numbers))
    block = Trait("block", {"volumeMode": "Block"})
    asked, given = numbers.pick((((), (block,)), ((block,), ()), ((block,), (block,))))
    world.create(volume(world.fresh("PersistentVolume", numbers), reserved(mine), *given, storage_class="late"))
    world.create(claim(mine.name, *asked, storage_class="late"))
    world.create(pod(world.fresh("Pod", numbers), mine.name))
    pause(world, numbers)


@move("guesses", weight=7)
def choose_the_same(world: World, numbers: Digits) -> None:
    """Two pods want one volume, and the scheduler does not see what becomes of volumes, or dies, or there are two."""
    world.ensure(storage_class("late", LATE))
    held = world.fresh("PersistentVolume", numbers)
    world.create(volume(held, storage_class="late"))
    if numbers.chance(150):
        world.create(volume(world.fresh("PersistentVolume", numbers), storage_class="late", size="5Gi"))
    claims = [claimed(world, numbers, "late") for _ in range(2)]
    world.settle()
    word, options = numbers.pick(BLINDED)
    world.fault(word, controller="scheduler", **options)
    for used in claims:
        world.create(pod(world.fresh("Pod", numbers), used.name))
        world.turns(numbers.pick((0, 0, 2, 4, 8)))
    pause(world, numbers)


BLINDED: tuple[tuple[str, Obj], ...] = (
    ("hold", {"kind": "PersistentVolume"}),
    ("second_leader", {}),
    ("crash", {"after": 1, "lists": {"PersistentVolume": "stale:2"}}),
    ("delay", {"kind": "PersistentVolume", "verb": "update", "turns": 20}),
)
"""What keeps a scheduler from seeing what was chosen."""


@move("guesses", weight=6)
def choose_again(world: World, numbers: Digits) -> None:
    """What the scheduler chose for a pod is refused, or a client gives it away first, and the pod is tried again."""
    world.ensure(storage_class("late", LATE))
    held = world.fresh("PersistentVolume", numbers)
    world.create(volume(held, storage_class="late"))
    used = claimed(world, numbers, "late")
    world.settle()
    at, taken = Key("PersistentVolume", "", held), numbers.chance(128)
    world.fault("refuse", controller="scheduler", kind="PersistentVolume", verb="update", answer="conflict")
    first = world.fresh("Pod", numbers)
    world.create(pod(first, used.name))
    world.turns(numbers.pick((4, 2, 6, 8)))
    if numbers.chance(170):
        world.delete(Key("Pod", "default", first), grace=0)
        world.delete(used)
        pause(world, numbers)
        world.create(pod(world.fresh("Pod", numbers), claimed(world, numbers, "late").name))
        world.settle()
    elif taken:
        world.patch(at, {"spec": {"claimRef": {"namespace": "default", "name": "elsewhere"}}})
        pause(world, numbers)
    if numbers.chance(150):
        world.create(volume(world.fresh("PersistentVolume", numbers), storage_class="late", size="5Gi"))
    pause(world, numbers)
