"""One plan under way on a cluster: its names, what was seen of its objects, its answers, and what was told of both."""

from bisect import bisect_right
from collections import deque
from collections.abc import Collection
from dataclasses import replace
from time import monotonic

from pvkit.backends.errors import ApiError, Unavailable
from pvkit.backends.live.answers import Answer, Answers, answer_of
from pvkit.backends.live.asking import Asker
from pvkit.backends.live.connection import Connection, path_of
from pvkit.backends.live.fencing import fence
from pvkit.backends.live.naming import Names
from pvkit.backends.live.reaching import UNAUTHORIZED, explained
from pvkit.backends.live.testimony import Silence, Witness
from pvkit.backends.live.watching import Frame, Tape
from pvkit.backends.objects import Key, Obj, key, version, without
from pvkit.backends.protocol import Event, Operation, Outcome

READS = ("get", "list")
LATEST = 16
"""How many of the latest requests tell how slow a cluster is."""
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

    `setup` are the versions that its preparation wrote, `fenced` the version up to which all is known to be seen.
    """

    def __init__(self, connection: Connection, names: Names, namespaces: frozenset[str], held: bool) -> None:
        self.names, self.namespaces = names, namespaces
        self.tape = Tape(names.mine)
        self.asker = Asker(connection, names, held)
        self.setup: set[int] = set()
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
        self.tape.active.add(kind_of(operation))
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
        here = path_of(Key("Service", self.names.tagged("default"), ""))
        try:
            return version(self._connection.request("GET", here, query={"limit": "1"}))
        except (ApiError, Unavailable):
            return 0

    def fence(self, absent: Collection[str], limit: float) -> bool:
        """Find out up to which version all was seen; False when it could not be found by then.

        Asked about are the kinds at which something happened lately, and what controllers make of them. Should a
        stream of another kind be late all the same, the tape will tell a gap.
        """
        active = set(self.tape.active)
        kinds = sorted(active.union(*(MOVED_BY.get(kind, ()) for kind in active)).difference(absent))
        if not kinds:
            return True
        start = monotonic()
        found = fence(self._connection, self.tape, kinds, self.namespaces, limit)
        self._took.append((monotonic() - start) / len(kinds))
        self._fenced = max(self._fenced, found)
        if found:
            self.tape.active.difference_update(active)
        return found > 0

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
