"""What lies behind the volumes is neither lost, nor leaked, nor shown to somebody else."""

from typing import Any

from pvkit.backends.objects import Obj, put, uid
from pvkit.backends.storage import PROVISIONED_BY, asset_of
from pvkit.conformance.verdict import Verdict
from tests.conformance.histories import Story, message_of, result_of, verdict_of
from tests.conformance.invariants.storage_story import (
    available,
    bound,
    claim,
    complete,
    give,
    gone,
    pair,
    reserved_by,
    show,
    turn,
    volume,
    without_reference,
)


def asset(of: Obj, for_claim: str = "") -> Obj:
    spec = {"size": "1Gi", "claim": for_claim, "by": "provisioner" if for_claim else "", "data": []}
    return {"kind": "Asset", "metadata": {"name": asset_of(of)}, "spec": spec}


def process(of: Obj, for_claim: Obj, read: Obj | None = None) -> Obj:
    mount = {"claimUID": uid(for_claim), "volume": of["metadata"]["name"], "asset": asset_of(of), "read": read}
    return {"kind": "Process", "metadata": {"name": "p"}, "spec": {"pod": "pod", "volumes": [mount]}}


def provisioned(**fields: Any) -> tuple[Story, Obj, Obj, Obj]:
    """A story with a provisioned volume that is bound, its claim and the storage behind it."""
    story = Story()
    unbound = story.added(claim())
    shared = {"annotations": {PROVISIONED_BY: "example.com/maker"}, "persistentVolumeReclaimPolicy": "Delete"}
    made = reserved_by(volume(**{**shared, **fields}), unbound)
    behind = story.added(asset(made, uid(unbound)), by="provisioner")
    taken = turn(story, story.added(made, by="provisioner"), "Bound")
    return story, taken, show(story, complete(story, unbound, "volume"), taken), behind


def test_storage_is_deleted_after_its_claim() -> None:
    story, taken, claimed, behind = provisioned()
    gone(story, claimed)
    turn(story, taken, "Released")
    story.deleted(behind, by="provisioner")
    assert verdict_of("PVB-130", story) is Verdict.PASS


def test_storage_of_a_live_claim_is_not_deleted() -> None:
    story, _, _, behind = provisioned()
    story.deleted(behind, by="provisioner")
    assert "was deleted while claim claim exists" in message_of("PVB-130", story)


def test_storage_with_two_volumes_is_the_client_s_affair() -> None:
    story, taken, _, behind = provisioned()
    story.added(put(volume("copy"), ("spec", "nfs"), taken["spec"]["nfs"]))
    story.deleted(behind, by="provisioner")
    assert result_of("PVB-130", story).broken == 0


def test_storage_goes_before_its_volume() -> None:
    story, taken, claimed, behind = provisioned()
    marked = story.terminating(taken)
    gone(story, claimed)
    last = turn(story, marked, "Released")
    story.deleted(behind, by="provisioner")
    story.deleted(last)
    assert result_of("PVB-131", story).at_risk == 1


def test_a_volume_does_not_vanish_before_its_storage() -> None:
    story, taken, claimed, _ = provisioned()
    marked = story.terminating(taken)
    gone(story, claimed)
    story.deleted(turn(story, marked, "Released"))
    assert "is gone and its storage" in message_of("PVB-131", story)


def test_a_volume_torn_away_by_hand_may_leave_its_storage() -> None:
    story, taken, _, _ = provisioned()
    story.deleted(story.modified(put(taken, ("metadata", "finalizers"), []), by="client"), by="client")
    assert verdict_of("PVB-131", story) is Verdict.NOT_EXERCISED


def test_a_finalizer_torn_off_last_by_hand_leaves_its_storage() -> None:
    story, taken, _, _ = provisioned()
    story.deleted(story.terminating(taken), by="client")
    assert verdict_of("PVB-131", story) is Verdict.NOT_EXERCISED


def test_a_retained_volume_may_leave_its_storage() -> None:
    story, taken, claimed, _ = provisioned(persistentVolumeReclaimPolicy="Retain")
    gone(story, claimed)
    gone(story, turn(story, taken, "Released"))
    story.settled()
    assert [verdict_of(id, story) for id in ("PVB-131", "PVB-132")] == [Verdict.NOT_EXERCISED] * 2


def test_storage_that_never_had_a_volume_is_not_left_behind() -> None:
    story = Story()
    unbound = story.added(claim())
    story.added(asset(volume(), uid(unbound)), by="provisioner")
    story.settled()
    assert verdict_of("PVB-132", story) is Verdict.PASS
    gone(story, unbound)
    story.settled()
    assert "was made for a claim that is gone and has no volume" in message_of("PVB-132", story)


def test_a_pod_finds_what_its_own_claim_left() -> None:
    story = Story()
    taken, claimed = pair(story)
    story.added(asset(taken), by="kubelet")
    story.added(process(taken, claimed, {"claim": uid(claimed), "podUID": "1"}), by="kubelet")
    assert verdict_of("PVB-133", story) is Verdict.PASS


def inherited(by: str) -> Story:
    story = Story()
    taken, claimed = pair(story)
    story.added(asset(taken), by="kubelet")
    gone(story, claimed)
    freed = story.modified(without_reference(turn(story, taken, "Released")), by=by)
    taken, second = bound(story, turn(story, freed, "Available"), story.added(claim("second")))
    story.added(process(taken, second, {"claim": uid(claimed), "podUID": "1"}), by="kubelet")
    return story


def test_a_pod_does_not_find_what_another_claim_left() -> None:
    assert "found in volume volume what claim" in message_of("PVB-133", inherited("controller"))


def test_an_admin_may_pass_storage_on() -> None:
    assert verdict_of("PVB-133", inherited("client")) is Verdict.NOT_EXERCISED


def test_an_admin_may_make_a_volume_of_old_storage() -> None:
    story = Story()
    old = volume()
    story.added(asset(old), by="kubelet")
    taken, claimed = bound(story, available(story, old), story.added(claim()))
    story.added(process(taken, claimed, {"claim": "somebody", "podUID": "1"}), by="kubelet")
    assert verdict_of("PVB-133", story) is Verdict.NOT_EXERCISED


def test_a_bound_volume_has_its_storage() -> None:
    story, _, _, behind = provisioned()
    story.settled()
    assert verdict_of("PVB-134", story) is Verdict.PASS
    story.deleted(behind, by="provisioner")
    story.settled()
    assert "is Bound and its storage" in message_of("PVB-134", story)


def test_one_piece_of_storage_is_made_for_a_claim() -> None:
    story, _, claimed, _ = provisioned()
    assert verdict_of("PVB-135", story) is Verdict.PASS
    story.added(asset(volume("other"), uid(claimed)), by="provisioner")
    assert "was made for a claim that has" in message_of("PVB-135", story)


def test_without_a_ledger_nothing_is_said_of_storage() -> None:
    story, _, _, behind = provisioned()
    story.deleted(behind, by="provisioner")
    assert verdict_of("PVB-130", story, ledgers=False) is Verdict.UNKNOWN


def test_storage_that_was_given_but_not_completed_counts_as_taken() -> None:
    story = Story()
    unbound = story.added(claim())
    taken = give(story, available(story, volume()), unbound)
    story.deleted(story.added(asset(taken), by="kubelet"), by="provisioner")
    assert verdict_of("PVB-130", story) is Verdict.FAIL
