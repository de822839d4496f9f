"""One plan on two backends: what it says of UIDs is told to each in that backend's own.

A plan is drawn along the model, so it may hold UIDs that the model made up, as a volume reserved for a claim does, or
names made of them. Who plays it elsewhere means the same objects.
"""

import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pvkit.backends.objects import Key, get, key, name, put, uid
from pvkit.backends.protocol import (
    Backend,
    Budget,
    CanDisturb,
    CanStep,
    Departure,
    Description,
    Event,
    Operation,
    Outcome,
    Settled,
    Setup,
    Shares,
    TellsLate,
)
from pvkit.conformance.execute import execute
from pvkit.conformance.history import Asked, History
from pvkit.strategies.plan import Plan

CONFLICT = 409
_UID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")


class Uids:
    """The objects that UIDs of one history stand for: a key, and how many there were of that key before."""

    def __init__(self) -> None:
        self.meant: dict[str, tuple[Key, int]] = {}
        self.known: defaultdict[Key, list[str]] = defaultdict(list)
        self.revisions: dict[Key, tuple[str, int]] = {}
        self.hashes: dict[str, tuple[str, int]] = {}
        self.current: set[tuple[Key, str]] = set()

    def learn(self, obj: dict[str, Any]) -> None:
        """One more object that was seen."""
        found = uid(obj)
        if obj.get("kind") == "ControllerRevision":
            self.revisions[key(obj)] = self.hashes[name(obj)] = name(obj).rpartition("-")[0], int(obj["revision"])
        if found and found not in self.meant:
            at = key(obj)
            self.meant[found] = at, len(self.known[at])
            self.known[at].append(found)


def played(plan: Plan, backend: Backend, drawn: Uids, budget: Budget | None = None) -> History:
    """The history of a plan on a backend, in that backend's own UIDs throughout."""
    twin = Twin(backend, drawn)
    history = execute(plan, twin, budget)
    asked = iter(twin.asked)
    history.entries = [
        replace(entry, request=next(asked))
        if isinstance(entry, Asked) and isinstance(entry.request, Operation)
        else entry
        for entry in history.entries
    ]
    return history


def uids_of(history: History) -> Uids:
    """The UIDs of a history."""
    found = Uids()
    for entry in history.entries:
        if isinstance(entry, Event):
            found.learn(entry.object)
        elif isinstance(entry, Asked):
            if uid_of(entry.outcome):
                found.learn(entry.outcome.object or {})
            if isinstance(entry.request, Operation) and version_of(entry.request) and entry.outcome.code != CONFLICT:
                found.current.add((key(entry.request.object or {}), version_of(entry.request)))
    return found


def version_of(operation: Operation) -> str:
    """The resourceVersion that an update names, "" if it names none."""
    return str(get(operation.object or {}, "metadata", "resourceVersion") or "")


def uid_of(outcome: Outcome) -> str:
    """The UID of the object that an answer shows, "" if it shows none."""
    return str(get(outcome.object or {}, "metadata", "uid") or "")


class Twin:
    """A backend that is asked in the UIDs of another history."""

    def __init__(self, backend: Backend, drawn: Uids) -> None:
        self.backend, self._drawn, self._own = backend, drawn, Uids()
        self.asked: list[Operation] = []
        if isinstance(backend, TellsLate):
            self.moment, self.events_before = backend.moment, backend.events_before
        if isinstance(backend, CanDisturb):
            self.fault_words, self.disturb = backend.fault_words, backend.disturb
        if isinstance(backend, Shares):
            self.beside, self.foresee, self.leave, self.limit = (
                backend.beside, backend.foresee, backend.leave, backend.limit
            )  # fmt: skip
        if isinstance(backend, CanStep):
            self.run: Callable[[int], None] = backend.run

    def reset(self, setup: Setup, schedule: tuple[Departure, ...] = ()) -> None:
        """Begin a plan."""
        self.backend.reset(setup, schedule)

    def invoke(self, operation: Operation) -> Outcome:
        """Ask with this backend's own UIDs in place of those that were drawn."""
        changed = replace(
            operation,
            object=self._up_to_date(operation, self._mapped(operation.object)),
            target=self._target(operation.target),
            patch=self._mapped(operation.patch),
            options=self._mapped(dict(operation.options)),
        )
        outcome = self.backend.invoke(changed)
        self.asked.append(changed)
        if uid_of(outcome):
            self._own.learn(outcome.object or {})
        return outcome

    def _up_to_date(self, operation: Operation, mapped: Any) -> Any:
        """The object with the version that this backend has, if the drawn one was the latest when it was named."""
        if operation.object is None or not version_of(operation):
            return mapped
        if (key(operation.object), version_of(operation)) not in self._drawn.current:
            return mapped
        found = self.backend.invoke(Operation("get", target=key(mapped), options={"at-once": True})).object
        return put(mapped, ("metadata", "resourceVersion"), found["metadata"]["resourceVersion"]) if found else mapped

    def _target(self, at: Key | None) -> Key | None:
        if at is None or at.kind != "ControllerRevision":
            return Key(*map(self._text, at)) if at is not None else None
        return self._revision(at)

    def _revision(self, at: Key) -> Key:
        """The revision of a set that is the same in number: the hash in its name is made otherwise by each backend."""
        owner, number = self._drawn.revisions.get(at, ("", 0))
        listed = self.backend.invoke(Operation("list", target=at._replace(name=""), options={"at-once": True})).object
        found = [item for item in (listed or {}).get("items") or () if item.get("revision") == number]
        return next(
            (at._replace(name=name(item)) for item in found if name(item).rpartition("-")[0] == owner and owner), at
        )

    def _mapped(self, tree: Any) -> Any:
        if isinstance(tree, dict):
            return {field: self._mapped(value) for field, value in tree.items()}
        if isinstance(tree, list):
            return [self._mapped(value) for value in tree]
        return self._text(tree) if isinstance(tree, str) else tree

    def _text(self, text: str) -> str:
        if text in self._drawn.hashes:
            return self._own_revision(text)
        return _UID.sub(lambda match: self._meant(match[0]), text) if text.count("-") >= 4 else text

    def _own_revision(self, drawn: str) -> str:
        """This backend's name of a revision; it is looked for when no answer told of it yet."""
        wanted = self._drawn.hashes[drawn]
        known = [own for own, meant in self._own.hashes.items() if meant == wanted]
        at = next((at for at in self._drawn.revisions if at.name == drawn), None)
        return known[0] if known else self._revision(at).name if at is not None else drawn

    def _meant(self, drawn: str) -> str:
        """This backend's UID of what a drawn one stands for; the same text when nothing does here."""
        if drawn not in self._drawn.meant:
            return drawn
        at, number = self._drawn.meant[drawn]
        at = Key(*map(self._text, at)) if drawn not in at.name else at
        if len(self._own.known[at]) <= number:
            found = self.backend.invoke(Operation("get", target=at, options={"at-once": True})).object
            if found is not None:
                self._own.learn(found)
        known = self._own.known[at]
        return known[number] if number < len(known) else drawn

    def settle(self, budget: Budget) -> Settled:
        """Wait for rest."""
        return self.backend.settle(budget)

    def observe(self) -> list[Event]:
        """The events since the last call."""
        events = self.backend.observe()
        for event in events:
            self._own.learn(event.object)
        return events

    def describe(self) -> Description:
        """What the backend behind this one is."""
        return self.backend.describe()

    def close(self) -> None:
        """Nothing of its own to leave behind."""
