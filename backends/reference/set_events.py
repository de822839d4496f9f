"""What the StatefulSet controller says in Kubernetes Events, always about the set (EVENT).

Events are evidence for people and promise nothing; no rule reads them.
"""

from collections.abc import Callable

from pvkit.backends.objects import Obj, name
from pvkit.backends.reference.passes import Pass, Slot
from pvkit.backends.reference.rules import Effect, Say
from pvkit.backends.reference.view import Seen

Words = tuple[str, str, str]

CAPITALS_SINCE = 35
"""The minor version since which the verb of a message has a capital."""


def pod_words(work: Pass, verb: str, pod: Obj, error: str = "") -> Words:
    """Type, reason and message about a pod that was created, updated or deleted, or could not be."""
    told = f"{_verb(work, verb)} Pod {name(pod)} in StatefulSet {name(work.stateful_set)}"
    if error:
        return "Warning", f"Failed{verb.capitalize()}", f"{told} failed error: {error}"
    return "Normal", f"Successful{verb.capitalize()}", f"{told} successful"


def claim_words(work: Pass, claim: Obj, pod: Obj, error: str = "") -> Words:
    """Type, reason and message about a claim that was created, or could not be (EVENT-01)."""
    told, where = (
        f"{_verb(work, 'create')} Claim {name(claim)}",
        f"Pod {name(pod)} in StatefulSet {name(work.stateful_set)}",
    )
    if error:
        return "Warning", "FailedCreate", f"{told} for {where} failed error: {error}"
    return "Normal", "SuccessfulCreate", f"{told} {where} success"


def problem(
    seen: Seen, work: Pass, slot: Slot, verb: str, silent: tuple[str, ...] = ()
) -> Callable[[str], Effect | None]:
    """How the refusal of a write for a pod is taken: the slot has a problem, and an event tells of it."""

    def told(reason: str) -> Effect | None:
        slot.problems.append(seen.refusal)
        return None if reason in silent else Say(work.stateful_set, *pod_words(work, verb, slot.pod, seen.refusal))

    return told


def _verb(work: Pass, verb: str) -> str:
    return verb.capitalize() if work.minor >= CAPITALS_SINCE else verb
