"""Watches of all kinds that matter, merged into one order.

Each kind has a thread that lists once and then watches from the list's version, reconnecting where the stream ends.
Frames arrive in no order across kinds; `Watches.upto` waits, by a sentinel of each kind, until every stream has shown
all that was written before, and gives the frames sorted by resourceVersion.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from pvkit.backends.errors import ApiError, Unavailable
from pvkit.backends.live.connection import Connection, path_of
from pvkit.backends.objects import Key, Obj, key, version

GONE = 410


@dataclass(slots=True)
class Frame:
    """One watch event, with the time of its arrival in seconds."""

    type: str
    object: Obj
    arrived: float


@dataclass(slots=True)
class Stream:
    """What one kind's watch has shown, and the highest version of it."""

    kind: str
    frames: list[Frame] = field(default_factory=list)
    version: int = 0
    gaps: int = 0
    known: dict[Key, Obj] = field(default_factory=dict)


class Watches:
    """Follows kinds on a cluster until closed."""

    def __init__(self, connect: Callable[[], Connection], kinds: tuple[str, ...]) -> None:
        self._connect = connect
        self._changed = threading.Condition()
        self._closed = False
        self.streams = {kind: Stream(kind) for kind in kinds}
        for stream in self.streams.values():
            self._list(stream, connect())
        for stream in self.streams.values():
            threading.Thread(target=self._follow, args=(stream,), daemon=True, name=f"watch {stream.kind}").start()

    def close(self) -> None:
        """Let the threads end at their next frame."""
        self._closed = True

    def _list(self, stream: Stream, connection: Connection) -> None:
        """Take the present state as known; what changed unseen since the last frame is told as far as it shows."""
        listed = connection.request("GET", path_of(Key(stream.kind, "", "")))
        found = {key(obj): obj for obj in (self._whole(stream.kind, item, listed) for item in listed["items"])}
        fresh = version({"metadata": listed["metadata"]})
        if stream.version:
            for at in stream.known.keys() - found.keys():
                gone = {**stream.known[at], "metadata": {**stream.known[at]["metadata"], "resourceVersion": str(fresh)}}
                self._take(stream, Frame("DELETED", gone, monotonic()))
            for at, obj in found.items():
                if version(obj) > stream.version:
                    self._take(stream, Frame("MODIFIED" if at in stream.known else "ADDED", obj, monotonic()))
        stream.known = found
        stream.version = max(stream.version, fresh)

    def _whole(self, kind: str, item: Obj, listed: Obj) -> Obj:
        """An item of a list with the kind and apiVersion that lists leave out."""
        return {"apiVersion": listed["apiVersion"], "kind": kind, **item}

    def _follow(self, stream: Stream) -> None:
        connection = self._connect()
        while not self._closed:
            try:
                self._read(stream, connection)
            except (ApiError, Unavailable) as error:
                if getattr(error, "code", 0) == GONE:
                    stream.gaps += 1
                    self._list(stream, connection)

    def _read(self, stream: Stream, connection: Connection) -> None:
        for frame in connection.watch(path_of(Key(stream.kind, "", "")), str(stream.version), 240):
            if self._closed:
                return
            if frame["type"] == "ERROR":
                refusal = ApiError(str(frame["object"].get("message", "")))
                refusal.code = int(frame["object"].get("code", 500))  # type: ignore[misc]
                raise refusal
            if frame["type"] != "BOOKMARK":
                self._take(stream, Frame(frame["type"], frame["object"], monotonic()))
            else:
                stream.version = max(stream.version, version(frame["object"]))

    def _take(self, stream: Stream, frame: Frame) -> None:
        with self._changed:
            if version(frame.object) <= stream.version:
                return
            stream.frames.append(frame)
            stream.version = version(frame.object)
            at = key(frame.object)
            if frame.type == "DELETED":
                stream.known.pop(at, None)
            else:
                stream.known[at] = frame.object
            self._changed.notify_all()

    def wait(self, done: Callable[[], Any], seconds: float) -> bool:
        """Wait until a frame makes `done` true; False when the time is over."""
        with self._changed:
            return self._changed.wait_for(lambda: bool(done()), seconds)

    def quiet_since(self) -> float:
        """When the last frame of any kind arrived."""
        return max((stream.frames[-1].arrived for stream in self.streams.values() if stream.frames), default=0.0)

    def drain(self) -> list[Frame]:
        """All frames so far in the order of writes; they are taken off."""
        with self._changed:
            frames = [frame for stream in self.streams.values() for frame in stream.frames]
            for stream in self.streams.values():
                stream.frames = []
        return sorted(frames, key=lambda frame: version(frame.object))
