"""Why a claim would take this volume and no other: every candidate with the first thing that speaks against it.

Pure functions over objects as they are in YAML files or on a cluster; nothing runs. The predicates are those by which
the binder matches, asked in its order (BIND-19), so the answer is the model's own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pvkit.backends.objects import Obj, get, labels, name, phase, put
from pvkit.backends.reference.binding import mismatch
from pvkit.backends.reference.matching import DEMANDS, WAIVED
from pvkit.backends.storage import (
    access_modes,
    attributes_class,
    capacity,
    claim_ref,
    reserved_for,
    storage_class,
    volume_mode,
    volume_name,
)

_REQUEST = ("spec", "resources", "requests", "storage")


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
    if not DEMANDS["access modes"](volume, claim):
        return _told("access modes", volume, claim)
    own = reserved_for(volume, claim)
    if claim_ref(volume) is not None and not own:
        held = claim_ref(volume) or {}
        who = f"{held.get('namespace')}/{held.get('name')} (uid {held.get('uid') or 'any'})"
        return f"reserved for another claim: {who}"
    asked = DEMANDS if own else {**DEMANDS, **WAIVED}
    new = put(volume, ("status", "phase"), "Available") if phase(volume) == "" else volume
    failed = next((word for word, test in asked.items() if not test(new, claim)), "")
    return _told(failed, volume, claim) if failed else ""


def _told(word: str, volume: Obj, claim: Obj) -> str:
    """A failed test with what it compared. A volume that was never stored has no phase yet, and counts as new."""
    details = {
        "access modes": f"wants {_words(access_modes(claim))}, has {_words(access_modes(volume))}",
        "size": f"wants {get(claim, *_REQUEST)}, has {get(volume, 'spec', 'capacity', 'storage')}",
        "volumeMode": f"wants {volume_mode(claim)}, has {volume_mode(volume)}",
        "attributes class": f"wants {attributes_class(claim)!r}, has {attributes_class(volume)!r}",
        "phase": f"{phase(volume)}, not Available",
        "selector": f"its labels are {dict(labels(volume))}",
        "class": f"wants {storage_class(claim)!r}, has {storage_class(volume)!r}",
    }
    return f"{word}: {details[word]}" if word in details else word


def _words(modes: Iterable[str]) -> str:
    return ",".join(sorted(modes)) or "none"


def _choice(claim: Obj, fitting: Sequence[Obj]) -> tuple[tuple[str, ...], str]:
    """The order of BIND-03: fewest modes, in each set of modes a reservation, then the smallest."""
    if not fitting:
        return (), "no volume fits: the claim stays Pending, or is left to its class's provisioner"
    fewest = min(len(access_modes(entry)) for entry in fitting)
    rivals = [entry for entry in fitting if len(access_modes(entry)) == fewest]
    winners = [entry for modes in dict.fromkeys(map(access_modes, rivals)) for entry in _best(claim, rivals, modes)]
    held = all(reserved_for(entry, claim) for entry in winners)
    why = "it is reserved for the claim" if held else "it is the smallest"
    if len(rivals) < len(fitting):
        why += f" of those with the fewest access modes ({fewest})"
    if len(winners) > 1:
        why += f"; Kubernetes defines no winner among these {len(winners)}"
    return tuple(sorted(map(name, winners))), why


def _best(claim: Obj, rivals: Sequence[Obj], modes: frozenset[str]) -> list[Obj]:
    """Of the volumes with one set of modes those reserved for the claim, else the smallest."""
    group = [entry for entry in rivals if access_modes(entry) == modes]
    least = min(map(capacity, group))
    held = [entry for entry in group if reserved_for(entry, claim)]
    return held or [entry for entry in group if capacity(entry) == least]


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
