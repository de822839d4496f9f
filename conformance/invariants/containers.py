"""Containers: what a node runs, against what its pod and its claims say of it.

A `Process` of the ledger stands for the containers of a pod. They start on volumes that are the claims' own, the pod is
ready only while they run, and what they write is on the volumes afterwards.
"""

from pvkit.backends.objects import Key, Obj, deleting, get, name, namespace, phase, uid
from pvkit.backends.storage import claim_ref_uid, volume_name
from pvkit.backends.workloads import claim_keys, is_ready
from pvkit.conformance.history import Change, State
from pvkit.conformance.invariant import (
    AT_RISK,
    HELD,
    Findings,
    Level,
    Memory,
    Scope,
    Violation,
    invariant,
    of_change_in,
)
from pvkit.conformance.invariants.fitting import key_of, volume_of
from pvkit.conformance.invariants.identity import PROCESSES
from pvkit.conformance.invariants.sets import POD, POD_CHANGED

READY_DOC = "https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-conditions"
CLAIMS_DOC = "https://kubernetes.io/docs/concepts/storage/persistent-volumes/#claims-as-volumes"
POWER = frozenset({"delay", "power-off", "cut-off", "second-leader"})
"""Faults in which a node's last word about a pod may come when its containers are gone."""


def _process(state: State, pod: Obj) -> Obj | None:
    """What runs for a pod."""
    running = state.find(PROCESSES, (namespace(pod), name(pod)))
    return next((process for process in running if process["spec"]["podUID"] == uid(pod)), None)


@of_change_in("status")
def _becomes_ready(change: Change) -> bool:
    """A component says of a pod that it is ready, for the first time or again."""
    old, new = change.old, change.new
    return old is not None and new is not None and not change.by_client and is_ready(new) and not is_ready(old)


@invariant(
    "STS-109",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"POD-14, POD-02; {READY_DOC}",
    on=(POD_CHANGED,),
    needs=("order", "ledgers"),
    when=_becomes_ready,
)
def ready_pods_run(change: Change, memory: Memory) -> Findings:
    """A pod becomes ready only while its containers run."""
    if change.state.faults & POWER:
        return
    if _process(change.state, change.obj) is not None:
        yield HELD
    else:
        yield Violation(f"{change.key.name} is ready, and no container of it runs", (change.obj,))


@invariant(
    "PVB-116",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"PROT-10, SCHED-24; {CLAIMS_DOC}",
    on=("Process ADDED",),
    needs=("order", "ledgers"),
)
def containers_start_on_bound_claims(change: Change, memory: Memory) -> Findings:
    """Containers start only once every claim of their pod is bound to a volume that is bound to it."""
    spec, state = change.obj["spec"], change.state
    pod = state.get(POD, str(spec["namespace"]), str(spec["pod"]))
    if pod is None or uid(pod) != spec["podUID"] or "delay" in state.faults:
        return
    for at in claim_keys(pod):
        claim = state.lookup(at)
        volume = volume_of(state, claim) if claim is not None and volume_name(claim) else None
        if claim is None or volume is None or claim_ref_uid(volume) != uid(claim):
            witnesses = (pod, change.obj) if claim is None else (pod, claim, change.obj)
            yield Violation(f"containers of {name(pod)} started, its claim {at.name} is not bound", witnesses)
        else:
            yield AT_RISK if _waited(state, at, pod) else HELD


def _waited(state: State, claim: Key, pod: Obj) -> bool:
    """Whether the claim was written after the pod came."""
    mine, its = state.life(key_of(pod)), state.life(claim)
    return mine is not None and its is not None and its.changed > mine.born


@invariant(
    "PVB-136",
    scope=Scope.SETTLED,
    level=Level.CONTRACT,
    source=f"PVC-15, PROT-10; {CLAIMS_DOC}",
    needs=("ledgers",),
)
def what_is_written_is_stored(state: State, memory: Memory) -> Findings:
    """At rest what a running pod wrote is on each of its volumes."""
    for pod in state.all(POD):
        life, process = state.life(key_of(pod)), None
        if phase(pod) == "Running" and not deleting(pod) and life is not None and not life.touched("status"):
            process = _process(state, pod)
        for entry in process["spec"].get("volumes") or () if process is not None else ():
            asset, since = (
                state.get("Asset", "", str(entry["asset"])),
                state.life(Key("Asset", "", str(entry["asset"]))),
            )
            began = state.life(key_of(process)) if process is not None else None
            if asset is None or since is None or began is None or since.born > began.born:
                continue
            held = state.life(Key("PersistentVolume", "", str(entry.get("volume"))))
            if held is not None and held.touched(
                "spec.claimRef"
            ):  # Who takes a volume from its claim frees it for others.
                continue
            if any(mark.get("podUID") == uid(pod) for mark in get(asset, "spec", "data") or ()):
                yield AT_RISK
            else:
                yield Violation(f"{name(pod)} runs, and what it wrote is not in {entry['asset']}", (pod, asset))
