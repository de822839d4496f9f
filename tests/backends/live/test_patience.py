"""Patience: how long all must have been quiet, told from what exists."""

from typing import Any

import pytest

from pvkit.backends.live.patience import LONGEST_BACK_OFF, Pace, patience
from pvkit.backends.objects import Obj, put
from tests.backends.reference.cluster import claim, node, pod, storage_class, volume
from tests.backends.reference.sets import stateful_set

PACE = Pace(
    reaction=1.0, resync=10.0, poll=2.0, back_off=3.0, provisioning=20.0, namespace=40.0, orphans=60.0, recycling=5.0
)
GOING = {"deletionTimestamp": "2026-01-01T00:00:00Z"}


def stored(obj: Obj, called: str = "", **status: Any) -> Obj:
    """An object as a server shows it."""
    made = put(obj, ("metadata", "uid"), called or obj["metadata"]["name"])
    return {**made, "status": status} if status else made


def waits(*objects: Obj, busy: float = 0.0) -> float:
    """Seconds beyond the reaction."""
    return patience(objects, PACE, busy) - PACE.reaction


def bound(called: str = "c", held: str = "v") -> tuple[Obj, Obj]:
    """A claim and a volume that are bound."""
    ref = {"namespace": "default", "name": called, "uid": called}
    asking = put(stored(claim(called), phase="Bound", accessModes=["ReadWriteOnce"]), ("spec", "volumeName"), held)
    return asking, put(stored(volume(held), phase="Bound"), ("spec", "claimRef"), ref)


def test_where_all_is_done_nobody_is_waited_for() -> None:
    assert waits(*bound(), stored(volume("free"), phase="Available")) == 0.0


@pytest.mark.parametrize(
    "objects",
    [
        [stored(claim("c"), phase="Pending")],
        [stored(volume("v"), phase="Pending")],
        [bound()[1]],
        [put(stored(volume("v"), phase="Available"), ("spec", "claimRef"), {"namespace": "default", "name": "c"})],
        [bound()[0], put(bound()[1], ("spec", "accessModes"), ["ReadWriteMany"])],
        [bound()[0], put(put(bound()[1], ("spec", "claimRef", "uid"), "other"), ("status", "phase"), "Released")],
    ],
    ids=["unbound claim", "new volume", "volume of a claim that is gone", "reserved volume", "modes changed", "taken"],
)
def test_the_binder_looks_at_these_at_its_next_resync(objects: list[Obj]) -> None:
    assert waits(*objects) == PACE.resync * 1.5


def test_a_released_volume_stays_so_by_its_policy() -> None:
    released = {**bound()[1], "status": {"phase": "Released"}}
    assert waits(released) == 0.0
    assert waits(put(released, ("spec", "persistentVolumeReclaimPolicy"), "Delete")) == PACE.resync * 1.5


def test_the_scheduler_polls_while_it_binds_volumes() -> None:
    assert waits(stored(pod("p"), nominatedNodeName="n1")) == PACE.poll
    assert waits(stored(pod("p"))) == PACE.back_off
    refused = [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]
    assert waits(stored(pod("p"), conditions=refused)) == 0.0


@pytest.mark.parametrize(
    ("word", "seconds"), [("", 0.0), ("slow:7", 8.0), ("crash", 1.0), ("finish", 1.0), ("unready", 0.0)]
)
def test_simulated_pods_take_their_time(word: str, seconds: float) -> None:
    placed = stored(pod("p", behaves=word, nodeName="n1"), phase="Running")
    assert waits(placed, node("n1")) == seconds


def test_a_pod_whose_node_is_gone_is_collected_late() -> None:
    assert waits(stored(pod("p", nodeName="gone"), phase="Running")) == PACE.orphans


def test_a_pod_that_goes_and_never_got_a_node_is_collected_at_the_next_look() -> None:
    going = put(stored(pod("p"), phase="Pending"), ("metadata",), {"name": "p", "namespace": "default", **GOING})
    assert waits(going) == PACE.collection
    assert waits(put(going, ("status", "phase"), "Failed")) == 0.0


def test_a_provisioner_is_given_its_time() -> None:
    slow = put(storage_class("made", provisioner="x"), ("parameters",), {"slow": "30", "fail": "2"})
    asking = stored(claim("c", storage_class="made"), phase="Pending")
    assert waits(slow, asking) == 30.0 + 2 * PACE.provisioning


def test_a_namespace_that_goes_takes_its_time() -> None:
    going = {"kind": "Namespace", "metadata": {"name": "other", **GOING}}
    assert waits(going) == PACE.namespace


def test_a_set_tries_again_after_an_error_ever_later() -> None:
    wanted = stored(stateful_set("web", replicas=1))
    assert waits(wanted, busy=3.0) == 3.0
    assert waits(wanted, busy=1000.0) == LONGEST_BACK_OFF


def test_a_set_is_not_waited_for_while_its_claim_is_going() -> None:
    wanted = stored(stateful_set("web", replicas=1))
    template = wanted["spec"]["volumeClaimTemplates"][0]["metadata"]["name"]
    going = {**bound(f"{template}-web-0")[0]}
    going = {**going, "metadata": {**going["metadata"], **GOING}}
    assert waits(wanted, going, bound(f"{template}-web-0")[1], busy=3.0) == 0.0


def test_a_revision_that_somebody_deleted_comes_back_with_the_next_pass() -> None:
    wanted = stored(stateful_set("web", replicas=0), updateRevision="web-1")
    kept = {"kind": "ControllerRevision", "metadata": {"name": "web-1", "namespace": "default"}}
    assert waits(wanted, kept, busy=3.0) == 0.0
    assert waits(wanted, busy=3.0) == 3.0


def test_availability_is_waited_for() -> None:
    wanted = stored(stateful_set("web", replicas=0, minReadySeconds=5), readyReplicas=1, availableReplicas=0)
    assert waits(wanted) == 6.0


def endpoint(of: Obj, serving: bool = True) -> Obj:
    entry = {"targetRef": {"kind": "Pod", "uid": of["metadata"]["uid"]}, "conditions": {"serving": serving}}
    return {"kind": "EndpointSlice", "metadata": {"name": "web-x", "namespace": "default"}, "endpoints": [entry]}


def test_a_slice_that_is_not_as_its_pods_are_is_waited_for() -> None:
    found = put(stored(pod("p")), ("spec", "nodeName"), "n")
    ready = {**found, "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}
    here = stored(node("n"))
    assert waits(here, ready, endpoint(ready)) == 0.0
    assert waits(here, ready, endpoint(ready, serving=False)) == PACE.endpoints
    assert waits(here, endpoint(ready)) == PACE.endpoints
