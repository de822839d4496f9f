"""Moves that make pods and sets, with the claims and volumes that they need."""

from pvkit.backends.objects import Key, Obj, name, namespace, phase
from pvkit.strategies.claims import claim
from pvkit.strategies.classes import LATE, MADE, storage_class
from pvkit.strategies.digits import Digits
from pvkit.strategies.matches import for_claim
from pvkit.strategies.moves.binding import PLENTY, answers, row_of
from pvkit.strategies.moves.registry import move, pause
from pvkit.strategies.names import TEMPLATES
from pvkit.strategies.pods import LASTING, pod, pod_of
from pvkit.strategies.statefulsets import REPLICAS, TRAITS, service, stateful_set, template
from pvkit.strategies.traits import Trait, chosen
from pvkit.strategies.volumes import volume
from pvkit.strategies.world import World


@move("pods", weight=7)
def make_pod(world: World, numbers: Digits) -> None:
    """A pod on claims that are there, or on one that is not."""
    where = world.namespace(numbers)
    known = [name(entry) for entry in world.objects("PersistentVolumeClaim") if namespace(entry) == where]
    called = world.fresh("Pod", numbers, where)
    world.create(pod_of(numbers, called, tuple(known) or ("c1",), where, world.features))
    pause(world, numbers)


@move("pods", weight=3)
def share_claim(world: World, numbers: Digits) -> None:
    """Two pods on one claim, ReadWriteOncePod more often than not, perhaps on different nodes."""
    where = "default"
    mode = numbers.pick(("ReadWriteOncePod", "ReadWriteOncePod", "ReadWriteOnce", "ReadWriteMany"))
    modes = Trait("modes", {"accessModes": [mode]})
    called = world.fresh("PersistentVolumeClaim", numbers, where)
    world.create(volume(world.fresh("PersistentVolume", numbers), modes))
    world.create(claim(called, modes))
    pause(world, numbers)
    for _ in range(2):
        world.create(pod(world.fresh("Pod", numbers, where), called))
        pause(world, numbers)


@move("delayed", weight=9)
def make_delayed(world: World, numbers: Digits) -> None:
    """Claims that wait for their pod, with volumes that some nodes can reach, and the pod."""
    made = numbers.chance(80) and world.has("provisioning")
    cls = "late"
    world.ensure(storage_class(cls, {**LATE, **(MADE if made else {})}))
    row = row_of(world, numbers, "class", "reservation")
    count = 1 + numbers.chance(72)
    used = []
    for _ in range(count):
        called = Key("PersistentVolumeClaim", "default", world.fresh("PersistentVolumeClaim", numbers))
        world.create(claim(called.name, row.asks, storage_class=cls))
        used.append(called.name)
        for trait, size in answers(row, numbers, called, 0 if made else 1 + numbers.chance(100)):
            plain = {} if "capacity" in trait.spec else {"size": size}
            world.create(volume(world.fresh("PersistentVolume", numbers), trait, storage_class=cls, **plain))
    pause(world, numbers)
    world.create(pod(world.fresh("Pod", numbers), *used))
    pause(world, numbers)


@move("sets", weight=16)
def make_set(world: World, numbers: Digits) -> None:
    """A set with claim templates, and volumes for some of its replicas: enough, too few, or one that does not fit."""
    where = world.namespace(numbers)
    called, replicas = world.fresh("StatefulSet", numbers, where), numbers.pick(REPLICAS)
    traits = [trait for trait in chosen(numbers, TRAITS, None) if trait.feature in world.features]
    world.used.update(trait.feature for trait in traits)
    cls, row = _class_of_set(world, numbers), row_of(world, numbers, "reservation", "affinity")
    asks = row.asks if row.subject != "class" and cls == "fast" else Trait()
    templates = [template(numbers.pick(TEMPLATES), asks, storage_class=cls)]
    if numbers.chance(40):
        templates.append(template("logs" if templates[0]["metadata"]["name"] != "logs" else "data", storage_class=cls))
    short = numbers.pick((0, 0, 0, 1, 1, 2))
    for number in range(max(replicas - short, 0) if cls != "made" else 0):
        trait = row.fits[0] if asks is row.asks else Trait()
        size = {} if "capacity" in trait.spec else {"size": PLENTY[number % len(PLENTY)]}
        filled = for_claim(trait, Key("", where, ""))
        world.create(volume(world.fresh("PersistentVolume", numbers), filled, storage_class=cls, **size))
    if numbers.chance(64):
        world.ensure(service(called, where))
    broken = numbers.pick(LASTING) if numbers.chance(32) and world.has("behaviours") else ""
    world.create(
        stateful_set(called, *templates, traits=tuple(traits), replicas=replicas, namespace=where, behaviour=broken)
    )
    pause(world, numbers)


def _class_of_set(world: World, numbers: Digits) -> str:
    byte = numbers.number(256)
    if byte >= 200 and world.has("provisioning"):
        world.ensure(storage_class("made", MADE))
        return "made"
    if byte >= 150 and world.has("delayed"):
        world.ensure(storage_class("late", LATE))
        return "late"
    return "fast"


@move("sets", weight=3)
def make_bare_set(world: World, numbers: Digits) -> None:
    """A set without claims: order, updates and identity alone."""
    where = world.namespace(numbers)
    called = world.fresh("StatefulSet", numbers, where)
    traits = tuple(trait for trait in chosen(numbers, TRAITS, None) if trait.feature in world.features)
    world.create(stateful_set(called, traits=traits, replicas=numbers.pick((2, 3, 1, 4)), namespace=where))
    pause(world, numbers)


@move("sets", weight=3)
def make_lookalikes(world: World, numbers: Digits) -> None:
    """Pods and claims that are named and labelled like a set's, and are nobody's."""
    owner = world.pick("StatefulSet", numbers)
    where, called = (namespace(owner), name(owner)) if owner else ("default", "web")
    ordinal = numbers.pick(("0", "1", "2", "5", "01", "00"))
    if numbers.chance(128):
        world.create(pod(f"{called}-{ordinal}", namespace=where, labels={"app": called}))
    else:
        taken = numbers.pick(TEMPLATES)
        world.create(claim(f"{taken}-{called}-{ordinal}", namespace=where))
        world.create(volume(world.fresh("PersistentVolume", numbers)))
    pause(world, numbers)


def unbound(obj: Obj) -> bool:
    """Whether a claim waits for a volume."""
    return phase(obj) == "Pending"


@move("sets", "pods", weight=4)
def help_waiting(world: World, numbers: Digits) -> None:
    """A volume for a claim that waits."""
    waiting = world.pick("PersistentVolumeClaim", numbers, unbound)
    if waiting is None:
        return
    spec = waiting["spec"]
    same = Trait(
        spec={
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "accessModes": spec["accessModes"],
            "storageClassName": spec.get("storageClassName"),
            "volumeMode": spec.get("volumeMode"),
        }
    )
    marks = Trait(labels=(spec.get("selector") or {}).get("matchLabels") or {})
    world.create(volume(world.fresh("PersistentVolume", numbers), same, marks))
    pause(world, numbers)
