"""The second half of scheduling: write the decision down, wait until the volumes are bound, assign the pod.

It runs beside the scheduling of other pods. Nothing that was written is taken back when it fails: the reservation
stays in the API, only the scheduler's memory forgets it (RACE-06).
"""

from dataclasses import dataclass, field

from pvkit.backends.objects import Key, Obj, annotations, get, key, name, put, uid, version
from pvkit.backends.reference.assignment import binding
from pvkit.backends.reference.assume import restore
from pvkit.backends.reference.conditions import patched
from pvkit.backends.reference.gates import gate
from pvkit.backends.reference.matching import RESERVED
from pvkit.backends.reference.node_affinity import reaches
from pvkit.backends.reference.rules import AGAIN, STOP, After, Effect, Write, rule
from pvkit.backends.reference.scheduling_failure import ERROR, failure
from pvkit.backends.reference.scheduling_queue import back_off
from pvkit.backends.reference.view import Seen
from pvkit.backends.storage import SELECTED_NODE, bind_completed, claim_ref_uid, volume_name
from pvkit.backends.workloads import claim_keys, node_name

POLL = 1.0
PATIENCE = 600.0
"""Seconds that the scheduler waits for the volumes of a pod: `bindTimeoutSeconds` (SCHED-07)."""


@dataclass(slots=True)
class Cycle:
    """The way of one pod to one node. `at` is the pod's key.

    `writes` are volumes, then claims, as they shall be; `assumed` those of them that this cycle changed in memory;
    `answers` those that were stored; `pairs` the claims that the volumes are for. Waiting began at `since`, when claims
    and volumes were as `awaited` tells; a look that is due at `next_look` has its timer. `error` is what ended it,
    `told` whether the pod says so.
    """

    at: Key
    pod: Obj
    node: str
    writes: list[Obj]
    pairs: list[Key]
    assumed: list[Obj]
    answers: list[Obj] = field(default_factory=list)
    nominated: bool = False
    since: float | None = None
    next_look: float | None = None
    awaited: tuple[int, ...] = ()
    complete: bool = False
    assigned: bool = False
    error: str = ""
    told: bool = False


@dataclass(slots=True)
class Cycles:
    """The cycles under way by pod UID, the claims that they use, and what made cycles run out of time (by pod UID)."""

    under_way: dict[str, Cycle] = field(default_factory=dict)
    in_use: dict[Key, set[str]] = field(default_factory=dict)
    timed_out: dict[str, tuple[int, ...]] = field(default_factory=dict)


def cycles(seen: Seen) -> Cycles:
    """The binding cycles of one scheduler."""
    found: Cycles = seen.memory["cycles"]
    return found


def begin(seen: Seen, cycle: Cycle) -> Key:
    """Set a cycle going; returns the key under which it is worked on."""
    known = cycles(seen)
    known.under_way[uid(cycle.pod)] = cycle
    for claim in claim_keys(cycle.pod):
        known.in_use.setdefault(claim, set()).add(uid(cycle.pod))
    return under_key(cycle)


def under_key(cycle: Cycle) -> Key:
    """The key under which a cycle is worked on."""
    return Key("Binding", cycle.at.namespace, uid(cycle.pod))


def forget(seen: Seen, cycle: Cycle) -> None:
    """Drop a cycle and all that was assumed for it."""
    known = cycles(seen)
    known.under_way.pop(uid(cycle.pod), None)
    for obj in cycle.assumed:
        restore(seen, obj)
    for claim in claim_keys(cycle.pod):
        users = known.in_use.get(claim, set())
        users.discard(uid(cycle.pod))
        if not users:
            known.in_use.pop(claim, None)


def fingerprint(seen: Seen, pod: Obj) -> tuple[int, ...]:
    """The versions of a pod's claims and of their volumes: while they stay, so does why binding took too long."""
    found: list[Obj] = []
    for at in claim_keys(pod):
        claim = seen.lookup(at)
        named = seen.get("PersistentVolume", "", volume_name(claim)) if claim is not None else None
        found += [obj for obj in (claim, named) if obj is not None]
        found += seen.find(RESERVED, (at.namespace, at.name))
    return tuple(version(obj) for obj in found)


def _cycle(seen: Seen, at: Key) -> Cycle | None:
    return cycles(seen).under_way.get(at.name)


@rule("SCHED-28.1", on="Binding")
def rest(seen: Seen, at: Key) -> Effect | None:
    """A cycle whose pod was assigned is over once the pod is seen on its node; what was assumed for it is forgotten."""
    cycle = _cycle(seen, at)
    if cycle is None or not cycle.assigned:
        return STOP if cycle is None else None
    pod = seen.lookup(cycle.at)
    if pod is None or uid(pod) != uid(cycle.pod) or node_name(pod):
        forget(seen, cycle)
    return STOP


@rule("SCHED-08", on="Binding")
def report_failure(seen: Seen, at: Key) -> Effect | None:
    """A pod whose binding failed says so, and is nominated for no node any more."""
    cycle = _cycle(seen, at)
    if cycle is None or not cycle.error or cycle.told:
        return None
    cycle.told = True
    return failure(seen, cycle.pod, ERROR, cycle.error, unnominate=gate(seen.setup, "NominatedNodeNameForExpectation"))


@rule("SCHED-28.2", on="Binding")
def give_up(seen: Seen, at: Key) -> Effect | None:
    """A failed cycle is forgotten, assumptions included, and the pod is scheduled again after a back-off."""
    cycle = _cycle(seen, at)
    if cycle is None or not cycle.error:
        return None
    forget(seen, cycle)
    pod = seen.lookup(cycle.at)
    if pod is None or uid(pod) != uid(cycle.pod):
        return STOP
    return After(back_off(seen, pod), cycle.at)


@rule("SCHED-28.3", on="Binding")
def nominate(seen: Seen, at: Key) -> Effect | None:
    """Before volumes are bound the pod says which node it is meant for; a refusal of this does no harm."""
    cycle = _cycle(seen, at)
    wanted = gate(seen.setup, "NominatedNodeNameForExpectation")
    if cycle is None or not cycle.writes or cycle.nominated or not wanted:
        return None
    cycle.nominated = True
    edited = patched(seen, cycle.pod, lambda pod: put(pod, ("status", "nominatedNodeName"), cycle.node))
    return Write("update-status", edited, refused=lambda reason: AGAIN) if edited else None


@rule("SCHED-22.1", on="Binding")
def reserve_volume(seen: Seen, at: Key) -> Effect | None:
    """A volume that was chosen for a claim gets a reference to it."""
    return _write_next(seen, at, "PersistentVolume")


@rule("SCHED-22.2", on="Binding")
def select_node(seen: Seen, at: Key) -> Effect | None:
    """A claim whose volume is to be made gets the name of the node."""
    return _write_next(seen, at, "PersistentVolumeClaim")


def _write_next(seen: Seen, at: Key, kind: str) -> Effect | None:
    """The next unwritten assumption, as it was assumed; a refusal ends the cycle without a second try."""
    cycle = _cycle(seen, at)
    if cycle is None or len(cycle.answers) == len(cycle.writes):
        return None
    wanted = cycle.writes[len(cycle.answers)]
    if wanted["kind"] != kind:
        return None
    return Write("update", wanted, remember=cycle.answers.append, refused=lambda reason: _fail(cycle, seen.refusal))


def _fail(cycle: Cycle, text: str) -> Effect:
    cycle.error = f'running PreBind plugin "VolumeBinding": {text}'
    return AGAIN


@rule("SCHED-23.1", on="Binding")
def await_look(seen: Seen, at: Key) -> Effect | None:
    """The claims are looked at each second from the first on; a look that could not show anything new is left out."""
    cycle = _cycle(seen, at)
    if cycle is None or not cycle.writes or cycle.complete:
        return None
    if cycle.since is None:
        cycle.since, cycle.next_look = seen.now, seen.now + POLL
        cycle.awaited = fingerprint(seen, cycle.pod)
        return After(POLL)
    if cycle.next_look is None:
        pause = POLL - (seen.now - cycle.since) % POLL
        cycle.next_look = seen.now + pause
        return After(pause)
    if seen.now < cycle.next_look:
        return STOP
    cycle.next_look = None
    return None


@rule("SCHED-23.2", on="Binding")
def look(seen: Seen, at: Key) -> Effect | None:
    """A look at the claims ends the wait when all are bound, when one went wrong, or when time is up."""
    cycle = _cycle(seen, at)
    if cycle is None or cycle.since is None or cycle.complete:
        return None
    verdict, last = _check(seen, cycle), cycle.since + PATIENCE
    if verdict == "":
        cycle.complete = True
        return None
    if verdict is None and seen.now < last:
        return After(last - seen.now)
    if verdict is None:
        cycles(seen).timed_out[uid(cycle.pod)] = cycle.awaited
    return _fail(cycle, f"binding volumes: {verdict or 'context deadline exceeded'}")


def concerned(seen: Seen, *claims: Key) -> list[Key]:
    """The cycles that wait for these claims."""
    known = cycles(seen)
    users = [user for claim in claims for user in sorted(known.in_use.get(claim, ()))]
    return [under_key(known.under_way[user]) for user in users if user in known.under_way]


@rule("SCHED-07", on="Binding")
def assign(seen: Seen, at: Key) -> Effect | None:
    """A pod whose volumes are bound is assigned to its node, if it is still the pod that was scheduled."""
    cycle = _cycle(seen, at)
    if cycle is None:
        return None

    def done(_: Obj) -> None:
        cycle.assigned = True

    def refused(reason: str) -> Effect:
        cycle.error = f'running Bind plugin "DefaultBinder": {seen.refusal}'
        return AGAIN

    words = f"Successfully assigned {cycle.at.namespace}/{cycle.at.name} to {cycle.node}"
    request = binding(cycle.pod, cycle.node)
    return Write(
        "create", request, remember=done, refused=refused, say=("Normal", "Scheduled", words), said_of=cycle.pod
    )


def _check(seen: Seen, cycle: Cycle) -> str | None:
    """ "" when all is bound, `None` for "not yet", else what went wrong (SCHED-23)."""
    node = seen.get("Node", "", cycle.node)
    if node is None:
        return f'failed to get node "{cycle.node}": node "{cycle.node}" not found'
    if seen.lookup(cycle.at) is None:
        return f'pod does not exist any more: pod "{cycle.at.name}" not found'
    for number, written in enumerate(cycle.answers):
        volume = written["kind"] == "PersistentVolume"
        found = _check_pair(seen, written, cycle.pairs[number], node) if volume else _check_made(seen, written, node)
        if found != "":
            return found
    return ""


def _check_pair(seen: Seen, written: Obj, claim_key: Key, node: Obj) -> str | None:
    volume, claim = seen.lookup(key(written)), seen.lookup(claim_key)
    if volume is None:
        return f'failed to check binding: persistentvolume "{name(written)}" not found'
    if claim is None:
        return f'failed to check binding: persistentvolumeclaim "{claim_key.name}" not found'
    if version(volume) < version(written):
        return None
    if not reaches(volume, node):
        return _unreachable(volume, node)
    if not claim_ref_uid(volume):
        return f'ClaimRef got reset for pv "{name(volume)}"'
    return "" if _bound(claim) else None


def _check_made(seen: Seen, written: Obj, node: Obj) -> str | None:
    claim = seen.lookup(key(written))
    if claim is None:
        return f'failed to check provisioning pvc: persistentvolumeclaim "{name(written)}" not found'
    if version(claim) < version(written):
        return None
    if not get(claim, "metadata", "annotations"):
        return f'selectedNode annotation reset for PVC "{name(claim)}"'
    if annotations(claim).get(SELECTED_NODE) != name(node):
        return f'provisioning failed for PVC "{name(claim)}"'
    if volume_name(claim):
        volume = seen.get("PersistentVolume", "", volume_name(claim))
        if volume is None:
            return None
        if not reaches(volume, node):
            return _unreachable(volume, node)
    return "" if _bound(claim) else None


def _unreachable(volume: Obj, node: Obj) -> str:
    return f'pv "{name(volume)}" node affinity doesn\'t match node "{name(node)}": no matching NodeSelectorTerms'


def _bound(claim: Obj) -> bool:
    return bool(volume_name(claim)) and bind_completed(claim)


BINDING_RULES = (rest, report_failure, give_up, nominate, reserve_volume, select_node, await_look, look, assign)
