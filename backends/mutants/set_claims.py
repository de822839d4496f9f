"""Sets that are careless with the claims of their pods."""

from collections.abc import Iterable
from typing import Any

from pvkit.backends.mutants.registry import Edit, edit, mutant
from pvkit.backends.objects import deleting, name, put, without
from pvkit.backends.reference import claim_templates, identity, membership, ordering, passes, replicas, retention
from pvkit.backends.workloads import ordinal, ordinals


@mutant("pod-on-terminating-claim", breaks=("STS-045",), after="kubernetes/kubernetes#74374", family="STEPS")
def pod_on_terminating_claim() -> Iterable[Edit]:
    """A pod is created although its claim is being deleted."""
    yield edit(ordering, "going", lambda original: lambda seen, work, slot: [])


@mutant("pod-before-claims", breaks=("STS-041", "STS-046"), canary=True, family="STEPS")
def pod_before_claims() -> Iterable[Edit]:
    """A pod is created before its claims are."""

    def make(original: Any) -> Any:
        def create_claim(seen: Any, at: Any) -> Any:
            return None

        return create_claim

    yield edit(replicas.create_claim, "body", make)
    yield edit(replicas, "missing", lambda original: lambda seen, work, slot: [])


@mutant("claim-name-turned-round", breaks=("STS-040", "STS-042", "STS-051"), family="NAME")
def claim_name_turned_round() -> Iterable[Edit]:
    """Claims are named set-template-ordinal."""

    def make(original: Any) -> Any:
        return lambda template, stateful_set, at: (
            f"{stateful_set['metadata']['name']}-{template['metadata']['name']}-{at}"
        )

    yield edit(claim_templates, "claim_name", make)
    yield edit(identity, "claim_name", make)


@mutant("claim-for-one-too-many", breaks=("STS-042",), family="NAME")
def claim_for_one_too_many() -> Iterable[Edit]:
    """A claim is made for the ordinal after the last one, too."""

    def make(original: Any) -> Any:
        def new_claim(stateful_set: Any, template: Any, at: int) -> Any:
            last = at == ordinals(stateful_set).stop - 1 and len(ordinals(stateful_set)) > 1
            return original(stateful_set, template, at + 1 if last else at)

        return new_claim

    yield edit(replicas, "new_claim", make)


@mutant("all-pods-share-a-claim", breaks=("STS-040",), canary=True, family="NAME")
def all_pods_share_a_claim() -> Iterable[Edit]:
    """Every pod of a set mounts the claim of ordinal 0."""
    yield edit(identity, "claim_name", lambda original: lambda template, owner, at: original(template, owner, 0))


@mutant("claim-lost-under-pending-pod", breaks=("STS-046",), after="kubernetes/kubernetes#74374", family="STEPS")
def claim_lost_under_pending_pod() -> Iterable[Edit]:
    """A claim that vanished under a pending pod is not made again."""

    def make(original: Any) -> Any:
        return lambda seen, work, slot: original(seen, work, slot) if ordering.is_absent(slot) else False

    yield edit(replicas, "wants_claims", make)


@mutant("claim-labels-dropped", breaks=("STS-044",), canary=True, after="kubernetes/kubernetes#121053", family="FIELD")
def claim_labels_dropped() -> Iterable[Edit]:
    """Claims do not carry the labels of the set's selector."""

    def make(original: Any) -> Any:
        return lambda stateful_set, template, at: without(original(stateful_set, template, at), ("metadata", "labels"))

    yield edit(replicas, "new_claim", make)


@mutant("scale-down-deletes-claims", breaks=("STS-050",), after="pravega/zookeeper-operator#314", family="SCOPE")
def scale_down_deletes_claims() -> Iterable[Edit]:
    """Claims go with a scaled-down pod although the policy says Retain."""

    def make(original: Any) -> Any:
        return lambda owner, when: "Delete" if when == "whenScaled" else original(owner, when)

    yield edit(retention, "retention", make)


@mutant("scale-down-keeps-claims", breaks=("STS-053",), after="kubernetes/kubernetes#126919", family="SCOPE")
def scale_down_keeps_claims() -> Iterable[Edit]:
    """Claims of scaled-down pods stay although the policy says Delete."""

    def make(original: Any) -> Any:
        return lambda owner, when: "Retain" if when == "whenScaled" else original(owner, when)

    yield edit(retention, "retention", make)


@mutant(
    "set-deletion-deletes-claims",
    breaks=("STS-050", "STS-056"),
    canary=True,
    after="VictoriaMetrics/operator#1845",
    family="SCOPE",
)
def set_deletion_deletes_claims() -> Iterable[Edit]:
    """The set owns its claims although the policy says Retain, so they go with it."""

    def make(original: Any) -> Any:
        return lambda owner, when: "Delete" if when == "whenDeleted" else original(owner, when)

    yield edit(retention, "retention", make)


@mutant("set-deletion-keeps-claims", breaks=("STS-056",), family="SCOPE")
def set_deletion_keeps_claims() -> Iterable[Edit]:
    """Claims stay when their set is deleted although the policy says Delete."""

    def make(original: Any) -> Any:
        return lambda owner, when: "Retain" if when == "whenDeleted" else original(owner, when)

    yield edit(retention, "retention", make)


@mutant("retention-forgets-the-start", breaks=("STS-050", "STS-056"), after="openkruise/kruise#1530", family="GATE")
def retention_forgets_the_start() -> Iterable[Edit]:
    """Which claims a scale-down dooms is told by replicas alone, without the start ordinal."""

    def make(original: Any) -> Any:
        return lambda stateful_set: range(0, len(original(stateful_set)))

    yield edit(retention, "ordinals", make)


@mutant(
    "doomed-claim-reused",
    breaks=("STS-054",),
    after="instaclustr/cassandra-operator#398",
    needs=("refused",),
    family="STEPS",
)
def doomed_claim_reused() -> Iterable[Edit]:
    """A new pod takes the claim that is doomed to go with its predecessor."""
    for module in (ordering, replicas):
        yield edit(module, "any_stale", lambda original: lambda seen, work, slot: False)


@mutant("foreign-owner-dropped", breaks=("STS-055",), after="VictoriaMetrics/operator#1845", family="SCOPE")
def foreign_owner_dropped() -> Iterable[Edit]:
    """Bringing a claim's owners in line drops those that others put there."""

    def make(original: Any) -> Any:
        def with_right_owners(claim: Any, stateful_set: Any, pod: Any) -> Any:
            return original(without(claim, retention.OWNERS), stateful_set, pod)

        return with_right_owners

    from pvkit.backends.reference import claim_owners

    yield edit(claim_owners, "with_right_owners", make)


@mutant("plain-owner-references", breaks=("STS-056",), family="FIELD")
def plain_owner_references() -> Iterable[Edit]:
    """Claims under a Delete policy refer to their owner, but not as to their controller."""

    def make(original: Any) -> Any:
        return lambda obj: {**original(obj), "controller": False}

    yield edit(retention, "owner_reference", make)
    yield edit(retention, "owners_right", lambda original: lambda claim, owner, pod: _has_any(claim, owner, pod))


def _has_any(claim: Any, stateful_set: Any, pod: Any) -> bool:
    wanted = retention.wanted_owner(stateful_set, pod)
    return all(retention.has_owner(claim, owner) == (wanted is owner) for owner in (stateful_set, pod))


@mutant("adopts-when-going", breaks=("STS-006",), after="kubernetes/kubernetes#84982", family="CACHE")
def adopts_when_going() -> Iterable[Edit]:
    """Orphans are adopted without asking the API server whether the set is still there."""
    yield edit(membership, "may_adopt", lambda original: lambda seen, stateful_set: True)


@mutant("condemned-claims-late", breaks=("STS-053",), after="Orange-OpenSource/casskop#370", family="STEPS")
def condemned_claims_late() -> Iterable[Edit]:
    """Condemned pods are deleted before their claims know what becomes of them."""
    from pvkit.backends.reference import claim_owners, scaling

    yield edit(scaling, "awaiting_owners", lambda original: lambda seen, work: [])
    yield edit(claim_owners.doom_claims, "body", lambda original: lambda seen, at: None)


@mutant("pod-moves-to-next-claim", breaks=("STS-040",), canary=True, family="NAME")
def pod_moves_to_next_claim() -> Iterable[Edit]:
    """A pod that is created again mounts the claim of its neighbour, if there is one."""

    def make(original: Any) -> Any:
        def new_pod(stateful_set: Any, template: Any, revision: str, at: int, turn: int = 0) -> Any:
            pod = original(stateful_set, template, revision, at, turn)
            inside = ordinal(pod) - 1 in ordinals(stateful_set)
            volumes = identity.with_claims(stateful_set, at - 1 if inside else at, [], turn)
            return put(pod, ("spec", "volumes"), volumes) if volumes else pod

        return new_pod

    yield edit(replicas, "new_pod", make)


@mutant("template-class-dropped", breaks=("STS-043",), canary=True, family="FIELD")
def template_class_dropped() -> Iterable[Edit]:
    """Claims are made without the class that their template names."""

    def make(original: Any) -> Any:
        return lambda *given: without(original(*given), ("spec", "storageClassName"))

    yield edit(replicas, "new_claim", make)


@mutant("condemned-claims-deleted", breaks=("STS-052",), after="pravega/zookeeper-operator#314", family="SCOPE")
def condemned_claims_deleted() -> Iterable[Edit]:
    """Scaling down deletes the claims of a pod itself, before the pod and whatever the policy says."""
    from pvkit.backends.reference import scaling

    def make(original: Any) -> Any:
        def remove(seen: Any, work: Any, slot: Any, step: str = "delete") -> Any:
            held = [claim for claim in claim_templates.claims(seen, work, slot) if not deleting(claim)]
            left = [claim for claim in held if f"drop {name(claim)}" not in slot.done]
            if not left:
                return original(seen, work, slot, step)
            return passes.ask_for(work, slot, f"drop {name(left[0])}", "delete", left[0], lambda _: None, blind=True)

        return remove

    yield edit(scaling, "remove", make)
