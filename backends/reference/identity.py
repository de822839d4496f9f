"""Identity: what makes a pod the one pod of its ordinal.

Name, hostname, labels and claims follow from the set and the ordinal alone, so that a replacement is the same pod to
everybody but itself. Only what the API server lets change is repaired later: one label and, as a reminder, the other.
"""

from pvkit.backends.objects import Obj, get, labels, name, namespace, owner_reference, put
from pvkit.backends.workloads import (
    POD_INDEX_LABEL,
    POD_NAME_LABEL,
    REVISION_LABEL,
    claim_name,
    ordinal,
    templates,
)


def pod_name(stateful_set: Obj, at: int) -> str:
    """The name of a set's pod: set, dash, ordinal (IDENT-01)."""
    return f"{name(stateful_set)}-{at}"


def unborn(stateful_set: Obj, at: int, revision: str) -> Obj:
    """As much of a pod that does not exist as a pass has to know."""
    metadata = {"name": pod_name(stateful_set, at), "namespace": namespace(stateful_set)}
    return {"kind": "Pod", "metadata": {**metadata, "labels": {REVISION_LABEL: revision}}, "spec": {}}


def new_pod(stateful_set: Obj, template: Obj, revision: str, at: int, turn: int = 0) -> Obj:
    """The pod of an ordinal made from a template; `turn` says which claim volume comes first (PVC-06: any may)."""
    called, sketch = pod_name(stateful_set, at), template.get("metadata") or {}
    metadata = {
        **{field: sketch[field] for field in ("annotations", "finalizers") if sketch.get(field)},
        "name": called,
        "namespace": namespace(stateful_set),
        "generateName": f"{name(stateful_set)}-",
        "labels": {
            **(sketch.get("labels") or {}),
            REVISION_LABEL: revision,
            POD_NAME_LABEL: called,
            POD_INDEX_LABEL: str(at),
        },
        "ownerReferences": [owner_reference(stateful_set)],
    }
    spec = {**template["spec"], "hostname": called}
    if stateful_set["spec"].get("serviceName"):
        spec["subdomain"] = stateful_set["spec"]["serviceName"]
    volumes = with_claims(stateful_set, at, spec.get("volumes") or [], turn)
    if volumes:
        spec["volumes"] = volumes
    return {"kind": "Pod", "metadata": metadata, "spec": spec}


def with_claims(stateful_set: Obj, at: int, volumes: list[Obj], turn: int = 0) -> list[Obj]:
    """A pod's volumes with the claims of its ordinal; a claim takes the place of a volume of its name (PVC-05)."""
    made = [
        {"name": name(template), "persistentVolumeClaim": {"claimName": claim_name(template, stateful_set, at)}}
        for template in templates(stateful_set)
    ]
    taken = {volume["name"] for volume in made}
    return [*made[turn:], *made[:turn], *(volume for volume in volumes if volume["name"] not in taken)]


def identity_matches(stateful_set: Obj, pod: Obj) -> bool:
    """Whether a pod has the name and the name label of its ordinal; its other labels are not looked at (IDENT-04)."""
    called = name(pod)
    return called == pod_name(stateful_set, ordinal(pod)) and labels(pod).get(POD_NAME_LABEL) == called


def storage_matches(stateful_set: Obj, pod: Obj) -> bool:
    """Whether a pod mounts the claim of every template (PVC-17)."""
    mounted = {
        volume["name"]: (volume.get("persistentVolumeClaim") or {}).get("claimName")
        for volume in get(pod, "spec", "volumes") or ()
    }
    at = ordinal(pod)
    return all(
        mounted.get(name(template)) == claim_name(template, stateful_set, at) for template in templates(stateful_set)
    )


def repaired(stateful_set: Obj, pod: Obj) -> Obj:
    """The pod with the name, labels and volumes of its ordinal; hostname and subdomain stay (IDENT-03)."""
    at = ordinal(pod)
    if not identity_matches(stateful_set, pod):
        called = pod_name(stateful_set, at)
        pod = put(pod, ("metadata", "name"), called)
        pod = put(pod, ("metadata", "labels"), {**labels(pod), POD_NAME_LABEL: called, POD_INDEX_LABEL: str(at)})
    if not storage_matches(stateful_set, pod):
        pod = put(pod, ("spec", "volumes"), with_claims(stateful_set, at, get(pod, "spec", "volumes") or []))
    return pod
