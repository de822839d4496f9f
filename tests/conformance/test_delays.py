"""What is not compared because a cluster does it much later, and what is compared all the same."""

from pvkit.backends.objects import Obj, put
from pvkit.conformance.delays import awaiting_volumes, backing_off
from tests.backends.reference.cluster import pod
from tests.backends.reference.sets import stateful_set

GOING = "2026-01-01T00:00:00Z"


def claim_of_web_0(**metadata: str) -> Obj:
    return {
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data-web-0", "namespace": "default", **metadata},
        "spec": {},
    }


def test_a_set_that_lacks_a_pod_which_nothing_keeps_it_from_making_backs_off() -> None:
    wanted = stateful_set("web", replicas=1)
    template = wanted["spec"]["volumeClaimTemplates"][0]["metadata"]["name"]
    held = put(claim_of_web_0(deletionTimestamp=GOING), ("metadata", "name"), f"{template}-web-0")
    assert backing_off([wanted]) == {("default", "web")}
    assert backing_off([wanted, pod("web-0")]) == set()
    assert backing_off([wanted, held]) == set()
    assert backing_off([put(wanted, ("metadata", "deletionTimestamp"), GOING)]) == set()


def test_a_pod_with_a_node_in_view_waits_for_its_volumes() -> None:
    waiting = {**pod("p"), "status": {"nominatedNodeName": "n1"}}
    assert awaiting_volumes([waiting, pod("q")]) == {("default", "p")}
    assert awaiting_volumes([put(waiting, ("spec", "nodeName"), "n1")]) == set()
