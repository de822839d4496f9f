"""Endpoints: by which names and addresses the pods of a set are found.

Judged are the slices that exist; whether anybody makes them is for the cluster to say. A pod has a name of its own in
the Service that its subdomain names, and in no other.
"""

from collections.abc import Iterator

from pvkit.backends.objects import Key, Obj, deleting, get, labels, name, namespace, selects, uid
from pvkit.backends.tables import Index
from pvkit.backends.workloads import is_finished, is_ready
from pvkit.conformance.history import State
from pvkit.conformance.invariant import AT_RISK, HELD, Findings, Level, Memory, Scope, Violation, invariant
from pvkit.conformance.invariants.sets import POD

SLICE, SERVICE = "EndpointSlice", "Service"
SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
CONTROLLER = "endpointslice-controller.k8s.io"

NETWORK_DOC = "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#stable-network-id"
CONDITIONS_DOC = "https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#conditions"
RECONCILER = "staging/src/k8s.io/endpointslice/utils.go"


def _by_service(piece: Obj) -> Iterator[tuple[tuple[str, str], str]]:
    if labels(piece).get(MANAGED_BY) in (CONTROLLER, None) and labels(piece).get(SERVICE_NAME):
        yield (namespace(piece), labels(piece)[SERVICE_NAME]), name(piece)


SLICES = Index("slices by service", SLICE, _by_service)


def _services(state: State) -> Iterator[tuple[Obj, list[Obj]]]:
    """Services with a selector and their slices, where nobody but the controller had a hand in these."""
    for service in state.all(SERVICE):
        slices = list(state.find(SLICES, (namespace(service), name(service))))
        lives = [state.life(Key(SLICE, namespace(piece), name(piece))) for piece in slices]
        theirs = all(life is not None and not life.by_client and not life.hands for life in lives)
        if slices and theirs and service["spec"].get("selector") and not deleting(service):
            yield service, slices


def _endpoints(state: State, slices: list[Obj]) -> Iterator[tuple[Obj, Obj]]:
    """The endpoints of slices that stand for a pod which exists, each with its pod."""
    for piece in slices:
        for entry in piece.get("endpoints") or ():
            target = entry.get("targetRef") or {}
            pod = state.get(POD, str(target.get("namespace")), str(target.get("name")))
            if pod is not None and target.get("kind") == POD and uid(pod) == target.get("uid"):
                yield entry, pod


@invariant(
    "STS-110",
    scope=Scope.SETTLED,
    level=Level.CONTRACT,
    source=f"DNS-02; {NETWORK_DOC}; {RECONCILER}: ShouldSetHostname",
)
def hostnames_belong_to_one_service(state: State, memory: Memory) -> Findings:
    """At rest an endpoint has its pod's hostname in the Service that the pod's subdomain names, and in no other."""
    for service, slices in _services(state):
        for entry, pod in _endpoints(state, slices):
            ours = get(pod, "spec", "subdomain") == name(service)
            wanted = (get(pod, "spec", "hostname") or None) if ours else None
            yield AT_RISK if get(pod, "spec", "hostname") else HELD
            if (entry.get("hostname") or None) != wanted:
                yield Violation(
                    f"{name(pod)} has the hostname {entry.get('hostname')!r} in service {name(service)}, expected "
                    f"{wanted!r}",
                    (pod, *slices[:1]),
                )


@invariant(
    "STS-111",
    scope=Scope.SETTLED,
    level=Level.CONTRACT,
    source=f"DNS-04; {CONDITIONS_DOC}; {RECONCILER}: podToEndpoint",
)
def endpoints_tell_who_is_ready(state: State, memory: Memory) -> Findings:
    """At rest an endpoint is ready when its pod is ready and stays, or when its Service publishes all."""
    for service, slices in _services(state):
        public = bool(service["spec"].get("publishNotReadyAddresses"))
        for entry, pod in _endpoints(state, slices):
            serving, going = is_ready(pod), deleting(pod)
            wanted = {"ready": public or (serving and not going), "serving": serving, "terminating": going}
            told = entry.get("conditions") or {}
            yield HELD if serving and not going else AT_RISK
            if any(bool(told.get(word)) != wanted[word] for word in wanted):
                yield Violation(
                    f"{name(pod)} is told to be {told} in service {name(service)}, and is {wanted}", (pod, *slices[:1])
                )


@invariant(
    "STS-112",
    scope=Scope.SETTLED,
    level=Level.CONTRACT,
    source="DNS-03, DNS-05; https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/",
)
def endpoints_are_the_pods_of_the_service(state: State, memory: Memory) -> Findings:
    """At rest the slices of a Service hold exactly the pods that it selects, have an address and have not finished."""
    for service, slices in _services(state):
        chosen = {"matchLabels": service["spec"]["selector"]}
        pods = [pod for pod in state.all(POD) if namespace(pod) == namespace(service) and selects(chosen, labels(pod))]
        wanted = {uid(pod): name(pod) for pod in pods if get(pod, "status", "podIP") and not is_finished(pod)}
        told = {
            str(entry["targetRef"].get("uid")): str(entry["targetRef"].get("name"))
            for piece in slices
            for entry in piece.get("endpoints") or ()
            if (entry.get("targetRef") or {}).get("kind") == POD
        }
        yield AT_RISK if wanted else HELD
        for missing in wanted.keys() - told.keys():
            yield Violation(f"service {name(service)} does not know of {wanted[missing]}", (service, *slices[:1]))
        for stray in told.keys() - wanted.keys():
            yield Violation(f"service {name(service)} still tells of {told[stray]}", (service, *slices[:1]))
