"""Schedulers that put pods where their volumes are not, or never put them anywhere."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from pvkit.backends.mutants.registry import Edit, edit, mutant
from pvkit.backends.objects import Key, annotations, labels, name, put, uid, without
from pvkit.backends.reference import assume, binding_cycle, scheduling, volume_binding
from pvkit.backends.reference.matching import shelf
from pvkit.backends.reference.rules import STOP, Write, nothing
from pvkit.backends.storage import access_modes, capacity, requested, volume_name
from pvkit.backends.workloads import claim_keys, node_name

HOSTNAME = "kubernetes.io/hostname"


@mutant("exclusive-claim-shared", breaks=("PVB-112",), after="volcano-sh/volcano#5767", family="TERM")
def exclusive_claim_shared() -> Iterable[Edit]:
    """A second pod is placed on a ReadWriteOncePod claim."""
    yield edit(scheduling, "_exclusively_used", lambda original: lambda seen, pod: False)


@mutant("node-affinity-ignored", breaks=("PVB-111",), after="kubernetes/kubernetes#69928", family="TERM")
def node_affinity_ignored() -> Iterable[Edit]:
    """A pod may go to a node that its bound volumes cannot be reached from."""
    yield edit(volume_binding, "_bound_fit", lambda original: lambda seen, bound, node: ("", ""))


@mutant("hostname-is-node-name", breaks=("PVB-114",), after="kubernetes/kubernetes#125398", family="TERM")
def hostname_is_node_name() -> Iterable[Edit]:
    """The hostname that a volume asks for is compared with the node's name, not with its label."""

    def make(original: Any) -> Any:
        def reaches(volume: Any, node: Any) -> bool:
            marks = {**labels(node), HOSTNAME: name(node)}
            return bool(original(volume, put(node, ("metadata", "labels"), marks)))

        return reaches

    yield edit(volume_binding, "reaches", make)
    yield edit(binding_cycle, "reaches", make)


@mutant("affinity-terms-anded", breaks=("PVB-114", "PVB-115"), family="TERM")
def affinity_terms_anded() -> Iterable[Edit]:
    """A volume's node must meet every term of its affinity, not one of them."""

    def make(original: Any) -> Any:
        def reaches(volume: Any, node: Any) -> bool:
            required = ((volume["spec"].get("nodeAffinity") or {}).get("required") or {}).get("nodeSelectorTerms") or []
            path = ("spec", "nodeAffinity", "required", "nodeSelectorTerms")
            return all(original(put(volume, path, [term]), node) for term in required) and bool(original(volume, node))

        return reaches

    yield edit(volume_binding, "reaches", make)


@mutant("unbound-claims-do-not-matter", breaks=("PVB-110",), canary=True, family="STEPS")
def unbound_claims_do_not_matter() -> Iterable[Edit]:
    """A pod is placed although an immediate claim of it is not bound."""

    def make(original: Any) -> Any:
        return lambda seen, pod: original(seen, pod) or volume_binding.Claims()

    yield edit(scheduling, "classify", make)


@mutant("terminating-claims-do-not-matter", breaks=("PVB-113",), after="kubernetes/kubernetes#128164", family="TERM")
def terminating_claims_do_not_matter() -> Iterable[Edit]:
    """A pod is placed on a claim that is being deleted."""

    def make(original: Any) -> Any:
        def obstacle(seen: Any, pod: Any) -> str:
            why = str(original(seen, pod))
            return "" if why.endswith("is being deleted") else why

        return obstacle

    yield edit(scheduling, "obstacle", make)


@mutant("assigns-before-bound", breaks=("PVB-110",), after="kubernetes/kubernetes#79888", family="STEPS")
def assigns_before_bound() -> Iterable[Edit]:
    """A pod is assigned as soon as its volumes are chosen, without waiting until they are bound."""
    yield edit(binding_cycle, "_check", lambda original: lambda seen, cycle: "")


@mutant("delayed-takes-largest", breaks=("PVB-011",), family="TERM")
def delayed_takes_largest() -> Iterable[Edit]:
    """With WaitForFirstConsumer the largest volume that fits is taken."""

    def make(original: Any) -> Any:
        def largest_fit(seen: Any, claim: Any, node: Any, taken: Any) -> Any:
            first = original(seen, claim, node, taken)
            places = volume_binding._places(seen, claim, node)
            fitting = [v for v in _open(seen, claim, places) if name(v) not in taken]
            return max(fitting, key=capacity) if fitting and first is not None else first

        return largest_fit

    yield edit(volume_binding, "smallest_fit", make)


def _open(seen: Any, claim: Any, places: Iterable[Any]) -> Iterable[Any]:
    """The free volumes in some places that a claim may take."""
    for bucket in places:
        for volume in seen.find(volume_binding.FREE_BY_PLACE, bucket, least=requested(claim)):
            if volume_binding._open_to(seen, volume, claim):
                yield volume


@mutant("delayed-ignores-selector", breaks=("PVB-005",), family="TERM")
def delayed_ignores_selector() -> Iterable[Edit]:
    """With WaitForFirstConsumer a claim's selector is not looked at."""
    yield edit(volume_binding, "selects", lambda original: lambda selector, marks: True)


@mutant("delayed-ignores-modes", breaks=("PVB-002",), family="TERM")
def delayed_ignores_modes() -> Iterable[Edit]:
    """With WaitForFirstConsumer a claim's access modes are not looked at."""
    yield edit(volume_binding, "access_modes", lambda original: lambda obj: frozenset())


@mutant("delayed-ignores-size", breaks=("PVB-001",), family="TERM")
def delayed_ignores_size() -> Iterable[Edit]:
    """With WaitForFirstConsumer a volume may be smaller than the claim."""
    yield edit(volume_binding, "requested", lambda original: lambda claim: 0)


@mutant("delayed-ignores-volume-mode", breaks=("PVB-004",), after="kubernetes/kubernetes#84049", family="TERM")
def delayed_ignores_volume_mode() -> Iterable[Edit]:
    """With WaitForFirstConsumer block and filesystem volumes are the same."""
    yield edit(volume_binding, "volume_mode", lambda original: lambda obj: "Filesystem")


@mutant("delayed-ignores-node", breaks=("PVB-111",), after="kubernetes/kubernetes#75652", family="TERM")
def delayed_ignores_node() -> Iterable[Edit]:
    """With WaitForFirstConsumer a volume is taken that the node cannot reach."""

    def make(original: Any) -> Any:
        def anywhere(seen: Any, claim: Any, node: Any, taken: Any) -> Any:
            kind = shelf(claim, frozenset())
            places = [place for place in seen.buckets(volume_binding.FREE_BY_PLACE) if place.shelf == kind]
            fitting = (v for v in _open(seen, claim, places) if name(v) not in taken)
            found = next((v for v in fitting if access_modes(claim) <= access_modes(v)), None)
            return found or original(seen, claim, node, taken)

        return anywhere

    yield edit(volume_binding, "smallest_fit", make)
    yield edit(binding_cycle, "reaches", lambda original: lambda volume, node: True)


@mutant("selected-node-ignored", breaks=("PVB-118",), after="kubernetes/kubernetes#75652", family="RESERVE")
def selected_node_ignored() -> Iterable[Edit]:
    """A claim whose volume is being made for one node lets its pod go to any other."""

    def make(original: Any) -> Any:
        def offer(seen: Any, claims: Any, node: Any) -> Any:
            bare = tuple(_without_node(claim) for claim in claims.delayed)
            found = original(seen, volume_binding.Claims(claims.bound, bare), node)
            if not isinstance(found, volume_binding.Offer):
                return found
            whole = {name(claim): claim for claim in claims.delayed}
            return volume_binding.Offer(found.static, tuple(whole[name(claim)] for claim in found.dynamic))

        return offer

    yield edit(scheduling, "offer", make)


def _without_node(claim: Any) -> Any:
    from pvkit.backends.storage import SELECTED_NODE

    return without(claim, ("metadata", "annotations", SELECTED_NODE)) if annotations(claim) else claim


@mutant(
    "two-pods-choose-one-volume",
    breaks=("PVB-035", "PVB-040"),
    after="volcano-sh/volcano#2973",
    needs=("race",),
    family="RESERVE",
)
def two_pods_choose_one_volume() -> Iterable[Edit]:
    """What is assumed for one pod is not seen when the next one chooses, and the later write wins."""

    def make(original: Any) -> Any:
        def write_next(seen: Any, at: Key) -> Any:
            effect = original(seen, at)
            return replace(effect, blind=True) if isinstance(effect, Write) else effect

        return write_next

    yield edit(volume_binding, "current", lambda original: lambda seen, at: seen.lookup(at))
    for rule in (binding_cycle.reserve_volume, binding_cycle.select_node):
        yield edit(rule, "body", make)


@mutant(
    "gives-up-after-failed-bind",
    breaks=("PVB-114",),
    after="kubernetes/kubernetes#73263",
    family="RESERVE",
)
def gives_up_after_failed_bind() -> Iterable[Edit]:
    """A pod whose volumes could not be bound at the first try is never scheduled again."""

    def make(original: Any) -> Any:
        def give_up(seen: Any, at: Key) -> Any:
            return STOP if original(seen, at) is not None else None

        return give_up

    yield edit(binding_cycle.give_up, "body", make)


@mutant("binds-any-incarnation", breaks=("PVB-110",), after="kubernetes/kubernetes#102761", family="NAME")
def binds_any_incarnation() -> Iterable[Edit]:
    """The pod that is assigned is found by name alone, so a re-created one gets its predecessor's node."""

    def make(original: Any) -> Any:
        return lambda pod, node: without(original(pod, node), ("metadata", "uid"))

    yield edit(binding_cycle, "binding", make)


@mutant("volume-events-lost", breaks=("PVB-117",), after="kubernetes/kubernetes#93552", family="WAKE")
def volume_events_lost() -> Iterable[Edit]:
    """A new volume does not bring back the pods that wait for one."""
    yield edit(scheduling.SCHEDULER, "watches", lambda original: {**original, "PersistentVolume": nothing})


@mutant("claim-events-lost", breaks=("PVB-117",), after="kubernetes/kubernetes#73216", family="WAKE")
def claim_events_lost() -> Iterable[Edit]:
    """A claim that becomes bound does not bring back the pods that use it."""
    yield edit(scheduling.SCHEDULER, "watches", lambda original: {**original, "PersistentVolumeClaim": nothing})


@mutant(
    "assumptions-never-fade",
    breaks=("PVB-115",),
    after="kubernetes/kubernetes#66106",
    needs=("race",),
    family="RESERVE",
)
def assumptions_never_fade() -> Iterable[Edit]:
    """What was once assumed of a volume is believed whatever the API server says later."""

    def make(original: Any) -> Any:
        def current(seen: Any, at: Key) -> Any:
            return assume.assumed(seen).objects.get(at) or seen.lookup(at)

        return current

    yield edit(volume_binding, "current", make)
    yield edit(binding_cycle, "restore", lambda original: lambda seen, obj: None)


@mutant("foreign-claim-blocks-all", breaks=("PVB-114",), after="kubernetes/kubernetes#53134", family="TERM")
def foreign_claim_blocks_all() -> Iterable[Edit]:
    """While a pod on some node uses a claim that is not bound, no other pod is placed."""

    def make(original: Any) -> Any:
        def pre_filter(seen: Any, pod: Any) -> str:
            for other in seen.all("Pod"):
                claims = [seen.lookup(at) for at in claim_keys(other)] if node_name(other) else []
                if uid(other) != uid(pod) and any(claim is None or not volume_name(claim) for claim in claims):
                    return f"pod {name(other)} has unbound claims"
            return str(original(seen, pod))

        return pre_filter

    yield edit(scheduling, "_pre_filter", make)


@mutant("empty-term-fits-all", breaks=("PVB-111",), family="TERM")
def empty_term_fits_all() -> Iterable[Edit]:
    """An empty term of a volume's affinity fits every node."""

    def make(original: Any) -> Any:
        def reaches(volume: Any, node: Any) -> bool:
            required = ((volume["spec"].get("nodeAffinity") or {}).get("required") or {}).get("nodeSelectorTerms")
            return {} in (required or []) or bool(original(volume, node))

        return reaches

    yield edit(volume_binding, "reaches", make)
