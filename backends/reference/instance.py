"""One running copy of a controller: its caches, its memory, and a worker for each of its queues."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from pvkit.backends.errors import ApiError, BackendError
from pvkit.backends.objects import LEDGERS, Key, Obj, key
from pvkit.backends.protocol import Event
from pvkit.backends.reference.rules import STOP, After, Again, Controller, Effect, Fail, Rule, Say, Wake, Write
from pvkit.backends.reference.view import Cache, Seen

if TYPE_CHECKING:
    from pvkit.backends.reference.engine import Engine


class InFlight(Exception):
    """The call was sent and its answer has not come: the worker waits."""


class Worker:
    """One queue of one controller instance, worked off one key at a time."""

    def __init__(self, instance: "Instance", kind: str) -> None:
        self.instance, self.kind = instance, kind
        self.name = f"{instance.name}/{kind}"
        self.queue: dict[Key, None] = {}
        self.current: Key | None = None
        self.blocked = False
        self.waiting = False
        self.failures: defaultdict[Key, int] = defaultdict(int)

    @property
    def has_work(self) -> bool:
        """Whether a turn would do anything."""
        return (self.current is not None or bool(self.queue)) and not self.blocked and not self.instance.frozen

    def add(self, at: Key) -> None:
        """Queue a key, once."""
        self.queue[at] = None
        if not self.waiting:
            self.instance.engine.ready(self)

    def forget(self) -> None:
        """Lose the queue, as a crash does."""
        self.queue.clear()
        self.failures.clear()
        self.current, self.blocked = None, False

    def turn(self) -> None:
        """Carry out one effect on the key at hand."""
        if self.current is None:
            self.current = next(iter(self.queue))
            del self.queue[self.current]
            self.instance.seen.scratch[self.kind] = {}
        at, instance = self.current, self.instance
        try:
            rule, effect = instance.decide(at)
            if rule is not None:
                instance.engine.fired[rule.id] += 1
            before = instance.engine.store.version
            self.carry_out(at, effect)
            if rule is not None and isinstance(effect, Write) and effect.object["kind"] not in LEDGERS:
                instance.engine.wrote[rule.id] += instance.engine.store.version != before
        except InFlight:
            self.blocked = True
        except BackendError as error:
            self.fail(at, error)

    def carry_out(self, at: Key, effect: Effect) -> None:
        """Do what a rule answered; after a write the key stays at hand, after anything else the pass is over."""
        instance = self.instance
        if isinstance(effect, Write):
            self.write(at, effect, lambda: instance.engine.send(instance, effect))
            return
        if isinstance(effect, Say | Again):
            return
        self.current = None
        if isinstance(effect, Fail):
            self.retry(at)
            return
        self.failures.pop(at, None)
        if isinstance(effect, After):
            instance.engine.clock.at(instance.engine.clock.now + effect.seconds, (instance, effect.key or at))
        elif isinstance(effect, Wake):
            instance.add(effect.key)

    def write(self, at: Key, effect: Write, send: Callable[[], Obj | None]) -> None:
        """Send a write and take its answer."""
        instance, epoch = self.instance, self.instance.epoch
        before = instance.engine.store.version
        try:
            stored = instance.engine.call(instance, effect.verb, effect.object, send, (self, at, effect))
        except ApiError as error:
            if error.reason not in effect.tolerate:
                instance.seen.refusal = error.message
                answer = effect.refused(error.reason) if effect.refused else None
                if answer is None:
                    raise
                if instance.epoch == epoch:
                    if isinstance(answer, Say):
                        instance.engine.say(instance, answer)
                    self.carry_out(at, answer)
                return
            stored = None
        if instance.epoch != epoch:
            return
        if stored is not None and instance.controller.own_writes:
            instance.note(stored, gone=effect.verb == "delete" and instance.engine.store.read(key(stored)) is None)
        if effect.remember:
            effect.remember(stored or effect.object)
        if effect.say:
            instance.engine.say(instance, Say(effect.said_of or effect.object, *effect.say))
        if instance.engine.store.version == before and not effect.remember:
            self.carry_out(at, STOP)

    def fail(self, at: Key, error: BackendError) -> None:
        """End the pass with an error."""
        self.current = None
        self.instance.engine.errors[f"{self.name}: {type(error).__name__}"] += 1
        self.retry(at)

    def retry(self, at: Key) -> None:
        """Let a key come back after its back-off: 5 ms doubling to 1000 s (TIME-07)."""
        engine, controller = self.instance.engine, self.instance.controller
        engine.arm_resync(self.instance)
        if engine.setup.minor >= controller.retries_since and self.kind not in controller.operations:
            delay = min(0.005 * 2 ** min(self.failures[at], 30), 1000.0)
            self.failures[at] += 1
            engine.clock.at(engine.clock.now + delay, (self.instance, at))


class Instance:
    """One running copy of a controller: its caches, its memory, its workers."""

    def __init__(self, engine: "Engine", controller: Controller, name: str, node: str = "") -> None:
        self.engine, self.controller, self.name, self.node = engine, controller, name, node
        self.frozen = False
        self.down = False
        self.epoch = 0
        self.seen = Seen(engine, name)
        self.seen.node = node
        self.workers = {kind: Worker(self, kind) for kind in controller.rules}
        self.resync_due = False
        self.start({})

    def start(self, lists: dict[str, str]) -> None:
        """Fill the caches and queue what is found; `lists` may make a kind's first list `empty` or `stale:<n>`."""
        self.down = False
        self.seen.memory.clear()
        self.controller.start(self.seen.memory)
        for kind in self.controller.watches:
            self.seen.caches[kind] = self._filled(kind, lists.get(kind, "live"))
        for kind, handler in self.controller.watches.items():
            for obj in list(self.seen.caches[kind].table.objects.values()):
                self.queue(handler(None, obj, self.seen))

    def _filled(self, kind: str, how: str) -> Cache:
        cache = Cache(self.engine.store.tables[kind])
        if how == "empty":
            cache.empty()
        elif how.startswith("stale"):
            cache.rewind(self.engine.store.log, kind, int(how.partition(":")[2] or 1))
        return cache

    def crash(self) -> None:
        """Lose everything that is not in the API server."""
        self.epoch += 1
        self.down = True
        self.seen.memory.clear()
        for worker in self.workers.values():
            worker.forget()

    def decide(self, at: Key) -> tuple[Rule | None, Effect]:
        """The first rule that answers for a key, and its answer."""
        seen = self.seen
        for rule in self.controller.rules[at.kind]:
            effect = rule.body(seen, at)
            if effect is None:
                continue
            if isinstance(effect, Say) and not self.engine.say(self, effect):
                continue
            return rule, effect
        return None, STOP

    def add(self, at: Key) -> None:
        """Queue one key."""
        if not self.down:
            self.workers[at.kind].add(at)

    def queue(self, keys: Iterable[Key]) -> None:
        """Queue keys."""
        if not self.down:
            for at in keys:
                self.workers[at.kind].add(at)

    def hear(self, event: Event, old: Obj | None) -> None:
        """Take an event off the watch: into the cache and to the handler, or on hold."""
        if self.down:
            return
        kind = event.object["kind"]
        cache = self.seen.caches[kind]
        if cache.held:
            cache.pending.append(event)
            return
        if cache.table is not cache.live:
            old = cache.apply(event)
        new = None if event.type == "DELETED" else event.object
        if old is not None or new is not None:
            self.queue(self.controller.watches[kind](old, new, self.seen))

    def deliver(self, event: Event) -> None:
        """Hand over one event that was held back; the next resync finds what it did not wake."""
        self.engine.arm_resync(self)
        cache = self.seen.caches[event.object["kind"]]
        old = cache.apply(event)
        new = cache.table.objects.get(key(event.object))
        if old is not None or new is not None:
            self.queue(self.controller.watches[event.object["kind"]](old, new, self.seen))

    def note(self, stored: Obj, gone: bool) -> None:
        """Remember an own write in a cache that lags."""
        cache = self.seen.caches.get(stored["kind"])
        if cache is not None and cache.table is not cache.live:
            cache.apply(Event(0, "DELETED" if gone else "MODIFIED", stored))

    def resync(self) -> None:
        """Queue every cached object of the kinds that this controller works on (TIME-01).

        A real cache lists them in no order, so of several that want the same any may come first.
        """
        for kind in self.controller.rules:
            if kind in self.seen.caches:
                objects = self.seen.caches[kind].table.objects
                self.queue([*self._first_of(objects), *objects])

    def _first_of(self, objects: Mapping[Key, Obj]) -> list[Key]:
        """The rival that comes first, if the schedule says that it is not the oldest."""
        rivals = [at for at, obj in objects.items() if self.controller.rival(obj, self.seen)]
        chosen = self.engine.schedule.tie(len(rivals)) if len(rivals) > 1 else 0
        return rivals[chosen : chosen + 1] if chosen else []
