"""One actor's line to the API server, as a proxy keeps it: watches that are held, calls that are in for trouble.

It does no I/O of its own: the proxy asks it what is to become of each frame and of each call.
"""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from pvkit.backends.live.calls import READS, Call

INITIAL_END = b'"k8s.io/initial-events-end"'
"""What the bookmark that ends the initial state of a watch holds."""

WAKING_SECONDS = 0.5
"""How long after it sees all a controller may take to begin: it looks every tenth of a second whether it does."""

SECONDS_PER_TURN = 0.05
MOST_DELAY = 3.0


@dataclass(slots=True, eq=False)
class Stream:
    """One open watch: `pending` frames are held back, `ready` ones go out; `synced` once the initial state is told.

    With `hidden` the initial state is held back too, so that the watcher believes that there is nothing.
    """

    kind: str
    synced: bool = True
    hidden: bool = False
    pending: list[bytes] = field(default_factory=list)
    ready: "asyncio.Queue[bytes | None]" = field(default_factory=asyncio.Queue)


@dataclass(slots=True)
class Trouble:
    """What becomes of the `nth` next matching call, and of the `times - 1` after it.

    `word` is the fault's; `answer` of a refusal, `seconds` of a delay. `only` is a text that the path or the body of
    the call must hold ("" for any): the tag of the plan that is disturbed.
    """

    word: str
    kind: str = ""
    verb: str = ""
    nth: int = 1
    times: int = 1
    answer: str = "conflict"
    seconds: float = 1.0
    only: str = ""
    seen: int = 0

    def meets(self, call: Call, text: bytes) -> bool:
        """Count a call that matches; returns whether it is one of those in trouble."""
        if not call.counts or self.kind not in ("", call.kind) or self.only.encode() not in text:
            return False
        if call.verb != self.verb if self.verb else call.verb in READS:
            return False
        self.seen += 1
        return self.nth <= self.seen < self.nth + self.times


class Line:
    """The present troubles of one actor, and what it watches."""

    def __init__(self, actor: str, kinds: Iterable[str] = ()) -> None:
        self.actor = actor
        self.expected = set(kinds)
        self.held: set[str] = set()
        self.blank: set[str] = set()
        self.hideable: set[str] = set()
        """The kinds of which it lets a watch tell first what exists; others it lists, and a list is not hidden."""

        self.troubles: list[Trouble] = []
        self.streams: set[Stream] = set()
        self.under_way = self.met = 0
        self.hurry = asyncio.Event()
        self._complete_since = 0.0

    def open(self, kind: str, initial: bool) -> Stream:
        """A watch begins; `initial` when it tells what exists first."""
        stream = Stream(kind, synced=not initial, hidden=initial and kind in self.blank)
        self.streams.add(stream)
        if initial:
            self.hideable.add(kind)
        self._look()
        return stream

    def close(self, stream: Stream) -> None:
        """A watch has ended."""
        self.streams.discard(stream)

    def take(self, stream: Stream, frame: bytes) -> None:
        """One frame of a watch: it goes out, unless it is held back."""
        if not stream.synced and INITIAL_END in frame:
            stream.synced = True
            stream.ready.put_nowait(frame)
            self._look()
        elif stream.hidden or (stream.synced and stream.kind in self.held):
            stream.pending.append(frame)
        else:
            stream.ready.put_nowait(frame)

    def _look(self) -> None:
        if self.expected <= self.seeing:
            self._complete_since = monotonic()

    @property
    def seeing(self) -> set[str]:
        """The kinds of which the actor knows what exists."""
        return {stream.kind for stream in self.streams if stream.synced and stream.kind}

    def busy(self) -> str:
        """What is still to come without anybody doing anything, "" for nothing."""
        if self.under_way:
            return f"{self.under_way} delayed calls of {self.actor} are under way"
        if not self.expected <= self.seeing or monotonic() < self._complete_since + WAKING_SECONDS:
            return f"{self.actor} is starting"
        return ""

    def hold(self, kind: str) -> None:
        """Let no frame of a kind through."""
        self.held.add(kind)

    def release(self, kind: str, how: str = "all", count: int = 1) -> None:
        """Let frames through: all, the first `count` of each watch (`some`), or the last of each object (`merged`)."""
        for stream in self.streams:
            if stream.kind != kind:
                continue
            if how == "merged":
                stream.pending = merged(stream.pending)
            number = count if how == "some" else len(stream.pending)
            out, stream.pending = stream.pending[:number], stream.pending[number:]
            for frame in out:
                stream.ready.put_nowait(frame)
            stream.hidden = stream.hidden and how == "some"
        if how != "some":
            self.held.discard(kind)
            self.blank.discard(kind)

    def restart(self, hidden: Iterable[str]) -> None:
        """The actor starts anew: it lists afresh, but of the `hidden` kinds it sees nothing until `release`."""
        self.expected |= self.seeing
        self.blank = set(hidden)
        self.held = set(hidden)
        self.streams.clear()

    def trouble(self, call: Call, text: bytes) -> Trouble | None:
        """The trouble that a call is in; `text` is its path and body."""
        found = next((trouble for trouble in self.troubles if trouble.meets(call, text)), None)
        self.met += found is not None
        return found

    def heal(self) -> None:
        """End every disturbance; delayed calls go on at once."""
        self.troubles.clear()
        self.met = 0
        for kind in self.held | self.blank:
            self.release(kind)
        self.hurry.set()
        self.hurry = asyncio.Event()

    def state(self) -> dict[str, Any]:
        """What stands, for those who ask."""
        return {
            "busy": self.busy(),
            "held": sorted(self.held),
            "met": self.met,
            "pending": sum(len(stream.pending) for stream in self.streams),
            "seeing": sorted(self.seeing),
        }


def merged(frames: list[bytes]) -> list[bytes]:
    """The last frame of each object, in order; a removal and a creation under one name become one change."""
    last: dict[Any, bytes] = {}
    for frame in frames:
        said = json.loads(frame)
        metadata = said["object"].get("metadata") or {}
        at = said["type"] if said["type"] == "BOOKMARK" else (metadata.get("namespace"), metadata.get("name"))
        last.pop(at, None)
        last[at] = frame
    return list(last.values())
