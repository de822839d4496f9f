"""Convergence: at rest a set has the pods that it wants, as far as nothing that is no fault of its own is in the way.

What is in the way is a pod that is broken or terminating under OrderedReady, a name that is taken, a claim that is
going, a quota. Where none of these is found, the set has simply stopped working.
"""

from collections.abc import Iterator

from pvkit.backends.objects import Obj, deleting, labels, name
from pvkit.backends.workloads import (
    POD_NAME_LABEL,
    first_ordinal,
    is_parallel,
    is_ready,
    ordinal,
    ordinals,
    partition,
    revision,
    strategy,
)
from pvkit.conformance.history import State
from pvkit.conformance.invariant import AT_RISK, HELD, Findings, Level, Memory, Scope, Violation, invariant
from pvkit.conformance.invariants.cuts import Cuts
from pvkit.conformance.invariants.rest import Standing, is_available, obstacle_at, standings, why_absent
from pvkit.conformance.invariants.sets import CONTROL, DEPLOYING_DOC, POD, UPDATE_DOC

GUARANTEES = f"LIVE-08, SCALE-01; {DEPLOYING_DOC}"


@invariant(
    "STS-080",
    scope=Scope.SETTLED,
    level=Level.CONTRACT,
    source=f"{GUARANTEES}; exceptions: LIVE-09",
    follows=(Cuts,),
    when=standings,
)
def no_pod_is_missing(state: State, memory: Memory) -> Findings:
    """At rest a set has a pod for every ordinal in range, up to the first that is not ready with OrderedReady."""
    for standing in standings(state):
        missing = list(_missing(state, standing))
        yield AT_RISK if missing or len(standing.passed) else HELD
        for at in missing:
            if not why_absent(state, standing, at):
                yield Violation(
                    f"{standing.at.name}-{at} does not exist, and nothing is in its way", (standing.stateful_set,)
                )


def _missing(state: State, standing: Standing) -> Iterator[int]:
    """The ordinals whose pod a pass would create: the next one, or all with Parallel unless an error stops the pass."""
    span = ordinals(standing.stateful_set)
    if not is_parallel(standing.stateful_set):
        if standing.obstacle.endswith("does not exist"):
            yield span[len(standing.passed)]
        return
    absent = [at for at in span if state.get(POD, standing.at.namespace, f"{standing.at.name}-{at}") is None]
    if (
        absent
        and not any(why_absent(state, standing, at) for at in span if at in absent)
        and not _errs(state, standing)
    ):
        yield from absent


def _errs(state: State, standing: Standing) -> bool:
    """Whether a pod that exists ends a pass with an error: its name is taken, or its claims are wrong or going."""
    span = ordinals(standing.stateful_set)
    found = ((at, state.get(POD, standing.at.namespace, f"{standing.at.name}-{at}")) for at in span)
    return any(pod is not None and obstacle_at(state, standing.stateful_set, pod, at) for at, pod in found)


@invariant(
    "STS-081",
    scope=Scope.SETTLED,
    level=Level.CONTRACT,
    source=f"{GUARANTEES}; L2, ORDER-06, HB-103, HB-104",
    follows=(Cuts,),
    when=standings,
)
def condemned_pods_are_gone(state: State, memory: Memory) -> Findings:
    """At rest a healthy set has no pods out of range, but for broken ones that wait for each other."""
    for standing in standings(state):
        if standing.obstacle or not is_available(state, standing.stateful_set):
            continue
        yield AT_RISK if standing.condemned else HELD
        for pod in _overdue(standing):
            yield Violation(f"{name(pod)} is out of range and was not deleted", (pod, standing.stateful_set))


def _overdue(standing: Standing) -> Iterator[Obj]:
    """Condemned pods that a pass would delete: all with Parallel, else the highest unless a broken one is below it."""
    staying = [pod for pod in standing.condemned if not deleting(pod)]
    if is_parallel(standing.stateful_set):
        yield from staying
    elif staying and staying[0] is standing.condemned[0]:
        broken = [pod for pod in standing.condemned[1:] if deleting(pod) or not is_ready(pod)]
        if is_ready(staying[0]) or not broken:
            yield staying[0]


@invariant(
    "STS-082",
    scope=Scope.SETTLED,
    level=Level.CONTRACT,
    source=f"UPDATE-01, LIVE-08, L1; {UPDATE_DOC}",
    follows=(Cuts,),
    when=standings,
)
def update_reaches_every_pod(state: State, memory: Memory) -> Findings:
    """At rest a rolling update has replaced every outdated pod from the partition on, if all pods are ready."""
    for standing in standings(state):
        stateful_set, status = standing.stateful_set, standing.stateful_set.get("status") or {}
        whole = not standing.obstacle and not standing.condemned and is_available(state, stateful_set)
        if strategy(stateful_set) != "RollingUpdate" or not whole or not all(map(_is_healthy, standing.passed)):
            continue
        life = state.life(standing.at)
        if life is None or life.touched("status") or _lags(stateful_set):
            continue
        wanted = str(status.get("updateRevision"))
        due = [pod for pod in standing.passed if ordinal(pod) - first_ordinal(stateful_set) >= partition(stateful_set)]
        yield AT_RISK if due and int(stateful_set["metadata"].get("generation") or 0) > 1 else HELD
        for pod in due:
            if revision(pod) != wanted:
                yield Violation(
                    f"{name(pod)} is still at revision {revision(pod)!r}, its set wants {wanted!r}", (pod, stateful_set)
                )


def _is_healthy(pod: Obj) -> bool:
    return is_ready(pod) and not deleting(pod)


def _lags(stateful_set: Obj) -> bool:
    """Whether the status tells of an earlier generation."""
    status = stateful_set.get("status") or {}
    return bool(status.get("observedGeneration") != stateful_set["metadata"].get("generation"))


@invariant(
    "STS-083",
    scope=Scope.SETTLED,
    level=Level.UPSTREAM,
    source=f"IDENT-04; {CONTROL}: processReplica; pkg/controller/statefulset/stateful_set_utils.go: identityMatches",
    follows=(Cuts,),
    when=standings,
)
def name_label_is_restored(state: State, memory: Memory) -> Findings:
    """At rest the ready pods of a set carry the label with their name, put back where somebody changed it."""
    for standing in standings(state):
        for pod in standing.passed:
            if not _is_healthy(pod):
                continue
            life = state.life(standing.at._replace(kind=POD, name=name(pod)))
            yield AT_RISK if life is not None and life.touched("labels") else HELD
            if labels(pod).get(POD_NAME_LABEL) != name(pod):
                yield Violation(
                    f"{name(pod)} has {POD_NAME_LABEL}={labels(pod).get(POD_NAME_LABEL)!r}",
                    (pod, standing.stateful_set),
                )
