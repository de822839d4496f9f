"""Phases: they move along the documented paths, and tell the truth when they do.

What a client writes into a status is its own affair and is not judged; what a component makes of it is.
"""

from pvkit.backends.objects import Key, Obj, annotations, name, namespace, phase, uid
from pvkit.backends.storage import (
    PROVISIONED_BY,
    bind_completed,
    claim_ref,
    claim_ref_uid,
    reclaim_policy,
    volume_name,
)
from pvkit.conformance.history import Change, State
from pvkit.conformance.invariant import AT_RISK, HELD, Findings, Level, Memory, Scope, Violation, invariant
from pvkit.conformance.invariants.fitting import CLAIM, VOLUME, claim_of, forged, hangs, key_of, resyncs, volume_of
from pvkit.conformance.invariants.moments import belonged, turned

PHASES = "https://kubernetes.io/docs/concepts/storage/persistent-volumes/#phase"
RELEASING = "https://kubernetes.io/docs/concepts/storage/persistent-volumes/#reclaiming"
SYNC_VOLUME = "pkg/controller/volume/persistentvolume/pv_controller.go: syncVolume"
SYNC_BOUND = "pkg/controller/volume/persistentvolume/pv_controller.go: syncBoundClaim"

FORGETTING = frozenset({"crash", "second-leader"})
"""Faults after which a claim that is gone may be seen once more."""


@invariant(
    "PVB-050",
    scope=Scope.EACH_STEP,
    level=Level.UPSTREAM,
    source=f"section 4.1, PHASE-03, PHASE-12; {SYNC_VOLUME}",
    on=(f"{VOLUME} MODIFIED",),
    when=turned,
)
def volume_phase_follows_the_table(change: Change, memory: Memory) -> Findings:
    """A volume's phase becomes Available, Bound, Released or Failed as its claimRef allows, and never Pending again."""
    turn = turned(change)
    if turn is None:
        return
    before, after = turn
    referred = bool(claim_ref_uid(change.obj))
    if after == "Available":
        right, wanted = not referred, "a claimRef without a UID or none"
    elif after == "Released":
        right, wanted = referred and before != "Failed", "a UID in claimRef and not Failed before"
    elif after in ("Bound", "Failed"):
        right, wanted = referred, "a UID in claimRef"
    else:
        right, wanted = False, "nothing: no component may write it"
    if right:
        yield HELD
    else:
        text = (
            f"volume {name(change.obj)} went from {before or 'no phase'} to {after or 'no phase'}, which needs {wanted}"
        )
        yield Violation(text, (change.obj,))


@invariant(
    "PVB-051",
    scope=Scope.EACH_STEP,
    level=Level.UPSTREAM,
    source=f"section 4.2, section 15 no. 3, PHASE-11; {SYNC_BOUND}",
    on=(f"{CLAIM} MODIFIED",),
    when=turned,
)
def claim_phase_follows_the_table(change: Change, memory: Memory) -> Findings:
    """A claim becomes Bound or Lost only with its binding completed, and Pending again only without."""
    turn = turned(change)
    if turn is None:
        return
    completed = bind_completed(change.obj)
    allowed = {"Bound": completed and bool(volume_name(change.obj)), "Lost": completed, "Pending": not completed}
    if allowed.get(turn[1], False):
        yield HELD
    else:
        state = "is" if completed else "is not"
        text = f"claim {name(change.obj)} went from {turn[0] or 'no phase'} to {turn[1] or 'no phase'}"
        yield Violation(f"{text} while its binding {state} complete", (change.obj,))


@invariant(
    "PVB-052",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"PHASE-01, PHASE-05, section 15 no. 4; {RELEASING}",
    on=(f"{VOLUME} MODIFIED",),
    needs=("order",),
    when=turned,
)
def volume_is_released_only_when_its_claim_is_gone(change: Change, memory: Memory) -> Findings:
    """A volume becomes Released or Failed only when no claim of that namespace, name and UID is left for it."""
    turn = turned(change)
    if turn is None or turn[1] not in ("Released", "Failed") or turn[0] in ("Released", "Failed"):
        return
    volume, state = change.obj, change.state
    claim = claim_of(state, volume)
    if claim is None:
        yield AT_RISK if _same_name(state, volume) is not None else HELD
    elif _surplus(volume, claim):
        yield HELD
    else:
        text = f"volume {name(volume)} became {turn[1]} although its claim {namespace(claim)}/{name(claim)} exists"
        yield Violation(text, (volume, claim))


def _same_name(state: State, volume: Obj) -> Obj | None:
    found = claim_ref(volume) or {}
    return state.get(CLAIM, str(found.get("namespace") or ""), str(found.get("name") or ""))


def _surplus(volume: Obj, claim: Obj) -> bool:
    """A volume made for a claim that has another one by now is released and deleted (RACE-02a)."""
    elsewhere = volume_name(claim) not in ("", name(volume))
    return elsewhere and PROVISIONED_BY in annotations(volume) and reclaim_policy(volume) == "Delete"


@invariant(
    "PVB-053",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"PHASE-04, RECLAIM-02, RECLAIM-09; {RELEASING}",
    on=(f"{VOLUME} MODIFIED",),
    needs=("order",),
    when=belonged,
)
def released_volume_keeps_its_reference(change: Change, memory: Memory) -> Findings:
    """A Released or Failed volume keeps the reference to its last claim, unless it was recycled."""
    old, new = change.old, change.new
    if old is None or new is None or phase(old) not in ("Released", "Failed"):
        return
    recycled = "Recycle" in (reclaim_policy(old), reclaim_policy(new))
    by_hand = change.life.touched("spec.claimRef", "status", "spec.persistentVolumeReclaimPolicy")
    if claim_ref_uid(old) == claim_ref_uid(new):
        yield HELD
    elif not recycled and not by_hand and claim_of(change.state, old) is None:
        yield Violation(f"{phase(old)} volume {name(old)} lost its claimRef {claim_ref(old)}", (old, new))


@invariant(
    "PVB-054",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"PHASE-03, PHASE-04; {RELEASING}",
    on=(f"{VOLUME} MODIFIED",),
    needs=("order",),
    when=turned,
)
def released_volume_is_not_bound_again(change: Change, memory: Memory) -> Findings:
    """A Released or Failed volume becomes Bound again only for a claim that exists with the UID in its claimRef."""
    turn = turned(change)
    if turn is None or turn[1] != "Bound" or turn[0] not in ("Released", "Failed"):
        return
    if claim_of(change.state, change.obj) is not None:
        yield HELD
    elif not change.state.faults & FORGETTING and not change.life.touched("status", "spec.claimRef"):
        text = f"volume {name(change.obj)} was {turn[0]} and became Bound to {claim_ref(change.obj)}, which is gone"
        yield Violation(text, (change.obj,))


@invariant(
    "PVB-055",
    scope=Scope.SETTLED,
    level=Level.CONTRACT,
    source=f"PHASE-01, PHASE-05, section 15 no. 11; {RELEASING}",
)
def settled_volume_of_a_gone_claim_is_released(state: State, memory: Memory) -> Findings:
    """When all is quiet, a volume whose claim is gone is Released or Failed, never Available or Bound."""
    for volume in state.all(VOLUME) if resyncs(state) else ():
        if not claim_ref_uid(volume) or claim_of(state, volume) is not None or hangs(volume):
            continue
        if phase(volume) in ("Released", "Failed"):
            yield AT_RISK if _same_name(state, volume) is not None else HELD
        else:
            found = claim_ref(volume) or {}
            text = f"volume {name(volume)} is {phase(volume)}, and its claim {found.get('name')} ({found.get('uid')})"
            yield Violation(f"{text} does not exist", (volume,))


@invariant(
    "PVB-056",
    scope=Scope.SETTLED,
    level=Level.CONTRACT,
    source=f"PHASE-01, PHASE-02, PHASE-12, RECLAIM-04; {PHASES}",
)
def settled_free_volume_is_available(state: State, memory: Memory) -> Findings:
    """When all is quiet, a volume without a claim's UID in its claimRef is Available."""
    for volume in state.all(VOLUME) if resyncs(state) else ():
        if claim_ref_uid(volume) or hangs(volume):
            continue
        if phase(volume) == "Available":
            yield HELD
        else:
            text = f"volume {name(volume)} belongs to no claim and is {phase(volume) or 'without a phase'}"
            yield Violation(text, (volume,))


def _lost(state: State, claim: Obj) -> bool:
    """Whether a claim has no volume any more: none named, none there, or one that belongs to another (BOUND-01..05)."""
    volume = volume_of(state, claim)
    return volume is None or (claim_ref(volume) is not None and claim_ref_uid(volume) != uid(claim))


@invariant(
    "PVB-057",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"BOUND-01, BOUND-02, BOUND-05; {SYNC_BOUND}",
    on=(f"{CLAIM} MODIFIED",),
    needs=("order",),
    when=turned,
)
def claim_is_lost_only_without_its_volume(change: Change, memory: Memory) -> Findings:
    """A claim becomes Lost only if its volume is missing or belongs to another claim."""
    turn = turned(change)
    if turn is None or turn[1] != "Lost":
        return
    claim, state = change.obj, change.state
    if _lost(state, claim):
        yield HELD
    elif state.known(Key(VOLUME, "", volume_name(claim))):
        text = f"claim {name(claim)} became Lost although volume {volume_name(claim)} is there for it"
        volume = volume_of(state, claim)
        yield Violation(text, (claim,) if volume is None else (claim, volume))


@invariant(
    "PVB-058",
    scope=Scope.SETTLED,
    level=Level.CONTRACT,
    source=f"BOUND-01 to BOUND-06; {SYNC_BOUND}",
)
def settled_claim_is_lost_exactly_without_its_volume(state: State, memory: Memory) -> Findings:
    """When all is quiet, a claim that was bound is Lost exactly if its volume is missing or belongs to another."""
    for claim in state.all(CLAIM) if resyncs(state) else ():
        life = state.life(key_of(claim))
        if not bind_completed(claim):
            if phase(claim) == "Lost" and life is not None and not life.touched("status") and not forged(life):
                yield Violation(f"claim {name(claim)} was never bound and is Lost", (claim,))
            continue
        if _lost(state, claim) == (phase(claim) == "Lost"):
            yield AT_RISK if phase(claim) == "Lost" else HELD
        else:
            seen = "has lost its volume" if _lost(state, claim) else "has its volume"
            yield Violation(f"claim {name(claim)} {seen} {volume_name(claim)} and is {phase(claim)}", (claim,))
