"""Claim templates: the claims that a pod of a set brings along.

A claim is named template, set, ordinal. It is created before its pod and found again by name ever after; one that
exists is used as it is, whoever made it. Nothing about a claim wakes the controller, so it looks for missing ones
whenever it comes by a pod that is absent or pending.
"""

from pvkit.backends.objects import Obj, deleting, get, namespace
from pvkit.backends.reference.passes import Pass, Slot
from pvkit.backends.reference.retention import outlived
from pvkit.backends.reference.view import Seen
from pvkit.backends.workloads import claim_name, retention, templates


def new_claim(stateful_set: Obj, template: Obj, ordinal: int) -> Obj:
    """The claim that a template gives for an ordinal: the set's matchLabels over the template's (PVC-01, PVC-03)."""
    marks = {
        **(template["metadata"].get("labels") or {}),
        **(get(stateful_set, "spec", "selector", "matchLabels") or {}),
    }
    metadata = {
        **template["metadata"],
        "name": claim_name(template, stateful_set, ordinal),
        "namespace": namespace(stateful_set),
        **({"labels": marks} if marks else {}),
    }
    metadata.pop("creationTimestamp", None)
    return {"kind": "PersistentVolumeClaim", "metadata": metadata, "spec": template["spec"]}


def claims(seen: Seen, work: Pass, slot: Slot) -> list[Obj]:
    """The cached claims of an ordinal, in the order of the templates."""
    found = (
        seen.get(
            "PersistentVolumeClaim", namespace(work.stateful_set), claim_name(template, work.stateful_set, slot.ordinal)
        )
        for template in templates(work.stateful_set)
    )
    return [claim for claim in found if claim is not None]


def missing(seen: Seen, work: Pass, slot: Slot) -> list[Obj]:
    """The templates whose claim for an ordinal is not cached, and was not asked for in this pass."""
    where = namespace(work.stateful_set)
    return [
        template
        for template in templates(work.stateful_set)
        if seen.get("PersistentVolumeClaim", where, called := claim_name(template, work.stateful_set, slot.ordinal))
        is None
        and called not in slot.done
    ]


def going(seen: Seen, work: Pass, slot: Slot) -> list[Obj]:
    """The claims of an ordinal that are being deleted: no pod is created on them (PVC-07)."""
    return [claim for claim in claims(seen, work, slot) if deleting(claim)]


def any_stale(seen: Seen, work: Pass, slot: Slot) -> bool:
    """Whether a claim is doomed to go with an earlier pod of this name, under whenScaled Delete (RETAIN-09)."""
    return retention(work.stateful_set, "whenScaled") == "Delete" and any(
        outlived(claim, slot.pod) for claim in claims(seen, work, slot)
    )
