"""Namespaces: a namespace that is deleted takes all it holds with it.

A namespace has finalizers of its own, in its spec. Deleting it only makes it Terminating, and from then on nothing
new is admitted; a controller deletes what is inside and, once nothing is left, takes the last finalizer away.
"""

from pvkit.backends.objects import Obj, put

FINALIZER = "kubernetes"


def born(namespace: Obj) -> Obj:
    """A namespace as it is first stored."""
    return {**namespace, "spec": {**(namespace.get("spec") or {}), "finalizers": [FINALIZER]}, "status": {"phase": "Active"}}


def spec_finalizers(obj: Obj) -> list[str]:
    """`spec.finalizers` of a namespace; none for any other kind."""
    return list((obj.get("spec") or {}).get("finalizers") or ()) if obj["kind"] == "Namespace" else []


def marked(obj: Obj) -> Obj:
    """What a deletion request does to an object beside the marks that all kinds get: a namespace is Terminating."""
    return put(obj, ("status", "phase"), "Terminating") if obj["kind"] == "Namespace" else obj
