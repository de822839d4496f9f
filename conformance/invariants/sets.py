"""Words about sets and their pods, as a judge needs them: who belongs to whom, and what else may delete a pod.

Who deleted a pod is not written anywhere. A judge therefore sets aside every deletion that somebody else than the set
may have asked for, and speaks only of the rest.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from pvkit.backends.objects import (
    Key,
    Obj,
    annotations,
    condition,
    controller_of,
    deleting,
    get,
    labels,
    name,
    namespace,
    owners,
    uid,
)
from pvkit.backends.storage import access_modes, requested, storage_class, volume_mode
from pvkit.backends.tables import Index
from pvkit.backends.workloads import claim_name, is_finished, node_name, parent_and_ordinal, templates
from pvkit.conformance.history import Change, Life, State

SET, POD, CLAIM, REVISION = "StatefulSet", "Pod", "PersistentVolumeClaim", "ControllerRevision"
POD_MADE, POD_CHANGED, POD_GONE = "Pod ADDED", "Pod MODIFIED", "Pod DELETED"
CLAIM_MADE, CLAIM_CHANGED, CLAIM_GONE = (f"{CLAIM} {type}" for type in ("ADDED", "MODIFIED", "DELETED"))

OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"

TEMPLATES_DOC = "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#volume-claim-templates"
DEPLOYING_DOC = (
    "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#deployment-and-scaling-guarantees"
)
UPDATE_DOC = "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#rolling-updates"
IDENTITY_DOC = "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#pod-identity"
RETENTION_DOC = "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#persistentvolumeclaim-retention"
CONTROL = "pkg/controller/statefulset/stateful_set_control.go"
UTILS = "pkg/controller/statefulset/stateful_set_utils.go"


def _by_parent(pod: Obj) -> Iterable[tuple[Any, Any]]:
    parent, at = parent_and_ordinal(name(pod))
    if parent and at >= 0:
        yield (namespace(pod), parent), at


def _by_namespace(obj: Obj) -> Iterable[tuple[Any, Any]]:
    yield namespace(obj), name(obj)


def _by_controller(obj: Obj) -> Iterable[tuple[Any, Any]]:
    owner = controller_of(obj)
    if owner is not None:
        yield str(owner.get("uid")), name(obj)


PODS_BY_PARENT = Index("pods by the set's name in theirs", POD, _by_parent, of_spec=True)
SETS_BY_NAMESPACE = Index("sets by namespace", SET, _by_namespace, of_spec=True)
REVISIONS_BY_SET = Index("revisions by controller", REVISION, _by_controller)


def set_of(state: State, obj: Obj) -> Obj | None:
    """The set that controls an object, if it exists with that UID."""
    owner = controller_of(obj)
    if owner is None or owner.get("kind") != SET:
        return None
    found = state.get(SET, namespace(obj), str(owner.get("name")))
    return found if found is not None and uid(found) == owner.get("uid") else None


def is_canonical(pod_name: str) -> bool:
    """Whether a pod's name is set, dash, ordinal in the one way in which a set writes it (`web-0`, never `web-00`)."""
    parent, at = parent_and_ordinal(pod_name)
    return at >= 0 and pod_name == f"{parent}-{at}"


def is_leaving(state: State, where: str) -> bool:
    """Whether a namespace is being deleted."""
    found = state.get("Namespace", "", where)
    return found is not None and deleting(found)


def node_troubled(state: State, pod: Obj) -> bool:
    """Whether others than the set may take the pod off its node: the node is gone, or tainted against what runs."""
    if not node_name(pod):
        return False
    node = state.get("Node", "", node_name(pod))
    if node is None:
        return True
    return any(
        taint.get("effect") == "NoExecute" or taint.get("key") == OUT_OF_SERVICE
        for taint in get(node, "spec", "taints") or ()
    )


def taken_away(change: Change, pod: Obj) -> bool:
    """Whether somebody else than a set may have deleted the pod: collector, node lifecycle, eviction, kubelet."""
    state, life = change.state, change.life
    return (
        is_finished(pod)
        or _is_disrupted(change.obj)
        or life.touched("status")
        or owners(life.first) not in ((), owners(pod))
        or is_leaving(state, change.key.namespace)
        or node_troubled(state, pod)
        or not state.faults.isdisjoint({"cut-off"})
    )


def _is_disrupted(pod: Obj) -> bool:
    return (condition(pod, "DisruptionTarget") or {}).get("status") == "True"


def is_exact(state: State) -> bool:
    """Whether the history knows of each removal who asked for it.

    A cluster tells the version of a removal to nobody, so there the client's own removals look like any other.
    """
    return state.header.backend.lag == 0


def claim_names(stateful_set: Obj, at: int) -> list[str]:
    """The names of the claims of an ordinal, in the order of the templates."""
    return [claim_name(template, stateful_set, at) for template in templates(stateful_set)]


def mounted_claims(pod: Obj) -> dict[str, str]:
    """The claim that each volume of a pod names, by the volume's name; volumes of other kinds are left out."""
    return {
        str(volume["name"]): str(volume["persistentVolumeClaim"]["claimName"])
        for volume in get(pod, "spec", "volumes") or ()
        if "persistentVolumeClaim" in volume
    }


def claim_role(stateful_set: Obj, claim: str) -> tuple[Obj, int] | None:
    """The template and ordinal for which a set would give this name to a claim; None if it never would."""
    for template in templates(stateful_set):
        head = f"{name(template)}-{name(stateful_set)}-"
        tail = claim[len(head) :]
        if claim.startswith(head) and tail.isdecimal() and str(int(tail)) == tail:
            return template, int(tail)
    return None


def follows_template(claim: Obj, template: Obj) -> bool:
    """Whether a claim asks for what the template says; a class that the template leaves open may be any."""
    wanted: Obj = {"metadata": {}, **template}
    says_class = "storageClassName" in wanted["spec"]
    return (
        access_modes(claim) == access_modes(wanted)
        and requested(claim) == requested(wanted)
        and volume_mode(claim) == volume_mode(wanted)
        and (not says_class or storage_class(claim) == storage_class(wanted))
    )


def images(template: Obj) -> dict[str, str]:
    """The image of each container of a pod or pod template, by the container's name."""
    return {str(one.get("name")): str(one.get("image")) for one in get(template, "spec", "containers") or ()}


def made_from(pod: Obj, template: Obj) -> bool:
    """Whether a pod can have been made from a pod template, by its images, labels and annotations."""
    sketch = template.get("metadata") or {}
    return (
        images(pod) == images(template)
        and _within(sketch.get("labels") or {}, labels(pod))
        and _within(sketch.get("annotations") or {}, annotations(pod))
    )


def _within(part: Mapping[str, str], whole: Mapping[str, str]) -> bool:
    return all(whole.get(field) == value for field, value in part.items())


def template_of(revision: Obj) -> Obj:
    """The pod template that a ControllerRevision holds."""
    return get(revision, "data", "spec", "template") or {}


def alike(one: Obj, other: Obj) -> bool:
    """Whether two pod templates are the same as far as a judge can tell apart what they make."""
    first, second = one.get("metadata") or {}, other.get("metadata") or {}
    return (
        images(one) == images(other)
        and (first.get("labels") or {}) == (second.get("labels") or {})
        and (first.get("annotations") or {}) == (second.get("annotations") or {})
    )


def current_life(state: State, obj: Obj) -> Life | None:
    """The life of an object that exists."""
    return state.life(Key(obj["kind"], namespace(obj), name(obj)))
