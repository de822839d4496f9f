"""Pods in their time: how they end, what must be over before they are gone, and that what ended stays ended.

A pod is gone only when its node has said that its containers have stopped; a pod that failed is replaced. Who lets
go of a pod by force, or of a node for good, is told that this no longer holds.
"""

from collections.abc import Iterator

from pvkit.backends.objects import Key, Obj, deleting, get, name, owners, phase, uid
from pvkit.backends.workloads import is_finished, is_parallel, node_name, ordinals
from pvkit.conformance.history import Change, State
from pvkit.conformance.invariant import AT_RISK, HELD, Findings, Level, Memory, Scope, Violation, invariant
from pvkit.conformance.invariants.acts import deletion_of
from pvkit.conformance.invariants.cuts import Cuts
from pvkit.conformance.invariants.identity import PROCESSES, given_up
from pvkit.conformance.invariants.moments import begins_to_go
from pvkit.conformance.invariants.rest import Standing, standings
from pvkit.conformance.invariants.sets import (
    CONTROL,
    POD,
    POD_CHANGED,
    POD_GONE,
    is_exact,
    is_leaving,
    node_troubled,
)

LIFETIME_DOC = "https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-lifetime"
TERMINATION_DOC = "https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination"

MOST_REPLACEMENTS = 12
"""How often a set may replace one pod that did not fail while nobody asks for anything."""
MOST_REMEMBERED = 512


@invariant(
    "STS-100",
    scope=Scope.SETTLED,
    level=Level.CONTRACT,
    source=f"POD-01, UPDATE-11; test/e2e/apps/statefulset.go: Should recreate evicted statefulset; {CONTROL}",
    follows=(Cuts,),
    when=standings,
)
def failed_pods_are_replaced(state: State, memory: Memory) -> Findings:
    """At rest no pod in range of a set has failed and was left so."""
    yield from _replaced(state, "Failed")


@invariant(
    "STS-101",
    scope=Scope.SETTLED,
    level=Level.UPSTREAM,
    source=f"POD-01, POD-15, HB-113; {CONTROL}: processReplica",
    follows=(Cuts,),
    when=standings,
)
def succeeded_pods_are_replaced(state: State, memory: Memory) -> Findings:
    """At rest no pod in range of a set has succeeded and was left so."""
    yield from _replaced(state, "Succeeded")


def _replaced(state: State, wanted: str) -> Findings:
    cuts = state.follow(Cuts)
    for standing in standings(state):
        lately = {
            f"{standing.at.name}-{one}"
            for cut in cuts.cuts(standing.at, cuts.rest_before)
            for one, glimpse in cut.items()
            if glimpse.finished
        }
        for pod in _come_by(state, standing):
            yield AT_RISK if name(pod) in lately else HELD
            if phase(pod) == wanted and not deleting(pod):
                yield Violation(f"{name(pod)} is {wanted} and was not replaced", (pod, standing.stateful_set))


def _come_by(state: State, standing: Standing) -> Iterator[Obj]:
    """The pods at which a pass looks: those that it passes, and the one that stops it."""
    yield from standing.passed
    span = ordinals(standing.stateful_set)
    if not is_parallel(standing.stateful_set) and standing.obstacle.endswith("has finished"):
        pod = state.get(POD, standing.at.namespace, f"{standing.at.name}-{span[len(standing.passed)]}")
        if pod is not None:
            yield pod


def _is_gone_or_given_up(change: Change) -> bool:
    return change.old is not None and (change.gone or given_up(change))


@invariant(
    "STS-102",
    scope=Scope.ALWAYS,
    level=Level.CONTRACT,
    source=f"POD-07, POD-11, HB-019, HB-114; {TERMINATION_DOC}",
    on=(POD_CHANGED, POD_GONE),
    needs=("order", "ledgers"),
    when=_is_gone_or_given_up,
)
def pod_goes_after_its_containers(change: Change, memory: Memory) -> Findings:
    """A pod object is removed only when its containers have stopped, unless it was given up by force."""
    pod = change.obj
    if change.old is None:
        return
    if given_up(change):
        memory[uid(pod)] = True
        if len(memory) > MOST_REMEMBERED:
            del memory[next(iter(memory))]
    if not change.gone or not node_name(pod):
        return
    if memory.pop(uid(pod), False):
        return
    yield AT_RISK
    for process in change.state.find(PROCESSES, (change.key.namespace, name(pod))):
        if process["spec"]["podUID"] == uid(pod):
            yield Violation(
                f"{name(pod)} was removed while its containers run on {process['spec']['node']}", (pod, process)
            )


def _is_collectable_or_going(change: Change) -> bool:
    return begins_to_go(change) or _collectable(change)


@invariant(
    "STS-103",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"POD-03, POD-12, HB-020; {TERMINATION_DOC}",
    on=(POD,),
    needs=("order",),
    follows=(Cuts,),
    when=_is_collectable_or_going,
)
def running_pod_gets_its_grace(change: Change, memory: Memory) -> Findings:
    """A running pod that is deleted, but not by its client, gets the time to stop that it asks for."""
    pod, state = change.old, change.state
    if _collectable(change):
        memory[change.key] = change.event.index
        if len(memory) > MOST_REMEMBERED:
            del memory[next(iter(memory))]
    if pod is None or not begins_to_go(change) or change.new is None or phase(pod) != "Running":
        return
    if not node_name(pod) or change.life.touched("status") or is_finished(change.new):
        return
    asked = int(get(pod, "spec", "terminationGracePeriodSeconds") or 0)
    if memory.get(change.key, -2) > state.follow(Cuts).since or node_troubled(state, pod):
        return
    yield AT_RISK if asked else HELD
    given = int(change.new["metadata"].get("deletionGracePeriodSeconds") or 0)
    if given < asked:
        yield Violation(f"{name(pod)} was deleted with a grace of {given} s, it asks for {asked}", (change.new,))


def _collectable(change: Change) -> bool:
    """Whether the pod collector may delete the pod by force, by its name alone."""
    pod = change.obj
    return not node_name(pod) if deleting(pod) else bool(node_name(pod)) and node_troubled(change.state, pod)


def _was_finished(change: Change) -> bool:
    return change.old is not None and is_finished(change.old)


@invariant(
    "STS-104",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"POD-01, POD-04; {LIFETIME_DOC}",
    on=(POD_CHANGED,),
    when=_was_finished,
)
def finished_pod_stays_finished(change: Change, memory: Memory) -> Findings:
    """A pod that has failed or succeeded never runs again."""
    old, new = change.old, change.new
    if old is None or new is None or change.life.touched("status"):
        return
    # A node agent that restarts from an old list may run a pod again of whose end it does not know (HB-018).
    if "crash" in change.state.faults:
        return
    yield HELD
    if phase(new) != phase(old):
        yield Violation(f"{name(new)} was {phase(old)} and is {phase(new)}", (old, new))


@invariant(
    "STS-105",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"IDENT-11; {LIFETIME_DOC}",
    on=(POD_CHANGED,),
)
def pod_stays_on_its_node(change: Change, memory: Memory) -> Findings:
    """A pod that has a node never gets another one."""
    old, new = change.old, change.new
    if old is None or new is None or not node_name(old):
        return
    yield HELD
    if node_name(new) != node_name(old):
        yield Violation(f"{name(new)} moved from {node_name(old)} to {node_name(new) or 'nowhere'}", (old, new))


@invariant(
    "STS-106",
    scope=Scope.EACH_STEP,
    level=Level.UPSTREAM,
    source="S5, HB-109, HB-112; https://kubernetes.io/docs/concepts/architecture/controller/",
    on=(POD_CHANGED, POD_GONE),
    needs=("order",),
    follows=(Cuts,),
    when=begins_to_go,
)
def pods_are_not_replaced_over_and_over(change: Change, memory: Memory) -> Findings:
    """While nobody asks for anything, a set does not replace one pod that did not fail again and again."""
    if change.state.faults:
        return
    act = deletion_of(change)
    if act is None or is_leaving(change.state, change.key.namespace):
        return
    if memory.get("asked") != change.state.asked:
        memory.clear()
        memory["asked"] = change.state.asked
    at: Key = change.key
    memory[at] = memory.get(at, 0) + 1
    yield AT_RISK if memory[at] > 1 else HELD
    if memory[at] > MOST_REPLACEMENTS:
        yield Violation(
            f"{name(act.pod)} was replaced {memory[at]} times without a reason", (act.pod, act.stateful_set)
        )


def _goes_or_is_collectable(change: Change) -> bool:
    return (change.gone and change.old is not None) or _is_collectable_or_going(change)


@invariant(
    "STS-113",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"POD-12, HB-020; {TERMINATION_DOC}",
    on=(POD,),
    needs=("order",),
    follows=(Cuts,),
    when=_goes_or_is_collectable,
)
def pods_of_nobody_are_kept(change: Change, memory: Memory) -> Findings:
    """A pod without owners is deleted by its client, with its namespace or for its node, and by nobody else."""
    pod, state = change.old, change.state
    if _collectable(change):
        memory[change.key] = change.event.index
        if len(memory) > MOST_REMEMBERED:
            del memory[next(iter(memory))]
    if pod is None or owners(pod) or change.life.touched("owners", "status"):
        return
    if not begins_to_go(change):
        if change.gone:
            yield HELD
        return
    if is_finished(pod) or is_leaving(state, change.key.namespace) or (change.gone and not is_exact(state)):
        return
    if memory.get(change.key, -2) > state.follow(Cuts).since or node_troubled(state, pod):
        return
    yield Violation(f"{name(pod)} was deleted by nobody's wish", (pod,))
