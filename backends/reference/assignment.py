"""What an API server does with a Binding: the pod that it names gets a node, once and for good.

A Binding is a request and is never stored. It carries the UID of the pod that was scheduled, so that a decision about
one incarnation cannot fall on the next.
"""

from pvkit.backends.errors import Conflict
from pvkit.backends.objects import Obj, deleting, labels, name, put, uid, without
from pvkit.backends.protocol import Setup
from pvkit.backends.reference.conditions import with_condition
from pvkit.backends.reference.gates import gate
from pvkit.backends.workloads import node_name

TOPOLOGY = ("topology.kubernetes.io/region", "topology.kubernetes.io/zone")


def binding(pod: Obj, node: str) -> Obj:
    """The request that assigns a pod to a node."""
    metadata = {"name": name(pod), "namespace": pod["metadata"]["namespace"], "uid": uid(pod)}
    return {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": metadata,
        "target": {"apiVersion": "v1", "kind": "Node", "name": node},
    }


def located(pod: Obj, node: Obj | None, setup: Setup) -> Obj:
    """A pod with the labels that tell where its node stands; whatever it said itself is overwritten."""
    found = {label: labels(node)[label] for label in TOPOLOGY if label in labels(node)} if node is not None else {}
    if not found or not gate(setup, "PodTopologyLabelsAdmission"):
        return pod
    return put(pod, ("metadata", "labels"), {**labels(pod), **found})


def assigned(pod: Obj, request: Obj, node: Obj | None, setup: Setup, now: float) -> Obj:
    """The pod on its node, condition PodScheduled true; raises `Conflict` for a pod that cannot be assigned."""
    if deleting(pod):
        raise Conflict(_refusal(pod, f"pod {name(pod)} is being deleted, cannot be assigned to a host"))
    if node_name(pod):
        raise Conflict(_refusal(pod, f'pod {name(pod)} is already assigned to node "{node_name(pod)}"'))
    if pod["spec"].get("schedulingGates"):
        raise Conflict(_refusal(pod, f"pod {name(pod)} has non-empty .spec.schedulingGates"))
    pod = put(located(pod, node, setup), ("spec", "nodeName"), request["target"]["name"])
    if gate(setup, "ClearingNominatedNodeNameAfterBinding"):
        pod = without(pod, ("status", "nominatedNodeName"))
    return with_condition(pod, "PodScheduled", "True", now)


def _refusal(pod: Obj, why: str) -> str:
    return f'Operation cannot be fulfilled on pods/binding "{name(pod)}": {why}'
