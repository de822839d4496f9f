"""Binders that give a claim a volume which it must not have, or not the one it should."""

from collections.abc import Iterable
from typing import Any

from pvkit.backends.mutants.registry import Edit, edit, mutant
from pvkit.backends.objects import deleting, labels, name, phase, selects
from pvkit.backends.reference import admission, binding, classes, matching
from pvkit.backends.reference.validation import claim_changes
from pvkit.backends.storage import (
    READ_WRITE_MANY,
    access_modes,
    capacity,
    claim_ref,
    claim_ref_uid,
    is_default,
    refers_to,
    requested,
    selector,
)


@mutant("size-ignored", breaks=("PVB-001",), canary=True, family="TERM")
def size_ignored() -> Iterable[Edit]:
    """A volume may be smaller than the claim that takes it."""
    yield edit(matching, "requested", lambda original: lambda claim: 0)


@mutant("decimal-is-binary", breaks=("PVB-001",), canary=True, family="TERM")
def decimal_is_binary() -> Iterable[Edit]:
    """1G counts as much as 1Gi."""
    from pvkit.backends.quantities import amount

    def make(original: Any) -> Any:
        def requested(claim: Any) -> Any:
            text = str(claim["spec"]["resources"]["requests"]["storage"])
            decimal = text.endswith(("k", "M", "G", "T"))
            return original(claim) if decimal else amount(text.rstrip("i"))

        return requested

    yield edit(matching, "requested", make)


@mutant("modes-ignored", breaks=("PVB-002",), canary=True, family="TERM")
def modes_ignored() -> Iterable[Edit]:
    """Access modes are not looked at."""
    yield edit(matching, "access_modes", lambda original: lambda obj: frozenset())


@mutant("modes-the-wrong-way", breaks=("PVB-012",), after="W5", family="TERM")
def modes_the_wrong_way() -> Iterable[Edit]:
    """A volume's modes must be among the claim's, not the other way round."""
    from itertools import combinations

    def make(original: Any) -> Any:
        def groups(wanted: Any) -> Any:
            return tuple(
                tuple(frozenset(some) for some in combinations(sorted(wanted), number))
                for number in range(1, len(wanted) + 1)
            )

        return groups

    yield edit(matching, "groups", make)


@mutant("many-implies-once", breaks=("PVB-002",), family="TERM")
def many_implies_once() -> Iterable[Edit]:
    """A volume that many may write counts as one for every other mode."""

    def make(original: Any) -> Any:
        def groups(wanted: Any) -> Any:
            return (*original(wanted), (frozenset({READ_WRITE_MANY}),))

        return groups

    yield edit(matching, "groups", make)


@mutant("class-ignored", breaks=("PVB-003",), canary=True, family="TERM")
def class_ignored() -> Iterable[Edit]:
    """The storage class is not looked at."""
    yield edit(matching, "storage_class", lambda original: lambda obj: "any")


@mutant("volume-mode-ignored", breaks=("PVB-004",), after="kubernetes/kubernetes#84049", family="TERM")
def volume_mode_ignored() -> Iterable[Edit]:
    """Block and filesystem volumes are the same."""
    yield edit(matching, "volume_mode", lambda original: lambda obj: "Filesystem")


@mutant("attributes-class-ignored", breaks=("PVB-006",), family="TERM")
def attributes_class_ignored() -> Iterable[Edit]:
    """The attributes class is not looked at."""
    yield edit(matching, "attributes_class", lambda original: lambda obj: "")


@mutant("selector-ignored", breaks=("PVB-005",), canary=True, after="W8", family="TERM")
def selector_ignored() -> Iterable[Edit]:
    """A claim's selector is not looked at."""
    yield edit(matching, "selects", lambda original: lambda selector, marks: True)


@mutant("selector-labels-only", breaks=("PVB-005",), family="TERM")
def selector_labels_only() -> Iterable[Edit]:
    """Of a selector only matchLabels are looked at."""

    def make(original: Any) -> Any:
        return lambda selector, marks: original({"matchLabels": (selector or {}).get("matchLabels") or {}}, marks)

    yield edit(matching, "selects", make)


@mutant("empty-selector-matches-nothing", breaks=("PVB-012",), family="FIELD")
def empty_selector_matches_nothing() -> Iterable[Edit]:
    """A claim with an empty selector gets no volume."""

    def make(original: Any) -> Any:
        return lambda selector, marks: original(selector, marks) and selector != {}

    yield edit(matching, "selects", make)


@mutant("takes-released-volumes", breaks=("PVB-040", "PVB-053"), after="kubernetes/kubernetes#43592", family="TERM")
def takes_released_volumes() -> Iterable[Edit]:
    """A Released volume is given to the next claim that it fits."""

    def make(original: Any) -> Any:
        def is_free(volume: Any) -> bool:
            return bool(original(volume)) or (phase(volume) == "Released" and not deleting(volume))

        return is_free

    yield edit(matching, "is_free", make)


@mutant("takes-terminating-volumes", breaks=("PVB-007",), canary=True, family="TERM")
def takes_terminating_volumes() -> Iterable[Edit]:
    """A volume that is being deleted is given to a claim."""

    def make(original: Any) -> Any:
        return lambda volume: claim_ref(volume) is None and phase(volume) == "Available"

    yield edit(matching, "is_free", make)


@mutant("takes-pending-volumes", breaks=("PVB-008",), after="kubernetes/kubernetes#66106", family="TERM")
def takes_pending_volumes() -> Iterable[Edit]:
    """A volume is given away before it was said to be Available."""

    def make(original: Any) -> Any:
        return lambda volume: claim_ref(volume) is None and not deleting(volume)

    yield edit(matching, "is_free", make)


@mutant("takes-reserved-volumes", breaks=("PVB-041",), after="kubernetes/kubernetes#23615", family="TERM")
def takes_reserved_volumes() -> Iterable[Edit]:
    """A volume reserved by name counts as free for everybody."""

    def make(original: Any) -> Any:
        def is_free(volume: Any) -> bool:
            open_to_all = claim_ref(volume) is None or not claim_ref_uid(volume)
            return open_to_all and phase(volume) == "Available" and not deleting(volume)

        return is_free

    yield edit(matching, "is_free", make)


@mutant("reservations-not-honoured", breaks=("PVB-010", "PVB-013"), after="kubernetes/kubernetes#23615", family="TERM")
def reservations_not_honoured() -> Iterable[Edit]:
    """A claim for which a volume is reserved is not given that volume."""
    yield edit(matching, "reservations", lambda original: lambda seen, claim: [])


@mutant("reserved-size-ignored", breaks=("PVB-001",), after="kubernetes/kubernetes#30690", family="TERM")
def reserved_size_ignored() -> Iterable[Edit]:
    """A volume that is reserved for a claim may be too small for it."""
    yield edit(matching, "suits", lambda original: lambda volume, claim: not deleting(volume))


@mutant("named-modes-ignored", breaks=("PVB-002",), after="kubernetes/kubernetes#58739", family="TERM")
def named_modes_ignored() -> Iterable[Edit]:
    """A claim that names its volume gets it with the wrong access modes."""
    yield edit(binding, "access_modes", lambda original: lambda obj: frozenset())


@mutant("named-size-ignored", breaks=("PVB-001",), after="kubernetes/kubernetes#30690", family="TERM")
def named_size_ignored() -> Iterable[Edit]:
    """A claim that names its volume gets it however small it is."""
    yield edit(binding, "requested", lambda original: lambda claim: 0)


@mutant("named-class-ignored", breaks=("PVB-003",), after="kubernetes/kubernetes#58739", family="TERM")
def named_class_ignored() -> Iterable[Edit]:
    """A claim that names its volume gets it whatever its class."""

    def make(original: Any) -> Any:
        def mismatch(volume: Any, claim: Any) -> str:
            why = str(original(volume, claim))
            return "" if why == "storageClassName does not match" else why

        return mismatch

    yield edit(binding, "mismatch", make)


@mutant("named-volume-dropped", breaks=("PVB-043",), after="velero-io/velero#7528", family="FIELD")
def named_volume_dropped() -> Iterable[Edit]:
    """A claim that names a volume is matched as if it named none."""

    def make(original: Any) -> Any:
        def named(seen: Any, claim: Any) -> Any:
            volume = matching.best_match(seen, claim)
            return binding.Aim("bind", name(volume)) if volume is not None else original(seen, claim)

        return named

    yield edit(binding, "_named", make)


@mutant("largest-volume-first", breaks=("PVB-009",), canary=True, family="TERM")
def largest_volume_first() -> Iterable[Edit]:
    """Of the volumes that fit the largest is taken."""

    def make(original: Any) -> Any:
        def largest(seen: Any, claim: Any, group: Any) -> Any:
            found = []
            for volume in seen.find(matching.FREE, matching.shelf(claim, group), least=requested(claim)):
                if selects(selector(claim), labels(volume)):
                    found = [volume]
            return found

        return largest

    yield edit(matching, "smallest_free", make)


@mutant("modes-do-not-rank", breaks=("PVB-009",), family="TERM")
def modes_do_not_rank() -> Iterable[Edit]:
    """The smallest volume wins even if it offers more access modes than another."""

    def make(original: Any) -> Any:
        def best_match(seen: Any, claim: Any, only_reserved: bool = False) -> Any:
            if only_reserved or matching.reservations(seen, claim):
                return original(seen, claim, only_reserved)
            sets = [group for level in matching.groups(access_modes(claim)) for group in level]
            found = [volume for group in sets for volume in matching.smallest_free(seen, claim, group)[:1]]
            return min(found, key=capacity, default=None)

        return best_match

    yield edit(binding, "best_match", make)


@mutant("delayed-class-bound-at-once", breaks=("PVB-015",), after="W3", family="TERM")
def delayed_class_bound_at_once() -> Iterable[Edit]:
    """A claim of a class that waits for its first consumer is bound without one."""
    yield edit(classes, "waits", lambda original: lambda seen, claim: False)


@mutant("selected-node-forgotten", breaks=("PVB-016",), after="kubernetes/kubernetes#75652", family="TERM")
def selected_node_forgotten() -> Iterable[Edit]:
    """A claim for which a node was selected is matched with any free volume."""

    def make(original: Any) -> Any:
        return lambda seen, claim: original(seen, claim) and not classes.has_node(claim)

    yield edit(classes, "waits", make)


@mutant("oldest-default-class", breaks=("PVB-073",), after="kubernetes/kubernetes#110559", family="FIELD")
def oldest_default_class() -> Iterable[Edit]:
    """Of several default classes the controller gives the oldest."""

    def make(original: Any) -> Any:
        def default_for(seen: Any, claim: Any) -> Any:
            if original(seen, claim) is None:
                return None
            return min(seen.find(classes.DEFAULTS, "default"), key=lambda found: found["metadata"]["creationTimestamp"])

        return default_for

    yield edit(classes, "default_for", make)


@mutant("oldest-default-at-creation", breaks=("PVB-071",), after="kubernetes/kubernetes#110559", family="FIELD")
def oldest_default_at_creation() -> Iterable[Edit]:
    """A new claim without an opinion gets the oldest of several default classes."""

    def make(original: Any) -> Any:
        def default_class(store: Any) -> str:
            marked = [entry for entry in store.list("StorageClass") if is_default(entry)]
            return name(min(marked, key=lambda entry: entry["metadata"]["creationTimestamp"])) if marked else ""

        return default_class

    yield edit(admission, "default_class", make)


def _may_change(field: str) -> Edit:
    """A field of a claim's spec may change, whatever it said before."""

    def make(original: Any) -> Any:
        def allowed(old: Any, new: Any, at: Any) -> Any:
            rest = dict(original(old, new, at))
            claim_changes._take_back(rest, old["spec"], field)
            return rest

        return allowed

    return edit(claim_changes, "_allowed", make)


@mutant("class-may-change", breaks=("PVB-072",), family="FIELD")
def class_may_change() -> Iterable[Edit]:
    """The API server lets a claim change its class."""
    yield _may_change("storageClassName")


@mutant("volume-name-may-change", breaks=("PVB-042",), family="FIELD")
def volume_name_may_change() -> Iterable[Edit]:
    """The API server lets a claim name another volume than before."""
    yield _may_change("volumeName")


@mutant("asks-before-a-node", breaks=("PVB-075",), after="W3", family="GATE")
def asks_before_a_node() -> Iterable[Edit]:
    """A provisioner is asked at once for a claim of a class that waits for its first consumer."""
    yield edit(classes, "has_node", lambda original: lambda claim: True)


@mutant("empty-class-defaulted", breaks=("PVB-070",), family="FIELD")
def empty_class_defaulted() -> Iterable[Edit]:
    """A claim that asks for no class is given the default one."""

    def make(original: Any) -> Any:
        return lambda claim: bool(claim["spec"].get("storageClassName"))

    yield edit(classes, "has_class", make)
    yield edit(admission, "has_class", make)


@mutant("default-class-never-given", breaks=("PVB-074",), family="WAKE")
def default_class_never_given() -> Iterable[Edit]:
    """A claim without an opinion that came before the default class never gets it."""
    yield edit(classes, "default_for", lambda original: lambda seen, claim: None)


@mutant("same-name-is-same-claim", breaks=("PVB-040", "PVB-133"), after="kubernetes/kubernetes#20196", family="NAME")
def same_name_is_same_claim() -> Iterable[Edit]:
    """A volume belongs to whatever claim has the name in its claimRef."""
    from pvkit.backends.reference import phases

    def living(original: Any) -> Any:
        return lambda seen, volume: seen.lookup(phases.claim_key(volume))

    yield edit(phases, "living_claim", living)
    yield edit(matching, "reserved_for", lambda original: refers_to)
    yield edit(binding, "reserved_for", lambda original: refers_to)
