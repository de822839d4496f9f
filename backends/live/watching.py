"""Watches of all kinds that matter, shared by the plans that are under way, and put into one order for each.

Each kind has a thread that lists once and then watches from the list's version on, taking up again where a stream
ended. Each plan has a `Tape` of what its own objects went through. Frames of different kinds arrive in no order, so a
tape is read only up to a fence: a version up to which every stream is known to have shown all, because it has shown
what a list of its kind tells. What a stream may have missed is written down as a gap.
"""

import contextlib
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import attrgetter
from time import monotonic

from pvkit.backends.errors import ApiError, NotFound, Unavailable
from pvkit.backends.live.connection import Connection, path_of
from pvkit.backends.objects import Key, Obj, condition, key, uid, version

GONE = 410
WATCH_SECONDS = 240
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0


@dataclass(frozen=True, slots=True)
class Frame:
    """One watch event, with the time of its arrival in seconds. The object of a removal has the removal's version."""

    type: str
    object: Obj
    arrived: float

    @property
    def version(self) -> int:
        """The resourceVersion of the change."""
        return version(self.object)


@dataclass(slots=True)
class Stream:
    """How far one kind's watch has come; `absent` when the server does not know the kind."""

    kind: str
    version: int = 0
    absent: bool = False
    response: object = None


@dataclass(slots=True)
class Last:
    """What was last seen of one object: the version, and the object unless it is gone."""

    version: int
    uid: str
    object: Obj | None


class Tape:
    """What the objects of one plan went through.

    `kinds` are those of which something was seen, `gaps` the reasons why it may be incomplete, `arrived` the time of
    the last frame that was more than a murmur. `active` are kinds, with the namespace or "", of which something was
    seen or asked since all was last known to be seen; `places` the namespaces where that ever was so. `told` is the
    version up to which frames were taken off.
    """

    def __init__(self, is_mine: Callable[[Obj], bool]) -> None:
        self.is_mine = is_mine
        self.changed = threading.Condition()
        self.last: dict[Key, Last] = {}
        self.active: set[tuple[str, str]] = set()
        self.places: set[str] = set()
        self.gaps: list[str] = []
        self.arrived = monotonic()
        self.told = 0
        self._frames: list[Frame] = []

    @property
    def kinds(self) -> set[str]:
        """The kinds of which something was seen."""
        return {at.kind for at in self.last}

    def objects(self, *kinds: str) -> list[Obj]:
        """The objects of some kinds, or of all, that exist as far as was seen."""
        with self.changed:
            return [
                last.object
                for at, last in self.last.items()
                if last.object is not None and (not kinds or at.kind in kinds)
            ]

    def take(self, frame: Frame) -> None:
        """One more frame of this plan."""
        at = key(frame.object)
        with self.changed:
            if frame.version <= self.told:
                self.gaps.append(f"{at} at version {frame.version} came after version {self.told} was told")
            self._frames.append(frame)
            left = None if frame.type == "DELETED" else frame.object
            before = self.last.get(at)
            self.last[at] = Last(frame.version, uid(frame.object), left)
            self.touch(at.kind, at.namespace)
            if before is None or not _is_murmur(before.object, left):
                self.arrived = frame.arrived
            self.changed.notify_all()

    def touch(self, kind: str, place: str) -> None:
        """Something of a kind was seen or asked in a namespace, "" for kinds without."""
        self.active.add((kind, place))
        if place:
            self.places.add(place)

    def note_gap(self, reason: str) -> None:
        """Write down that something may have been missed."""
        with self.changed:
            self.gaps.append(reason)
            self.changed.notify_all()

    def wait(self, done: Callable[[], bool], seconds: float) -> bool:
        """Wait until a frame makes `done` true; False when the time is over."""
        with self.changed:
            return self.changed.wait_for(done, max(seconds, 0.0))

    def has_shown(self, listed: Iterable[Obj], kind: str, namespaces: frozenset[str], fence: int) -> bool:
        """Whether all that a list of a kind at version `fence` tells of this plan was seen, removals included."""
        there = {key(item): item for item in listed}
        for at, item in there.items():
            seen = self.last.get(at)
            if seen is None or seen.version < version(item):
                return False
        return not any(
            seen.object is not None and seen.version <= fence and at not in there
            for at, seen in self.last.items()
            if at.kind == kind and at.namespace in namespaces
        )

    def read(self, fence: int) -> list[Frame]:
        """The frames up to a version in the order of writes; they are taken off, the others are held back."""
        with self.changed:
            ready = [frame for frame in self._frames if frame.version <= fence]
            self._frames = [frame for frame in self._frames if frame.version > fence]
            self.told = max(self.told, fence)
        return sorted(ready, key=attrgetter("version"))


def _is_murmur(before: Obj | None, after: Obj | None) -> bool:
    """Whether all that changed is why a pod cannot be scheduled: other plans' nodes come and go, words with them."""
    if before is None or after is None or after["kind"] != "Pod":
        return False
    if (condition(after, "PodScheduled") or {}).get("status") != "False" or before.get("spec") != after.get("spec"):
        return False
    return (
        all(
            {field: value for field, value in (before.get(part) or {}).items() if field not in passing}
            == {field: value for field, value in (after.get(part) or {}).items() if field not in passing}
            for part, passing in (("status", ("conditions",)), ("metadata", ("resourceVersion", "managedFields")))
        )
        and (condition(before, "PodScheduled") or {}).get("status") == "False"
    )


class Watches:
    """Follows kinds on a cluster until closed, and hands each frame to the tapes that it belongs to."""

    def __init__(self, connect: Callable[[], Connection], kinds: tuple[str, ...]) -> None:
        self._connect = connect
        self._closed = threading.Event()
        self._tapes: list[Tape] = []
        self._lock = threading.Lock()
        self.streams = {kind: Stream(kind) for kind in kinds}
        connection = connect()
        for stream in self.streams.values():
            self._begin(stream, connection)
        self._threads = [
            threading.Thread(target=self._follow, args=(stream,), daemon=True, name=f"watch {stream.kind}")
            for stream in self.streams.values()
            if not stream.absent
        ]
        for thread in self._threads:
            thread.start()

    @property
    def absent(self) -> list[str]:
        """The kinds that the server does not know."""
        return [stream.kind for stream in self.streams.values() if stream.absent]

    def passed(self, kinds: Iterable[str], fence: int) -> set[str]:
        """Those of some kinds whose streams have shown all up to a version, because they have shown something later.

        One counter must give the versions of all kinds.
        """
        return {kind for kind in kinds if self.streams[kind].version >= fence}

    def close(self) -> None:
        """End the threads."""
        self._closed.set()
        for stream in self.streams.values():
            with contextlib.suppress(Exception):  # The stream may have ended by itself a moment ago.
                stream.response.shutdown()  # type: ignore[attr-defined]
        for thread in self._threads:
            thread.join(5.0)

    def record(self, tape: Tape, after: Tape | None = None, kinds: tuple[str, ...] = ()) -> None:
        """Let a tape hear of all that is its own from now on.

        It may follow another, which hears no more: then it begins with the objects of some kinds that this one saw.
        """
        with self._lock:
            for obj in after.objects(*kinds) if after is not None else ():
                tape.take(Frame("ADDED", obj, monotonic()))
            self._tapes = [*(other for other in self._tapes if other is not after), tape]

    def drop(self, tape: Tape) -> None:
        """Let a tape hear no more."""
        with self._lock:
            self._tapes = [other for other in self._tapes if other is not tape]

    def _begin(self, stream: Stream, connection: Connection) -> None:
        """Take the present state as the beginning."""
        try:
            listed = connection.request("GET", path_of(Key(stream.kind, "", "")), query={"limit": "1"})
        except NotFound:
            stream.absent = True
            return
        stream.version = version(listed)

    def _relist(self, stream: Stream, connection: Connection) -> None:
        """Go on from the present state after events were lost; what changed meanwhile is told as far as it shows."""
        listed = connection.request("GET", path_of(Key(stream.kind, "", "")))
        found = [{"apiVersion": listed["apiVersion"], "kind": stream.kind, **item} for item in listed["items"]]
        fresh, since = version(listed), stream.version
        for tape in self._tapes:
            tape.note_gap(f"events of {stream.kind} between versions {since} and {fresh} were lost")
            for frame in _difference(tape, stream.kind, found, fresh):
                tape.take(frame)
        stream.version = fresh

    def _follow(self, stream: Stream) -> None:
        connection, pause = self._connect(), FIRST_PAUSE
        while not self._closed.is_set():
            try:
                self._read(stream, connection)
                pause = FIRST_PAUSE
            except (ApiError, Unavailable) as error:
                if getattr(error, "code", 0) == GONE:
                    with contextlib.suppress(ApiError, Unavailable):
                        self._relist(stream, connection)
                        continue
                self._closed.wait(pause)
                pause = min(pause * 2, LONGEST_PAUSE)

    def _read(self, stream: Stream, connection: Connection) -> None:
        path = path_of(Key(stream.kind, "", ""))

        def opened(response: object) -> None:
            stream.response = response

        for frame in connection.watch(path, str(stream.version), WATCH_SECONDS, opened):
            if self._closed.is_set():
                return
            if frame["type"] == "ERROR":
                raise _refusal(frame["object"])
            if version(frame["object"]) <= stream.version:
                continue
            if frame["type"] != "BOOKMARK":
                self._hand_out(Frame(frame["type"], frame["object"], monotonic()))
            stream.version = version(frame["object"])

    def _hand_out(self, frame: Frame) -> None:
        with self._lock:
            for tape in self._tapes:
                if tape.is_mine(frame.object):
                    tape.take(frame)


def _difference(tape: Tape, kind: str, found: list[Obj], fresh: int) -> Iterable[Frame]:
    """Frames that bring a tape from what it saw to what a list tells; the order between them is unknown."""
    now = monotonic()
    there = {key(obj): obj for obj in found if tape.is_mine(obj)}
    known = {at: last for at, last in tape.last.items() if at.kind == kind}
    for at, last in known.items():
        other = at in there and uid(there[at]) != last.uid
        if last.object is not None and (at not in there or other):
            yield Frame("DELETED", _at_version(last.object, version(there[at]) - 1 if other else fresh), now)
    for at, obj in sorted(there.items(), key=lambda pair: version(pair[1])):
        seen = known.get(at)
        if seen is None or seen.version < version(obj):
            lives = seen is not None and seen.object is not None and seen.uid == uid(obj)
            yield Frame("MODIFIED" if lives else "ADDED", obj, now)


def _at_version(obj: Obj, number: int) -> Obj:
    return {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(number)}}


def _refusal(said: Obj) -> ApiError:
    refusal = ApiError(str(said.get("message", "")))
    refusal.code = int(said.get("code", 500))  # type: ignore[misc]
    return refusal
