"""How long to wait for what components may still do of their own accord.

Most of what a controller does it does at once, when it sees an event. Some things it does later: at the next resync of
the volume binder, when a poll of the scheduler ends, when a back-off is over, when a pod was ready for long enough.
What exists tells which of these may still come; the longest of them is how long all must have been quiet.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pvkit.backends.objects import Obj, condition, deleting, finalizers, get, name, namespace, phase, uid
from pvkit.backends.storage import access_modes, claim_ref, claim_ref_uid, reclaim_policy, storage_class, volume_name
from pvkit.backends.workloads import (
    behaviour,
    is_finished,
    is_overdue,
    is_ready,
    node_name,
)

ENDING = ("crash", "finish", "evicted")
"""Behaviours of pods that run for a second and end so."""
FAILED, FAILED_TRIES = "SchedulerError", 3
"""The reason of a pod at which the scheduler failed, and for how many of its least back-offs it is waited for."""
LONGEST_BACK_OFF = 12.0
"""Seconds of a back-off that is waited for at most."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How quick the components of a cluster are, in seconds.

    `reaction`: within which a component acts on what it sees; `resync`: the sync period of the volume binder; `poll`:
    of the scheduler while it binds volumes; `back_off`: the least wait of the scheduler before it tries a pod again;
    `provisioning`: the wait of the provisioner after a failure; `namespace`: of the namespace controller; `orphans`: of
    the pod collector, until it ends a pod whose node is gone; `recycling`: until the pod that scrubs a volume is done;
    `endpoints`: of the slice controller after an error.
    """

    reaction: float = 0.3
    resync: float = 15.0
    poll: float = 1.0
    back_off: float = 1.0
    provisioning: float = 15.0
    namespace: float = 16.0
    orphans: float = 62.0
    collection: float = 22.0
    recycling: float = 3.0
    endpoints: float = 2.5


def patience(objects: Iterable[Obj], pace: Pace, busy: float) -> float:
    """Seconds without any change after which nothing more is to come; `busy` are the seconds since operations began."""
    world = _World(objects)
    waits = [0.0, *_volumes(world, pace), *_pods(world, pace), *_sets(world, busy), *_others(world, pace)]
    return pace.reaction + max(waits)


class _World:
    """What exists, by kind."""

    def __init__(self, objects: Iterable[Obj]) -> None:
        self.by_kind: defaultdict[str, list[Obj]] = defaultdict(list)
        for obj in objects:
            self.by_kind[obj["kind"]].append(obj)
        self.claims = {(namespace(claim), name(claim)): claim for claim in self.by_kind["PersistentVolumeClaim"]}
        self.volumes = {name(volume): volume for volume in self.by_kind["PersistentVolume"]}
        self.revisions = {(namespace(entry), name(entry)) for entry in self.by_kind["ControllerRevision"]}
        self.nodes = {name(node) for node in self.by_kind["Node"]}
        self.classes = {name(obj): obj for obj in self.by_kind["StorageClass"]}


def _volumes(world: _World, pace: Pace) -> Iterator[float]:
    """A resync finds what no event tells of: claims without a volume, volumes that are not as their claims say."""
    claims, volumes = world.claims.values(), world.volumes.values()
    if any(_is_open(claim, world) for claim in claims) or any(_is_unsettled(volume, world) for volume in volumes):
        yield pace.resync * 1.5
    if any(reclaim_policy(volume) == "Recycle" and phase(volume) == "Released" for volume in volumes):
        yield pace.recycling
    for claim in claims:
        parameters = (world.classes.get(storage_class(claim)) or {}).get("parameters") or {}
        if phase(claim) == "Pending" and parameters:
            yield _number(parameters.get("slow")) + _number(parameters.get("fail")) * pace.provisioning


def _is_open(claim: Obj, world: _World) -> bool:
    """Whether a claim is not bound, or its status not that of its volume."""
    volume = world.volumes.get(volume_name(claim))
    if phase(claim) != "Bound" or volume is None:
        return True
    if claim_ref_uid(volume) != uid(claim):  # It is another one's, and the claim is to be called Lost.
        return True
    return frozenset((claim.get("status") or {}).get("accessModes") or ()) != access_modes(volume)


def _is_unsettled(volume: Obj, world: _World) -> bool:
    """Whether a volume is on its way, or refers to a claim that is not there."""
    ref = claim_ref(volume)
    if ref is None:
        return phase(volume) != "Available" or deleting(volume)
    claim = world.claims.get((str(ref.get("namespace")), str(ref.get("name"))))
    lives = claim is not None and claim_ref_uid(volume) == uid(claim)
    if phase(volume) == "Released":
        return lives or deleting(volume) or reclaim_policy(volume) != "Retain"
    return phase(volume) != "Bound" or not lives


def _pods(world: _World, pace: Pace) -> Iterator[float]:
    """The scheduler is at work on a pod that it has not judged, or has chosen a node for; simulated pods end late."""
    for pod in world.by_kind["Pod"]:
        if is_finished(pod) or deleting(pod):
            if not is_finished(pod) and not node_name(pod):  # Only the collector says that it has failed.
                yield pace.collection
            continue
        if not node_name(pod):
            judged = condition(pod, "PodScheduled")
            if get(pod, "status", "nominatedNodeName"):
                yield pace.poll
            elif judged is None:
                yield pace.back_off
            elif judged.get("reason") == FAILED:  # It tries again after a back-off, and nothing else brings it back.
                yield FAILED_TRIES * pace.back_off
            continue
        if node_name(pod) not in world.nodes:
            yield pace.orphans
        word, seconds = behaviour(pod)
        if word == "slow" and not is_ready(pod):
            yield seconds + 1.0
        elif word in ENDING:
            yield 1.0


def _sets(world: _World, busy: float) -> Iterator[float]:
    """A set waits until pods are available, and tries again after an error, ever later."""
    pods = {(namespace(pod), name(pod)): pod for pod in world.by_kind["Pod"]}
    for stateful_set in world.by_kind["StatefulSet"]:
        if deleting(stateful_set):
            continue
        wait = int(stateful_set["spec"].get("minReadySeconds") or 0)
        status = stateful_set.get("status") or {}
        if wait and (status.get("availableReplicas") or 0) < (status.get("readyReplicas") or 0):
            yield float(wait) + 1.0
        if (status.get("observedGeneration") or 0) < (get(stateful_set, "metadata", "generation") or 0):
            yield min(busy, LONGEST_BACK_OFF)  # It has not been looked at since it was changed.
        wanted = status.get("updateRevision")
        lost = wanted and (namespace(stateful_set), wanted) not in world.revisions  # Only its next pass makes it again.
        if lost or is_overdue(stateful_set, pods, world.claims):
            yield min(busy, LONGEST_BACK_OFF)


def _endpoints(world: _World, pace: Pace) -> Iterator[float]:
    """A slice that is not as its pods are is written once the back-off of its controller is over."""
    pods = {uid(pod): is_ready(pod) and not deleting(pod) for pod in world.by_kind["Pod"]}
    for entry in world.by_kind["EndpointSlice"]:
        for endpoint in entry.get("endpoints") or ():
            told = get(endpoint, "conditions", "serving") and not get(endpoint, "conditions", "terminating")
            if pods.get(str(get(endpoint, "targetRef", "uid"))) is not bool(told):
                yield pace.endpoints


def _others(world: _World, pace: Pace) -> Iterator[float]:
    yield from _endpoints(world, pace)
    if any(deleting(obj) for obj in world.by_kind["Namespace"]):
        yield pace.namespace
    collected = {"foregroundDeletion", "orphan"}
    if any(collected.intersection(finalizers(obj)) for kind in world.by_kind.values() for obj in kind):
        yield 1.0


def _number(text: object) -> float:
    try:
        return float(str(text or 0))
    except ValueError:
        return 0.0
