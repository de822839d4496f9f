"""A namespace that is deleted takes all it holds with it."""

from pvkit.backends.objects import get
from tests.backends.reference.cluster import Cluster, pod


def test_a_namespace_is_born_active_with_a_finalizer_in_its_spec() -> None:
    cluster = Cluster(namespaces=("team",))
    found = cluster.see("Namespace", "team")
    assert (found["status"]["phase"], found["spec"]["finalizers"]) == ("Active", ["kubernetes"])


def test_an_empty_namespace_goes() -> None:
    cluster = Cluster(namespaces=("team",))
    cluster.delete("Namespace", "team")
    assert get(cluster.see("Namespace", "team"), "status", "phase") == "Terminating"
    cluster.settle()
    assert cluster.all("Namespace") == ["default"]


def test_a_namespace_takes_its_contents_with_it_and_nothing_else() -> None:
    cluster = Cluster(namespaces=("team",))
    service = {"kind": "Service", "metadata": {"name": "s", "namespace": "team"}, "spec": {"clusterIP": "None"}}
    cluster.create(pod("p", namespace="team"), {"apiVersion": "v1", **service}, pod("q"))
    cluster.settle()
    cluster.delete("Namespace", "team")
    cluster.settle()
    assert (cluster.all("Namespace"), cluster.all("Pod"), cluster.all("Service")) == (["default"], ["q"], [])


def test_a_namespace_waits_for_what_is_held_in_it() -> None:
    cluster = Cluster(namespaces=("team",))
    cluster.create(pod("p", namespace="team", finalizers=["example.com/held"]))
    cluster.settle()
    cluster.delete("Namespace", "team")
    cluster.settle()
    assert get(cluster.see("Namespace", "team"), "status", "phase") == "Terminating"
    held = cluster.store.list("Pod", "team")[0]
    cluster.store.update({**held, "metadata": {**held["metadata"], "finalizers": []}})
    cluster.settle()
    assert cluster.all("Namespace") == ["default"]


def test_a_terminating_namespace_admits_nothing_new() -> None:
    cluster = Cluster(namespaces=("team",))
    cluster.delete("Namespace", "team")
    answer = cluster.ask("create", pod("p", namespace="team"))
    assert (answer.code, "because it is being terminated" in answer.message) == (403, True)


def test_a_stale_view_does_not_let_a_namespace_go_that_still_holds_something() -> None:
    cluster = Cluster(namespaces=("team",))
    cluster.fault("hold", controller="namespace", kind="Pod")
    cluster.create(pod("p", namespace="team"))
    cluster.wait(1.0)
    cluster.delete("Namespace", "team")
    cluster.wait(60.0)
    assert cluster.get("Namespace", "team") is not None
    cluster.fault("heal")
    cluster.settle()
    assert (cluster.all("Namespace"), cluster.all("Pod")) == (["default"], [])


def test_default_is_not_deleted() -> None:
    cluster = Cluster()
    assert cluster.ask("delete", target=cluster.key("Namespace", "default")).code == 403


def test_a_controller_that_dies_goes_on() -> None:
    cluster = Cluster(namespaces=("team",))
    cluster.create(*(pod(called, namespace="team") for called in "abc"))
    cluster.fault("crash", controller="namespace", after=2)
    cluster.delete("Namespace", "team")
    cluster.settle()
    assert (cluster.all("Namespace"), cluster.all("Pod")) == (["default"], [])
