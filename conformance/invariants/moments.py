"""Moments: what many promises ask of a change before anything else.

Each is a condition for `when`, looked at once a change for all that name it. What costs more is `remembered` for as
long as the change is the latest, since several judges ask the same of one event.
"""

from collections.abc import Callable
from typing import TypeVar

from pvkit.backends.objects import annotations, deleting, phase
from pvkit.backends.storage import bind_completed, claim_ref_uid
from pvkit.conformance.history import Asked, Change
from pvkit.conformance.invariant import of_change_in

T = TypeVar("T")
E = TypeVar("E", Change, Asked)


def remembered(ask: Callable[[E], T]) -> Callable[[E], T]:
    """The same question, worked out once for the latest change or answer."""
    latest: E | None = None
    answer: T | None = None

    def asked(evidence: E) -> T:
        nonlocal latest, answer
        if latest is not evidence:
            answer, latest = ask(evidence), evidence
        return answer  # type: ignore[return-value]

    asked.__doc__ = ask.__doc__
    return asked


def born(change: Change) -> bool:
    """The object is new."""
    return change.old is None


def lasted(change: Change) -> bool:
    """The object was there before."""
    return change.old is not None


def was_leaving(change: Change) -> bool:
    """The object was to be deleted, and is still there."""
    return change.old is not None and change.new is not None and deleting(change.old)


def begins_to_go(change: Change) -> bool:
    """Whether this is the first that is seen of a deletion which the client did not ask for."""
    old, new = change.old, change.new
    if old is None or change.by_client or deleting(old):
        return False
    return new is None or deleting(new)


@of_change_in("status")
def turned(change: Change) -> tuple[str, str] | None:
    """The phase before and after, where a component changed it."""
    if change.old is None or change.new is None or change.by_client:
        return None
    before, after = phase(change.old), phase(change.new)
    return None if before == after else (before, after)


@of_change_in("spec")
def respecified(change: Change) -> bool:
    """Somebody wrote the spec."""
    return change.old is not None and change.new is not None and change.old["spec"] != change.new["spec"]


@of_change_in("annotations")
def annotated(change: Change) -> bool:
    """A component changed the annotations."""
    old, new = change.old, change.new
    return old is not None and new is not None and not change.by_client and annotations(old) != annotations(new)


@of_change_in("spec")
def referred(change: Change) -> bool:
    """A component wrote a claim's UID into the claimRef of a volume that had none."""
    old, new = change.old, change.new
    if old is None or new is None or change.by_client:
        return False
    return bool(claim_ref_uid(new)) and not claim_ref_uid(old)


def belonged(change: Change) -> bool:
    """A component wrote a volume that belonged to a claim."""
    old, new = change.old, change.new
    return old is not None and new is not None and not change.by_client and bool(claim_ref_uid(old))


@of_change_in("annotations")
def completes(change: Change) -> bool:
    """A component's write makes a claim's binding complete."""
    old, new = change.old, change.new
    if old is None or new is None or change.by_client:
        return False
    return bind_completed(new) and not bind_completed(old)
