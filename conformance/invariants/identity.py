"""Identity: a set's pod is its ordinal, with a name, labels and an owner that follow from it, and there is only one.

What is told here holds from the moment a pod is created. Whether two pods of one name ever ran side by side only a
ledger of processes can tell; force deletion and lost nodes are beyond what a set promises.
"""

from pvkit.backends.objects import (
    API_VERSIONS,
    Key,
    Obj,
    controller_of,
    deleting,
    get,
    labels,
    name,
    namespace,
    owners,
    selects,
    uid,
)
from pvkit.backends.tables import Index
from pvkit.backends.workloads import (
    POD_INDEX_LABEL,
    POD_NAME_LABEL,
    REVISION_LABEL,
    fits,
    node_name,
    ordinal,
    parent_and_ordinal,
)
from pvkit.conformance.history import Change, Life, State
from pvkit.conformance.invariant import AT_RISK, HELD, Findings, Level, Memory, Scope, Violation, invariant
from pvkit.conformance.invariants.cuts import Cuts
from pvkit.conformance.invariants.moments import begins_to_go, remembered
from pvkit.conformance.invariants.sets import (
    IDENTITY_DOC,
    OUT_OF_SERVICE,
    POD,
    POD_CHANGED,
    POD_GONE,
    POD_MADE,
    SET,
    UTILS,
    is_canonical,
    set_of,
    taken_away,
)

PROCESS = "Process"
MOST_GIVEN_UP = 256
ADOPTION = "pkg/controller/controller_ref_manager.go: ClaimObject"
LABELS_DOC = "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#pod-name-label"
NETWORK_DOC = "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#stable-network-id"
FORCE_DOC = "https://kubernetes.io/docs/tasks/run-application/force-delete-stateful-set-pod/"


def _made_by_set(change: Change) -> Obj | None:
    """The owner reference of a pod that a set just created, whether or not the set still exists."""
    if not change.born or change.by_client or change.life.by_client:
        return None
    owner = controller_of(change.obj)
    return owner if owner is not None and owner.get("kind") == SET else None


@invariant(
    "STS-001",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"IDENT-01, S4; {IDENTITY_DOC}",
    on=(POD_MADE,),
    when=_made_by_set,
)
def pod_name_is_set_and_ordinal(change: Change, memory: Memory) -> Findings:
    """A set's pod is named after the set and its ordinal."""
    owner = _made_by_set(change)
    if owner is None:
        return
    yield HELD
    pod = change.obj
    if not is_canonical(name(pod)) or parent_and_ordinal(name(pod))[0] != owner["name"]:
        yield Violation(f"set {owner['name']} created a pod with the name {name(pod)}", (pod,))


@invariant(
    "STS-002",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"IDENT-02, REV-02; {LABELS_DOC}",
    on=(POD_MADE,),
    when=_made_by_set,
)
def pod_carries_its_labels(change: Change, memory: Memory) -> Findings:
    """A set's pod is born with the labels for its name, its ordinal and its revision, and fits the set's selector."""
    if _made_by_set(change) is None:
        return
    yield HELD
    pod, marks = change.obj, labels(change.obj)
    for label, wanted in ((POD_NAME_LABEL, name(pod)), (POD_INDEX_LABEL, str(ordinal(pod)))):
        if marks.get(label) != wanted:
            yield Violation(f"{name(pod)} has {label}={marks.get(label)!r}, expected {wanted!r}", (pod,))
    if not marks.get(REVISION_LABEL):
        yield Violation(f"{name(pod)} has no label {REVISION_LABEL}", (pod,))
    stateful_set = set_of(change.state, pod)
    if stateful_set is not None and not selects(stateful_set["spec"].get("selector"), marks):
        yield Violation(f"{name(pod)} does not match the selector of its set", (pod, stateful_set))


@invariant(
    "STS-003",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"IDENT-03, DNS-01; {NETWORK_DOC}",
    on=(POD_MADE,),
    when=_made_by_set,
)
def pod_has_its_host_name(change: Change, memory: Memory) -> Findings:
    """A set's pod has its own name as hostname, and the set's service as subdomain."""
    if _made_by_set(change) is None:
        return
    yield HELD
    pod, stateful_set = change.obj, set_of(change.state, change.obj)
    if get(pod, "spec", "hostname") != name(pod):
        yield Violation(f"{name(pod)} has the hostname {get(pod, 'spec', 'hostname')!r}", (pod,))
    if stateful_set is None:
        return
    service = stateful_set["spec"].get("serviceName") or None
    if service and get(pod, "spec", "subdomain") != service:
        yield Violation(
            f"{name(pod)} has the subdomain {get(pod, 'spec', 'subdomain')!r}, expected {service!r}",
            (pod, stateful_set),
        )


@invariant(
    "STS-004",
    scope=Scope.EACH_STEP,
    level=Level.UPSTREAM,
    source=f"IDENT-05, DEL-02; {UTILS}: newStatefulSetPod",
    on=(POD_MADE,),
    when=_made_by_set,
)
def pod_is_controlled_by_its_set(change: Change, memory: Memory) -> Findings:
    """A set's pod has one controlling owner, the set itself, and holds back the set's foreground deletion."""
    owner = _made_by_set(change)
    if owner is None:
        return
    yield HELD
    pod = change.obj
    if sum(bool(found.get("controller")) for found in owners(pod)) > 1:
        yield Violation(f"{name(pod)} has more than one controlling owner", (pod,))
    if owner.get("apiVersion") != API_VERSIONS[SET] or not owner.get("blockOwnerDeletion") or not owner.get("uid"):
        yield Violation(f"{name(pod)} refers to its set by {owner}", (pod,))


def _is_adopted(change: Change) -> bool:
    """A component gave an object that nobody controlled to a set."""
    old, new = change.old, change.new
    if old is None or new is None or change.by_client or owners(old) == owners(new):
        return False
    owner = controller_of(new)
    return owner is not None and owner.get("kind") == SET and controller_of(old) is None


@invariant(
    "STS-005",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"IDENT-06, IDENT-12, S4; {ADOPTION}",
    on=(POD_CHANGED,),
    needs=("order",),
    follows=(Cuts,),
    when=_is_adopted,
)
def adopted_pod_fits(change: Change, memory: Memory) -> Findings:
    """A set adopts only orphans that match its selector and have a name of its own."""
    stateful_set = _adopter(change)
    if stateful_set is None or change.old is None:
        return
    yield AT_RISK
    pod = change.obj
    if parent_and_ordinal(name(pod))[0] != name(stateful_set):
        yield Violation(f"set {name(stateful_set)} adopted {name(pod)}, which has no name of its own", (pod,))
    elif not fits(stateful_set, change.old) and not _lately(change, "labels"):
        yield Violation(
            f"set {name(stateful_set)} adopted {name(pod)}, whose labels do not match its selector", (pod, stateful_set)
        )
    elif deleting(change.old) and not _lately(change, "deletion"):
        yield Violation(f"set {name(stateful_set)} adopted {name(pod)}, which is terminating", (pod,))


def _lately(change: Change, part: str) -> bool:
    """Whether the client changed a part of the object so lately that a set may not have seen it."""
    return change.life.touched(part, since=change.state.follow(Cuts).since)


def _adopter(change: Change) -> Obj | None:
    """The set that a pod was just given to by a controller; the set exists and controls it now."""
    owner = controller_of(change.obj)
    if owner is None:
        return None
    found = change.state.get(SET, change.key.namespace, str(owner["name"]))
    return found if found is not None and uid(found) == owner.get("uid") else None


@invariant(
    "STS-006",
    scope=Scope.EACH_STEP,
    level=Level.UPSTREAM,
    source="IDENT-06, DEL-04, HB-121; pkg/controller/statefulset/stateful_set.go: canAdoptFunc",
    on=(POD_CHANGED, "ControllerRevision MODIFIED"),
    needs=("order",),
    when=_is_adopted,
)
def going_set_adopts_nothing(change: Change, memory: Memory) -> Findings:
    """A set that is gone or being deleted adopts nothing, for it is asked for afresh before each adoption."""
    old, new, state = change.old, change.new, change.state
    owner = controller_of(change.obj)
    if old is None or new is None or owner is None or "delay" in state.faults:
        return
    at = Key(SET, change.key.namespace, str(owner["name"]))
    stateful_set, life = state.lookup(at), state.life(at)
    there = stateful_set is not None and uid(stateful_set) == owner.get("uid")
    yield HELD if there and stateful_set is not None and not deleting(stateful_set) else AT_RISK
    if not there and state.header.backend.lag == 0:
        yield Violation(f"{name(new)} was adopted by set {at.name}, which is gone", (new,))
    elif there and stateful_set is not None and life is not None and deleting(stateful_set) and _is_old(life, state):
        yield Violation(f"{name(new)} was adopted by set {at.name}, which is being deleted", (new, stateful_set))


def _is_old(life: Life, state: State) -> bool:
    return life.changed_at <= state.time - state.header.backend.lag


@invariant(
    "STS-007",
    scope=Scope.SETTLED,
    level=Level.CONTRACT,
    source=f"IDENT-06, IDENT-07; test/e2e/apps/statefulset.go: adopt matching orphans and release non-matching pods; "
    f"{ADOPTION}",
)
def orphans_are_adopted_and_strangers_released(state: State, memory: Memory) -> Findings:
    """At rest every orphan that fits a set belongs to it, and no pod that does not fit."""
    for pod in state.all(POD):
        if deleting(pod):
            continue
        owner, parent = controller_of(pod), parent_and_ordinal(name(pod))[0]
        stateful_set = state.get(SET, namespace(pod), str(owner["name"]) if owner else parent)
        if stateful_set is None or deleting(stateful_set):
            continue
        if owner is None and fits(stateful_set, pod):
            yield Violation(f"{name(pod)} fits set {name(stateful_set)} and has no controller", (pod, stateful_set))
        elif owner is not None and owner.get("uid") == uid(stateful_set):
            life = state.life(Key(POD, namespace(pod), name(pod)))
            yield AT_RISK if life is not None and life.touched("labels", "owners") else HELD
            if not fits(stateful_set, pod):
                yield Violation(
                    f"{name(pod)} does not fit set {name(stateful_set)}, which controls it", (pod, stateful_set)
                )


def _is_ownerless(change: Change) -> bool:
    return change.old is not None and not owners(change.old)


@invariant(
    "STS-008",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source="IDENT-09, IDENT-10, HB-020; https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/",
    on=(POD_CHANGED, POD_GONE),
    needs=("order",),
    follows=(Cuts,),
    when=_is_ownerless,
)
def foreign_pods_are_left_alone(change: Change, memory: Memory) -> Findings:
    """No set deletes a pod that it does not control."""
    pod = change.old
    if pod is None:
        return
    parent, at = parent_and_ordinal(name(pod))
    if change.state.get(SET, change.key.namespace, parent) is None:
        return
    yield HELD
    if not begins_to_go(change) or taken_away(change, pod):
        return
    cuts, where = change.state.follow(Cuts), Key(SET, change.key.namespace, parent)
    # A delete goes by name, so a view in which the set had a pod of that name excuses it (POD-12).
    if cuts.whole(where) and not any(cut[at].owner for cut in cuts.cuts(where) if at in cut):
        yield Violation(f"{name(pod)}, which nobody controls, was deleted", (pod,))


def _by_identity(process: Obj) -> list[tuple[tuple[str, str], str]]:
    spec = process["spec"]
    return [((str(spec["namespace"]), str(spec["pod"])), str(spec["podUID"]))]


def _is_process_or_given_up(change: Change) -> bool:
    return change.key.kind == PROCESS or given_up(change)


PROCESSES = Index("processes by the name of their pod", PROCESS, _by_identity, of_spec=True)


@invariant(
    "STS-009",
    scope=Scope.ALWAYS,
    level=Level.CONTRACT,
    source=f"ORDER-11, POD-11, S1; {FORCE_DOC}",
    on=(PROCESS, POD_CHANGED, POD_GONE),
    needs=("order", "ledgers"),
    when=_is_process_or_given_up,
)
def one_process_for_one_identity(change: Change, memory: Memory) -> Findings:
    """The containers of two pods of one name never run at once, unless one was given up by force."""
    kind = change.key.kind
    if kind == POD:
        memory[uid(change.obj)] = True
        if len(memory) > MOST_GIVEN_UP:
            del memory[next(iter(memory))]
        return
    if kind != PROCESS:
        return
    spec = change.obj["spec"]
    if change.gone:
        memory.pop(spec["podUID"], None)
        return
    if not change.born:
        return
    yield HELD
    for other in change.state.find(PROCESSES, (str(spec["namespace"]), str(spec["pod"]))):
        mine, theirs = str(spec["podUID"]), str(other["spec"]["podUID"])
        if mine != theirs and not memory.get(theirs) and not memory.get(mine) and not _abandoned(change.state, other):
            yield Violation(
                f"two pods with the name {spec['pod']} run at once, on {other['spec']['node']} and {spec['node']}",
                (other, change.obj),
            )


def _abandoned(state: State, process: Obj) -> bool:
    """Whether the process runs on a node that nobody hears of any more, or was restarted from an old list."""
    return "crash" in state.faults or state.get("Node", "", str(process["spec"]["node"])) is None


@remembered
def given_up(change: Change) -> bool:
    """Whether a pod is let go without asking its node: by force, for a lost node, or with no time to stop."""
    pod, old = change.obj, change.old
    if old is None:
        return False
    if _is_hasty(change) or (change.by_client and (change.gone or _no_grace(pod))):
        return True
    node = change.state.get("Node", "", node_name(pod))
    if node is None:
        return bool(node_name(pod))
    return any(taint.get("key") == OUT_OF_SERVICE for taint in (node.get("spec") or {}).get("taints") or ())


def _no_grace(pod: Obj) -> bool:
    return deleting(pod) and not pod["metadata"].get("deletionGracePeriodSeconds")


def _is_hasty(change: Change) -> bool:
    """The pod wants no time to stop, or a client wrote its status: nobody can rely on its node then."""
    return get(change.obj, "spec", "terminationGracePeriodSeconds") == 0 or change.life.touched("status")
