"""Moves about one pair and what stands beside it: a volume asked for by name, several that would do, several that are
promised to one claim, a volume that passes to its next owner."""

from pvkit.backends.objects import Key, Obj, key, phase, uid
from pvkit.backends.storage import volume_name
from pvkit.strategies.claims import claim
from pvkit.strategies.classes import LATE, storage_class
from pvkit.strategies.digits import Digits
from pvkit.strategies.matches import for_claim
from pvkit.strategies.moves.binding import PLENTY, answers, row_of
from pvkit.strategies.moves.registry import move, pause
from pvkit.strategies.pods import pod
from pvkit.strategies.traits import Trait
from pvkit.strategies.volumes import ROX, RWO, RWX, SOURCES, STALE_UID, reserved, volume
from pvkit.strategies.world import World

MARKED = Trait(annotations={"pv.kubernetes.io/bound-by-controller": "yes"})


@move("named", weight=5)
def ask_by_name(world: World, numbers: Digits) -> None:
    """A claim names its volume, which fits, just does not, or is taken; another volume would do."""
    row = row_of(world, numbers, "reservation")
    called = Key("PersistentVolumeClaim", "default", world.fresh("PersistentVolumeClaim", numbers))
    held, before = world.fresh("PersistentVolume", numbers), numbers.chance(90)
    trait, size = answers(row, numbers, called, 1)[0]
    plain = {} if "capacity" in trait.spec else {"size": size}
    named = claim(called.name, row.asks, Trait("named", {"volumeName": held}))
    if before:
        world.create(named)
        pause(world, numbers)
    world.create(volume(held, trait, **plain))
    if numbers.chance(100):
        world.create(volume(world.fresh("PersistentVolume", numbers), for_claim(row.fits[0], called)))
    if not before:
        world.turns(numbers.pick((0, 2)))
        world.create(named)
    pause(world, numbers)


WIDER: tuple[tuple[str, ...], ...] = ((RWO,), (RWO, ROX), (RWO, RWX), (RWO, ROX, RWX))
"""Sets of modes that all hold the first one, the fewer first."""


@move("plenty", weight=8)
def take_your_pick(world: World, numbers: Digits) -> None:
    """Several volumes fit one claim, by modes, sizes and ages that each speak for another one."""
    late = numbers.chance(100) and world.has("delayed")
    cls = "late" if late else "fast"
    if late:
        world.ensure(storage_class("late", LATE))
    called = Key("PersistentVolumeClaim", "default", world.fresh("PersistentVolumeClaim", numbers))
    for _ in range(2 + numbers.chance(110)):
        modes, size = Trait("plenty", {"accessModes": list(numbers.pick(WIDER))}), numbers.pick(PLENTY)
        traits = (modes, reserved(called)) if numbers.chance(36) else (modes,)
        world.create(volume(world.fresh("PersistentVolume", numbers), *traits, size=size, storage_class=cls))
    pause(world, numbers)
    world.create(claim(called.name, storage_class=cls))
    if late:
        world.turns(numbers.pick((0, 2)))
        world.create(pod(world.fresh("Pod", numbers), called.name))
    pause(world, numbers)


@move("plenty", "reservations", weight=4)
def promise_twice(world: World, numbers: Digits) -> None:
    """Several volumes are promised to one claim, by name or with its UID, by a person or, it seems, by the binder."""
    mine = Key("PersistentVolumeClaim", "default", world.fresh("PersistentVolumeClaim", numbers))
    world.create(claim(mine.name))
    pause(world, numbers)
    found = world.read(mine)
    for _ in range(2 + numbers.chance(60)):
        known = uid(found) if found is not None and numbers.chance(170) else ""
        traits = (reserved(mine, known), MARKED) if known and numbers.chance(90) else (reserved(mine, known),)
        world.create(volume(world.fresh("PersistentVolume", numbers), *traits, size=numbers.pick((*PLENTY, "512Mi"))))
    pause(world, numbers)


@move("pairs", weight=7)
def change_a_half(world: World, numbers: Digits) -> None:
    """A half of a bound pair is changed by hand: what it offers, what it asks for, whom it refers to, what it says."""
    bound = world.pick("PersistentVolumeClaim", numbers, lambda obj: phase(obj) == "Bound")
    if bound is None:
        called = world.fresh("PersistentVolumeClaim", numbers)
        world.create(volume(world.fresh("PersistentVolume", numbers)))
        world.create(claim(called))
        world.settle()
        bound = world.read(Key("PersistentVolumeClaim", "default", called))
    held = volume_name(bound) if bound is not None else ""
    if bound is None or not held:
        return
    gone = numbers.chance(90)
    if gone:
        world.delete(key(bound))
        world.settle()
    half = HALVES[0] if gone and numbers.chance(170) else numbers.pick(HALVES)
    patch, options = half
    at = Key("PersistentVolume", "", held) if gone or half in HALVES[:VOLUMES] else key(bound)
    world.patch(at, patch, **options)
    if numbers.chance(180):
        world.settle()
    else:
        pause(world, numbers)


HALVES: tuple[tuple[Obj, Obj], ...] = (
    ({"spec": {"claimRef": None}}, {}),
    ({"spec": {"accessModes": [RWX]}}, {}),
    ({"spec": {"capacity": {"storage": "512Mi"}}}, {}),
    ({"spec": {"accessModes": [RWO, RWX]}}, {}),
    ({"spec": {"claimRef": None}}, {}),
    ({"spec": {"claimRef": {"uid": None}}}, {}),
    ({"spec": {"persistentVolumeReclaimPolicy": "Delete"}}, {}),
    ({"status": {"phase": "Available"}}, {"subresource": "status"}),
    ({"metadata": {"labels": {"zone": "b"}}}, {}),
    ({"spec": {"volumeName": "v9"}}, {}),
    ({"spec": {"storageClassName": "slow"}}, {}),
    ({"metadata": {"annotations": {"pv.kubernetes.io/bind-completed": None}}}, {}),
    ({"metadata": {"labels": {"touched": "yes"}}}, {}),
    ({"spec": {"volumeName": "v1"}}, {}),
    ({"spec": {"storageClassName": "late"}}, {}),
)
"""Changes of a volume, then those of a claim."""
VOLUMES = 9
"""How many of the changes are of a volume."""


@move("goings", weight=6)
def lose_a_volume(world: World, numbers: Digits) -> None:
    """A bound volume is removed by force; later it is made again, for its claim, for nobody or for another."""
    called, held = world.fresh("PersistentVolumeClaim", numbers), world.fresh("PersistentVolume", numbers)
    world.create(volume(held))
    world.create(claim(called))
    world.settle()
    at, mine = Key("PersistentVolume", "", held), Key("PersistentVolumeClaim", "default", called)
    found = world.read(mine)
    world.delete(at)
    world.patch(at, {"metadata": {"finalizers": None}})
    if numbers.chance(216):
        world.settle()
    known = uid(found) if found is not None else ""
    again = ((reserved(mine, known),), (), (reserved(mine),), (reserved(mine, STALE_UID),))
    world.create(volume(held, *numbers.pick(again)))
    world.settle()


@move("goings", weight=6)
def ask_for_what_goes(world: World, numbers: Digits) -> None:
    """A volume that somebody holds is to be deleted, and a claim comes that it would fit."""
    held = world.fresh("PersistentVolume", numbers)
    world.create(volume(held, Trait("goings", finalizers=("example.com/hold",))))
    if numbers.chance(200):
        world.settle()
    world.delete(Key("PersistentVolume", "", held))
    named = (Trait("goings", {"volumeName": held}),) if numbers.chance(80) else ()
    world.create(claim(world.fresh("PersistentVolumeClaim", numbers), *named))
    pause(world, numbers)


KEPT = ("nfs", "nfs", "nfs", "nfs", "csi", "iscsi")
ALOOF = Trait("recycling", {"storageClassName": ""})
"""A class of their own, so that no other volume comes between."""


@move("recycling", weight=9)
def next_owner(world: World, numbers: Digits) -> None:
    """A pod leaves data in a volume; pod and claim go, and a claim of the old name or a new one comes, with its pod."""
    policy = numbers.pick(("Recycle", "Retain", "Recycle", "Delete", "Recycle", "Retain"))
    called, user = world.fresh("PersistentVolumeClaim", numbers), world.fresh("Pod", numbers)
    kind, held = numbers.pick(KEPT), world.fresh("PersistentVolume", numbers)
    traits = (Trait("sources", {kind: SOURCES[kind]}), Trait(spec={"persistentVolumeReclaimPolicy": policy}))
    world.create(volume(held, *traits, ALOOF))
    world.create(claim(called, ALOOF))
    if numbers.chance(216):
        world.create(pod(user, called))
    world.settle()
    world.delete(Key("Pod", "default", user))
    world.delete(Key("PersistentVolumeClaim", "default", called))
    if numbers.chance(190):
        world.settle()
    else:
        pause(world, numbers)
    second = (
        called if numbers.chance(170 if policy == "Retain" else 110) else world.fresh("PersistentVolumeClaim", numbers)
    )
    if policy == "Retain" and numbers.chance(190):
        world.create(volume(world.fresh("PersistentVolume", numbers), ALOOF))
    world.create(claim(second, ALOOF))
    world.create(pod(world.fresh("Pod", numbers), second))
    world.settle()
    if policy == "Retain" and numbers.chance(150):
        world.patch(Key("PersistentVolume", "", held), {"spec": {"persistentVolumeReclaimPolicy": "Recycle"}})
        world.settle()
