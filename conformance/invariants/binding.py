"""Binding: a pair points at each other, one claim and one volume, by UID, in four writes that change nothing else."""

from pvkit.backends.objects import Key, Obj, annotations, deleting, name, phase, uid
from pvkit.backends.protocol import Settled
from pvkit.backends.storage import (
    PROVISIONED_BY,
    access_modes,
    bind_completed,
    claim_ref,
    claim_ref_uid,
    reclaim_policy,
    refers_to,
    volume_name,
)
from pvkit.backends.tables import Index
from pvkit.conformance.history import Asked, Change, State
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
from pvkit.conformance.invariants.fitting import (
    BY_REFERENCE,
    CLAIM,
    VOLUME,
    claim_of,
    ever_delayed,
    fits_reserved,
    forged,
    given_by,
    hangs,
    key_of,
    resyncs,
    volume_of,
)
from pvkit.conformance.invariants.moments import completes

BINDING = "https://kubernetes.io/docs/concepts/storage/persistent-volumes/#binding"
BIND = "pkg/controller/volume/persistentvolume/pv_controller.go: bind"
SYNC_VOLUME = "pkg/controller/volume/persistentvolume/pv_controller.go: syncVolume"

FORGETTING = frozenset({"crash", "second-leader", "lose-answer", "delay"})
"""Faults after which a component may not know what it, or its like, has written."""

REQUEUED_SINCE = 36
"""The minor from which on a failed pass is tried again after a back-off (TIME-02)."""


def _by_name(claim: Obj) -> "list[tuple[str, tuple[()]]]":
    return [(volume_name(claim), ())] if volume_name(claim) else []


BY_VOLUME = Index("claims by volumeName", CLAIM, _by_name, of_spec=True)


class Bereaved:
    """The follower of unbound claims that lost their volume inside the binding, by the UID of the claim.

    A volume vanished, or a client turned it away from the claim: a component in the midst of binding may go on with
    what it saw. `undone` are those whose volume's phase a client wrote. A claim is forgotten when it goes.
    """

    def __init__(self) -> None:
        self.claims: set[str] = set()
        self.undone: set[str] = set()

    def take(self, change: Change) -> None:
        """One more event."""
        if change.key.kind == CLAIM:
            if change.new is None:
                self.claims.discard(uid(change.obj))
                self.undone.discard(uid(change.obj))
        elif change.key.kind == VOLUME and change.old is not None:
            if change.new is None:
                self._lose(change.state, change.old)
            elif change.by_client:
                self._take_hand(change.state, change.old, change.new)

    def hear(self, entry: Asked | Settled, state: State) -> None:
        """Answers and rests say nothing of it."""

    def _lose(self, state: State, volume: Obj) -> None:
        claim = claim_of(state, volume) if claim_ref_uid(volume) else None
        if claim is not None:
            self.claims.add(uid(claim))

    def _take_hand(self, state: State, old: Obj, new: Obj) -> None:
        if claim_ref_uid(new) != claim_ref_uid(old):
            self._lose(state, old)
        claim = claim_of(state, new) if phase(old) != phase(new) else None
        if claim is not None:
            self.undone.add(uid(claim))


@of_change_in("status")
def _becomes_bound(change: Change) -> bool:
    """A component writes the phase Bound into a claim."""
    old, new = change.old, change.new
    if new is None or change.by_client or phase(new) != "Bound":
        return False
    return old is None or phase(old) != "Bound"


def _handed_over(change: Change) -> bool:
    """A volume goes to a claim, away from one, or through the client's hands."""
    old, new = change.old, change.new
    return old is None or new is None or change.by_client or claim_ref_uid(old) != claim_ref_uid(new)


@invariant(
    "PVB-020",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"BIND-06, BIND-13; {BINDING}",
    on=(f"{CLAIM} MODIFIED",),
    needs=("order",),
    follows=(Bereaved,),
    when=completes,
)
def claim_is_completed_with_its_own_volume(change: Change, memory: Memory) -> Findings:
    """A claim's binding is completed only with a volume whose claimRef carries the claim's UID."""
    claim, state = change.obj, change.state
    if not volume_name(claim):
        yield Violation(f"the binding of claim {name(claim)} is marked complete and it names no volume", (claim,))
        return
    volume = volume_of(state, claim)
    if volume is None or uid(claim) in state.follow(Bereaved).claims:
        return
    if claim_ref_uid(volume) == uid(claim):
        yield AT_RISK if state.count(BY_VOLUME, name(volume)) > 1 or _rivals(state, claim) else HELD
    else:
        text = f"claim {name(claim)} was bound to volume {name(volume)}, whose claimRef is {claim_ref(volume)}"
        yield Violation(text, (claim, volume))


def _rivals(state: State, claim: Obj) -> bool:
    return state.count(BY_REFERENCE, uid(claim)) > 1


@invariant(
    "PVB-021",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"BIND-06, PHASE-01; {BINDING}",
    on=(f"{CLAIM} ADDED", f"{CLAIM} MODIFIED"),
    needs=("order",),
    follows=(Bereaved,),
    when=_becomes_bound,
)
def bound_claim_has_its_volume(change: Change, memory: Memory) -> Findings:
    """A claim that becomes Bound names a volume whose claimRef carries the claim's UID."""
    new, state = change.obj, change.state
    if not volume_name(new) or not bind_completed(new):
        yield Violation(f"claim {name(new)} became Bound and its binding is not complete", (new,))
        return
    volume = volume_of(state, new)
    if uid(new) in state.follow(Bereaved).claims or (
        volume is None and state.departed(Key(VOLUME, "", volume_name(new))) is not None
    ):
        return
    if volume is not None and claim_ref_uid(volume) == uid(new):
        yield AT_RISK if state.count(BY_VOLUME, name(volume)) > 1 or _rivals(state, new) else HELD
    else:
        text = f"claim {name(new)} became Bound to {volume_name(new)}, which does not refer to it"
        yield Violation(text, (new,) if volume is None else (new, volume))


@invariant(
    "PVB-022",
    scope=Scope.EACH_STEP,
    level=Level.UPSTREAM,
    source=f"BIND-03(4), BIND-05, BIND-13, RACE-02; {BIND}",
    on=(VOLUME,),
    needs=("order",),
    when=_handed_over,
)
def claim_holds_one_volume_at_a_time(change: Change, memory: Memory) -> Findings:
    """A claim for which a component has taken a volume is not given another while that one still fits."""
    given, new = given_by(change), change.new
    if given is not None and given.road == "chosen":
        yield from _second(change, given.claim, memory)
        memory[change.key] = uid(given.claim)
    elif change.key in memory and (new is None or claim_ref_uid(new) != memory[change.key] or change.by_client):
        del memory[change.key]


def _second(change: Change, claim: Obj, memory: Memory) -> Findings:
    state = change.state
    if ever_delayed(state, claim) or state.faults & FORGETTING:
        return
    first = [volume for volume in state.find(BY_REFERENCE, uid(claim)) if key_of(volume) != change.key]
    for volume in first:
        own, other = access_modes(volume), access_modes(change.obj)
        same_or_fewer = own == other or len(own) < len(other)
        if memory.get(key_of(volume)) == uid(claim) and fits_reserved(volume, claim) and same_or_fewer:
            text = f"claim {name(claim)} was given volume {change.key.name} while it held volume {name(volume)}"
            yield Violation(text, (claim, change.obj, volume))
            return
    yield AT_RISK if first else HELD


@invariant(
    "PVB-023",
    scope=Scope.SETTLED,
    level=Level.CONTRACT,
    source=f"BIND-06, RACE-02; {BINDING}; {SYNC_VOLUME}",
)
def settled_claim_holds_one_volume(state: State, memory: Memory) -> Findings:
    """When all is quiet, no volume but the one that a claim names carries the claim's UID."""
    for claim in state.all(CLAIM) if resyncs(state) else ():
        if not volume_name(claim):
            continue
        for volume in state.find(BY_REFERENCE, uid(claim)):
            if name(volume) == volume_name(claim):
                yield HELD
            elif refers_to(volume, claim) and not _kept_for_removal(volume):
                text = f"volume {name(volume)} refers to claim {name(claim)}, which has {volume_name(claim)}"
                yield Violation(text, (claim, volume))


def _kept_for_removal(volume: Obj) -> bool:
    """A provisioned volume that lost is released and reclaimed, and keeps its claimRef; in-tree ones may hang."""
    provisioner = annotations(volume).get(PROVISIONED_BY)
    return provisioner is not None and (reclaim_policy(volume) == "Delete" or provisioner.startswith("kubernetes.io/"))


@invariant(
    "PVB-024",
    scope=Scope.SETTLED,
    level=Level.CONTRACT,
    source=f"BIND-06, BOUND-02, BOUND-05; {BINDING}",
)
def settled_bound_claim_has_a_bound_volume(state: State, memory: Memory) -> Findings:
    """When all is quiet, the volume of a Bound claim exists, is Bound and carries the claim's UID."""
    for claim in state.all(CLAIM) if resyncs(state) else ():
        if phase(claim) != "Bound":
            continue
        life = state.life(key_of(claim))
        if not bind_completed(claim) and (life is None or life.touched("status")):
            continue
        volume = volume_of(state, claim)
        if volume is not None and claim_ref_uid(volume) == uid(claim) and phase(volume) == "Bound":
            yield AT_RISK if state.count(BY_VOLUME, name(volume)) > 1 else HELD
        else:
            seen = f"is {phase(volume)} with claimRef {claim_ref(volume)}" if volume is not None else "does not exist"
            text = f"claim {name(claim)} is Bound, and its volume {volume_name(claim) or '(none)'} {seen}"
            yield Violation(text, (claim,) if volume is None else (claim, volume))


@invariant(
    "PVB-025",
    scope=Scope.SETTLED,
    level=Level.CONTRACT,
    source=f"BIND-06, BIND-21, RACE-07, TIME-02; {BINDING}",
)
def settled_bound_volume_has_a_bound_claim(state: State, memory: Memory) -> Findings:
    """When all is quiet, the claim of a Bound volume exists, names the volume and is Bound: no pair is half bound."""
    for volume in state.all(VOLUME):
        if phase(volume) != "Bound":
            continue
        claim = claim_of(state, volume)
        if claim is not None and volume_name(claim) == name(volume) and phase(claim) == "Bound":
            yield HELD
        elif _is_repaired(state, claim) and not hangs(volume) and not _left_half_bound_by_hand(state, volume, claim):
            seen = f"has {volume_name(claim) or 'no volume'} and is {phase(claim)}" if claim is not None else "is gone"
            yield Violation(
                f"volume {name(volume)} is Bound, and its claim {(claim_ref(volume) or {}).get('name')} {seen}",
                (volume,) if claim is None else (volume, claim),
            )


def _is_repaired(state: State, claim: Obj | None) -> bool:
    """Whether a failed bind is tried again without anybody's doing: at a resync, from 1.36 on after a back-off.

    Only a claim that is still Pending is tried again. One that was called Lost, or got another volume, did not fail:
    without a resync it is looked at again only when something happens to it.
    """
    requeued = claim is not None and phase(claim) == "Pending" and state.setup.minor >= REQUEUED_SINCE
    return resyncs(state) or requeued


_STILL_FITTING = ("spec.capacity", "spec.accessModes", "spec.volumeAttributesClassName", "spec.claimRef", "status")


def _left_half_bound_by_hand(state: State, volume: Obj, claim: Obj | None) -> bool:
    """A volume deleted or made unfit by hand inside the binding stays Bound for a claim that waits (RACE-07)."""
    if claim is None or volume_name(claim):
        return False
    life, other = state.life(key_of(volume)), state.life(key_of(claim))
    if life is None or other is None or forged(other):
        return True
    return deleting(volume) or life.touched(*_STILL_FITTING)


@invariant(
    "PVB-026",
    scope=Scope.SETTLED,
    level=Level.CONTRACT,
    source=f"BIND-21, BOUND-01 to BOUND-05; {BINDING}",
)
def settled_completed_claim_is_bound_or_lost(state: State, memory: Memory) -> Findings:
    """When all is quiet, a claim whose binding was completed is Bound or Lost, not Pending."""
    for claim in state.all(CLAIM) if resyncs(state) or state.setup.minor >= REQUEUED_SINCE else ():
        if bind_completed(claim):
            if phase(claim) in ("Bound", "Lost"):
                yield HELD
            else:
                yield Violation(
                    f"claim {name(claim)} was bound to {volume_name(claim)} and is {phase(claim)}", (claim,)
                )
