"""Owners of claims: when a pass brings the claims of a pod in line with the retention policy.

Claims of pods in range are looked after as the pass comes by their pods; those of condemned pods all at once, before
the first of the pods is deleted, so that no volume is left behind. What the right owner is, `retention` says.
"""

from pvkit.backends.objects import Key, Obj, name, phase
from pvkit.backends.reference.claim_templates import claims
from pvkit.backends.reference.ordering import front, in_range_passed, is_kept, trouble, wrong_claims
from pvkit.backends.reference.passes import Pass, Slot, ask_for, at_hand
from pvkit.backends.reference.retention import foreign_controller, with_right_owners
from pvkit.backends.reference.rules import Effect, Say, Write, rule
from pvkit.backends.reference.set_events import problem
from pvkit.backends.reference.view import Seen


def awaiting_owners(seen: Seen, work: Pass) -> list[Slot]:
    """The condemned pods at which the pass stands because of the owners of their claims."""
    if not in_range_passed(seen, work):
        return []
    return work.claims_of_condemned.batch(lambda slot: not slot.problems and not wrong_claims(seen, work, slot))


def owns_claims(seen: Seen, work: Pass, slot: Slot) -> bool:
    """Whether the pass has come so far with a slot in range that it looks after the owners of its claims."""
    return is_fresh(seen, work, slot) or (is_kept(work, slot) and not trouble(seen, work, slot))


def is_fresh(seen: Seen, work: Pass, slot: Slot) -> bool:
    """Whether the pod of a slot was just created, or is pending with all its claims there."""
    if not slot.exists:
        return "create" in slot.done and "taken" not in slot.done
    return phase(slot.pod) == "Pending" and not trouble(seen, work, slot)


@rule("RETAIN-08", on="StatefulSet")
def tell_of_controller(seen: Seen, at: Key) -> Effect | None:
    """A claim that somebody else controls is not the policy's to touch, and an event says so."""
    work = at_hand(seen, at)
    for slot in [*front(seen, work), *awaiting_owners(seen, work)]:
        looked_at = claims if is_fresh(seen, work, slot) else wrong_claims
        for claim in looked_at(seen, work, slot) if slot.exists or is_fresh(seen, work, slot) else ():
            if foreign_controller(claim, work.stateful_set, slot.pod) and ("told", name(claim)) not in work.done:
                work.done.add(("told", name(claim)))
                return Say(work.stateful_set, "Warning", "ConflictingController", _conflict(claim))
    return None


def _conflict(claim: Obj) -> str:
    """The text about a claim with a controller of its own; its spelling is the real one's."""
    return (
        f"PersistentVolumeClaim {name(claim)} has a conflicting OwnerReference that acts as a manging controller, "
        "the retention policy is ignored for this claim"
    )


@rule("RETAIN-02", on="StatefulSet")
def own_claim(seen: Seen, at: Key) -> Effect | None:
    """A claim of a pod in range gets the owner that the retention policy wants, as a controlling one."""
    work = at_hand(seen, at)
    found = [slot for slot in front(seen, work) if owns_claims(seen, work, slot) and wrong_claims(seen, work, slot)]
    if not found:
        return None
    slot = seen.tie(found)
    slot.reowned = slot.reowned or not is_fresh(seen, work, slot)
    return change_owners(seen, work, slot)


@rule("RETAIN-03", on="StatefulSet")
def doom_claims(seen: Seen, at: Key) -> Effect | None:
    """The claims of all condemned pods get their owners before any of the pods is deleted (RETAIN-04)."""
    work = at_hand(seen, at)
    found = [slot for slot in awaiting_owners(seen, work) if wrong_claims(seen, work, slot) and not slot.problems]
    return change_owners(seen, work, seen.tie(found), silent=True) if found else None


def change_owners(seen: Seen, work: Pass, slot: Slot, silent: bool = False) -> Write:
    """Bring the owners of one claim in line with the policy."""
    claim = wrong_claims(seen, work, slot)[0]

    def refused(reason: str) -> Effect | None:
        seen.refusal = f"could not update claim {name(claim)} for delete policy ownerRefs: {seen.refusal}"
        return problem(seen, work, slot, "update", silent=(reason,) if silent else ())(reason)

    fixed = with_right_owners(claim, work.stateful_set, slot.pod)
    return ask_for(work, slot, f"owners of {name(claim)}", "update", fixed, refused)
