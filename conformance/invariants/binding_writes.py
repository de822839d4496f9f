"""The writes of a bind: what each adds, in which order they come, and that they touch nothing else."""

from collections.abc import Mapping

from pvkit.backends.objects import Obj, annotations, finalizers, labels, name, namespace, phase, uid
from pvkit.backends.storage import (
    BIND_COMPLETED,
    BOUND_BY_CONTROLLER,
    claim_ref,
    claim_ref_uid,
    reclaim_policy,
    volume_name,
)
from pvkit.conformance.history import Change
from pvkit.conformance.invariant import (
    AT_RISK,
    HELD,
    Findings,
    Level,
    Memory,
    Scope,
    Violation,
    invariant,
    of_change_in,
)
from pvkit.conformance.invariants.binding import Bereaved
from pvkit.conformance.invariants.fitting import CLAIM, VOLUME, claim_of, given_by, volume_of
from pvkit.conformance.invariants.moments import belonged, completes

BINDING = "https://kubernetes.io/docs/concepts/storage/persistent-volumes/#binding"
BIND = "pkg/controller/volume/persistentvolume/pv_controller.go: bind"
BIND_VOLUME = "staging/src/k8s.io/component-helpers/storage/volume/pv_helpers.go: GetBindVolumeToClaim"


@of_change_in("spec", "annotations")
def _binds(change: Change) -> object:
    """One of the two sides of a bind: the volume's, or the claim's last."""
    return given_by(change) if change.key.kind == VOLUME else completes(change)


@invariant(
    "PVB-030",
    scope=Scope.EACH_STEP,
    level=Level.UPSTREAM,
    source=f"BIND-15; {BIND_VOLUME}",
    on=(f"{VOLUME} MODIFIED",),
    needs=("order",),
    when=given_by,
)
def volume_tells_who_chose_it(change: Change, memory: Memory) -> Findings:
    """A volume is marked bound-by-controller exactly if it was not reserved for the claim before."""
    given = given_by(change)
    if given is None:
        return
    chosen, marked = claim_ref(given.volume) is None, BOUND_BY_CONTROLLER in annotations(change.obj)
    before = BOUND_BY_CONTROLLER in annotations(given.volume)
    if marked == (chosen or before):
        yield HELD
    else:
        text = (
            f"volume {change.key.name} was {'free' if chosen else 'reserved'} and is{'' if marked else ' not'} marked"
        )
        yield Violation(f"{text} {BOUND_BY_CONTROLLER}", (given.volume, change.obj))


@invariant(
    "PVB-031",
    scope=Scope.EACH_STEP,
    level=Level.UPSTREAM,
    source=f"BIND-15; {BIND}",
    on=(f"{CLAIM} MODIFIED",),
    when=completes,
)
def claim_tells_who_chose_its_volume(change: Change, memory: Memory) -> Findings:
    """A claim whose binding completes is marked bound-by-controller exactly if it did not name the volume before."""
    old, new = change.old, change.new
    if old is None or new is None:
        return
    chosen, marked = volume_name(old) != volume_name(new), BOUND_BY_CONTROLLER in annotations(new)
    if marked == (chosen or BOUND_BY_CONTROLLER in annotations(old)):
        yield HELD
    else:
        asked = "named no volume" if chosen else f"named volume {volume_name(new)}"
        yield Violation(
            f"claim {name(new)} {asked} and is{'' if marked else ' not'} marked {BOUND_BY_CONTROLLER}", (new,)
        )


@invariant(
    "PVB-032",
    scope=Scope.EACH_STEP,
    level=Level.UPSTREAM,
    source=f"BIND-13, BIND-14; {BIND}",
    on=(f"{VOLUME} MODIFIED", f"{CLAIM} MODIFIED"),
    needs=("order",),
    when=_binds,
)
def bind_changes_nothing_else(change: Change, memory: Memory) -> Findings:
    """A bind changes of a volume its claimRef and of a claim its volumeName, and the marks of both; no more."""
    old, new = change.old, change.new
    if old is None or new is None:
        return
    if change.key.kind == VOLUME:
        field, marks = "claimRef", {BOUND_BY_CONTROLLER}
    else:
        field, marks = "volumeName", {BOUND_BY_CONTROLLER, BIND_COMPLETED}
    more = _more(old, new, field, marks)
    if more:
        yield Violation(f"the bind of {change.key} changed {', '.join(more)} as well", (old, new))
    else:
        yield HELD


def _more(old: Obj, new: Obj, field: str, marks: set[str]) -> list[str]:
    found = [f"spec.{part}" for part in _differences(old["spec"], new["spec"]) if part != field]
    found += [f"annotation {part}" for part in _differences(annotations(old), annotations(new)) if part not in marks]
    if labels(old) != labels(new):
        found.append("labels")
    if finalizers(old) != finalizers(new):
        found.append("finalizers")
    if phase(old) != phase(new):
        found.append("status.phase")
    return found


def _differences(before: Mapping[str, object], after: Mapping[str, object]) -> list[str]:
    if before == after:
        return []
    return sorted(part for part in {**before, **after} if before.get(part) != after.get(part))


@invariant(
    "PVB-033",
    scope=Scope.EACH_STEP,
    level=Level.UPSTREAM,
    source=f"BIND-13; {BIND}",
    on=(f"{CLAIM} MODIFIED",),
    needs=("order",),
    follows=(Bereaved,),
    when=completes,
)
def volume_is_bound_before_its_claim(change: Change, memory: Memory) -> Findings:
    """A claim's binding completes only once its volume is Bound."""
    claims = change.state.follow(Bereaved)
    if uid(change.obj) in claims.claims or uid(change.obj) in claims.undone:
        return
    volume = volume_of(change.state, change.obj)
    if volume is None:
        return
    if phase(volume) == "Bound":
        yield HELD
    else:
        text = f"the binding of claim {name(change.obj)} is complete while volume {name(volume)} is {phase(volume)}"
        yield Violation(text, (change.obj, volume))


@invariant(
    "PVB-034",
    scope=Scope.EACH_STEP,
    level=Level.UPSTREAM,
    source=f"BIND-14; {BIND_VOLUME}",
    on=(f"{VOLUME} MODIFIED",),
    needs=("order",),
    when=given_by,
)
def reference_names_its_claim_in_full(change: Change, memory: Memory) -> Findings:
    """A claimRef that a component writes names kind, namespace, name and UID of the claim."""
    given = given_by(change)
    if given is None:
        return
    written = claim_ref(change.obj) or {}
    if (written.get("kind"), written.get("namespace")) == (CLAIM, namespace(given.claim)):
        yield HELD
    else:
        yield Violation(f"volume {change.key.name} refers to claim {name(given.claim)} as {written}", (change.obj,))


@invariant(
    "PVB-035",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"BIND-17, BIND-06, RACE-02; {BINDING}",
    on=(f"{VOLUME} MODIFIED",),
    needs=("order",),
    when=belonged,
)
def bound_pair_stays(change: Change, memory: Memory) -> Findings:
    """No component takes a volume away from a live claim that names it."""
    old, new = change.old, change.new
    if old is None or new is None:
        return
    if claim_ref_uid(old) == claim_ref_uid(new):
        if phase(old) == "Bound":
            yield AT_RISK if change.life.hands else HELD
        return
    claim = claim_of(change.state, old)
    if claim is None or volume_name(claim) != change.key.name:
        return
    by_hand = change.life.touched("status", "spec.claimRef", "spec.persistentVolumeReclaimPolicy")
    if by_hand or reclaim_policy(old) == "Recycle":
        return
    text = f"volume {change.key.name} was taken away from claim {name(claim)}, which names it"
    yield Violation(text, (old, new, claim))
