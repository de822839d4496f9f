"""Pods, at the door of the API server.

Only what decides about storage, names and placing is looked at; probes, ports and security are taken on trust.
"""

from collections.abc import Iterator

from pvkit.backends.errors import Cause
from pvkit.backends.objects import Obj, get, put, without
from pvkit.backends.reference.validation import names
from pvkit.backends.reference.validation.claims import check_spec as check_claim_spec
from pvkit.backends.reference.validation.fields import (
    duplicate,
    each,
    forbidden,
    invalid,
    not_found,
    required,
    unchanged,
    unsupported,
)
from pvkit.backends.reference.validation.metadata import marked
from pvkit.backends.reference.validation.pod_defaults import admitted, pod_spec, quality
from pvkit.backends.reference.validation.sources import host_path
from pvkit.backends.reference.validation.treatment import Moment, Treatment

_POLICIES = ("Always", "OnFailure", "Never")
_MUTABLE = (
    "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
    "`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
_EARLY, _LATE = ("emptyDir", "hostPath"), ("persistentVolumeClaim", "csi", "ephemeral")
"""Sources that a server looks at before and after all others; the later of two is refused."""
_SYSTEM_CONDITIONS = ("PodScheduled", "Ready", "Initialized")


def default(pod: Obj, old: Obj, at: Moment) -> Obj:
    """The defaults of the spec."""
    return pod if pod["spec"] is old.get("spec") else {**pod, "spec": pod_spec(pod["spec"])}


def birth(pod: Obj, at: Moment) -> Obj:
    """A new pod is Pending and knows its quality of service; it counts its generations since 1.33."""
    spec = admitted(pod["spec"])
    pod = {**pod, "spec": spec, "status": {"phase": "Pending", "qosClass": quality(spec)}}
    return put(pod, ("metadata", "generation"), 1) if at.minor >= 33 else without(pod, ("metadata", "generation"))


def change(old: Obj, new: Obj, at: Moment) -> Obj:
    """Admission fills in a changed spec as it fills in a new one."""
    return new if new["spec"] is old["spec"] else {**new, "spec": admitted(new["spec"])}


def report(old: Obj, new: Obj, at: Moment) -> Obj:
    """A status cannot take away the quality of service, nor bring owners."""
    before = old.get("status") or {}
    kept = {part: before[part] for part in ("qosClass", "observedGeneration") if part in before}
    if any(part not in new["status"] for part in kept):
        new = {**new, "status": {**kept, **new["status"]}}
    owners = old["metadata"].get("ownerReferences")
    if new["metadata"].get("ownerReferences") == owners:
        return new
    new = without(new, ("metadata", "ownerReferences"))
    return put(new, ("metadata", "ownerReferences"), owners) if owners else new


def check_volumes(volumes: list[Obj], path: str) -> Iterator[tuple[str, list[Cause]]]:
    """The name of each volume of a pod, with what is wrong with the volume."""
    fine: set[str] = set()
    for position, volume in enumerate(volumes):
        name, where = volume.get("name", ""), f"{path}[{position}]"
        wrong = list(_volume_source(volume, where))
        wrong += each(f"{where}.name", name, names.label(name)) if name else [required(f"{where}.name")]
        if name in fine:
            wrong.append(duplicate(f"{where}.name", name))
        if not wrong:
            fine.add(name)
        yield name, wrong


def _volume_source(volume: Obj, path: str) -> Iterator[Cause]:
    others = [part for part in volume if part not in ("name", *_EARLY, *_LATE)]
    found = [kind for kind in (*_EARLY, *others, *_LATE) if kind in volume]
    for kind in found[1:]:
        yield forbidden(f"{path}.{kind}", "may not specify more than 1 volume type")
    if not found:
        yield required(path, "must specify a volume type")
    elif found[0] == "hostPath":
        yield from host_path(volume["hostPath"], f"{path}.hostPath")
    elif found[0] == "persistentVolumeClaim" and not volume["persistentVolumeClaim"].get("claimName"):
        yield required(f"{path}.persistentVolumeClaim.claimName")
    elif found[0] == "ephemeral":
        yield from _ephemeral(volume["ephemeral"], f"{path}.ephemeral.volumeClaimTemplate")


def _ephemeral(source: Obj, path: str) -> Iterator[Cause]:
    template = source.get("volumeClaimTemplate")
    if template is None:
        yield required(path)
    else:
        yield from check_claim_spec({"resources": {}, **(template.get("spec") or {})}, f"{path}.spec")


def _own_claims(volumes: list[Obj], pod: str, path: str) -> Iterator[Cause]:
    """A pod cannot use, as somebody's claim, one that is made for its ephemeral volumes."""
    made = {f"{pod}-{volume.get('name', '')}" for volume in volumes if pod and "ephemeral" in volume}
    for position, volume in enumerate(volumes):
        claim = get(volume, "persistentVolumeClaim", "claimName")
        if claim in made:
            detail = "must not reference a PVC that gets created for an ephemeral volume"
            yield invalid(f"{path}[{position}].persistentVolumeClaim.claimName", claim, detail)


def _containers(containers: list[Obj], volumes: set[str], path: str) -> Iterator[Cause]:
    seen: set[str] = set()
    for position, container in enumerate(containers):
        name, where = container.get("name", ""), f"{path}[{position}]"
        yield from each(f"{where}.name", name, names.label(name)) if name else [required(f"{where}.name")]
        if not container.get("image"):
            yield required(f"{where}.image")
        for at, mount in enumerate(container.get("volumeMounts") or []):
            yield from _mount(mount, volumes, f"{where}.volumeMounts[{at}]")
        if container["imagePullPolicy"] not in ("Always", "IfNotPresent", "Never"):
            supported = ("Always", "IfNotPresent", "Never")
            yield unsupported(f"{where}.imagePullPolicy", container["imagePullPolicy"], supported)
        if name in seen:
            yield duplicate(f"{where}.name", name)
        seen.add(name)


def _mount(mount: Obj, volumes: set[str], path: str) -> Iterator[Cause]:
    name = mount.get("name", "")
    if not name:
        yield required(f"{path}.name")
    if name not in volumes:
        yield not_found(f"{path}.name", name)
    if not mount.get("mountPath"):
        yield required(f"{path}.mountPath")


def check_spec(spec: Obj, path: str, pod: str = "") -> Iterator[Cause]:
    """What is wrong with the spec of a pod of that name, or of a template."""
    volumes: set[str] = set()
    yield from _own_claims(spec.get("volumes") or [], pod, f"{path}.volumes")
    for name, wrong in check_volumes(spec.get("volumes") or [], f"{path}.volumes"):
        yield from wrong
        if not wrong:
            volumes.add(name)
    if not spec.get("containers"):
        yield required(f"{path}.containers")
    for part in ("containers", "initContainers"):
        yield from _containers(spec.get(part) or [], volumes, f"{path}.{part}")
    if spec["restartPolicy"] not in _POLICIES:
        yield unsupported(f"{path}.restartPolicy", spec["restartPolicy"], _POLICIES)
    yield from marked(spec.get("nodeSelector") or {}, f"{path}.nodeSelector")
    for field, form in (("nodeName", names.subdomain), ("hostname", names.label), ("subdomain", names.label)):
        if spec.get(field):
            yield from each(f"{path}.{field}", spec[field], form(spec[field]))
    for position, toleration in enumerate(spec.get("tolerations") or []):
        if toleration.get("key"):
            yield from each(f"{path}.tolerations[{position}].key", toleration["key"], names.key(toleration["key"]))
    if spec.get("activeDeadlineSeconds", 1) < 1:
        detail = "must be between 1 and 2147483647, inclusive"
        yield invalid(f"{path}.activeDeadlineSeconds", spec["activeDeadlineSeconds"], detail)


def check(pod: Obj, at: Moment) -> Iterator[Cause]:
    """What is wrong with a new pod."""
    return check_spec(pod["spec"], "spec", pod["metadata"].get("name", ""))


def check_update(old: Obj, new: Obj, at: Moment) -> Iterator[Cause]:
    """What is wrong with a change of a pod: images and a deadline may change, tolerations come, little else."""
    before, after = old["spec"], new["spec"]
    if before == after:
        return
    yield from check_spec(after, "spec", new["metadata"]["name"])
    for part in ("containers", "initContainers"):
        if len(before.get(part) or []) != len(after.get(part) or []):
            yield forbidden(f"spec.{part}", "pod updates may not add or remove containers")
            return
    later = list(_deadline(before.get("activeDeadlineSeconds"), after.get("activeDeadlineSeconds")))
    yield from later
    if later and "activeDeadlineSeconds" in after:
        return
    if not _only_added(before.get("tolerations") or [], after.get("tolerations") or []):
        yield forbidden("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds")
    if _fixed(before, before) != _fixed(after, before):
        yield forbidden("spec", f"pod updates may not change fields other than {_MUTABLE}\n")


def _deadline(before: int | None, after: int | None) -> Iterator[Cause]:
    path = "spec.activeDeadlineSeconds"
    if before is not None and after is None:
        yield invalid(path, None, "must not update from a positive integer to nil value")
    elif before is not None and after is not None and before < after:
        yield invalid(path, after, "must be less than or equal to previous value")


def _only_added(before: list[Obj], after: list[Obj]) -> bool:
    kept = [{**toleration, "tolerationSeconds": None} for toleration in after]
    return all({**toleration, "tolerationSeconds": None} in kept for toleration in before)


def _fixed(spec: Obj, before: Obj) -> Obj:
    """The spec without what may change."""
    fixed = {field: value for field, value in spec.items() if field not in ("activeDeadlineSeconds", "tolerations")}
    for part in ("containers", "initContainers"):
        if part in fixed:
            fixed[part] = [{**container, "image": ""} for container in fixed[part]]
    if before.get("terminationGracePeriodSeconds", 0) < 0 and fixed.get("terminationGracePeriodSeconds") == 1:
        fixed["terminationGracePeriodSeconds"] = before["terminationGracePeriodSeconds"]
    return fixed


def check_status(old: Obj, new: Obj, at: Moment) -> Iterator[Cause]:
    """What is wrong with a pod's status; any phase passes."""
    status, before = new["status"], old.get("status") or {}
    for position, condition in enumerate(status.get("conditions") or []):
        kind = condition.get("type", "")
        if kind not in _SYSTEM_CONDITIONS:
            yield from each(f"status.conditions[{position}].Type", kind, names.key(kind))
    nominated = status.get("nominatedNodeName")
    if nominated and nominated != before.get("nominatedNodeName"):
        yield from each("status.nominatedNodeName", nominated, names.subdomain(nominated))
        if get(old, "spec", "nodeName") and at.gate("ClearingNominatedNodeNameAfterBinding"):
            detail = "may not be set on pods that are already bound to a node"
            yield forbidden("status.nominatedNodeName", detail)
    yield from unchanged("status.qosClass", status.get("qosClass"), before.get("qosClass"))


POD = Treatment(
    default=default, birth=birth, change=change, report=report, create=check, update=check_update, status=check_status
)
