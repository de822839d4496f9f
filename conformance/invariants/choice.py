"""Choice: which of several fitting volumes a claim gets, and that it gets one at all.

A controller acts on what it has seen, so a better volume counts only if every healthy component knew of it. Where
Kubernetes names no winner (equal volumes, sets of modes of one size), every winner is right.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from pvkit.backends.objects import Obj, annotations, deleting, name, namespace
from pvkit.backends.storage import (
    SELECTED_NODE,
    access_modes,
    bind_completed,
    capacity,
    claim_ref,
    node_terms,
    reserved_for,
    storage_class,
    volume_name,
)
from pvkit.backends.tables import Index
from pvkit.backends.workloads import claim_keys, node_name
from pvkit.conformance.history import Change, State
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
from pvkit.conformance.invariants.fitting import (
    CLAIM,
    FREE,
    MODE_SETS,
    RESERVED,
    VOLUME,
    Given,
    always_delayed,
    chosen_by,
    ever_delayed,
    fits_asked,
    fits_reserved,
    free_for,
    is_delayed,
    key_of,
    resyncs,
    same_class,
    volume_of,
)

INDEXING = "pkg/controller/volume/persistentvolume/index.go: findByClaim"
MATCHING = "staging/src/k8s.io/component-helpers/storage/volume/pv_helpers.go: FindMatchingVolume"
SYNCING = "pkg/controller/volume/persistentvolume/pv_controller.go: syncUnboundClaim"
BINDING = "https://kubernetes.io/docs/concepts/storage/persistent-volumes/#binding"
RESERVING = "https://kubernetes.io/docs/concepts/storage/persistent-volumes/#reserving-a-persistentvolume"


def _unbound(claim: Obj) -> Iterable[tuple[Any, Any]]:
    if not bind_completed(claim):
        yield bool(volume_name(claim)), ()
        if not volume_name(claim):
            yield ("of", storage_class(claim)), ()


UNBOUND = Index("unbound claims by whether they name a volume, and by class", CLAIM, _unbound)


def _by_claim(pod: Obj) -> Iterable[tuple[Any, Any]]:
    for at in claim_keys(pod):
        yield at, ()


PODS = Index("pods by claim", "Pod", _by_claim, of_spec=True)


def _size(volume: Obj) -> str:
    return f"{name(volume)} ({', '.join(sorted(access_modes(volume)))}, {volume['spec']['capacity']['storage']})"


def _better(state: State, given: Given) -> Iterator[Obj]:
    """Free volumes that come before the given one: fewer modes, or the same modes and smaller."""
    own = access_modes(given.volume)
    for volume in free_for(state, given.claim, [s for s in MODE_SETS if len(s) < len(own) or s == own]):
        if access_modes(volume) != own or capacity(volume) < capacity(given.volume):
            yield volume


@invariant(
    "PVB-009",
    scope=Scope.EACH_STEP,
    level=Level.UPSTREAM,
    source=f"BIND-03, BIND-04; {INDEXING}; {MATCHING}",
    on=(f"{VOLUME} MODIFIED",),
    needs=("order",),
    when=chosen_by,
)
def immediate_claim_gets_the_closest_volume(change: Change, memory: Memory) -> Findings:
    """An immediate claim gets a volume of the fewest access modes that do, and of these the smallest."""
    given, state = chosen_by(change), change.state
    if given is None or ever_delayed(state, given.claim):
        return
    if storage_class(given.volume) != storage_class(given.claim):
        return
    worse = next((volume for volume in _better(state, given) if state.known(key_of(volume))), None)
    if worse is not None:
        text = f"claim {name(given.claim)} was given {_size(given.volume)} although {_size(worse)} was free and fits"
        yield Violation(text, (given.claim, given.volume, worse))
    else:
        yield AT_RISK if next(free_for(state, given.claim), None) is not None else HELD


@invariant(
    "PVB-010",
    scope=Scope.EACH_STEP,
    level=Level.UPSTREAM,
    source=f"BIND-03(4), PREB-03, PREB-04, SCHED-06; {MATCHING}",
    on=(f"{VOLUME} MODIFIED",),
    needs=("order",),
    when=chosen_by,
)
def reserved_volume_comes_first(change: Change, memory: Memory) -> Findings:
    """A claim for which a fitting volume is reserved gets no other of as many access modes or more."""
    given, state = chosen_by(change), change.state
    if given is None:
        return
    for volume in state.find(RESERVED, (namespace(given.claim), name(given.claim))):
        if key_of(volume) == change.key or not reserved_for(volume, given.claim):
            continue
        if not fits_reserved(volume, given.claim):
            continue
        if _comes_before(state, volume, given) and state.known(key_of(volume)):
            text = f"claim {name(given.claim)} was given {_size(given.volume)} although {_size(volume)} is reserved"
            yield Violation(f"{text} for it and fits", (given.claim, given.volume, volume))
        else:
            yield HELD


def _comes_before(state: State, reserved: Obj, given: Given) -> bool:
    if always_delayed(state, given.claim, given.life):
        same = same_class(reserved, given.claim) and node_terms(reserved) is None
        return same and _alone(state, given) and _stood(state, reserved, _began(state, given))
    if ever_delayed(state, given.claim):
        return False
    own, chosen = access_modes(reserved), access_modes(given.volume)
    return own == chosen or len(own) < len(chosen)


def _alone(state: State, given: Given) -> bool:
    """Whether one pod with this one claim was all that the scheduler had to think of, from before it began."""
    claim = key_of(given.claim)
    pods = list(state.find(PODS, claim))
    if len(pods) != 1 or len(claim_keys(pods[0])) != 1 or node_name(pods[0]):
        return False
    return state.count(UNBOUND, ("of", storage_class(given.claim))) <= 1


def _began(state: State, given: Given) -> int:
    """The index of the event before which the scheduler cannot have thought of the claim."""
    pod = next(state.find(PODS, key_of(given.claim)), None)
    life = state.life(key_of(pod)) if pod is not None else None
    return max(given.life.born, life.born if life is not None else -1)


@of_change_in("spec")
def _chosen_or_gone(change: Change) -> object:
    """A volume was chosen; of other kinds anything."""
    return change.key.kind != VOLUME or chosen_by(change)


@invariant(
    "PVB-011",
    scope=Scope.EACH_STEP,
    level=Level.UPSTREAM,
    source=f"SCHED-04, SCHED-05; {MATCHING}",
    on=(f"{VOLUME} MODIFIED", f"{CLAIM} DELETED", "Pod DELETED"),
    needs=("order",),
    when=_chosen_or_gone,
)
def delayed_claim_gets_the_smallest_volume(change: Change, memory: Memory) -> Findings:
    """A delayed claim gets the smallest volume that its node reaches, whatever the number of its access modes."""
    state = change.state
    if change.key.kind != VOLUME:
        memory["gone"] = change.event.index
        return
    given = chosen_by(change)
    if given is None or not always_delayed(state, given.claim, given.life):
        return
    if memory.get("gone", -1) > state.rest or not _alone(state, given):
        yield HELD
        return
    began = _began(state, given)
    worse = next((volume for volume in _smaller(state, given) if _stood(state, volume, began)), None)
    if worse is not None:
        text = f"delayed claim {name(given.claim)} was given {_size(given.volume)} although {_size(worse)} was free"
        yield Violation(f"{text}, fits and is reached from the same nodes", (given.claim, given.volume, worse))
    else:
        yield AT_RISK if next(free_for(state, given.claim), None) is not None else HELD


def _smaller(state: State, given: Given) -> Iterator[Obj]:
    for volume in free_for(state, given.claim):
        if capacity(volume) < capacity(given.volume) and node_terms(volume) in (None, node_terms(given.volume)):
            yield volume


def _stood(state: State, volume: Obj, since: int) -> bool:
    life = state.life(key_of(volume))
    return life is not None and life.changed < since and state.known(key_of(volume))


def _gated(state: State, claim: Obj) -> bool:
    """Whether attributes classes decide, in a version in which they may be switched off."""
    return state.setup.minor < 34 and bool(claim["spec"].get("volumeAttributesClassName"))


@invariant(
    "PVB-012",
    scope=Scope.SETTLED,
    level=Level.CONTRACT,
    source=f"BIND-01, BIND-02, BIND-05, TIME-05; {BINDING}",
)
def no_claim_waits_beside_a_fitting_volume(state: State, memory: Memory) -> Findings:
    """When all is quiet, no immediate claim waits while a free volume fits it."""
    for claim in state.find(UNBOUND, False) if resyncs(state) else ():
        if deleting(claim) or _gated(state, claim) or is_delayed(state, claim):
            continue
        volume = next(free_for(state, claim), None)
        if volume is not None:
            text = f"claim {name(claim)} waits although volume {_size(volume)} is free, Available and fits"
            yield Violation(text, (claim, volume))
        else:
            yield AT_RISK if state.count(FREE, "free") else HELD


@invariant(
    "PVB-013",
    scope=Scope.SETTLED,
    level=Level.CONTRACT,
    source=f"PREB-03, PREB-12, SCHED-02; {RESERVING}; {SYNCING}",
)
def no_claim_waits_beside_its_reserved_volume(state: State, memory: Memory) -> Findings:
    """When all is quiet, no claim waits while a volume is reserved for it that fits."""
    for claim in state.find(UNBOUND, False) if resyncs(state) else ():
        if deleting(claim) or _gated(state, claim):
            continue
        for volume in state.find(RESERVED, (namespace(claim), name(claim))):
            if not reserved_for(volume, claim):
                continue
            if fits_reserved(volume, claim):
                text = f"claim {name(claim)} waits although volume {_size(volume)} is reserved for it and fits"
                yield Violation(text, (claim, volume))
            else:
                yield AT_RISK


@invariant(
    "PVB-014",
    scope=Scope.SETTLED,
    level=Level.CONTRACT,
    source=f"PREB-05, PREB-06; {RESERVING}; {SYNCING}",
)
def no_claim_waits_for_the_free_volume_it_names(state: State, memory: Memory) -> Findings:
    """When all is quiet, no claim waits that names a volume which is free and fits, or is reserved for the claim."""
    for claim in state.find(UNBOUND, True) if resyncs(state) else ():
        volume = volume_of(state, claim)
        if volume is None or deleting(claim) or _gated(state, claim):
            continue
        if reserved_for(volume, claim) or (claim_ref(volume) is None and fits_asked(volume, claim)):
            text = f"claim {name(claim)} waits although volume {_size(volume)}, which it names, is there for it"
            yield Violation(text, (claim, volume))
        else:
            yield AT_RISK


@invariant(
    "PVB-015",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"SCHED-01, SCHED-02, CLASS-08, RACE-06; {SYNCING}; "
    "https://kubernetes.io/docs/concepts/storage/storage-classes/#volume-binding-mode",
    on=(f"{VOLUME} MODIFIED", f"{CLAIM} ADDED", f"{CLAIM} DELETED", "Pod DELETED"),
    needs=("order",),
    when=_chosen_or_gone,
)
def delayed_claim_waits_for_a_pod(change: Change, memory: Memory) -> Findings:
    """A claim of a class that waits for the first consumer is given no free volume before a pod uses it."""
    state, kind = change.state, change.key.kind
    if kind == "Pod":
        memory.update({at: True for at in claim_keys(change.obj) if state.life(at) is not None})
        return
    if kind == CLAIM:
        if change.new is None:
            memory.pop(change.key, None)
        elif change.old is None and is_delayed(state, change.new) and not volume_name(change.new):
            yield AT_RISK if next(free_for(state, change.new), None) is not None else HELD
        return
    given = chosen_by(change)
    if given is None or not always_delayed(state, given.claim, given.life):
        return
    at = key_of(given.claim)
    if state.count(PODS, at) or at in memory:
        yield HELD
    else:
        text = f"claim {name(given.claim)} was given volume {name(given.volume)} before any pod used it"
        yield Violation(f"{text}; its class waits for the first consumer", (given.claim, given.volume))


@invariant(
    "PVB-016",
    scope=Scope.EACH_STEP,
    level=Level.UPSTREAM,
    source=f"SCHED-09, BIND-19; {SYNCING}",
    on=(f"{VOLUME} MODIFIED",),
    needs=("order",),
    when=chosen_by,
)
def selected_node_leaves_free_volumes_alone(change: Change, memory: Memory) -> Findings:
    """A delayed claim for which a node is selected is provisioned for, and gets no free volume."""
    given, state = chosen_by(change), change.state
    if given is None or not always_delayed(state, given.claim, given.life):
        return
    if SELECTED_NODE not in annotations(given.claim) or given.life.touched(f"annotations.{SELECTED_NODE}"):
        yield HELD
    elif state.known(key_of(given.claim)):
        node = annotations(given.claim)[SELECTED_NODE]
        text = f"claim {name(given.claim)} was given free volume {name(given.volume)} although node {node} is selected"
        yield Violation(f"{text} for it", (given.claim, given.volume))
