"""What the scheduler takes for granted: volumes and claims as they will be once its decisions are written.

An assumed object stands in for the cached one of the same resourceVersion, so that the next pod does not get the same
volume. Any newer event about the object makes the assumption void (SCHED-29). Nothing of this survives a crash.
"""

from dataclasses import dataclass, field

from pvkit.backends.objects import Key, Obj, key, namespace, put, reference, uid, version
from pvkit.backends.reference.view import Seen
from pvkit.backends.storage import (
    BOUND_BY_CONTROLLER,
    SELECTED_NODE,
    claim_ref,
    claim_ref_uid,
    refers_to,
    reserved_for,
)


@dataclass(slots=True)
class Assumed:
    """Assumed volumes and claims by key; `for_claim` tells which volumes are meant for a claim."""

    objects: dict[Key, Obj] = field(default_factory=dict)
    for_claim: dict[tuple[str, str], set[Key]] = field(default_factory=dict)


def assumed(seen: Seen) -> Assumed:
    """The assumptions of one scheduler."""
    found: Assumed = seen.memory["assumed"]
    return found


def current(seen: Seen, at: Key) -> Obj | None:
    """A volume or claim as the scheduler takes it to be."""
    cached, guess = seen.lookup(at), assumed(seen).objects.get(at)
    if guess is None or cached is None or uid(guess) != uid(cached):
        return cached
    valid = version(guess) >= version(cached) if seen.setup.minor < 35 else version(guess) == version(cached)
    return guess if valid else cached


def volumes_for(seen: Seen, claim: Obj) -> list[Obj]:
    """The volumes assumed to be reserved for a claim."""
    keys = assumed(seen).for_claim.get((namespace(claim), claim["metadata"]["name"]), ())
    found = [current(seen, at) for at in sorted(keys)]
    return [volume for volume in found if volume is not None and reserved_for(volume, claim)]


def assume(seen: Seen, obj: Obj) -> None:
    """Take an object for granted."""
    known = assumed(seen)
    known.objects[key(obj)] = obj
    owner = _claim_of(obj)
    if owner:
        known.for_claim.setdefault(owner, set()).add(key(obj))


def restore(seen: Seen, obj: Obj) -> None:
    """Take back an assumption, unless another one of a later version stands in its place."""
    known, owner = assumed(seen), _claim_of(obj)
    guess = known.objects.get(key(obj))
    if guess is None or guess is not obj:
        return
    del known.objects[key(obj)]
    if owner and owner in known.for_claim:
        known.for_claim[owner].discard(key(obj))
        if not known.for_claim[owner]:
            del known.for_claim[owner]


def _claim_of(obj: Obj) -> tuple[str, str] | None:
    ref = claim_ref(obj) if obj["kind"] == "PersistentVolume" else None
    return (str(ref.get("namespace") or ""), str(ref["name"])) if ref else None


def reserved(volume: Obj, claim: Obj) -> Obj:
    """The volume with a reference to the claim; the same object if nothing has to change (SCHED-21)."""
    done = refers_to(volume, claim) and claim_ref_uid(volume) == uid(claim)
    made = volume if done else put(volume, ("spec", "claimRef"), reference(claim))
    if not reserved_for(volume, claim):
        made = _noted(made, BOUND_BY_CONTROLLER, "yes")
    return made


def sent_to(claim: Obj, node: str) -> Obj:
    """The claim with the node on which its volume is to be made."""
    return _noted(claim, SELECTED_NODE, node)


def _noted(obj: Obj, mark: str, text: str) -> Obj:
    marks = obj["metadata"].get("annotations") or {}
    return obj if mark in marks and marks[mark] == text else put(obj, ("metadata", "annotations", mark), text)
