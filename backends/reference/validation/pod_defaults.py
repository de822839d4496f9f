"""What a server fills in in a pod, or in the template of one."""

from typing import Any

from pvkit.backends.objects import Obj, get
from pvkit.backends.quantities import amount
from pvkit.backends.reference.validation.claims import with_mode

_SPEC = {
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": 30,
    "dnsPolicy": "ClusterFirst",
    "securityContext": {},
    "schedulerName": "default-scheduler",
}
_READABLE = {"defaultMode": 420}
_NODE_TROUBLES = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


def template_spec(spec: Obj) -> Obj:
    """The spec of a pod template with its defaults."""
    spec = {**_SPEC, **spec}
    for part in ("containers", "initContainers"):
        if part in spec:
            spec[part] = [_container(container) for container in spec[part]]
    if "volumes" in spec:
        spec["volumes"] = [_volume(volume) for volume in spec["volumes"]]
    return spec


def pod_spec(spec: Obj) -> Obj:
    """The spec of a pod with its defaults: those of a template, and what only a pod gets."""
    spec = {"enableServiceLinks": True, **template_spec(spec)}
    if spec["terminationGracePeriodSeconds"] < 0:
        spec["terminationGracePeriodSeconds"] = 1
    for part in ("containers", "initContainers"):
        if part in spec:
            spec[part] = [_requesting(container) for container in spec[part]]
    return spec


def admitted(spec: Obj) -> Obj:
    """The spec of a new pod as admission leaves it: a priority, and patience with a node in trouble for 300 s."""
    spec = {"priority": 0, "preemptionPolicy": "PreemptLowerPriority", **spec}
    known = list(spec.get("tolerations") or [])
    lacking = [trouble for trouble in _NODE_TROUBLES if not any(_tolerates(entry, trouble) for entry in known)]
    added = [
        {"key": trouble, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300} for trouble in lacking
    ]
    return {**spec, "tolerations": known + added} if added else spec


def _tolerates(toleration: Any, trouble: str) -> bool:
    return bool(toleration.get("key", trouble) == trouble) and toleration.get("effect", "NoExecute") == "NoExecute"


def _container(container: Obj) -> Obj:
    return {
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "Always" if _moves(container.get("image", "")) else "IfNotPresent",
        **container,
    }


def _moves(image: str) -> bool:
    """Whether an image's name may mean another image tomorrow: it has neither tag nor digest, or the tag `latest`."""
    if not image or "@" in image:
        return False
    tag = image.rpartition("/")[2].partition(":")[2]
    return tag in ("", "latest")


def _requesting(container: Obj) -> Obj:
    limits = get(container, "resources", "limits")
    if not limits:
        return container
    requests = {**limits, **(get(container, "resources", "requests") or {})}
    return {**container, "resources": {**container["resources"], "requests": dict(sorted(requests.items()))}}


def _volume(volume: Obj) -> Obj:
    if set(volume) <= {"name"}:
        return {**volume, "emptyDir": {}}
    template = get(volume, "ephemeral", "volumeClaimTemplate")
    if template is not None and "spec" in template:
        return {**volume, "ephemeral": {"volumeClaimTemplate": {**template, "spec": with_mode(template["spec"])}}}
    if "hostPath" in volume:
        return {**volume, "hostPath": {"type": "", **volume["hostPath"]}}
    for part in ("secret", "configMap", "downwardAPI", "projected"):
        if part in volume:
            return {**volume, part: {**_READABLE, **volume[part]}}
    return volume


def quality(spec: Obj) -> str:
    """The quality of service that a pod is promised, from what its containers ask of processor and memory."""
    containers = [container for part in ("containers", "initContainers") for container in spec.get(part) or ()]
    asked = [container.get("resources") or {} for container in containers]
    if not any(_measured(resources.get(side)) for resources in asked for side in ("limits", "requests")):
        return "BestEffort"
    full = all(
        set(limits := _measured(resources.get("limits"))) == {"cpu", "memory"}
        and {**limits, **_measured(resources.get("requests"))} == limits
        for resources in asked
    )
    return "Guaranteed" if full else "Burstable"


def _measured(listed: Obj | None) -> Obj:
    return {key: amount(text) for key, text in (listed or {}).items() if key in ("cpu", "memory") and amount(text) != 0}
