"""Replicas: what a pass does to the pods in range, one ordinal after the other.

Each rule looks at the slots where the pass stands (`ordering.front`): a finished pod goes, an absent one comes after
its claims, a pending one gets claims that were lost, and one that runs is brought back to its identity.
"""

from pvkit.backends.objects import Key, Obj, deleting, name, namespace, phase
from pvkit.backends.reference.claim_templates import any_stale, missing, new_claim
from pvkit.backends.reference.identity import new_pod, repaired, storage_matches
from pvkit.backends.reference.ordering import (
    front,
    is_absent,
    is_kept,
    needs_repair,
    revision_for,
    trouble,
    wrong_claims,
)
from pvkit.backends.reference.passes import Pass, Slot, ask_for, at_hand
from pvkit.backends.reference.revisions import template
from pvkit.backends.reference.rules import Effect, Say, Write, rule
from pvkit.backends.reference.set_events import claim_words, pod_words, problem
from pvkit.backends.reference.view import Seen
from pvkit.backends.workloads import is_finished, templates

NOT_FOUND_IS_SUCCESS_SINCE = 36


def remove(seen: Seen, work: Pass, slot: Slot, step: str = "delete") -> Write:
    """Delete a pod by its name, whatever its UID (POD-12), and tell of it."""
    return ask_for(
        work,
        slot,
        step,
        "delete",
        slot.pod,
        problem(seen, work, slot, "delete"),
        blind=True,
        tolerate=("NotFound",) if work.minor >= NOT_FOUND_IS_SUCCESS_SINCE else (),
        say=pod_words(work, "delete", slot.pod),
    )


def wants_claims(seen: Seen, work: Pass, slot: Slot) -> bool:
    """Whether missing claims of a slot are created: before its pod, under a pending one, or with a repair."""
    if is_absent(slot):
        return not any_stale(seen, work, slot)
    if phase(slot.pod) == "Pending":
        return True
    return is_kept(work, slot) and needs_repair(work, slot) and not storage_matches(work.stateful_set, slot.pod)


@rule("POD-01", on="StatefulSet")
def replace_finished(seen: Seen, at: Key) -> Effect | None:
    """A pod in range that Failed or Succeeded is deleted, so that a later pass can create it anew."""
    work = at_hand(seen, at)
    found = [slot for slot in front(seen, work) if slot.exists and is_finished(slot.pod)]
    found = [slot for slot in found if not deleting(slot.pod) and "delete" not in slot.done]
    return remove(seen, work, seen.tie(found)) if found else None


@rule("PVC-01", on="StatefulSet")
def create_claim(seen: Seen, at: Key) -> Effect | None:
    """A claim that is missing is created before its pod, or again under a pending pod (PVC-09)."""
    work = at_hand(seen, at)
    found = [slot for slot in front(seen, work) if wants_claims(seen, work, slot) and missing(seen, work, slot)]
    if not found:
        return None
    slot = seen.tie(found)
    claim = new_claim(work.stateful_set, seen.tie(missing(seen, work, slot)), slot.ordinal)

    def refused(reason: str) -> Effect | None:
        slot.problems.append(f"failed to create PVC {name(claim)}: {seen.refusal}")
        silent = reason == "AlreadyExists"
        return None if silent else Say(work.stateful_set, *claim_words(work, claim, slot.pod, seen.refusal))

    words = claim_words(work, claim, slot.pod)
    return ask_for(work, slot, name(claim), "create", claim, refused, say=words)


@rule("PVC-07", on="StatefulSet")
def tell_of_claims(seen: Seen, at: Key) -> Effect | None:
    """A pod is not created while one of its claims is being deleted or was refused; an event says so."""
    work = at_hand(seen, at)
    for slot in front(seen, work):
        if is_absent(slot) and not any_stale(seen, work, slot) and not missing(seen, work, slot):
            reasons = trouble(seen, work, slot)
            if reasons:
                return Say(work.stateful_set, *pod_words(work, "create", slot.pod, "; ".join(reasons)))
    return None


@rule("ORDER-02", on="StatefulSet")
def create_pod(seen: Seen, at: Key) -> Effect | None:
    """An absent pod is created once the pods below are ready and available, and all of its claims exist (ORDER-14)."""
    work = at_hand(seen, at)
    found = [slot for slot in front(seen, work) if is_absent(slot) and not any_stale(seen, work, slot)]
    found = [slot for slot in found if not missing(seen, work, slot) and not trouble(seen, work, slot)]
    if not found:
        return None
    slot = seen.tie(found)
    pod = make_pod(seen, work, slot)

    def refused(reason: str) -> Effect | None:
        if reason == "AlreadyExists":
            slot.done.add("taken")
        return problem(seen, work, slot, "create", silent=("AlreadyExists",))(reason)

    return ask_for(work, slot, "create", "create", pod, refused, say=pod_words(work, "create", pod))


def make_pod(seen: Seen, work: Pass, slot: Slot) -> Obj:
    """The pod of a slot, at the revision that is due to its index."""
    due, volumes = revision_for(work, slot.ordinal), len(templates(work.stateful_set))
    turn = seen.tie(range(volumes)) if volumes > 1 else 0
    return new_pod(work.stateful_set, template(due), name(due), slot.ordinal, turn)


@rule("IDENT-04", on="StatefulSet")
def repair_pod(seen: Seen, at: Key) -> Effect | None:
    """A pod whose name label or claims are not its ordinal's is put right; so is one whose claims changed hands."""
    work = at_hand(seen, at)
    found = [slot for slot in front(seen, work) if is_kept(work, slot) and needs_repair(work, slot)]
    found = [slot for slot in found if not trouble(seen, work, slot) and not wrong_claims(seen, work, slot)]
    if not found:
        return None
    slot = seen.tie(found)
    fresh = seen.get("Pod", namespace(work.stateful_set), name(slot.pod)) or slot.pod
    fixed = repaired(work.stateful_set, fresh)
    words = pod_words(work, "update", fixed)

    def refused(reason: str) -> Effect | None:
        other = seen.get("Pod", namespace(work.stateful_set), name(fixed))
        if reason == "Conflict" and other is not None and name(other) != name(slot.pod):
            return Say(work.stateful_set, *words)
        return problem(seen, work, slot, "update")(reason)

    return ask_for(work, slot, "repair", "update", fixed, refused, say=words)
