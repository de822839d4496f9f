"""How a decision is written down, how long its volumes are waited for, and what is left when it fails."""

from collections.abc import Callable

import pytest

from pvkit.backends.objects import Obj, annotations, condition, get, uid
from tests.backends.reference.cluster import (
    SELECTED_NODE,
    Cluster,
    claim,
    local_to,
    node,
    pod,
    reference_of,
    storage_class,
    volume,
)

LATE, MADE = storage_class("late"), storage_class("made", provisioner="csi.example")


def waiting(*objects: Obj, nodes: tuple[Obj, ...] = (), **more: object) -> Cluster:
    """A world in which pods wait for volumes that the binder, frozen, does not bind."""
    cluster = Cluster(*nodes, **more)  # type: ignore[arg-type]
    cluster.reserve_only(LATE, MADE, *objects)
    cluster.wait(0.5)
    return cluster


def writes_of(cluster: Cluster, component: str) -> list[tuple[str, str]]:
    """Kind and name of all that a component wrote, events aside."""
    return [
        (event.object["kind"], event.object["metadata"]["name"])
        for event in cluster.store.log
        if event.by == component and event.object["kind"] != "Event"
    ]


def test_a_pod_is_nominated_then_volumes_and_claims_are_written_by_size() -> None:
    objects = [
        volume("v1"),
        volume("v2", "2Gi"),
        claim("large", "2Gi"),
        claim("small"),
        claim("made", storage_class="made"),
    ]
    cluster = waiting(*objects, pod("p", "made", "large", "small"))
    assert writes_of(cluster, "scheduler") == [
        ("Pod", "p"),
        ("PersistentVolume", "v1"),
        ("PersistentVolume", "v2"),
        ("PersistentVolumeClaim", "made"),
    ]


def test_before_1_35_no_pod_is_nominated() -> None:
    cluster = waiting(volume("v"), claim("c"), pod("p", "c"), version="1.34")
    assert writes_of(cluster, "scheduler") == [("PersistentVolume", "v")]


def test_a_reservation_is_what_the_binder_would_write() -> None:
    cluster = waiting(volume("v"), claim("c"), pod("p", "c"))
    reserved, wanted = cluster.see("PersistentVolume", "v"), cluster.see("PersistentVolumeClaim", "c")
    assert reserved["spec"]["claimRef"]["uid"] == uid(wanted)
    assert annotations(reserved)["pv.kubernetes.io/bound-by-controller"] == "yes"
    assert get(reserved, "status", "phase") == "Available"


def test_the_pod_is_assigned_a_second_later_and_is_nominated_no_more() -> None:
    cluster = waiting(volume("v"), claim("c"), pod("p", "c"))
    decided = cluster.model.engine.clock.now - 0.5
    cluster.fault("thaw", controller="binder")
    cluster.settle()
    assigned = next(e for e in cluster.store.log if e.object["kind"] == "Pod" and e.object["spec"].get("nodeName"))
    assert assigned.time == decided + 1.0
    assert "nominatedNodeName" not in assigned.object["status"]


def test_while_it_waits_nothing_is_written() -> None:
    cluster = waiting(volume("v"), claim("c"), pod("p", "c"))
    before = len(cluster.store.log)
    cluster.wait(590.0)
    assert len(cluster.store.log) == before


def test_after_ten_minutes_it_gives_up_and_says_so_once() -> None:
    cluster = waiting(volume("v"), claim("c"), pod("p", "c"))
    cluster.settle()
    assert cluster.unscheduled("p").endswith('"VolumeBinding": binding volumes: context deadline exceeded')
    assert (condition(cluster.see("Pod", "p"), "PodScheduled") or {})["reason"] == "SchedulerError"
    assert "nominatedNodeName" not in cluster.see("Pod", "p")["status"]
    assert reference_of(cluster.see("PersistentVolume", "v")) == "c"
    cluster.fault("heal")
    cluster.settle()
    assert cluster.placed("p") == "n1"


def test_a_view_that_lagged_until_time_was_up_is_no_obstacle_once_it_is_current() -> None:
    cluster = Cluster()
    cluster.fault("hold", controller="scheduler", kind="PersistentVolume")
    served = storage_class("served", provisioner="pvkit.dev/provisioner")
    cluster.create(served, claim("c", storage_class="served"), pod("p", "c"))
    cluster.wait(700.0)
    assert get(cluster.see("PersistentVolumeClaim", "c"), "status", "phase") == "Bound"
    assert cluster.placed("p") == ""
    cluster.fault("heal")
    cluster.settle()
    assert cluster.ready("p")


def test_a_pod_that_waited_too_long_is_tried_again_when_its_volume_changes() -> None:
    cluster = waiting(volume("v"), claim("c"), pod("p", "c"))
    cluster.settle()
    assert "context deadline exceeded" in cluster.unscheduled("p")
    cluster.patch("PersistentVolume", "v", {"metadata": {"labels": {"looked": "at"}}})
    cluster.wait(0.5)
    assert cluster.see("Pod", "p")["status"]["nominatedNodeName"] == "n1"


def reset_reference(cluster: Cluster) -> None:
    cluster.patch("PersistentVolume", "v", {"spec": {"claimRef": None}})


def move_volume(cluster: Cluster) -> None:
    cluster.patch("Node", "n1", {"metadata": {"labels": {"kubernetes.io/hostname": "elsewhere"}}})


def lose_volume(cluster: Cluster) -> None:
    cluster.delete("PersistentVolume", "v")
    cluster.patch("PersistentVolume", "v", {"metadata": {"finalizers": None}})


def lose_node(cluster: Cluster) -> None:
    cluster.delete("Node", "n1")


@pytest.mark.parametrize(
    ("happens", "text"),
    [
        (reset_reference, 'ClaimRef got reset for pv "v"'),
        (move_volume, 'pv "v" node affinity doesn\'t match node "n1": no matching NodeSelectorTerms'),
        (lose_volume, 'failed to check binding: persistentvolume "v" not found'),
        (lose_node, 'failed to get node "n1": node "n1" not found'),
    ],
)
def test_a_reservation_that_goes_wrong_ends_the_cycle(happens: Callable[[Cluster], None], text: str) -> None:
    cluster = waiting(volume("v", nodeAffinity=local_to("n1")), claim("c"), pod("p", "c"))
    happens(cluster)
    cluster.wait(1.2)
    said = [get(condition(seen, "PodScheduled") or {}, "message") for seen in cluster.changes("Pod", "p")]
    assert f'running PreBind plugin "VolumeBinding": binding volumes: {text}' in said


@pytest.mark.parametrize(
    ("marks", "text"),
    [
        (None, 'selectedNode annotation reset for PVC "c"'),
        ({SELECTED_NODE: None, "other": "stays"}, 'provisioning failed for PVC "c"'),
        ({SELECTED_NODE: "n7"}, 'provisioning failed for PVC "c"'),
    ],
    ids=["no annotation left", "removed", "another node"],
)
def test_a_provisioner_that_gives_up_sends_the_pod_back(marks: Obj | None, text: str) -> None:
    cluster = waiting(claim("c", storage_class="made"), pod("p", "c"))
    cluster.patch("PersistentVolumeClaim", "c", {"metadata": {"annotations": marks}})
    cluster.wait(1.2)
    said = [get(condition(seen, "PodScheduled") or {}, "message") for seen in cluster.changes("Pod", "p")]
    assert f'running PreBind plugin "VolumeBinding": binding volumes: {text}' in said


def test_a_failed_reservation_is_not_rolled_back_and_the_next_attempt_uses_it() -> None:
    cluster = Cluster()
    cluster.create(volume("v1"), volume("v2", "2Gi"))
    cluster.settle()
    cluster.fault("refuse", controller="scheduler", kind="PersistentVolume", nth=2, answer="server-error")
    cluster.fault("freeze", controller="binder")
    cluster.create(LATE, claim("a"), claim("b", "2Gi"), pod("p", "a", "b"))
    cluster.wait(0.5)
    assert cluster.unscheduled("p") == 'running PreBind plugin "VolumeBinding": refused by a fault'
    assert [reference_of(cluster.see("PersistentVolume", name)) for name in ("v1", "v2")] == ["a", ""]
    cluster.wait(1.5)
    assert [reference_of(cluster.see("PersistentVolume", name)) for name in ("v1", "v2")] == ["a", "b"]
    cluster.fault("heal")
    cluster.settle()
    assert cluster.placed("p") == "n1"


def test_what_was_assumed_for_a_failed_cycle_is_free_again_unless_written() -> None:
    cluster = Cluster()
    cluster.create(volume("v1"))
    cluster.settle()
    cluster.fault("refuse", controller="scheduler", kind="PersistentVolume", answer="server-error")
    cluster.fault("freeze", controller="binder")
    cluster.create(LATE, claim("a"), claim("b"), pod("p", "a"))
    cluster.wait(0.1)
    cluster.create(pod("q", "b"))
    cluster.wait(0.1)
    assert reference_of(cluster.see("PersistentVolume", "v1")) in ("a", "b")


@pytest.mark.parametrize("after", [1, 2, 3])
def test_a_crash_anywhere_in_a_cycle_leads_to_the_same_end(after: int) -> None:
    cluster = Cluster()
    cluster.fault("crash", controller="scheduler", after=after)
    cluster.create(volume("v1"), volume("v2"), LATE, claim("a"), claim("b"), pod("p", "a", "b"))
    cluster.settle()
    assert cluster.placed("p") == "n1"
    assert cluster.ready("p")


@pytest.mark.parametrize("kind", ["PersistentVolume", "Pod", "Binding"])
def test_a_lost_answer_leads_to_the_same_end(kind: str) -> None:
    cluster = Cluster()
    cluster.fault("lose-answer", controller="scheduler", kind=kind)
    cluster.create(volume("v"), LATE, claim("a"), pod("p", "a"))
    cluster.settle()
    assert cluster.placed("p") == "n1"
    assert cluster.ready("p")


def test_a_second_scheduler_does_no_harm() -> None:
    cluster = Cluster(node("n1"), node("n2"))
    cluster.fault("second-leader", controller="scheduler")
    cluster.create(volume("v1"), volume("v2"), LATE, claim("a"), claim("b"), pod("p", "a"), pod("q", "b"))
    cluster.settle()
    cluster.fault("heal")
    cluster.settle()
    assert all(map(cluster.ready, "pq"))


def test_a_volume_that_is_taken_is_not_offered_though_the_cache_lags() -> None:
    cluster = Cluster()
    cluster.create(volume("v1"), LATE, claim("a"), claim("b"))
    cluster.settle()
    cluster.fault("hold", controller="scheduler", kind="PersistentVolume")
    cluster.fault("freeze", controller="binder")
    cluster.create(pod("p", "a"))
    cluster.wait(0.1)
    cluster.create(pod("q", "b"))
    cluster.wait(0.1)
    assert reference_of(cluster.see("PersistentVolume", "v1")) == "a"
    assert "didn't find available persistent volumes" in cluster.unscheduled("q")


def test_the_next_pod_of_that_name_is_not_assigned_by_the_decision_about_the_first() -> None:
    cluster = waiting(volume("v"), claim("c"), pod("p", "c"))
    first = cluster.see("Pod", "p")
    cluster.delete("Pod", "p")
    cluster.create(pod("p", "c", nodeSelector={"kubernetes.io/hostname": "n9"}))
    cluster.fault("heal")
    cluster.settle()
    second = cluster.see("Pod", "p")
    assert uid(second) != uid(first)
    assert cluster.placed("p") == ""


def test_a_claim_may_be_bound_with_no_pod_left() -> None:
    cluster = waiting(volume("v"), claim("c"), pod("p", "c"))
    cluster.delete("Pod", "p")
    cluster.fault("heal")
    cluster.settle()
    assert get(cluster.see("PersistentVolumeClaim", "c"), "status", "phase") == "Bound"
    assert cluster.all("Pod") == []


def test_pods_that_share_a_claim_wait_for_the_same_volume() -> None:
    cluster = Cluster()
    cluster.create(LATE, volume("v1"), volume("v2"), claim("c"), pod("p", "c"), pod("q", "c"))
    cluster.settle()
    assert all(map(cluster.ready, "pq"))
    assert sorted(reference_of(cluster.see("PersistentVolume", name)) for name in ("v1", "v2")) == ["", "c"]
