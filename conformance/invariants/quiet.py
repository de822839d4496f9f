"""Quiet: what is settled stays as it is."""

from typing import Any

from pvkit.backends.objects import Key, Obj, key, phase, uid, version
from pvkit.backends.storage import claim_ref_uid
from pvkit.conformance.history import State
from pvkit.conformance.invariant import AT_RISK, HELD, Findings, Level, Memory, Scope, Violation, invariant
from pvkit.conformance.invariants.fitting import CLAIM, volume_of

BIND = "pkg/controller/volume/persistentvolume/pv_controller.go: bind"


def _pairs(state: State) -> dict[Key, Obj]:
    """Every claim and volume of a bound pair."""
    found: dict[Key, Obj] = {}
    for claim in state.all(CLAIM):
        volume = volume_of(state, claim) if phase(claim) == "Bound" else None
        if volume is not None and phase(volume) == "Bound" and claim_ref_uid(volume) == uid(claim):
            found[key(claim)], found[key(volume)] = claim, volume
    return found


def _content(obj: Obj) -> Any:
    """An object without its version, and without conditions: from 1.37 on one of them follows the pods (STATUS-07)."""
    metadata = {
        field: value for field, value in obj["metadata"].items() if field not in ("resourceVersion", "managedFields")
    }
    status = {field: value for field, value in (obj.get("status") or {}).items() if field != "conditions"}
    return metadata, obj.get("spec"), status


@invariant(
    "PVB-120",
    scope=Scope.SETTLED,
    level=Level.UPSTREAM,
    source=f"BIND-16, section 15 no. 10; {BIND}",
)
def bound_pairs_rest(state: State, memory: Memory) -> Findings:
    """Nothing is written to a bound pair between two quiet moments without an operation between them."""
    now = _pairs(state)
    if memory.get("asked") == state.asked:
        for at, before in memory["pairs"].items():
            after = now.get(at)
            if after is None or (version(after) != version(before) and _content(after) != _content(before)):
                text = f"{at} of a bound pair changed although nobody asked for anything"
                yield Violation(text, (before,) if after is None else (before, after))
            else:
                yield AT_RISK if state.time > memory["time"] else HELD
    memory.update({"asked": state.asked, "pairs": now, "time": state.time})
