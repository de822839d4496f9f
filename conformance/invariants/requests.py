"""What a request did: the changes that the client's own write made, beside the answer to it."""

from pvkit.backends.objects import NAMESPACED, Key, Obj
from pvkit.backends.protocol import Operation, Outcome, Settled
from pvkit.conformance.history import Asked, Change, State

MOST_PENDING = 64


class Requests:
    """The follower of the plan's requests; `made` holds the changes by the latest one when its answer is judged."""

    def __init__(self) -> None:
        self.made: list[Change] = []
        self._pending: list[Change] = []

    def take(self, change: Change) -> None:
        """One more event."""
        if change.by_client and len(self._pending) < MOST_PENDING:
            self._pending.append(change)

    def hear(self, entry: Asked | Settled, state: State) -> None:
        """The answer to a request comes after the events that it made."""
        if isinstance(entry, Asked):
            self.made, self._pending = self._pending, []


def subject(request: Operation) -> Key | None:
    """The key of the object that a request is about; None where the server gives the name."""
    if request.target is not None:
        at = request.target
        where = at.namespace or "default" if at.kind in NAMESPACED else ""
        return Key(at.kind, where, at.name)
    body = request.object or {}
    metadata = body.get("metadata") or {}
    if not metadata.get("name") or "kind" not in body:
        return None
    where = metadata.get("namespace") or "default" if body["kind"] in NAMESPACED else ""
    return Key(str(body["kind"]), where, str(metadata["name"]))


def body_of(request: Operation) -> Obj:
    """The body of a create or update, {} for other requests."""
    return request.object or {}


def refused(outcome: Outcome, reason: str = "") -> bool:
    """Whether the server said no, for a reason or for any."""
    return outcome.status == "failed" and reason in ("", outcome.reason)
