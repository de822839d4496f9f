"""Scheduling: a pod goes only where its volumes are, only once they are bound to it, and does not wait for nothing."""

from collections.abc import Iterator

from pvkit.backends.objects import Key, Obj, deleting, labels, name, namespace, phase
from pvkit.backends.storage import (
    READ_WRITE_ONCE_POD,
    SELECTED_NODE,
    access_modes,
    bind_completed,
    volume_name,
    volume_source,
)
from pvkit.backends.workloads import claim_volumes, is_finished, node_name
from pvkit.conformance.history import SEEING, Change, Life, State
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
from pvkit.conformance.invariants.choice import PODS
from pvkit.conformance.invariants.fitting import (
    CLAIM,
    RESERVED,
    forged,
    free_for,
    is_delayed,
    key_of,
    reaches,
    volume_of,
)

WAITING = "https://kubernetes.io/docs/concepts/storage/storage-classes/#volume-binding-mode"
AFFINITY = "https://kubernetes.io/docs/concepts/storage/persistent-volumes/#node-affinity"
MODES = "https://kubernetes.io/docs/concepts/storage/persistent-volumes/#access-modes"
BINDER = "pkg/scheduler/framework/plugins/volumebinding/binder.go"
RESTRICTIONS = "pkg/scheduler/framework/plugins/volumerestrictions/volume_restrictions.go"

MOST_NODES = 8
_ZONES = ("topology.kubernetes.io/", "failure-domain.beta.kubernetes.io/")


@of_change_in("spec")
def _assigned(change: Change) -> str:
    """The node that a component gave to a pod by this change, "" for any other change."""
    if change.old is None or change.new is None or change.by_client or node_name(change.old):
        return ""
    return node_name(change.new)


def _claims(state: State, pod: Obj, ephemeral: bool = True) -> Iterator[tuple[Key, Obj | None]]:
    for claim, made_for_pod in claim_volumes(pod):
        if ephemeral or not made_for_pod:
            at = Key(CLAIM, namespace(pod), claim)
            yield at, state.lookup(at)


def _other_before(state: State, at: Key, life: Life, pod: Life) -> bool:
    """Whether the scheduler may have decided by an earlier object of this name."""
    if state.departed(at) is None:
        return False
    return not state.faults <= SEEING or life.born > pod.born or _late(state, life)


def _late(state: State, life: Life) -> bool:
    return life.born_at > state.time - state.header.backend.lag


@invariant(
    "PVB-110",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"SCHED-07, SCHED-18, SCHED-23, section 15 no. 12; {WAITING}; {BINDER}: checkBindings",
    on=("Pod MODIFIED",),
    needs=("order",),
    when=_assigned,
)
def pod_gets_a_node_after_its_volumes(change: Change, memory: Memory) -> Findings:
    """A pod is given a node only when the binding of each of its claims is complete."""
    state = change.state
    for at, claim in _claims(state, change.obj):
        life = state.life(at)
        if claim is None or life is None:
            if state.departed(at) is None:
                yield Violation(
                    f"pod {change.key.name} was given a node, its claim {at.name} does not exist", (change.obj,)
                )
        elif volume_name(claim) and bind_completed(claim):
            yield AT_RISK if life.changed > change.life.born else HELD
        elif not forged(life) and not _other_before(state, at, life, change.life):
            text = f"pod {change.key.name} was given node {node_name(change.obj)}, its claim {at.name} is not bound"
            yield Violation(text, (change.obj, claim))


@invariant(
    "PVB-111",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"SCHED-13, SCHED-19, W2; {AFFINITY}; {BINDER}: FindPodVolumes",
    on=("Pod MODIFIED",),
    needs=("order",),
    when=_assigned,
)
def pod_goes_where_its_volumes_are(change: Change, memory: Memory) -> Findings:
    """A pod is given only a node from which each of its volumes can be reached."""
    state, at_node = change.state, Key("Node", "", _assigned(change))
    node, node_life = state.lookup(at_node), state.life(at_node)
    if node is None or node_life is None or node_life.touched("labels", since=change.life.born):
        return
    if node_life.touched("labels") and not state.known(at_node):
        return
    for at, claim in _claims(state, change.obj):
        life = state.life(at)
        volume = volume_of(state, claim) if claim is not None else None
        if claim is None or life is None or volume is None or not bind_completed(claim):
            continue
        if _other_before(state, at, life, change.life) or _new_volume(change, volume):
            continue
        if reaches(volume, node):
            others = state.all("Node")[:MOST_NODES]
            yield AT_RISK if any(not reaches(volume, other) for other in others) else HELD
        else:
            text = f"pod {change.key.name} was given node {at_node.name}, from which volume {name(volume)}"
            yield Violation(f"{text} of claim {at.name} cannot be reached", (change.obj, claim, volume, node))


def _new_volume(change: Change, volume: Obj) -> bool:
    """Whether the volume took the place of another of its name since the pod appeared."""
    at = key_of(volume)
    life = change.state.life(at)
    return life is None or (
        change.state.departed(at) is not None and _other_before(change.state, at, life, change.life)
    )


@invariant(
    "PVB-112",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"SCHED-14, SCHED-26, X1; {MODES}; {RESTRICTIONS}",
    on=("Pod MODIFIED",),
    needs=("order",),
    when=_assigned,
)
def one_pod_uses_an_exclusive_claim(change: Change, memory: Memory) -> Findings:
    """No pod is given a node while another one on a node uses the same ReadWriteOncePod claim."""
    if not change.state.faults <= SEEING:
        return
    state = change.state
    for at, claim in _claims(state, change.obj, ephemeral=False):
        life = state.life(at)
        if claim is None or life is None or READ_WRITE_ONCE_POD not in access_modes(claim):
            continue
        if life.born > change.life.born:
            continue
        rivals = [pod for pod in state.find(PODS, at) if key_of(pod) != change.key]
        users = [pod for pod in rivals if _uses(change, pod, at)]
        if users:
            text = f"pod {change.key.name} was given a node while pod {name(users[0])} on {node_name(users[0])}"
            yield Violation(f"{text} uses claim {at.name}, which is for one pod", (change.obj, users[0], claim))
        else:
            yield AT_RISK if rivals else HELD


def _uses(change: Change, pod: Obj, claim: Key) -> bool:
    """Whether a pod used the claim on a node as the scheduler decided: pods that a client placed count if older."""
    life = change.state.life(key_of(pod))
    if not node_name(pod) or is_finished(pod) or (claim.name, False) not in claim_volumes(pod) or life is None:
        return False
    return not node_name(life.first) or (life.born < change.life.born and not _late(change.state, life))


def _assigned_or_going(change: Change) -> object:
    """A pod is given a node, or a claim is on its way out."""
    if change.key.kind == CLAIM:
        return change.new is None or deleting(change.new)
    return _assigned(change)


@invariant(
    "PVB-113",
    scope=Scope.EACH_STEP,
    level=Level.UPSTREAM,
    source=f"PROT-10, SCHED-17; {BINDER}",
    on=("Pod MODIFIED", CLAIM),
    needs=("order",),
    when=_assigned_or_going,
)
def pod_gets_no_node_for_a_claim_on_its_way_out(change: Change, memory: Memory) -> Findings:
    """A pod is given no node if one of its claims was to be deleted before the pod was made."""
    if change.key.kind == CLAIM:
        if change.new is None:
            memory.pop(change.key, None)
        elif deleting(change.new) and change.key not in memory:
            memory[change.key] = (change.event.index, change.event.time)
        return
    state = change.state
    if not state.faults <= SEEING:
        return
    for at, claim in _claims(state, change.obj):
        if claim is None:
            continue
        index, time = memory.get(at, (change.event.index, change.event.time))
        if index < change.life.born and time <= change.life.born_at - state.header.backend.lag:
            text = f"pod {change.key.name} was given a node, its claim {at.name} was to be deleted before"
            yield Violation(text, (change.obj, claim))
        else:
            yield HELD


def _is_plain(pod: Obj) -> bool:
    """Whether nothing but its volumes and a node selector can keep a pod from a node."""
    spec = pod["spec"]
    if node_name(pod) or deleting(pod) or is_finished(pod) or spec.get("schedulingGates"):
        return False
    if spec.get("schedulerName", "default-scheduler") != "default-scheduler":
        return False
    if spec.get("affinity") or spec.get("topologySpreadConstraints") or spec.get("resourceClaims"):
        return False
    containers = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    wants = any(
        entry.get("resources") or any(p.get("hostPort") for p in entry.get("ports") or ()) for entry in containers
    )
    return not wants and all("ephemeral" not in volume for volume in spec.get("volumes") or ())


def _welcoming(state: State, pod: Obj) -> Iterator[Obj]:
    """Nodes that take a plain pod, volumes aside."""
    wanted = pod["spec"].get("nodeSelector") or {}
    for node in state.all("Node"):
        spec = node.get("spec") or {}
        barred = spec.get("unschedulable") or any(
            t.get("effect") != "PreferNoSchedule" for t in spec.get("taints") or ()
        )
        if not barred and not deleting(node) and all(labels(node).get(k) == v for k, v in wanted.items()):
            yield node


def _simple(state: State, volume: Obj) -> bool:
    """Whether only node affinity says where a volume is: no zone labels, no limit on volumes of a node."""
    zoned = any(label.startswith(_ZONES) for label in labels(volume))
    return not zoned and not (volume_source(volume)[0] == "csi" and state.all("CSINode"))


def _standing(state: State, pod: Obj) -> tuple[list[Obj], list[Obj]] | None:
    """The volumes of a pod's bound claims and its unbound claims; None if something else keeps the pod waiting."""
    volumes, unbound = [], []
    for at, claim in _claims(state, pod):
        if claim is None or deleting(claim) or phase(claim) == "Lost" or _is_taken(state, at, claim):
            return None
        volume = volume_of(state, claim)
        if volume is None and not volume_name(claim):
            unbound.append(claim)
        elif volume is None or not bind_completed(claim) or not _simple(state, volume):
            return None
        else:
            volumes.append(volume)
    return volumes, unbound


def _is_taken(state: State, at: Key, claim: Obj) -> bool:
    if READ_WRITE_ONCE_POD not in access_modes(claim):
        return False
    return any(node_name(pod) and not is_finished(pod) for pod in state.find(PODS, at))


def _waiting(state: State) -> Iterator[tuple[Obj, list[Obj], list[Obj]]]:
    for pod in state.all("Pod"):
        standing = _standing(state, pod) if _is_plain(pod) else None
        if standing is not None:
            yield pod, standing[0], standing[1]


@invariant(
    "PVB-114",
    scope=Scope.SETTLED,
    level=Level.CONTRACT,
    source=f"SCHED-16, SCHED-18, W3; {AFFINITY}; {BINDER}",
)
def no_pod_waits_beside_its_bound_volumes(state: State, memory: Memory) -> Findings:
    """When all is quiet, no pod waits whose claims are bound to volumes that a node which takes it can reach."""
    for pod, volumes, unbound in _waiting(state):
        if unbound or not volumes:
            continue
        node = next((n for n in _welcoming(state, pod) if all(reaches(volume, n) for volume in volumes)), None)
        if node is not None:
            text = f"pod {name(pod)} waits although its claims are bound and node {name(node)} reaches its volumes"
            yield Violation(text, (pod, *volumes, node))
        else:
            yield HELD


@invariant(
    "PVB-115",
    scope=Scope.SETTLED,
    level=Level.CONTRACT,
    source=f"SCHED-04, SCHED-16, SCHED-19, TIME-05; {WAITING}; {BINDER}",
)
def no_pod_waits_beside_a_volume_for_its_claim(state: State, memory: Memory) -> Findings:
    """When all is quiet, no pod waits for one delayed claim while a free volume fits it on a node for the pod."""
    for pod, volumes, unbound in _waiting(state):
        if len(unbound) != 1 or not is_delayed(state, unbound[0]) or not _is_open(state, unbound[0]):
            continue
        claim = unbound[0]
        nodes = [n for n in _welcoming(state, pod) if all(reaches(volume, n) for volume in volumes)]
        fitting = (v for v in free_for(state, claim) if _simple(state, v) and any(reaches(v, n) for n in nodes))
        volume = next(fitting, None)
        if volume is not None:
            text = f"pod {name(pod)} waits for claim {name(claim)} although volume {name(volume)} is free and fits"
            yield Violation(text, (pod, claim, volume))
        else:
            yield AT_RISK if next(free_for(state, claim), None) is not None else HELD


def _is_open(state: State, claim: Obj) -> bool:
    """Whether the scheduler is free to choose among volumes: no node selected, nothing reserved for the claim."""
    marks = claim["metadata"].get("annotations") or {}
    gated = state.setup.minor < 34 and bool(claim["spec"].get("volumeAttributesClassName"))
    return SELECTED_NODE not in marks and not gated and not state.count(RESERVED, (namespace(claim), name(claim)))
