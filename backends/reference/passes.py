"""One reconcile pass over a StatefulSet: the cut that it works on, and what it did and was refused so far.

The real controller lists pods and revisions once, when a pass begins, and acts on that cut to the end of it; only
claims are looked up again at each use. A pass here is the same. What it saw stays with it in memory, which a crash
wipes, while each of its writes is one firing of one rule; after a write the rules are tried again from the top.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from pvkit.backends.objects import (
    Key,
    Obj,
    controller_of,
    created_at,
    deleting,
    labels,
    name,
    namespace,
    selects,
    uid,
)
from pvkit.backends.reference.gates import gate
from pvkit.backends.reference.rules import AGAIN, Effect, Write, WriteVerb
from pvkit.backends.reference.view import Seen
from pvkit.backends.tables import Index
from pvkit.backends.workloads import fits, is_parallel, strategy

LARGEST_BATCH = 500


def _by_controller(obj: Obj) -> Iterable[tuple[Any, Any]]:
    """Filed under the controller's UID, or with the orphans of the namespace under ""."""
    owner = controller_of(obj)
    yield (namespace(obj), str(owner["uid"]) if owner else ""), name(obj)


PODS = Index("pods by controller", "Pod", _by_controller)
REVISIONS = Index("revisions by controller", "ControllerRevision", _by_controller)


@dataclass(slots=True)
class Slot:
    """An ordinal of the set in a pass: its pod as the pass found it, or what is known of one still to be created.

    `done` holds the steps that were answered; `problems` are the refusals that end the pass at this slot.
    """

    ordinal: int
    pod: Obj
    exists: bool
    stops: bool
    """Whether an OrderedReady pass waits here, because the pod is absent, terminating, not ready or not available."""
    done: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)
    reowned: bool = False
    """Whether claims of a healthy pod had to be given other owners, which counts as a change to the pod (RETAIN-14)."""


@dataclass(slots=True)
class Walk:
    """A way over slots: one by one, or in batches of 1, 2, 4, ... for Parallel (ORDER-09)."""

    slots: list[Slot]
    parallel: bool
    at: int = 0
    size: int = 1

    def batch(self, passed: Callable[[Slot], bool]) -> list[Slot]:
        """The slots at which the walk stands, [] at its end; it moves on over those that are passed."""
        while self.at < len(self.slots):
            batch = self.slots[self.at : self.at + self.size]
            if not all(map(passed, batch)):
                return batch
            self.at += len(batch)
            if self.parallel:
                self.size = min(2 * self.size, LARGEST_BATCH)
        return []


@dataclass(slots=True)
class Pass:
    """A pass under way over one set, with all that it saw at its beginning (LIVE-02).

    `members` are the pods that it works on; `strangers`, own pods that fit no longer, and the `orphans`, pods and
    revisions, are still to be dealt with. `recorded` are the set's revisions and matching orphans, oldest first.
    `written` tells, by kind, the last resourceVersion it wrote; `waiting`, that a call was sent and not answered.
    """

    at: Key
    stateful_set: Obj
    now: float
    minor: int
    parallel: bool
    recreates: bool
    several: bool
    """Whether updates obey maxUnavailable, by the gate of that name."""
    members: list[Obj]
    strangers: list[Obj]
    orphans: list[Obj]
    recorded: list[Obj]
    written: dict[str, int]
    done: set[tuple[str, str]] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)
    waiting: bool = False
    current: Obj | None = None
    update: Obj | None = None
    collisions: int = 0
    taken: str = ""
    arranged: bool = False
    in_range: Walk = field(default_factory=lambda: Walk([], False))
    claims_of_condemned: Walk = field(default_factory=lambda: Walk([], False))
    condemned: Walk = field(default_factory=lambda: Walk([], False))
    front: list[Slot] | None = None


def begin(seen: Seen, at: Key, stateful_set: Obj) -> Pass:
    """A pass with what the caches hold now; it becomes the one under way."""
    where, selector = namespace(stateful_set), stateful_set["spec"].get("selector")
    own = list(seen.find(PODS, (where, uid(stateful_set))))
    members = [pod for pod in own if fits(stateful_set, pod)]
    stray = [pod for pod in seen.find(PODS, (where, "")) if fits(stateful_set, pod) and not deleting(pod)]
    recorded, unowned = (
        [revision for revision in seen.find(REVISIONS, (where, owner)) if selects(selector, labels(revision))]
        for owner in (uid(stateful_set), "")
    )
    recorded += unowned
    recorded.sort(key=lambda revision: (revision.get("revision", 0), created_at(revision), name(revision)))
    written: dict[str, int] = {}
    seen.memory.setdefault("written", {})[at] = written
    work = Pass(
        at=at,
        stateful_set=stateful_set,
        now=seen.now,
        minor=seen.setup.minor,
        parallel=is_parallel(stateful_set),
        recreates=strategy(stateful_set) == "Recreate" and gate(seen.setup, "StatefulSetRecreateStrategy"),
        several=gate(seen.setup, "MaxUnavailableStatefulSet"),
        members=members,
        strangers=[pod for pod in own if pod not in members] if len(members) < len(own) else [],
        orphans=unowned + stray,
        recorded=recorded,
        written=written,
    )
    work.collisions = int((stateful_set.get("status") or {}).get("collisionCount") or 0)
    seen.memory["pass"] = work
    return work


def under_way(seen: Seen, at: Key) -> Pass | None:
    """The pass under way over a set; one whose last call got no answer has ended with an error."""
    work: Pass | None = seen.memory.get("pass")
    return work if work is not None and not work.waiting and (work.at is at or work.at == at) else None


def at_hand(seen: Seen, at: Key) -> Pass:
    """The pass under way over a cached set, begun if there is none."""
    work: Pass | None = seen.memory.get("pass")
    if work is None or work.waiting or (work.at is not at and work.at != at):
        stateful_set = seen.lookup(at)
        assert stateful_set is not None
        work = begin(seen, at, stateful_set)
    return work


def end(seen: Seen, effect: Effect) -> Effect:
    """The last effect of the pass under way."""
    seen.memory.pop("pass", None)
    return effect


def live(seen: Seen, work: Pass, at: Key) -> Obj | None:
    """A live GET in a pass; one that gets no answer ends the pass, as a write without an answer does."""
    work.waiting = True
    found = seen.live(at)
    work.waiting = False
    return found


def ask(
    work: Pass,
    verb: WriteVerb,
    obj: Obj,
    then: Callable[[Obj], None],
    otherwise: Callable[[str], Effect | None],
    *,
    blind: bool = False,
    tolerate: tuple[str, ...] = (),
    say: tuple[str, str, str] | None = None,
) -> Write:
    """A write of the pass. `then` takes note of success, `otherwise` of a refusal by its reason; the pass goes on."""

    def accepted(stored: Obj) -> None:
        work.waiting, work.front = False, None
        if verb != "delete" and stored["kind"] != "ControllerRevision":
            work.written[stored["kind"]] = int(stored["metadata"].get("resourceVersion") or 0)
        then(stored)

    def refused(reason: str) -> Effect:
        work.waiting, work.front = False, None
        return otherwise(reason) or AGAIN

    work.waiting = True
    return Write(
        verb,
        obj,
        blind=blind,
        tolerate=tolerate,
        say=say,
        said_of=work.stateful_set,
        remember=accepted,
        refused=refused,
    )


def ask_for(
    work: Pass,
    slot: Slot,
    step: str,
    verb: WriteVerb,
    obj: Obj,
    otherwise: Callable[[str], Effect | None],
    *,
    blind: bool = False,
    tolerate: tuple[str, ...] = (),
    say: tuple[str, str, str] | None = None,
) -> Write:
    """A write for one slot; once answered, for good or ill, its step is done with."""

    def then(stored: Obj) -> None:
        slot.done.add(step)

    def refused(reason: str) -> Effect | None:
        slot.done.add(step)
        return otherwise(reason)

    return ask(work, verb, obj, then, refused, blind=blind, tolerate=tolerate, say=say)
