"""Which nodes a volume is reachable from, and which nodes a pod may go to."""

from pvkit.backends.objects import Obj, get, labels, name, selects
from pvkit.backends.storage import node_terms

UNSCHEDULABLE = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}


def reaches(volume: Obj, node: Obj) -> bool:
    """Whether a volume is reachable from a node (SCHED-13): one of the ORed terms fits, or there are none at all.

    Only labels are compared: a term that holds nothing but matchFields fits every node, an empty term none.
    """
    terms = node_terms(volume)
    return terms is None or any(_fits(term, node, fields=False) for term in terms)


def _fits(term: Obj, node: Obj, fields: bool) -> bool:
    if not term.get("matchExpressions") and not term.get("matchFields"):
        return False
    if fields and not selects({"matchExpressions": term.get("matchFields") or ()}, {"metadata.name": name(node)}):
        return False
    return selects({"matchExpressions": term.get("matchExpressions") or ()}, labels(node))


def matches_topologies(storage_class: Obj, node: Obj) -> bool:
    """Whether a node lies in the `allowedTopologies` of a class; no terms allow every node."""
    terms = storage_class.get("allowedTopologies") or ()
    return not terms or any(_in_topology(term, node) for term in terms)


def _in_topology(term: Obj, node: Obj) -> bool:
    wanted = term.get("matchLabelExpressions") or ()
    return bool(wanted) and all(labels(node).get(entry["key"]) in entry["values"] for entry in wanted)


def taints(node: Obj) -> list[Obj]:
    """`spec.taints` of a node."""
    return (node.get("spec") or {}).get("taints") or []


def tolerates(pod: Obj, taint: Obj) -> Obj | None:
    """The pod's first toleration of a taint, if any."""
    return next((entry for entry in pod["spec"].get("tolerations") or () if _covers(entry, taint)), None)


def _covers(toleration: Obj, taint: Obj) -> bool:
    if toleration.get("effect") not in (None, "", taint.get("effect")):
        return False
    if toleration.get("key") not in (None, "", taint["key"]):
        return False
    if toleration.get("operator") == "Exists":
        return True
    return bool(toleration.get("key")) and (toleration.get("value") or "") == (taint.get("value") or "")


def unwelcome(pod: Obj, node: Obj, minor: int) -> str:
    """Why a pod may not go to a node, volumes aside; "" if it may. The first plugin that refuses decides."""
    spec = node.get("spec") or {}
    if spec.get("unschedulable") and not tolerates(pod, UNSCHEDULABLE):
        return "node(s) were unschedulable"
    for taint in taints(node):
        if taint.get("effect") in ("NoSchedule", "NoExecute") and not tolerates(pod, taint):
            named = f"taint {{{taint['key']}: {taint.get('value') or ''}}}" if minor < 34 else "taint(s)"
            return f"node(s) had untolerated {named}"
    return "" if _selects(pod, node) else "node(s) didn't match Pod's node affinity/selector"


def _selects(pod: Obj, node: Obj) -> bool:
    spec, marks = pod["spec"], labels(node)
    if any(marks.get(label) != value for label, value in (spec.get("nodeSelector") or {}).items()):
        return False
    required = get(pod, "spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
    return required is None or any(_fits(term, node, fields=True) for term in required["nodeSelectorTerms"])
