"""Moves in which the protector of claims does not see who uses a claim, who left it, or that it is to go."""

from pvkit.backends.objects import Key
from pvkit.strategies.claims import claim
from pvkit.strategies.digits import Digits
from pvkit.strategies.moves.registry import move, pause
from pvkit.strategies.pods import pod
from pvkit.strategies.volumes import volume
from pvkit.strategies.world import World

GUARD = "pvc-protection"


def _pair(world: World, numbers: Digits) -> Key:
    """A claim and a volume for it."""
    called = world.fresh("PersistentVolumeClaim", numbers)
    world.create(volume(world.fresh("PersistentVolume", numbers)))
    world.create(claim(called))
    return Key("PersistentVolumeClaim", "default", called)


@move("guards", weight=6)
def unseen_user(world: World, numbers: Digits) -> None:
    """A pod takes a claim unseen by the claim's protector, and the claim is deleted."""
    held = _pair(world, numbers)
    world.fault("hold", controller=GUARD, kind="Pod")
    world.create(pod(world.fresh("Pod", numbers), held.name))
    world.settle()
    world.delete(held)
    pause(world, numbers)


@move("guards", weight=6)
def replaced_user(world: World, numbers: Digits) -> None:
    """The pod that keeps a claim is replaced by one of its name on another claim; the protector sees one change."""
    held, user = _pair(world, numbers), world.fresh("Pod", numbers)
    world.create(pod(user, held.name))
    world.settle()
    world.delete(held)
    world.settle()
    world.fault("hold", controller=GUARD, kind="Pod")
    world.delete(Key("Pod", "default", user), grace=0)
    world.create(pod(user, *(("c3",) if numbers.chance(128) else ())))
    world.fault("release", controller=GUARD, kind="Pod", how=numbers.pick(("merged", "merged", "all")))
    pause(world, numbers)


@move("guards", weight=6)
def deaf_protector(world: World, numbers: Digits) -> None:
    """A claim is deleted while its protector is down, or its pod ends then."""
    held, user = _pair(world, numbers), ""
    if numbers.chance(90):
        user = world.fresh("Pod", numbers)
        world.create(pod(user, held.name))
    world.settle()
    world.delete(held)
    if user:
        world.delete(Key("Pod", "default", user), grace=0)
    world.turns(numbers.pick((0, 0, 1)))
    world.fault("crash", controller=GUARD)
    pause(world, numbers)
