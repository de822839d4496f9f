"""The kinds around storage and sets, looked at lightly: namespaces, nodes, services, revisions, limits."""

from collections.abc import Iterator

from pvkit.backends.errors import Cause
from pvkit.backends.objects import Obj, get, labels, put
from pvkit.backends.reference.namespaces import born
from pvkit.backends.reference.validation import names
from pvkit.backends.reference.validation.fields import duplicate, each, not_negative, required, unchanged
from pvkit.backends.reference.validation.treatment import Moment, Treatment


def _named_label(namespace: Obj, old: Obj, at: Moment) -> Obj:
    called = namespace["metadata"].get("name")
    if not called or labels(namespace).get("kubernetes.io/metadata.name") == called:
        return namespace
    marks = {**labels(namespace), "kubernetes.io/metadata.name": called}
    return put(namespace, ("metadata", "labels"), dict(sorted(marks.items())))


def _active(namespace: Obj, at: Moment) -> Obj:
    return born(namespace)


def _keep_spec(old: Obj, new: Obj, at: Moment) -> Obj:
    """Only the finalize endpoint changes a namespace's spec."""
    return {**new, "spec": old["spec"]}


def _allocatable(node: Obj, old: Obj, at: Moment) -> Obj:
    capacity = get(node, "status", "capacity")
    if capacity is None or get(node, "status", "allocatable") is not None:
        return node
    return put(node, ("status", "allocatable"), capacity)


def _service_defaults(service: Obj, old: Obj, at: Moment) -> Obj:
    spec = {
        "type": "ClusterIP",
        "sessionAffinity": "None",
        "internalTrafficPolicy": "Cluster",
        **service["spec"],
    }
    if "ports" in spec and not spec["ports"]:
        del spec["ports"]
    if "ports" in spec:
        spec["ports"] = [{"protocol": "TCP", "targetPort": port.get("port"), **port} for port in spec["ports"]]
    return {**service, "spec": spec}


def _service_birth(service: Obj, at: Moment) -> Obj:
    """A headless service has no addresses of its own; what addresses others get is nobody's business here."""
    spec = {"ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack", **service["spec"]}
    if spec.get("clusterIP"):
        spec = {"clusterIPs": [spec["clusterIP"]], **spec}
    return {**service, "spec": spec, "status": {"loadBalancer": {}}}


def _any_name(value: str) -> tuple[str, ...]:
    return ()


def _check_service(service: Obj, at: Moment) -> list[Cause]:
    """The name must be a label; up to 1.35 it had to begin with a letter as well."""
    called = service["metadata"].get("name") or "a"
    return each("metadata.name", called, names.label(called) if at.minor >= 36 else names.service(called))


def _check_limits(limits: Obj, at: Moment) -> list[Cause]:
    """A type of thing may be limited only once."""
    types = [limit.get("type", "") for limit in get(limits, "spec", "limits") or []]
    return [
        duplicate(f"spec.limits[{position}].type", kind)
        for position, kind in enumerate(types)
        if kind in types[:position]
    ]


def _quota_birth(quota: Obj, at: Moment) -> Obj:
    return {**quota, "status": {}}


def _check_revision(revision: Obj, at: Moment) -> Iterator[Cause]:
    """What is wrong with a new ControllerRevision."""
    yield from not_negative("revision", revision["revision"])
    if revision.get("data") is None:
        yield required("data", "data is mandatory")
    elif not isinstance(revision["data"], dict):
        yield required("data", "data must be a valid JSON object")


def _check_revision_update(old: Obj, new: Obj, at: Moment) -> Iterator[Cause]:
    """What is wrong with a change of a ControllerRevision: its number may change, its data not."""
    yield from not_negative("revision", new["revision"])
    yield from unchanged("data", new.get("data"), old.get("data"))


def _driver_defaults(driver: Obj, old: Obj, at: Moment) -> Obj:
    since = {"preventPodSchedulingIfMissing": False} if at.minor >= 37 else {}
    return {**driver, "spec": {**_DRIVER, **since, **driver["spec"]}}


_DRIVER = {
    "attachRequired": True,
    "podInfoOnMount": False,
    "volumeLifecycleModes": ["Persistent"],
    "storageCapacity": False,
    "fsGroupPolicy": "ReadWriteOnceWithFSType",
    "requiresRepublish": False,
    "seLinuxMount": False,
}

NAMESPACE = Treatment(form=names.label, default=_named_label, birth=_active, change=_keep_spec)
NODE = Treatment(default=_allocatable)
SERVICE = Treatment(form=_any_name, default=_service_defaults, birth=_service_birth, create=_check_service)
REVISION = Treatment(create=_check_revision, update=_check_revision_update)
DRIVER = Treatment(default=_driver_defaults)
LIMITS = Treatment(create=_check_limits)
QUOTA = Treatment(birth=_quota_birth)
