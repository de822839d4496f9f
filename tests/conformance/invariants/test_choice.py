"""Which of several fitting volumes a claim gets, and that it gets one."""

import pytest

from pvkit.backends.objects import Obj, annotate, put
from pvkit.backends.protocol import Fault
from pvkit.backends.storage import SELECTED_NODE
from pvkit.conformance.verdict import Verdict
from tests.conformance.histories import Story, message_of, result_of, verdict_of
from tests.conformance.invariants.storage_story import (
    ROX,
    RWO,
    RWX,
    available,
    claim,
    give,
    gone,
    node,
    on_node,
    pair,
    pod,
    reserved_by,
    storage_class,
    turn,
    volume,
)


def choice(*offered: Obj, wanted: Obj | None = None) -> Story:
    """The first of the volumes is given to the claim."""
    story = Story()
    free = [available(story, entry) for entry in offered]
    give(story, free[0], story.added(wanted or claim()))
    return story


def test_the_smallest_of_equal_modes_is_right() -> None:
    assert result_of("PVB-009", choice(volume("a"), volume("b", "2Gi"))).at_risk == 1


def test_a_larger_volume_of_the_same_modes_is_wrong() -> None:
    assert "although b" in message_of("PVB-009", choice(volume("a", "2Gi"), volume("b")))


def test_fewer_modes_come_before_less_space() -> None:
    narrow, wide = volume("narrow", "9Gi"), volume("wide", "1Gi", (RWO, RWX))
    assert verdict_of("PVB-009", choice(narrow, wide)) is Verdict.PASS
    assert verdict_of("PVB-009", choice(wide, narrow)) is Verdict.FAIL


def test_sets_of_as_many_modes_are_equal() -> None:
    assert verdict_of("PVB-009", choice(volume("a", "9Gi", (RWO, ROX)), volume("b", "1Gi", (RWO, RWX)))) is Verdict.PASS


def test_equal_volumes_are_equal() -> None:
    assert verdict_of("PVB-009", choice(volume("b"), volume("a"))) is Verdict.PASS


@pytest.mark.parametrize(
    "other",
    [
        volume("b", storageClassName="shelf"),
        volume("b", volumeMode="Block"),
        volume("b", "1Mi"),
        volume("b", modes=(RWX,)),
    ],
)
def test_a_volume_that_does_not_fit_is_no_rival(other: Obj) -> None:
    assert verdict_of("PVB-009", choice(volume("a", "2Gi"), other)) is Verdict.PASS


def test_a_volume_that_was_never_available_is_no_rival() -> None:
    story = Story()
    story.added(volume("b"))
    give(story, available(story, volume("a", "2Gi")), story.added(claim()))
    assert verdict_of("PVB-009", story) is Verdict.PASS


def test_a_better_volume_may_not_have_been_seen_behind_a_held_watch() -> None:
    story = Story()
    free = [available(story, entry) for entry in (volume("a", "2Gi"), volume("b"))]
    story.asked(Fault("hold", {"controller": "binder", "kind": "PersistentVolume"}))
    give(story, free[0], story.added(claim()))
    assert verdict_of("PVB-009", story) is Verdict.PASS


def test_after_healing_and_a_rest_a_better_volume_counts_again() -> None:
    story = Story()
    free = [available(story, entry) for entry in (volume("a", "2Gi"), volume("b"))]
    story.asked(Fault("hold", {"controller": "binder", "kind": "PersistentVolume"}))
    story.asked(Fault("heal"))
    story.settled()
    give(story, free[0], story.added(claim()))
    assert verdict_of("PVB-009", story) is Verdict.FAIL


def test_a_better_volume_of_late_may_not_have_been_seen_where_views_lag() -> None:
    story = choice(volume("a", "2Gi"), volume("b"))
    assert verdict_of("PVB-009", story, lag=60.0) is Verdict.PASS


def reserved(*offered: Obj) -> Story:
    story = Story()
    free = available(story, offered[0])
    story.added(reserved_by(offered[1], claim(), with_uid=False))
    give(story, free, story.added(claim()))
    return story


def test_a_reserved_volume_of_the_same_modes_comes_first() -> None:
    assert "is reserved for it" in message_of("PVB-010", reserved(volume("a"), volume("b", "9Gi")))


def test_a_reserved_volume_of_more_modes_may_lose() -> None:
    assert verdict_of("PVB-010", reserved(volume("a"), volume("b", "1Gi", (RWO, RWX)))) is Verdict.PASS


def test_a_reserved_volume_that_does_not_fit_does_not_count() -> None:
    assert verdict_of("PVB-010", reserved(volume("a"), volume("b", "1Mi"))) is Verdict.NOT_EXERCISED


def delayed(*offered: Obj, pods: int = 1) -> Story:
    story = Story()
    story.added(storage_class(mode="WaitForFirstConsumer"))
    free = [available(story, {**entry, "spec": {**entry["spec"], "storageClassName": "shelf"}}) for entry in offered]
    unbound = story.added(claim(storageClassName="shelf"))
    for number in range(pods):
        story.added(pod(f"pod-{number}"))
    give(story, free[0], unbound)
    return story


def test_a_delayed_claim_gets_the_smallest_whatever_its_modes() -> None:
    assert verdict_of("PVB-011", delayed(volume("wide", "1Gi", (RWO, RWX)), volume("narrow", "2Gi"))) is Verdict.PASS
    assert verdict_of("PVB-011", delayed(volume("narrow", "2Gi"), volume("wide", "1Gi", (RWO, RWX)))) is Verdict.FAIL


def test_a_delayed_claim_may_get_a_larger_volume_on_another_node() -> None:
    near, far = volume("near", "2Gi", nodeAffinity=on_node("node-1")), volume("far", nodeAffinity=on_node("node-2"))
    assert verdict_of("PVB-011", delayed(near, far)) is Verdict.PASS


def test_what_another_pod_may_have_been_promised_is_no_rival() -> None:
    assert verdict_of("PVB-011", delayed(volume("a", "2Gi"), volume("b"), pods=2)) is Verdict.PASS


def test_the_immediate_order_is_not_asked_of_a_delayed_claim() -> None:
    story = delayed(volume("wide", "1Gi", (RWO, RWX)), volume("narrow", "2Gi"))
    assert verdict_of("PVB-009", story) is Verdict.NOT_EXERCISED


def test_a_delayed_claim_gets_nothing_before_a_pod_uses_it() -> None:
    assert "before any pod used it" in message_of("PVB-015", delayed(volume("a"), pods=0))
    assert verdict_of("PVB-015", delayed(volume("a"), pods=1)) is Verdict.PASS


def test_a_delayed_claim_may_be_bound_after_its_pod_is_gone() -> None:
    story = Story()
    story.added(storage_class(mode="WaitForFirstConsumer"))
    free = available(story, volume(storageClassName="shelf"))
    unbound = story.added(claim(storageClassName="shelf"))
    story.deleted(story.added(pod()))
    give(story, free, unbound)
    assert verdict_of("PVB-015", story) is Verdict.PASS


def test_a_claim_whose_class_is_gone_does_not_wait() -> None:
    story = Story()
    waiting = story.added(storage_class(mode="WaitForFirstConsumer"))
    free = available(story, volume(storageClassName="shelf"))
    unbound = story.added(claim(storageClassName="shelf"))
    story.deleted(waiting, by="client")
    give(story, free, unbound)
    assert verdict_of("PVB-015", story) is Verdict.PASS


def test_after_a_crash_the_class_may_not_have_been_seen() -> None:
    story = delayed(volume("a"), pods=0)
    fault = Story()
    fault.asked(Fault("crash", {"controller": "binder", "lists": {"StorageClass": "empty"}}))
    story.entries[-1:-1] = fault.entries
    assert result_of("PVB-015", story).broken == 0


def test_a_reservation_ends_the_waiting() -> None:
    story = Story()
    story.added(storage_class(mode="WaitForFirstConsumer"))
    free = story.added(reserved_by(volume(), claim(), with_uid=False))
    give(story, free, story.added(claim(storageClassName="shelf")), marked=False)
    assert verdict_of("PVB-015", story) is Verdict.PASS


def test_a_claim_with_a_selected_node_gets_no_free_volume() -> None:
    story = Story()
    story.added(storage_class(mode="WaitForFirstConsumer"))
    free = available(story, volume(storageClassName="shelf"))
    unbound = story.added(claim(storageClassName="shelf"))
    story.added(pod())
    picked = story.modified(annotate(unbound, **{SELECTED_NODE: "node-1"}))
    give(story, free, picked)
    assert "node-1 is selected" in message_of("PVB-016", story)
    assert verdict_of("PVB-016", delayed(volume("a"))) is Verdict.PASS


def waiting(made: Obj, wanted: Obj, *others: Obj) -> Story:
    story = Story()
    for other in others:
        story.added(other)
    available(story, made)
    story.added(wanted)
    story.settled()
    return story


def test_no_claim_waits_beside_a_fitting_volume() -> None:
    assert "is free, Available and fits" in message_of("PVB-012", waiting(volume(), claim()))
    assert result_of("PVB-012", waiting(volume(), claim(size="2Gi"))).at_risk == 1


@pytest.mark.parametrize(
    "wanted", [claim(volumeName="elsewhere"), claim(annotations={"pv.kubernetes.io/bind-completed": "yes"})]
)
def test_a_claim_that_names_a_volume_or_is_lost_may_wait(wanted: Obj) -> None:
    assert verdict_of("PVB-012", waiting(volume(), wanted)) is Verdict.NOT_EXERCISED


def test_a_delayed_claim_may_wait() -> None:
    wanted = claim(storageClassName="shelf")
    story = waiting(volume(storageClassName="shelf"), wanted, storage_class(mode="WaitForFirstConsumer"))
    assert verdict_of("PVB-012", story) is Verdict.NOT_EXERCISED


def test_nothing_is_said_of_waiting_while_a_fault_is_in_force() -> None:
    story = waiting(volume(), claim())
    story.entries.pop()
    story.settled(disturbed=("hold binder PersistentVolume",))
    assert verdict_of("PVB-012", story) is Verdict.NOT_EXERCISED


def test_no_claim_waits_beside_the_volume_reserved_for_it() -> None:
    kept = reserved_by(volume(), claim(), with_uid=False)
    assert verdict_of("PVB-013", waiting(kept, claim())) is Verdict.FAIL
    assert verdict_of("PVB-013", waiting(kept, claim(size="2Gi"))) is Verdict.PASS
    delayed_class = storage_class(mode="WaitForFirstConsumer")
    assert verdict_of("PVB-013", waiting(kept, claim(storageClassName="shelf"), delayed_class)) is Verdict.FAIL


def test_no_claim_waits_for_the_free_volume_that_it_names() -> None:
    assert verdict_of("PVB-014", waiting(volume(), claim(volumeName="volume"))) is Verdict.FAIL
    assert verdict_of("PVB-014", waiting(volume(), claim(volumeName="volume", size="2Gi"))) is Verdict.PASS
    both = reserved_by(volume(), claim(), with_uid=False)
    assert verdict_of("PVB-014", waiting(both, claim(volumeName="volume", size="2Gi"))) is Verdict.FAIL


def test_a_claim_waits_for_a_volume_that_belongs_to_another() -> None:
    taken = reserved_by(volume(), claim("other"), with_uid=False)
    assert verdict_of("PVB-014", waiting(taken, claim(volumeName="volume"))) is Verdict.PASS


def test_a_free_claim_and_its_pair_are_told_apart() -> None:
    story = Story()
    taken, claimed = pair(story)
    turn(story, put(taken, ("metadata", "labels"), {"a": "b"}), "Released")
    gone(story, claimed)
    story.added(node())
    story.settled()
    assert verdict_of("PVB-012", story) is Verdict.NOT_EXERCISED
