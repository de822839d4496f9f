"""The ledger of storage: what lies behind the volumes is neither lost, nor leaked, nor shown to somebody else.

An `Asset` is what a storage backend holds: `spec.claim` is the UID of the claim that it was made for ("" for storage
that an administrator made), `spec.by` who made it, `spec.data` the marks that pods left in it. A `Process` is what a
node runs; each of its `spec.volumes` says which claim it was mounted for and which mark it found.
"""

from collections.abc import Iterable
from typing import Any

from pvkit.backends.objects import Key, Obj, get, name, phase, uid
from pvkit.backends.storage import asset_of, reclaim_policy, volume_name
from pvkit.backends.tables import Index
from pvkit.conformance.history import Change, State
from pvkit.conformance.invariant import AT_RISK, HELD, Findings, Level, Memory, Scope, Violation, invariant
from pvkit.conformance.invariants.fitting import CLAIM, VOLUME, claim_of, key_of
from pvkit.conformance.invariants.provisioning import is_made

DELETE = "https://kubernetes.io/docs/concepts/storage/persistent-volumes/#delete"
RECLAIMING = "https://kubernetes.io/docs/concepts/storage/persistent-volumes/#reclaiming"
FINALIZER = (
    "https://kubernetes.io/docs/concepts/storage/persistent-volumes/#persistentvolume-deletion-protection-finalizer"
)
LIFECYCLE = "https://kubernetes.io/docs/concepts/storage/persistent-volumes/#lifecycle-of-a-volume-and-claim"


def _asset(volume: Obj) -> Iterable[tuple[Any, Any]]:
    yield asset_of(volume), ()


def _uid(claim: Obj) -> Iterable[tuple[Any, Any]]:
    yield uid(claim), ()


def _maker(asset: Obj) -> Iterable[tuple[Any, Any]]:
    if _owner(asset):
        yield _owner(asset), ()


VOLUMES = Index("volumes by asset", VOLUME, _asset, of_spec=True)
CLAIMS = Index("claims by UID", CLAIM, _uid)
ASSETS = Index("assets by the claim that they were made for", "Asset", _maker)


def _owner(asset: Obj) -> str:
    """The UID of the claim for which a provisioner made an asset, "" where an administrator did."""
    return str(get(asset, "spec", "claim") or "") if get(asset, "spec", "by") else ""


@invariant(
    "PVB-130",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"RECLAIM-07, RECLAIM-11, R1; {DELETE}",
    on=("Asset DELETED",),
    needs=("order", "ledgers"),
)
def storage_of_a_live_claim_is_kept(change: Change, memory: Memory) -> Findings:
    """The storage behind a volume is not deleted while the claim that the volume belongs to exists."""
    if change.new is not None:
        return
    state = change.state
    volumes = list(state.find(VOLUMES, change.key.name))
    for volume in volumes:
        claim, life = claim_of(state, volume), state.life(key_of(volume))
        if claim is None or volume_name(claim) not in ("", name(volume)):
            yield HELD
        elif len(volumes) == 1 and life is not None and not life.touched("spec.claimRef"):
            text = (
                f"the storage {change.key.name} of volume {name(volume)} was deleted while claim {name(claim)} exists"
            )
            yield Violation(text, (change.obj, volume, claim))


@invariant(
    "PVB-131",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"RECLAIM-11, R2, R3; {FINALIZER}",
    on=(f"{VOLUME} DELETED",),
    needs=("order", "ledgers"),
)
def storage_goes_before_its_volume(change: Change, memory: Memory) -> Findings:
    """A provisioned volume of policy Delete vanishes only after the storage behind it is deleted."""
    volume = change.obj
    if change.new is not None or change.by_client or not is_made(volume, change.life):
        return
    if reclaim_policy(volume) != "Delete":
        return
    asset = change.state.get("Asset", "", asset_of(volume))
    if asset is None:
        yield AT_RISK if change.life.touched("deletion") else HELD
    elif change.state.count(VOLUMES, name(asset)) == 0:
        yield Violation(f"volume {name(volume)} is gone and its storage {name(asset)} is left", (volume, asset))


@invariant(
    "PVB-132",
    scope=Scope.SETTLED,
    level=Level.CONTRACT,
    source=f"RECLAIM-11, R3; {DELETE}",
    needs=("ledgers",),
)
def settled_storage_belongs_to_somebody(state: State, memory: Memory) -> Findings:
    """When all is quiet, storage that was made for a claim has a volume, or its claim still waits for it."""
    for asset in state.all("Asset"):
        owner = _owner(asset)
        if not owner:
            continue
        if state.count(VOLUMES, name(asset)) or state.count(CLAIMS, owner):
            yield HELD
        elif not any(asset_of(volume) == name(asset) for volume in state.departed_of(VOLUME)):
            yield Violation(f"storage {name(asset)} was made for a claim that is gone and has no volume", (asset,))


@invariant(
    "PVB-133",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"PHASE-04, RECLAIM-02, RECLAIM-09, R4; {RECLAIMING}",
    on=("Process ADDED",),
    needs=("order", "data"),
)
def nobody_reads_what_another_claim_left(change: Change, memory: Memory) -> Findings:
    """A pod does not find what the pods of another claim left in its volume, unless an administrator passed it on."""
    if change.old is not None or change.new is None:
        return
    for mount in get(change.new, "spec", "volumes") or ():
        found = (mount.get("read") or {}).get("claim")
        if not found:
            continue
        if found == mount.get("claimUID"):
            yield HELD
        elif not _passed_on(change.state, mount):
            text = f"pod {get(change.new, 'spec', 'pod')} found in volume {mount.get('volume')} what claim {found} left"
            yield Violation(text, (change.new,))


_HANDED = ("spec.claimRef", "status", "spec.persistentVolumeReclaimPolicy")


def _passed_on(state: State, mount: Obj) -> bool:
    """Whether a client gave the storage to the next claim: by claimRef, or by making a volume of old storage."""
    at = Key(VOLUME, "", str(mount.get("volume")))
    life, asset = state.life(at), state.life(Key("Asset", "", str(mount.get("asset"))))
    if life is None or asset is None or life.touched(*_HANDED):
        return True
    if state.departed(at) is not None or state.count(VOLUMES, mount.get("asset")) != 1:
        return True
    return life.by_client and asset.born < life.born


@invariant(
    "PVB-134",
    scope=Scope.SETTLED,
    level=Level.CONTRACT,
    source=f"CLASS-09, CLASS-13, B6; {LIFECYCLE}",
    needs=("ledgers",),
)
def settled_bound_volume_has_its_storage(state: State, memory: Memory) -> Findings:
    """When all is quiet, the storage behind a provisioned volume that is Bound exists."""
    for volume in state.all(VOLUME):
        if phase(volume) != "Bound" or not is_made(volume, state.life(key_of(volume))):
            continue
        if state.get("Asset", "", asset_of(volume)) is not None:
            yield HELD
        else:
            yield Violation(f"volume {name(volume)} is Bound and its storage {asset_of(volume)} is gone", (volume,))


@invariant(
    "PVB-135",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"CLASS-09, R3; {LIFECYCLE}",
    on=("Asset ADDED",),
    needs=("order", "ledgers"),
)
def one_asset_is_made_for_a_claim(change: Change, memory: Memory) -> Findings:
    """No second piece of storage is made for a claim while the first is there."""
    if change.old is not None or change.new is None or not _owner(change.new):
        return
    others = [other for other in change.state.find(ASSETS, _owner(change.new)) if name(other) != change.key.name]
    if others:
        text = f"storage {change.key.name} was made for a claim that has {name(others[0])} already"
        yield Violation(text, (change.new, others[0]))
    else:
        yield HELD
