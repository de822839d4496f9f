"""Why a claim would take this volume and no other: every candidate with the first thing that speaks against it.

Pure functions over objects as they are in YAML files or on a cluster; nothing runs. The predicates are those by which
the binder matches, asked in its order (BIND-19), so the answer is the model's own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pvkit.backends.objects import Obj, deleting, get, labels, name, phase, selects
from pvkit.backends.reference.binding import mismatch
from pvkit.backends.storage import (
    access_modes,
    attributes_class,
    capacity,
    claim_ref,
    requested,
    reserved_for,
    selector,
    storage_class,
    volume_mode,
    volume_name,
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One volume: its name and the first reason against it, "" if it fits; `reserved` if claimRef is the claim's."""

    volume: str
    refused: str = ""
    reserved: bool = False


@dataclass(frozen=True, slots=True)
class Explanation:
    """What becomes of a claim among some volumes.

    `winners` are the volumes of which one is taken, several where Kubernetes defines no winner, none if the claim has
    to wait; `why` says it in a sentence.
    """

    claim: str
    candidates: tuple[Candidate, ...]
    winners: tuple[str, ...]
    why: str


def explain(claim: Obj, volumes: Iterable[Obj], classes: Iterable[Obj] = ()) -> Explanation:
    """Which volume an immediate claim takes, and what refused each of the others."""
    volumes = sorted(volumes, key=name)
    if volume_name(claim):
        return _named(claim, volumes)
    candidates = tuple(Candidate(name(entry), refusal(entry, claim), reserved_for(entry, claim)) for entry in volumes)
    fitting = [entry for entry in volumes if not refusal(entry, claim)]
    waits = _waits(claim, classes)
    if waits:
        fitting = [entry for entry in fitting if reserved_for(entry, claim)]
    winners, why = _choice(claim, fitting)
    if waits and not fitting:
        why = (
            f"class {storage_class(claim)} waits for the first consumer: no free volume is taken before a pod needs it"
        )
    return Explanation(name(claim), candidates, winners, why)


def _waits(claim: Obj, classes: Iterable[Obj]) -> bool:
    return any(
        name(entry) == storage_class(claim) and entry.get("volumeBindingMode") == "WaitForFirstConsumer"
        for entry in classes
    )


def refusal(volume: Obj, claim: Obj) -> str:
    """The first thing that keeps a claim from a volume, "" if nothing does."""
    if not access_modes(claim) <= access_modes(volume):
        return f"access modes: wants {_words(access_modes(claim))}, has {_words(access_modes(volume))}"
    own = reserved_for(volume, claim)
    if claim_ref(volume) is not None and not own:
        held = claim_ref(volume) or {}
        who = f"{held.get('namespace')}/{held.get('name')} (uid {held.get('uid') or 'any'})"
        return f"reserved for another claim: {who}"
    if capacity(volume) < requested(claim):
        wanted = get(claim, "spec", "resources", "requests", "storage")
        return f"size: wants {wanted}, has {get(volume, 'spec', 'capacity', 'storage')}"
    if volume_mode(volume) != volume_mode(claim):
        return f"volumeMode: wants {volume_mode(claim)}, has {volume_mode(volume)}"
    if attributes_class(volume) != attributes_class(claim):
        return f"attributes class: wants {attributes_class(claim)!r}, has {attributes_class(volume)!r}"
    if deleting(volume):
        return "terminating"
    return "" if own else _refusal_of_free(volume, claim)


def _refusal_of_free(volume: Obj, claim: Obj) -> str:
    """What a reservation would waive (PREB-03). A volume that was never stored has no phase yet, and counts as new."""
    if phase(volume) not in ("", "Available"):
        return f"phase: {phase(volume)}, not Available"
    if not selects(selector(claim), labels(volume)):
        return f"selector: its labels are {dict(labels(volume))}"
    if storage_class(volume) != storage_class(claim):
        return f"class: wants {storage_class(claim)!r}, has {storage_class(volume)!r}"
    return ""


def _words(modes: Iterable[str]) -> str:
    return ",".join(sorted(modes)) or "none"


def _choice(claim: Obj, fitting: Sequence[Obj]) -> tuple[tuple[str, ...], str]:
    """The order of BIND-03: fewest modes, then a reservation, then the smallest."""
    if not fitting:
        return (), "no volume fits: the claim stays Pending, or is left to its class's provisioner"
    fewest = min(len(access_modes(entry)) for entry in fitting)
    group = [entry for entry in fitting if len(access_modes(entry)) == fewest]
    held = [entry for entry in group if reserved_for(entry, claim)]
    least = min(capacity(entry) for entry in group)
    winners = held or [entry for entry in group if capacity(entry) == least]
    why = "it is reserved for the claim" if held else "it is the smallest"
    if len(group) < len(fitting):
        why += f" of those with the fewest access modes ({fewest})"
    if len(winners) > 1:
        why += f"; Kubernetes defines no winner among these {len(winners)}"
    return tuple(name(entry) for entry in winners), why


def _named(claim: Obj, volumes: Sequence[Obj]) -> Explanation:
    """A claim that names its volume gets that one or none (PREB-05 to PREB-08)."""
    wanted = volume_name(claim)
    found = next((entry for entry in volumes if name(entry) == wanted), None)
    others = [Candidate(name(entry), f"the claim names {wanted}") for entry in volumes if entry is not found]
    if found is None:
        return Explanation(name(claim), tuple(others), (), f"the claim names {wanted}, which is not there")
    if claim_ref(found) is not None and not reserved_for(found, claim):
        why = f"the claim names {wanted}, which is bound to a different claim"
        return Explanation(name(claim), (Candidate(wanted, "reserved for another claim"), *others), (), why)
    refused = "" if claim_ref(found) is not None else mismatch(found, claim)
    winners = () if refused else (wanted,)
    why = f"the claim names it, but {refused}" if refused else "the claim names it"
    return Explanation(name(claim), (Candidate(wanted, refused, claim_ref(found) is not None), *others), winners, why)
