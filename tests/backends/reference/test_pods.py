"""What becomes of a pod on its node, and what the node really runs meanwhile."""

import pytest

from pvkit.backends.objects import Obj, condition, get, uid
from tests.backends.reference.cluster import Cluster, bound_pair, claim, node, pod, storage_class, volume

ASSET = "PersistentVolume"


def running(*objects: Obj, **more: object) -> Cluster:
    """A world in which pod p was started, if nothing speaks against it."""
    cluster = Cluster(**more)  # type: ignore[arg-type]
    cluster.create(*(objects or (pod("p"),)))
    cluster.settle()
    return cluster


def processes(cluster: Cluster) -> list[str]:
    """Names of the pods that nodes run."""
    return sorted(entry["spec"]["pod"] for entry in cluster.store.list("Process"))


def phases(cluster: Cluster, called: str = "p") -> list[str]:
    """The phases that a pod went through."""
    seen = [get(state, "status", "phase") for state in cluster.changes("Pod", called)]
    return [phase for at, phase in enumerate(seen) if at == 0 or seen[at - 1] != phase]


def test_a_healthy_pod_runs_with_an_address_and_becomes_ready() -> None:
    cluster = running()
    found = cluster.see("Pod", "p")
    assert phases(cluster) == ["Pending", "Running"]
    assert found["status"]["podIP"].startswith("10.")
    assert (condition(found, "Ready") or {})["lastTransitionTime"]
    assert cluster.ready("p")


def test_the_ledger_tells_what_runs_where_and_with_which_volumes() -> None:
    cluster = running(*bound_pair(), pod("p", "c"))
    owner = cluster.see("Pod", "p")
    (entry,) = cluster.store.list("Process")
    assert entry["metadata"]["name"] == uid(owner)
    assert {field: entry["spec"][field] for field in ("pod", "namespace", "podUID", "node")} == {
        "pod": "p",
        "namespace": "default",
        "podUID": uid(owner),
        "node": "n1",
    }
    (mount,) = entry["spec"]["volumes"]
    assert mount["claimUID"] == uid(cluster.see("PersistentVolumeClaim", "c"))
    assert mount["volumeUID"] == uid(cluster.see("PersistentVolume", "v-c"))
    assert mount["read"] is None


def test_the_next_pod_reads_what_the_last_one_wrote() -> None:
    cluster = running(*bound_pair(), pod("p", "c"))
    first = uid(cluster.see("Pod", "p"))
    cluster.delete("Pod", "p")
    cluster.create(pod("q", "c"))
    cluster.settle()
    (entry,) = cluster.store.list("Process")
    (asset,) = cluster.store.list("Asset")
    assert entry["spec"]["volumes"][0]["read"]["podUID"] == first
    assert [mark["pod"] for mark in asset["spec"]["data"]] == ["p", "q"]


def test_two_volumes_of_one_source_are_one_storage() -> None:
    shared = {"path": "/data/one"}
    v1, c1 = bound_pair("c1", hostPath=shared)
    v2, c2 = bound_pair("c2", hostPath=shared)
    cluster = running(v1, c1, v2, c2, pod("p", "c1"))
    cluster.create(pod("q", "c2"))
    cluster.settle()
    assert len(cluster.store.list("Asset")) == 1


def test_a_pod_waits_until_its_claim_is_bound() -> None:
    cluster = running(claim("c", storage_class=""), pod("p", "c", nodeName="n1"))
    assert processes(cluster) == []
    cluster.create(volume("v", storage_class=""))
    cluster.settle()
    assert processes(cluster) == ["p"]


def test_a_delayed_claim_is_not_bound_by_a_pod_that_has_its_node_already() -> None:
    cluster = Cluster()
    cluster.reserve_only(volume("v"), storage_class("late"), claim("c"), pod("p", "c", nodeName="n1"))
    cluster.wait(10.0)
    assert processes(cluster) == []
    assert "claimRef" not in cluster.see("PersistentVolume", "v")["spec"]


def test_a_claim_without_protection_that_is_being_deleted_starts_no_pod() -> None:
    cluster = running(*bound_pair())
    cluster.fault("freeze", controller="kubelet")
    cluster.create(pod("p", "c"))
    cluster.wait(1.0)
    cluster.patch("PersistentVolumeClaim", "c", {"metadata": {"finalizers": ["example.com/held"]}})
    cluster.delete("PersistentVolumeClaim", "c")
    cluster.fault("heal")
    cluster.wait(1.0)
    assert cluster.placed("p") == "n1"
    assert processes(cluster) == []


def test_a_volume_that_refers_to_another_claim_starts_no_pod() -> None:
    cluster = running(*bound_pair())
    cluster.fault("freeze", controller="kubelet")
    cluster.fault("freeze", controller="binder")
    cluster.create(pod("p", "c"))
    cluster.wait(1.0)
    cluster.patch("PersistentVolume", "v-c", {"spec": {"claimRef": {"uid": "another"}}})
    cluster.fault("thaw", controller="kubelet")
    cluster.wait(1.0)
    assert (cluster.placed("p"), processes(cluster)) == ("n1", [])


def test_a_made_volume_whose_storage_is_gone_starts_no_pod() -> None:
    made = {"annotations": {"pv.kubernetes.io/provisioned-by": "csi.example"}}
    source = {"hostPath": None, "csi": {"driver": "csi.example", "volumeHandle": "one"}}
    cluster = running(*bound_pair(**made, **source), pod("p", "c"))
    assert (cluster.placed("p"), processes(cluster)) == ("n1", [])


def test_a_slow_pod_becomes_ready_in_its_time() -> None:
    cluster = Cluster()
    cluster.create(pod("p", behaves="slow:20"))
    cluster.wait(15.0)
    assert (phases(cluster), cluster.ready("p")) == (["Pending", "Running"], False)
    cluster.wait(6.0)
    assert cluster.ready("p")


def test_an_unready_pod_becomes_ready_when_it_is_told_to_and_loses_it_again() -> None:
    cluster = running(pod("p", behaves="unready"))
    assert (phases(cluster), cluster.ready("p")) == (["Pending", "Running"], False)
    cluster.behave("p", None)
    cluster.settle()
    assert cluster.ready("p")
    cluster.behave("p", "unready")
    cluster.settle()
    assert not cluster.ready("p")


@pytest.mark.parametrize(
    ("word", "end", "reason"),
    [("crash", "Failed", "Error"), ("finish", "Succeeded", None), ("evicted", "Failed", "Evicted")],
)
def test_a_pod_may_end_by_itself_and_stays_in_the_api(word: str, end: str, reason: str | None) -> None:
    cluster = running(pod("p", behaves=word))
    assert phases(cluster) == ["Pending", "Running", end]
    assert get(cluster.see("Pod", "p"), "status", "reason") == reason
    assert processes(cluster) == []
    assert not cluster.ready("p")


def test_containers_that_end_by_themselves_run_for_a_while() -> None:
    cluster = Cluster()
    cluster.create(pod("p", behaves="crash"))
    cluster.wait(4.0)
    assert (phases(cluster), processes(cluster)) == (["Pending", "Running"], ["p"])
    cluster.wait(2.0)
    assert (phases(cluster)[-1], processes(cluster)) == ("Failed", [])


def test_a_pod_deleted_at_birth_is_there_for_a_second() -> None:
    cluster = Cluster()
    cluster.ask("create", pod("p", nodeName="n1"), **{"at-once": True})
    cluster.wait(0.2)
    cluster.ask("delete", target=cluster.key("Pod", "p"), **{"at-once": True})
    cluster.wait(0.2)
    assert cluster.all("Pod") == ["p"]
    cluster.wait(1.0)
    assert cluster.all("Pod") == []


def test_a_rejected_pod_fails_without_ever_running() -> None:
    cluster = running(pod("p", behaves="reject"))
    assert phases(cluster) == ["Pending", "Failed"]
    assert not any(event.object["kind"] == "Process" for event in cluster.store.log)


def test_a_deleted_pod_stops_finishes_and_goes() -> None:
    cluster = running()
    cluster.delete("Pod", "p")
    cluster.settle()
    assert phases(cluster) == ["Pending", "Running", "Succeeded"]
    assert (cluster.all("Pod"), processes(cluster)) == ([], [])


def test_a_pod_deleted_before_it_ran_fails() -> None:
    cluster = running(claim("c", storage_class=""), pod("p", "c", nodeName="n1"))
    cluster.delete("Pod", "p")
    cluster.settle()
    assert phases(cluster) == ["Pending", "Failed"]
    assert cluster.all("Pod") == []


def test_a_pod_that_hangs_keeps_terminating_and_stays_ready() -> None:
    cluster = running(pod("p", behaves="hang"))
    cluster.delete("Pod", "p")
    cluster.wait(500.0)
    assert cluster.ready("p")
    assert processes(cluster) == ["p"]
    cluster.behave("p", None)
    cluster.settle()
    assert (cluster.all("Pod"), processes(cluster)) == ([], [])


def test_a_pod_may_take_its_time_to_stop() -> None:
    cluster = running(stopping_seconds=10)
    cluster.delete("Pod", "p")
    cluster.wait(9.0)
    assert cluster.ready("p")
    cluster.wait(2.0)
    assert cluster.all("Pod") == []


def test_a_foreign_finalizer_keeps_a_finished_pod() -> None:
    cluster = running(pod("p", finalizers=["example.com/held"]))
    cluster.delete("Pod", "p")
    cluster.settle()
    assert phases(cluster)[-1] == "Succeeded"
    assert processes(cluster) == []
    cluster.patch("Pod", "p", {"metadata": {"finalizers": None}})
    assert cluster.all("Pod") == []


def test_each_incarnation_has_an_address_of_its_own() -> None:
    cluster = running()
    first = cluster.see("Pod", "p")["status"]["podIP"]
    cluster.delete("Pod", "p")
    cluster.settle()
    cluster.create(pod("p"))
    cluster.settle()
    assert cluster.see("Pod", "p")["status"]["podIP"] != first


def test_containers_of_a_pod_that_was_deleted_by_force_are_stopped_before_the_next_start() -> None:
    cluster = running()
    cluster.delete("Pod", "p", grace=0)
    cluster.create(pod("p"))
    cluster.settle()
    changes = [(event.type, event.object["spec"]["podUID"]) for event in cluster.store.log if is_process(event.object)]
    second = uid(cluster.see("Pod", "p"))
    assert [change for change, _ in changes] == ["ADDED", "DELETED", "ADDED"]
    assert changes[-1][1] == second


def is_process(obj: Obj) -> bool:
    return bool(obj["kind"] == "Process")


@pytest.mark.parametrize("after", [1, 2, 3, 4, 5])
def test_a_kubelet_that_dies_while_it_starts_a_pod_goes_on(after: int) -> None:
    cluster = Cluster()
    cluster.fault("crash", controller="kubelet", after=after)
    cluster.create(*bound_pair(), pod("p", "c"))
    cluster.settle()
    (asset,) = cluster.store.list("Asset")
    assert cluster.ready("p")
    assert processes(cluster) == ["p"]
    assert [mark["pod"] for mark in asset["spec"]["data"]] == ["p"]


@pytest.mark.parametrize("after", [1, 2, 3])
def test_a_kubelet_that_dies_while_it_stops_a_pod_goes_on(after: int) -> None:
    cluster = running()
    cluster.fault("crash", controller="kubelet", after=after)
    cluster.delete("Pod", "p")
    cluster.settle()
    assert (cluster.all("Pod"), processes(cluster)) == ([], [])


def test_a_restarted_kubelet_stops_what_should_not_run() -> None:
    cluster = running()
    cluster.fault("cut-off", node="n1")
    cluster.delete("Pod", "p", grace=0)
    assert processes(cluster) == ["p"]
    cluster.fault("crash", controller="kubelet")
    cluster.fault("rejoin", node="n1")
    cluster.settle()
    assert processes(cluster) == []


def test_a_kubelet_whose_view_of_pods_lags_harms_no_other_pod_of_that_name() -> None:
    cluster = running()
    cluster.fault("hold", controller="kubelet", kind="Pod")
    cluster.delete("Pod", "p", grace=0)
    cluster.create(pod("p"))
    cluster.wait(5.0)
    cluster.fault("heal")
    cluster.settle()
    assert cluster.ready("p")
    assert [entry["spec"]["podUID"] for entry in cluster.store.list("Process")] == [uid(cluster.see("Pod", "p"))]


def test_pods_of_other_nodes_are_left_alone() -> None:
    cluster = Cluster(node("n1"), node("n2"))
    cluster.create(pod("p", nodeName="n2"))
    cluster.settle()
    assert [entry["spec"]["node"] for entry in cluster.store.list("Process")] == ["n2"]
    assert not any(event.by == "kubelet@n1" and event.object["kind"] != "Node" for event in cluster.store.log)
