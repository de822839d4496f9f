"""Moves that go where control loops are known to go wrong, in general terms: one name for two objects, two orders of
deletion, something deleted while somebody is at work on it, several who want the same at once."""

from pvkit.backends.objects import Key, get, key, name, namespace, phase
from pvkit.backends.storage import claim_ref, volume_name
from pvkit.backends.workloads import claim_keys
from pvkit.strategies.claims import claim
from pvkit.strategies.classes import MADE, storage_class
from pvkit.strategies.digits import Digits
from pvkit.strategies.moves.edits import bare
from pvkit.strategies.moves.registry import move, pause
from pvkit.strategies.pods import pod
from pvkit.strategies.traits import Trait
from pvkit.strategies.volumes import reserved, volume
from pvkit.strategies.world import World

DELETED = Trait(spec={"persistentVolumeReclaimPolicy": "Delete"})


@move("deletions", weight=6)
def delete_both_halves(world: World, numbers: Digits) -> None:
    """A bound pair is deleted, volume first or claim first, with more or less time between."""
    bound = world.pick("PersistentVolumeClaim", numbers, lambda obj: bool(volume_name(obj)))
    if bound is None:
        return
    halves = [Key("PersistentVolume", "", volume_name(bound)), key(bound)]
    if numbers.chance(90):
        halves.reverse()
    for at in halves:
        world.delete(at)
        pause(world, numbers)


@move("deletions", weight=5)
def delete_in_use(world: World, numbers: Digits) -> None:
    """A claim is deleted while a pod uses it; then the pod goes, and perhaps comes back first."""
    user = world.pick("Pod", numbers, lambda obj: bool(claim_keys(obj)))
    if user is None:
        return
    world.delete(numbers.pick(claim_keys(user)))
    pause(world, numbers)
    if numbers.chance(150):
        world.delete(key(user), **({"grace": 0} if numbers.chance(80) else {}))
        pause(world, numbers)
        if numbers.chance(128):
            world.create(bare(user))
            pause(world, numbers)


@move("recreation", weight=6)
def same_name_again(world: World, numbers: Digits) -> None:
    """A bound claim is deleted and made again at once, so that the old volume meets a new claim of the old name."""
    bound = world.pick("PersistentVolumeClaim", numbers, lambda obj: bool(volume_name(obj)))
    if bound is None:
        return
    volume_at = Key("PersistentVolume", "", volume_name(bound))
    if numbers.chance(60) and world.has("reclaim"):
        world.patch(volume_at, {"spec": {"persistentVolumeReclaimPolicy": "Delete"}})
    world.delete(key(bound))
    world.turns(numbers.pick((0, 0, 1, 2, 3, 5)))
    world.create(world.buried.get(key(bound)) or bare(bound))
    pause(world, numbers)


@move("recreation", weight=4)
def volume_again(world: World, numbers: Digits) -> None:
    """A bound volume is deleted by force and made again under its name, for its claim, for another or for nobody."""
    held = world.pick("PersistentVolume", numbers, lambda obj: claim_ref(obj) is not None)
    if held is None:
        return
    world.delete(key(held))
    world.patch(key(held), {"metadata": {"finalizers": None}})
    world.turns(numbers.pick((0, 0, 2, 5)))
    again = world.buried.get(key(held)) or bare(held)
    if numbers.chance(90):
        again = {**again, "spec": {**again["spec"], "claimRef": get(held, "spec", "claimRef")}}
    world.create(again)
    pause(world, numbers)


@move("turns", weight=6)
def rivals(world: World, numbers: Digits) -> None:
    """Several claims want one volume at the same time, or several volumes are for one claim."""
    many = numbers.chance(90)
    called = world.fresh("PersistentVolumeClaim", numbers)
    if many:
        mine = Key("PersistentVolumeClaim", "default", called)
        for _ in range(2):
            world.create(volume(world.fresh("PersistentVolume", numbers), reserved(mine)))
        world.create(claim(called))
    else:
        before = numbers.chance(110)
        made = volume(world.fresh("PersistentVolume", numbers))
        if before:
            world.create(made)
        for _ in range(2 + numbers.chance(60)):
            world.create(claim(world.fresh("PersistentVolumeClaim", numbers)))
            world.turns(numbers.pick((0, 0, 1, 2)))
        if not before:
            world.create(made)
    pause(world, numbers)


@move("turns", "pods", weight=6)
def pod_in_flight(world: World, numbers: Digits) -> None:
    """A pod is deleted while it is being scheduled or started, and comes back under its name."""
    found = world.pick("Pod", numbers)
    if found is None or numbers.chance(110):
        known = [entry for entry in world.objects("PersistentVolumeClaim") if namespace(entry) == "default"]
        used = [name(numbers.pick(known))] if known else []
        made = pod(world.fresh("Pod", numbers), *used)
        world.create(made)
        world.turns(numbers.pick((1, 2, 3, 4, 5, 6, 8, 10, 14)))
        at = Key("Pod", "default", name(made))
    else:
        made, at = bare(found), key(found)
    world.delete(at, **({"grace": 0} if numbers.chance(90) else {}))
    world.turns(numbers.pick((0, 1, 2, 3, 5, 8)))
    world.create(world.buried.get(at) or made)
    pause(world, numbers)


@move("turns", "edits", weight=5)
def meddle_amid(world: World, numbers: Digits) -> None:
    """Somebody changes or deletes a half of a pair while it is being bound."""
    called, held = world.fresh("PersistentVolumeClaim", numbers), world.fresh("PersistentVolume", numbers)
    world.create(volume(held))
    if numbers.chance(128):
        world.settle()
    world.create(claim(called))
    world.turns(numbers.pick((1, 2, 3, 4, 5, 6)))
    at, ours = Key("PersistentVolume", "", held), Key("PersistentVolumeClaim", "default", called)
    match numbers.number(5):
        case 0:
            world.delete(ours)
        case 1:
            world.delete(at)
        case 2:
            world.patch(at, {"spec": {"claimRef": None}})
        case 3:
            world.patch(at, {"metadata": {"labels": {"touched": "yes"}}})
        case _:
            world.patch(ours, {"metadata": {"labels": {"touched": "yes"}}})
    pause(world, numbers)


@move("provisioning", "turns", weight=5)
def gone_while_made(world: World, numbers: Digits) -> None:
    """A claim is deleted, and perhaps made again, while its volume is being made."""
    if not world.has("provisioning"):
        return
    world.ensure(storage_class("made", {**MADE, **numbers.pick(({}, {}, {"parameters": {"slow": "20"}}))}))
    called = world.fresh("PersistentVolumeClaim", numbers)
    world.create(claim(called, storage_class="made"))
    world.turns(numbers.pick((1, 2, 3, 4, 5, 6, 7, 9, 12)))
    world.delete(Key("PersistentVolumeClaim", "default", called))
    world.turns(numbers.pick((0, 0, 1, 3, 6)))
    if numbers.chance(128):
        world.create(claim(called, storage_class="made"))
    pause(world, numbers)


@move("reclaim", weight=5)
def release_under_policy(world: World, numbers: Digits) -> None:
    """A bound volume's policy is changed, and its claim deleted before or after."""
    held = world.pick("PersistentVolume", numbers, lambda obj: bool((claim_ref(obj) or {}).get("uid")))
    if held is None:
        return
    ref = claim_ref(held) or {}
    policy = numbers.pick(("Delete", "Retain", "Recycle", "Delete"))
    change = {"spec": {"persistentVolumeReclaimPolicy": policy if "hostPath" not in held["spec"] else "Retain"}}
    at = Key("PersistentVolumeClaim", str(ref.get("namespace")), str(ref.get("name")))
    if numbers.chance(128):
        world.delete(at)
        pause(world, numbers)
        world.patch(key(held), change)
    else:
        world.patch(key(held), change)
        pause(world, numbers)
        world.delete(at)
    pause(world, numbers)


@move("reservations", "recreation", weight=4)
def take_released(world: World, numbers: Digits) -> None:
    """A Released volume is freed by its administrator, wholly or of the UID only, and somebody asks for it."""
    held = world.pick("PersistentVolume", numbers, lambda obj: phase(obj) in ("Released", "Failed"))
    if held is None:
        return
    ref = claim_ref(held) or {}
    if numbers.chance(200):
        world.patch(key(held), {"spec": {"claimRef": numbers.pick((None, {"uid": None, "resourceVersion": None}))}})
        world.turns(numbers.pick((0, 1, 2)))
    spec = {"accessModes": held["spec"]["accessModes"], "storageClassName": held["spec"].get("storageClassName")}
    same = numbers.chance(128)
    called = str(ref.get("name")) if same else world.fresh("PersistentVolumeClaim", numbers)
    where = str(ref.get("namespace") or "default") if same else "default"
    size = str(get(held, "spec", "capacity", "storage"))
    world.create(claim(called, Trait(spec=spec), namespace=where, size=size))
    pause(world, numbers)
