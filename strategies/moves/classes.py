"""Moves about classes: one that becomes the default after the claim came, volumes made to measure, claims that grow."""

from pvkit.backends.objects import Key
from pvkit.backends.storage import DEFAULT_CLASS
from pvkit.strategies.claims import TRAITS, claim
from pvkit.strategies.classes import LATE, MADE, storage_class
from pvkit.strategies.digits import Digits
from pvkit.strategies.moves.binding import PLENTY, leaning
from pvkit.strategies.moves.registry import move, pause
from pvkit.strategies.names import CLASSES
from pvkit.strategies.pods import pod
from pvkit.strategies.traits import Trait, chosen
from pvkit.strategies.world import World

SILENT = Trait("defaults", {"storageClassName": None})
DEFAULT = {"metadata": {"annotations": {DEFAULT_CLASS: "true"}}}


@move("defaults", weight=5)
def defaults_of_two_ages(world: World, numbers: Digits) -> None:
    """Two classes, one older, become defaults before or after a claim without an opinion; names tell nothing."""
    names = list(CLASSES[:3])
    first = names.pop(numbers.number(3))
    second, late = names[numbers.number(2)], numbers.chance(150)
    variant = {**numbers.pick(({}, {}, MADE, LATE)), **({} if late else DEFAULT)}
    called = world.fresh("PersistentVolumeClaim", numbers)
    world.ensure(storage_class(first, variant))
    world.settle()
    world.ensure(storage_class(second, variant))
    world.create(claim(called, SILENT if numbers.chance(200) else Trait("defaults", {"storageClassName": ""})))
    pause(world, numbers)
    for entry in (first, second) if late else ():
        world.patch(Key("StorageClass", "", entry), DEFAULT)
    pause(world, numbers)


ASKS = tuple(trait for trait in TRAITS if trait.feature in ("modes", "block", "attributes", "beta"))
MAKERS = (
    {},
    {"reclaimPolicy": "Retain"},
    LATE,
    {"parameters": {"slow": "20"}},
    {"parameters": {"fail": "2"}},
    {**LATE, "reclaimPolicy": "Retain"},
    {**LATE, "parameters": {"fail": "1"}},
)


@move("made", weight=6)
def make_to_measure(world: World, numbers: Digits) -> None:
    """A claim of some size, modes and volume mode has its volume made, for the node of its pod if need be."""
    how = numbers.pick(MAKERS)
    cls = "late" if "volumeBindingMode" in how else "made"
    world.ensure(storage_class(cls, {**MADE, **how, "allowVolumeExpansion": True}))
    called, size = world.fresh("PersistentVolumeClaim", numbers), numbers.pick(PLENTY)
    traits = chosen(numbers, leaning(ASKS, world.theme), None)
    world.create(claim(called, *traits, size=size, storage_class=cls))
    if cls == "late" or numbers.chance(90):
        world.create(pod(world.fresh("Pod", numbers), called))
    pause(world, numbers)
    if numbers.chance(120):
        world.delete(Key("PersistentVolumeClaim", "default", called))
        pause(world, numbers)


@move("expansion", weight=6)
def grow(world: World, numbers: Digits) -> None:
    """A claim whose volume was made to be enlarged asks for more, once or twice, and perhaps for less again."""
    world.ensure(storage_class("grow", {**MADE, "allowVolumeExpansion": True}))
    called = world.fresh("PersistentVolumeClaim", numbers)
    world.create(claim(called, storage_class="grow"))
    if numbers.chance(200):
        world.settle()
    else:
        world.turns(numbers.pick((2, 4, 6, 8)))
    for size in ("5Gi", "10Gi")[: 1 + numbers.chance(60)]:
        asked = {"spec": {"resources": {"requests": {"storage": size}}}}
        world.patch(Key("PersistentVolumeClaim", "default", called), asked)
        pause(world, numbers)
