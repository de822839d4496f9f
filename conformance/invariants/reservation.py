"""Reservation: what either side has promised to the other is kept, and a promise made by UID is never passed on."""

from pvkit.backends.objects import name
from pvkit.backends.storage import claim_ref, claim_ref_uid, volume_name
from pvkit.conformance.history import Change, State
from pvkit.conformance.invariant import AT_RISK, HELD, Findings, Level, Memory, Scope, Violation, invariant
from pvkit.conformance.invariants.choice import UNBOUND
from pvkit.conformance.invariants.fitting import CLAIM, VOLUME, Given, ever_delayed, given_by, key_of
from pvkit.conformance.invariants.moments import belonged, referred

RESERVING = "https://kubernetes.io/docs/concepts/storage/persistent-volumes/#reserving-a-persistentvolume"
SYNC_CLAIM = "pkg/controller/volume/persistentvolume/pv_controller.go: syncUnboundClaim"
UNBIND = "pkg/controller/volume/persistentvolume/pv_controller.go: unbindVolume"
IMMUTABLE = "pkg/apis/core/validation/validation.go: ValidatePersistentVolumeClaimUpdate"


@invariant(
    "PVB-040",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"PREB-01, RACE-02, section 15 no. 2; {UNBIND}",
    on=(f"{VOLUME} MODIFIED",),
    when=belonged,
)
def volume_is_not_passed_on(change: Change, memory: Memory) -> Findings:
    """No component changes the UID in a claimRef to another: a volume is freed before anybody else gets it."""
    old, new = change.old, change.new
    if old is None or new is None:
        return
    if claim_ref_uid(new) in ("", claim_ref_uid(old)):
        if claim_ref(new) != claim_ref(old):
            yield HELD
        return
    text = f"volume {name(new)} went from claim UID {claim_ref_uid(old)} to {claim_ref_uid(new)} in one write"
    yield Violation(text, (old, new))


@invariant(
    "PVB-041",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"PREB-02; {RESERVING}",
    on=(f"{VOLUME} MODIFIED",),
    when=referred,
)
def reserved_volume_is_kept(change: Change, memory: Memory) -> Findings:
    """A volume reserved for a claim by namespace and name is given to no other."""
    old, new = change.old, change.obj
    before, after = claim_ref(old) if old is not None else None, claim_ref(new)
    if old is None or before is None or after is None:
        return
    wanted = (before.get("namespace") or "", before.get("name"))
    if wanted == (after.get("namespace") or "", after.get("name")):
        yield AT_RISK if change.state.count(UNBOUND, False) > 1 else HELD
    else:
        text = f"volume {name(new)}, reserved for {'/'.join(map(str, wanted))}, was given to {after.get('name')}"
        yield Violation(text, (old, new))


@invariant(
    "PVB-042",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"VALID-61, section 15 no. 1; {IMMUTABLE}",
    on=(f"{CLAIM} MODIFIED",),
)
def volume_name_is_final(change: Change, memory: Memory) -> Findings:
    """The volume that a claim names never changes once there is one, whoever writes."""
    if change.old is None or change.new is None or not volume_name(change.old):
        return
    if volume_name(change.old) == volume_name(change.new):
        yield HELD
    else:
        text = f"claim {name(change.new)} named {volume_name(change.old)} and names {volume_name(change.new) or 'none'}"
        yield Violation(text, (change.old, change.new))


@invariant(
    "PVB-043",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"PREB-05, PREB-07, PREB-10; {RESERVING}; {SYNC_CLAIM}",
    on=(f"{VOLUME} MODIFIED",),
    needs=("order",),
    when=given_by,
)
def claim_gets_the_volume_it_names(change: Change, memory: Memory) -> Findings:
    """A claim that names a volume is given no other."""
    given = given_by(change)
    if given is None or not volume_name(given.claim):
        return
    if given.road in ("asked", "agreed", "restored"):
        yield HELD
    elif volume_name(given.life.first) or _told(change.state, given):
        text = f"claim {name(given.claim)} names {volume_name(given.claim)} and was given {change.key.name}"
        yield Violation(text, (given.claim, change.obj))


def _told(state: State, given: Given) -> bool:
    """Whether who gave the volume knew the name; a scheduler may have chosen it while the name was being written."""
    return state.known(key_of(given.claim)) and not ever_delayed(state, given.claim)
