"""Where the pods behind a Service can be reached, and by which names."""

from typing import Any

from pvkit.backends.objects import Obj, owners, uid
from tests.backends.reference.cluster import Cluster, node, pod


def service(called: str = "web", **spec: Any) -> Obj:
    """A headless Service for pods with label app=web."""
    body = {"clusterIP": "None", "selector": {"app": "web"}, "ports": [{"name": "http", "port": 80}], **spec}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": called, "namespace": "default"},
        "spec": body,
    }


def web(called: str, behaves: str = "", **spec: Any) -> Obj:
    """A pod of a set that is governed by Service web."""
    return pod(called, behaves=behaves, labels={"app": "web"}, hostname=called, subdomain="web", **spec)


def endpoints(cluster: Cluster, called: str = "web") -> dict[str, Obj]:
    """The endpoints of a Service by the names of their pods."""
    slices = [
        entry
        for entry in cluster.store.list("EndpointSlice")
        if entry["metadata"]["labels"]["kubernetes.io/service-name"] == called
    ]
    assert len(slices) <= 1
    return {entry["targetRef"]["name"]: entry for found in slices for entry in found["endpoints"]}


def settled(*objects: Obj) -> Cluster:
    cluster = Cluster()
    cluster.create(*objects)
    cluster.settle()
    return cluster


def test_a_ready_pod_is_an_endpoint_with_its_name() -> None:
    cluster = settled(service(), web("web-0"))
    found, entry = cluster.see("Pod", "web-0"), endpoints(cluster)["web-0"]
    assert entry["addresses"] == [found["status"]["podIP"]]
    assert entry["hostname"] == "web-0"
    assert entry["targetRef"]["uid"] == uid(found)
    assert entry["conditions"] == {"ready": True, "serving": True, "terminating": False}


def test_the_slice_belongs_to_the_service_and_goes_with_it() -> None:
    cluster = settled(service(), web("web-0"))
    (found,) = cluster.store.list("EndpointSlice")
    assert [owner["uid"] for owner in owners(found)] == [uid(cluster.see("Service", "web"))]
    assert found["ports"] == [{"name": "http", "port": 80, "protocol": "TCP"}]
    cluster.delete("Service", "web")
    cluster.settle()
    assert cluster.all("EndpointSlice") == []


def test_another_service_for_the_same_pods_has_no_hostnames() -> None:
    cluster = settled(service(), service("other"), web("web-0"))
    assert "hostname" not in endpoints(cluster, "other")["web-0"]


def test_pods_that_are_not_selected_are_no_endpoints() -> None:
    cluster = settled(service(selector={"app": "web", "tier": "back"}), web("web-0"))
    assert endpoints(cluster) == {}


def test_a_service_without_selector_gets_no_slice() -> None:
    cluster = settled(service(selector=None), web("web-0"))
    assert cluster.all("EndpointSlice") == []


def test_an_unready_pod_is_an_endpoint_that_is_not_ready() -> None:
    cluster = settled(service(), web("web-0", "unready"))
    assert endpoints(cluster)["web-0"]["conditions"] == {"ready": False, "serving": False, "terminating": False}
    cluster.behave("web-0", None)
    cluster.settle()
    assert endpoints(cluster)["web-0"]["conditions"]["ready"]


def test_a_service_may_publish_addresses_that_are_not_ready() -> None:
    cluster = settled(service(publishNotReadyAddresses=True), web("web-0", "unready"))
    assert endpoints(cluster)["web-0"]["conditions"] == {"ready": True, "serving": False, "terminating": False}


def test_a_terminating_pod_serves_and_is_not_ready() -> None:
    cluster = settled(service(), web("web-0", "hang"))
    cluster.delete("Pod", "web-0")
    cluster.settle()
    assert endpoints(cluster)["web-0"]["conditions"] == {"ready": False, "serving": True, "terminating": True}


def test_finished_pods_and_pods_without_address_are_left_out() -> None:
    cluster = settled(service(), web("web-0", "finish"), web("web-1", nodeSelector={"no": "node"}))
    assert endpoints(cluster) == {}


def test_the_next_incarnation_takes_the_place_of_the_last() -> None:
    cluster = settled(service(), web("web-0"), web("web-1"))
    before = endpoints(cluster)
    cluster.delete("Pod", "web-0")
    cluster.create(web("web-0")) if cluster.get("Pod", "web-0") is None else cluster.settle()
    if cluster.get("Pod", "web-0") is None:
        cluster.create(web("web-0"))
    cluster.settle()
    after = endpoints(cluster)
    assert after["web-0"]["addresses"] != before["web-0"]["addresses"]
    assert after["web-1"] == before["web-1"]


def test_a_pod_that_loses_its_label_is_dropped() -> None:
    cluster = settled(service(), web("web-0"))
    cluster.patch("Pod", "web-0", {"metadata": {"labels": {"app": "other"}}})
    cluster.settle()
    assert endpoints(cluster) == {}


def test_a_slice_that_was_deleted_is_made_again() -> None:
    cluster = settled(service(), web("web-0"))
    (found,) = cluster.all("EndpointSlice")
    cluster.delete("EndpointSlice", found)
    cluster.settle()
    assert list(endpoints(cluster)) == ["web-0"]


def test_nothing_is_written_while_nothing_changes() -> None:
    cluster = settled(service(), web("web-0"))
    before = len(cluster.store.log)
    cluster.fault("crash", controller="endpointslice")
    cluster.settle()
    assert len(cluster.store.log) == before


def test_changes_during_a_late_write_are_not_forgotten() -> None:
    cluster = settled(service(), web("web-0", "unready"), web("web-1", "unready"))
    cluster.fault("delay", controller="endpointslice", kind="EndpointSlice", turns=30)
    cluster.behave("web-0", None)
    cluster.wait(0.0)
    cluster.behave("web-1", None)
    cluster.settle()
    assert [entry["conditions"]["ready"] for entry in endpoints(cluster).values()] == [True, True]


def test_refused_and_lost_writes_lead_to_the_same_end() -> None:
    for word, options in (("refuse", {"answer": "conflict"}), ("lose-answer", {})):
        cluster = settled(service(), web("web-0", "unready"))
        cluster.fault(word, controller="endpointslice", kind="EndpointSlice", **options)
        cluster.behave("web-0", None)
        cluster.settle()
        assert endpoints(cluster)["web-0"]["conditions"]["ready"]


def test_a_slice_without_endpoints_has_no_ports() -> None:
    cluster = settled(service(), web("web-0"))
    cluster.delete("Pod", "web-0")
    cluster.settle()
    assert [entry["ports"] for entry in cluster.store.list("EndpointSlice")] == [[]]


def test_an_endpoint_tells_the_zone_of_its_node() -> None:
    cluster = Cluster(node("n1", **{"topology.kubernetes.io/zone": "a"}))
    cluster.create(service(), web("web-0"))
    cluster.settle()
    assert endpoints(cluster)["web-0"]["zone"] == "a"


def test_a_slice_that_an_orphaning_deletion_left_goes_when_the_name_is_used_again() -> None:
    cluster = settled(service(), web("web-0"))
    cluster.delete("Service", "web", propagation="Orphan")
    cluster.settle()
    (left,) = cluster.store.list("EndpointSlice")
    cluster.create(service())
    cluster.settle()
    (found,) = cluster.store.list("EndpointSlice")
    assert uid(found) != uid(left)
    assert [owner["uid"] for owner in owners(found)] == [uid(cluster.see("Service", "web"))]


def test_the_slice_of_a_service_that_is_going_follows_its_pods() -> None:
    held = service()
    held["metadata"]["finalizers"] = ["example.com/hold"]
    cluster = settled(held)
    cluster.delete("Service", "web")
    cluster.create(web("web-0"))
    cluster.settle()
    assert list(endpoints(cluster)) == ["web-0"]
