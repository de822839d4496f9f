"""Kubelets and keepers of nodes that start too early, stop too late, or remove the wrong pod."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from pvkit.backends.mutants.registry import Edit, edit, mutant
from pvkit.backends.objects import Key, deleting, finalizers, phase, put
from pvkit.backends.reference import containers, endpoints, node_lifecycle, pod_collection, pods
from pvkit.backends.reference.clock import stamp
from pvkit.backends.reference.rules import STOP, Write
from pvkit.backends.storage import volume_name
from pvkit.backends.workloads import claim_keys, is_finished, node_name


@mutant(
    "late-delete-hits-successor",
    breaks=("STS-113",),
    after="kubernetes/kubernetes#25224",
    needs=("late",),
    family="NAME",
)
def late_delete_hits_successor() -> Iterable[Edit]:
    """The last delete of a pod names no UID, so one that is late removes the pod that came after."""

    def make(original: Any) -> Any:
        def remove(seen: Any, at: Key) -> Any:
            effect = original(seen, at)
            return replace(effect, blind=True) if isinstance(effect, Write) else effect

        return remove

    yield edit(pods.remove, "body", make)


@mutant("node-strips-finalizers", breaks=("API-039",), after="kubernetes-sigs/kwok#925", family="FINAL")
def node_strips_finalizers() -> Iterable[Edit]:
    """A kubelet empties the finalizers of a pod that is deleted."""

    def make(original: Any) -> Any:
        def remove(seen: Any, at: Key) -> Any:
            pod = seen.lookup(at)
            own = pod is not None and node_name(pod) == seen.node
            if own and deleting(pod) and finalizers(pod) and is_finished(pod):
                return Write("update", put(pod, ("metadata", "finalizers"), []))
            return original(seen, at)

        return remove

    yield edit(pods.remove, "body", make)


@mutant("starts-on-unbound-claims", breaks=("PVB-116",), family="STEPS")
def starts_on_unbound_claims() -> Iterable[Edit]:
    """Containers start although a claim of the pod is not bound to its volume, or not there."""

    def make(original: Any) -> Any:
        def mounts(seen: Any, pod: Any) -> Any:
            found = original(seen, pod)
            if found is not None:
                return found
            claims = [seen.live(at) for at in claim_keys(pod)]
            volumes = [
                seen.live(Key("PersistentVolume", "", volume_name(claim))) if claim else None for claim in claims
            ]
            return [
                containers._mount(c, v) for c, v in zip(claims, volumes, strict=True) if c is not None and v is not None
            ]

        return mounts

    yield edit(containers, "mounts", make)


@mutant("nothing-is-written", breaks=("PVB-136",), family="STEPS")
def nothing_is_written() -> Iterable[Edit]:
    """What a pod writes never reaches its volumes."""
    yield edit(containers.leave_mark, "body", lambda original: lambda seen, at: None)


@mutant("volume-wiped-at-start", breaks=("STS-047",), after="rancher/local-path-provisioner#154", family="STEPS")
def volume_wiped_at_start() -> Iterable[Edit]:
    """A pod that starts finds its volumes empty, whatever was written there."""
    yield edit(containers, "_last", lambda original: lambda seen, mount: None)


@mutant("containers-outlive-pods", breaks=("STS-009", "STS-102"), after="kubernetes/kubernetes#35235", family="FINAL")
def containers_outlive_pods() -> Iterable[Edit]:
    """A deleted pod is removed while its containers still run."""
    yield edit(pods.stop_containers, "body", lambda original: lambda seen, at: None)
    yield edit(pods.stop_stranger, "body", lambda original: _only_when_absent)


def _only_when_absent(seen: Any, at: Key) -> Any:
    return STOP if containers.own(seen, at) is None else None


@mutant(
    "unreachable-pods-dropped",
    breaks=("STS-102",),
    after="kubernetes/kubernetes#35235",
    needs=("node",),
    family="FINAL",
)
def unreachable_pods_dropped() -> Iterable[Edit]:
    """Pods of a node that does not answer are removed without its word, so successors run beside them."""

    def make(original: Any) -> Any:
        def evict(seen: Any, at: Key) -> Any:
            effect = original(seen, at)
            return replace(effect, options={"grace": 0}) if isinstance(effect, Write) else effect

        return evict

    yield edit(node_lifecycle.evict, "body", make)


@mutant("finished-pods-hang", breaks=("STS-107",), family="FINAL")
def finished_pods_hang() -> Iterable[Edit]:
    """A deleted pod whose containers have stopped is never removed."""
    yield edit(pods.remove, "body", lambda original: lambda seen, at: STOP)


@mutant("ready-too-soon", breaks=("STS-109",), family="GATE")
def ready_too_soon() -> Iterable[Edit]:
    """A pod is reported ready before its containers run."""

    def make(original: Any) -> Any:
        def await_claims(seen: Any, at: Key) -> Any:
            pod = containers.own(seen, at)
            if pod is not None and containers.process_of(seen, pod) is None and not is_finished(pod):
                early = pods._patch(seen, pod, {"Ready": "True"}, phase="Running", startTime=stamp(int(seen.now)))
                if early is not None:
                    return early
            return original(seen, at)

        return await_claims

    yield edit(containers.await_claims, "body", make)
    yield edit(pods.break_off, "body", lambda original: lambda seen, at: None)


@mutant("orphans-of-lost-nodes-stay", breaks=("STS-108",), after="rancher/local-path-provisioner#215", family="WAKE")
def orphans_of_lost_nodes_stay() -> Iterable[Edit]:
    """Pods of a node that is gone are kept for ever."""
    yield edit(pod_collection, "_orphaned", lambda original: lambda seen, pod: False)


@mutant("hostname-for-everybody", breaks=("STS-110",), family="FIELD")
def hostname_for_everybody() -> Iterable[Edit]:
    """Endpoints of any service carry the pods' hostnames."""

    def make(original: Any) -> Any:
        def endpoint(pod: Any, *seen: Any) -> Any:
            made = original(pod, *seen)
            host = pod["spec"].get("hostname")
            return {**made, "hostname": host} if made is not None and host else made

        return endpoint

    yield edit(endpoints, "endpoint", make)


@mutant("unready-endpoints-serve", breaks=("STS-111",), family="FIELD")
def unready_endpoints_serve() -> Iterable[Edit]:
    """Endpoints of pods that are not ready, or are terminating, are told as ready."""

    def make(original: Any) -> Any:
        def endpoint(*seen: Any) -> Any:
            made = original(*seen)
            return put(made, ("conditions", "ready"), True) if made is not None else None

        return endpoint

    yield edit(endpoints, "endpoint", make)


@mutant("failure-forgotten", breaks=("STS-104",), family="FIELD")
def failure_forgotten() -> Iterable[Edit]:
    """A pod that failed counts as succeeded once it is deleted."""

    def make(original: Any) -> Any:
        def finish(seen: Any, at: Key) -> Any:
            pod = containers.own(seen, at)
            if pod is not None and deleting(pod) and phase(pod) == "Failed":
                return pods._patch(seen, pod, {}, phase="Succeeded")
            return original(seen, at)

        return finish

    yield edit(pods.finish_deleted, "body", make)
