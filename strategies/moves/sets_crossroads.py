"""Moves that bring a running set to where it has to decide: whom to delete first, what to wait for, what to keep.

Each begins with a set whose pods run, at rest; one is made when there is none. What comes then falls in one stroke, or
between the writes of controllers.
"""

from collections.abc import Sequence

from pvkit.backends.objects import Key, Obj, deleting, key
from pvkit.backends.workloads import BEHAVIOUR, is_ready, replicas, templates
from pvkit.strategies.classes import MADE, storage_class
from pvkit.strategies.digits import Digits
from pvkit.strategies.moves.registry import move, pause
from pvkit.strategies.moves.sets import IMAGES, owned, retemplate
from pvkit.strategies.statefulsets import TRAITS, rolling, stateful_set, template
from pvkit.strategies.traits import Trait, chosen
from pvkit.strategies.volumes import volume
from pvkit.strategies.world import World

PLAIN = Trait()
PARALLEL = Trait("sets", {"podManagementPolicy": "Parallel"})
LATER = Trait("sets", {"ordinals": {"start": 1}})
ON_DELETE = Trait("updates", {"updateStrategy": {"type": "OnDelete"}})
BY_COUNT = Trait("updates", {"updateStrategy": {"type": "RollingUpdate"}})
HALF = Trait("updates", rolling(partition=1))
STRATEGIES: tuple[Obj, ...] = (
    {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}},
    {"type": "RollingUpdate", "rollingUpdate": None},
    {"type": "OnDelete", "rollingUpdate": None},
)
"""What the strategy of a set is changed to."""
BAD = ("unready", "slow:20", "unready", "hang")
LATER_HALF = Trait("updates", {**LATER.spec, **HALF.spec})


def running_set(
    world: World, numbers: Digits, least: int = 2, claims: bool = False, shapes: Sequence[Trait] = (PLAIN,)
) -> Obj | None:
    """A set of at least so many pods that all run, with claims if need be, at rest; a new one has one of the shapes."""

    def serves(obj: Obj) -> bool:
        running = [pod for pod in owned(world, obj) if is_ready(pod) and not deleting(pod)]
        return len(running) >= max(least, replicas(obj)) and not deleting(obj) and bool(templates(obj) or not claims)

    found = world.pick("StatefulSet", numbers, serves)
    if found is None or numbers.chance(60):
        at = _make(world, numbers, least + numbers.number(2), claims, numbers.pick(shapes))
    else:
        at = key(found)
    world.settle()
    return world.read(at)


def _make(world: World, numbers: Digits, count: int, claims: bool, shape: Trait) -> Key:
    """A set with volumes for all of its pods, or without claims."""
    called, entries = world.fresh("StatefulSet", numbers), []
    if claims and world.has("provisioning"):
        world.ensure(storage_class("made", MADE))
        entries = [template("data", storage_class="made")]
    elif claims:
        entries = [template("data")]
        for _ in range(count):
            world.create(volume(world.fresh("PersistentVolume", numbers)))
    traits = [shape, *(trait for trait in chosen(numbers, TRAITS, world.features) if not {*trait.spec} & {*shape.spec})]
    world.used.update(trait.feature for trait in traits if trait.feature)
    made = stateful_set(called, *entries, traits=tuple(traits), replicas=count)
    world.create(made)
    return key(made)


def trouble(world: World, numbers: Digits, pods: list[Obj]) -> None:
    """One or two of the pods break for good, or one is deleted, or nothing happens to them."""
    if not pods:
        return
    what = numbers.number(8)
    if what in (1, 2, 3, 4, 5) and world.has("behaviours"):
        word = numbers.pick(("unready", "crash", "unready", "unready", "evicted", "finish"))
        for at in numbers.pick(((0,), (-2, -1), (0,), (-2, -1), (-1,))):
            world.patch(key(pods[at % len(pods)]), {"metadata": {"annotations": {BEHAVIOUR: word}}})
        world.settle()
    elif what == 6:
        world.delete(key(numbers.pick(pods)))


@move("scaling", weight=14)
def shrink(world: World, numbers: Digits) -> None:
    """A running set is scaled down by several pods, whole or with some of them broken or going; perhaps regrown."""
    found = running_set(world, numbers, 3, shapes=(PLAIN, PLAIN, PLAIN, PARALLEL, LATER))
    if found is None:
        return
    trouble(world, numbers, owned(world, found))
    world.scale(key(found), numbers.pick((1, 0, 1, 2, 1)))
    pause(world, numbers)
    if numbers.chance(90):
        world.scale(key(found), replicas(found))
        pause(world, numbers)


@move("scaling", weight=5)
def grow_patiently(world: World, numbers: Digits) -> None:
    """A running set that is patient with its new pods, or not, grows by two; one of those that it has may break."""
    found = running_set(world, numbers, 1, shapes=(PLAIN, PLAIN, PARALLEL))
    if found is None:
        return
    if world.has("updates"):
        world.patch(key(found), {"spec": {"minReadySeconds": numbers.pick((10, 30, 0))}})
        world.settle()
    trouble(world, numbers, owned(world, found))
    world.scale(key(found), replicas(found) + 2)
    pause(world, numbers)


@move("updates", weight=14)
def roll(world: World, numbers: Digits) -> None:
    """A running set gets a template, good or bad; in the middle of it pods go, another template comes, or it grows."""
    found = running_set(
        world, numbers, 2, shapes=(PLAIN, HALF, LATER_HALF, BY_COUNT, HALF, BY_COUNT, ON_DELETE, PARALLEL)
    )
    if found is None:
        return
    if numbers.chance(60):
        world.patch(key(found), {"spec": {"updateStrategy": numbers.pick(STRATEGIES)}})
        world.settle()
    pods = owned(world, found)
    if numbers.chance(50):
        trouble(world, numbers, pods)
    before = found["spec"]["template"]["spec"]["containers"][0]["image"]
    images = [image for image in IMAGES if image != before]
    bad = numbers.pick(BAD) if numbers.chance(100) and world.has("behaviours") else None
    retemplate(world, found, images[0], bad)
    if numbers.chance(110):
        world.settle()
    else:
        pause(world, numbers)
    match numbers.number(8):
        case 1 | 2 | 3 | 4 if pods:
            if numbers.chance(128) and world.has("calls"):
                nth = numbers.pick((1, 1, 1, 2))
                world.fault("refuse", controller="statefulset", kind="Pod", verb="create", nth=nth, answer="quota")
            world.delete(key(pods[numbers.pick((0, 0, len(pods) - 1))]))
        case 5:
            retemplate(world, found, before, None)
        case 6:
            retemplate(world, found, images[1], None)
        case 7:
            world.scale(key(found), replicas(found) + 1)
        case _:
            return
    pause(world, numbers)


@move("updates", weight=6)
def one_template_after_another(world: World, numbers: Digits) -> None:
    """A set with a short memory gets several templates, the last perhaps an old one again."""
    found = running_set(world, numbers, 1)
    if found is None:
        return
    world.patch(key(found), {"spec": {"revisionHistoryLimit": numbers.pick((0, 1, 0, 10))}})
    for image in numbers.pick(((1, 2), (1, 2, 0), (1, 0, 1), (1, 0), (1, 2, 1))):
        retemplate(world, found, sorted(IMAGES)[image], None)
        pause(world, numbers)
    world.settle()


@move("scaling", "deletions", weight=8)
def hold_a_going_set(world: World, numbers: Digits) -> None:
    """A set is deleted and does not go at once; meanwhile pods go or more are wanted."""
    found = running_set(world, numbers, 2)
    if found is None:
        return
    if numbers.chance(190):
        world.patch(key(found), {"metadata": {"finalizers": ["example.com/hold"]}})
    world.delete(key(found), **numbers.pick(({}, {"propagation": "Foreground"}, {}, {"propagation": "Orphan"})))
    if numbers.chance(128):
        world.settle()
    else:
        pause(world, numbers)
    pods = owned(world, found)
    if pods:
        world.delete(key(numbers.pick(pods)))
    else:
        world.scale(key(found), replicas(found) + 1)
    pause(world, numbers)
    world.patch(key(found), {"metadata": {"finalizers": None}})
    pause(world, numbers)


@move("crashes", weight=6)
def restart_at_rest(world: World, numbers: Digits) -> None:
    """A controller starts again when there is nothing to do, perhaps with lists that are empty or old."""
    if world.objects("StatefulSet") or numbers.chance(128):
        running_set(world, numbers, 1)
    world.settle()
    kind = numbers.pick(("ControllerRevision", "Pod", "ControllerRevision", "StatefulSet", "PersistentVolumeClaim"))
    lists = {"lists": {kind: numbers.pick(("empty", "stale:1"))}} if numbers.chance(160) else {}
    world.fault("crash", controller="statefulset", **lists)
    pause(world, numbers)
    if lists:
        world.fault("release", controller="statefulset", kind=kind)
    world.settle()


@move("time", weight=4)
def long_rest(world: World, numbers: Digits) -> None:
    """A set that is at rest is left alone for a while, or for longer than its controller goes without looking."""
    if running_set(world, numbers, 1) is not None:
        world.fault("advance", seconds=float(numbers.pick((50_000, 60, 50_000, 900))))
        world.settle()
