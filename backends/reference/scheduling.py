"""Scheduling: a node for each pod, seen from its volumes.

One pod at a time. The pod's claims are looked at first, then what each node offers for them; a decision is only
assumed, in memory, and written down by the binding cycle, so that the next pod need not wait for it. Of resources,
priorities and spreading the model knows nothing: any node that will do may be taken.
"""

from collections import Counter
from collections.abc import Hashable, Iterable
from typing import Any

from pvkit.backends.objects import Key, Obj, deleting, get, key, labels, name, uid
from pvkit.backends.reference import assume, binding_cycle, scheduling_queue
from pvkit.backends.reference.binding_cycle import (
    BINDING_RULES,
    Cycle,
    concerned,
    cycles,
    fingerprint,
    under_key,
)
from pvkit.backends.reference.node_affinity import taints, unwelcome
from pvkit.backends.reference.rules import STOP, After, Controller, Effect, Say, Wake, nothing, rule
from pvkit.backends.reference.scheduling_failure import NO_NODES, UNSCHEDULABLE, before_nodes, failure, on_nodes
from pvkit.backends.reference.scheduling_queue import CAPACITY, NODES, Topic, park, topic_of_claim, woken
from pvkit.backends.reference.view import Seen
from pvkit.backends.reference.volume_binding import UNBOUND, Claims, Offer, classify, obstacle, offer
from pvkit.backends.reference.volume_zone import WRONG_ZONE, missing_volume, outside_zone
from pvkit.backends.storage import READ_WRITE_ONCE_POD, access_modes, claim_ref, storage_class, volume_name
from pvkit.backends.tables import Index
from pvkit.backends.workloads import claim_keys, claim_volumes, is_finished, node_name

IN_USE = (
    "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod"
)


def _by_claim(pod: Obj) -> Iterable[tuple[Hashable, Any]]:
    """Pods that are on a node and have not finished, under each claim that they use (SCHED-14)."""
    if node_name(pod) and not is_finished(pod):
        for claim in claim_keys(pod):
            yield claim, name(pod)


USERS = Index("scheduled pods by claim", "Pod", _by_claim)


@rule("SCHED-16.1", on="Pod")
def skip_deleting(seen: Seen, at: Key) -> Effect | None:
    """A pod without a node that is being deleted is not scheduled, and an event says so."""
    pod = seen.lookup(at)
    if pod is None or node_name(pod) or not deleting(pod):
        return None
    return Say(pod, "Warning", "FailedScheduling", f"skip schedule deleting pod: {at.namespace}/{at.name}")


@rule("SCHED-16.2", on="Pod")
def ignore(seen: Seen, at: Key) -> Effect | None:
    """Only a live pod that has no node, on which nothing is decided yet, and that asks for this scheduler counts."""
    pod = seen.lookup(at)
    if pod is None or node_name(pod) or deleting(pod) or is_finished(pod) or uid(pod) in cycles(seen).under_way:
        return STOP
    foreign = pod["spec"].get("schedulerName", "default-scheduler") != "default-scheduler"
    return STOP if foreign or pod["spec"].get("schedulingGates") else None


@rule("SCHED-16.3", on="Pod")
def back_off(seen: Seen, at: Key) -> Effect | None:
    """A woken pod waits until its back-off is over (up to 1.32; later schedulers take it early when they are idle)."""
    pause = scheduling_queue.too_early(seen, at)
    return After(pause) if pause > 0 else None


@rule("SCHED-17", on="Pod")
def refuse_claims(seen: Seen, at: Key) -> Effect | None:
    """A pod with a claim that is missing, lost, going or waits for the binder fits no node."""
    pod = seen.lookup(at)
    assert pod is not None
    nodes = len(seen.all("Node"))
    why = NO_NODES if not nodes else _pre_filter(seen, pod)
    if not why:
        return None
    message = before_nodes(seen.setup.minor, nodes, why) if nodes else why
    written = failure(seen, pod, UNSCHEDULABLE, message)
    return written or park(seen, at, pod, [*_topics(seen, pod), *(() if nodes else [NODES])])


def _pre_filter(seen: Seen, pod: Obj) -> str:
    """Why the pod fits no node, in the order of the plugins: restrictions, binding, zone (SCHED-17)."""
    for claim_name, ephemeral in claim_volumes(pod):
        if not ephemeral and seen.get("PersistentVolumeClaim", pod["metadata"]["namespace"], claim_name) is None:
            return f'persistentvolumeclaim "{claim_name}" not found'
    return obstacle(seen, pod) or (UNBOUND if classify(seen, pod) is None else missing_volume(seen, pod))


@rule("SCHED-19", on="Pod")
def refuse_nodes(seen: Seen, at: Key) -> Effect | None:
    """A pod for whose claims no node has an offer is unschedulable, with the reasons counted."""
    pod = seen.lookup(at)
    claims = classify(seen, pod) if pod else None
    assert pod is not None
    assert claims is not None
    offers, reasons = _filter(seen, pod, claims)
    if offers:
        seen.scratch[at.kind]["offers"] = offers
        return None
    message = on_nodes(seen.setup.minor, len(seen.all("Node")), reasons, helpful=set(reasons) == {IN_USE})
    written = failure(seen, pod, UNSCHEDULABLE, message)
    return written or park(seen, at, pod, [*_topics(seen, pod, claims), NODES, CAPACITY])


def _filter(seen: Seen, pod: Obj, claims: Claims) -> "tuple[dict[str, Offer], Counter[str]]":
    """The offers of the nodes that fit, and the reasons against the others."""
    offers: dict[str, Offer] = {}
    reasons: Counter[str] = Counter()
    in_use = _exclusively_used(seen, pod)
    for node in seen.all("Node"):
        why = unwelcome(pod, node, seen.setup.minor) or (IN_USE if in_use else "")
        found = offer(seen, claims, node) if not why else (why,)
        if not isinstance(found, Offer):
            reasons.update(found)
        elif outside_zone(seen, claims.bound, node):
            reasons[WRONG_ZONE] += 1
        else:
            offers[name(node)] = found
    return offers, reasons


def _exclusively_used(seen: Seen, pod: Obj) -> bool:
    """Whether another pod on a node, or on its way to one, has a claim of this pod that only one may use (SCHED-26)."""
    for claim_name, ephemeral in claim_volumes(pod):
        at = Key("PersistentVolumeClaim", pod["metadata"]["namespace"], claim_name)
        claim = seen.lookup(at)
        if ephemeral or claim is None or READ_WRITE_ONCE_POD not in access_modes(claim):
            continue
        if cycles(seen).in_use.get(at) or next(seen.find(USERS, at), None) is not None:
            return True
    return False


@rule("SCHED-08.2", on="Pod")
def await_change(seen: Seen, at: Key) -> Effect | None:
    """A pod whose volumes took too long to bind is tried again if a claim of it or a volume of that changed since.

    The real scheduler tries at once, and every ten minutes nominates and waits in vain; nothing else comes of it.
    """
    pod = seen.lookup(at)
    assert pod is not None
    known = cycles(seen).timed_out
    if known.get(uid(pod)) != fingerprint(seen, pod) or not claim_keys(pod):
        known.pop(uid(pod), None)
        return None
    return park(seen, at, pod, _topics(seen, pod, classify(seen, pod)))


@rule("SCHED-21", on="Pod")
def decide(seen: Seen, at: Key) -> Effect | None:
    """One of the nodes that fit is taken, the nominated one if it fits; volumes and claims are assumed in memory."""
    pod = seen.lookup(at)
    offers: dict[str, Offer] = seen.scratch[at.kind].pop("offers")
    assert pod is not None
    nominated = get(pod, "status", "nominatedNodeName")
    node = str(nominated) if nominated in offers else seen.tie(list(offers))
    static, dynamic = offers[node].static, offers[node].dynamic
    before = [*(volume for volume, _ in static), *dynamic]
    after = [*(assume.reserved(*pair) for pair in static), *(assume.sent_to(claim, node) for claim in dynamic)]
    changed = [made for made, known in zip(after, before, strict=True) if made is not known]
    for obj in changed:
        assume.assume(seen, obj)
    scheduling_queue.leave(seen, at)
    cycle = Cycle(at, pod, node, after, [key(claim) for _, claim in static], changed)
    return Wake(binding_cycle.begin(seen, cycle))


def _topics(seen: Seen, pod: Obj, claims: Claims | None = None) -> list[Topic]:
    """What could help a refused pod: its claims, their classes and volumes, and volumes for those that wait."""
    topics: list[Topic] = []
    for at in claim_keys(pod):
        topics.append(topic_of_claim(at))
        claim = seen.lookup(at)
        if claim is not None:
            topics += [("class", storage_class(claim)), ("volume", volume_name(claim))]
    delayed = claims.delayed if claims else ()
    return [*topics, *(("volumes", storage_class(claim)) for claim in delayed)]


def _pod_changed(old: Obj | None, new: Obj | None, seen: Seen) -> Iterable[Key]:
    """A new or changed pod without a node is tried; one that is gone, done or placed gives way to others."""
    pod = new or old
    assert pod is not None
    if new is not None and not node_name(new) and not is_finished(new):
        return (key(new),) if old is None or _asks_otherwise(old, new) else ()
    cycle = cycles(seen).under_way.get(uid(pod))
    if cycle is not None and (new is None or cycle.assigned):
        _settle(seen, cycle, gone=new is None)
    scheduling_queue.forget(seen, key(pod), pod)
    cycles(seen).timed_out.pop(uid(pod), None)
    if new is not None and not is_finished(new):
        return ()
    freed = woken(seen, *map(topic_of_claim, claim_keys(pod)))
    return [*freed, under_key(cycle)] if cycle is not None else freed


def _settle(seen: Seen, cycle: Cycle, gone: bool) -> None:
    """A pod seen on its node needs no assumption; one that is gone uses no claims, though its cycle runs on."""
    if cycle.assigned:
        binding_cycle.forget(seen, cycle)
    elif gone:
        for claim in claim_keys(cycle.pod):
            cycles(seen).in_use.get(claim, set()).discard(uid(cycle.pod))


def _asks_otherwise(old: Obj, new: Obj) -> bool:
    """Whether an update could matter to the scheduler: what it wrote itself into the status does not."""
    return bool(uid(old) != uid(new) or old["spec"] != new["spec"] or labels(old) != labels(new)) or (
        deleting(old) != deleting(new)
    )


def _claim_changed(old: Obj | None, new: Obj | None, seen: Seen) -> Iterable[Key]:
    claim = new or old
    assert claim is not None
    waiting = woken(seen, topic_of_claim(key(claim))) if new is not None else []
    return [*waiting, *concerned(seen, key(claim))]


def _volume_changed(old: Obj | None, new: Obj | None, seen: Seen) -> Iterable[Key]:
    waiting = woken(seen, ("volume", name(new)), ("volumes", storage_class(new))) if new is not None else []
    references = [claim_ref(volume) for volume in (old, new) if volume is not None]
    claims = {
        Key("PersistentVolumeClaim", str(ref.get("namespace") or ""), str(ref.get("name") or ""))
        for ref in references
        if ref
    }
    return [*waiting, *concerned(seen, *sorted(claims))]


def _class_changed(old: Obj | None, new: Obj | None, seen: Seen) -> Iterable[Key]:
    if new is None or (old is not None and old.get("allowedTopologies") == new.get("allowedTopologies")):
        return ()
    return woken(seen, ("class", name(new)))


def _node_changed(old: Obj | None, new: Obj | None, seen: Seen) -> Iterable[Key]:
    node = new or old
    assert node is not None
    if new is not None and old is not None and labels(old) == labels(new) and _spec(old) == _spec(new):
        return ()
    bound_there = [cycle for cycle in cycles(seen).under_way.values() if cycle.node == name(node)]
    return [*(woken(seen, NODES) if new is not None else ()), *map(under_key, bound_there)]


def _spec(node: Obj) -> tuple[Any, list[Obj]]:
    return get(node, "spec", "unschedulable"), taints(node)


def _capacity_changed(old: Obj | None, new: Obj | None, seen: Seen) -> Iterable[Key]:
    return woken(seen, CAPACITY) if new is not None else ()


def _start(memory: dict[str, Any]) -> None:
    memory["assumed"], memory["queue"] = assume.Assumed(), scheduling_queue.Queue()
    memory["cycles"] = binding_cycle.Cycles()


SCHEDULER = Controller(
    name="scheduler",
    rules={
        "Pod": (
            skip_deleting,
            ignore,
            back_off,
            refuse_claims,
            refuse_nodes,
            await_change,
            decide,
        ),
        "Binding": BINDING_RULES,
    },
    watches={
        "Pod": _pod_changed,
        "PersistentVolumeClaim": _claim_changed,
        "PersistentVolume": _volume_changed,
        "StorageClass": _class_changed,
        "Node": _node_changed,
        "CSIStorageCapacity": _capacity_changed,
        "CSIDriver": nothing,
    },
    start=_start,
)
