"""Collection: what has lost all its owners goes, what has one stays, and how an owner is deleted is respected.

Owners are meant by UID. When collection happens is open, so what must go is judged at rest; what must stay is judged
at each deletion. An object that nobody owns is deleted by its client or with its namespace, and by nobody else.
"""

from collections.abc import Iterator
from typing import Any

from pvkit.backends.objects import (
    API_VERSIONS,
    LEDGERS,
    NAMESPACED,
    Key,
    Obj,
    deleting,
    finalizers,
    name,
    namespace,
    owners,
    uid,
)
from pvkit.backends.tables import Index
from pvkit.conformance.history import SEEING, Change, State
from pvkit.conformance.invariant import AT_RISK, HELD, Findings, Level, Memory, Scope, Violation, invariant
from pvkit.conformance.invariants.moments import begins_to_go, born
from pvkit.conformance.invariants.sets import CLAIM, POD, REVISION, SET, is_exact, is_leaving

COLLECTION_DOC = "https://kubernetes.io/docs/concepts/architecture/garbage-collection/"
FOREGROUND_DOC = f"{COLLECTION_DOC}#foreground-deletion"
ORPHAN_DOC = f"{COLLECTION_DOC}#orphaned-dependents"
NAMESPACES_DOC = "https://kubernetes.io/docs/concepts/overview/working-with-objects/namespaces/"

FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"
OWNED = (CLAIM, POD, REVISION, "EndpointSlice", SET, "Service")
_UNTOLD = LEDGERS | {"Event"}
UNOWNED = (SET, "Service", "StorageClass", "ResourceQuota", "Node")


def _by_owner(obj: Obj) -> Iterator[tuple[str, Any]]:
    for owner in {str(ref.get("uid")) for ref in owners(obj)}:
        yield owner, name(obj)


DEPENDENTS = {kind: Index(f"{kind} by owner", kind, _by_owner) for kind in OWNED}


def _dependents(state: State, owner: str) -> Iterator[Obj]:
    for index in DEPENDENTS.values():
        yield from state.find(index, owner)


def _owner(state: State, obj: Obj, reference: Obj) -> Obj | None:
    """The owner that a reference names, if it exists with that UID."""
    kind = str(reference.get("kind"))
    where = namespace(obj) if kind in NAMESPACED else ""
    found = state.get(kind, where, str(reference.get("name")))
    return found if found is not None and uid(found) == reference.get("uid") else None


def _can_tell(obj: Obj) -> bool:
    """Whether all owners are of kinds that a history shows; others may exist unseen."""
    return all(
        ref.get("kind") not in _UNTOLD and ref.get("apiVersion") == API_VERSIONS.get(str(ref.get("kind")), "?")
        for ref in owners(obj)
    )


@invariant(
    "API-030",
    scope=Scope.SETTLED,
    level=Level.CONTRACT,
    source=f"GC-01, GC-03, DEL-01, DEL-05, L3; {COLLECTION_DOC}",
)
def orphaned_objects_are_collected(state: State, memory: Memory) -> Findings:
    """At rest nothing exists whose owners are all gone, unless a finalizer holds it."""
    known, seen = memory.get("owners") or set(), set()
    for kind in OWNED:
        for obj in state.all(kind):
            references = owners(obj)
            if not references or not _can_tell(obj):
                continue
            alive = any(_owner(state, obj, ref) is not None for ref in references)
            seen |= {ref["uid"] for ref in references}
            yield HELD
            if not alive and not deleting(obj):
                told = ", ".join(f"{ref['kind']} {ref['name']}" for ref in owners(obj))
                yield Violation(f"{kind} {name(obj)} exists although its owners are gone: {told}", (obj,))
    if known - seen:
        yield AT_RISK
    memory["owners"] = seen


@invariant(
    "API-031",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"GC-02; {COLLECTION_DOC}",
    on=("EndpointSlice", SET, "Service", REVISION),
    needs=("order",),
    when=begins_to_go,
)
def owned_objects_are_kept(change: Change, memory: Memory) -> Findings:
    """An object with an owner that exists, and does not wait for it to go, is not collected."""
    obj, state = change.old, change.state
    if obj is None or not owners(obj):
        return
    if change.gone and not is_exact(state):
        return
    if is_leaving(state, change.key.namespace) or "delay" in state.faults or change.key.kind == REVISION:
        return
    found = [_owner(state, obj, ref) for ref in owners(obj)]
    alive = [
        owner for owner in found if owner is not None and not (deleting(owner) and FOREGROUND in finalizers(owner))
    ]
    yield AT_RISK if any(found) else HELD
    if alive:
        yield Violation(f"{change.key} was deleted although its owner {name(alive[0])} exists", (obj, alive[0]))


def _may_let_go(change: Change) -> bool:
    """A component wrote an object that was to be deleted, or removed it."""
    return change.old is not None and not change.by_client and deleting(change.old)


@invariant(
    "API-032",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"DEL-02, GC-05; {FOREGROUND_DOC}",
    on=(SET, "Service", POD, CLAIM, REVISION),
    needs=("order",),
    when=_may_let_go,
)
def foreground_deletion_waits(change: Change, memory: Memory) -> Findings:
    """An owner that is deleted in the foreground goes after all dependents that block it."""
    obj, state = change.obj, change.state
    if not _lets_go(change, FOREGROUND):
        return
    yield AT_RISK
    for dependent in _dependents(state, uid(obj)):
        blocks = any(ref.get("uid") == uid(obj) and ref.get("blockOwnerDeletion") for ref in owners(dependent))
        if blocks and _is_old(state, dependent):
            yield Violation(f"{change.key} is gone and its dependent {name(dependent)} is not", (obj, dependent))


@invariant(
    "API-033",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"DEL-03, RETAIN-15; {ORPHAN_DOC}",
    on=(SET, "Service", POD, CLAIM, REVISION),
    needs=("order",),
    when=_may_let_go,
)
def orphans_are_set_free(change: Change, memory: Memory) -> Findings:
    """An owner that is deleted without its dependents goes after all references to it are taken away."""
    obj, state = change.obj, change.state
    if not _lets_go(change, ORPHAN):
        return
    yield AT_RISK
    for dependent in _dependents(state, uid(obj)):
        if _is_old(state, dependent):
            yield Violation(
                f"{change.key} was deleted without its dependents, and {name(dependent)} still refers to it",
                (obj, dependent),
            )


def _lets_go(change: Change, finalizer: str) -> bool:
    """Whether the collector took its finalizer off an owner; with the last one the owner is gone at once."""
    old, state = change.old, change.state
    if old is None or finalizer not in finalizers(old):
        return False
    since = change.life.hands.get("deletion", -1)
    if change.life.touched("finalizers", since=since) or not state.faults <= SEEING:
        return False
    return is_exact(state) if change.new is None else finalizer not in finalizers(change.new)


def _is_old(state: State, obj: Obj) -> bool:
    """Whether an object has been as it is for so long that the collector must know of it."""
    life = state.life(Key(obj["kind"], namespace(obj), name(obj)))
    return life is not None and life.changed_at <= state.time - state.header.backend.lag


def _is_free(change: Change) -> bool:
    """A component wrote an object without owners that nobody wanted to delete so far."""
    old = change.old
    return old is not None and not change.by_client and not owners(old) and not deleting(old)


@invariant(
    "API-034",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"DEL-07, GC-01; {COLLECTION_DOC}",
    on=UNOWNED,
    needs=("order",),
    when=_is_free,
)
def unowned_objects_are_kept(change: Change, memory: Memory) -> Findings:
    """An object without owners is deleted by its client, or with its namespace, and by nobody else."""
    obj = change.old
    if obj is None or change.life.touched("owners"):
        return
    yield HELD
    going = is_exact(change.state) if change.new is None else deleting(change.new)
    if going and not is_leaving(change.state, change.key.namespace):
        yield Violation(f"{change.key} was deleted by nobody's wish", (obj,))


@invariant(
    "API-035",
    scope=Scope.SETTLED,
    level=Level.CONTRACT,
    source=f"VALID-91; {NAMESPACES_DOC}",
)
def gone_namespaces_are_empty(state: State, memory: Memory) -> Findings:
    """At rest nothing exists in a namespace that does not, and one that is being deleted holds only what terminates."""
    spaces = {name(space): space for space in state.all("Namespace")}
    if not spaces:
        return
    for kind in NAMESPACED - {"Event"}:
        for obj in state.all(kind):
            space = spaces.get(namespace(obj))
            yield AT_RISK if space is None or deleting(space) else HELD
            if space is None:
                yield Violation(f"{kind} {name(obj)} exists in namespace {namespace(obj)}, which does not", (obj,))
            elif deleting(space) and not deleting(obj):
                yield Violation(f"{kind} {name(obj)} stays in namespace {name(space)}, which is being deleted", (obj,))


@invariant(
    "API-036",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"VALID-91; {NAMESPACES_DOC}",
    on=(POD, CLAIM, SET, REVISION, "Service", "EndpointSlice"),
    needs=("order",),
    when=born,
)
def nothing_is_made_in_a_leaving_namespace(change: Change, memory: Memory) -> Findings:
    """Nothing new appears in a namespace that is being deleted."""
    at = Key("Namespace", "", change.key.namespace)
    life = change.state.life(at)
    leaving = is_leaving(change.state, change.key.namespace)
    yield AT_RISK if leaving else HELD
    if leaving and life is not None and life.changed_at < change.event.time - change.state.header.backend.lag:
        yield Violation(f"{change.key} was created in a namespace that is being deleted", (change.obj,))
