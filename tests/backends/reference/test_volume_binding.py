"""Which volume a node offers for a claim that waits for it."""

import pytest

from pvkit.backends.objects import Obj, annotations
from pvkit.backends.protocol import Departure
from tests.backends.reference.cluster import (
    SELECTED_NODE,
    Cluster,
    bound_pair,
    claim,
    local_to,
    node,
    pod,
    reference_of,
    storage_class,
    volume,
)

LATE = storage_class("late")
MAKING = storage_class("made", provisioner="csi.example")


def chosen(cluster: Cluster) -> dict[str, str]:
    """The volumes that refer to a claim, with its name."""
    found = {name: reference_of(cluster.see("PersistentVolume", name)) for name in cluster.all("PersistentVolume")}
    return {name: claimed for name, claimed in found.items() if claimed}


def decide(*objects: Obj, nodes: tuple[Obj, ...] = (), **more: object) -> Cluster:
    """A world in which the scheduler has decided and the binder has not yet heard of it."""
    cluster = Cluster(*nodes, **more)  # type: ignore[arg-type]
    cluster.reserve_only(LATE, *objects)
    cluster.wait(0.5)
    return cluster


def test_the_smallest_volume_that_fits_is_reserved_whatever_its_access_modes() -> None:
    both = volume("small", accessModes=["ReadWriteOnce", "ReadWriteMany"])
    cluster = decide(volume("large", "2Gi"), both, claim("c"), pod("p", "c"))
    assert chosen(cluster) == {"small": "c"}


@pytest.mark.parametrize(
    "other",
    [
        volume("small", "500Mi"),
        volume("small", storage_class="another"),
        volume("small", accessModes=["ReadWriteMany"]),
        volume("small", volumeMode="Block"),
        volume("small", labels={"tier": "silver"}),
        volume("small", nodeAffinity=local_to("n9")),
    ],
    ids=["size", "class", "modes", "mode", "labels", "node"],
)
def test_a_volume_that_differs_in_one_thing_is_passed_over(other: Obj) -> None:
    fits = volume("large", "2Gi", labels={"tier": "gold"})
    wanted = claim("c", selector={"matchLabels": {"tier": "gold"}})
    cluster = decide(fits, {**other, **labelled(other)}, wanted, pod("p", "c"))
    assert chosen(cluster) == {"large": "c"}


def labelled(obj: Obj) -> Obj:
    metadata = {"labels": {"tier": "gold"}, **obj["metadata"]}
    return {"metadata": metadata}


def test_equal_volumes_are_for_the_schedule_to_choose() -> None:
    names = set()
    for take in range(2):
        departures = (Departure("tie", 0, take),)
        cluster = decide(volume("a"), volume("b"), claim("c"), pod("p", "c"), schedule=departures)
        names |= set(chosen(cluster))
    assert names == {"a", "b"}


def test_claims_of_a_pod_are_served_by_size_and_greedily() -> None:
    pick = {"matchLabels": {"x": "y"}}
    objects = [
        volume("p1", "2Gi", labels={"x": "y"}),
        volume("p2", "5Gi"),
        claim("a"),
        claim("b", "2Gi", selector=pick),
    ]
    cluster = decide(*objects, pod("p", "b", "a"))
    assert chosen(cluster) == {}
    assert "1 node(s) didn't find available persistent volumes to bind" in cluster.unscheduled("p")


def test_two_claims_of_a_pod_get_two_volumes() -> None:
    cluster = decide(volume("p1"), volume("p2", "2Gi"), claim("a"), claim("b"), pod("p", "a", "b"))
    assert sorted(chosen(cluster)) == ["p1", "p2"]


def test_a_volume_reserved_for_the_claim_wins_over_a_smaller_one() -> None:
    mine = volume("large", "9Gi", claimRef={"namespace": "default", "name": "c"})
    cluster = decide(volume("small"), mine, claim("c"), pod("p", "c"))
    assert reference_of(cluster.see("PersistentVolume", "small")) == ""
    assert "uid" in cluster.see("PersistentVolume", "large")["spec"]["claimRef"]


def test_a_reserved_volume_out_of_reach_makes_the_node_unfit() -> None:
    reference = {"namespace": "default", "name": "c"}
    away = volume("away", claimRef=reference, nodeAffinity=local_to("n2"))
    cluster = decide(volume("here"), away, claim("c"), pod("p", "c"), nodes=(node("n1"),))
    assert cluster.placed("p") == ""
    assert "didn't find available persistent volumes" in cluster.unscheduled("p")


def test_a_reserved_volume_of_another_class_is_not_looked_at() -> None:
    other = volume("other", storage_class="another", claimRef={"namespace": "default", "name": "c"})
    cluster = decide(other, volume("free"), claim("c"), pod("p", "c"))
    assert "uid" not in cluster.see("PersistentVolume", "other")["spec"]["claimRef"]
    assert reference_of(cluster.see("PersistentVolume", "free")) == "c"


def test_what_is_not_matched_is_made_on_the_node() -> None:
    cluster = decide(MAKING, claim("c", storage_class="made"), pod("p", "c"))
    assert annotations(cluster.see("PersistentVolumeClaim", "c"))[SELECTED_NODE] == "n1"


def test_a_matched_claim_gets_no_selected_node() -> None:
    cluster = decide(volume("v"), claim("c"), pod("p", "c"))
    assert SELECTED_NODE not in annotations(cluster.see("PersistentVolumeClaim", "c"))


def test_a_pod_may_mix_a_found_volume_and_one_to_be_made() -> None:
    found, made = claim("found", storage_class="made"), claim("missing", "3Gi", storage_class="made")
    cluster = decide(MAKING, volume("v", storage_class="made"), found, made, pod("p", "found", "missing"))
    assert chosen(cluster) == {"v": "found"}
    assert annotations(cluster.see("PersistentVolumeClaim", "missing"))[SELECTED_NODE] == "n1"


def test_a_claim_with_a_selected_node_is_made_there_though_a_volume_fits() -> None:
    wanted = claim("c", storage_class="made", annotations={SELECTED_NODE: "n2"})
    objects = [MAKING, volume("v", storage_class="made"), wanted, pod("p", "c")]
    cluster = decide(*objects, nodes=(node("n1"), node("n2")))
    assert chosen(cluster) == {}
    assert cluster.see("Pod", "p")["status"]["nominatedNodeName"] == "n2"


def test_a_class_that_is_not_allowed_on_the_node_makes_nothing_there() -> None:
    zone = {"matchLabelExpressions": [{"key": "kubernetes.io/hostname", "values": ["n2"]}]}
    limited = storage_class("made", provisioner="csi.example", allowedTopologies=[zone])
    objects = [limited, claim("c", storage_class="made"), pod("p", "c")]
    cluster = decide(*objects, nodes=(node("n1"), node("n2")))
    assert annotations(cluster.see("PersistentVolumeClaim", "c"))[SELECTED_NODE] == "n2"


DRIVER = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "CSIDriver",
    "metadata": {"name": "csi.example"},
    "spec": {"storageCapacity": True},
}


def free_space(size: str) -> Obj:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "CSIStorageCapacity",
        "metadata": {"name": f"space-{size.lower()}", "namespace": "default"},
        "storageClassName": "made",
        "capacity": size,
        "nodeTopology": {"matchLabels": {"kubernetes.io/hostname": "n1"}},
    }


def test_a_driver_without_enough_space_speaks_against_the_node_until_it_has_more() -> None:
    cluster = decide(MAKING, DRIVER, free_space("1Gi"), claim("c", "2Gi", storage_class="made"), pod("p", "c"))
    assert "1 node(s) did not have enough free storage" in cluster.unscheduled("p")
    cluster.create(free_space("4Gi"))
    cluster.wait(1.5)
    assert annotations(cluster.see("PersistentVolumeClaim", "c"))[SELECTED_NODE] == "n1"


@pytest.mark.parametrize(
    ("affinity", "fits"),
    [
        (local_to("n1"), True),
        (local_to("n9"), False),
        ({"required": {"nodeSelectorTerms": [{}]}}, False),
        (
            {
                "required": {
                    "nodeSelectorTerms": [
                        {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["nobody"]}]}
                    ]
                }
            },
            True,
        ),
        ({"required": {"nodeSelectorTerms": [{}, *local_to("n1")["required"]["nodeSelectorTerms"]]}}, True),
    ],
    ids=["label", "another label", "empty term", "only matchFields", "one of two terms"],
)
def test_a_bound_volume_lets_its_pod_go_where_it_is_reachable(affinity: Obj, fits: bool) -> None:
    cluster = Cluster()
    cluster.create(*bound_pair(nodeAffinity=affinity), pod("p", "c"))
    cluster.settle()
    assert cluster.placed("p") == ("n1" if fits else "")
    if not fits:
        assert "1 node(s) didn't match PersistentVolume's node affinity" in cluster.unscheduled("p")


@pytest.mark.parametrize(("zone", "fits"), [("a__b", True), ("c", False)])
def test_a_volume_with_a_zone_lets_its_pod_go_to_that_zone(zone: str, fits: bool) -> None:
    cluster = Cluster(node("n1", **{"topology.kubernetes.io/zone": "b"}))
    cluster.create(*bound_pair(labels={"topology.kubernetes.io/zone": zone}), pod("p", "c"))
    cluster.settle()
    assert cluster.placed("p") == ("n1" if fits else "")
    if not fits:
        assert "1 node(s) had no available volume zone" in cluster.unscheduled("p")


def test_a_node_without_any_zone_label_takes_volumes_of_all_zones() -> None:
    cluster = Cluster()
    cluster.create(*bound_pair(labels={"topology.kubernetes.io/zone": "c"}), pod("p", "c"))
    cluster.settle()
    assert cluster.placed("p") == "n1"


def test_the_volume_taken_for_one_pod_is_not_offered_to_the_next() -> None:
    objects = [volume("v"), claim("a"), claim("b"), pod("p", "a"), pod("q", "b")]
    cluster = decide(*objects)
    assert len(chosen(cluster)) == 1
    assert [bool(cluster.see("Pod", name)["status"].get("nominatedNodeName")) for name in "pq"].count(True) == 1
