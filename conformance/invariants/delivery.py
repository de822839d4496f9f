"""Delivery: what was asked of those who make and enlarge volumes is brought to its end, or given up."""

from pvkit.backends.objects import Key, annotations, deleting, get, name, phase, uid
from pvkit.backends.quantities import amount
from pvkit.backends.storage import (
    KIT_PROVISIONER,
    SELECTED_NODE,
    STORAGE_PROVISIONER,
    capacity,
    claim_ref_uid,
    requested,
    selector,
)
from pvkit.conformance.history import State
from pvkit.conformance.invariant import AT_RISK, HELD, Findings, Level, Memory, Scope, Violation, invariant
from pvkit.conformance.invariants.choice import UNBOUND
from pvkit.conformance.invariants.fitting import CLAIM, class_of, key_of, resyncs, volume_of
from pvkit.conformance.invariants.provisioning import is_made

EXPANDING = "https://kubernetes.io/docs/concepts/storage/persistent-volumes/#expanding-persistent-volumes-claims"
LIBRARY = "sigs.k8s.io/sig-storage-lib-external-provisioner: controller/controller.go: provisionClaimOperation"


@invariant(
    "PVB-066",
    scope=Scope.SETTLED,
    level=Level.CONTRACT,
    source=f"EXPAND-02, STATUS-03, E1; {EXPANDING}",
)
def settled_claim_has_grown_with_its_volume(state: State, memory: Memory) -> Findings:
    """When all is quiet, a claim whose volume was made and enlarged for it shows what it asked for."""
    for claim in state.all(CLAIM) if resyncs(state) else ():
        volume = volume_of(state, claim) if phase(claim) == "Bound" else None
        life, own = (state.life(key_of(volume)) if volume is not None else None), state.life(key_of(claim))
        if volume is None or life is None or own is None or claim_ref_uid(volume) != uid(claim):
            continue
        if not is_made(volume, life) or life.touched("spec.capacity") or own.touched("status"):
            continue
        shown = amount(get(claim, "status", "capacity", "storage") or 0)
        if capacity(volume) < requested(claim) or capacity(volume) <= capacity(life.first):
            continue
        if shown >= requested(claim):
            yield AT_RISK
        else:
            text = f"claim {name(claim)} asks for more than the {get(claim, 'status', 'capacity', 'storage')} it shows"
            yield Violation(f"{text}, and its volume {name(volume)} has grown", (claim, volume))


@invariant(
    "PVB-085",
    scope=Scope.SETTLED,
    level=Level.UPSTREAM,
    source=f"SCHED-23, CLASS-05, W3; {LIBRARY}",
)
def settled_claim_does_not_wait_for_a_node_that_is_gone(state: State, memory: Memory) -> Findings:
    """When all is quiet, no claim waits for a volume on a selected node that is gone."""
    for claim in state.find(UNBOUND, False) if resyncs(state) else ():
        found, life = class_of(state, claim), state.life(key_of(claim))
        asked = annotations(claim).get(STORAGE_PROVISIONER)
        if deleting(claim) or selector(claim) or asked != KIT_PROVISIONER or life is None:
            continue
        if found is None or found.get("provisioner") != asked or life.touched(f"annotations.{SELECTED_NODE}"):
            continue
        node = annotations(claim).get(SELECTED_NODE)
        if node is None or state.get("Node", "", node) is not None:
            yield HELD
        elif state.departed(Key("Node", "", node)) is not None:
            yield Violation(f"claim {name(claim)} waits for a volume on node {node}, which is gone", (claim,))
