"""One plan under way on a cluster: its names, what was seen of its objects, its answers, and what was told of both."""

from bisect import bisect_right
from collections import deque
from dataclasses import replace
from time import monotonic

from pvkit.backends.errors import ApiError, Unavailable
from pvkit.backends.live.answers import Answer, Answers, answer_of
from pvkit.backends.live.asking import Asker
from pvkit.backends.live.connection import Connection, path_of
from pvkit.backends.live.fencing import fence, overtaken
from pvkit.backends.live.naming import Names
from pvkit.backends.live.reaching import UNAUTHORIZED, explained
from pvkit.backends.live.testimony import Silence, Witness
from pvkit.backends.live.watching import Frame, Tape, Watches
from pvkit.backends.objects import NAMESPACED, Key, Obj, key, version, without
from pvkit.backends.protocol import Event, Operation, Outcome

READS = ("get", "list")
LATEST = 16
"""How many of the latest requests tell how slow a cluster is."""
SILENT_SECONDS = 0.25
"""For how long others may be silent about a kind until it is listed."""
MOVED_BY = {
    "StatefulSet": ("Pod", "PersistentVolumeClaim", "ControllerRevision"),
    "PersistentVolumeClaim": ("PersistentVolume", "Pod"),
    "PersistentVolume": ("PersistentVolumeClaim",),
    "Pod": ("PersistentVolumeClaim", "PersistentVolume", "StatefulSet"),
    "StorageClass": ("PersistentVolumeClaim", "PersistentVolume"),
    "Node": ("Pod",),
    "Service": ("EndpointSlice",),
}
"""Which kinds controllers write to when they see something of one kind."""


def kind_of(operation: Operation) -> str:
    """The kind that an operation is about."""
    return operation.target.kind if operation.target is not None else str((operation.object or {}).get("kind"))


class Play:
    """Asks for one plan and tells what came of it; `namespaces` are the plan's on the cluster.

    `setup` are the versions that its preparation wrote, `asked` the kinds that operations were about, `fenced` the
    version up to which all is known to be seen.
    """

    def __init__(self, connection: Connection, names: Names, namespaces: frozenset[str], held: bool) -> None:
        self.names, self.namespaces = names, namespaces
        self.tape = Tape(names.mine)
        self.asker = Asker(connection, names, held)
        self.setup: set[int] = set()
        self.asked: set[str] = set()
        self.start = self.latest = monotonic()
        self._connection, self._answers = connection, Answers()
        self.witness = Witness(connection, self._present) if names.guise.image else Silence()
        self._fenced = 0
        self._told: list[int] = []
        self._took: deque[float] = deque(maxlen=LATEST)
        self._time_told = 0.0
        self._before: dict[Key, Obj] = {}

    @property
    def time(self) -> float:
        """Seconds since the plan began."""
        return monotonic() - self.start

    @property
    def slowness(self) -> float:
        """Seconds of the slowest of the latest requests: who is slow to answer is slow to act, too."""
        return max(self._took, default=0.0)

    def invoke(self, operation: Operation) -> Outcome:
        """Ask as a client; names go out with this plan's tag and come back without it."""
        self.witness.look(self.tape)
        known = self._known(operation)
        self.tape.touch(*self._place_of(operation))
        self.asked.add(kind_of(operation))
        start = monotonic()
        try:
            found = self.asker.ask(operation)
        except ApiError as error:
            if error.code == UNAUTHORIZED:  # It is the kit that is refused, not what the plan asks for.
                raise explained(error, self._connection.server) from None
            self._answers.give(Answer(self._present()))
            home = self.names.home
            causes = tuple(replace(cause, message=home(cause.message)) for cause in error.causes)
            return Outcome("failed", error.code, error.reason, home(error.message), causes)
        except Unavailable as error:
            self.tape.note_gap(f"no answer came to {operation.verb}, so its write cannot be told from those of others")
            self._answers.give(Answer(0))
            return Outcome("unknown", 0, "Unavailable", str(error))
        finally:
            self.latest = monotonic()
            self._took.append(self.latest - start)
        self._take_down(operation, found, known)
        return Outcome("ok", 201 if operation.verb == "create" else 200, object=self._as_told(found))

    def _place_of(self, operation: Operation) -> tuple[str, str]:
        """The kind that an operation is about, and its namespace on the cluster."""
        kind, metadata = kind_of(operation), (operation.object or {}).get("metadata") or {}
        if kind not in NAMESPACED:
            return kind, ""
        named = operation.target.namespace if operation.target is not None else str(metadata.get("namespace") or "")
        return kind, self.names.placed(named or "default")

    def _known(self, operation: Operation) -> int:
        """The newest version of the object that was seen before the request."""
        if operation.verb == "create":
            return 0
        target = operation.target or (key(operation.object) if operation.object else None)
        last = self.tape.last.get(self.names.key(target)) if target is not None else None
        return last.version if last is not None else 0

    def _take_down(self, operation: Operation, found: Obj, known: int) -> None:
        """Note what an answer tells of the client's own write, and the moment at which it came."""
        if operation.verb in READS:
            self._answers.give(Answer(version(found)))
            return
        whole = found.get("kind") != "Status"
        at = key(found) if whole else self.names.key(operation.target or Key("", "", ""))
        answer = answer_of(operation, found, at, known)
        self._answers.note(answer, version(found) if whole else 0)
        self._answers.give(answer)

    def _as_told(self, found: Obj) -> Obj:
        if isinstance(found.get("items"), list):
            kind = str(found.get("kind", "")).removesuffix("List")  # The items themselves do not tell theirs.
            told = [self.names.told({"kind": kind, **item}) for item in found["items"]]
            return {**found, "items": [without(item, ("kind",)) for item in told]}
        return self.names.told(found) if "metadata" in found else found

    def _present(self) -> int:
        """The version that the cluster is at now; 0 when it does not say."""
        here = path_of(Key("Service", self.names.placed("default"), ""))
        try:
            return version(self._connection.request("GET", here, query={"limit": "1"}))
        except (ApiError, Unavailable):
            return 0

    def fence(self, watches: Watches, limit: float, beside: bool = False) -> bool:
        """Find out up to which version all was seen; False when it could not be found by then.

        Asked about are the kinds at which something happened lately, and what controllers make of them, where it did.
        Should another stream be late all the same, the tape will tell a gap. `beside` others, a list is only asked for
        where they are silent.
        """
        active = set(self.tape.active)
        places = {at for at in self._moved(active) if at[0] in watches.streams and not watches.streams[at[0]].absent}
        if not places:
            return True
        start, found = monotonic(), []
        present = self._present() if beside else 0
        if present:
            self._took.append(monotonic() - start)
            kinds, soon = {kind for kind, _ in places}, min(limit, monotonic() + SILENT_SECONDS)
            passed = overtaken(watches, self.tape, kinds, present, soon)
            places = {at for at in places if at[0] not in passed}
            found.append(present)
        if places:
            start = monotonic()
            found.append(fence(self._connection, self.tape, places, limit))
            self._took.append((monotonic() - start) / len(places))
        self._fenced = max(self._fenced, min(found))
        if min(found):
            self.tape.active.difference_update(active)
        return min(found) > 0

    def _moved(self, active: set[tuple[str, str]]) -> set[tuple[str, str]]:
        """Where something may have been written: what is active, and what controllers make of that."""
        found = set(active)
        for kind, place in active:
            for other in MOVED_BY.get(kind, ()):
                if other not in NAMESPACED:
                    found.add((other, ""))
                else:
                    found.update((other, near) for near in ([place] if place else self.tape.places))
        return found

    def observe(self) -> list[Event]:
        """The events up to the last fence that were not told yet, in the order of writes."""
        return [self._event(frame) for frame in self.witness.told(self.tape.read(self._fenced))] if self._fenced else []

    def _event(self, frame: Frame) -> Event:
        at = key(frame.object)
        own = self._answers.own(frame, self._before.get(at))
        by = "client" if own else "setup" if frame.version in self.setup else ""
        if frame.type == "DELETED":
            self._before.pop(at, None)
        else:
            self._before[at] = frame.object
        self._told.append(frame.version)
        self._time_told = max(self._time_told, frame.arrived - self.start)
        told = self.names.told(frame.object)
        return Event(len(self._told) - 1, frame.type, told, by, self._time_told)  # type: ignore[arg-type]

    def mark(self) -> None:
        """Note the present, as the moment at which something was done that is answered by nobody."""
        self._answers.give(Answer(self._present()))

    def moment(self) -> int:
        """A mark of the latest answer."""
        return len(self._answers) - 1

    def events_before(self, moment: int) -> int:
        """How many of the events told so far were written before that answer came."""
        return bisect_right(self._told, self._answers.moment(moment)) if moment >= 0 else 0
