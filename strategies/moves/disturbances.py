"""Moves that disturb: views that lag, crashes, calls that fail or come late, two leaders, nodes and storage in trouble.

Most of them do something right under the disturbance, because one that meets no work shows nothing.
"""

from pvkit.backends.objects import Key, Obj, key
from pvkit.backends.storage import SELECTED_NODE
from pvkit.backends.workloads import node_name, replicas
from pvkit.strategies.claims import claim
from pvkit.strategies.digits import Digits
from pvkit.strategies.moves.edits import bare
from pvkit.strategies.moves.registry import move, pause
from pvkit.strategies.names import POOLS
from pvkit.strategies.volumes import volume
from pvkit.strategies.world import World

VIEWS = (
    ("binder", "PersistentVolumeClaim"), ("binder", "PersistentVolume"), ("statefulset", "Pod"),
    ("provisioner", "PersistentVolumeClaim"), ("scheduler", "PersistentVolume"), ("pvc-protection", "Pod"),
    ("kubelet", "Pod"), ("statefulset", "StatefulSet"), ("statefulset", "PersistentVolumeClaim"),
    ("scheduler", "PersistentVolumeClaim"), ("scheduler", "Pod"), ("garbage-collector", "StatefulSet"),
    ("statefulset", "ControllerRevision"), ("provisioner", "PersistentVolume"), ("pv-protection", "PersistentVolume"),
    ("pvc-protection", "PersistentVolumeClaim"), ("garbage-collector", "Pod"), ("binder", "StorageClass"),
)  # fmt: skip
"""Who looks at what before acts that matter."""
RELEASES = ("all", "all", "merged", "some")


def view_of(world: World, numbers: Digits) -> tuple[str, str]:
    """A controller that runs and a kind that it watches: mostly one of those that matter."""
    known = world.controllers()
    views = [(who, kind) for who, kind in VIEWS if who in known and kind in world.watched(who)]
    if numbers.chance(48) or not views:
        who = numbers.pick(known)
        return who, numbers.pick(world.watched(who) or ["Pod"])
    return numbers.pick(views)


def stir(world: World, numbers: Digits, kind: str) -> None:
    """Something happens to an object of a kind: it goes and comes back, goes, comes, or is changed."""
    found = world.pick(kind, numbers)
    match numbers.number(5):
        case 0 | 1 if found is not None and "spec" in found:
            world.delete(key(found))
            world.turns(numbers.pick((0, 2, 5, 0)))
            world.create(world.buried.get(key(found)) or bare(found))
        case 2 if found is not None:
            world.delete(key(found))
        case 3 if found is not None and kind == "StatefulSet":
            world.scale(key(found), max(replicas(found) - 1, 0))
        case 3 if found is not None:
            world.patch(key(found), {"metadata": {"labels": {"touched": numbers.pick(("yes", "again"))}}})
        case _:
            _come(world, numbers, kind)


def _come(world: World, numbers: Digits, kind: str) -> None:
    if kind == "PersistentVolume":
        world.create(volume(world.fresh(kind, numbers)))
    elif kind in POOLS:
        world.create(claim(world.fresh("PersistentVolumeClaim", numbers)))


@move("views", weight=14)
def behind_a_view(world: World, numbers: Digits) -> None:
    """Something happens that a controller does not see for a while; then it sees all, a part, or one merged change."""
    who, kind = view_of(world, numbers)
    world.fault("hold", controller=who, kind=kind)
    stir(world, numbers, kind)
    pause(world, numbers)
    if numbers.chance(110):
        stir(world, numbers, kind)
        pause(world, numbers)
    if numbers.chance(150):
        how = numbers.pick(RELEASES)
        world.fault("release", controller=who, kind=kind, how=how, **({"count": 1} if how == "some" else {}))
        pause(world, numbers)


@move("views", weight=5)
def hold(world: World, numbers: Digits) -> None:
    """A controller stops seeing a kind."""
    who, kind = view_of(world, numbers)
    world.fault("hold", controller=who, kind=kind)


@move("views", weight=3)
def release(world: World, numbers: Digits) -> None:
    """A controller sees again what was held from it."""
    held = [entry.split()[1:] for entry in sorted(world.model.engine.active) if entry.startswith("hold ")]
    if held:
        who, kind = numbers.pick(held)
        world.fault("release", controller=who, kind=kind, how=numbers.pick(RELEASES))
        pause(world, numbers)


@move("crashes", weight=10)
def crash(world: World, numbers: Digits) -> None:
    """A controller dies, now or after one of its next writes, and starts with lists that may be empty or old."""
    who, kind = view_of(world, numbers)
    options: Obj = {}
    after = numbers.pick((1, 0, 2, 3, 4, 1, 2))
    if after:
        options["after"] = after
    if numbers.chance(130):
        options["lists"] = {kind: numbers.pick(("empty", "stale:1", "stale:2", "stale:4"))}
    if after == 0 and numbers.chance(128):
        world.turns(numbers.pick((1, 2, 3, 5)))
    world.fault("crash", controller=who, **options)
    if after:
        stir(world, numbers, kind)
    pause(world, numbers)
    if "lists" in options and numbers.chance(100):
        world.fault("release", controller=who, kind=kind)
        pause(world, numbers)


CALLS = (
    ("binder", "PersistentVolume", "update"), ("binder", "PersistentVolumeClaim", "update"),
    ("provisioner", "PersistentVolume", "create"), ("statefulset", "Pod", "create"), ("kubelet", "Pod", "delete"),
    ("scheduler", "PersistentVolume", "update"), ("statefulset", "PersistentVolumeClaim", "create"),
    ("provisioner", "Asset", "create"), ("statefulset", "Pod", "delete"), ("scheduler", "Pod", ""),
    ("garbage-collector", "PersistentVolumeClaim", "delete"), ("provisioner", "Asset", "delete"),
    ("binder", "PersistentVolumeClaim", "update-status"), ("statefulset", "ControllerRevision", "create"),
    ("statefulset", "StatefulSet", "update-status"), ("statefulset", "PersistentVolumeClaim", "update"),
    ("pvc-protection", "PersistentVolumeClaim", "update"), ("binder", "PersistentVolumeClaim", "get"),
    ("provisioner", "PersistentVolume", "delete"), ("pvc-protection", "Pod", "list"),
)  # fmt: skip
"""Whose requests matter, by kind and verb."""


@move("calls", weight=13)
def trouble_ahead(world: World, numbers: Digits) -> None:
    """One of the next requests of a controller is refused, answered late, or carried out without an answer."""
    known = world.controllers()
    who, kind, verb = numbers.pick([call for call in CALLS if call[0] in known])
    word = numbers.pick(("lose-answer", "refuse", "delay", "delay", "refuse"))
    options: Obj = {"controller": who, "kind": kind, **({"verb": verb} if verb else {})}
    nth = numbers.pick((1, 1, 1, 2, 3))
    if nth > 1:
        options["nth"] = nth
    if word == "refuse":
        options |= {"answer": numbers.pick(("conflict", "server-error", "timeout", "quota"))}
        options |= {"times": 3} if numbers.chance(64) else {}
    if word == "delay":
        options |= {"turns": numbers.pick((20, 5, 10, 60))}
    if verb in ("get", "list"):
        word = "refuse"
        options = {field: value for field, value in options.items() if field != "turns"}
        options["answer"] = "server-error"
    world.fault(word, **options)
    if numbers.chance(190):
        stir(world, numbers, kind if kind in POOLS else "PersistentVolumeClaim")
    pause(world, numbers)


@move("leaders", weight=5)
def second_leader(world: World, numbers: Digits) -> None:
    """Two copies of a controller are at work."""
    world.fault("second_leader", controller=view_of(world, numbers)[0])


@move("leaders", "views", weight=4)
def freeze(world: World, numbers: Digits) -> None:
    """A controller stands still while something happens, then goes on."""
    who, kind = view_of(world, numbers)
    world.fault("freeze", controller=who)
    stir(world, numbers, kind)
    pause(world, numbers)
    if numbers.chance(190):
        world.fault("thaw", controller=who)
        pause(world, numbers)


@move("outages", weight=9)
def lose_node(world: World, numbers: Digits) -> None:
    """A node is cut off or loses its power; its pods are given up, by the clock or by force; perhaps it comes back."""
    nodes = world.nodes()
    if not nodes:
        return
    node = numbers.pick(nodes)
    world.fault(numbers.pick(("cut_off", "power_off")), node=node)
    if numbers.chance(90):
        world.settle()
    if numbers.chance(90):
        world.fault("advance", seconds=float(numbers.pick((60, 400, 700))))
    for pod in [entry for entry in world.objects("Pod") if node_name(entry) == node][:2]:
        match numbers.number(4):
            case 1:
                world.delete(key(pod))
            case 2 | 3:
                world.delete(key(pod), grace=0)
    if numbers.chance(40):
        world.delete(Key("Node", "", node))
    pause(world, numbers)
    if numbers.chance(130):
        world.fault("rejoin", node=node)
        pause(world, numbers)


@move("nodes", "outages", weight=2)
def lose_selected_node(world: World, numbers: Digits) -> None:
    """The node for which a volume is to be made goes away."""
    asked = [entry for entry in world.objects("PersistentVolumeClaim") if _selected(entry)]
    node = _selected(numbers.pick(asked)) if asked else ""
    if world.read(Key("Node", "", node)) is not None and len(world.objects("Node")) > 1:
        world.delete(Key("Node", "", node))
        pause(world, numbers)


def _selected(claim: Obj) -> str:
    return str((claim["metadata"].get("annotations") or {}).get(SELECTED_NODE) or "")


@move("storage", weight=5)
def storage_trouble(world: World, numbers: Digits) -> None:
    """The storage backend refuses its next calls, or takes its time, while something is asked of it."""
    if numbers.chance(128):
        world.fault("storage", refuse=numbers.pick((1, 2, 5)))
    else:
        world.fault("storage", slow=numbers.pick((20, 60)))
    made = [
        entry for entry in world.objects("PersistentVolumeClaim") if entry["spec"].get("storageClassName") == "made"
    ]
    if made and numbers.chance(150):
        world.delete(key(numbers.pick(made)))
    pause(world, numbers)


@move("time", weight=3)
def time_passes(world: World, numbers: Digits) -> None:
    """Time passes without anybody doing anything."""
    world.fault("advance", seconds=float(numbers.pick((20, 5, 1, 60, 400, 4000, 400, 20))))
    pause(world, numbers)


@move("views", "crashes", "calls", "leaders", "storage", "outages", weight=3)
def heal(world: World, numbers: Digits) -> None:
    """All disturbances end."""
    if world.model.engine.active or world.model.engine.trouble:
        world.fault("heal")
        pause(world, numbers)
