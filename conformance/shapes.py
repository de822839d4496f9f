"""What kinds of meeting between claims and volumes a history contains, predicate by predicate.

Counted from the objects of the history alone. For each predicate of binding a claim and a volume that were there
together are a *fit*, a *just-fit* (nothing to spare), a *just-not-fit* (all but one thing speaks for it), or somebody
was silent: an *absence*. So a report can show that each predicate was tried from both sides.
"""

from collections import Counter
from collections.abc import Callable, Iterator

from pvkit.backends.objects import Obj, get, labels, selects
from pvkit.backends.protocol import Event
from pvkit.backends.storage import access_modes, capacity, node_terms, requested, selector, storage_class, volume_mode
from pvkit.conformance.history import History

FIT, JUST_FIT, JUST_NOT, ABSENT = "fit", "just-fit", "just-not-fit", "absence"
_NEAR = 1.25
"""How many times as large a request may be as a volume that is only just too small for it."""


def shapes(history: History) -> Counter[str]:
    """How often each predicate met each shape, under names such as `size: just-fit`."""
    claims, volumes = _born(history, "PersistentVolumeClaim"), _born(history, "PersistentVolume")
    pairs = [(volume, claim) for claim in claims for volume in volumes]
    return Counter(f"{name}: {found}" for name, ask in PREDICATES.items() for pair in pairs for found in ask(*pair))


def _born(history: History, kind: str) -> list[Obj]:
    """Objects as clients made them."""
    events = (entry for entry in history.entries if isinstance(entry, Event) and entry.type == "ADDED")
    return [event.object for event in events if event.object["kind"] == kind and event.by in ("client", "statefulset")]


def size(volume: Obj, claim: Obj) -> Iterator[str]:
    """Capacity against request; equality is just-fit."""
    has, wants = capacity(volume), requested(claim)
    if get(claim, "spec", "resources", "limits") is None:
        yield ABSENT
    if has == wants:
        yield JUST_FIT
    elif has > wants:
        yield FIT
    elif wants <= has * _NEAR:
        yield JUST_NOT


def modes(volume: Obj, claim: Obj) -> Iterator[str]:
    """Access modes; the exact set is just-fit, all but one is just-not-fit, a mode that nobody asked for an absence."""
    has, wants = access_modes(volume), access_modes(claim)
    if has - wants:
        yield ABSENT
    if wants < has:
        yield FIT
    elif wants == has:
        yield JUST_FIT
    elif len(wants - has) == 1:
        yield JUST_NOT


def classes(volume: Obj, claim: Obj) -> Iterator[str]:
    """Storage class; just-fit is equality of the empty class, just-not-fit a name against none."""
    has, wants = storage_class(volume), storage_class(claim)
    if claim["spec"].get("storageClassName") is None or volume["spec"].get("storageClassName") is None:
        yield ABSENT
    if has == wants:
        yield FIT if has else JUST_FIT
    elif not has or not wants:
        yield JUST_NOT


def selectors(volume: Obj, claim: Obj) -> Iterator[str]:
    """Label selector; an empty one that matches is just-fit, one that misses by its labels just-not-fit."""
    found = selector(claim)
    if found is None:
        yield ABSENT
    elif not selects(found, labels(volume)):
        yield JUST_NOT
    else:
        yield FIT if found else JUST_FIT


def volume_modes(volume: Obj, claim: Obj) -> Iterator[str]:
    """Volume mode; block on both sides is just-fit. What the server filled in counts as silence."""
    if volume_mode(volume) == volume_mode(claim):
        yield JUST_FIT if volume_mode(claim) == "Block" else FIT
    else:
        yield JUST_NOT
    if volume_mode(claim) == "Filesystem":
        yield ABSENT


def attributes(volume: Obj, claim: Obj) -> Iterator[str]:
    """Attributes class; the empty name against none is just-fit."""
    has, wants = volume["spec"].get("volumeAttributesClassName"), claim["spec"].get("volumeAttributesClassName")
    if wants is None:
        yield ABSENT
    if (has or "") == (wants or ""):
        yield FIT if has else JUST_FIT
    else:
        yield JUST_NOT


def affinity(volume: Obj, claim: Obj) -> Iterator[str]:
    """Node affinity of the volume; one term is just-fit, more are a fit, a term without labels is just-not-fit."""
    terms = node_terms(volume)
    if terms is None:
        yield ABSENT
    elif any(not term.get("matchExpressions") for term in terms):
        yield JUST_NOT
    else:
        yield JUST_FIT if len(terms) == 1 else FIT


PREDICATES: dict[str, Callable[[Obj, Obj], Iterator[str]]] = {
    "size": size,
    "access modes": modes,
    "class": classes,
    "selector": selectors,
    "volumeMode": volume_modes,
    "attributes class": attributes,
    "node affinity": affinity,
}
