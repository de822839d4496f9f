"""How a server treats a kind: what it fills in, what it ignores and what it refuses."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pvkit.backends.errors import Cause
from pvkit.backends.objects import Obj
from pvkit.backends.protocol import Setup
from pvkit.backends.reference.gates import gate
from pvkit.backends.reference.validation import names
from pvkit.backends.reference.validation.metadata import Form


@dataclass(frozen=True, slots=True)
class Moment:
    """The world in which a request arrives, and the logical time."""

    setup: Setup
    now: float

    @property
    def minor(self) -> int:
        """The minor version of the server."""
        return self.setup.minor

    def gate(self, name: str) -> bool:
        """Whether a feature gate is on."""
        return gate(self.setup, name)


def _same(obj: Obj, at: Moment) -> Obj:
    return obj


def _new(old: Obj, new: Obj, at: Moment) -> Obj:
    return new


def _fine(obj: Obj, at: Moment) -> Iterable[Cause]:
    return ()


def _unmoved(old: Obj, new: Obj, at: Moment) -> Iterable[Cause]:
    return ()


@dataclass(frozen=True, slots=True)
class Treatment:
    """The steps at which kinds differ, in the order in which a request meets them.

    `default` fills in fields of any request; it leaves alone what the stored object `old` (`{}` for a new one) shares
    with the request. `birth` prepares a new object, `change` an update, `report` an update of the status: each drops
    what the client may not set. Then the checks `create`, `update` and `status` tell what is wrong beyond metadata.
    """

    form: Form = names.subdomain
    default: Callable[[Obj, Obj, Moment], Obj] = lambda obj, old, at: obj
    birth: Callable[[Obj, Moment], Obj] = _same
    change: Callable[[Obj, Obj, Moment], Obj] = _new
    report: Callable[[Obj, Obj, Moment], Obj] = _new
    create: Callable[[Obj, Moment], Iterable[Cause]] = _fine
    update: Callable[[Obj, Obj, Moment], Iterable[Cause]] = _unmoved
    status: Callable[[Obj, Obj, Moment], Iterable[Cause]] = _unmoved
