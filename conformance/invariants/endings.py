"""Endings: what is deleted goes once nothing holds it, and nobody takes away what somebody else holds it with.

When something goes is open, so it is judged at rest; a cluster whose clock nobody can turn may still be at it then,
and what ends only after a minute is asked of those alone that keep a time of their own.
"""

from collections.abc import Iterator

from pvkit.backends.objects import (
    API_VERSIONS,
    LEDGERS,
    NAMESPACED,
    Obj,
    deleting,
    finalizers,
    name,
    namespace,
    owners,
    uid,
)
from pvkit.backends.workloads import is_finished, node_name
from pvkit.conformance.history import Change, State
from pvkit.conformance.invariant import AT_RISK, HELD, Findings, Level, Memory, Scope, Violation, invariant
from pvkit.conformance.invariants.collection import (
    COLLECTION_DOC,
    FOREGROUND,
    FOREGROUND_DOC,
    NAMESPACES_DOC,
    ORPHAN,
    OWNED,
)
from pvkit.conformance.invariants.fitting import CLAIM, VOLUME, key_of
from pvkit.conformance.invariants.sets import POD, SET, is_exact

FINALIZERS_DOC = "https://kubernetes.io/docs/concepts/overview/working-with-objects/finalizers/"
TERMINATION_DOC = "https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination"
GONE_NODES_DOC = "https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-garbage-collection"

COMPONENTS = ("kubernetes.io/", "external-provisioner.", "external-attacher", FOREGROUND, ORPHAN)
"""How the finalizers begin that components put on and take off."""


def _holds_any(state: State, space: str) -> bool:
    return any(namespace(obj) == space for kind in NAMESPACED - {"Event"} for obj in state.all(kind))


def _departed(memory: Memory, present: set[str]) -> bool:
    """Whether anything of what was there at the last rest is gone by now."""
    before = memory.get("before") or set()
    memory["before"] = present
    return bool(before - present)


@invariant(
    "API-037",
    scope=Scope.SETTLED,
    level=Level.CONTRACT,
    source=f"VALID-91; {NAMESPACES_DOC}",
    when=is_exact,
)
def empty_namespaces_go(state: State, memory: Memory) -> Findings:
    """At rest no namespace that was deleted is left with nothing in it."""
    spaces = [space for space in state.all("Namespace") if deleting(space)]
    if _departed(memory, {uid(space) for space in state.all("Namespace")}):
        yield AT_RISK
    for space in spaces:
        if not finalizers(space) and not _holds_any(state, name(space)):
            yield Violation(f"namespace {name(space)} was deleted, is empty and stays", (space,))
        else:
            yield HELD


@invariant(
    "API-038",
    scope=Scope.SETTLED,
    level=Level.CONTRACT,
    source=f"GC-05, DEL-02, DEL-03; {FOREGROUND_DOC}; {COLLECTION_DOC}",
    when=is_exact,
)
def owners_wait_for_somebody(state: State, memory: Memory) -> Findings:
    """At rest no owner waits for dependents that do not block it, or are gone."""
    waiting = [obj for kind in OWNED for obj in state.all(kind) if deleting(obj)]
    held = [(obj, mark) for obj in waiting for mark in (FOREGROUND, ORPHAN) if mark in finalizers(obj)]
    if _departed(memory, {uid(obj) for kind in OWNED for obj in state.all(kind)}):
        yield HELD
    for obj, mark in held:
        yield AT_RISK
        if not any(_holds_back(dependent, uid(obj), mark) for dependent in _everything(state)):
            yield Violation(f"{key_of(obj)} has finalizer {mark}, and nobody depends on it", (obj,))


def _everything(state: State) -> Iterator[Obj]:
    for kind in API_VERSIONS.keys() - LEDGERS:
        yield from state.all(kind)


def _holds_back(dependent: Obj, owner: str, mark: str) -> bool:
    """Whether an object keeps its owner: every dependent is to be set free, but only some block."""
    return any(
        ref.get("uid") == owner and (mark == ORPHAN or bool(ref.get("blockOwnerDeletion"))) for ref in owners(dependent)
    )


def _takes_off(change: Change) -> bool:
    """Whether a component took something off an object that was held, or the object away."""
    old, new = change.old, change.new
    return (
        old is not None
        and not change.by_client
        and bool(finalizers(old))
        and (new is None or finalizers(new) != finalizers(old))
    )


@invariant(
    "API-039",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"PROT-12; {FINALIZERS_DOC}",
    on=(CLAIM, VOLUME, POD, SET),
    when=_takes_off,
)
def finalizers_of_others_stay(change: Change, memory: Memory) -> Findings:
    """A finalizer is taken off by whom it belongs to: no component of Kubernetes takes off one of somebody else."""
    old, new = change.old, change.new
    if old is None or (new is None and not is_exact(change.state)):
        return
    kept = finalizers(new) if new is not None else []
    lost = [entry for entry in finalizers(old) if entry not in kept and not entry.startswith(COMPONENTS)]
    yield AT_RISK if any(not entry.startswith(COMPONENTS) for entry in finalizers(old)) else HELD
    if lost:
        yield Violation(f"{change.key} lost finalizer {lost[0]}, which is no component's", (old,))


@invariant(
    "STS-107",
    scope=Scope.SETTLED,
    level=Level.CONTRACT,
    source=f"POD-04, POD-05; {TERMINATION_DOC}",
)
def finished_pods_that_are_deleted_go(state: State, memory: Memory) -> Findings:
    """At rest no deleted pod is left whose containers have stopped."""
    pods = state.all(POD)
    if _departed(memory, {uid(pod) for pod in pods if node_name(pod)}):
        yield AT_RISK
    for pod in pods:
        life = state.life(key_of(pod))
        if life is None or not deleting(pod) or not node_name(pod) or finalizers(pod):
            continue
        if is_finished(pod) and not life.touched("status") and state.get("Node", "", node_name(pod)) is not None:
            yield Violation(f"{name(pod)} was deleted, has finished and stays", (pod,))
        else:
            yield HELD


@invariant(
    "STS-108",
    scope=Scope.SETTLED,
    level=Level.CONTRACT,
    source=f"POD-08, POD-10; {GONE_NODES_DOC}",
    when=is_exact,
)
def pods_of_gone_nodes_go(state: State, memory: Memory) -> Findings:
    """At rest no pod is left on a node that does not exist."""
    for pod in state.all(POD):
        if not node_name(pod):
            continue
        if state.get("Node", "", node_name(pod)) is not None:
            yield HELD
        elif not (deleting(pod) and finalizers(pod)):
            yield Violation(f"{name(pod)} is on node {node_name(pod)}, which does not exist", (pod,))
        else:
            yield AT_RISK
