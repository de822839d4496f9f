"""The storage backend: what is behind volumes, and how it answers when it is asked to make, delete or wipe it."""

from pvkit.backends.objects import Key, Obj
from pvkit.backends.reference.view import Seen
from pvkit.backends.storage import asset_of

REFUSAL = "the storage backend refused"


def asset_behind(seen: Seen, volume: Obj) -> Obj | None:
    """The storage of a volume, if there is any."""
    return seen.live(Key("Asset", "", asset_of(volume)))


def storage_refuses(seen: Seen) -> bool:
    """Whether the storage backend refuses this call; a fault says how many."""
    left = int(seen.world.get("storage-refuses", 0))
    seen.world["storage-refuses"] = max(left - 1, 0)
    return left > 0


def slowness(seen: Seen) -> float:
    """How many seconds the storage backend takes for a call; a fault says so."""
    return float(seen.world.get("storage-slow", 0))
