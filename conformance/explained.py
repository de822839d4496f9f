"""Which rule of the model could have made each write of a controller that a history shows.

The history is walked once. Before each write the model's controllers are shown the objects as they were just then, and
every rule that answers for a key that the written object has to do with is heard: one that would write this object, and
change the same fields to the same values, explains the write. If none does, older views are tried. All that a
controller knows between two writes is in the API objects, so the second write of a pass is the first one of a pass that
begins after the first.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from copy import deepcopy
from dataclasses import dataclass, replace

from pvkit.backends.errors import KitError
from pvkit.backends.objects import LEDGERS, Key, Obj, annotations, created_at, key, namespace, owners, phase, put, uid
from pvkit.backends.protocol import Event
from pvkit.backends.reference.clock import seconds
from pvkit.backends.reference.endpoints import slice_key
from pvkit.backends.reference.engine import Engine
from pvkit.backends.reference.instance import Instance
from pvkit.backends.reference.model import CONTROLLERS
from pvkit.backends.reference.rules import After, Again, Effect, Fail, Say, Wake, Write
from pvkit.backends.storage import PROVISIONED_BY, asset_of, claim_ref, volume_name
from pvkit.backends.workloads import claim_keys
from pvkit.conformance.history import History
from pvkit.conformance.likeness import is_mark, is_same_write
from pvkit.conformance.older_views import OlderViews

MOST_STEPS = 60
"""Rules that answer before one pass over a key is given up."""
AT_ONCE = ("kubelet", "namespace", "garbage-collector")
"""Controllers whose writes of one pass come in no order, or of which a simulated one leaves some out."""
UNCOUNTED = ("provisioner",)
"""Controllers that ask storage, which refuses so many times as its class says before it obeys."""
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
        self.broken_off = Counter[str]()
        self._ahead = 0.0
        self._noted: dict[Key, Obj | None] = {}
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
            return next(filter(None, (self._about_now(event, old) for _ in views)), set())

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
        base = old
        if event.object["kind"] == "Pod":  # Who patches tells what is to change in what was seen, be that older.
            base = self.engine.store.tables["Pod"].objects.get(key(event.object))
        return {id for id, write in self._writes(event.object, old) if is_same_write(write, event, old, base)}

    def _writes(self, obj: Obj, old: Obj | None) -> Iterator[tuple[str, Write]]:
        """What the rules would write next about the keys that an object has to do with."""
        keys = {*self._related(obj), *(self._related(old) if old is not None else ())}
        for instance in self.engine.instances.values():
            for at in keys:
                if at.kind in instance.controller.rules:
                    yield from self._pass(instance, at)

    def _pass(self, instance: Instance, at: Key) -> Iterator[tuple[str, Write]]:
        """The writes of a pass over a key, as if each had been made."""
        now = self.engine.clock.now
        memory, said = deepcopy(instance.seen.memory), set[tuple[str, Key]]()
        instance.seen.scratch[at.kind] = {}
        instance.seen.memory.pop("pass", None)
        try:
            for _ in range(MOST_STEPS):
                rule, effect = instance.decide(at)
                if isinstance(effect, Wake):  # It goes on in another queue of the same controller.
                    at = effect.key
                    instance.seen.scratch.setdefault(at.kind, {})
                elif isinstance(effect, After):
                    at, self.engine.clock.now = effect.key or at, self.engine.clock.now + effect.seconds
                    instance.seen.scratch[at.kind] = {}
                elif isinstance(effect, Write) and rule is not None:
                    deed = rule.id, key(effect.object)
                    if deed in said and instance.controller.name not in AT_ONCE:
                        return
                    said.add(deed)
                    if effect.object["kind"] in LEDGERS:  # A cluster does not tell of these; so be it.
                        self._note(effect)
                        continue
                    yield rule.id, effect
                    if effect.remember is not None:
                        effect.remember(_as_stored(effect.object))
                    if instance.controller.name in AT_ONCE:
                        self._note(effect)
                elif not isinstance(effect, Say | Again) and not _is_tried_again(instance, effect):
                    return
        except (KitError, AssertionError, KeyError) as error:
            # What the pass needs was never there in this view; what it would have written then is not known.
            self.broken_off[f"{instance.controller.name} ({type(error).__name__})"] += 1
            return
        finally:
            self.engine.clock.now = now
            instance.seen.memory.clear()
            instance.seen.memory.update(memory)
            for at, obj in self._noted.items():
                self.engine.store.tables[at.kind].change(at, obj)
            self._noted.clear()

    def _note(self, write: Write) -> None:
        """Let a write be, until the pass is over."""
        at, table = key(write.object), self.engine.store.tables[write.object["kind"]]
        self._noted.setdefault(at, table.objects.get(at))
        table.change(at, None if write.verb == "delete" else _as_stored(write.object))

    def _related(self, obj: Obj) -> Iterator[Key]:
        """The keys of whatever a controller may work on when it writes an object."""
        kind, where = obj["kind"], namespace(obj)
        yield key(obj)
        for owner in owners(obj):
            yield Key(str(owner.get("kind")), where, str(owner.get("name")))
        if kind == "PersistentVolume":
            reference = claim_ref(obj) or {}
            yield Key("PersistentVolumeClaim", str(reference.get("namespace")), str(reference.get("name")))
            yield from self._all("PersistentVolumeClaim")
            yield from self._all("Pod")
        if kind == "PersistentVolumeClaim":
            yield Key("PersistentVolume", "", volume_name(obj))
            yield from (at for at in self._all("Pod") if at.namespace == where)
            yield from (at for at in self._all("StatefulSet") if at.namespace == where)
        if kind in ("Pod", "ControllerRevision"):
            yield from (at for at in self._all("StatefulSet") if at.namespace == where)
        yield Key("Namespace", "", where)

    def _all(self, kind: str) -> Iterator[Key]:
        yield from self.engine.store.tables[kind].objects


def _is_tried_again(instance: Instance, effect: Effect) -> bool:
    """Whether a pass that failed may by now have been followed by others: no watch tells how often it was tried."""
    return isinstance(effect, Fail) and instance.controller.name in UNCOUNTED


def _as_stored(obj: Obj) -> Obj:
    return {**obj, "metadata": {"uid": "", "resourceVersion": "0", "creationTimestamp": "", **obj["metadata"]}}


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
