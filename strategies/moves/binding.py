"""Moves that make volumes, claims and classes."""

from pvkit.backends.objects import Key, Obj, get, key, name, namespace, put, uid
from pvkit.backends.storage import claim_ref
from pvkit.strategies import claims, volumes
from pvkit.strategies.claims import claim
from pvkit.strategies.classes import LATE, MADE, attributes_class, storage_class, variant_of
from pvkit.strategies.digits import Digits
from pvkit.strategies.matches import ROWS, Row, for_claim
from pvkit.strategies.moves.registry import move, pause
from pvkit.strategies.names import ATTRIBUTES, CLAIMS, CLASSES
from pvkit.strategies.quantities import SIZES
from pvkit.strategies.traits import Trait, chosen
from pvkit.strategies.volumes import reservation, volume
from pvkit.strategies.world import World

PLENTY = ("1Gi", "2Gi", "5Gi", "3Gi")
"""Sizes that hold what is usually asked for; which is the smallest has nothing to do with which is the oldest."""


DWELLS = 4
"""How much more often that is drawn which a plan is about."""


def leaning(pool: tuple[Trait, ...], theme: frozenset[str]) -> tuple[Trait, ...]:
    """The traits, those that a plan is about more often."""
    dwelt = tuple(trait for trait in pool if trait.feature in theme)
    return (*pool, *dwelt * (DWELLS if 2 * len(dwelt) < len(pool) else 0))


def row_of(world: World, numbers: Digits, *but: str) -> Row:
    """A way to ask, of the features that take part; some subjects may be left out."""
    rows = [row for row in ROWS if row.feature in world.features and row.subject not in but]
    rows += [row for row in rows if row.feature in world.theme] * DWELLS
    found = numbers.pick(rows) if rows else Row("size", Trait("sizes"), (Trait(),), ())
    world.used.add(found.feature)
    return found


def answers(row: Row, numbers: Digits, asking: Key, count: int) -> list[tuple[Trait, str]]:
    """Traits and sizes of volumes: some fit, some just do not."""
    found = []
    for _ in range(count):
        byte = numbers.number(256)
        pool = row.misfits if byte >= 128 and row.misfits else row.fits
        found.append((for_claim(pool[byte % 128 * len(pool) >> 7], asking), PLENTY[byte % len(PLENTY)]))
    return found


@move(weight=14, shows=tuple(dict.fromkeys(row.feature for row in ROWS)))
def make_match(world: World, numbers: Digits) -> None:
    """A claim, and one to three volumes of which some fit by a hair and some do not."""
    where = world.namespace(numbers)
    row = row_of(world, numbers)
    called = Key("PersistentVolumeClaim", where, world.fresh("PersistentVolumeClaim", numbers, where))
    first, then = numbers.chance(80), numbers.number(3)
    if first:
        world.create(claim(called.name, row.asks, namespace=where))
        pause(world, numbers)
    for trait, size in answers(row, numbers, called, 1 + then):
        plain = {} if "capacity" in trait.spec else {"size": size}
        world.create(volume(world.fresh("PersistentVolume", numbers), trait, **plain))
    if not first:
        world.create(claim(called.name, row.asks, namespace=where))
    pause(world, numbers)


@move(weight=8)
def make_volume(world: World, numbers: Digits) -> None:
    """A volume with a few traits; one in four is reserved, for a claim that is there or not."""
    traits = chosen(numbers, leaning(volumes.TRAITS, world.theme), world.features)
    world.used.update(trait.feature for trait in traits)
    if numbers.chance(80) and world.has("reservations"):
        known = world.objects("PersistentVolumeClaim")
        if known and numbers.chance(160):
            traits.append(reservation(numbers, tuple(map(key, known)), tuple(map(uid, known))))
        else:
            traits.append(reservation(numbers, tuple(Key("", "default", called) for called in CLAIMS)))
    world.create(volume(world.fresh("PersistentVolume", numbers), *traits, size=numbers.pick(SIZES)))
    pause(world, numbers)


@move(weight=8)
def make_claim(world: World, numbers: Digits) -> None:
    """A claim with a few traits; it may name a volume that is free, taken or missing."""
    where = world.namespace(numbers)
    traits = chosen(numbers, leaning(claims.TRAITS, world.theme), world.features)
    world.used.update(trait.feature for trait in traits)
    if numbers.chance(48) and world.has("reservations"):
        named = world.pick("PersistentVolume", numbers)
        if named is not None:
            traits.append(Trait("reservations", {"volumeName": name(named)}))
    called = world.fresh("PersistentVolumeClaim", numbers, where)
    world.create(claim(called, *traits, namespace=where, size=numbers.pick(SIZES)))
    pause(world, numbers)


@move("classes", "delayed", "provisioning", "defaults", "expansion", weight=5)
def make_class(world: World, numbers: Digits) -> None:
    """A class of storage."""
    world.create(storage_class(world.fresh("StorageClass", numbers), variant_of(numbers, world.features)))
    pause(world, numbers)


@move("attributes", weight=2)
def make_attributes(world: World, numbers: Digits) -> None:
    """A class of attributes."""
    world.create(attributes_class(numbers.pick(ATTRIBUTES)))


@move("provisioning", weight=9)
def make_dynamic(world: World, numbers: Digits) -> None:
    """A claim of a class whose volumes are made on demand, at once or slowly, kept or deleted afterwards."""
    where = world.namespace(numbers)
    known = [name(entry) for entry in world.objects("StorageClass") if entry["provisioner"] == MADE["provisioner"]]
    called = numbers.pick(known) if known else "made"
    variants: list[Obj] = [
        {},
        {},
        {},
        {"parameters": {"slow": "20"}},
        {"parameters": {"fail": "2"}},
        {"reclaimPolicy": "Retain"},
    ]
    variant = {**MADE, **numbers.pick(variants)}
    if world.has("expansion"):
        variant["allowVolumeExpansion"] = True
    world.ensure(storage_class(called, variant))
    size = numbers.pick(PLENTY)
    world.create(
        claim(world.fresh("PersistentVolumeClaim", numbers, where), namespace=where, size=size, storage_class=called)
    )
    pause(world, numbers)


@move("defaults", weight=3)
def make_defaulted(world: World, numbers: Digits) -> None:
    """A claim that names no class, before or after there is a default one."""
    variant = {
        "metadata": {"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        **numbers.pick(({}, MADE, LATE)),
    }
    late = numbers.chance(128)
    if not late:
        world.ensure(storage_class(numbers.pick(CLASSES), variant))
    where = world.namespace(numbers)
    absent = Trait("defaults", {"storageClassName": None})
    world.create(claim(world.fresh("PersistentVolumeClaim", numbers, where), absent, namespace=where))
    pause(world, numbers)
    if late:
        world.ensure(storage_class(numbers.pick(CLASSES), variant))
    pause(world, numbers)


@move("imports", weight=3)
def restore_claim(world: World, numbers: Digits) -> None:
    """A claim as a backup brings it back: with its volume's name and the marks of a binding that was."""
    held = world.pick("PersistentVolume", numbers, lambda obj: claim_ref(obj) is not None)
    if held is None:
        return
    ref = claim_ref(held) or {}
    marks = numbers.pick(
        ({"pv.kubernetes.io/bind-completed": "yes"}, {}, {"pv.kubernetes.io/bound-by-controller": "yes"})
    )
    trait = Trait("imports", {"volumeName": name(held)}, annotations=marks)
    modes = Trait(
        spec={"accessModes": held["spec"]["accessModes"], "storageClassName": held["spec"].get("storageClassName")}
    )
    if numbers.chance(96):
        world.patch(key(held), {"spec": {"claimRef": numbers.pick((None, {"uid": None, "resourceVersion": None}))}})
    made = claim(str(ref.get("name")), modes, trait, namespace=str(ref.get("namespace") or "default"))
    world.create(put(made, ("spec", "resources", "requests", "storage"), get(held, "spec", "capacity", "storage")))
    pause(world, numbers)


@move("namespaces", weight=2)
def same_name_elsewhere(world: World, numbers: Digits) -> None:
    """A claim of the same name in another namespace."""
    first = world.pick("PersistentVolumeClaim", numbers)
    if first is None or not world.setup.namespaces:
        return
    where = world.setup.namespaces[0] if namespace(first) == "default" else "default"
    wanted = get(first, "spec", "resources", "requests", "storage")
    world.create(claim(name(first), namespace=where, size=wanted))
    pause(world, numbers)
