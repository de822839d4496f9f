"""Controllers at work: queues, workers, calls, time.

A write to the store is delivered at once to every cache that is not held, and queues the keys that the real
controller would queue (TIME-03). Workers with work take turns; a turn is one effect of one rule. The engine itself
knows no Kubernetes semantics: rules do, and `faults` disturb it through the few handles that it offers.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterable
from typing import Any

from pvkit.backends.errors import BackendError
from pvkit.backends.objects import Key, Obj, key, name, uid
from pvkit.backends.protocol import Budget, Departure, Event, Settled, Setup
from pvkit.backends.reference.clock import Clock
from pvkit.backends.reference.instance import InFlight, Instance, Worker
from pvkit.backends.reference.rules import Controller, Say, Write
from pvkit.backends.reference.schedule import Schedule
from pvkit.backends.reference.store import Store
from pvkit.backends.tables import Index

PATIENCE = 1_100.0
"""Seconds without a write after which `settle` believes that the timers left are those of keys that keep failing:
a little more than the longest back-off (TIME-07: 1000 s)."""

Trouble = Callable[[str, str, Callable[[], Any]], Any]


class Engine:
    """The world of one plan: store, clock, schedule and the controllers that run."""

    def __init__(self, setup: Setup, controllers: Iterable[Controller], schedule: tuple[Departure, ...] = ()) -> None:
        self.setup, self.clock, self.schedule = setup, Clock(), Schedule(schedule)
        self.store = Store(setup, self.clock)
        self.store.listeners.append(self._heard)
        self.fired: defaultdict[str, int] = defaultdict(int)
        self.wrote: defaultdict[str, int] = defaultdict(int)
        """How often each rule changed an object that a watch shows."""
        self.errors: defaultdict[str, int] = defaultdict(int)
        self.world: dict[str, Any] = {}
        self.trouble: list[Trouble] = []
        self.in_flight: deque[tuple[int, Callable[[], Any], tuple[Worker, Key, Write] | None]] = deque()
        self.active: set[str] = set()
        self.instances: dict[str, Instance] = {}
        self._queue: deque[Worker] = deque()
        self._watchers: defaultdict[str, list[Instance]] = defaultdict(list)
        self._said: set[tuple[str, str, str]] = set()
        self._last_write = 0.0
        self.controllers = tuple(controllers)
        for controller in self.controllers:
            if not controller.each_node:
                self.launch(controller, controller.name)

    def launch(self, controller: Controller, name: str, node: str = "") -> Instance:
        """Start one copy of a controller."""
        instance = self.instances[name] = Instance(self, controller, name, node)
        for kind in controller.watches:
            self._watchers[kind].append(instance)
        return instance

    def retire(self, name: str) -> None:
        """Stop a copy for good."""
        instance = self.instances.pop(name)
        instance.crash()
        for watchers in self._watchers.values():
            if instance in watchers:
                watchers.remove(instance)

    def ready(self, worker: Worker) -> None:
        """Put a worker in line if it has work and does not stand there."""
        if not worker.waiting and worker.has_work:
            worker.waiting = True
            self._queue.append(worker)

    def turn(self) -> bool:
        """Let the next worker take its turn; False when nobody has work."""
        if self.in_flight:
            self._land()
        worker = self._pick(self.schedule.turn())
        if worker is None:
            return False
        worker.turn()
        self.ready(worker)
        return True

    def _pick(self, wanted: str | None) -> Worker | None:
        if wanted is not None:
            for position, worker in enumerate(self._queue):
                if wanted in (worker.name, worker.instance.name) and worker.has_work:
                    del self._queue[position]
                    worker.waiting = False
                    return worker
        while self._queue:
            worker = self._queue.popleft()
            worker.waiting = False
            if worker.has_work:
                return worker
        return None

    def call(self, instance: Instance, verb: str, obj: Obj, send: Callable[[], Any], by: Any = None) -> Any:
        """Send a request through whatever troubles the line; raises as the client of that instance would."""
        for trouble in self.trouble:
            answer = trouble(instance.name, verb, obj["kind"])
            if answer is not None:
                return answer(instance, send, by)
        return send()

    def send(self, instance: Instance, write: Write) -> Obj | None:
        """Carry out a write on the store."""
        obj, by = write.object, instance.name
        if write.verb == "create":
            return self.store.create(obj, by)
        if write.verb == "delete":
            own = None if write.blind else uid(obj)
            return self.store.delete(key(obj), by, uid=own, **write.options)
        subresource = "status" if write.verb == "update-status" else str(write.options.get("subresource", ""))
        return self.store.update(obj, subresource, by, write.blind)

    def fly(self, turns: int, send: Callable[[], Any], by: tuple[Worker, Key, Write] | None) -> None:
        """Keep a request under way for some turns; its worker waits."""
        self.in_flight.append((self.schedule.turns + turns, send, by))
        raise InFlight

    def _land(self, force: bool = False) -> bool:
        if not self.in_flight or not (force or self.in_flight[0][0] <= self.schedule.turns):
            return False
        _, send, by = self.in_flight.popleft()
        if by is None:
            send()
            return True
        worker, at, effect = by
        epoch_now = worker.blocked and worker.current == at
        worker.blocked = False
        trouble, self.trouble = self.trouble, []  # It has met its trouble already.
        try:
            if epoch_now:
                worker.write(at, effect, send)
            else:
                send()
        except BackendError as error:
            if epoch_now:
                worker.fail(at, error)
        finally:
            self.trouble = trouble
        self.ready(worker)
        return True

    def live_get(self, by: str, at: Key) -> Obj | None:
        """A live GET by an instance."""
        found: Obj | None = self.call(self.instances[by], "get", {"kind": at.kind}, lambda: self.store.read(at))
        return found

    def live_list(self, by: str, kind: str, namespace: str) -> list[Obj]:
        """A live LIST by an instance."""
        found: list[Obj] = self.call(
            self.instances[by], "list", {"kind": kind}, lambda: self.store.list(kind, namespace)
        )
        return found

    def live_find(self, by: str, index: Index, bucket: Hashable) -> list[Obj]:
        """What a live LIST by an instance holds in a bucket of an index."""
        table, about = self.store.tables[index.kind], {"kind": index.kind}
        found: list[Obj] = self.call(self.instances[by], "list", about, lambda: list(table.find(index, bucket)))
        return found

    def say(self, instance: Instance, words: Say) -> bool:
        """Record a Kubernetes Event; False if the same was recorded before."""
        said = (uid(words.about), words.reason, words.message)
        if said in self._said:
            return False
        self._said.add(said)
        about = words.about
        where = about["metadata"].get("namespace") or "default"
        self.store.record(where, f"{name(about)}.{len(self._said):x}", about, words, instance.name)
        return True

    def settle(self, budget: Budget) -> Settled:
        """Run until nothing more happens: no work, nothing under way, no timer that could change anything."""
        turns = budget.disturbed_turns if self.active else budget.turns
        last, limit = self.schedule.turns + turns, self.clock.now + budget.seconds
        self._last_write = self.clock.now
        while True:
            while self.turn():
                if self.schedule.turns > last:
                    return Settled(False, self.clock.now, f"still busy after {turns} turns", self._disturbed())
            if self._land(force=True):
                continue
            due = self.clock.next()
            if due is None or due > self._last_write + PATIENCE:
                return Settled(True, self.clock.now, "", self._disturbed())
            if due > limit:
                return Settled(False, self.clock.now, f"still waiting after {budget.seconds} s", self._disturbed())
            self.advance(due - self.clock.now)

    def _disturbed(self) -> tuple[str, ...]:
        return tuple(sorted(self.active))

    def advance(self, seconds: float) -> None:
        """Let logical time pass and queue what has become due."""
        self.clock.now += max(seconds, 0.0)
        for instance, at in self.clock.due():
            if at is None:
                instance.resync_due = False
                instance.resync()
            else:
                instance.add(at)

    def run(self, turns: int) -> None:
        """Let workers take at most that many turns."""
        for _ in range(turns):
            if not self.turn():
                return

    def _heard(self, event: Event, old: Obj | None) -> None:
        self._last_write = self.clock.now
        kind = event.object["kind"]
        if kind == "Node" and event.type == "ADDED":
            self._equip(name(event.object))
        for instance in self._watchers[kind]:
            instance.hear(event, old)
            if not instance.resync_due:
                self.arm_resync(instance)

    def arm_resync(self, instance: Instance) -> None:
        """Let an instance look at everything again after its period: after a change or an error, never for nothing."""
        period = instance.controller.resync
        if period and not instance.resync_due and self.setup.options.get("resync", True):
            instance.resync_due = True
            self.clock.at(self.clock.now + float(self.setup.options.get("resync-seconds", period)), (instance, None))

    def _equip(self, node: str) -> None:
        for controller in self.controllers:
            at = f"{controller.name}@{node}"
            if controller.each_node and at not in self.instances:
                self.launch(controller, at, node)
