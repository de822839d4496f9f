"""Sets whose pods are not who they should be."""

from collections.abc import Callable, Iterable
from typing import Any

from pvkit.backends.mutants.registry import Edit, edit, mutant
from pvkit.backends.objects import deleting, labels, owners, put, without
from pvkit.backends.reference import endpoints, identity, membership, ordering, passes, replicas
from pvkit.backends.workloads import (
    POD_INDEX_LABEL,
    POD_NAME_LABEL,
    REVISION_LABEL,
    first_ordinal,
    is_ready,
    ordinal,
    ordinals,
)


def _pod(change: Callable[[Any, Any], Any]) -> Edit:
    """Pods are made as they should be, then changed."""

    def make(original: Any) -> Any:
        def new_pod(stateful_set: Any, *rest: Any) -> Any:
            return change(stateful_set, original(stateful_set, *rest))

        return new_pod

    return edit(replicas, "new_pod", make)


def _relabelled(pod: Any, label: str, value: str) -> Any:
    return put(pod, ("metadata", "labels"), {**labels(pod), label: value})


@mutant("no-pod-name-label", breaks=("STS-002", "STS-083"), canary=True, family="FIELD")
def no_pod_name_label() -> Iterable[Edit]:
    """Pods lack the label with their name, and nobody puts it there."""
    yield _pod(lambda owner, pod: without(pod, ("metadata", "labels", POD_NAME_LABEL)))
    yield edit(identity, "identity_matches", lambda original: lambda owner, pod: True)
    yield edit(ordering, "identity_matches", lambda original: lambda owner, pod: True)


@mutant("index-label-counts-from-zero", breaks=("STS-002",), canary=True, family="FIELD")
def index_label_counts_from_zero() -> Iterable[Edit]:
    """The index label tells the place in the set, not the ordinal."""
    yield _pod(lambda owner, pod: _relabelled(pod, POD_INDEX_LABEL, str(ordinal(pod) - first_ordinal(owner))))


@mutant("no-hostname", breaks=("STS-003",), canary=True, family="FIELD")
def no_hostname() -> Iterable[Edit]:
    """Pods have no hostname of their own."""
    yield _pod(lambda owner, pod: without(pod, ("spec", "hostname")))


@mutant("no-subdomain", breaks=("STS-003",), canary=True, family="FIELD")
def no_subdomain() -> Iterable[Edit]:
    """Pods do not name the set's service."""
    yield _pod(lambda owner, pod: without(pod, ("spec", "subdomain")))


@mutant("owner-without-control", breaks=("STS-004",), canary=True, family="FIELD")
def owner_without_control() -> Iterable[Edit]:
    """A pod's reference to its set does not block the set's foreground deletion."""
    yield _pod(
        lambda owner, pod: put(
            pod, ("metadata", "ownerReferences"), [{**found, "blockOwnerDeletion": False} for found in owners(pod)]
        )
    )


@mutant("wrong-revision-label", breaks=("STS-030",), canary=True, family="FIELD")
def wrong_revision_label() -> Iterable[Edit]:
    """The revision label holds the hash alone."""

    def make(original: Any) -> Any:
        return lambda owner, template, revision, *rest: _relabelled(
            original(owner, template, revision, *rest), REVISION_LABEL, revision.rpartition("-")[2]
        )

    yield edit(replicas, "new_pod", make)


@mutant("adopts-by-labels-alone", breaks=("STS-005",), after="instaclustr/cassandra-operator#404", family="NAME")
def adopts_by_labels_alone() -> Iterable[Edit]:
    """Any orphan with the right labels is adopted, whatever its name."""

    def make(original: Any) -> Any:
        from pvkit.backends.objects import selects

        return lambda owner, pod: selects(owner["spec"].get("selector"), labels(pod))

    yield edit(passes, "fits", make)


@mutant("never-releases", breaks=("STS-007",), family="SCOPE")
def never_releases() -> Iterable[Edit]:
    """A pod whose labels no longer match stays in the set's hands."""
    yield edit(membership.release_pod, "body", lambda original: lambda seen, at: None)


@mutant("never-adopts", breaks=("STS-007",), family="SCOPE")
def never_adopts() -> Iterable[Edit]:
    """A matching orphan is not adopted."""
    yield edit(membership.adopt_pod, "body", lambda original: lambda seen, at: None)


@mutant("label-not-repaired", breaks=("STS-083",), family="FIELD")
def label_not_repaired() -> Iterable[Edit]:
    """A pod's name label that somebody changed is left as it is."""
    yield edit(ordering, "identity_matches", lambda original: lambda owner, pod: True)


@mutant("padded-ordinals", breaks=("STS-001",), canary=True, family="NAME")
def padded_ordinals() -> Iterable[Edit]:
    """Ordinals have two digits in the names of pods."""
    yield edit(identity, "pod_name", lambda original: lambda owner, at: f"{owner['metadata']['name']}-{at:02d}")


@mutant("condemns-by-name", breaks=("STS-008",), after="kubernetes/kubernetes#25224", family="NAME")
def condemns_by_name() -> Iterable[Edit]:
    """Scaling down takes every pod that is named like one of the set's, whoever owns it."""

    def make(original: Any) -> Any:
        def arrange(seen: Any, work: Any) -> None:
            where = work.stateful_set["metadata"]
            orphans = [pod for pod in seen.find(passes.PODS, (where["namespace"], "")) if not deleting(pod)]
            named = [pod for pod in orphans if pod["metadata"]["name"].rpartition("-")[0] == where["name"]]
            work.members += [
                pod for pod in named if ordinal(pod) >= 0 and ordinal(pod) not in ordinals(work.stateful_set)
            ]
            original(seen, work)

        return arrange

    yield edit(ordering, "arrange", make)


@mutant("unready-pods-not-published", breaks=("STS-112",), family="FIELD")
def unready_pods_not_published() -> Iterable[Edit]:
    """A pod that is not ready has no endpoint at all."""

    def make(original: Any) -> Any:
        return lambda pod, *seen: original(pod, *seen) if is_ready(pod) else None

    yield edit(endpoints, "endpoint", make)
