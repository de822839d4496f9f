"""The words of pods, StatefulSets and nodes: every field path of them that we read, spelled once."""

import re
from collections.abc import Mapping
from functools import lru_cache

from pvkit.backends.objects import Key, Obj, condition, deleting, get, name, namespace, selects

MOST_ORDINALS = 64
Named = tuple[str, str]
"""A namespace and a name in it."""

POD_NAME_LABEL = "statefulset.kubernetes.io/pod-name"
POD_INDEX_LABEL = "apps.kubernetes.io/pod-index"
REVISION_LABEL = "controller-revision-hash"
BEHAVIOUR = "pvkit.dev/behaviour"
"""Annotation by which a plan asks the simulated kubelet for a pod that is not healthy; without it a pod runs and is
ready. `slow:<seconds>` becomes ready late, `unready` never; `crash`, `finish` and `evicted` end once they ran, `reject`
never runs; `hang` keeps terminating. The annotation may be changed while the pod lives."""

_ORDINAL = re.compile(r"(.*)-([0-9]+)$", re.DOTALL)


@lru_cache(maxsize=4096)
def parent_and_ordinal(pod_name: str) -> tuple[str, int]:
    """A pod's name split into its set's name and ordinal; ("", -1) when it has no such form (IDENT-01).

    A number that is no 32-bit ordinal gives -1 with the set's name: such a pod is claimed and ignored (SCALE-10).
    """
    match = _ORDINAL.match(pod_name)
    if match is None:
        return "", -1
    return match[1], int(match[2]) if int(match[2]) < 2**31 else -1


def ordinal(pod: Obj) -> int:
    """The ordinal in a pod's name, -1 if it has none."""
    return parent_and_ordinal(name(pod))[1]


def fits(stateful_set: Obj, pod: Obj) -> bool:
    """Whether a pod is the set's by name and labels, whoever controls it (IDENT-06)."""
    if parent_and_ordinal(name(pod))[0] != name(stateful_set):
        return False
    return selects(stateful_set["spec"].get("selector"), pod["metadata"].get("labels") or {})


def replicas(stateful_set: Obj) -> int:
    """`spec.replicas`, absent meaning 1."""
    wanted = stateful_set["spec"].get("replicas")
    return 1 if wanted is None else int(wanted)


def first_ordinal(stateful_set: Obj) -> int:
    """`spec.ordinals.start`, absent meaning 0."""
    return int((stateful_set["spec"].get("ordinals") or {}).get("start") or 0)


def ordinals(stateful_set: Obj) -> range:
    """The ordinals in range, ascending."""
    start = first_ordinal(stateful_set)
    return range(start, start + replicas(stateful_set))


def is_parallel(stateful_set: Obj) -> bool:
    """Whether `spec.podManagementPolicy` is Parallel."""
    return bool(stateful_set["spec"].get("podManagementPolicy") == "Parallel")


def strategy(stateful_set: Obj) -> str:
    """`spec.updateStrategy.type`, absent meaning RollingUpdate."""
    return str((stateful_set["spec"].get("updateStrategy") or {}).get("type") or "RollingUpdate")


def partition(stateful_set: Obj) -> int:
    """`spec.updateStrategy.rollingUpdate.partition`, which counts indexes and not ordinals (UPDATE-05)."""
    return int(get(stateful_set, "spec", "updateStrategy", "rollingUpdate", "partition") or 0)


def templates(stateful_set: Obj) -> list[Obj]:
    """`spec.volumeClaimTemplates`."""
    return stateful_set["spec"].get("volumeClaimTemplates") or []


def claim_name(template: Obj, stateful_set: Obj, at: int) -> str:
    """The name of the claim that a template gives for an ordinal: template-set-ordinal (PVC-01)."""
    return f"{name(template)}-{name(stateful_set)}-{at}"


def retention(stateful_set: Obj, when: str) -> str:
    """`persistentVolumeClaimRetentionPolicy` for `whenDeleted` or `whenScaled`, absent meaning Retain."""
    return str((stateful_set["spec"].get("persistentVolumeClaimRetentionPolicy") or {}).get(when) or "Retain")


def is_overdue(stateful_set: Obj, pods: Mapping[Named, Obj], claims: Mapping[Named, Obj]) -> bool:
    """Whether a pod is missing that the set will make when it tries again: nothing that exists is in the way.

    `pods` and `claims` are what exists, by namespace and name. Only the first ordinals are looked at.
    """
    return any(_lacks(stateful_set, at, pods, claims) for at in list(ordinals(stateful_set))[:MOST_ORDINALS])


def _lacks(stateful_set: Obj, at: int, pods: Mapping[Named, Obj], claims: Mapping[Named, Obj]) -> bool:
    where, called = namespace(stateful_set), name(stateful_set)
    if (where, f"{called}-{at}") in pods:
        return False
    needed = [claims.get((where, claim_name(entry, stateful_set, at))) for entry in templates(stateful_set)]
    if any(claim is not None and deleting(claim) for claim in needed):
        return False
    below = [pods.get((where, f"{called}-{lower}")) for lower in range(first_ordinal(stateful_set), at)]
    return is_parallel(stateful_set) or all(pod is not None and is_ready(pod) for pod in below)


def claim_keys(pod: Obj) -> list[Key]:
    """Keys of the claims that a pod's volumes name, in the order of the volumes; ephemeral ones included."""
    found = []
    for volume in pod["spec"].get("volumes") or ():
        if "persistentVolumeClaim" in volume:
            found.append(volume["persistentVolumeClaim"]["claimName"])
        elif "ephemeral" in volume:
            found.append(f"{name(pod)}-{volume['name']}")
    return [Key("PersistentVolumeClaim", namespace(pod), claim) for claim in found]


def claim_volumes(pod: Obj) -> list[tuple[str, bool]]:
    """Names of the claims that a pod's volumes name, in the order of the volumes, and whether each is ephemeral."""
    found = []
    for volume in pod["spec"].get("volumes") or ():
        if "persistentVolumeClaim" in volume:
            found.append((str(volume["persistentVolumeClaim"]["claimName"]), False))
        elif "ephemeral" in volume:
            found.append((f"{name(pod)}-{volume['name']}", True))
    return found


def behaviour(pod: Obj) -> tuple[str, float]:
    """What a plan asks of a pod: a word ("" for a healthy one) and whole seconds, as in `slow:5` ("slow", 5)."""
    word, _, seconds = str((pod["metadata"].get("annotations") or {}).get(BEHAVIOUR) or "").partition(":")
    return word, float(seconds) if seconds.isdecimal() else 0.0


def node_name(pod: Obj) -> str:
    """`spec.nodeName`, "" while the pod is not scheduled."""
    return str(pod["spec"].get("nodeName") or "")


def is_ready(pod: Obj) -> bool:
    """Phase Running and condition Ready true; a terminating pod can be ready (POD-05)."""
    return get(pod, "status", "phase") == "Running" and (condition(pod, "Ready") or {}).get("status") == "True"


def is_finished(pod: Obj) -> bool:
    """Phase Succeeded or Failed."""
    return get(pod, "status", "phase") in ("Succeeded", "Failed")


def revision(pod: Obj) -> str:
    """The full name of the ControllerRevision that a pod was made from (REV-02)."""
    return str((pod["metadata"].get("labels") or {}).get(REVISION_LABEL, ""))
