"""Metadata: what the API server keeps about every object, and never takes back.

An object has one UID and one time of creation; its version rises with every write; a deletion that was asked for is
not forgotten, waits for all finalizers, and takes no new ones.
"""

from pvkit.backends.objects import Obj, created_at, deleting, finalizers, get, uid, version
from pvkit.backends.workloads import node_name
from pvkit.conformance.history import Change
from pvkit.conformance.invariant import AT_RISK, HELD, Findings, Level, Memory, Scope, Violation, invariant
from pvkit.conformance.invariants.moments import born, lasted, was_leaving
from pvkit.conformance.invariants.sets import POD_GONE, is_exact

KINDS = (
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Pod",
    "StatefulSet",
    "ControllerRevision",
    "StorageClass",
    "Service",
    "EndpointSlice",
    "Node",
    "Namespace",
)

KINDS_GONE = tuple(f"{kind} DELETED" for kind in KINDS)

REQUEST_SECONDS = 60.0
"""How long an API server works on a request at most (its `--request-timeout`)."""

CONCEPTS = "https://kubernetes.io/docs/reference/using-api/api-concepts/"
CONVENTIONS = (
    "https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md"
)
FINALIZERS_DOC = "https://kubernetes.io/docs/concepts/overview/working-with-objects/finalizers/"
NAMES_DOC = "https://kubernetes.io/docs/concepts/overview/working-with-objects/names/"
META_VALIDATION = "staging/src/k8s.io/apimachinery/pkg/api/validation/objectmeta.go: ValidateObjectMetaUpdate"


@invariant(
    "API-001",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"B2; {NAMES_DOC}#uids; {META_VALIDATION}",
    on=KINDS,
    when=lasted,
)
def object_stays_itself(change: Change, memory: Memory) -> Findings:
    """An object keeps its UID and its time of creation for as long as it exists."""
    old, obj = change.old, change.obj
    if old is None:
        return
    yield HELD
    if uid(obj) != uid(old):
        yield Violation(f"{change.key} changed its UID from {uid(old)} to {uid(obj)}", (old, obj))
    elif created_at(obj) != created_at(old):
        yield Violation(f"{change.key} changed its time of creation", (old, obj))


@invariant(
    "API-002",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"S1, IDENT-11; {NAMES_DOC}#uids",
    on=KINDS,
    when=born,
)
def new_object_has_a_new_uid(change: Change, memory: Memory) -> Findings:
    """An object that is created again under the same name has another UID."""
    before = change.state.departed(change.key)
    if before is None:
        return
    yield AT_RISK
    if uid(before) == uid(change.obj):
        yield Violation(f"{change.key} was gone and came back with its UID", (change.obj,))


@invariant(
    "API-003",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"live.md 4; {CONCEPTS}#resource-versions",
    on=KINDS,
)
def versions_rise(change: Change, memory: Memory) -> Findings:
    """The resourceVersion of an object rises with every change, and where there is one order, over all objects."""
    old, now = change.old, version(change.obj)
    if old is not None:
        yield HELD
        if now <= version(old):
            yield Violation(f"{change.key} went from version {version(old)} to {now}", (old, change.obj))
    # The watches of a cluster are put in order piece by piece, so there a version may come late.
    if is_exact(change.state) and change.state.header.backend.ordered:
        yield HELD
        if now <= memory.get("last", 0):
            yield Violation(f"{change.key} has version {now}, after {memory['last']}", (change.obj,))
        memory["last"] = now


@invariant(
    "API-004",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"PROT-04; {CONVENTIONS}; {META_VALIDATION}",
    on=KINDS,
    when=was_leaving,
)
def deletion_is_not_taken_back(change: Change, memory: Memory) -> Findings:
    """A deletion that was asked for stays asked for, and the time that it leaves does not grow."""
    old, new = change.old, change.new
    if old is None or new is None:
        return
    yield HELD
    if not deleting(new):
        yield Violation(f"{change.key} was being deleted and is not any more", (old, new))
    elif _grace(new) > _grace(old):
        yield Violation(f"{change.key} had {_grace(old)} s to stop and has {_grace(new)} s", (old, new))


def _grace(obj: Obj) -> int:
    return int(obj["metadata"].get("deletionGracePeriodSeconds") or 0)


@invariant(
    "API-005",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"PROT-12; {FINALIZERS_DOC}; {META_VALIDATION}",
    on=KINDS,
    when=was_leaving,
)
def no_finalizer_comes_late(change: Change, memory: Memory) -> Findings:
    """An object that is being deleted gets no new finalizers."""
    old, new = change.old, change.new
    if old is None or new is None:
        return
    late = set(finalizers(new)) - set(finalizers(old)) - {"orphan", "foregroundDeletion"}
    yield AT_RISK if finalizers(old) != finalizers(new) else HELD
    if late:
        yield Violation(f"{change.key} is being deleted and got the finalizer {', '.join(sorted(late))}", (old, new))


@invariant(
    "API-006",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"PROT-01, HB-139; {FINALIZERS_DOC}",
    on=KINDS_GONE,
)
def finalizers_are_waited_for(change: Change, memory: Memory) -> Findings:
    """An object with finalizers is first marked and goes with the last of them."""
    old = change.old
    if _took_over(change, memory) or old is None or not finalizers(old):
        return
    yield AT_RISK
    if not deleting(old):
        yield Violation(f"{change.key} was removed at once in spite of {', '.join(finalizers(old))}", (old,))


@invariant(
    "API-007",
    scope=Scope.EACH_STEP,
    level=Level.UPSTREAM,
    source="POD-02, POD-03, live.md 1; pkg/registry/core/pod/strategy.go: CheckGracefulDelete",
    on=(POD_GONE,),
)
def pods_are_marked_before_they_go(change: Change, memory: Memory) -> Findings:
    """A pod is marked as terminating before it is removed, however short the time between."""
    old = change.old
    if _took_over(change, memory) or old is None or not change.gone:
        return
    yield AT_RISK if node_name(old) else HELD
    if not deleting(old):
        yield Violation(f"{change.key} was removed without having been terminating", (old,))


def _took_over(change: Change, memory: Memory) -> bool:
    """Whether the object had taken the name of one that went not long ago; it is noted that this one goes now.

    A deletion by name that met the one before may, in its second half, remove the next: `docs/findings/`. The state
    does not tell: what it knows as departed under a key is by now this object itself, without a time.
    """
    now = change.event.time
    while memory and memory[next(iter(memory))] < now - REQUEST_SECONDS:
        del memory[next(iter(memory))]
    recent = memory.pop(change.key, None) is not None
    memory[change.key] = now
    return recent


@invariant(
    "API-008",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source="STATUS-16, VALID-18; https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/object-meta/",
    on=("StatefulSet",),
)
def generation_counts_wishes(change: Change, memory: Memory) -> Findings:
    """A set's generation is 1 at first, rises when its spec changes or its deletion begins, and else stays."""
    old, new = change.old, change.new
    if new is None:
        return
    generation = int(new["metadata"].get("generation") or 0)
    if old is None:
        yield HELD
        if generation != 1:
            yield Violation(f"{change.key} was created with generation {generation}", (new,))
        return
    before = int(old["metadata"].get("generation") or 0)
    wishes = new["spec"] != old["spec"] or deleting(new) != deleting(old)
    yield AT_RISK if wishes else HELD
    if generation < before or (generation > before and not wishes):
        yield Violation(f"{change.key} went from generation {before} to {generation} without a new spec", (old, new))
    if generation == before and _differs(old, new):
        yield Violation(f"{change.key} got a new spec and kept generation {generation}", (old, new))


def _differs(old: Obj, new: Obj) -> bool:
    """Whether the spec changed in what two texts cannot say in the same way."""
    return any(get(old, "spec", field) != get(new, "spec", field) for field in ("replicas", "podManagementPolicy"))
