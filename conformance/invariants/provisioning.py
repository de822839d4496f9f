"""Provisioning: a volume made for a claim is the one that the claim and its class asked for."""

from pvkit.backends.objects import Key, Obj, annotations, deleting, labels, name, namespace, uid
from pvkit.backends.storage import (
    PROVISIONED_BY,
    SELECTED_NODE,
    claim_ref_uid,
    node_terms,
    reclaim_policy,
    storage_class,
    volume_name,
)
from pvkit.conformance.history import Change, Life
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
    BY_REFERENCE,
    CLAIM,
    CLASS,
    VOLUME,
    claim_of,
    key_of,
    large_enough,
    offers_modes,
    reaches,
    same_class,
    same_volume_mode,
)
from pvkit.conformance.invariants.moments import remembered

PROVISIONING = "https://kubernetes.io/docs/concepts/storage/persistent-volumes/#dynamic"
RECLAIM_POLICY = "https://kubernetes.io/docs/concepts/storage/storage-classes/#reclaim-policy"
WAITING = "https://kubernetes.io/docs/concepts/storage/storage-classes/#volume-binding-mode"
LIBRARY = "sigs.k8s.io/sig-storage-lib-external-provisioner: controller/controller.go: provisionClaimOperation"

_MEETS = (
    ("capacity", large_enough),
    ("access modes", offers_modes),
    ("volume mode", same_volume_mode),
    ("class", same_class),
)


@remembered
def _made_for(change: Change) -> tuple[Obj, Life] | None:
    """The claim for which a component made this new volume, and the claim's life."""
    if change.old is not None or change.new is None or change.event.by in ("client", "setup"):
        return None
    if PROVISIONED_BY not in annotations(change.new):
        return None
    claim = claim_of(change.state, change.new)
    life = change.state.life(key_of(claim)) if claim is not None else None
    return (claim, life) if claim is not None and life is not None else None


@invariant(
    "PVB-080",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"CLASS-09, CLASS-13, BIND-02; {PROVISIONING}; {LIBRARY}",
    on=(f"{VOLUME} ADDED",),
    needs=("order",),
    when=_made_for,
)
def provisioned_volume_fits_its_claim(change: Change, memory: Memory) -> Findings:
    """A volume made for a claim has the claim's size, access modes, volume mode and class."""
    found = _made_for(change)
    if found is None:
        return
    wrong = [word for word, meets in _MEETS if not meets(change.obj, found[0])]
    if wrong:
        text = f"volume {change.key.name} was made for claim {name(found[0])} and differs in {', '.join(wrong)}"
        yield Violation(text, (change.obj, found[0]))
    else:
        yield AT_RISK if found[0]["spec"].get("volumeMode") == "Block" else HELD


@invariant(
    "PVB-081",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"RECLAIM-01, DEFAULT-06; {RECLAIM_POLICY}; {LIBRARY}",
    on=(f"{VOLUME} ADDED",),
    needs=("order",),
    when=_made_for,
)
def provisioned_volume_has_the_policy_of_its_class(change: Change, memory: Memory) -> Findings:
    """A volume made for a claim has the reclaim policy of the claim's class, Delete where the class is silent."""
    found = _made_for(change)
    if found is None:
        return
    at = Key(CLASS, "", storage_class(change.obj))
    made_by, life = change.state.lookup(at), change.state.life(at)
    if made_by is None or life is None or life.born > found[1].born or change.state.departed(at) is not None:
        return
    wanted = made_by.get("reclaimPolicy") or "Delete"
    if reclaim_policy(change.obj) == wanted:
        yield AT_RISK if wanted != "Delete" else HELD
    else:
        text = f"volume {change.key.name} has policy {reclaim_policy(change.obj)}, its class {at.name} says {wanted}"
        yield Violation(text, (change.obj, made_by))


@of_change_in("annotations")
def _is_about_nodes(change: Change) -> object:
    """A volume was made for a claim, a node selected for one, or a claim is gone."""
    if change.key.kind == VOLUME:
        return _made_for(change)
    if change.new is None:
        return True
    before = annotations(change.old).get(SELECTED_NODE) if change.old is not None else None
    return annotations(change.new).get(SELECTED_NODE) not in (None, before)


@invariant(
    "PVB-082",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"SCHED-07, SCHED-23, W1; {WAITING}",
    on=(f"{VOLUME} ADDED", CLAIM),
    needs=("order",),
    when=_is_about_nodes,
)
def provisioned_volume_reaches_the_selected_node(change: Change, memory: Memory) -> Findings:
    """A volume made for a claim for which a node is selected can be reached from that node."""
    if change.key.kind == CLAIM:
        _count_selections(change, memory)
        return
    found = _made_for(change)
    if found is None or memory.get(uid(found[0]), 0) != 1 or found[1].touched(f"annotations.{SELECTED_NODE}"):
        return
    at = Key("Node", "", annotations(found[0]).get(SELECTED_NODE, ""))
    node, life = change.state.lookup(at), change.state.life(at)
    if node is None or life is None or life.touched("labels") or change.state.departed(at) is not None:
        return
    if not _named_labels(change.obj) <= labels(node).keys():
        return  # Nothing that this provisioner could say of the node would name it: a kubelet sets these labels.
    if reaches(change.obj, node):
        yield AT_RISK if len(change.state.all("Node")) > 1 else HELD
    else:
        text = f"volume {change.key.name} was made for claim {name(found[0])}, for which node {at.name} is selected"
        yield Violation(f"{text}, and cannot be reached from it", (change.obj, found[0], node))


def _named_labels(volume: Obj) -> set[str]:
    """The labels by which a volume says where it can be reached from."""
    asked = (term.get("matchExpressions") or () for term in node_terms(volume) or ())
    return {str(entry["key"]) for expressions in asked for entry in expressions}


def _count_selections(change: Change, memory: Memory) -> None:
    """How often a node was selected for each claim: a provisioner may still be at work for an earlier choice."""
    if change.new is None:
        memory.pop(uid(change.obj), None)
        return
    memory[uid(change.new)] = memory.get(uid(change.new), 0) + 1


@invariant(
    "PVB-083",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"BIND-06, CLASS-09, R3; {PROVISIONING}; {LIBRARY}",
    on=(f"{VOLUME} ADDED",),
    needs=("order",),
    when=_made_for,
)
def one_volume_is_provisioned_for_a_claim(change: Change, memory: Memory) -> Findings:
    """No second volume is made for a claim while the first is there."""
    found = _made_for(change)
    if found is None:
        return
    others = [
        volume
        for volume in change.state.find(BY_REFERENCE, uid(found[0]))
        if name(volume) != change.key.name and PROVISIONED_BY in annotations(volume) and not deleting(volume)
    ]
    if others:
        text = f"volume {change.key.name} was made for claim {name(found[0])}, which has {name(others[0])} already"
        yield Violation(text, (change.obj, found[0], others[0]))
    else:
        yield HELD


@invariant(
    "PVB-084",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"CLASS-02, PREB-07; {PROVISIONING}; {LIBRARY}",
    on=(f"{VOLUME} ADDED",),
    needs=("order",),
    when=_made_for,
)
def nothing_is_provisioned_unasked(change: Change, memory: Memory) -> Findings:
    """No volume is made for a claim that has no class, or that has named a volume since it was made."""
    found = _made_for(change)
    if found is None:
        return
    claim, life = found
    if not storage_class(claim):
        why = "which has no class"
    elif volume_name(life.first) and volume_name(life.first) != change.key.name:
        why = f"which names volume {volume_name(life.first)}"
    else:
        yield HELD
        return
    text = f"volume {change.key.name} was made for claim {namespace(claim)}/{name(claim)}, {why}"
    yield Violation(text, (change.obj, claim))


def is_made(volume: Obj, life: Life | None) -> bool:
    """Whether a component made a volume for a claim, and the client has left all that matters of it alone."""
    if life is None or life.by_client or PROVISIONED_BY not in annotations(life.first):
        return False
    marked = f"annotations.{PROVISIONED_BY}"
    policy = "spec.persistentVolumeReclaimPolicy"
    return bool(claim_ref_uid(volume)) and not life.touched("spec.claimRef", "status", "finalizers", marked, policy)
