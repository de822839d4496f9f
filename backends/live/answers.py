"""Which of the changes that were seen are the client's own, and where among them its answers belong.

An answer carries the resourceVersion that the write left, except where the object went at once: then the removal has a
version of its own, newer than the answer's, and is known by the object's UID. A write that changed nothing answers with
a version that somebody else wrote. A refusal carries no version; it belongs after all that was written before it came.
A pod without time to stop is marked and removed by one request, which answers with the removal alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pvkit.backends.live.watching import Frame
from pvkit.backends.objects import Key, Obj, deleting, finalizers, get, key, uid, version
from pvkit.backends.protocol import Operation


@dataclass(slots=True)
class Answer:
    """What is known of one write of the client, or of a read or refusal when `at` is None.

    `moment` is a version not older than any write before the answer; `known` the newest version of the object that was
    known when the request was sent; `removes` the UID of the object that went at once, "" if it did not; `deletes`
    whether that was what the request asked for; `patch` is the merge patch that was sent, if it was one.
    """

    moment: int
    at: Key | None = None
    known: int = 0
    removes: str = ""
    deletes: bool = False
    patch: Any = None


def answer_of(operation: Operation, found: Obj, at: Key, known: int) -> Answer:
    """What an answer tells of the write it answers; `at` is where the object is on the cluster."""
    removes = _removed(operation, found)
    told = version(found) if "metadata" in found else 0
    patch = operation.patch if operation.verb == "patch" and isinstance(operation.patch, dict) else None
    return Answer(told, at, known, removes, operation.verb == "delete", patch)


def _removed(operation: Operation, found: Obj) -> str:
    """The UID of the object that the request removed at once, "" if it did not.

    A server tells so by a Status with details, or by the object itself where nothing holds it any more.
    """
    if operation.verb == "create":
        return ""
    if found.get("kind") == "Status":
        return str(get(found, "details", "uid") or "")
    held = bool(finalizers(found) or get(found, "spec", "finalizers")) or found["metadata"].get(
        "deletionGracePeriodSeconds"
    )
    if held:
        return ""
    graceful = found.get("kind") == "Pod"
    goes = deleting(found) or (operation.verb == "delete" and not graceful)
    return uid(found) if goes else ""


class Answers:
    """The answers of one plan, in order."""

    def __init__(self) -> None:
        self._given: list[Answer] = []
        self._versions: dict[int, Answer] = {}
        self._removals: dict[str, Answer] = {}

    def give(self, answer: Answer) -> int:
        """One more answer; returns its number."""
        if self._given:
            answer.moment = max(answer.moment, self._given[-1].moment)
        self._given.append(answer)
        return len(self._given) - 1

    def note(self, answer: Answer, told: int) -> None:
        """Remember that the client wrote a version, unless it was there before, and what it removed."""
        if told > answer.known:
            self._versions.setdefault(told, answer)  # Who answers with it later only found it.
        if answer.removes:
            self._removals.setdefault(answer.removes, answer)

    def __len__(self) -> int:
        return len(self._given)

    def moment(self, number: int) -> int:
        """The version after which the answer of that number came."""
        return max((answer.moment for answer in self._given[: number + 1]), default=0)

    def own(self, frame: Frame, before: Obj | None) -> bool:
        """Whether the client made this change; a removal moves the moment of its answer.

        A version that a patch only found, because somebody else had just written it, is told by what the patch asks
        for: there it changed nothing.
        """
        if frame.type == "DELETED":
            answer = self._removals.pop(uid(frame.object), None)
            if answer is not None:
                answer.moment = max(answer.moment, frame.version)
            return answer is not None
        answer = self._versions.get(frame.version)
        if answer is None or answer.at != key(frame.object):
            return self._marks(frame, before)
        return answer.patch is None or before is None or _touches(answer.patch, before, frame.object)

    def _marks(self, frame: Frame, before: Obj | None) -> bool:
        """Whether a change is the mark that a request put on an object which it then removed itself."""
        answer = self._removals.get(uid(frame.object))
        if answer is None or not answer.deletes or before is None or frame.version <= answer.known:
            return False
        return _grace(frame.object) == 0 and (not deleting(before) or _grace(before) != 0)


def _grace(obj: Obj) -> object:
    return obj["metadata"].get("deletionGracePeriodSeconds")


def _touches(patch: Obj, before: Obj, after: Obj) -> bool:
    """Whether anything that a merge patch speaks of differs between two versions."""
    return any(
        get(before, *path) != get(after, *path)
        or any((get(before, *path[:end]) is None) != (get(after, *path[:end]) is None) for end in range(1, len(path)))
        for path in _leaves(patch)
    )


def _leaves(patch: Obj, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for field, value in patch.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*path, field))
        else:
            yield (*path, field)
