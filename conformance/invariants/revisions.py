"""Revisions: the history of a set's template, kept in ControllerRevisions.

Each template that a set has had is one revision, used again when the template comes back. Pods say which they were
made from, and tell the truth. What nothing refers to is trimmed to the history limit.
"""

from collections.abc import Iterator

from pvkit.backends.objects import Key, Obj, controller_of, get, name, namespace, uid
from pvkit.backends.protocol import Settled
from pvkit.backends.workloads import revision
from pvkit.conformance.history import SEEING, Asked, Change, State
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
from pvkit.conformance.invariants.acts import creation_of
from pvkit.conformance.invariants.cuts import Cuts
from pvkit.conformance.invariants.rest import Standing, owns, standings
from pvkit.conformance.invariants.sets import (
    CONTROL,
    POD_MADE,
    PODS_BY_PARENT,
    REVISION,
    REVISIONS_BY_SET,
    SET,
    made_from,
    template_of,
)

HISTORY = "pkg/controller/history/controller_history.go"
LIMIT_DOC = "https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/stateful-set-v1/#StatefulSetSpec"
DEFAULT_LIMIT = 10


@invariant(
    "STS-030",
    scope=Scope.EACH_STEP,
    level=Level.UPSTREAM,
    source=f"REV-02; {CONTROL}: newVersionedStatefulSetPod",
    on=(POD_MADE,),
    needs=("order",),
    follows=(Cuts,),
    when=creation_of,
)
def pod_names_its_revision(change: Change, memory: Memory) -> Findings:
    """The revision label of a new pod is the full name of a ControllerRevision of its set, or of one before it.

    A set that is made again under its name takes its predecessor's revision of the same template for its own, though
    the collector may be about to remove it.
    """
    act = creation_of(change)
    if act is None:
        return
    yield HELD
    key = Key(REVISION, act.at.namespace, revision(act.pod))
    found = change.state.lookup(key) or change.state.departed(key)
    owner = controller_of(found) if found is not None else None
    if found is None or (owner is not None and owner.get("name") != name(act.stateful_set)):
        yield Violation(
            f"{name(act.pod)} is labelled as of revision {key.name!r}, which its set does not have",
            (act.pod, act.stateful_set),
        )


@invariant(
    "STS-031",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"REV-01, S6; {CONTROL}: newVersionedStatefulSetPod",
    on=(POD_MADE,),
    needs=("order",),
    follows=(Cuts,),
    when=creation_of,
)
def pod_is_made_from_its_revision(change: Change, memory: Memory) -> Findings:
    """A new pod has the images, labels and annotations of the template that its revision records."""
    act = creation_of(change)
    found = change.state.get(REVISION, act.at.namespace, revision(act.pod)) if act is not None else None
    if act is None or found is None or not template_of(found):
        return
    several = change.state.count(REVISIONS_BY_SET, uid(act.stateful_set)) > 1
    yield AT_RISK if several else HELD
    if not made_from(act.pod, template_of(found)):
        yield Violation(f"{name(act.pod)} is not what its revision {name(found)} records", (act.pod, found))


@invariant(
    "STS-032",
    scope=Scope.EACH_STEP,
    level=Level.UPSTREAM,
    source=f"REV-04, REV-06, UPDATE-20, HB-109; {HISTORY}: CreateControllerRevision",
    on=(f"{REVISION} ADDED",),
)
def templates_are_recorded_once(change: Change, memory: Memory) -> Findings:
    """No template of a set is recorded in two revisions."""
    made, owner = change.new, controller_of(change.obj)
    if made is None or not change.born or change.life.by_client or owner is None:
        return
    others = [found for found in change.state.find(REVISIONS_BY_SET, str(owner["uid"])) if uid(found) != uid(made)]
    yield AT_RISK if others else HELD
    for other in others:
        life = change.state.life(Key(REVISION, namespace(other), name(other)))
        if other.get("data") == made.get("data") and life is not None and not life.by_client:
            yield Violation(f"revisions {name(other)} and {name(made)} record the same template", (other, made))


@invariant(
    "STS-033",
    scope=Scope.EACH_STEP,
    level=Level.UPSTREAM,
    source=f"REV-07, UPDATE-20; {HISTORY}: UpdateControllerRevision",
    on=(REVISION,),
    needs=("order",),
)
def newest_revision_has_the_highest_number(change: Change, memory: Memory) -> Findings:
    """A revision that is recorded or used again gets a number above those of all others of its set."""
    made, owner, state = change.new, controller_of(change.obj), change.state
    if made is None or change.by_client or owner is None or not state.faults <= SEEING:
        return
    if change.old is not None and change.old.get("revision") == made.get("revision"):
        return
    number = int(made.get("revision") or 0)
    others = [found for found in state.find(REVISIONS_BY_SET, str(owner["uid"])) if uid(found) != uid(made)]
    known = [found for found in others if state.known(Key(REVISION, namespace(found), name(found)))]
    yield AT_RISK if known else HELD
    higher = [found for found in known if int(found.get("revision") or 0) >= number]
    if higher:
        yield Violation(
            f"revision {name(made)} got number {number}, and {name(higher[0])} has {higher[0].get('revision')}",
            (made, higher[0]),
        )


@invariant(
    "STS-034",
    scope=Scope.SETTLED,
    level=Level.CONTRACT,
    source=f"REV-05; {LIMIT_DOC}; {CONTROL}: truncateHistory",
    follows=(Cuts,),
    when=standings,
)
def history_keeps_its_limit(state: State, memory: Memory) -> Findings:
    """At rest a set has no more revisions that nothing refers to than its history limit."""
    for standing in standings(state):
        limit = standing.stateful_set["spec"].get("revisionHistoryLimit")
        limit = DEFAULT_LIMIT if limit is None else int(limit)
        idle = _idle(state, standing)
        if limit < 0 or not _only_by_set(state, standing):
            continue
        yield AT_RISK if len(idle) == limit else HELD
        if len(idle) > limit:
            yield Violation(
                f"set {standing.at.name} keeps {len(idle)} old revisions, its limit is {limit}",
                (standing.stateful_set, *idle),
            )


def _idle(state: State, standing: Standing) -> list[Obj]:
    """The revisions of a set that neither its status nor a pod refers to."""
    status = standing.stateful_set.get("status") or {}
    members = state.find(PODS_BY_PARENT, (standing.at.namespace, standing.at.name))
    live = {revision(pod) for pod in members if owns(standing.stateful_set, pod)}
    live |= {str(status.get("currentRevision")), str(status.get("updateRevision"))}
    return [found for found in _recorded(state, standing) if name(found) not in live]


def _recorded(state: State, standing: Standing) -> Iterator[Obj]:
    return state.find(REVISIONS_BY_SET, uid(standing.stateful_set))


def _only_by_set(state: State, standing: Standing) -> bool:
    """Whether nobody else had a hand in the revisions since the set was woken, for nothing about them wakes it."""
    stirred = state.follow(Cuts).sight(standing.at).stirred
    lives = [state.life(Key(REVISION, namespace(found), name(found))) for found in _recorded(state, standing)]
    return all(life is not None and not life.by_client and (not life.hands or life.changed < stirred) for life in lives)


class TakenAway:
    """The revisions that the client removed and nobody made again."""

    def __init__(self) -> None:
        self.keys: set[Key] = set()

    def take(self, change: Change) -> None:
        """One more event."""
        if change.key.kind != REVISION:
            return
        if change.gone and change.by_client:
            self.keys.add(change.key)
        elif change.old is None:
            self.keys.discard(change.key)

    def hear(self, entry: Asked | Settled, state: State) -> None:
        """What is asked and waited for tells nothing."""


@invariant(
    "STS-035",
    scope=Scope.SETTLED,
    level=Level.UPSTREAM,
    source=f"UPDATE-20, REV-07; {CONTROL}: getStatefulSetRevisions",
    follows=(Cuts, TakenAway),
    when=standings,
)
def wanted_revision_is_the_newest(state: State, memory: Memory) -> Findings:
    """At rest the set's update revision exists, records its template, and has the highest number of all."""
    for standing in standings(state):
        status = standing.stateful_set.get("status") or {}
        wanted = state.get(REVISION, standing.at.namespace, str(status.get("updateRevision") or ""))
        recorded = list(_recorded(state, standing))
        if status.get("observedGeneration") != standing.stateful_set["metadata"].get("generation") or not recorded:
            continue
        if not _only_by_set(state, standing) or _is_forged(state, standing):
            continue
        lost = Key(REVISION, standing.at.namespace, str(status.get("updateRevision") or ""))
        if wanted is None and lost in state.follow(TakenAway).keys:  # That wakes no set.
            continue
        yield AT_RISK if len(recorded) > 1 else HELD
        if wanted is None:
            yield Violation(
                f"set {standing.at.name} wants revision {status.get('updateRevision')!r}, which does not exist",
                (standing.stateful_set,),
            )
            continue
        highest = max(recorded, key=lambda found: int(found.get("revision") or 0))
        if int(highest.get("revision") or 0) > int(wanted.get("revision") or 0):
            yield Violation(
                f"set {standing.at.name} wants {name(wanted)} with number {wanted.get('revision')}, and "
                f"{name(highest)} has {highest.get('revision')}",
                (wanted, highest),
            )
        if template_of(wanted) and not _records(wanted, standing.stateful_set):
            yield Violation(
                f"revision {name(wanted)}, which set {standing.at.name} wants, does not record its template",
                (wanted, standing.stateful_set),
            )


def _is_forged(state: State, standing: Standing) -> bool:
    """Whether the client wrote the set's status."""
    life = state.life(standing.at)
    return life is None or life.touched("status")


def _records(recorded: Obj, stateful_set: Obj) -> bool:
    wanted = get(stateful_set, "spec", "template") or {}
    pod = {"metadata": wanted.get("metadata") or {}, "spec": wanted.get("spec") or {}}
    return made_from(pod, template_of(recorded))


@of_change_in("status")
def _takes_revision(change: Change) -> bool:
    """A component wrote another current revision into the status of a set that had one."""
    if change.old is None or change.new is None or change.by_client:
        return False
    was = (change.old.get("status") or {}).get("currentRevision")
    return bool(was) and was != (change.new.get("status") or {}).get("currentRevision")


@invariant(
    "STS-036",
    scope=Scope.EACH_STEP,
    level=Level.CONTRACT,
    source=f"STATUS-07, STATUS-09, SCALE-09, HB-098; {CONTROL}: completeRollingUpdate",
    on=(f"{SET} MODIFIED",),
    needs=("order",),
    follows=(Cuts,),
    when=_takes_revision,
)
def update_completes_when_all_pods_are_updated(change: Change, memory: Memory) -> Findings:
    """The current revision changes only when all replicas are there, ready and updated."""
    old, new = change.old, change.new
    if old is None or new is None or change.life.touched("status"):
        return
    was, status = (old.get("status") or {}).get("currentRevision"), new.get("status") or {}
    # A revision that is gone cannot be the current one any longer; one that is new may not have been seen.
    if change.state.get(REVISION, change.key.namespace, str(was)) is None or not _steady(change, str(was)):
        return
    yield AT_RISK
    counts = {int(status.get(field) or 0) for field in ("replicas", "readyReplicas", "updatedReplicas")}
    cuts = change.state.follow(Cuts)
    complete = cuts.some_version(change.key, lambda version: counts == {int(version["spec"].get("replicas") or 0)})
    if not complete or status.get("currentRevision") != status.get("updateRevision"):
        yield Violation(
            f"set {change.key.name} took {status.get('currentRevision')} as current with {sorted(counts)} of its "
            f"{new['spec'].get('replicas')} replicas there, ready or updated",
            (old, new),
        )


def _steady(change: Change, called: str) -> bool:
    life = change.state.life(Key(REVISION, change.key.namespace, called))
    cuts = change.state.follow(Cuts)
    return not cuts.rewound and life is not None and (life.born <= cuts.since or change.state.faults <= SEEING)
