"""Manners on a cluster that others use: what a plan may not ask for there, and a class for what has none.

A claim without a class takes any volume without a class, whoever made it, and where the cluster has a default class it
gets real storage. So on somebody's cluster "no class" is a class of the plan's own that nobody else has and no object
stands behind; it binds as the empty one does. What would reach beyond the plan is refused before it is sent.
"""

from typing import Any

from pvkit.backends.objects import Obj, annotations, get, put, walk, without
from pvkit.backends.protocol import Operation
from pvkit.backends.storage import BETA_CLASS, BETA_DEFAULT_CLASS, DEFAULT_CLASS

UNSET_MARK = "pvkit.dev/class-unset"
"""The annotation of a claim that named no class at all, rather than the empty one."""
READS = ("get", "list")
DEFAULT_FOR_ALL = "a default class would be given to everybody's claims"
CLASS_FOR_NONE = "what has no class could be taken for somebody else's"
_CLASS = ("spec", "storageClassName")
_TEMPLATES = ("spec", "volumeClaimTemplates")


def objection(operation: Operation) -> str:
    """Why an operation is not sent to a cluster that others use, "" if it may be."""
    if operation.verb in READS:
        return ""
    kind = operation.target.kind if operation.target else str((operation.object or {}).get("kind"))
    if kind in ("Node", "CSINode"):
        return "the nodes are not the plan's own"
    said = dict(said_of(operation))
    if gives_defaults(said):
        return DEFAULT_FOR_ALL
    if "hostPath" in said or "local" in said:
        return "a volume would lie on a node of the cluster"
    if any(said.get(field) is True for field in ("privileged", "hostNetwork", "hostPID", "hostIPC")):
        return "a pod would reach into its node"
    if said.get("persistentVolumeReclaimPolicy") == "Recycle":
        return "the recycler would run a pod outside of the plan's namespaces"
    if leaves_no_class(operation):
        return CLASS_FOR_NONE
    return ""


def objection_beside(operation: Operation) -> str:
    """Why an operation is not sent while other plans of the kit are under way, "" if it may be."""
    if operation.verb in READS:
        return ""
    if gives_defaults(dict(said_of(operation))):
        return DEFAULT_FOR_ALL
    return CLASS_FOR_NONE if leaves_no_class(operation) else ""


def gives_defaults(said: Obj) -> bool:
    """Whether what is said, by field, makes a class the default one."""
    return said.get(DEFAULT_CLASS) == "true" or said.get(BETA_DEFAULT_CLASS) == "true"


def leaves_no_class(operation: Operation) -> bool:
    """Whether a patch takes the class off what has one."""
    return operation.verb == "patch" and dict(said_of(operation)).get("storageClassName", "named") in ("", None)


def said_of(operation: Operation) -> "list[tuple[str, Any]]":
    """Every field that an object or a patch speaks of, with its value; of those inside lists the field alone counts."""
    trees: list[Any] = [operation.object or {}]
    if isinstance(operation.patch, list):
        trees += [_as_tree(step) for step in operation.patch if isinstance(step, dict)]
    elif isinstance(operation.patch, dict):
        trees.append(operation.patch)
    return [(field, value) for tree in trees for path, value in walk(tree) for field in path]


def _as_tree(step: Obj) -> Obj:
    """One step of a JSON patch as the tree that it makes."""
    parts = [part.replace("~1", "/").replace("~0", "~") for part in str(step.get("path", "")).split("/")[1:]]
    made: Any = step.get("value")
    for part in reversed(parts):
        made = {part: made}
    return made if isinstance(made, dict) else {}


def classed(obj: Obj, classless: str) -> Obj:
    """An object as it is sent: whatever in it has no class gets that one."""
    if obj["kind"] == "StatefulSet" and isinstance(get(obj, *_TEMPLATES), list):
        return put(obj, _TEMPLATES, [_claim_classed(entry, classless) for entry in get(obj, *_TEMPLATES)])
    if obj["kind"] == "PersistentVolumeClaim":
        return _claim_classed(obj, classless)
    if obj["kind"] == "PersistentVolume" and isinstance(obj.get("spec"), dict):
        obj = _annotation_classed(obj, classless)
        named = BETA_CLASS in annotations(obj) or get(obj, *_CLASS)
        return obj if named else put(obj, _CLASS, classless)
    return obj


def _claim_classed(claim: Obj, classless: str) -> Obj:
    if not isinstance(claim.get("spec"), dict):
        return claim
    claim = _annotation_classed(claim, classless)
    if BETA_CLASS in annotations(claim) or get(claim, *_CLASS):
        return claim
    if get(claim, *_CLASS) is None:
        marks = get(claim, "metadata", "annotations") or {}
        claim = put(claim, ("metadata", "annotations"), {**marks, UNSET_MARK: "true"})
    return put(claim, _CLASS, classless)


def _annotation_classed(obj: Obj, classless: str) -> Obj:
    marks = get(obj, "metadata", "annotations")
    if isinstance(marks, dict) and marks.get(BETA_CLASS) == "":
        return put(obj, ("metadata", "annotations"), {**marks, BETA_CLASS: classless})
    return obj


def unclassed(obj: Obj, classless: str, unset: bool = False) -> Obj:
    """An object as it is told: what was given that class by `classed` is without one again.

    A claim that is marked, or `unset`, named no class at all.
    """
    if obj["kind"] == "StatefulSet" and isinstance(get(obj, *_TEMPLATES), list):
        return put(obj, _TEMPLATES, [_one_unclassed(entry, classless, False) for entry in get(obj, *_TEMPLATES)])
    if obj["kind"] in ("PersistentVolume", "PersistentVolumeClaim"):
        return _one_unclassed(obj, classless, unset or obj["kind"] == "PersistentVolume")
    return obj


def _one_unclassed(obj: Obj, classless: str, unset: bool) -> Obj:
    marks = get(obj, "metadata", "annotations") or {}
    if marks.get(BETA_CLASS) == classless:
        obj = put(obj, ("metadata", "annotations"), {**marks, BETA_CLASS: ""})
    if get(obj, *_CLASS) == classless:
        # The API server leaves an empty class of a volume out.
        obj = without(obj, _CLASS) if unset or UNSET_MARK in marks else put(obj, _CLASS, "")
    if UNSET_MARK in marks:
        rest = {mark: value for mark, value in get(obj, "metadata", "annotations").items() if mark != UNSET_MARK}
        obj = put(obj, ("metadata", "annotations"), rest) if rest else without(obj, ("metadata", "annotations"))
    return obj
