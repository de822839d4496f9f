"""EndpointSlices: where the pods behind a Service can be reached, and by which names.

Pods of a StatefulSet get their own DNS names from here: an endpoint has a hostname only if the pod's subdomain is the
Service's name (DNS-02). One slice holds all endpoints of a Service; the real controller starts a new one after 100.
"""

from collections.abc import Hashable, Iterable
from typing import Any

from pvkit.backends.objects import (
    Key,
    Obj,
    deleting,
    get,
    key,
    labels,
    name,
    namespace,
    owner_reference,
    owners,
    put,
    selects,
    uid,
)
from pvkit.backends.reference.rules import STOP, Controller, Effect, Write, nothing, rule
from pvkit.backends.reference.view import Seen
from pvkit.backends.tables import Index
from pvkit.backends.workloads import is_finished, is_ready, node_name

SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
MANAGER = "endpointslice-controller.k8s.io"
HEADLESS = "service.kubernetes.io/headless"
ZONE = "topology.kubernetes.io/zone"
ALL = ""
"""In place of a pod's name: look at all pods of the Service."""


def _by_selector(service: Obj) -> Iterable[tuple[Hashable, Any]]:
    """Services under the first label of their selector."""
    for pair in sorted(_selector(service).items())[:1]:
        yield (namespace(service), *pair), name(service)


def _by_label(pod: Obj) -> Iterable[tuple[Hashable, Any]]:
    for pair in labels(pod).items():
        yield (namespace(pod), *pair), name(pod)


def _by_service(piece: Obj) -> Iterable[tuple[Hashable, Any]]:
    """Slices that this controller made, under the Service that their label names."""
    if labels(piece).get(MANAGED_BY) == MANAGER:
        yield (namespace(piece), labels(piece).get(SERVICE_NAME)), name(piece)


SERVICES = Index("services by selector", "Service", _by_selector)
PODS = Index("pods by label", "Pod", _by_label)
SLICES = Index("slices by service", "EndpointSlice", _by_service)


def _selector(service: Obj) -> dict[str, str]:
    found: dict[str, str] = service["spec"].get("selector") or {}
    return {} if service["spec"].get("type") == "ExternalName" else found


def slice_key(service: Obj) -> Key:
    """The key of a Service's slice; another incarnation of the Service has another."""
    return Key("EndpointSlice", namespace(service), f"{name(service)}-{uid(service)[3:8]}")


def endpoint(pod: Obj, service: Obj, node: Obj | None = None) -> Obj | None:
    """The endpoint of a pod on a node; `None` for a pod without address or one that has finished (DNS-05)."""
    address = get(pod, "status", "podIP")
    if not address or is_finished(pod):
        return None
    serving, terminating = is_ready(pod), deleting(pod)
    ready = bool(service["spec"].get("publishNotReadyAddresses")) or (serving and not terminating)
    made: Obj = {
        "addresses": [address],
        "conditions": {"ready": ready, "serving": serving, "terminating": terminating},
        "targetRef": {"kind": "Pod", "namespace": namespace(pod), "name": name(pod), "uid": uid(pod)},
        "nodeName": node_name(pod),
    }
    if pod["spec"].get("hostname") and pod["spec"].get("subdomain") == name(service):
        made["hostname"] = pod["spec"]["hostname"]
    if node is not None and labels(node).get(ZONE):
        made["zone"] = labels(node)[ZONE]
    return made


def _endpoint(seen: Seen, pod: Obj, service: Obj) -> Obj | None:
    return endpoint(pod, service, seen.get("Node", "", node_name(pod)))


def _ports(service: Obj, endpoints: list[Obj]) -> list[Obj]:
    """The ports of a slice; one without endpoints only keeps the place, and has none."""
    if not endpoints:
        return []
    return [
        {
            "name": entry.get("name", ""),
            "port": entry["targetPort"] if isinstance(entry.get("targetPort"), int) else entry.get("port"),
            "protocol": entry.get("protocol", "TCP"),
        }
        for entry in service["spec"].get("ports") or ()
    ]


def _labels(service: Obj) -> dict[str, str]:
    headless = {HEADLESS: ""} if service["spec"].get("clusterIP") == "None" else {}
    managed = {SERVICE_NAME: name(service), MANAGED_BY: MANAGER}
    return {**labels(service), **managed, **headless}


def _endpoints(seen: Seen, service: Obj) -> list[Obj]:
    """All endpoints of a Service, by the names of their pods."""
    pair = sorted(_selector(service).items())[0]
    pods = [pod for pod in seen.find(PODS, (namespace(service), *pair)) if _selects(service, pod)]
    return [made for made in (_endpoint(seen, pod, service) for pod in pods) if made is not None]


def _selects(service: Obj, pod: Obj) -> bool:
    return selects({"matchLabels": _selector(service)}, labels(pod))


def _renewed(seen: Seen, service: Obj, known: list[Obj], changed: Iterable[str]) -> list[Obj]:
    """The endpoints when pods of these names have changed; those that stay keep their place."""
    if ALL in changed:
        made = _endpoints(seen, service)
        return known if sorted(made, key=_pod_of) == sorted(known, key=_pod_of) else made
    fresh: dict[str, Obj | None] = {}
    for pod_name in sorted(changed):
        pod = seen.get("Pod", namespace(service), pod_name)
        fresh[pod_name] = _endpoint(seen, pod, service) if pod is not None and _selects(service, pod) else None
    kept = [fresh.pop(entry["targetRef"]["name"], entry) for entry in known]
    return [entry for entry in (*kept, *fresh.values()) if entry is not None]


@rule("DNS-03", on="Service")
def publish(seen: Seen, at: Key) -> Effect | None:
    """A Service with a selector gets a slice, which it owns; one that is going keeps what it has."""
    service = seen.lookup(at)
    if service is None or not _selector(service):
        return STOP
    where = slice_key(service)
    if seen.lookup(where) is not None:
        return None
    if deleting(service):
        return None
    metadata = {
        "name": where.name,
        "namespace": where.namespace,
        "labels": _labels(service),
        "ownerReferences": [owner_reference(service)],
    }
    made = {"kind": "EndpointSlice", "metadata": metadata, "addressType": "IPv4"}
    endpoints = _endpoints(seen, service)
    return Write("create", {**made, "endpoints": endpoints, "ports": _ports(service, endpoints)})


@rule("DNS-03.1", on="Service")
def drop_strays(seen: Seen, at: Key) -> Effect | None:
    """A slice with the label of a Service that does not own it, as an orphaning deletion leaves behind, is deleted.

    That is seen when the name is used again; a Service that is going was looked at before its slices were let go.
    """
    service = seen.lookup(at)
    if service is None or deleting(service):
        return None
    for piece in seen.find(SLICES, (namespace(service), name(service))):
        if uid(service) not in [owner.get("uid") for owner in owners(piece)]:
            return Write("delete", piece, tolerate=("NotFound",))
    return None


@rule("DNS-04", on="Service")
def follow(seen: Seen, at: Key) -> Effect | None:
    """The slice follows the pods of the Service: their addresses, names, and whether they are ready or going."""
    service = seen.lookup(at)
    known = seen.lookup(slice_key(service)) if service else None
    if service is None or known is None:
        return STOP
    changed = dict(_noted(seen).get(at, {}))
    old = known.get("endpoints") or []
    made = _renewed(seen, service, old, changed) if changed else old
    wanted = put({**known, "endpoints": made, "ports": _ports(service, made)}, ("metadata", "labels"), _labels(service))

    def done(_: Obj) -> None:
        left = {pod: count for pod, count in _noted(seen).get(at, {}).items() if changed.get(pod) != count}
        _noted(seen)[at] = left

    if wanted == known:
        done(wanted)
        return STOP
    return Write("update", wanted, remember=done)


def _pod_of(entry: Obj) -> str:
    return str(entry["targetRef"]["name"])


def _noted(seen: Seen) -> dict[Key, dict[str, int]]:
    """Which pods of a Service changed since its slice was written: by name, with the number of their last change."""
    found: dict[Key, dict[str, int]] = seen.memory["changed"]
    return found


def _note(seen: Seen, service: Obj, pod_name: str) -> Key:
    seen.memory["count"] += 1
    _noted(seen).setdefault(key(service), {})[pod_name] = seen.memory["count"]
    return key(service)


def _service_changed(old: Obj | None, new: Obj | None, seen: Seen) -> Iterable[Key]:
    return (_note(seen, new, ALL),) if new is not None else ()


def _pod_changed(old: Obj | None, new: Obj | None, seen: Seen) -> Iterable[Key]:
    """The Services that select the pod, or did."""
    if old is not None and new is not None and labels(old) == labels(new) and _visible(old) == _visible(new):
        return
    for pod in [entry for entry in (old, new) if entry is not None]:
        for pair in labels(pod).items():
            for service in list(seen.find(SERVICES, (namespace(pod), *pair))):
                yield _note(seen, service, name(pod))


def _visible(pod: Obj) -> tuple[Any, ...]:
    return uid(pod), get(pod, "status", "podIP"), is_ready(pod), is_finished(pod), deleting(pod)


def _slice_changed(old: Obj | None, new: Obj | None, seen: Seen) -> Iterable[Key]:
    """A slice that was removed is made again."""
    if new is not None or old is None:
        return ()
    service = seen.get("Service", namespace(old), labels(old).get(SERVICE_NAME, ""))
    return (_note(seen, service, ALL),) if service is not None else ()


def _start(memory: dict[str, Any]) -> None:
    memory["changed"], memory["count"] = {}, 0


ENDPOINT_SLICES = Controller(
    name="endpointslice",
    rules={"Service": (publish, drop_strays, follow)},
    watches={"Service": _service_changed, "Pod": _pod_changed, "EndpointSlice": _slice_changed, "Node": nothing},
    start=_start,
)
