"""Binders that mark, judge or tell wrongly what has become of a pair."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from pvkit.backends.mutants.binder_steps import changed_write
from pvkit.backends.mutants.registry import Edit, edit, mutant
from pvkit.backends.objects import Key, annotate, annotations, deleting, phase, put, uid, without
from pvkit.backends.reference import binding, matching, phases
from pvkit.backends.reference.rules import STOP, After, Write
from pvkit.backends.storage import BOUND_BY_CONTROLLER, claim_ref, claim_ref_uid, volume_name


@mutant("claim-always-marked", breaks=("PVB-031",), family="FIELD")
def claim_always_marked() -> Iterable[Edit]:
    """A claim that named its volume itself is marked as if the binder had chosen."""

    def change(seen: Any, write: Any) -> Any:
        return replace(write, object=annotate(write.object, **{BOUND_BY_CONTROLLER: "yes"}))

    yield changed_write(binding.name_volume, change)


@mutant("reference-without-kind", breaks=("PVB-034",), family="FIELD")
def reference_without_kind() -> Iterable[Edit]:
    """The binder's references do not say that it is a claim to which they refer."""

    def change(seen: Any, write: Any) -> Any:
        return replace(write, object=without(write.object, ("spec", "claimRef", "kind")))

    yield changed_write(binding.reserve, change)


@mutant("bind-drops-finalizers", breaks=("PVB-032",), canary=True, family="FINAL")
def bind_drops_finalizers() -> Iterable[Edit]:
    """The write that gives a claim its volume takes the claim's finalizers away."""

    def change(seen: Any, write: Any) -> Any:
        return replace(write, object=put(write.object, ("metadata", "finalizers"), []))

    yield changed_write(binding.name_volume, change)


@mutant("fit-is-judged-for-ever", breaks=("PVB-035",), family="GATE")
def fit_is_judged_for_ever() -> Iterable[Edit]:
    """A bound volume that no longer fits its claim, because either was changed, is taken away from it."""

    def make(original: Any) -> Any:
        def follow(seen: Any, at: Key) -> Any:
            volume = seen.lookup(at)
            claim = phases._claim(seen, volume) if volume is not None else None
            if claim is None or volume_name(claim) != at.name or matching.suits(volume, claim):
                return original(seen, at)
            return Write("update", phases.unbound(volume))

        return follow

    yield edit(phases.follow_claim, "body", make)


@mutant("lost-is-pending", breaks=("PVB-026",), family="GATE")
def lost_is_pending() -> Iterable[Edit]:
    """A claim whose volume is gone says that it waits for one."""

    def make(original: Any) -> Any:
        def bound(seen: Any, claim: Any) -> Any:
            aim = original(seen, claim)
            return binding.Aim("pending") if aim.what == "lose" else aim

        return bound

    yield edit(binding, "_bound", make)


@mutant("unreferenced-volume-is-lost", breaks=("PVB-057",), after="velero-io/velero#7528", family="TERM")
def unreferenced_volume_is_lost() -> Iterable[Edit]:
    """A claim that was bound is Lost if its volume, restored or cleared, refers to nobody."""

    def make(original: Any) -> Any:
        def bound(seen: Any, claim: Any) -> Any:
            volume = seen.get("PersistentVolume", "", volume_name(claim)) if volume_name(claim) else None
            gone = volume is not None and claim_ref(volume) is None and phase(claim) != "Lost"
            return binding.Aim("lose") if gone else original(seen, claim)

        return bound

    yield edit(binding, "_bound", make)


@mutant("modes-shown-once", breaks=("PVB-061",), family="FIELD")
def modes_shown_once() -> Iterable[Edit]:
    """A bound claim goes on showing the access modes that its volume had when they met."""

    def make(original: Any) -> Any:
        def status(volume: Any, claim: Any) -> Any:
            return claim["status"] if phase(claim) == "Bound" else original(volume, claim)

        return status

    yield edit(binding, "bound_status", make)


@mutant("released-volume-comes-back", breaks=("PVB-054",), after="kubernetes/kubernetes#20196", family="NAME")
def released_volume_comes_back() -> Iterable[Edit]:
    """A Released volume is Bound again as soon as there is a claim of the old name."""

    def make(original: Any) -> Any:
        def release(seen: Any, at: Key) -> Any:
            volume = seen.lookup(at)
            claim = seen.lookup(phases.claim_key(volume)) if volume is not None else None
            if claim is None or uid(claim) == claim_ref_uid(volume):
                return original(seen, at)
            known = phase(volume) == "Bound"
            return STOP if known else Write("update-status", binding.in_phase(volume, "Bound"))

        return release

    yield edit(phases.release, "body", make)


@mutant("going-is-gone", breaks=("PVB-052", "PVB-091"), after="kubernetes/kubernetes#27198", family="FINAL")
def going_is_gone() -> Iterable[Edit]:
    """A claim that is to be deleted, and that a pod still uses, counts as gone."""

    def make(original: Any) -> Any:
        def living(seen: Any, volume: Any) -> Any:
            claim = original(seen, volume)
            return None if claim is not None and deleting(claim) else claim

        return living

    yield edit(phases, "living_claim", make)


@mutant("touched-by-the-clock", breaks=("PVB-120",), needs=("time",), family="WAKE")
def touched_by_the_clock() -> Iterable[Edit]:
    """A bound claim is written to once an hour, though nothing has happened."""
    mark, hour = "example.com/seen", 3600.0

    def make(original: Any) -> Any:
        def body(seen: Any, at: Key) -> Any:
            effect, claim = original(seen, at), seen.lookup(at)
            if effect is not STOP or claim is None or phase(claim) != "Bound":
                return effect
            begun = seen.memory.setdefault(f"touched {uid(claim)}", seen.now)
            if seen.now < begun + hour:
                return After(begun + hour - seen.now)
            seen.memory[f"touched {uid(claim)}"] = seen.now
            times = int(annotations(claim).get(mark, "0")) + 1
            return Write("update", annotate(claim, **{mark: str(times)}))

        return body

    yield edit(binding.mark_claim_bound, "body", make)
