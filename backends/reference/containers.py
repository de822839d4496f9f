"""Containers: what a node really runs, from their start to their end.

A `Process` of the ledger stands for the containers of a pod, whatever the API server knows of it: on a node that is
cut off it goes on. Containers start once all claims of the pod can be used. They read the last mark that each of
their volumes holds, and leave one of their own.
"""

from collections.abc import Hashable, Iterable
from typing import Any

from pvkit.backends.objects import Key, Obj, deleting, finalizers, get, name, namespace, phase, put, uid
from pvkit.backends.reference.rules import STOP, Effect, Write, rule
from pvkit.backends.reference.view import Seen
from pvkit.backends.storage import (
    CLAIM_PROTECTION,
    PROVISIONED_BY,
    asset_of,
    claim_ref_uid,
    volume_name,
)
from pvkit.backends.tables import Index
from pvkit.backends.workloads import claim_keys, claim_volumes, is_finished, node_name


def _by_pod(process: Obj) -> Iterable[tuple[Hashable, Any]]:
    spec = process["spec"]
    yield (spec["node"], spec["namespace"], spec["pod"]), spec["podUID"]


def _by_claim(pod: Obj) -> Iterable[tuple[Hashable, Any]]:
    """Pods on a node that have not finished, by node and claim."""
    if node_name(pod) and not is_finished(pod):
        for claim in claim_keys(pod):
            yield (node_name(pod), claim), name(pod)


def _by_node(process: Obj) -> Iterable[tuple[Hashable, Any]]:
    yield process["spec"]["node"], name(process)


PROCESSES = Index("processes by pod", "Process", _by_pod)
PROCESSES_BY_NODE = Index("processes by node", "Process", _by_node)
USERS = Index("pods by node and claim", "Pod", _by_claim)


def own(seen: Seen, at: Key) -> Obj | None:
    """The pod under that name, if it is on this node."""
    pod = seen.lookup(at)
    return pod if pod is not None and node_name(pod) == seen.node else None


def process_of(seen: Seen, pod: Obj) -> Obj | None:
    """What runs for a pod, if anything does."""
    return seen.live(Key("Process", "", uid(pod)))


def mounts(seen: Seen, pod: Obj) -> list[Obj] | None:
    """What the pod's containers would see, read live; `None` while a claim cannot be used (PROT-10).

    One entry a claim: claim, claimUID, volume, volumeUID, asset, and `size` and `static` of the volume.
    """
    found = []
    for at, (_, ephemeral) in zip(claim_keys(pod), claim_volumes(pod), strict=True):
        claim = seen.live(at)
        if claim is None or phase(claim) != "Bound" or not volume_name(claim):
            return None
        if deleting(claim) and CLAIM_PROTECTION not in finalizers(claim):
            return None
        volume = seen.live(Key("PersistentVolume", "", volume_name(claim)))
        if volume is None or claim_ref_uid(volume) != uid(claim):
            return None
        if ephemeral and uid(pod) not in {owner["uid"] for owner in claim["metadata"].get("ownerReferences") or ()}:
            return None
        found.append(_mount(claim, volume))
    return found


def _mount(claim: Obj, volume: Obj) -> Obj:
    return {
        "claim": name(claim),
        "claimUID": uid(claim),
        "volume": name(volume),
        "volumeUID": uid(volume),
        "asset": asset_of(volume),
        "static": PROVISIONED_BY not in (volume["metadata"].get("annotations") or {}),
        "size": get(volume, "spec", "capacity", "storage"),
    }


@rule("PROT-10.1", on="Pod")
def await_claims(seen: Seen, at: Key) -> Effect | None:
    """A pod waits until each of its claims can be used, and until the storage behind it is there."""
    pod = own(seen, at)
    if pod is None or process_of(seen, pod) is not None:
        return None
    found = mounts(seen, pod)
    if found is None:
        return STOP
    missing = [entry for entry in found if seen.live(Key("Asset", "", entry["asset"])) is None]
    if any(not entry["static"] for entry in missing):
        return STOP
    seen.scratch[at.kind]["mounts"] = found
    return None


@rule("PROT-10.2", on="Pod")
def use_first(seen: Seen, at: Key) -> Effect | None:
    """Storage that an administrator made comes into the ledger when it is used for the first time."""
    for entry in seen.scratch[at.kind].get("mounts", ()):
        if seen.live(Key("Asset", "", entry["asset"])) is None:
            spec = {"size": entry["size"], "claim": "", "by": "", "data": []}
            made = {"kind": "Asset", "metadata": {"name": entry["asset"]}, "spec": spec}
            return Write("create", made, tolerate=("AlreadyExists",))
    return None


@rule("PROT-10.3", on="Pod")
def start(seen: Seen, at: Key) -> Effect | None:
    """The containers start, and read the last mark that each of their volumes holds."""
    pod = own(seen, at)
    found = seen.scratch[at.kind].pop("mounts", None)
    if pod is None or found is None or process_of(seen, pod) is not None:
        return None
    volumes = [
        {**{field: entry[field] for field in entry if field not in ("static", "size")}, "read": _last(seen, entry)}
        for entry in found
    ]
    owner = {"pod": name(pod), "namespace": namespace(pod), "podUID": uid(pod), "node": seen.node}
    made = {"kind": "Process", "metadata": {"name": uid(pod)}, "spec": {**owner, "volumes": volumes}}
    return Write("create", made, tolerate=("AlreadyExists",))


def _last(seen: Seen, mount: Obj) -> Obj | None:
    asset = seen.live(Key("Asset", "", mount["asset"]))
    data: list[Obj] = asset["spec"].get("data") or [] if asset else []
    return data[-1] if data else None


@rule("PROT-10.4", on="Pod")
def leave_mark(seen: Seen, at: Key) -> Effect | None:
    """Running containers write to each of their volumes."""
    pod = own(seen, at)
    process = process_of(seen, pod) if pod else None
    if pod is None or process is None or phase(pod) == "Running":
        return None
    for entry in process["spec"]["volumes"]:
        asset = seen.live(Key("Asset", "", entry["asset"]))
        mark = {"claim": entry["claimUID"], "pod": name(pod), "podUID": uid(pod)}
        data = (asset["spec"].get("data") or []) if asset else [mark]
        if asset is not None and mark not in data:
            return Write("update", put(asset, ("spec", "data"), [*data, mark]))
    return None


STARTING_RULES = (await_claims, use_first, start, leave_mark)
