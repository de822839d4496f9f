"""What a node has for the claims of a pod: volumes that fit, or a place where they can be made.

The scheduler's choice differs from the immediate path: it takes the smallest volume and does not prefer one with few
access modes (SCHED-04). With several claims it is greedy, in ascending order of size (SCHED-05). A claim that finds
nothing goes on the list to provision, and only what cannot be provisioned speaks against the node (SCHED-19).
"""

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from pvkit.backends.objects import Key, Obj, annotations, controller_of, deleting, labels, name, phase, selects, uid
from pvkit.backends.reference.assume import current, volumes_for
from pvkit.backends.reference.matching import MOST_EQUALS, RESERVED, is_free, shelf
from pvkit.backends.reference.node_affinity import matches_topologies, reaches
from pvkit.backends.reference.storage_capacity import has_capacity
from pvkit.backends.reference.view import Seen
from pvkit.backends.storage import (
    NO_PROVISIONER,
    SELECTED_NODE,
    access_modes,
    attributes_class,
    bind_completed,
    capacity,
    node_terms,
    requested,
    reserved_for,
    selector,
    storage_class,
    volume_mode,
    volume_name,
    waits_for_consumer,
)
from pvkit.backends.tables import Index
from pvkit.backends.workloads import claim_volumes

NO_AFFINITY = "node(s) didn't match PersistentVolume's node affinity"
NO_VOLUME = "node(s) didn't find available persistent volumes to bind"
NO_SPACE = "node(s) did not have enough free storage"
VOLUME_GONE = "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)"
UNBOUND = "pod has unbound immediate PersistentVolumeClaims"


class Place(NamedTuple):
    """What free volumes have in common that are filed together: what must equal a claim's, and affinity to nodes."""

    shelf: Hashable
    modes: frozenset[str]
    affinity: str


def _free_by_place(volume: Obj) -> Iterable[tuple[Hashable, Any]]:
    if is_free(volume):
        yield Place(shelf(volume, frozenset()), access_modes(volume), repr(node_terms(volume))), capacity(volume)


FREE_BY_PLACE = Index("free volumes by place", "PersistentVolume", _free_by_place)


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of a pod that stand no longer in its way: bound ones, and those that wait for a node."""

    bound: tuple[Obj, ...] = ()
    delayed: tuple[Obj, ...] = ()


@dataclass(frozen=True, slots=True)
class Offer:
    """What one node offers: pairs of volume and claim, and claims whose volumes would be made there."""

    static: tuple[tuple[Obj, Obj], ...] = ()
    dynamic: tuple[Obj, ...] = ()


def obstacle(seen: Seen, pod: Obj) -> str:
    """Why no node at all would do, from the pod's claims alone; "" if there is no such reason (SCHED-17)."""
    namespace = str(pod["metadata"]["namespace"])
    for claim_name, ephemeral in claim_volumes(pod):
        claim = current(seen, Key("PersistentVolumeClaim", namespace, claim_name))
        if claim is None:
            waiting = f'waiting for ephemeral volume controller to create the persistentvolumeclaim "{claim_name}"'
            return waiting if ephemeral else f'persistentvolumeclaim "{claim_name}" not found'
        if phase(claim) == "Lost":
            return f'persistentvolumeclaim "{claim_name}" bound to non-existent persistentvolume "{volume_name(claim)}"'
        if deleting(claim):
            return f'persistentvolumeclaim "{claim_name}" is being deleted'
        if ephemeral and (controller_of(claim) or {}).get("uid") != uid(pod):
            return f"PVC {namespace}/{claim_name} was not created for pod {namespace}/{name(pod)} (pod is not owner)"
    return ""


def classify(seen: Seen, pod: Obj) -> Claims | None:
    """The pod's claims by kind (SCHED-03); `None` if one of them waits for the binder: it is immediate and unbound."""
    bound, delayed = [], []
    for claim_name, _ in claim_volumes(pod):
        claim = current(seen, Key("PersistentVolumeClaim", pod["metadata"]["namespace"], claim_name))
        assert claim is not None
        if volume_name(claim) and bind_completed(claim):
            bound.append(claim)
        elif waits_for_consumer(seen.get("StorageClass", "", storage_class(claim))) and not volume_name(claim):
            delayed.append(claim)
        else:
            return None
    return Claims(tuple(bound), tuple(delayed))


def offer(seen: Seen, claims: Claims, node: Obj) -> Offer | tuple[str, ...]:
    """What a node offers for the claims of a pod, or the reasons against it, in their fixed order (SCHED-19)."""
    affinity, existence = _bound_fit(seen, claims.bound, node)
    to_match: list[Obj] = []
    to_make: list[Obj] = []
    for claim in claims.delayed:
        chosen = annotations(claim).get(SELECTED_NODE)
        if chosen not in (None, name(node)):
            return tuple(reason for reason in (affinity, NO_VOLUME, existence) if reason)
        (to_make if chosen else to_match).append(claim)
    static, unmatched = _match(seen, to_match, node)
    to_make += unmatched
    provision = _provisionable(seen, to_make, node)
    volumes, space = (provision if provision == NO_VOLUME else ""), (provision if provision == NO_SPACE else "")
    reasons = tuple(reason for reason in (affinity, volumes, space, existence) if reason)
    return reasons or Offer(tuple(static), tuple(to_make))


def _bound_fit(seen: Seen, bound: Iterable[Obj], node: Obj) -> tuple[str, str]:
    """The reason of affinity and the reason of existence; the first bound claim that fails decides."""
    for claim in bound:
        volume = current(seen, Key("PersistentVolume", "", volume_name(claim)))
        if volume is None:
            return "", VOLUME_GONE
        if not reaches(volume, node):
            return NO_AFFINITY, ""
    return "", ""


def _match(seen: Seen, claims: list[Obj], node: Obj) -> tuple[list[tuple[Obj, Obj]], list[Obj]]:
    pairs: list[tuple[Obj, Obj]] = []
    unmatched = []
    for claim in sorted(claims, key=requested):
        volume = smallest_fit(seen, claim, node, {name(taken) for taken, _ in pairs})
        if volume is None:
            unmatched.append(claim)
        else:
            pairs.append((volume, claim))
    return pairs, unmatched


def smallest_fit(seen: Seen, claim: Obj, node: Obj, taken: set[str]) -> Obj | None:
    """The volume that a claim would get on a node (SCHED-04): one that is reserved for it, or else the smallest.

    If the reserved one is not reachable from the node, no other is looked for (SCHED-06).
    """
    own = [volume for volume in _reserved(seen, claim) if name(volume) not in taken]
    if own:
        chosen = seen.tie(own)
        return chosen if reaches(chosen, node) else None
    equals = _smallest(seen, claim, node, taken)
    return seen.tie(equals) if equals else None


def _reserved(seen: Seen, claim: Obj) -> list[Obj]:
    """Volumes of the claim's class whose claimRef names it, cached or assumed, and that are fit for it."""
    ref = (claim["metadata"]["namespace"], name(claim))
    stored = [current(seen, Key("PersistentVolume", "", name(volume))) for volume in seen.find(RESERVED, ref)]
    known = {name(volume): volume for volume in [*stored, *volumes_for(seen, claim)] if volume is not None}
    return [
        volume
        for volume in known.values()
        if reserved_for(volume, claim)
        and storage_class(volume) == storage_class(claim)
        and volume_mode(volume) == volume_mode(claim)
        and attributes_class(volume) == attributes_class(claim)
        and capacity(volume) >= requested(claim)
        and not deleting(volume)
    ]


def _smallest(seen: Seen, claim: Obj, node: Obj, taken: set[str]) -> list[Obj]:
    """The smallest free volumes, several where they are equal, over all sets of access modes that will do."""
    found: list[Obj] = []
    for bucket in _places(seen, claim, node):
        for volume in seen.find(FREE_BY_PLACE, bucket, least=requested(claim)):
            if found and (capacity(volume) > capacity(found[0]) or _enough(found, volume)):
                break
            if name(volume) in taken or not _open_to(seen, volume, claim):
                continue
            if found and capacity(volume) < capacity(found[0]):
                found.clear()
            found.append(volume)
    return found


def _places(seen: Seen, claim: Obj, node: Obj) -> Iterator[Place]:
    """The buckets of free volumes that are equal to the claim in all that must be, and reachable from the node."""
    wanted, kind = access_modes(claim), shelf(claim, frozenset())
    for bucket in seen.buckets(FREE_BY_PLACE):
        assert isinstance(bucket, Place)
        if bucket.shelf == kind and wanted <= bucket.modes:
            sample = next(seen.find(FREE_BY_PLACE, bucket))
            if reaches(sample, node):
                yield bucket


def _open_to(seen: Seen, volume: Obj, claim: Obj) -> bool:
    """Whether a free volume is the claim's to take: nobody else is meant to get it, and its labels are wanted."""
    free = current(seen, Key("PersistentVolume", "", name(volume))) is volume
    return free and selects(selector(claim), labels(volume))


def _enough(found: list[Obj], volume: Obj) -> bool:
    return len(found) == MOST_EQUALS and capacity(volume) == capacity(found[0])


def _provisionable(seen: Seen, claims: Iterable[Obj], node: Obj) -> str:
    """Why volumes cannot be made for these claims on a node (SCHED-10); the first claim that fails decides."""
    for claim in claims:
        found = seen.get("StorageClass", "", storage_class(claim))
        if found is None or found.get("provisioner") in (None, "", NO_PROVISIONER):
            return NO_VOLUME
        if not matches_topologies(found, node):
            return NO_VOLUME
        if not has_capacity(seen, claim, found, node):
            return NO_SPACE
    return ""
