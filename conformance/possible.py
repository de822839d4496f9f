"""What the model's controllers would write next about an object, in the view that they are shown.

They see what an engine's store holds and write nothing; a pass over a key goes on as if each of its writes had been
made.
"""

from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass

from pvkit.backends.errors import KitError
from pvkit.backends.objects import LEDGERS, Key, Obj, deleting, finalizers, key, name, namespace, owners, put
from pvkit.backends.reference.engine import Engine
from pvkit.backends.reference.instance import Instance
from pvkit.backends.reference.rules import After, Again, Effect, Fail, Say, Wake, Write
from pvkit.backends.storage import claim_ref, volume_name

MOST_STEPS = 60
"""Rules that answer before one pass over a key is given up."""
AT_ONCE = ("kubelet", "namespace", "garbage-collector")
"""Controllers whose writes of one pass come in no order, or of which a simulated one leaves some out."""
UNCOUNTED = ("provisioner",)
"""Controllers that ask storage, which refuses so many times as its class says before it obeys."""

MOMENT = "1970-01-01T00:00:00Z"
"""The mark of what is deleted in thought only."""
Pass = tuple[Instance, Key]
"""A controller at work on a key."""


@dataclass(frozen=True, slots=True)
class Possible:
    """A write that a rule would make, and the object as its writer saw it before, if it did."""

    rule: str
    write: Write
    base: Obj | None


class Passes:
    """The passes of an engine's controllers; `broken_off` counts those that ended in an error, by controller."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.broken_off = engine, Counter[str]()
        self._noted: dict[Key, Obj | None] = {}

    def about(self, *objects: Obj) -> Iterator[tuple[Pass, list[Possible]]]:
        """Each pass over the keys that objects have to do with, and what it would write first."""
        keys = {at for obj in objects for at in self._related(obj)}
        for instance in self.engine.instances.values():
            for at in keys:
                if at.kind in instance.controller.rules:
                    yield (instance, at), list(self._writes(instance, at))

    def after(self, begun: Pass, first: Possible) -> tuple[Possible, ...]:
        """What a pass would write after a write of it, each as if all before it had been made."""
        writes = list(self._writes(*begun, through=True))
        known = [(entry.rule, entry.write.verb, key(entry.write.object)) for entry in writes]
        wanted = first.rule, first.write.verb, key(first.write.object)
        return tuple(writes[known.index(wanted) + 1 :]) if wanted in known else ()

    def _writes(self, instance: Instance, at: Key, through: bool = False) -> Iterator[Possible]:
        """What a pass over a key writes of which it need not know what became of it; `through`: all of it."""
        now, memory = self.engine.clock.now, deepcopy(instance.seen.memory)
        instance.seen.scratch[at.kind] = {}
        instance.seen.memory.pop("pass", None)
        try:
            yield from self._steps(instance, at, through)
        except (KitError, AssertionError, KeyError) as error:
            # What the pass needs was never there in this view; what it would have written then is not known.
            self.broken_off[f"{instance.controller.name} ({type(error).__name__})"] += 1
        finally:
            self.engine.clock.now = now
            instance.seen.memory.clear()
            instance.seen.memory.update(memory)
            self._undo()

    def _steps(self, instance: Instance, at: Key, through: bool) -> Iterator[Possible]:
        said, at_once = set[tuple[str, str, Key]](), instance.controller.name in AT_ONCE
        for _ in range(MOST_STEPS):
            rule, effect = instance.decide(at)
            if isinstance(effect, Wake):  # It goes on in another queue of the same controller.
                at = effect.key
                instance.seen.scratch[at.kind] = {}
            elif isinstance(effect, After):
                at, self.engine.clock.now = effect.key or at, self.engine.clock.now + effect.seconds
                instance.seen.scratch[at.kind] = {}
            elif isinstance(effect, Write) and rule is not None:
                deed = rule.id, effect.verb, key(effect.object)
                if deed in said and not at_once:
                    return
                said.add(deed)
                if effect.object["kind"] in LEDGERS:  # A cluster does not tell of these; so be it.
                    self._note(effect)
                    continue
                yield Possible(rule.id, effect, self._known(effect.object, through))
                if effect.remember is not None:
                    effect.remember(_as_stored(effect.object))
                if at_once or through:
                    self._note(effect)
            elif not isinstance(effect, Say | Again) and not _is_tried_again(instance, effect):
                return

    def _known(self, obj: Obj, now: bool) -> Obj | None:
        if obj["kind"] not in self.engine.store.tables or not name(obj):  # A Binding is stored nowhere.
            return None
        at, objects = key(obj), self.engine.store.tables[obj["kind"]].objects
        return self._noted[at] if at in self._noted and not now else objects.get(at)

    def _note(self, write: Write) -> None:
        """Let a write be, until the pass is over."""
        at, table = key(write.object), self.engine.store.tables[write.object["kind"]]
        self._noted.setdefault(at, table.objects.get(at))
        table.change(at, _without(write.object) if write.verb == "delete" else _as_stored(write.object))

    def _undo(self) -> None:
        for at, obj in self._noted.items():
            self.engine.store.tables[at.kind].change(at, obj)
        self._noted.clear()

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


def _without(obj: Obj) -> Obj | None:
    """What is left of an object that is deleted: it stays, and is marked, while it has finalizers."""
    return put(obj, ("metadata", "deletionTimestamp"), MOMENT) if finalizers(obj) and not deleting(obj) else None


def _as_stored(obj: Obj) -> Obj:
    return {**obj, "metadata": {"uid": "", "resourceVersion": "0", "creationTimestamp": "", **obj["metadata"]}}
