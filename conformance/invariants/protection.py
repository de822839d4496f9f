"""Protection: a claim that a pod uses and a volume that is bound are not removed, and are let go afterwards."""

from pvkit.backends.objects import Obj, deleting, finalizers, name, phase, uid
from pvkit.backends.protocol import Fault, Settled
from pvkit.backends.storage import CLAIM_PROTECTION, VOLUME_PROTECTION
from pvkit.backends.workloads import claim_keys, claim_volumes, node_name
from pvkit.conformance.history import Asked, Change, State
from pvkit.conformance.invariant import AT_RISK, HELD, Findings, Level, Memory, Scope, Violation, invariant
from pvkit.conformance.invariants.choice import PODS
from pvkit.conformance.invariants.fitting import CLAIM, VOLUME, key_of
from pvkit.conformance.invariants.moments import was_leaving

PROTECTION = "https://kubernetes.io/docs/concepts/storage/persistent-volumes/#storage-object-in-use-protection"
ADMISSION = "plugin/pkg/admission/storage/storageobjectinuseprotection/admission.go"
CLAIMS = "pkg/controller/volume/pvcprotection/pvc_protection_controller.go"
VOLUMES = "pkg/controller/volume/pvprotection/pv_protection_controller.go"
FINALIZERS = "https://kubernetes.io/docs/concepts/overview/working-with-objects/finalizers/"
DELETION = "staging/src/k8s.io/apiserver/pkg/registry/generic/registry/store.go: deletionFinalizersForGarbageCollection"
COLLECTOR = frozenset({"orphan", "foregroundDeletion"})
"""The garbage collector's: who deletes once more with another propagation puts one on, and it goes again."""


def _released(change: Change, finalizer: str) -> bool:
    """Whether a component took a finalizer away, be it by the write that made the object vanish."""
    if change.old is None or change.by_client or finalizer not in finalizers(change.old):
        return False
    return change.new is None or finalizer not in finalizers(change.new)


@invariant(
    "PVB-100",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"PROT-01; {PROTECTION}; {ADMISSION}",
    on=(f"{CLAIM} ADDED", f"{VOLUME} ADDED"),
)
def protection_is_there_from_the_beginning(change: Change, memory: Memory) -> Findings:
    """A new claim or volume carries its protection finalizer from the beginning."""
    if change.old is not None or change.new is None:
        return
    wanted = CLAIM_PROTECTION if change.key.kind == CLAIM else VOLUME_PROTECTION
    if wanted in finalizers(change.new):
        yield HELD
    else:
        yield Violation(f"{change.key} was made without finalizer {wanted}", (change.new,))


def _is_about_use(change: Change) -> bool:
    """A pod gets its node, a claim is on its way out, or either is gone."""
    old, new = change.old, change.new
    if new is None:
        return True
    if change.key.kind == "Pod":
        return bool(node_name(new)) and (old is None or not node_name(old))
    return deleting(new) or (old is not None and deleting(old))


@invariant(
    "PVB-101",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"PROT-02, PROT-03, PROT-04, P1; {PROTECTION}; {CLAIMS}",
    on=(CLAIM, "Pod"),
    needs=("order",),
    when=_is_about_use,
)
def claim_in_use_is_not_removed(change: Change, memory: Memory) -> Findings:
    """A claim is not let go while a pod that uses it is on a node."""
    if change.key.kind == "Pod":
        _note_node(change, memory)
        return
    if _released(change, CLAIM_PROTECTION) and change.old is not None and deleting(change.old):
        users = list(change.state.find(PODS, change.key))
        marked = memory.get(change.key, -1)
        holding = [
            pod
            for pod in users
            if node_name(pod)
            and memory.get(key_of(pod), marked) < marked
            and (change.key.name, False) in claim_volumes(pod)
        ]
        if holding:
            text = f"claim {change.key.name} was let go while pod {name(holding[0])} on {node_name(holding[0])} uses it"
            yield Violation(text, (change.old, holding[0]))
        else:
            yield AT_RISK if users else HELD
    _note_deletion(change, memory)


def _note_node(change: Change, memory: Memory) -> None:
    """Since when a pod is on its node."""
    if change.new is None:
        memory.pop(change.key, None)
    elif change.key not in memory and node_name(change.new):
        memory[change.key] = change.event.index


def _note_deletion(change: Change, memory: Memory) -> None:
    """Since when a claim is to be deleted: who decides to let it go has looked at the pods after that."""
    if change.new is None:
        memory.pop(change.key, None)
    elif deleting(change.new) and change.key not in memory:
        memory[change.key] = change.event.index


def _frees_volume(change: Change) -> bool:
    return _released(change, VOLUME_PROTECTION)


@invariant(
    "PVB-102",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"PROT-06, PROT-07, P1; {PROTECTION}; {VOLUMES}",
    on=(VOLUME,),
    when=_frees_volume,
)
def bound_volume_is_not_removed(change: Change, memory: Memory) -> Findings:
    """A volume is not let go while it is Bound."""
    if change.old is None:
        return
    if phase(change.old) == "Bound":
        yield Violation(f"volume {change.key.name} was let go while it was Bound", (change.old,))
    else:
        yield AT_RISK if phase(change.old) == "Released" else HELD


class CaughtUp:
    """The follower that knows whether any view ever had to catch up: whether held events were released."""

    def __init__(self) -> None:
        self.ever = False

    def take(self, change: Change) -> None:
        """Events say nothing of it."""

    def hear(self, entry: Asked | Settled, state: State) -> None:
        """One more step of the plan."""
        if isinstance(entry, Asked) and isinstance(entry.request, Fault):
            self.ever = self.ever or entry.request.word in ("release", "heal")


@invariant(
    "PVB-103",
    scope=Scope.SETTLED,
    level=Level.CONTRACT,
    source=f"PROT-02, PROT-03, PROT-05, P2; {PROTECTION}; {CLAIMS}",
    follows=(CaughtUp,),
)
def settled_unused_claim_is_let_go(state: State, memory: Memory) -> Findings:
    """When all is quiet, a claim that is to be deleted is held by its protection only while a pod on a node uses it."""
    seen = memory.get("seen", frozenset())
    for claim in state.all(CLAIM):
        if not deleting(claim) or CLAIM_PROTECTION not in finalizers(claim):
            continue
        if any(node_name(pod) for pod in state.find(PODS, key_of(claim))):
            yield AT_RISK
        elif not state.follow(CaughtUp).ever or _were_seen(state, claim, seen):
            yield Violation(f"claim {name(claim)} is to be deleted, no pod uses it, and it is still held", (claim,))
    left = seen & {uid(pod) for pod in state.departed_of("Pod")}
    memory["seen"] = left | {uid(pod) for pod in state.all("Pod")}


def _were_seen(state: State, claim: Obj, seen: frozenset[str]) -> bool:
    """Whether all pods that named the claim and are gone had been there at rest.

    Of a pod that came and went while events were held back, and whose name another one has by now, a watch that
    catches up tells nothing at all, so nobody looks at its claims again.
    """
    gone = [pod for pod in state.departed_of("Pod") if key_of(claim) in claim_keys(pod)]
    return bool(gone) and all(uid(pod) in seen for pod in gone)


@invariant(
    "PVB-104",
    scope=Scope.SETTLED,
    level=Level.CONTRACT,
    source=f"PROT-06, PROT-07, PROT-15, P2; {PROTECTION}; {VOLUMES}",
)
def settled_unbound_volume_is_let_go(state: State, memory: Memory) -> Findings:
    """When all is quiet, a volume that is to be deleted is held by its protection only while it is Bound."""
    for volume in state.all(VOLUME):
        if not deleting(volume) or VOLUME_PROTECTION not in finalizers(volume):
            continue
        if phase(volume) == "Bound":
            yield AT_RISK
        else:
            text = f"volume {name(volume)} is to be deleted, is {phase(volume)}, and is still held"
            yield Violation(text, (volume,))


@invariant(
    "PVB-105",
    scope=Scope.SETTLED,
    level=Level.UPSTREAM,
    source=f"PROT-01; {CLAIMS}; {VOLUMES}",
)
def settled_protection_is_restored(state: State, memory: Memory) -> Findings:
    """When all is quiet, every claim and volume that is not to be deleted carries its protection finalizer."""
    for kind, wanted in ((CLAIM, CLAIM_PROTECTION), (VOLUME, VOLUME_PROTECTION)):
        for obj in state.all(kind):
            if deleting(obj):
                continue
            if wanted in finalizers(obj):
                life = state.life(key_of(obj))
                yield AT_RISK if life is not None and life.touched("finalizers") else HELD
            else:
                yield Violation(f"{key_of(obj)} lacks finalizer {wanted}", (obj,))


@invariant(
    "PVB-106",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"PROT-12, VALID-80; {FINALIZERS}; {DELETION}",
    on=(f"{CLAIM} MODIFIED", f"{VOLUME} MODIFIED"),
    when=was_leaving,
)
def deletion_is_final(change: Change, memory: Memory) -> Findings:
    """A claim or volume that is to be deleted stays so, and gets no new finalizer but the garbage collector's."""
    old, new = change.old, change.new
    if old is None or new is None:
        return
    added = set(finalizers(new)) - set(finalizers(old)) - COLLECTOR
    if added or not deleting(new):
        what = f"got finalizers {sorted(added)}" if added else "is no longer to be deleted"
        yield Violation(f"{change.key} was to be deleted and {what}", (old, new))
    else:
        yield HELD
