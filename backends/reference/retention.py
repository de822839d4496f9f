"""Retention: which owner a claim of a set must have, so that the garbage collector does what the set's policy says.

The set deletes no claim itself. Under a Delete policy it makes itself, or the pod that is scaled away, the controlling
owner of the claim; the rest is garbage collection. Claims that somebody else controls, or that carry a reference to
an earlier object of the same name, are nobody's to touch.
"""

from pvkit.backends.objects import API_VERSIONS, Obj, name, owner_reference, owners, put, uid, without
from pvkit.backends.workloads import ordinal, ordinals, retention

OWNERS = ("metadata", "ownerReferences")


def wanted_owner(stateful_set: Obj, pod: Obj) -> Obj | None:
    """The owner that the policy wants for the claims of a pod: the pod, the set, or nobody (RETAIN table)."""
    if retention(stateful_set, "whenScaled") == "Delete" and ordinal(pod) not in ordinals(stateful_set):
        return pod
    return stateful_set if retention(stateful_set, "whenDeleted") == "Delete" else None


def names(reference: Obj, obj: Obj) -> bool:
    """Whether an owner reference names an object, whatever the UID."""
    return (
        reference.get("name") == name(obj)
        and reference.get("kind") == obj["kind"]
        and reference.get("apiVersion") == API_VERSIONS[obj["kind"]]
    )


def has_owner(claim: Obj, owner: Obj) -> bool:
    """Whether a claim refers to this very owner, controlling or not."""
    return any(reference.get("uid") == uid(owner) for reference in owners(claim))


def outlived(claim: Obj, owner: Obj) -> bool:
    """Whether a claim refers to an earlier object of the owner's name (RETAIN-09, RETAIN-11)."""
    found = next((reference for reference in owners(claim) if names(reference, owner)), None)
    return found is not None and found.get("uid") != uid(owner)


def foreign_controller(claim: Obj, stateful_set: Obj, pod: Obj) -> bool:
    """Whether somebody else controls a claim that a Delete policy is about (RETAIN-08)."""
    if "Delete" not in (retention(stateful_set, "whenScaled"), retention(stateful_set, "whenDeleted")):
        return False
    for reference in owners(claim):
        ours = next((owner for owner in (stateful_set, pod) if names(reference, owner)), None)
        if reference.get("uid") != uid(ours) if ours is not None else reference.get("controller"):
            return True
    return False


def owners_right(claim: Obj, stateful_set: Obj, pod: Obj) -> bool:
    """Whether a claim's owners are as the policy wants them, or not the set's business."""
    wanted = wanted_owner(stateful_set, pod)
    if not owners(claim):
        return wanted is None
    if outlived(claim, stateful_set) or outlived(claim, pod):
        return True
    own = [reference for reference in owners(claim) if reference.get("uid") in (uid(stateful_set), uid(pod))]
    if foreign_controller(claim, stateful_set, pod):
        return not own
    if not all(reference.get("controller") for reference in own):
        return False
    return all(has_owner(claim, owner) == (wanted is owner) for owner in (stateful_set, pod))


def with_right_owners(claim: Obj, stateful_set: Obj, pod: Obj) -> Obj:
    """The claim with the owners that the policy wants; beside a foreign controller, without any of ours."""
    kept = [reference for reference in owners(claim) if not any(names(reference, own) for own in (stateful_set, pod))]
    wanted = None if foreign_controller(claim, stateful_set, pod) else wanted_owner(stateful_set, pod)
    if wanted is not None:
        kept.append(owner_reference(wanted))
    return put(claim, OWNERS, kept) if kept else without(claim, OWNERS)
