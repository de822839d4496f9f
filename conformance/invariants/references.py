"""References: what components write into a claimRef and take out of it again, and what they leave as people made it."""

from collections.abc import Iterator

from pvkit.backends.objects import Key, Obj, annotations, deleting, name, phase
from pvkit.backends.storage import (
    BOUND_BY_CONTROLLER,
    MIGRATED_TO,
    claim_ref,
    claim_ref_uid,
    reclaim_policy,
    volume_source,
)
from pvkit.backends.workloads import is_finished
from pvkit.conformance.history import SEEING, Change, State
from pvkit.conformance.invariant import AT_RISK, HELD, Findings, Level, Memory, Scope, Violation, invariant
from pvkit.conformance.invariants.choice import PODS
from pvkit.conformance.invariants.fitting import CLAIM, VOLUME, claim_of, hangs, resyncs

BIND_VOLUME = "staging/src/k8s.io/component-helpers/storage/volume/pv_helpers.go: GetBindVolumeToClaim"
UNBIND = "pkg/controller/volume/persistentvolume/pv_controller.go: unbindVolume"
RECLAIM = "pkg/controller/volume/persistentvolume/pv_controller.go: reclaimVolume"
RETAIN = "https://kubernetes.io/docs/concepts/storage/persistent-volumes/#retain"

SCRUBBED = frozenset({"nfs", "hostPath"})
"""Sources that the recycler can empty."""


def _written(change: Change) -> object:
    """Whether a component changed a volume's claimRef."""
    both = change.old is not None and change.new is not None and not change.by_client
    return both and claim_ref(change.old or {}) != claim_ref(change.new or {})


def _whose(volume: Obj) -> tuple[str, str]:
    found = claim_ref(volume) or {}
    return str(found.get("namespace") or ""), str(found.get("name") or "")


@invariant(
    "PVB-036",
    scope=Scope.EACH_STEP,
    level=Level.UPSTREAM,
    source=f"BIND-14, PREB-02; {BIND_VOLUME}",
    on=(f"{VOLUME} MODIFIED",),
    when=_written,
)
def component_refers_by_uid(change: Change, memory: Memory) -> Findings:
    """A component that makes a volume refer to a claim says the claim's UID."""
    old, new = change.old, change.obj
    if old is None or claim_ref(new) is None or claim_ref_uid(old):
        return
    if claim_ref_uid(new):
        yield HELD
    elif claim_ref(old) is None or _whose(old) != _whose(new):
        yield Violation(f"volume {name(new)} was made to refer to {claim_ref(new)}, without a UID", (old, new))


@invariant(
    "PVB-044",
    scope=Scope.EACH_STEP,
    level=Level.UPSTREAM,
    source=f"RACE-02, PREB-13; {UNBIND}",
    on=(f"{VOLUME} MODIFIED",),
    when=_written,
)
def reservation_by_hand_outlives_a_bind(change: Change, memory: Memory) -> Findings:
    """A volume that a person reserved for a claim stays reserved for it, by name, when a component frees it."""
    old, new = change.old, change.obj
    if old is None or not claim_ref_uid(old) or claim_ref_uid(new):
        return
    if BOUND_BY_CONTROLLER in annotations(old) or reclaim_policy(old) == "Recycle":
        return
    if _whose(old) == _whose(new):
        yield HELD
    else:
        yield Violation(f"volume {name(new)}, reserved by hand for {'/'.join(_whose(old))}, was freed", (old, new))


@invariant(
    "PVB-045",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"PREB-10, RECLAIM-02; {RETAIN}",
    on=(VOLUME,),
    needs=("order",),
)
def cleared_reference_stays_cleared(change: Change, memory: Memory) -> Findings:
    """A reference to a claim that is gone does not come back once an administrator has cleared it."""
    old, new = change.old, change.new
    if new is None or old is None:
        memory.pop(change.key, None)
    elif change.by_client:
        memory.pop(change.key, None)
        if claim_ref_uid(old) and not claim_ref_uid(new) and claim_of(change.state, old) is None:
            memory[change.key] = claim_ref_uid(old), change.state.time
            yield HELD
    elif change.key in memory:
        before, since = memory[change.key]
        seen = change.state.faults <= SEEING and change.state.time >= since + change.state.header.backend.lag
        if claim_ref_uid(new) == before and seen:
            yield Violation(f"volume {name(new)} refers again to {claim_ref(new)}, which was cleared", (old, new))


@invariant(
    "PVB-096",
    scope=Scope.SETTLED,
    level=Level.UPSTREAM,
    source=f"RECLAIM-09; {RECLAIM}",
)
def settled_volume_to_recycle_is_free_or_failed(state: State, memory: Memory) -> Findings:
    """When all is quiet, a volume of policy Recycle whose claim is gone is free or Failed, or a pod still names it."""
    for volume in _to_recycle(state) if resyncs(state) else ():
        at = Key(CLAIM, *_whose(volume))
        users = [pod for pod in state.find(PODS, at) if not is_finished(pod)]
        if phase(volume) == "Failed" or (users and state.lookup(at) is None):
            yield HELD
        else:
            text = f"volume {name(volume)} is {phase(volume)}, its claim {at.namespace}/{at.name} is gone"
            yield Violation(f"{text}, and it was not recycled", (volume,))


def _to_recycle(state: State) -> Iterator[Obj]:
    for volume in state.all(VOLUME):
        spared = deleting(volume) or hangs(volume) or MIGRATED_TO in annotations(volume)
        gone = claim_ref_uid(volume) and claim_of(state, volume) is None
        if reclaim_policy(volume) == "Recycle" and gone and not spared:
            yield volume


@invariant(
    "PVB-097",
    scope=Scope.EACH_STEP,
    level=Level.UPSTREAM,
    source=f"RECLAIM-09; {RECLAIM}",
    on=(f"{VOLUME} MODIFIED",),
    when=_written,
)
def only_what_can_be_scrubbed_is_recycled(change: Change, memory: Memory) -> Findings:
    """A volume of policy Recycle is freed by a component only if its kind of source can be emptied."""
    old, new = change.old, change.obj
    if old is None or reclaim_policy(old) != "Recycle" or not claim_ref_uid(old) or claim_ref(new) is not None:
        return
    if claim_of(change.state, old) is not None or BOUND_BY_CONTROLLER not in annotations(old):
        return
    source = volume_source(old)[0]
    if source in SCRUBBED:
        yield AT_RISK
    else:
        yield Violation(f"volume {name(new)} of source {source} was recycled, and cannot be emptied", (old, new))
