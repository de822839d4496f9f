"""What loses its owners goes, and what is deleted in the foreground or as an orphanage waits."""

from pvkit.backends.objects import Obj, deleting, finalizers, name, owner_reference, owners, uid
from tests.backends.reference.cluster import Cluster, claim, pod

HELD = ["example.com/held"]


def service(called: str, *, finalizers: list[str] | None = None, owned_by: list[Obj] | None = None) -> Obj:
    """An object that can own others and needs nothing to exist."""
    metadata: Obj = {"name": called, "namespace": "default"}
    if finalizers:
        metadata["finalizers"] = finalizers
    if owned_by:
        metadata["ownerReferences"] = owned_by
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"clusterIP": "None"}}


def family(*dependents: str, blocking: bool = True) -> tuple[Cluster, Obj]:
    """An owner and what depends on it, each held by nothing."""
    cluster = Cluster()
    (owner,) = cluster.create(service("owner"))
    reference = {**owner_reference(owner), "blockOwnerDeletion": blocking}
    cluster.create(*(service(called, owned_by=[reference]) for called in dependents))
    cluster.settle()
    return cluster, owner


def services(cluster: Cluster) -> list[str]:
    return cluster.all("Service")


def test_dependents_follow_a_deleted_owner() -> None:
    cluster, _ = family("a", "b")
    cluster.delete("Service", "owner")
    cluster.settle()
    assert services(cluster) == []


def test_nothing_follows_an_owner_that_lives() -> None:
    cluster, _ = family("a", "b")
    assert services(cluster) == ["a", "b", "owner"]


def test_what_refers_to_the_uid_of_another_owner_goes() -> None:
    cluster, owner = family()
    cluster.create(service("a", owned_by=[{**owner_reference(owner), "uid": "of-somebody-else"}]))
    cluster.settle()
    assert services(cluster) == ["owner"]


def test_an_owner_in_another_namespace_does_not_count() -> None:
    cluster = Cluster(namespaces=("far",))
    owner = service("owner")
    owner["metadata"]["namespace"] = "far"
    (stored,) = cluster.create(owner)
    cluster.create(service("a", owned_by=[owner_reference(stored)]))
    cluster.settle()
    assert cluster.get("Service", "a") is None
    assert cluster.get("Service", "owner", "far") is not None


def test_what_is_cluster_wide_is_never_collected_for_a_namespaced_owner() -> None:
    cluster, owner = family()
    node = cluster.see("Node", "n1")
    cluster.patch("Node", "n1", {"metadata": {"ownerReferences": [owner_reference(owner)]}})
    cluster.delete("Service", "owner")
    cluster.settle()
    assert uid(cluster.see("Node", "n1")) == uid(node)


def test_another_owner_that_lives_keeps_the_dependent_which_forgets_the_dead_one() -> None:
    cluster, owner = family()
    (second,) = cluster.create(service("second"))
    references = [owner_reference(owner), {**owner_reference(second), "controller": False}]
    cluster.create(service("a", owned_by=references))
    cluster.settle()
    cluster.delete("Service", "owner")
    cluster.settle()
    assert [owner["name"] for owner in owners(cluster.see("Service", "a"))] == ["second"]


def test_an_owner_held_by_a_finalizer_keeps_its_dependents() -> None:
    cluster = Cluster()
    (owner,) = cluster.create(service("owner", finalizers=HELD))
    cluster.create(service("a", owned_by=[owner_reference(owner)]))
    cluster.delete("Service", "owner")
    cluster.settle()
    assert services(cluster) == ["a", "owner"]
    cluster.patch("Service", "owner", {"metadata": {"finalizers": None}})
    cluster.settle()
    assert services(cluster) == []


def test_in_the_foreground_the_owner_goes_after_those_that_block_it() -> None:
    cluster, _ = family("a", "b")
    cluster.delete("Service", "owner", propagation="Foreground")
    cluster.settle()
    gone = [name(event.object) for event in cluster.store.log if event.type == "DELETED"]
    assert services(cluster) == []
    assert gone[-1] == "owner"


def test_in_the_foreground_the_owner_waits_for_a_dependent_that_is_held() -> None:
    cluster, owner = family()
    cluster.create(service("a", finalizers=HELD, owned_by=[owner_reference(owner)]))
    cluster.delete("Service", "owner", propagation="Foreground")
    cluster.settle()
    assert finalizers(cluster.see("Service", "owner")) == ("foregroundDeletion",)
    assert deleting(cluster.see("Service", "a"))
    cluster.patch("Service", "a", {"metadata": {"finalizers": None}})
    cluster.settle()
    assert services(cluster) == []


def test_in_the_foreground_nobody_waits_for_what_does_not_block() -> None:
    cluster, owner = family()
    loose = {**owner_reference(owner), "blockOwnerDeletion": False}
    cluster.create(service("a", finalizers=HELD, owned_by=[loose]))
    cluster.delete("Service", "owner", propagation="Foreground")
    cluster.settle()
    assert services(cluster) == ["a"]


def test_in_the_foreground_grandchildren_go_first() -> None:
    cluster, owner = family()
    (child,) = cluster.create(service("child", owned_by=[owner_reference(owner)]))
    cluster.create(service("grandchild", owned_by=[owner_reference(child)]))
    cluster.settle()
    cluster.delete("Service", "owner", propagation="Foreground")
    cluster.settle()
    gone = [name(event.object) for event in cluster.store.log if event.type == "DELETED"]
    assert gone[-3:] == ["grandchild", "child", "owner"]


def test_owners_in_a_circle_do_not_wait_for_each_other_for_ever() -> None:
    cluster, owner = family()
    (child,) = cluster.create(service("child", owned_by=[owner_reference(owner)]))
    cluster.patch("Service", "owner", {"metadata": {"ownerReferences": [owner_reference(child)]}})
    cluster.settle()
    cluster.delete("Service", "owner", propagation="Foreground")
    cluster.settle()
    assert services(cluster) == []


def test_orphans_stay_without_their_reference() -> None:
    cluster, _ = family("a", "b")
    cluster.delete("Service", "owner", propagation="Orphan")
    cluster.settle()
    assert services(cluster) == ["a", "b"]
    assert owners(cluster.see("Service", "a")) == ()


def test_a_dependent_whose_own_orphans_stay_is_deleted_that_way() -> None:
    cluster, owner = family()
    (child,) = cluster.create(service("child", finalizers=["orphan"], owned_by=[owner_reference(owner)]))
    cluster.create(service("grandchild", owned_by=[owner_reference(child)]))
    cluster.delete("Service", "owner")
    cluster.settle()
    assert services(cluster) == ["grandchild"]


def test_a_pod_is_collected_with_its_grace() -> None:
    cluster, owner = family()
    cluster.create(pod("p", ownerReferences=[owner_reference(owner)]))
    cluster.settle()
    cluster.delete("Service", "owner")
    cluster.settle()
    assert cluster.all("Pod") == []
    assert any(state["metadata"].get("deletionGracePeriodSeconds") == 30 for state in cluster.changes("Pod", "p"))


def test_a_kind_that_nobody_knows_is_a_reason_to_leave_things_alone() -> None:
    stranger = {"apiVersion": "example.com/v1", "kind": "Database", "name": "db", "uid": "u"}
    cluster = Cluster()
    cluster.create(service("a", owned_by=[stranger]))
    cluster.settle()
    assert services(cluster) == ["a"]


def test_a_reference_written_before_its_owner_vanishes_is_not_missed() -> None:
    cluster, owner = family()
    cluster.fault("hold", controller="garbage-collector", kind="Service")
    cluster.create(claim("c", storage_class=""))
    cluster.delete("Service", "owner")
    cluster.patch("PersistentVolumeClaim", "c", {"metadata": {"ownerReferences": [owner_reference(owner)]}})
    cluster.fault("heal")
    cluster.settle()
    assert cluster.get("PersistentVolumeClaim", "c") is None or deleting(cluster.see("PersistentVolumeClaim", "c"))


def test_a_collector_that_dies_goes_on() -> None:
    cluster, _ = family("a", "b", "c")
    cluster.fault("crash", controller="garbage-collector", after=1)
    cluster.delete("Service", "owner")
    cluster.settle()
    assert services(cluster) == []


def test_a_collector_never_deletes_what_got_an_owner_in_the_meantime() -> None:
    cluster, _ = family("a")
    (second,) = cluster.create(service("second"))
    cluster.fault("delay", controller="garbage-collector", verb="delete", turns=30)
    cluster.delete("Service", "owner")
    cluster.wait(0.0)
    cluster.patch("Service", "a", {"metadata": {"ownerReferences": [owner_reference(second)]}})
    cluster.settle()
    assert services(cluster) == ["a", "second"]
