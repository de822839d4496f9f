"""The fault words: disturbances of controllers, calls, nodes and time, in the terms of the catalogue of real bugs.

Each is one function that a plan can name. The same words are meant for a real control plane, where a proxy and the
signals of the operating system obey them. `heal` ends them all.
"""

from collections.abc import Callable
from typing import Any

from pvkit.backends.errors import Conflict, Forbidden, ServerError, Unavailable, UsageError
from pvkit.backends.objects import LEDGERS, Key, key
from pvkit.backends.reference.containers import PROCESSES_BY_NODE
from pvkit.backends.reference.engine import Engine
from pvkit.backends.reference.instance import Instance

Answer = Callable[[Instance, Callable[[], Any], Any], Any]
Word = Callable[..., None]

FAULTS: dict[str, Word] = {}


def fault(word: str) -> Callable[[Word], Word]:
    """Declare a fault word; its keyword arguments are the options that a plan gives."""

    def declare(body: Word) -> Word:
        FAULTS[word] = body
        return body

    return declare


def disturb(engine: Engine, word: str, options: dict[str, Any]) -> None:
    """Make a fault; raises `UsageError` for an unknown word or option."""
    if word not in FAULTS:
        raise UsageError(f"unknown fault {word!r}; the model knows {', '.join(sorted(FAULTS))}")
    try:
        FAULTS[word](engine, **{name.replace("-", "_"): value for name, value in options.items()})
    except TypeError as error:
        raise UsageError(f"fault {word!r}: {error}") from None


def _instances(engine: Engine, controller: str) -> list[Instance]:
    found = [
        instance
        for name, instance in engine.instances.items()
        if controller in (name, name.split("@")[0].split("#")[0])
    ]
    if not found:
        known = ", ".join(sorted({controller.name for controller in engine.controllers}))
        raise UsageError(f"no controller {controller!r}; the model runs {known}")
    return found


@fault("hold")
def hold(engine: Engine, controller: str, kind: str) -> None:
    """Events of one kind do not reach one controller until `release`; a ledger is nobody's view, and never lags."""
    for instance in _instances(engine, controller):
        if kind in instance.seen.caches and kind not in LEDGERS:
            instance.seen.caches[kind].hold()
            engine.active.add(f"hold {instance.name} {kind}")


@fault("release")
def release(engine: Engine, controller: str, kind: str, how: str = "all", count: int = 1) -> None:
    """Held events arrive: `all` in order, the first `count` (`some`), or `merged` into one change per key."""
    for instance in _instances(engine, controller):
        cache = instance.seen.caches.get(kind)
        if cache is None or not cache.held:
            continue
        if how == "merged":
            _merge(instance, kind)
        number = count if how == "some" else len(cache.pending)
        for _ in range(min(number, len(cache.pending))):
            instance.deliver(cache.pending.pop(0))
        if how != "some":
            cache.catch_up()
            engine.active.discard(f"hold {instance.name} {kind}")


def _merge(instance: Instance, kind: str) -> None:
    """Keep the last event of each key; a deletion and a creation under one name become an update (HB-058)."""
    cache = instance.seen.caches[kind]
    cache.pending = list({key(event.object): event for event in cache.pending}.values())


@fault("freeze")
def freeze(engine: Engine, controller: str) -> None:
    """A controller stops working, as under SIGSTOP; its watches go on."""
    for instance in _instances(engine, controller):
        instance.frozen = True
        engine.active.add(f"freeze {instance.name}")


@fault("thaw")
def thaw(engine: Engine, controller: str) -> None:
    """A frozen controller goes on."""
    for instance in _instances(engine, controller):
        instance.frozen = bool(instance.node) and instance.node in engine.world.get("cut-off", ())
        engine.active.discard(f"freeze {instance.name}")
        for worker in instance.workers.values():
            engine.ready(worker)


@fault("crash")
def crash(engine: Engine, controller: str, after: int = 0, lists: dict[str, str] | None = None) -> None:
    """A controller dies, at once or right after its n-th next write, and starts again from fresh lists.

    `lists` makes the first list of a kind `empty` or `stale:<n>` events old, until `release` of that kind.
    """
    for instance in _instances(engine, controller):
        if after <= 0:
            _restart(engine, instance, lists or {})
        else:
            engine.trouble.append(_crash_after(engine, instance, after, lists or {}))


def _restart(engine: Engine, instance: Instance, lists: dict[str, str]) -> None:
    lists = {kind: how for kind, how in lists.items() if kind not in LEDGERS}
    instance.crash()
    instance.start(lists)
    for kind in lists:
        if kind in instance.seen.caches and instance.seen.caches[kind].held:
            engine.active.add(f"hold {instance.name} {kind}")


def _crash_after(engine: Engine, doomed: Instance, after: int, lists: dict[str, str]) -> Any:
    left = [after]

    def trouble(by: str, verb: str, kind: str) -> Answer | None:
        if by != doomed.name or verb in ("get", "list") or left[0] == 0:
            return None
        left[0] -= 1
        return None if left[0] else fatal

    def fatal(instance: Instance, send: Callable[[], Any], by: Any) -> Any:
        try:
            return send()
        finally:
            _restart(engine, instance, lists)

    return trouble


@fault("refuse")
def refuse(
    engine: Engine,
    controller: str,
    kind: str = "",
    verb: str = "",
    nth: int = 1,
    times: int = 1,
    answer: str = "conflict",
) -> None:
    """The n-th next matching request, and `times` in all, gets `conflict`, `quota`, `server-error`, `timeout`."""

    def refusal(instance: Instance, send: Callable[[], Any], by: Any) -> Any:
        if answer == "timeout":
            raise Unavailable("no answer")
        raise _REFUSALS[answer]("refused by a fault")

    if answer not in (*_REFUSALS, "timeout"):
        raise UsageError(f"refuse: unknown answer {answer!r}; choose from {', '.join(_REFUSALS)}, timeout")
    engine.trouble.append(_counted(engine, controller, kind, verb, nth, times, refusal))


_REFUSALS = {"conflict": Conflict, "quota": Forbidden, "server-error": ServerError}


@fault("lose-answer")
def lose_answer(engine: Engine, controller: str, kind: str = "", verb: str = "", nth: int = 1) -> None:
    """The n-th next matching write is stored, but its answer never comes."""

    def lost(instance: Instance, send: Callable[[], Any], by: Any) -> Any:
        send()
        raise Unavailable("the answer was lost")

    engine.trouble.append(_counted(engine, controller, kind, verb, nth, 1, lost))


@fault("delay")
def delay(engine: Engine, controller: str, kind: str = "", verb: str = "", nth: int = 1, turns: int = 20) -> None:
    """The n-th next matching write is under way for so many turns; its worker waits, everybody else goes on."""

    def late(instance: Instance, send: Callable[[], Any], by: Any) -> Any:
        engine.fly(turns, send, by)

    engine.trouble.append(_counted(engine, controller, kind, verb, nth, 1, late))


def _counted(engine: Engine, controller: str, kind: str, verb: str, nth: int, times: int, answer: Answer) -> Any:
    names = {instance.name for instance in _instances(engine, controller)}
    seen = [0]

    def trouble(by: str, asked: str, about: str) -> Answer | None:
        writes = asked not in ("get", "list")
        if by not in names or kind not in ("", about) or (asked != verb if verb else not writes):
            return None
        seen[0] += 1
        return answer if nth <= seen[0] < nth + times else None

    return trouble


@fault("second-leader")
def second_leader(engine: Engine, controller: str) -> None:
    """A second copy of a controller becomes active beside the first."""
    for instance in _instances(engine, controller):
        if f"{instance.name}#2" not in engine.instances and "#" not in instance.name:
            second = engine.launch(instance.controller, f"{instance.name}#2", instance.node)
            second.frozen = instance.node in engine.world.get("cut-off", ())
            engine.active.add(f"second-leader {instance.name}")


@fault("advance")
def advance(engine: Engine, seconds: float) -> None:
    """Logical time passes."""
    engine.advance(float(seconds))


@fault("cut-off")
def cut_off(engine: Engine, node: str) -> None:
    """A node loses its connection: what runs there goes on, and the API server hears nothing of it."""
    if not _on_node(engine, node):
        return
    engine.world.setdefault("cut-off", {}).setdefault(node, engine.clock.now)
    for instance in _on_node(engine, node):
        instance.frozen = True
    engine.active.add(f"cut-off {node}")
    _look_at(engine, node)


@fault("power-off")
def power_off(engine: Engine, node: str) -> None:
    """A node dies: what runs there ends at once, and the API server hears nothing of it until `rejoin`."""
    cut_off(engine, node)
    for process in list(engine.store.tables["Process"].find(PROCESSES_BY_NODE, node)):
        engine.store.delete(key(process), by=f"node {node}")


@fault("rejoin")
def rejoin(engine: Engine, node: str) -> None:
    """A node that was cut off or lost its power is back."""
    engine.world.setdefault("cut-off", {}).pop(node, None)
    engine.active.discard(f"cut-off {node}")
    for instance in _on_node(engine, node):
        instance.frozen = f"freeze {instance.name}" in engine.active
        for worker in instance.workers.values():
            engine.ready(worker)


def _on_node(engine: Engine, node: str) -> list[Instance]:
    return [instance for instance in engine.instances.values() if instance.node == node]


def _look_at(engine: Engine, node: str) -> None:
    """Heartbeats are not modelled one by one: whoever misses them is told when they stop."""
    for instance in engine.instances.values():
        if instance.controller.name == "node-lifecycle":
            instance.add(Key("Node", "", node))


@fault("storage")
def storage(engine: Engine, refuse: int = 0, slow: int = 0) -> None:
    """The storage backend refuses its next calls, or answers them only after so many further looks."""
    engine.world["storage-refuses"] = refuse
    engine.world["storage-slow"] = slow


@fault("heal")
def heal(engine: Engine) -> None:
    """End every disturbance: events flow, processes run, calls are answered."""
    engine.trouble.clear()
    for node in list(engine.world.get("cut-off", ())):
        rejoin(engine, node)
    engine.world.clear()
    for name in [name for name in engine.instances if "#" in name]:
        engine.retire(name)
    for instance in engine.instances.values():
        for kind, cache in instance.seen.caches.items():
            if cache.held:
                release(engine, instance.name, kind)
        if instance.frozen:
            thaw(engine, instance.name)
    engine.active.clear()
