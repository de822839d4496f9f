"""Nodes that fall silent, die, vanish or are taken out of service, and what becomes of their pods."""

from pvkit.backends.objects import Obj, condition, deleting, get
from tests.backends.reference.cluster import Cluster, bound_pair, node, pod

OUT_OF_SERVICE = {"key": "node.kubernetes.io/out-of-service", "value": "nodeshutdown", "effect": "NoExecute"}


def running(*pods: Obj) -> Cluster:
    """A world with two nodes in which pods run on the first."""
    cluster = Cluster(node("n1"), node("n2"))
    cluster.create(*(pods or (pod("p", nodeName="n1"),)))
    cluster.settle()
    return cluster


def node_ready(cluster: Cluster, called: str = "n1") -> str:
    return str((condition(cluster.see("Node", called), "Ready") or {}).get("status"))


def taint_keys(cluster: Cluster, called: str = "n1") -> set[str]:
    return {taint["key"] for taint in get(cluster.see("Node", called), "spec", "taints") or ()}


def processes(cluster: Cluster) -> list[str]:
    return sorted(entry["spec"]["pod"] for entry in cluster.store.list("Process"))


def test_a_node_says_that_it_is_ready() -> None:
    assert node_ready(running()) == "True"


def test_a_short_silence_means_nothing() -> None:
    cluster = running()
    cluster.fault("cut-off", node="n1")
    cluster.wait(39.0)
    assert (node_ready(cluster), cluster.ready("p")) == ("True", True)
    cluster.fault("rejoin", node="n1")
    cluster.settle()
    assert (node_ready(cluster), taint_keys(cluster)) == ("True", set())


def test_a_silent_node_is_tainted_and_its_pods_are_not_ready_but_run_on() -> None:
    cluster = running()
    cluster.fault("cut-off", node="n1")
    cluster.wait(41.0)
    assert node_ready(cluster) == "Unknown"
    assert taint_keys(cluster) == {"node.kubernetes.io/unreachable"}
    assert not cluster.ready("p")
    assert processes(cluster) == ["p"]
    assert node_ready(cluster, "n2") == "True"


def test_no_pod_goes_to_a_silent_node() -> None:
    cluster = running()
    cluster.fault("cut-off", node="n1")
    cluster.wait(41.0)
    cluster.create(pod("q"), pod("r"))
    cluster.wait(1.0)
    assert (cluster.placed("q"), cluster.placed("r")) == ("n2", "n2")


def test_a_node_that_is_back_in_time_keeps_its_pods() -> None:
    cluster = running()
    cluster.fault("cut-off", node="n1")
    cluster.wait(200.0)
    cluster.fault("rejoin", node="n1")
    cluster.settle()
    assert (node_ready(cluster), taint_keys(cluster)) == ("True", set())
    assert cluster.ready("p")
    assert len({state["metadata"]["uid"] for state in cluster.changes("Pod", "p")}) == 1


def test_after_five_minutes_pods_are_marked_and_stay() -> None:
    cluster = running()
    cluster.fault("cut-off", node="n1")
    cluster.wait(339.0)
    assert not deleting(cluster.see("Pod", "p"))
    cluster.wait(2.0)
    marked = cluster.see("Pod", "p")
    assert deleting(marked)
    assert (condition(marked, "DisruptionTarget") or {})["reason"] == "DeletionByTaintManager"
    cluster.wait(10_000.0)
    assert cluster.all("Pod") == ["p"]
    assert processes(cluster) == ["p"]


def test_a_marked_pod_goes_once_its_node_is_back() -> None:
    cluster = running()
    cluster.fault("cut-off", node="n1")
    cluster.wait(400.0)
    cluster.fault("heal")
    cluster.settle()
    assert (cluster.all("Pod"), processes(cluster)) == ([], [])


def test_a_pod_may_tolerate_silence_for_ever_or_for_a_moment() -> None:
    def tolerant(called: str, **seconds: int) -> Obj:
        return pod(called, nodeName="n1", tolerations=[{"operator": "Exists", "effect": "NoExecute", **seconds}])

    cluster = running(tolerant("stays"), tolerant("leaves", tolerationSeconds=5))
    cluster.fault("cut-off", node="n1")
    cluster.wait(46.0)
    assert [deleting(cluster.see("Pod", called)) for called in ("stays", "leaves")] == [False, True]
    cluster.wait(2_000.0)
    assert not deleting(cluster.see("Pod", "stays"))


def test_pods_of_a_node_that_was_deleted_are_failed_and_removed() -> None:
    cluster = running()
    cluster.fault("cut-off", node="n1")
    cluster.delete("Node", "n1")
    cluster.wait(38.0)
    assert cluster.all("Pod") == ["p"]
    cluster.wait(42.0)
    last = cluster.changes("Pod", "p")[-1]
    assert cluster.all("Pod") == []
    assert last["status"]["phase"] == "Failed"
    assert (condition(last, "DisruptionTarget") or {})["message"] == "PodGC: node no longer exists"
    assert processes(cluster) == ["p"]


def test_pods_of_a_node_that_is_there_again_in_time_stay() -> None:
    cluster = running()
    cluster.delete("Node", "n1")
    cluster.wait(20.0)
    cluster.create(node("n1"))
    cluster.wait(100.0)
    assert cluster.all("Pod") == ["p"]
    assert cluster.ready("p")


def test_whether_a_node_is_gone_is_asked_of_the_api_server() -> None:
    cluster = running()
    cluster.fault("hold", controller="pod-gc", kind="Node")
    cluster.create(node("n3"), pod("q", nodeName="n3"))
    cluster.wait(100.0)
    assert cluster.ready("q")


def test_out_of_service_gives_up_terminating_pods_of_an_unready_node() -> None:
    cluster = running()
    cluster.fault("cut-off", node="n1")
    cluster.wait(41.0)
    cluster.patch("Node", "n1", {"spec": {"taints": [OUT_OF_SERVICE]}})
    cluster.wait(1.0)
    assert cluster.all("Pod") == ["p"]
    cluster.wait(20.0)
    assert cluster.all("Pod") == []
    assert cluster.changes("Pod", "p")[-1]["status"]["phase"] == "Failed"
    assert processes(cluster) == ["p"]


def test_out_of_service_on_a_ready_node_leaves_the_end_to_the_kubelet() -> None:
    cluster = running(pod("p", nodeName="n1", behaves="hang"))
    cluster.patch("Node", "n1", {"spec": {"taints": [OUT_OF_SERVICE]}})
    cluster.wait(100.0)
    assert deleting(cluster.see("Pod", "p"))


def test_a_terminating_pod_without_a_node_is_failed() -> None:
    cluster = running(pod("p", "absent", finalizers=["example.com/held"]))
    cluster.delete("Pod", "p")
    cluster.settle()
    assert get(cluster.see("Pod", "p"), "status", "phase") == "Failed"
    assert processes(cluster) == []


def test_a_waiting_pod_without_a_node_is_left_alone() -> None:
    cluster = running(pod("p", "absent"))
    assert get(cluster.see("Pod", "p"), "status", "phase") == "Pending"


def test_a_node_without_power_runs_nothing_and_starts_its_pods_again() -> None:
    cluster = running(*bound_pair(), pod("p", "c", nodeName="n1"))
    cluster.fault("power-off", node="n1")
    cluster.wait(10.0)
    assert processes(cluster) == []
    cluster.fault("rejoin", node="n1")
    cluster.settle()
    assert processes(cluster) == ["p"]
    assert cluster.ready("p")


def test_after_a_loss_of_power_a_pod_is_not_ready_while_its_claim_cannot_be_used() -> None:
    cluster = running(*bound_pair(), pod("p", "c", nodeName="n1"))
    cluster.fault("power-off", node="n1")
    cluster.fault("freeze", controller="binder")
    cluster.patch("PersistentVolumeClaim", "c", {"status": {"phase": "Lost"}}, subresource="status")
    cluster.fault("rejoin", node="n1")
    cluster.wait(5.0)
    assert (processes(cluster), cluster.ready("p")) == ([], False)
    cluster.fault("heal")
    cluster.settle()
    assert (processes(cluster), cluster.ready("p")) == (["p"], True)


def test_the_end_of_a_freeze_does_not_bring_back_a_node_that_is_cut_off() -> None:
    cluster = running()
    cluster.fault("cut-off", node="n1")
    cluster.fault("freeze", controller="kubelet")
    cluster.fault("thaw", controller="kubelet")
    cluster.delete("Pod", "p")
    cluster.wait(10.0)
    assert processes(cluster) == ["p"]
    cluster.fault("heal")
    cluster.settle()
    assert processes(cluster) == []


def test_a_second_kubelet_of_a_node_that_is_cut_off_is_cut_off_too() -> None:
    cluster = running()
    cluster.fault("cut-off", node="n1")
    cluster.fault("second-leader", controller="kubelet")
    cluster.wait(50.0)
    assert node_ready(cluster) == "Unknown"


def test_a_node_that_does_not_exist_cannot_be_cut_off() -> None:
    cluster = running()
    cluster.fault("cut-off", node="n9")
    cluster.create(node("n9"))
    cluster.wait(50.0)
    assert node_ready(cluster, "n9") == "True"
