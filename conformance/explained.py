"""Which rule of the model could have made each write of a controller that a history shows.

The history is walked once. Before each write the model's controllers are shown the objects as they were just then, and
every rule that answers for a key that the written object has to do with is heard: one that would write this object, and
change the same fields to the same values, explains the write. If none does, older views are tried. Most of what a
controller knows between two writes is in the API objects, so the second write of a pass is mostly the first one of a
pass that begins after the first; if it is not, it may be the next one of a pass of which a write was seen before.
"""

from collections import Counter, deque
from contextlib import closing
from dataclasses import dataclass, replace

from pvkit.backends.objects import Key, Obj, annotations, created_at, deleting, key, namespace, owners, phase, put, uid
from pvkit.backends.protocol import Event
from pvkit.backends.reference.clock import seconds
from pvkit.backends.reference.endpoints import slice_key
from pvkit.backends.reference.engine import Engine
from pvkit.backends.reference.model import CONTROLLERS
from pvkit.backends.storage import PROVISIONED_BY, asset_of
from pvkit.backends.workloads import claim_keys
from pvkit.conformance.history import History
from pvkit.conformance.likeness import is_mark, is_same_write
from pvkit.conformance.older_views import LATEST, OlderViews
from pvkit.conformance.possible import Passes, Possible

TAKEN = "objects removed unmarked by a deletion that was meant for one of the same name before"
NEIGHBOURS = 2
OURS = ("client", "setup")
"""Who writes in a history and is no controller."""
UNLOOKED = {
    "Event": "events of Kubernetes, which no rule depends on",
    "Node": "heartbeats and taints of nodes, which are Ready from the first",
    "Asset": "ledgers, which are no API objects",
    "Process": "ledgers, which are no API objects",
    "Namespace": "the status of namespaces",
}
"""Kinds that are not looked at, with the reason."""


@dataclass(frozen=True, slots=True)
class Unexplained:
    """One write that no rule could have made: its index in the history, who wrote, and a few events beside it.

    `broken_off` names the controllers of the model of which a pass ended in an error meanwhile: with any, it is
    undecided whether a rule could not have made the write.
    """

    index: int
    actor: str
    event: Event
    neighbours: tuple[Event, ...]
    broken_off: tuple[str, ...] = ()


class Walk:
    """The model's controllers beside a history: they see what was seen, and write nothing."""

    def __init__(self, history: History) -> None:
        self.engine = Engine(history.header.setup, CONTROLLERS)
        self.seen, self.unlooked = Counter[str](), Counter[str]()
        self.unexplained: list[Unexplained] = []
        self._passes = Passes(self.engine)
        self.broken_off = self._passes.broken_off
        self._begun: deque[tuple[Possible, ...]] = deque(maxlen=LATEST)
        self._ended = set[Key]()
        self._ahead = 0.0
        self._older = OlderViews(lambda at, obj: self.engine.store.tables[at.kind].change(at, obj))

    def take(self, number: int, events: list[Event]) -> None:
        """One more event: who could have written it, and then it is so."""
        event = events[number]
        at, old = key(event.object), self.engine.store.tables[event.object["kind"]].objects.get(key(event.object))
        if event.by not in OURS:
            self._judge(number, events, old)
        new = None if event.type == "DELETED" else event.object
        self._tell_time(event)
        self.engine.store.tables[at.kind].change(at, new)
        self._older.note(at, old, new)
        if new is None:
            self._ended.add(at)
        self._furnish(event.object)
        self.engine._heard(event, old)
        self.engine._queue.clear()

    def _tell_time(self, event: Event) -> None:
        """Set the clock to the server's, whose stamps tell by how much it is ahead of the history's."""
        if created_at(event.object):
            self._ahead = max(self._ahead, seconds(created_at(event.object)) - event.time)
        self.engine.clock.now = max(self.engine.clock.now, event.time + self._ahead)

    def _furnish(self, obj: Obj) -> None:
        """Let there be storage behind a volume that a provisioner made; no watch tells of it."""
        if obj["kind"] == "PersistentVolume" and PROVISIONED_BY in annotations(obj):
            at, assets = Key("Asset", "", asset_of(obj)), self.engine.store.tables["Asset"]
            spec = {"size": "0", "claim": "", "by": "", "data": []}
            if at not in assets.objects:
                assets.change(at, {"kind": "Asset", "metadata": {"name": at.name}, "spec": spec})

    def _judge(self, number: int, events: list[Event], old: Obj | None) -> None:
        event = events[number]
        gone = event.object["kind"] == "Namespace" and event.type == "DELETED"
        reason = "" if gone else UNLOOKED.get(event.object["kind"], "")
        if not reason and event.type == "MODIFIED" and is_mark(old, event.object):
            reason = "nothing that is compared changed"
        if not reason and event.object["kind"] == "Pod" and self._is_early(event.object, old):
            reason = "pods that a simulated kubelet ran before their claims were Bound"
        if reason:
            self.unlooked[reason] += 1
            return
        before = Counter(self.broken_off)
        rules = self._explaining(event, old)
        if rules:
            self.seen.update(rules)
        elif event.type == "DELETED" and not deleting(event.object) and key(event.object) in self._ended:
            self.unlooked[TAKEN] += 1
        else:
            beside = (*events[max(number - NEIGHBOURS, 0) : number], *events[number + 1 : number + 1 + NEIGHBOURS])
            ended = tuple(sorted(self.broken_off - before))
            self.unexplained.append(Unexplained(event.index, event.by, event, tuple(beside), ended))

    def _is_early(self, pod: Obj, old: Obj | None) -> bool:
        claims = [self.engine.store.tables["PersistentVolumeClaim"].objects.get(at) for at in claim_keys(pod)]
        began = phase(pod) == "Running" and old is not None and phase(old) != "Running"
        return began and any(claim is not None and phase(claim) != "Bound" for claim in claims)

    def _explaining(self, event: Event, old: Obj | None) -> set[str]:
        """The rules that could have made a write, in the present view or else in the first older one that has any."""
        rules = self._about_now(event, old)
        if rules:
            return rules
        with closing(self._older(key(event.object))) as views:
            rules = next(filter(None, (self._about_now(event, old) for _ in views)), set())
        return rules or self._going_on(event, old)

    def _going_on(self, event: Event, old: Obj | None) -> set[str]:
        """The rule whose write it could be in a pass that began before; what that pass wrote by now is done."""
        for at, rest in enumerate(self._begun):
            for number, entry in enumerate(rest):
                if _is_it(entry, event, old):
                    self._begun[at] = rest[number + 1 :]
                    return {entry.rule}
        return set()

    def _about_now(self, event: Event, old: Obj | None) -> set[str]:
        return self._now(event, old) or self._a_second_ago(event, old)

    def _a_second_ago(self, event: Event, old: Obj | None) -> set[str]:
        """The same in the same view with another clock: stamps are of whole seconds, in whatever was seen."""
        now = self.engine.clock.now
        self.engine.clock.now = now - 1.0
        try:
            return self._now(event, old)
        finally:
            self.engine.clock.now = now

    def _now(self, event: Event, old: Obj | None) -> set[str]:
        """The rules whose write it could be in this view; what their passes would write after it is kept."""
        found = set[str]()
        for begun, writes in self._passes.about(*(obj for obj in (event.object, old) if obj is not None)):
            for entry in writes:
                if is_same_write(entry.write, event, old, entry.base if _is_patched(event) else old):
                    found.add(entry.rule)
                    self._begun.append(self._passes.after(begun, entry))
        return found


def _is_patched(event: Event) -> bool:
    """Whether a writer tells what is to change in what it saw, be that older; others name a version."""
    return bool(event.object["kind"] == "Pod")


def _is_it(entry: Possible, event: Event, old: Obj | None) -> bool:
    """Whether a write is the next one of a pass that began earlier: what it changes, in what it saw or in what is."""
    return any(is_same_write(entry.write, event, old, base) for base in (old, entry.base))


def _as_named_here(events: list[Event]) -> list[Event]:
    """Slices by the names that the model gives them; a server makes names up."""
    names: dict[str, str] = {}
    for number, event in enumerate(events):
        obj = event.object
        if obj["kind"] == "EndpointSlice":
            for owner in owners(obj)[:1]:
                service = {"metadata": {"name": owner["name"], "uid": owner["uid"], "namespace": namespace(obj)}}
                names.setdefault(uid(obj), slice_key(service).name)
            known = names.get(uid(obj), obj["metadata"]["name"])
            events[number] = replace(event, object=put(obj, ("metadata", "name"), known))
    return events


def explain(history: History) -> tuple[Counter[str], list[Unexplained], Counter[str], Counter[str]]:
    """How often each rule was seen, the writes that none explains, and what was not looked at, by reason.

    Last come the passes of the model's controllers that ended in an error, by controller and kind of error.
    """
    walk = Walk(history)
    events = _as_named_here([entry for entry in history.entries if isinstance(entry, Event)])
    for number in range(len(events)):
        walk.take(number, events)
    return walk.seen, walk.unexplained, walk.unlooked, walk.broken_off
