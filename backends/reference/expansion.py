"""Expansion: a Bound claim that asks for more, and who makes it so.

The controller itself expands nothing; it says that somebody else has to. For volumes of the provisioner that the
model knows a resizer does: first the storage, then the volume object, then the claim's status.
"""

from collections.abc import Iterable

from pvkit.backends.objects import Key, Obj, annotate, annotations, get, key, phase, put, uid
from pvkit.backends.quantities import amount
from pvkit.backends.reference.assets import REFUSAL, asset_behind, storage_refuses
from pvkit.backends.reference.migration import driver_for, plugin_behind
from pvkit.backends.reference.provisioning import PROVISIONER
from pvkit.backends.reference.rules import STOP, Controller, Effect, Fail, Say, Write, nothing, rule
from pvkit.backends.reference.view import Seen
from pvkit.backends.storage import PROVISIONED_BY, STORAGE_RESIZER, capacity, claim_ref_uid, requested, volume_name


def wants_more(claim: Obj) -> bool:
    """Whether a Bound claim asks for more than it has."""
    has = get(claim, "status", "capacity", "storage")
    return phase(claim) == "Bound" and has is not None and requested(claim) > amount(has)


def _pair(seen: Seen, at: Key) -> tuple[Obj, Obj] | None:
    claim = seen.lookup(at)
    if claim is None or not wants_more(claim):
        return None
    volume = seen.live(Key("PersistentVolume", "", volume_name(claim)))
    return (volume, claim) if volume is not None and claim_ref_uid(volume) == uid(claim) else None


@rule("EXPAND-02.1", on="PersistentVolumeClaim")
def find_volume(seen: Seen, at: Key) -> Effect | None:
    """A claim that wants more needs its own volume; that this is not there is an error."""
    claim = seen.lookup(at)
    if claim is None or not wants_more(claim):
        return STOP
    return Fail("persistent volume is not bound to the claim being updated") if _pair(seen, at) is None else None


@rule("EXPAND-02.2", on="PersistentVolumeClaim")
def tell_of_expander(seen: Seen, at: Key) -> Effect | None:
    """An event says that somebody else has to expand the volume."""
    pair = _pair(seen, at)
    if pair is None:
        return STOP
    plugin, text = plugin_behind(pair[0], seen.setup.minor), "waiting for an external controller to expand this PVC"
    if plugin:
        text = f"CSI migration enabled for {plugin}; waiting for external resizer to expand the pvc"
    return Say(pair[1], "Normal", "ExternalExpanding", text)


@rule("EXPAND-02.3", on="PersistentVolumeClaim")
def name_resizer(seen: Seen, at: Key) -> Effect | None:
    """The claim of a volume whose plugin was taken over by a driver gets the name of the resizer."""
    pair = _pair(seen, at)
    driver = driver_for(plugin_behind(pair[0], seen.setup.minor), seen.setup.minor) if pair is not None else ""
    if pair is None or not driver or annotations(pair[1]).get(STORAGE_RESIZER) == driver:
        return None
    return Write("update", annotate(pair[1], **{STORAGE_RESIZER: driver}))


@rule("EXPAND-02.5", on="PersistentVolumeClaim")
def grow_storage(seen: Seen, at: Key) -> Effect | None:
    """The resizer enlarges the storage of a volume that its provisioner made."""
    pair = _pair(seen, at)
    if pair is None or annotations(pair[0]).get(PROVISIONED_BY) != PROVISIONER:
        return STOP
    asset = asset_behind(seen, pair[0])
    if asset is None:
        return STOP
    if amount(asset["spec"]["size"]) >= requested(pair[1]):
        return None
    if storage_refuses(seen):
        return Fail(REFUSAL)
    return Write("update", put(asset, ("spec", "size"), pair[1]["spec"]["resources"]["requests"]["storage"]))


@rule("EXPAND-02.6", on="PersistentVolumeClaim")
def grow_volume(seen: Seen, at: Key) -> Effect | None:
    """Then the volume tells its new capacity, which is that of its storage."""
    pair = _pair(seen, at)
    asset = asset_behind(seen, pair[0]) if pair is not None else None
    if pair is None or asset is None or capacity(pair[0]) >= requested(pair[1]):
        return None
    return Write("update", put(pair[0], ("spec", "capacity", "storage"), asset["spec"]["size"]))


@rule("EXPAND-02.7", on="PersistentVolumeClaim")
def grow_claim(seen: Seen, at: Key) -> Effect | None:
    """At last the claim has what it asked for."""
    pair = _pair(seen, at)
    if pair is None:
        return STOP
    return Write(
        "update-status", put(pair[1], ("status", "capacity", "storage"), pair[0]["spec"]["capacity"]["storage"])
    )


def claim_changed(old: Obj | None, new: Obj | None, seen: Seen) -> Iterable[Key]:
    """Claims that want more."""
    return (key(new),) if new is not None and wants_more(new) else ()


EXPANDER = Controller(
    name="expander",
    rules={
        "PersistentVolumeClaim": (
            find_volume,
            tell_of_expander,
            name_resizer,
            grow_storage,
            grow_volume,
            grow_claim,
        ),
    },
    watches={"PersistentVolumeClaim": claim_changed, "PersistentVolume": nothing},
)
