"""Before a run: which server this is, what a run would make on it, and what it may not do there.

Nothing is written: permissions are asked for by reviews, which the server answers without keeping them.
"""

from dataclasses import dataclass
from typing import Any

from pvkit.backends.errors import BackendError
from pvkit.backends.live.connection import Connection
from pvkit.backends.live.permissions import CREATED, MAY_LACK, Refusal, absent_kinds, refusals
from pvkit.backends.live.reaching import Reached, explaining, reach


@dataclass(frozen=True, slots=True)
class Preflight:
    """What was found: the server, permissions that a run needs and lacks, those it can do without, kinds it lacks."""

    reached: Reached
    missing: tuple[Refusal, ...] = ()
    optional: tuple[Refusal, ...] = ()
    absent: tuple[str, ...] = ()

    @property
    def fit(self) -> bool:
        """Whether a run can begin."""
        return not self.missing and not self.needed_kinds

    @property
    def needed_kinds(self) -> tuple[str, ...]:
        """Kinds that a run cannot do without and the server does not know."""
        return tuple(kind for kind in self.absent if kind.partition(" ")[2] not in MAY_LACK)

    def as_json(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "server": self.reached.server,
            "context": self.reached.context,
            "version": self.reached.version,
            "rules": self.reached.minor,
            "creates": [{"kind": kind, "what": what} for kind, what in CREATED],
            "missing": [_row(refusal) for refusal in self.missing],
            "optional": [{**_row(refusal), "without": refusal.grant.without} for refusal in self.optional],
            "absent": list(self.absent),
            "fit": self.fit,
        }


def _row(refusal: Refusal) -> dict[str, str]:
    return {
        "verb": refusal.verb,
        "group": refusal.grant.group,
        "resource": refusal.grant.resource,
        "reason": refusal.reason,
    }


def examine(connection: Connection, context: str = "") -> Preflight:
    """Ask the server; raises `BackendError` when it cannot be asked, or is of a version without rules."""
    reached = reach(connection, context)
    with explaining(connection.server):
        absent = absent_kinds(connection)
        refused = [refusal for refusal in refusals(connection) if not _is_absent(refusal, absent)]
    missing = tuple(refusal for refusal in refused if not refusal.grant.without)
    optional = tuple(refusal for refusal in refused if refusal.grant.without)
    return Preflight(reached, missing, optional, tuple(absent))


def _is_absent(refusal: Refusal, absent: list[str]) -> bool:
    """Whether a verb is refused on a kind that is not there to be used."""
    return any(entry.partition(" ")[2] == refusal.grant.kind for entry in absent)


def demand(found: Preflight) -> None:
    """Raise `BackendError` unless a run can begin."""
    if found.needed_kinds:
        kinds = ", ".join(found.needed_kinds)
        raise BackendError(
            f"{found.reached.server} does not know {kinds}; what is promised about these cannot be judged there"
        )
    if found.missing:
        first = ", ".join(map(str, found.missing[:3]))
        more = f" and {len(found.missing) - 3} more" if len(found.missing) > 3 else ""
        raise BackendError(
            f"on {found.reached.server} you may not {first}{more}; `pvkit preflight` lists all, "
            "`pvkit preflight --print-rbac` prints the role that suffices"
        )
