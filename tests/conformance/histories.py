"""Histories written by hand: a `Story` stamps objects as an API server would and keeps the entries in order.

    story = Story()
    claim = story.added(claim_manifest)
    claim = story.modified(put(claim, ("status", "phase"), "Bound"), by="binder")
    story.settled()
    assert result_of("PVB-001", story).verdict is Verdict.FAIL

Every method that records an event returns the object as it stands in it, with its uid, version and time.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from pvkit.backends.objects import NAMESPACED, Key, Obj, key
from pvkit.backends.protocol import Description, Event, Fault, Operation, Outcome, Settled, Setup
from pvkit.conformance.catalogue import selected
from pvkit.conformance.history import Asked, Entry, Header, History
from pvkit.conformance.judge import Result, judge
from pvkit.conformance.verdict import Verdict

START = 1_700_000_000
OBSERVED = Description("a story", "0", "1.36", ordered=True, ledgers=True, lag=0.0)


class Story:
    """Entries in order; `time` is the clock in seconds, one more with each event unless `pause` moves it."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.time = 0.0
        self._versions = 0
        self._uids = 0
        self._steps = 0

    def added(self, obj: Obj, by: str = "client") -> Obj:
        """An object appears; it gets a uid, a version and a time of creation unless it says them itself."""
        metadata = dict(obj["metadata"])
        if obj["kind"] in NAMESPACED:
            metadata.setdefault("namespace", "default")
        self._uids += 1
        metadata.setdefault("uid", f"uid-{self._uids}")
        metadata.setdefault("creationTimestamp", self.stamp())
        return self._event("ADDED", {**obj, "metadata": metadata}, by)

    def modified(self, obj: Obj, by: str = "controller") -> Obj:
        """An object changes to this."""
        return self._event("MODIFIED", obj, by)

    def deleted(self, obj: Obj, by: str = "controller") -> Obj:
        """An object is gone; the event shows it as it last was."""
        return self._event("DELETED", obj, by)

    def terminating(self, obj: Obj, by: str = "client") -> Obj:
        """A deletion is asked for and held back."""
        marked = {"deletionTimestamp": self.stamp(), "deletionGracePeriodSeconds": 0}
        return self._event("MODIFIED", {**obj, "metadata": {**obj["metadata"], **marked}}, by)

    def asked(self, request: Operation | Fault, outcome: Outcome | None = None) -> None:
        """A step of the plan and its answer, `ok` unless another is given."""
        self.entries.append(Asked(self._steps, request, outcome or Outcome("ok")))
        self._steps += 1

    def settled(self, quiet: bool = True, reason: str = "", disturbed: tuple[str, ...] = ()) -> None:
        """A wait ends."""
        self.entries.append(Settled(quiet, self.time, reason, disturbed))

    def pause(self, seconds: float) -> None:
        """Time passes."""
        self.time += seconds

    def stamp(self) -> str:
        """The present time as Kubernetes writes it, one second of the clock being one second."""
        return datetime.fromtimestamp(START + int(self.time), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def latest(self, obj: Obj) -> Obj:
        """The object of the same key as the story last showed it."""
        at: Key = key(obj)
        return next(
            entry.object for entry in reversed(self.entries) if isinstance(entry, Event) and key(entry.object) == at
        )

    def _event(self, type: Any, obj: Obj, by: str) -> Obj:
        self._versions += 1
        stamped = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self._versions)}}
        self.entries.append(Event(self._versions - 1, type, stamped, by, self.time))
        self.time += 1.0
        return stamped


def history_of(entries: Story | Iterable[Entry], **header: Any) -> History:
    """A history of these entries; `header` takes fields of `Setup`, and `ordered`, `ledgers`, `lacks`, `lag`."""
    described = {name: header.pop(name) for name in ("ordered", "ledgers", "lacks", "lag") if name in header}
    setup = Setup(**header)
    backend = replace(OBSERVED, kubernetes_version=setup.kubernetes_version, **described)
    found = entries.entries if isinstance(entries, Story) else list(entries)
    return History(Header(setup, backend), found)


def result_of(id: str, entries: Story | Iterable[Entry], **header: Any) -> Result:
    """What one invariant makes of the entries."""
    (result,) = judge(history_of(entries, **header), selected((id,)))
    return result


def verdict_of(id: str, entries: Story | Iterable[Entry], **header: Any) -> Verdict:
    """The verdict of one invariant on the entries."""
    return result_of(id, entries, **header).verdict


def message_of(id: str, entries: Story | Iterable[Entry], **header: Any) -> str:
    """The message of the first violation, "" if there is none."""
    violations = result_of(id, entries, **header).violations
    return violations[0].message if violations else ""


def results_of(entries: Story | Iterable[Entry], **header: Any) -> Mapping[str, Result]:
    """What every invariant makes of the entries, by id."""
    return {result.invariant.id: result for result in judge(history_of(entries, **header), selected())}
