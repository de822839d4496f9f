"""Moves on sets and their pods: scaling, updates, deletions in the middle, pods that break."""

from pvkit.backends.objects import Key, Obj, controller_of, get, key, name, namespace, uid
from pvkit.backends.workloads import BEHAVIOUR, first_ordinal, ordinal, replicas, templates
from pvkit.strategies.digits import Digits
from pvkit.strategies.moves.registry import move, pause
from pvkit.strategies.pods import BEHAVIOURS, LASTING
from pvkit.strategies.world import World

IMAGES = ("registry.example/app:2", "registry.example/app:1", "registry.example/app:3")


def owned(world: World, stateful_set: Obj) -> list[Obj]:
    """The pods that a set controls, by ordinal."""
    found = [pod for pod in world.objects("Pod") if (controller_of(pod) or {}).get("uid") == uid(stateful_set)]
    return sorted(found, key=ordinal)


@move("sets", "scaling", weight=9)
def scale(world: World, numbers: Digits) -> None:
    """A set is scaled, and perhaps scaled back before it got there."""
    found = world.pick("StatefulSet", numbers)
    if found is None:
        return
    world.scale(key(found), numbers.pick((0, 1, 2, 3, 4, 2, 1)))
    pause(world, numbers)
    if numbers.chance(110):
        world.scale(key(found), replicas(found))
        pause(world, numbers)


@move("updates", weight=9)
def update_template(world: World, numbers: Digits) -> None:
    """A new pod template, one in three of which breaks the pods; perhaps rolled back."""
    found = world.pick("StatefulSet", numbers)
    if found is None:
        return
    broken = numbers.pick(LASTING) if numbers.chance(80) and world.has("behaviours") else None
    retemplate(world, found, numbers.pick(IMAGES), broken)
    pause(world, numbers)
    if numbers.chance(80):
        retemplate(world, found, "registry.example/app:1", get(found, *_MARK, BEHAVIOUR))
        pause(world, numbers)


_MARK = ("spec", "template", "metadata", "annotations")


def retemplate(world: World, stateful_set: Obj, image: str, behaviour: str | None) -> None:
    """A new pod template: an image, and whether the pods are healthy."""
    container = {**stateful_set["spec"]["template"]["spec"]["containers"][0], "image": image}
    made = {"metadata": {"annotations": {BEHAVIOUR: behaviour}}, "spec": {"containers": [container]}}
    world.patch(key(stateful_set), {"spec": {"template": made}})


@move("updates", "retention", "sets", weight=5)
def edit_set(world: World, numbers: Digits) -> None:
    """A set changes what it may change: partition, strategy, retention, patience, first ordinal; or what it may not."""
    found = world.pick("StatefulSet", numbers)
    if found is None:
        return
    patches: list[tuple[str, Obj]] = [
        (
            "updates",
            {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": numbers.pick((0, 1, 2))}}},
        ),
        ("retention", {"persistentVolumeClaimRetentionPolicy": {"whenScaled": numbers.pick(("Delete", "Retain"))}}),
        ("retention", {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": numbers.pick(("Delete", "Retain"))}}),
        ("updates", {"updateStrategy": {"type": "OnDelete", "rollingUpdate": None}}),
        ("updates", {"minReadySeconds": numbers.pick((10, 0, 30))}),
        ("sets", {"ordinals": {"start": numbers.pick((1, 0, 2))}}),
        ("sets", {"podManagementPolicy": "Parallel"}),
        ("sets", {"volumeClaimTemplates": []}),
    ]
    allowed = [patch for feature, patch in patches if feature in world.features]
    world.patch(key(found), {"spec": numbers.pick(allowed)})
    pause(world, numbers)


@move("sets", weight=7)
def delete_pod(world: World, numbers: Digits) -> None:
    """A pod of a set is deleted, perhaps with its claim before or after it, perhaps by force."""
    found = world.pick("StatefulSet", numbers)
    pods = owned(world, found) if found else []
    if found is None or not pods:
        return
    pod = numbers.pick(pods)
    order, force = numbers.pick((0, 0, 1, 1, 2)), {"grace": 0} if numbers.chance(40) else {}
    claims = [_claim(found, pod, template) for template in templates(found)]
    if order == 1 and claims:
        world.delete(numbers.pick(claims))
        pause(world, numbers)
    world.delete(key(pod), **force)
    if order == 2 and claims:
        pause(world, numbers)
        world.delete(numbers.pick(claims))
    pause(world, numbers)


def _claim(stateful_set: Obj, pod: Obj, template: Obj) -> Key:
    called = f"{template['metadata']['name']}-{name(stateful_set)}-{ordinal(pod)}"
    return Key("PersistentVolumeClaim", namespace(stateful_set), called)


@move("behaviours", weight=9)
def break_pod(world: World, numbers: Digits) -> None:
    """A pod stops being healthy, or is healthy again."""
    pod = world.pick("Pod", numbers)
    if pod is None:
        return
    word = numbers.pick((*BEHAVIOURS, None))
    world.patch(key(pod), {"metadata": {"annotations": {BEHAVIOUR: word}}})
    pause(world, numbers)


@move("sets", weight=4)
def claim_of_gone_pod(world: World, numbers: Digits) -> None:
    """The claim of a pod that was scaled away is deleted, or somebody else's pod takes it."""
    found = world.pick("StatefulSet", numbers)
    if found is None:
        return
    high = first_ordinal(found) + replicas(found)
    prefix = tuple(f"{template['metadata']['name']}-{name(found)}-{high}" for template in templates(found))
    claim = world.pick("PersistentVolumeClaim", numbers, lambda obj: name(obj) in prefix)
    if claim is not None:
        world.delete(key(claim))
        pause(world, numbers)
        world.scale(key(found), replicas(found) + 1)
        pause(world, numbers)


@move("deletions", "retention", weight=5)
def delete_set(world: World, numbers: Digits) -> None:
    """A set is deleted with its pods, before them or without them, and perhaps made again."""
    found = world.pick("StatefulSet", numbers)
    if found is None:
        return
    how = numbers.pick(("", "Orphan", "Foreground", ""))
    world.delete(key(found), **({"propagation": how} if how else {}))
    pause(world, numbers)
    if numbers.chance(128) and key(found) in world.buried:
        world.create(world.buried[key(found)])
        pause(world, numbers)


@move("sets", weight=3)
def set_free(world: World, numbers: Digits) -> None:
    """A pod loses the label by which its set knows it, or gets it."""
    pod = world.pick("Pod", numbers)
    if pod is None:
        return
    marks = {"app": numbers.pick((None, "web"))}
    world.patch(key(pod), {"metadata": {"labels": marks}})
    pause(world, numbers)
