"""Binders that forget, repeat, drop or misplace a step, or believe an old view."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from pvkit.backends.mutants.registry import Edit, edit, mutant
from pvkit.backends.objects import Key, annotate, name, phase, put, uid, without
from pvkit.backends.reference import binder, binding, matching, phases
from pvkit.backends.reference.rules import STOP, Write
from pvkit.backends.storage import (
    BIND_COMPLETED,
    BOUND_BY_CONTROLLER,
    claim_ref_uid,
    refers_to,
    volume_name,
)

STEPS = (binding.reserve, binding.mark_volume_bound, binding.name_volume, binding.mark_claim_bound)
TESTS = (*matching.DEMANDS.values(), *matching.WAIVED.values())


def changed_write(rule: Any, change: Any) -> Edit:
    """A rule whose writes are changed before they are sent; `change` gets the seen world and the write."""

    def make(original: Any) -> Any:
        def body(seen: Any, at: Key) -> Any:
            effect = original(seen, at)
            return change(seen, effect) if isinstance(effect, Write) else effect

        return body

    return edit(rule, "body", make)


def blind(rule: Any) -> Edit:
    """A rule whose writes carry no resourceVersion."""
    return changed_write(rule, lambda seen, write: replace(write, blind=True))


def dropped(rule: Any) -> Edit:
    """A rule that never does anything."""
    return edit(rule, "body", lambda original: lambda seen, at: None)


@mutant(
    "old-uid-is-deletion", breaks=("PVB-052",), after="kubernetes/kubernetes#105131", needs=("stale",), family="CACHE"
)
def old_uid_is_deletion() -> Iterable[Edit]:
    """A cached claim with another UID counts as the end of the volume's claim, without a look at the API server."""

    def make(original: Any) -> Any:
        def living(seen: Any, volume: Any) -> Any:
            cached = seen.lookup(phases.claim_key(volume))
            return None if cached is not None and uid(cached) != claim_ref_uid(volume) else original(seen, volume)

        return living

    yield edit(phases, "living_claim", make)


@mutant(
    "cache-miss-is-deletion",
    breaks=("PVB-052",),
    after=("kubernetes/kubernetes#66287", "kubernetes-csi/external-provisioner#507"),
    needs=("stale",),
    family="CACHE",
)
def cache_miss_is_deletion() -> Iterable[Edit]:
    """A claim that the cache does not hold yet counts as deleted, without a look at the API server."""

    def make(original: Any) -> Any:
        def living(seen: Any, volume: Any) -> Any:
            return None if seen.lookup(phases.claim_key(volume)) is None else original(seen, volume)

        return living

    yield edit(phases, "living_claim", make)


@mutant(
    "empty-cache-releases-all",
    breaks=("PVB-052",),
    after="kubernetes/kubernetes#48081",
    needs=("crash",),
    family="CACHE",
)
def empty_cache_releases_all() -> Iterable[Edit]:
    """A controller whose first list of claims came to nothing takes every claim for deleted."""

    def make(original: Any) -> Any:
        def living(seen: Any, volume: Any) -> Any:
            return None if not seen.all("PersistentVolumeClaim") else original(seen, volume)

        return living

    yield edit(phases, "living_claim", make)


def _untold(seen: Any) -> dict[str, Any]:
    """The volumes of which the watch has something still to tell, as it told of them last."""
    cache = seen.caches["PersistentVolume"]
    due = {name(event.object) for event in cache.pending}
    told = seen.memory.get("told", {})
    return {called: told[called] for called in due if called in told}


def _told(seen: Any, write: Any) -> Any:
    """Keep what was known of a volume before the first write that the watch has not told of."""
    called = name(write.object)
    seen.memory.setdefault("told", {})[called] = _untold(seen).get(called) or seen.get("PersistentVolume", "", called)
    return write


@mutant(
    "two-claims-one-volume",
    breaks=("PVB-040",),
    after="kubernetes/kubernetes#16432",
    needs=("stale",),
    family="RESERVE",
)
def two_claims_one_volume() -> Iterable[Edit]:
    """A volume that was just given away counts as free until the watch tells of it."""

    def make(original: Any) -> Any:
        def best_match(seen: Any, claim: Any, only_reserved: bool = False) -> Any:
            found = original(seen, claim, only_reserved)
            if found is not None or only_reserved:
                return found
            free = (entry for entry in _untold(seen).values() if matching.is_free(entry))
            fitting = (entry for entry in free if all(test(entry, claim) for test in TESTS))
            return next((seen.get("PersistentVolume", "", name(entry)) for entry in fitting), None)

        return best_match

    yield edit(binding, "best_match", make)
    yield changed_write(binding.reserve, _told)


@mutant(
    "own-write-forgotten", breaks=("PVB-022",), after="kubernetes/kubernetes#25881", needs=("stale",), family="RESERVE"
)
def own_write_forgotten() -> Iterable[Edit]:
    """A claim whose binding was broken off is given a second volume, if the watch has not told of the first."""

    def make(original: Any) -> Any:
        def reservations(seen: Any, claim: Any) -> Any:
            untold = _untold(seen)
            return [volume for volume in original(seen, claim) if name(volume) not in untold]

        return reservations

    yield edit(matching, "reservations", make)
    yield changed_write(binding.reserve, _told)


@mutant(
    "versions-not-sent", breaks=("PVB-040",), after="kubernetes/kubernetes#89466", needs=("leader",), family="RESERVE"
)
def versions_not_sent() -> Iterable[Edit]:
    """No write of a bind carries the version it is based on, so two leaders overwrite each other."""
    for rule in STEPS:
        yield blind(rule)


@mutant(
    "conflict-drops-the-pair",
    breaks=("PVB-025",),
    after="kubernetes/kubernetes#85320",
    needs=("refused",),
    family="STEPS",
)
def conflict_drops_the_pair() -> Iterable[Edit]:
    """After a refused write the pair is not looked at again."""

    def change(seen: Any, write: Any) -> Any:
        at = seen.scratch["PersistentVolumeClaim"]["of"]

        def refused(reason: str) -> Any:
            seen.memory[f"dropped {at}"] = True
            return STOP

        return replace(write, refused=refused)

    def make(original: Any) -> Any:
        def first(seen: Any, at: Key) -> Any:
            seen.scratch.setdefault("PersistentVolumeClaim", {})["of"] = at
            return STOP if seen.memory.get(f"dropped {at}") else original(seen, at)

        return first

    yield edit(binding.leave_gone_claim, "body", make)
    for rule in STEPS:
        yield changed_write(rule, change)


@mutant(
    "bound-by-name-alone", breaks=("PVB-050",), canary=True, after=("kubernetes/kubernetes#23886", "W7"), family="NAME"
)
def bound_by_name_alone() -> Iterable[Edit]:
    """A claim that was bound counts as bound to any volume of the name, whosesoever that is by now."""

    def make(original: Any) -> Any:
        def bound(seen: Any, claim: Any) -> Any:
            volume = seen.get("PersistentVolume", "", volume_name(claim)) if volume_name(claim) else None
            return binding.Aim("bind", name(volume)) if volume is not None else original(seen, claim)

        return bound

    yield edit(binding, "_bound", make)
    yield dropped(binding.reserve)


@mutant("no-resync", breaks=("PVB-012",), canary=True, family="WAKE")
def no_resync() -> Iterable[Edit]:
    """Nothing is looked at again unless an event asks for it, so a claim that came first never gets its volume."""
    yield edit(binder.BINDER, "resync", lambda original: 0.0)


@mutant("claim-deletion-unheard", breaks=("PVB-012", "PVB-092"), after="loft-sh/vcluster#2939", family="WAKE")
def claim_deletion_unheard() -> Iterable[Edit]:
    """The deletion of a claim wakes nobody."""
    deaf = {"PersistentVolumeClaim": lambda old, new, seen: binder.claim_changed(old, new, seen) if new else ()}
    yield edit(binder.BINDER, "watches", lambda original: {**original, **deaf})
    yield edit(binder.BINDER, "resync", lambda original: 0.0)


@mutant(
    "volume-loss-unheard",
    breaks=("PVB-058",),
    after="kubernetes-retired/cluster-api-provider-nested#351",
    family="WAKE",
)
def volume_loss_unheard() -> Iterable[Edit]:
    """A claim whose volume vanished goes on saying that it is Bound."""
    yield dropped(binding.lose)
    yield edit(binding.be_pending, "body", lambda original: lambda seen, at: None)


@mutant("claim-named-first", breaks=("PVB-033", "STS-092"), canary=True, family="STEPS")
def claim_named_first() -> Iterable[Edit]:
    """A claim gets its volume's name before the volume refers to the claim."""
    order = {id(binding.reserve): 2, id(binding.mark_volume_bound): 3, id(binding.name_volume): 0}

    def make(original: Any) -> Any:
        steps = sorted(STEPS, key=lambda rule: order.get(id(rule), 1))
        rest = [rule for rule in original["PersistentVolumeClaim"] if rule not in STEPS]
        return {**original, "PersistentVolumeClaim": (*rest[:5], *steps, *rest[5:])}

    yield edit(binder.BINDER, "rules", make)


@mutant("completion-not-marked", breaks=("PVB-014", "PVB-021", "PVB-051", "PVB-058"), family="STEPS")
def completion_not_marked() -> Iterable[Edit]:
    """A bound claim lacks the mark that its binding is completed."""
    path = ("metadata", "annotations", BIND_COMPLETED)
    yield changed_write(binding.name_volume, lambda seen, write: replace(write, object=without(write.object, path)))
    yield edit(binding, "bind_completed", lambda original: lambda claim: bool(volume_name(claim)) or original(claim))


@mutant("reservation-not-marked", breaks=("PVB-030",), canary=True, family="FIELD")
def reservation_not_marked() -> Iterable[Edit]:
    """A volume that the binder reserved does not say so, and so is never wholly freed again."""
    path = ("metadata", "annotations", BOUND_BY_CONTROLLER)
    yield changed_write(binding.reserve, lambda seen, write: replace(write, object=without(write.object, path)))


@mutant("everything-is-marked", breaks=("PVB-030",), family="FIELD")
def everything_is_marked() -> Iterable[Edit]:
    """A volume that a person reserved is marked as reserved by the binder."""

    def change(seen: Any, write: Any) -> Any:
        return replace(write, object=annotate(write.object, **{BOUND_BY_CONTROLLER: "yes"}))

    yield changed_write(binding.reserve, change)


@mutant("reference-without-uid", breaks=("PVB-036",), after="kubernetes/kubernetes#20196", family="NAME")
def reference_without_uid() -> Iterable[Edit]:
    """The binder's references name the claim, but not its UID."""

    def change(seen: Any, write: Any) -> Any:
        return replace(write, object=without(write.object, ("spec", "claimRef", "uid")))

    def make(original: Any) -> Any:
        def reserve(seen: Any, at: Key) -> Any:
            pair = binding._target(seen, at)
            return None if pair is not None and refers_to(*pair) else original(seen, at)

        return reserve

    yield changed_write(binding.reserve, change)
    yield edit(binding.reserve, "body", make)


@mutant("status-from-claim", breaks=("PVB-060",), canary=True, family="COUNT")
def status_from_claim() -> Iterable[Edit]:
    """A bound claim shows the capacity that it asked for, not the one it got."""

    def make(original: Any) -> Any:
        def status(volume: Any, claim: Any) -> Any:
            made = original(volume, claim)
            return {**made, "capacity": claim["spec"]["resources"]["requests"]} if phase(claim) != "Bound" else made

        return status

    yield edit(binding, "bound_status", make)


@mutant("claim-status-left-behind", breaks=("PVB-062",), family="FIELD")
def claim_status_left_behind() -> Iterable[Edit]:
    """A claim that is Lost or Pending goes on showing a capacity."""
    yield edit(binding, "without_volume", lambda original: lambda claim, to: put(claim, ("status", "phase"), to))


@mutant("lost-is-final", breaks=("PVB-058",), family="GATE")
def lost_is_final() -> Iterable[Edit]:
    """A Lost claim stays Lost when its volume is back."""

    def make(original: Any) -> Any:
        def bound(seen: Any, claim: Any) -> Any:
            return binding.Aim("lose") if phase(claim) == "Lost" else original(seen, claim)

        return bound

    yield edit(binding, "_bound", make)


@mutant(
    "half-bound-is-bound",
    breaks=("PVB-020", "PVB-024", "PVB-033"),
    canary=True,
    after="kubernetes-retired/cluster-api-provider-nested#351",
    family="STEPS",
)
def half_bound_is_bound() -> Iterable[Edit]:
    """A claim is told Bound though its volume never got a reference to it."""
    yield dropped(binding.reserve)
    yield dropped(binding.mark_volume_bound)


@mutant("loser-keeps-its-reference", breaks=("PVB-023",), after=("kubernetes/kubernetes#25881", "W7"), family="RESERVE")
def loser_keeps_its_reference() -> Iterable[Edit]:
    """A volume whose claim is bound to another one is not freed."""
    yield edit(phases.unbind, "body", lambda original: lambda seen, at: STOP)


@mutant("reservation-lost-at-roll-back", breaks=("PVB-044",), family="FIELD")
def reservation_lost_at_roll_back() -> Iterable[Edit]:
    """A volume that a person reserved by name is freed for everybody when the claim ends up elsewhere."""
    yield edit(phases, "unbound", lambda original: lambda volume: without(volume, ("spec", "claimRef")))


@mutant("never-available", breaks=("PVB-056",), canary=True, family="GATE")
def never_available() -> Iterable[Edit]:
    """A new volume stays Pending."""
    yield edit(phases.make_available, "body", lambda original: _leave_without_uid)


def _leave_without_uid(seen: Any, at: Key) -> Any:
    volume = seen.lookup(at)
    return STOP if volume is not None and not claim_ref_uid(volume) else None
