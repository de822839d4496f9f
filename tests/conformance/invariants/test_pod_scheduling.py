"""A pod goes only where its volumes are, once they are bound to it, and does not wait for nothing."""

from typing import Any

import pytest

from pvkit.backends.objects import Obj, put
from pvkit.backends.protocol import Fault
from pvkit.conformance.verdict import Verdict
from tests.conformance.histories import Story, message_of, result_of, verdict_of
from tests.conformance.invariants.storage_story import (
    RWOP,
    available,
    bound,
    claim,
    node,
    on_node,
    pair,
    pod,
    reserved_by,
    storage_class,
    turn,
    volume,
)


def nodes(story: Story, *names: str) -> None:
    for name in names or ("node-1", "node-2"):
        story.added(node(name), by="setup")


def assign(story: Story, waiting: Obj, to: str = "node-1", by: str = "scheduler") -> Obj:
    return story.modified(put(waiting, ("spec", "nodeName"), to), by=by)


def test_a_pod_gets_a_node_once_its_claims_are_complete() -> None:
    story = Story()
    unbound = story.added(claim())
    waiting = story.added(pod())
    bound(story, available(story, volume()), unbound)
    assign(story, waiting)
    assert result_of("PVB-110", story).at_risk == 1


def test_a_pod_gets_no_node_before_its_claims_are_complete() -> None:
    story = Story()
    story.added(claim())
    assign(story, story.added(pod()))
    assert "its claim claim is not bound" in message_of("PVB-110", story)


def test_a_pod_gets_no_node_without_its_claim() -> None:
    story = Story()
    assign(story, story.added(pod()))
    assert "its claim claim does not exist" in message_of("PVB-110", story)


def test_a_claim_deleted_meanwhile_may_have_been_seen() -> None:
    story = Story()
    _, claimed = pair(story)
    waiting = story.added(pod())
    story.deleted(claimed)
    assign(story, waiting)
    assert verdict_of("PVB-110", story) is Verdict.NOT_EXERCISED


def test_a_claim_made_anew_meanwhile_may_have_been_taken_for_the_old_one() -> None:
    story = Story()
    _, claimed = pair(story)
    waiting = story.added(pod())
    story.deleted(claimed)
    story.added(claim())
    assign(story, waiting)
    assert verdict_of("PVB-110", story) is Verdict.NOT_EXERCISED


def test_a_claim_made_anew_before_the_pod_is_not_taken_for_the_old_one() -> None:
    story = Story()
    _, claimed = pair(story)
    story.deleted(claimed)
    story.added(claim())
    assign(story, story.added(pod()))
    assert verdict_of("PVB-110", story) is Verdict.FAIL
    held = Story()
    held.asked(Fault("hold", {"controller": "scheduler", "kind": "PersistentVolumeClaim"}))
    story.entries[:0] = held.entries
    assert verdict_of("PVB-110", story) is Verdict.NOT_EXERCISED


def test_a_client_may_place_a_pod_anywhere() -> None:
    story = Story()
    story.added(claim())
    story.added(pod(nodeName="node-1"))
    assign(story, story.added(pod("other")), by="client")
    assert verdict_of("PVB-110", story) is Verdict.NOT_EXERCISED


def local(to: str) -> Story:
    story = Story()
    nodes(story)
    pair(story, nodeAffinity=on_node("node-1"))
    assign(story, story.added(pod()), to)
    return story


def test_a_pod_goes_where_its_volume_is() -> None:
    assert result_of("PVB-111", local("node-1")).at_risk == 1
    assert "from which volume volume of claim claim cannot be reached" in message_of("PVB-111", local("node-2"))


def test_a_label_changed_while_the_pod_waited_may_not_have_been_seen() -> None:
    story = Story()
    there = story.added(node("node-1"), by="setup")
    pair(story, nodeAffinity=on_node("node-1"))
    waiting = story.added(pod())
    story.modified(put(there, ("metadata", "labels"), {}), by="client")
    assign(story, waiting)
    assert verdict_of("PVB-111", story) is Verdict.NOT_EXERCISED


def exclusive(*phases: str, modes: tuple[str, ...] = (RWOP,)) -> Story:
    story = Story()
    bound(story, available(story, volume(modes=modes)), story.added(claim(modes=modes)))
    first = assign(story, story.added(pod("first")))
    for phase in phases:
        first = turn(story, first, phase)
    assign(story, story.added(pod("second")))
    return story


def test_one_pod_at_a_time_uses_an_exclusive_claim() -> None:
    assert "uses claim claim, which is for one pod" in message_of("PVB-112", exclusive("Running"))


def test_a_finished_pod_makes_room() -> None:
    assert result_of("PVB-112", exclusive("Running", "Succeeded")).at_risk == 1


def test_other_modes_may_be_shared() -> None:
    assert verdict_of("PVB-112", exclusive("Running", modes=("ReadWriteOnce",))) is Verdict.NOT_EXERCISED


def test_a_pod_that_a_client_placed_meanwhile_may_not_have_been_seen() -> None:
    story = Story()
    bound(story, available(story, volume(modes=(RWOP,))), story.added(claim(modes=(RWOP,))))
    waiting = story.added(pod())
    story.added(pod("placed", nodeName="node-2"))
    assign(story, waiting)
    assert result_of("PVB-112", story).broken == 0


def test_a_pod_made_for_a_claim_on_its_way_out_gets_no_node() -> None:
    story = Story()
    story.terminating(pair(story)[1])
    assign(story, story.added(pod()))
    assert "was to be deleted before" in message_of("PVB-113", story)


def test_a_claim_may_be_deleted_under_a_pod_that_waits() -> None:
    story = Story()
    _, claimed = pair(story)
    waiting = story.added(pod())
    story.terminating(claimed)
    assign(story, waiting)
    assert verdict_of("PVB-113", story) is Verdict.PASS


def waiting_for(bound_on: str | None, *names: str, **spec: Any) -> Story:
    story = Story()
    nodes(story, *names)
    pair(story, **({"nodeAffinity": on_node(bound_on)} if bound_on else {}))
    story.added(pod(**spec))
    story.settled()
    return story


def test_no_pod_waits_beside_its_bound_volumes() -> None:
    assert "node node-1 reaches its volumes" in message_of("PVB-114", waiting_for("node-1"))
    assert verdict_of("PVB-114", waiting_for(None)) is Verdict.FAIL


def test_a_pod_waits_whose_volume_is_nowhere() -> None:
    assert verdict_of("PVB-114", waiting_for("node-9")) is Verdict.PASS


@pytest.mark.parametrize(
    "spec",
    [
        {"schedulerName": "another"},
        {"schedulingGates": [{"name": "gate"}]},
        {"affinity": {"podAntiAffinity": {}}},
        {"containers": [{"name": "main", "resources": {"requests": {"cpu": "99"}}}]},
    ],
)
def test_a_pod_that_waits_for_more_than_volumes_is_not_judged(spec: dict[str, Any]) -> None:
    assert verdict_of("PVB-114", waiting_for(None, **spec)) is Verdict.NOT_EXERCISED


def test_a_node_that_does_not_take_the_pod_does_not_count() -> None:
    story = Story()
    story.added({**node(), "spec": {"unschedulable": True}}, by="setup")
    story.added({**node("node-2"), "spec": {"taints": [{"key": "a", "effect": "NoSchedule"}]}}, by="setup")
    pair(story)
    story.added(pod())
    story.settled()
    assert verdict_of("PVB-114", story) is Verdict.PASS


def test_an_exclusive_claim_in_use_keeps_the_next_pod_waiting() -> None:
    story = Story()
    nodes(story)
    bound(story, available(story, volume(modes=(RWOP,))), story.added(claim(modes=(RWOP,))))
    assign(story, story.added(pod("first")))
    story.added(pod("second"))
    story.settled()
    assert verdict_of("PVB-114", story) is Verdict.NOT_EXERCISED


def delayed(offered: Obj, *reserved: Obj) -> Story:
    story = Story()
    nodes(story)
    story.added(storage_class(mode="WaitForFirstConsumer"))
    available(story, offered)
    for entry in reserved:
        story.added(entry)
    story.added(claim(storageClassName="shelf"))
    story.added(pod())
    story.settled()
    return story


def test_no_pod_waits_beside_a_volume_for_its_delayed_claim() -> None:
    here = volume(storageClassName="shelf", nodeAffinity=on_node("node-2"))
    assert "although volume volume is free and fits" in message_of("PVB-115", delayed(here))


def test_a_volume_out_of_reach_is_no_volume_for_a_delayed_claim() -> None:
    far = volume(storageClassName="shelf", nodeAffinity=on_node("node-9"))
    assert result_of("PVB-115", delayed(far)).at_risk == 1


def test_a_reserved_volume_out_of_reach_may_keep_a_pod_waiting() -> None:
    kept = reserved_by(volume("kept", nodeAffinity=on_node("node-9")), claim(), with_uid=False)
    assert verdict_of("PVB-115", delayed(volume(storageClassName="shelf"), kept)) is Verdict.NOT_EXERCISED
