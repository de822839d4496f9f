"""Which node a pod gets, what it says while it has none, and what makes the scheduler try again."""

import pytest

from pvkit.backends.objects import Obj, condition, get
from pvkit.backends.protocol import Departure
from tests.backends.reference.cluster import Cluster, bound_pair, claim, local_to, node, pod, storage_class, volume

LATE = storage_class("late")
BOUND = {"pv.kubernetes.io/bind-completed": "yes"}


def settled(*objects: Obj, nodes: tuple[Obj, ...] = (), **more: object) -> Cluster:
    """A world that has come to rest."""
    cluster = Cluster(*nodes, **more)  # type: ignore[arg-type]
    cluster.create(*objects)
    cluster.settle()
    return cluster


def test_a_pod_without_claims_gets_a_node_and_says_so() -> None:
    cluster = settled(pod("p"))
    assert cluster.placed("p") == "n1"
    assert (condition(cluster.see("Pod", "p"), "PodScheduled") or {})["status"] == "True"


def test_a_pod_with_a_bound_claim_gets_a_node_without_being_nominated() -> None:
    cluster = settled(*bound_pair(), pod("p", "c"))
    assert cluster.placed("p") == "n1"
    assert not any(get(seen, "status", "nominatedNodeName") for seen in cluster.changes("Pod", "p"))


def test_any_node_that_fits_may_be_chosen() -> None:
    nodes = (node("n1"), node("n2"))
    places = {settled(pod("p"), nodes=nodes, schedule=(Departure("tie", 0, take),)).placed("p") for take in range(2)}
    assert places == {"n1", "n2"}


def test_a_pod_with_a_node_of_its_own_is_none_of_the_schedulers_business() -> None:
    cluster = settled(LATE, volume("v"), claim("c"), pod("p", "c", nodeName="n1"))
    assert not any(event.by == "scheduler" for event in cluster.store.log)


def test_a_pod_for_another_scheduler_is_left_alone() -> None:
    cluster = settled(pod("p", schedulerName="another"))
    assert cluster.placed("p") == ""
    assert condition(cluster.see("Pod", "p"), "PodScheduled") is None


def test_without_nodes_nothing_is_scheduled_until_there_is_one() -> None:
    cluster = settled(pod("p"))
    lonely = Cluster(node("n1"))
    lonely.delete("Node", "n1")
    lonely.create(pod("p"))
    lonely.settle()
    assert lonely.unscheduled("p") == "no nodes available to schedule pods"
    lonely.create(node("n2"))
    lonely.settle()
    assert (lonely.placed("p"), cluster.placed("p")) == ("n2", "n1")


REFUSED = [
    ("not found", [], 'persistentvolumeclaim "c" not found'),
    (
        "lost",
        [claim("c", storage_class="", annotations=BOUND, volumeName="gone")],
        'persistentvolumeclaim "c" bound to non-existent persistentvolume "gone"',
    ),
    ("unbound", [claim("c", storage_class="")], "pod has unbound immediate PersistentVolumeClaims"),
    ("reserved", [LATE, claim("c", volumeName="v")], "pod has unbound immediate PersistentVolumeClaims"),
]


@pytest.mark.parametrize(("objects", "why"), [entry[1:] for entry in REFUSED], ids=[entry[0] for entry in REFUSED])
def test_a_claim_in_the_way_is_named(objects: list[Obj], why: str) -> None:
    cluster = Cluster()
    if "non-existent" in why:
        cluster.create(*objects)
        cluster.patch("PersistentVolumeClaim", "c", {"status": {"phase": "Lost"}}, subresource="status")
    else:
        cluster.create(*objects)
    cluster.create(pod("p", "c"))
    cluster.settle()
    assert cluster.unscheduled("p") == f"0/1 nodes are available: {why}. not found"


def test_a_claim_on_its_way_out_takes_no_new_pod() -> None:
    cluster = settled(*bound_pair(), pod("p", "c"))
    cluster.delete("PersistentVolumeClaim", "c")
    cluster.create(pod("q", "c"))
    cluster.wait(1.0)
    assert 'persistentvolumeclaim "c" is being deleted' in cluster.unscheduled("q")


def test_a_missing_claim_is_named_before_a_lost_one() -> None:
    lost, there = claim("c", storage_class="", annotations=BOUND, volumeName="gone"), "absent"
    cluster = settled(lost, pod("p", "c", there))
    assert 'persistentvolumeclaim "absent" not found' in cluster.unscheduled("p")


def test_a_claim_whose_volume_is_missing_says_so() -> None:
    cluster = Cluster()
    cluster.fault("freeze", controller="binder")
    cluster.create(claim("c", storage_class="", annotations=BOUND, volumeName="gone"), pod("p", "c"))
    cluster.wait(1.0)
    assert 'persistentvolume "gone" not found' in cluster.unscheduled("p")


def test_an_ephemeral_claim_that_is_not_there_yet_is_waited_for() -> None:
    wanted = {"name": "scratch", "ephemeral": {"volumeClaimTemplate": {"spec": claim("x")["spec"]}}}
    cluster = settled(pod("p", volumes=[wanted]))
    assert 'to create the persistentvolumeclaim "p-scratch"' in cluster.unscheduled("p")


def test_the_suffix_of_a_refusal_follows_the_version() -> None:
    texts = {version: settled(pod("p", "c"), version=version).unscheduled("p") for version in ("1.33", "1.36")}
    assert texts["1.33"].endswith("preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.")
    assert texts["1.36"].endswith('persistentvolumeclaim "c" not found. not found')


def test_reasons_are_counted_over_nodes() -> None:
    nodes = (node("n1"), node("n2"), {**node("n3"), "spec": {"unschedulable": True}})
    cluster = settled(*bound_pair(nodeAffinity=local_to("n9")), pod("p", "c"), nodes=nodes)
    assert cluster.unscheduled("p") == (
        "0/3 nodes are available: 1 node(s) were unschedulable, "
        "2 node(s) didn't match PersistentVolume's node affinity. "
        "no new claims to deallocate, preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling."
    )


@pytest.mark.parametrize(
    ("spec", "place"),
    [
        ({"nodeSelector": {"kubernetes.io/hostname": "n2"}}, "n2"),
        (
            {
                "affinity": {
                    "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": local_to("n2")["required"]}
                }
            },
            "n2",
        ),
        ({"nodeSelector": {"kubernetes.io/hostname": "n9"}}, ""),
    ],
    ids=["selector", "affinity", "nowhere"],
)
def test_a_pod_may_ask_for_a_node(spec: Obj, place: str) -> None:
    cluster = settled(pod("p", **spec), nodes=(node("n1"), node("n2")))
    assert cluster.placed("p") == place


@pytest.mark.parametrize(("version", "words"), [("1.33", "taint {only: us}"), ("1.36", "taint(s)")])
def test_a_taint_keeps_out_pods_that_do_not_tolerate_it(version: str, words: str) -> None:
    tainted = {**node("n1"), "spec": {"taints": [{"key": "only", "value": "us", "effect": "NoSchedule"}]}}
    welcome = pod("q", tolerations=[{"key": "only", "operator": "Exists"}])
    cluster = settled(pod("p"), welcome, nodes=(tainted,), version=version)
    assert cluster.placed("q") == "n1"
    assert f"1 node(s) had untolerated {words}" in cluster.unscheduled("p")


ALONE = ["ReadWriteOncePod"]
IN_USE = (
    "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod"
)


def used_by_p() -> Cluster:
    """Pod q wants a claim for one pod only, and p has it."""
    cluster = settled(*bound_pair(modes=ALONE), pod("p", "c"), nodes=(node("n1"), node("n2")))
    cluster.create(pod("q", "c"))
    cluster.settle()
    return cluster


def test_a_claim_for_one_pod_is_used_by_one_pod_at_a_time() -> None:
    cluster = used_by_p()
    assert cluster.placed("q") == ""
    assert f"2 {IN_USE}" in cluster.unscheduled("q")
    assert "No preemption victims found for incoming pod." in cluster.unscheduled("q")


def test_a_claim_for_one_pod_is_free_again_once_its_pod_has_finished() -> None:
    cluster = used_by_p()
    cluster.behave("p", "finish")
    cluster.settle()
    assert cluster.placed("q") != ""
    assert cluster.get("Pod", "p") is not None


def test_a_claim_for_one_pod_is_free_again_once_its_pod_is_gone() -> None:
    cluster = used_by_p()
    cluster.delete("Pod", "p")
    cluster.settle()
    assert cluster.placed("q") != ""


def test_an_ordinary_claim_is_shared() -> None:
    cluster = settled(*bound_pair(), pod("p", "c"), pod("q", "c"))
    assert (cluster.placed("p"), cluster.placed("q")) == ("n1", "n1")


def test_the_condition_is_written_once_while_the_reason_stays() -> None:
    cluster = settled(pod("p", "c"))
    before = len(cluster.changes("Pod", "p"))
    cluster.wait(2_000.0)
    assert len(cluster.changes("Pod", "p")) == before


def test_the_condition_follows_the_reason() -> None:
    cluster = settled(pod("p", "c"))
    cluster.create(claim("c", storage_class=""))
    cluster.wait(0.5)
    assert "unbound immediate" in cluster.unscheduled("p")


def test_a_new_volume_wakes_a_pod_that_waits_for_one() -> None:
    cluster = settled(LATE, claim("c"), pod("p", "c"))
    assert "didn't find available persistent volumes" in cluster.unscheduled("p")
    cluster.create(volume("v"))
    cluster.wait(0.5)
    assert get(cluster.see("PersistentVolume", "v"), "spec", "claimRef", "name") == "c"


def test_a_label_on_a_node_wakes_a_pod_that_waits_for_it() -> None:
    cluster = settled(pod("p", nodeSelector={"disk": "fast"}))
    cluster.patch("Node", "n1", {"metadata": {"labels": {"disk": "fast"}}})
    cluster.wait(0.5)
    assert cluster.placed("p") == "n1"


def test_a_class_wakes_a_pod_whose_claim_waits_for_it() -> None:
    cluster = Cluster()
    cluster.fault("freeze", controller="binder")
    cluster.create(claim("c", storage_class="made"), pod("p", "c"))
    cluster.wait(0.5)
    assert "unbound immediate" in cluster.unscheduled("p")
    cluster.create(storage_class("made", provisioner="csi.example"))
    cluster.wait(0.5)
    assert get(cluster.see("Pod", "p"), "status", "nominatedNodeName") == "n1"


def test_nothing_else_is_needed_for_a_retry_every_five_minutes() -> None:
    cluster = Cluster()
    cluster.create(claim("c", storage_class=""), pod("p", "c"))
    cluster.settle()
    cluster.fault("hold", controller="scheduler", kind="PersistentVolumeClaim")
    cluster.create(volume("v", storage_class=""))
    cluster.wait(30.0)
    cluster.fault("release", controller="scheduler", kind="PersistentVolumeClaim", how="merged")
    cluster.wait(310.0)
    assert cluster.placed("p") == "n1"


def test_before_1_33_a_woken_pod_serves_its_back_off() -> None:
    cluster = Cluster(version="1.32")
    cluster.create(pod("p", "c"))
    cluster.wait(0.0)
    cluster.ask("create", claim("c", storage_class=""), **{"at-once": True})
    cluster.wait(0.5)
    assert "not found" in cluster.unscheduled("p")
    cluster.wait(0.6)
    assert "unbound immediate" in cluster.unscheduled("p")


def test_a_deleted_pod_without_a_node_is_not_scheduled() -> None:
    cluster = settled(pod("p", "c", finalizers=["example.com/held"]))
    cluster.delete("Pod", "p")
    cluster.create(*bound_pair())
    cluster.settle()
    assert cluster.placed("p") == ""
    texts = [event["message"] for event in cluster.store.list("Event", "default")]
    assert "skip schedule deleting pod: default/p" in texts


def test_a_restarted_scheduler_goes_on() -> None:
    cluster = settled(pod("p", "c"))
    cluster.fault("crash", controller="scheduler")
    cluster.create(*bound_pair())
    cluster.settle()
    assert cluster.placed("p") == "n1"


ZONE = "topology.kubernetes.io/zone"


@pytest.mark.parametrize("spec", [{}, {"nodeName": "n1"}])
def test_a_pod_is_told_in_which_zone_its_node_stands(spec: Obj) -> None:
    cluster = settled(pod("p", labels={ZONE: "elsewhere"}, **spec), nodes=(node("n1", **{ZONE: "a", "rank": "1"}),))
    assert cluster.see("Pod", "p")["metadata"]["labels"] == {ZONE: "a"}


def test_before_1_35_no_pod_is_told_its_zone() -> None:
    cluster = settled(pod("p"), nodes=(node("n1", **{ZONE: "a"}),), version="1.34")
    assert ZONE not in (cluster.see("Pod", "p")["metadata"].get("labels") or {})
