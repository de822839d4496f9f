"""Moves in which the binder decides by what it saw some time ago: it does not see what it wrote, what came, what was
made again, or what a second leader did."""

from pvkit.backends.objects import Key, Obj, uid
from pvkit.backends.storage import volume_name
from pvkit.strategies.claims import claim
from pvkit.strategies.digits import Digits
from pvkit.strategies.moves.registry import move, pause
from pvkit.strategies.traits import Trait
from pvkit.strategies.volumes import reserved, volume
from pvkit.strategies.world import World

RELEASED = ("all", "merged", "all", "some")


def _volumes(world: World, numbers: Digits, count: int) -> None:
    """So many volumes, equal or not, that are known before anything goes wrong."""
    for _ in range(count):
        world.create(volume(world.fresh("PersistentVolume", numbers), size=numbers.pick(("1Gi", "2Gi"))))
    world.settle()


def _release(world: World, numbers: Digits, kind: str) -> None:
    if numbers.chance(170):
        how = numbers.pick(RELEASED)
        world.fault("release", controller="binder", kind=kind, how=how, **({"count": 1} if how == "some" else {}))
        pause(world, numbers)


@move("rivals", weight=9)
def bind_blindly(world: World, numbers: Digits) -> None:
    """The binder does not see volumes change while claims come, and while one of them is touched amid its binding."""
    _volumes(world, numbers, 1 + numbers.chance(190))
    world.fault("hold", controller="binder", kind="PersistentVolume")
    called = ""
    for _ in range(1 + numbers.chance(128)):
        called = world.fresh("PersistentVolumeClaim", numbers)
        world.create(claim(called))
        world.turns(numbers.pick((2, 1, 0, 2, 3)))
    if numbers.chance(170):
        touched: Obj = {"metadata": {"labels": {"touched": "yes"}}}
        world.patch(Key("PersistentVolumeClaim", "default", called), touched)
    pause(world, numbers)
    _release(world, numbers, "PersistentVolume")


@move("rivals", weight=6)
def claim_unseen(world: World, numbers: Digits) -> None:
    """The binder does not see a claim come, or sees its forerunner, when a volume for it appears."""
    mine = Key("PersistentVolumeClaim", "default", world.fresh("PersistentVolumeClaim", numbers))
    again = numbers.chance(128)
    if again:
        world.create(claim(mine.name))
    world.fault("hold", controller="binder", kind="PersistentVolumeClaim")
    if again:
        world.delete(mine)
        world.settle()
    world.create(claim(mine.name))
    found = world.read(mine)
    policy = Trait(spec={"persistentVolumeReclaimPolicy": numbers.pick(("Retain", "Delete"))})
    promised = reserved(mine, uid(found) if found is not None else "")
    world.create(volume(world.fresh("PersistentVolume", numbers), promised, policy))
    pause(world, numbers)
    _release(world, numbers, "PersistentVolumeClaim")


@move("rivals", weight=4)
def start_without_claims(world: World, numbers: Digits) -> None:
    """The binder dies while there is a bound pair, and its first list is empty or old."""
    if world.pick("PersistentVolumeClaim", numbers, lambda obj: bool(volume_name(obj))) is None:
        _volumes(world, numbers, 1)
        world.create(claim(world.fresh("PersistentVolumeClaim", numbers)))
        world.settle()
    kind = numbers.pick(("PersistentVolumeClaim", "PersistentVolumeClaim", "PersistentVolume"))
    world.fault("crash", controller="binder", lists={kind: numbers.pick(("empty", "stale:2", "stale:1"))})
    pause(world, numbers)
    _release(world, numbers, kind)


@move("rivals", weight=5)
def bind_with_refusals(world: World, numbers: Digits) -> None:
    """One of the writes of a bind is refused, or its answer is lost."""
    kind, verb = numbers.pick(WRITES)
    word = numbers.pick(("refuse", "refuse", "lose_answer"))
    world.fault(word, controller="binder", kind=kind, verb=verb)
    before = numbers.chance(128)
    if before:
        world.create(volume(world.fresh("PersistentVolume", numbers)))
    world.create(claim(world.fresh("PersistentVolumeClaim", numbers)))
    if not before:
        world.create(volume(world.fresh("PersistentVolume", numbers)))
    pause(world, numbers)


WRITES = (
    ("PersistentVolume", "update"),
    ("PersistentVolumeClaim", "update"),
    ("PersistentVolumeClaim", "update-status"),
    ("PersistentVolume", "update-status"),
)
"""The four writes of a bind."""


@move("rivals", weight=6)
def slow_leader(world: World, numbers: Digits) -> None:
    """A binder's write is under way when a second binder takes over; both gave the one volume away."""
    rivals = [world.fresh("PersistentVolumeClaim", numbers)]
    world.create(claim(rivals[0]))
    rivals.append(world.fresh("PersistentVolumeClaim", numbers))
    world.create(claim(rivals[1]))
    world.settle()
    world.create(volume(world.fresh("PersistentVolume", numbers)))
    world.turns(numbers.pick((1, 2, 3)))
    nth, turns = numbers.pick((1, 2)), numbers.pick((20, 40, 10))
    world.fault("delay", controller="binder", kind="PersistentVolume", turns=turns, **({"nth": 2} if nth == 2 else {}))
    touched: Obj = {"metadata": {"labels": {"touched": "yes"}}}
    world.patch(Key("PersistentVolumeClaim", "default", numbers.pick(rivals[::-1])), touched)
    world.turns(numbers.pick((2, 1, 3)))
    world.fault("second_leader", controller="binder")
    pause(world, numbers)
