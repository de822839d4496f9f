"""Moves about what belongs to a set: its claims and who owns them, its pods and who takes them for its own, its name.

As at the crossroads, each begins with a set whose pods run, at rest.
"""

from pvkit.backends.objects import Key, Obj, finalizers, key, labels, name, namespace, owner_reference, owners
from pvkit.backends.workloads import BEHAVIOUR, POD_NAME_LABEL, claim_name, first_ordinal, ordinal, replicas, templates
from pvkit.strategies.digits import Digits
from pvkit.strategies.moves.registry import move, pause
from pvkit.strategies.moves.sets import owned
from pvkit.strategies.moves.sets_crossroads import LATER, PARALLEL, PLAIN, running_set
from pvkit.strategies.pods import pod
from pvkit.strategies.statefulsets import retained, service, stateful_set, template
from pvkit.strategies.traits import Trait
from pvkit.strategies.volumes import volume
from pvkit.strategies.world import World

HOLD = "example.com/hold"
SCALED = Trait("retention", retained("Retain", "Delete"))
DELETED = Trait("retention", retained("Delete", "Retain"))
BOTH = Trait("retention", retained("Delete", "Delete"))
LATER_SCALED = Trait("retention", {**LATER.spec, **SCALED.spec})
BESIDE = Trait("retention", {**PARALLEL.spec, **SCALED.spec})


def claims_of(world: World, stateful_set: Obj, at: int) -> list[Obj]:
    """The claims of an ordinal that exist."""
    keys = [
        Key("PersistentVolumeClaim", namespace(stateful_set), claim_name(entry, stateful_set, at))
        for entry in templates(stateful_set)
    ]
    return [found for found in map(world.read, keys) if found is not None]


@move("sets", weight=8)
def pod_and_claim_go(world: World, numbers: Digits) -> None:
    """A pod and its claim are deleted, while a finalizer or another pod may keep the claim, and later lets it go."""
    found = running_set(world, numbers, 1, claims=True, shapes=(PLAIN, PLAIN, PARALLEL))
    pods = owned(world, found) if found else []
    if found is None or not pods:
        return
    mine = numbers.pick(pods)
    held, stranger = claims_of(world, found, ordinal(mine)), Key("Pod", namespace(found), "p1")
    how = numbers.pick((0, 1, 1, 2, 2))
    if held and how == 1:
        kept = finalizers(held[0])
        world.patch(key(held[0]), {"metadata": {"finalizers": [*kept, HOLD]}})
    elif held and how == 2:
        world.create(pod(stranger.name, name(held[0]), namespace=namespace(found)))
        world.settle()
    for claim in held[:1]:
        world.delete(key(claim))
        pause(world, numbers)
    world.delete(key(mine))
    pause(world, numbers)
    if held and how == 1:
        world.patch(key(held[0]), {"metadata": {"finalizers": None}})
    elif how == 2 and world.read(stranger) is not None:
        world.delete(stranger)
    pause(world, numbers)


@move("sets", weight=6)
def claims_without_volumes(world: World, numbers: Digits) -> None:
    """A set finds too few volumes; then a claim is lost, and something wakes the set, or a volume comes."""
    shape = numbers.pick((PLAIN, PARALLEL, PLAIN, LATER))
    traits = (shape,) if shape.feature in world.features else ()
    called, count = world.fresh("StatefulSet", numbers), 2 + numbers.number(2)
    if numbers.chance(110):
        world.create(volume(world.fresh("PersistentVolume", numbers)))
    made = stateful_set(called, template("data"), traits=traits, replicas=count)
    world.create(made)
    world.settle()
    waiting = [entry for entry in world.objects("PersistentVolumeClaim") if not entry["spec"].get("volumeName")]
    ours = [entry for entry in waiting if name(entry).startswith(f"data-{called}-")]
    if ours and numbers.chance(150):
        world.delete(key(numbers.pick(ours)))
        pause(world, numbers)
        touched = Key("Pod", "default", name(ours[0]).removeprefix("data-"))
        if numbers.chance(128):
            world.patch(touched, {"metadata": {"labels": {"touched": "yes"}}})
        else:
            world.scale(key(made), count + 1)
    else:
        world.create(volume(world.fresh("PersistentVolume", numbers)))
    pause(world, numbers)


@move("retention", weight=14)
def under_a_policy(world: World, numbers: Digits) -> None:
    """A set with a policy is scaled down and up again, or deleted; its policy or its claims' owners may change."""
    shapes = (SCALED, SCALED, LATER_SCALED, DELETED, BOTH, BESIDE)
    found = running_set(world, numbers, 2, claims=True, shapes=shapes)
    if found is None:
        return
    at, count = key(found), replicas(found)
    if numbers.chance(80):
        world.patch(at, {"spec": dict(numbers.pick((SCALED, DELETED, BOTH)).spec)})
        world.settle()
    if numbers.chance(100):
        _add_owner(world, numbers, found)
    late = numbers.pick(("", "refuse", "freeze", "refuse")) if world.has("calls") else ""
    if late == "freeze":
        world.fault("freeze", controller="garbage-collector")
    elif late:
        world.fault("refuse", controller="garbage-collector", kind="PersistentVolumeClaim", times=4, answer="timeout")
    match numbers.number(8):
        case 5:
            world.patch(at, {"spec": retained(*numbers.pick((("Retain", "Retain"), ("Delete", "Delete"))))})
        case 6:
            world.delete(at, **numbers.pick(({}, {"propagation": "Orphan"}, {"propagation": "Foreground"})))
        case 7:
            world.delete(key(numbers.pick(owned(world, found) or [found])))
        case _:
            world.scale(at, max(count - 1 - numbers.number(2), 0))
            if numbers.chance(110):
                world.settle()
            world.turns(numbers.pick((30, 20, 0, 8, 14, 40, 12)))
            world.scale(at, count)
    pause(world, numbers)
    if late == "freeze":
        world.fault("thaw", controller="garbage-collector")
    pause(world, numbers)


def _add_owner(world: World, numbers: Digits, stateful_set: Obj) -> None:
    """Somebody else becomes an owner of a claim of the highest or lowest pod, a controlling one or not."""
    at = numbers.pick((first_ordinal(stateful_set) + replicas(stateful_set) - 1, first_ordinal(stateful_set)))
    claims = claims_of(world, stateful_set, at)
    if not claims:
        return
    world.ensure(service("keeper", namespace(stateful_set)))
    keeper = world.read(Key("Service", namespace(stateful_set), "keeper"))
    if keeper is not None:
        reference = {**owner_reference(keeper), "controller": numbers.chance(60)}
        world.patch(key(claims[0]), {"metadata": {"ownerReferences": [*owners(claims[0]), reference]}})
        world.settle()


@move("sets", weight=12)
def doubtful_members(world: World, numbers: Digits) -> None:
    """A running set meets pods that look like its own in some respect, or one of its own no longer does."""
    found = running_set(world, numbers, 2)
    pods = owned(world, found) if found else []
    if found is None or not pods:
        return
    mine, high = numbers.pick(pods), first_ordinal(found) + replicas(found)
    what = numbers.number(8)
    match what:
        case 0:
            world.create(
                pod(numbers.pick(("p1", "web-x", "other-0")), labels=dict(labels(mine)), namespace=namespace(found))
            )
        case 1 | 7:
            world.create(pod(f"{name(found)}-{high + numbers.number(2)}", namespace=namespace(found)))
        case 2:
            world.patch(key(mine), {"metadata": {"labels": {POD_NAME_LABEL: numbers.pick((None, "other"))}}})
        case 3:
            world.patch(key(mine), {"metadata": {"labels": {"app": None}}})
        case 4:
            world.patch(key(mine), {"metadata": {"ownerReferences": None}})
        case _:
            world.delete(key(mine), grace=0)
            world.create(pod(name(mine), namespace=namespace(found)))
    pause(world, numbers)
    if what in (1, 7) or numbers.chance(80):
        world.scale(key(found), replicas(found) + numbers.pick((-1, 1)))
        pause(world, numbers)


@move("views", "deletions", weight=5)
def orphans_of_a_gone_set(world: World, numbers: Digits) -> None:
    """A set goes without its pods, perhaps unseen by its controller; they are relabelled, or a new set takes them."""
    found = running_set(world, numbers, 1)
    if found is None:
        return
    unseen = numbers.chance(150) and world.has("views")
    if unseen:
        world.fault("hold", controller="statefulset", kind="StatefulSet")
    world.delete(key(found), propagation="Orphan")
    pause(world, numbers)
    if numbers.chance(80) and key(found) in world.buried:
        world.create(world.buried[key(found)])
    pause(world, numbers)
    if unseen:
        world.fault("release", controller="statefulset", kind="StatefulSet")
        pause(world, numbers)


@move("services", weight=12)
def in_front(world: World, numbers: Digits) -> None:
    """A Service stands before the pods of a set, the set's own or another, and some of the pods are or get unwell."""
    found = running_set(world, numbers, 1)
    if found is None:
        return
    before = service(name(found), namespace(found))
    what = numbers.number(4)
    if what in (1, 3):
        before = {**before, "metadata": {**before["metadata"], "name": "other"}}
    if what == 2:
        before = {**before, "spec": {**before["spec"], "publishNotReadyAddresses": True}}
    world.ensure(before)
    pause(world, numbers)
    pods = owned(world, found)
    mine = numbers.pick(pods) if pods else None
    match numbers.number(8) if mine is not None else 0:
        case 1 | 2 | 7 if mine is not None and world.has("behaviours"):
            word = numbers.pick(("unready", "finish", "unready", "crash"))
            world.patch(key(mine), {"metadata": {"annotations": {BEHAVIOUR: word}}})
        case 3 | 4 if mine is not None:
            world.patch(key(mine), {"metadata": {"finalizers": [HOLD]}})
            world.delete(key(mine))
        case 5 if mine is not None:
            world.patch(key(mine), {"metadata": {"labels": {"app": None}}})
        case 6 if mine is not None:
            world.delete(key(mine))
        case _:
            world.scale(key(found), replicas(found) + 1)
    world.settle()
