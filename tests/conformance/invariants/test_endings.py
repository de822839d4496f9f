"""Judges of what ends, of what containers do, and of how soon a waiting pod is thought of."""

from typing import Any

import pytest

from pvkit.backends.objects import Obj, owner_reference, put, uid
from pvkit.backends.storage import SELECTED_NODE
from pvkit.conformance.verdict import Verdict
from tests.conformance.histories import Story, message_of, verdict_of

HELD = ["example.com/hold"]


def named(kind: str, called: str, **metadata: Any) -> Obj:
    return {"kind": kind, "apiVersion": "v1", "metadata": {"name": called, **metadata}, "spec": {}}


def pod_on(story: Story, node: str = "n1", phase: str = "Running", **metadata: Any) -> Obj:
    made = story.added({**named("Pod", "p", **metadata), "status": {"phase": "Pending"}})
    return story.modified({**made, "spec": {"nodeName": node}, "status": {"phase": phase}}, by="kubelet")


def process(story: Story, pod: Obj, *volumes: Obj) -> Obj:
    spec = {"pod": "p", "namespace": "default", "podUID": uid(pod), "node": "n1", "volumes": list(volumes)}
    return story.added({"kind": "Process", "metadata": {"name": uid(pod)}, "spec": spec}, by="kubelet")


@pytest.mark.parametrize(("inside", "verdict"), [(False, Verdict.FAIL), (True, Verdict.PASS)])
def test_a_namespace_that_is_deleted_goes_once_it_is_empty(inside: bool, verdict: Verdict) -> None:
    story = Story()
    space = story.added(named("Namespace", "other"))
    if inside:
        story.added(named("Service", "s", namespace="other", finalizers=HELD))
    story.terminating(space)
    story.settled()
    assert verdict_of("API-037", story) is verdict


@pytest.mark.parametrize(("blocks", "verdict"), [(False, Verdict.FAIL), (True, Verdict.PASS)])
def test_an_owner_waits_for_those_that_block_it(blocks: bool, verdict: Verdict) -> None:
    story = Story()
    owner = story.added(named("Service", "a", finalizers=["foregroundDeletion"]))
    reference = {**owner_reference(owner), "blockOwnerDeletion": blocks}
    story.added(named("Service", "b", ownerReferences=[reference]))
    story.terminating(owner)
    story.settled()
    assert verdict_of("API-038", story) is verdict


@pytest.mark.parametrize(
    ("by", "finalizer", "verdict"),
    [
        ("kubelet", HELD[0], Verdict.FAIL),
        ("client", HELD[0], Verdict.NOT_EXERCISED),
        ("pvc-protection", "kubernetes.io/pvc-protection", Verdict.PASS),
    ],
)
def test_a_finalizer_is_its_owners_to_take_off(by: str, finalizer: str, verdict: Verdict) -> None:
    story = Story()
    claim = story.added(named("PersistentVolumeClaim", "c", finalizers=[finalizer]))
    story.modified(put(claim, ("metadata", "finalizers"), []), by=by)
    assert verdict_of("API-039", story) is verdict


@pytest.mark.parametrize(("phase", "verdict"), [("Succeeded", Verdict.FAIL), ("Running", Verdict.PASS)])
def test_a_deleted_pod_that_has_finished_goes(phase: str, verdict: Verdict) -> None:
    story = Story()
    story.added(named("Node", "n1"))
    story.terminating(pod_on(story, phase=phase))
    story.settled()
    assert verdict_of("STS-107", story) is verdict


@pytest.mark.parametrize(("node", "verdict"), [("n9", Verdict.FAIL), ("n1", Verdict.PASS)])
def test_a_pod_does_not_outlast_its_node(node: str, verdict: Verdict) -> None:
    story = Story()
    story.added(named("Node", "n1"))
    pod_on(story, node)
    story.settled()
    assert verdict_of("STS-108", story) is verdict


@pytest.mark.parametrize(("runs", "verdict"), [(False, Verdict.FAIL), (True, Verdict.PASS)])
def test_a_pod_is_ready_when_it_runs(runs: bool, verdict: Verdict) -> None:
    story = Story()
    pod = pod_on(story)
    if runs:
        process(story, pod)
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    story.modified({**pod, "status": status}, by="kubelet")
    assert verdict_of("STS-109", story) is verdict


@pytest.mark.parametrize(("by", "verdict"), [("kubelet", Verdict.FAIL), ("client", Verdict.PASS)])
def test_a_pod_of_nobody_is_deleted_by_its_client(by: str, verdict: Verdict) -> None:
    story = Story()
    story.added(named("Node", "n1"))
    pod = pod_on(story)
    story.deleted(story.terminating(pod) if by == "client" else pod, by="kubelet")
    assert verdict_of("STS-113", story) is verdict


@pytest.mark.parametrize(("bound", "verdict"), [(False, Verdict.FAIL), (True, Verdict.PASS)])
def test_containers_start_on_claims_that_are_bound(bound: bool, verdict: Verdict) -> None:
    story = Story()
    claim = put(named("PersistentVolumeClaim", "c"), ("spec", "volumeName"), "v")
    claim = story.added({**claim, "status": {"phase": "Bound"}})
    whose = uid(claim) if bound else "another"
    reference = {"namespace": "default", "name": "c", "uid": whose}
    story.added(put(named("PersistentVolume", "v"), ("spec", "claimRef"), reference))
    spec = {"nodeName": "n1", "volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "c"}}]}
    process(story, story.added({**named("Pod", "p"), "spec": spec, "status": {"phase": "Pending"}}))
    assert verdict_of("PVB-116", story) is verdict


@pytest.mark.parametrize(("written", "verdict"), [(False, Verdict.FAIL), (True, Verdict.PASS)])
def test_what_a_pod_wrote_is_on_its_volumes(written: bool, verdict: Verdict) -> None:
    story = Story()
    pod = pod_on(story)
    data = [{"podUID": uid(pod)}] if written else []
    story.added({"kind": "Asset", "metadata": {"name": "a"}, "spec": {"data": data}}, by="kubelet")
    process(story, pod, {"asset": "a", "claimUID": "u", "volumeUID": "w", "volume": "v", "claim": "c"})
    story.settled()
    assert verdict_of("PVB-136", story) is verdict


@pytest.mark.parametrize(("seconds", "verdict"), [(299.0, Verdict.FAIL), (5.0, Verdict.PASS), (650.0, Verdict.PASS)])
def test_a_waiting_pod_is_tried_when_something_comes_and_not_with_the_clock(seconds: float, verdict: Verdict) -> None:
    story = Story()
    story.added(named("Node", "n1"))
    pod = story.added(named("Pod", "p"))
    story.pause(seconds)
    story.modified({**pod, "spec": {"nodeName": "n1"}}, by="scheduler")
    assert verdict_of("PVB-117", story) is verdict


def test_a_selected_node_is_not_replaced_by_another() -> None:
    story = Story()
    claim = story.added(named("PersistentVolumeClaim", "c", annotations={SELECTED_NODE: "n1"}))
    story.modified(put(claim, ("metadata", "annotations"), {SELECTED_NODE: "n2"}), by="scheduler")
    assert "was for node n1 and is for node n2" in message_of("PVB-118", story)


def test_a_selected_node_may_be_taken_off_and_another_one_selected() -> None:
    story = Story()
    claim = story.added(named("PersistentVolumeClaim", "c", annotations={SELECTED_NODE: "n1"}))
    bare = story.modified(put(claim, ("metadata", "annotations"), {}), by="provisioner")
    story.modified(put(bare, ("metadata", "annotations"), {SELECTED_NODE: "n2"}), by="scheduler")
    assert verdict_of("PVB-118", story) is Verdict.PASS
