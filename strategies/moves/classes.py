"""Moves about classes: one that becomes the default after the claim came, volumes made to measure, claims that grow."""

from pvkit.backends.objects import Key, Obj, annotations
from pvkit.backends.storage import DEFAULT_CLASS, SELECTED_NODE, volume_name
from pvkit.strategies.claims import TRAITS, claim
from pvkit.strategies.classes import LATE, MADE, storage_class
from pvkit.strategies.digits import Digits
from pvkit.strategies.moves.binding import PLENTY, leaning
from pvkit.strategies.moves.registry import move, pause
from pvkit.strategies.names import CLASSES
from pvkit.strategies.pods import pod
from pvkit.strategies.traits import Trait, chosen
from pvkit.strategies.volumes import volume
from pvkit.strategies.world import World

SILENT = Trait("defaults", {"storageClassName": None})
DEFAULT = {"metadata": {"annotations": {DEFAULT_CLASS: "true"}}}


@move("defaults", weight=8)
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
    world.create(claim(called, SILENT if numbers.chance(170) else Trait("defaults", {"storageClassName": ""})))
    pause(world, numbers)
    for entry in (first, second) if late else ():
        world.patch(Key("StorageClass", "", entry), DEFAULT)
    pause(world, numbers)


BLOCK = Trait("block", {"volumeMode": "Block"})
ASKS = (*(trait for trait in TRAITS if trait.feature in ("modes", "block", "attributes")), BLOCK, BLOCK)
MAKERS: tuple[Obj, ...] = (
    {},
    {"reclaimPolicy": "Retain"},
    LATE,
    {"parameters": {"slow": "20"}},
    {"parameters": {"fail": "2"}},
    {**LATE, "reclaimPolicy": "Retain"},
    {**LATE, "parameters": {"fail": "1"}},
    {**LATE, "parameters": {"slow": "20"}},
)


@move("made", weight=6)
def make_to_measure(world: World, numbers: Digits) -> None:
    """A claim of some size, modes and volume mode has its volume made, for the node of its pod if need be."""
    how = numbers.pick(MAKERS)
    cls = "slow" if "volumeBindingMode" in how else "made"
    world.ensure(storage_class(cls, {**MADE, **how, "allowVolumeExpansion": True}))
    called, size = world.fresh("PersistentVolumeClaim", numbers), numbers.pick(PLENTY)
    traits = chosen(numbers, leaning(ASKS, world.theme), None)
    named = (Trait("named", {"volumeName": "missing"}),) if numbers.chance(80) and world.has("named") else ()
    world.create(claim(called, *traits, *named, size=size, storage_class=cls))
    if cls == "slow" or numbers.chance(128):
        world.create(pod(world.fresh("Pod", numbers), called))
    if numbers.chance(160):
        world.settle()
        _take_back(world, numbers, Key("PersistentVolumeClaim", "default", called))
    else:
        pause(world, numbers)


def _take_back(world: World, numbers: Digits, at: Key) -> None:
    """The claim is deleted, or its volume first, or both the other way round."""
    held = volume_name(world.read(at) or {"spec": {}})
    both = [Key("PersistentVolume", "", held), at] if held else [at]
    for gone in (both[-1:], both[-1:], both, both[::-1])[numbers.number(4)]:
        world.delete(gone)
        world.turns(numbers.pick((0, 0, 2, 5)))
    world.settle()


def _lose_node(world: World, at: Key) -> None:
    """The node for which a claim's volume is made, or was, goes away."""
    found = world.read(at)
    node = annotations(found).get(SELECTED_NODE) if found is not None else None
    if node is not None:
        world.delete(Key("Node", "", node))


@move("made", weight=6)
def overtake_a_maker(world: World, numbers: Digits) -> None:
    """While a volume is slowly being made for a node, the node goes away, or a volume comes that would do."""
    world.ensure(storage_class("slow", {**MADE, **LATE, "parameters": {"slow": "20"}}))
    called = world.fresh("PersistentVolumeClaim", numbers)
    world.create(claim(called, storage_class="slow"))
    world.create(pod(world.fresh("Pod", numbers), called))
    world.turns(numbers.pick((12, 20, 8)))
    if numbers.chance(128):
        world.create(volume(world.fresh("PersistentVolume", numbers), storage_class="slow"))
    else:
        _lose_node(world, Key("PersistentVolumeClaim", "default", called))
    pause(world, numbers)


@move("faltering", weight=9)
def make_under_trouble(world: World, numbers: Digits) -> None:
    """A volume is made, or taken back, while a request of the provisioner fails, or it dies, or there are two of it."""
    world.ensure(storage_class("made", MADE))
    called, (word, options) = world.fresh("PersistentVolumeClaim", numbers), numbers.pick(TROUBLES)
    at, early = Key("PersistentVolumeClaim", "default", called), numbers.chance(150) and word != "storage"
    if early:
        world.fault(word, **options)
    world.create(claim(called, storage_class="made"))
    if early and numbers.chance(100):
        world.turns(numbers.pick((2, 4, 6, 8)))
    else:
        world.settle()
    if not early:
        world.fault(word, **options)
    if not early or numbers.chance(160):
        world.delete(at)
        pause(world, numbers)


_OWN: Obj = {"controller": "provisioner"}
TROUBLES: tuple[tuple[str, Obj], ...] = (
    ("lose_answer", {**_OWN, "kind": "PersistentVolume", "verb": "create"}),
    ("crash", {**_OWN, "after": 1}),
    ("refuse", {**_OWN, "kind": "PersistentVolume", "verb": "create", "times": 100}),
    ("second_leader", _OWN),
    ("crash", _OWN),
    ("second_leader", _OWN),
    ("lose_answer", {**_OWN, "kind": "PersistentVolume", "verb": "create"}),
    ("storage", {"refuse": 2}),
    ("crash", _OWN),
    ("storage", {"refuse": 1}),
)
"""What goes wrong with the provisioner."""


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
