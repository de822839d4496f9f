"""A pair points at each other, by UID, in four writes that change nothing else."""

from pvkit.backends.objects import Obj, annotate, key, put
from pvkit.backends.protocol import Fault, Operation
from pvkit.conformance.verdict import Verdict
from tests.conformance.histories import Story, message_of, result_of, results_of, verdict_of
from tests.conformance.invariants.storage_story import (
    RWO,
    RWX,
    available,
    bound,
    claim,
    complete,
    give,
    gone,
    pair,
    reference,
    reserved_by,
    show,
    storage_class,
    turn,
    volume,
    without_reference,
)

ALL_OF_A_BIND = ("PVB-020", "PVB-021", "PVB-022", "PVB-030", "PVB-031", "PVB-032", "PVB-033", "PVB-034", "PVB-035")


def test_a_whole_bind_passes() -> None:
    story = Story()
    taken, _ = pair(story)
    story.modified(put(taken, ("metadata", "labels"), {"seen": "yes"}))
    story.settled()
    verdicts = {id: verdict_of(id, story) for id in (*ALL_OF_A_BIND, "PVB-023", "PVB-024", "PVB-025", "PVB-026")}
    assert verdicts == dict.fromkeys(verdicts, Verdict.PASS)


def test_nothing_at_all_is_said_against_a_plain_bind_and_release() -> None:
    story = Story()
    taken, claimed = pair(story)
    story.settled()
    story.settled()
    story.asked(Operation("delete", target=key(claimed)))
    gone(story, claimed)
    turn(story, taken, "Released")
    story.settled()
    assert {
        id: r.violations for id, r in results_of(story).items() if r.verdict in (Verdict.FAIL, Verdict.UNKNOWN)
    } == {}


def test_a_claim_is_not_completed_with_a_volume_of_another() -> None:
    story = Story()
    taken, _ = pair(story)
    second = story.added(claim("second"))
    complete(story, second, taken["metadata"]["name"])
    assert "whose claimRef is" in message_of("PVB-020", story)


def test_a_claim_whose_volume_a_client_took_away_inside_the_bind_is_not_judged() -> None:
    story = Story()
    unbound = story.added(claim())
    taken = turn(story, give(story, available(story, volume()), unbound), "Bound")
    story.modified(without_reference(taken), by="client")
    complete(story, unbound, "volume")
    assert verdict_of("PVB-020", story) is Verdict.NOT_EXERCISED
    assert verdict_of("PVB-033", story) is Verdict.NOT_EXERCISED


def test_a_claim_becomes_bound_only_to_a_volume_that_refers_to_it() -> None:
    story = Story()
    taken, _ = pair(story)
    second = complete(story, story.added(claim("second")), taken["metadata"]["name"])
    show(story, second, taken)
    assert "does not refer to it" in message_of("PVB-021", story)
    assert result_of("PVB-021", story).held == 1


def test_a_claim_that_became_bound_without_a_volume_is_noticed() -> None:
    story = Story()
    turn(story, story.added(claim()), "Bound")
    assert "not complete" in message_of("PVB-021", story)


def test_a_status_that_a_client_wrote_is_not_judged() -> None:
    story = Story()
    turn(story, story.added(claim()), "Bound", by="client")
    story.settled()
    assert verdict_of("PVB-021", story) is Verdict.NOT_EXERCISED
    assert verdict_of("PVB-024", story) is Verdict.NOT_EXERCISED


def two_given(second: Obj) -> Story:
    story = Story()
    first, other = available(story, volume("first", "1Gi", (RWO, RWX))), available(story, second)
    unbound = story.added(claim())
    give(story, first, unbound)
    give(story, other, unbound)
    return story


def test_a_claim_is_given_one_volume_at_a_time() -> None:
    assert "while it held volume first" in message_of("PVB-022", two_given(volume("other", "1Gi", (RWO, RWX))))


def test_a_volume_of_fewer_modes_may_draw_a_claim_away() -> None:
    assert verdict_of("PVB-022", two_given(volume("other"))) is Verdict.PASS


def test_a_crash_may_make_a_controller_forget_what_it_wrote() -> None:
    story = two_given(volume("other", "1Gi", (RWO, RWX)))
    fault = Story()
    fault.asked(Fault("crash", {"controller": "binder"}))
    story.entries[:0] = fault.entries
    assert verdict_of("PVB-022", story) is Verdict.NOT_EXERCISED


def test_a_volume_that_no_longer_fits_is_given_up() -> None:
    story = Story()
    first, other = available(story, volume("first")), available(story, volume("other"))
    unbound = story.added(claim())
    given = give(story, first, unbound)
    story.terminating(given)
    give(story, other, unbound)
    assert verdict_of("PVB-022", story) is Verdict.PASS


def test_no_second_volume_stays_with_a_claim() -> None:
    story = Story()
    _, claimed = pair(story)
    story.added(reserved_by(volume("second"), claimed))
    story.settled()
    assert "volume second refers to claim claim, which has volume" in message_of("PVB-023", story)


def test_a_provisioned_volume_that_lost_keeps_its_reference() -> None:
    story = Story()
    _, claimed = pair(story)
    marks = {"pv.kubernetes.io/provisioned-by": "example.com/maker"}
    second = volume("second", annotations=marks, persistentVolumeReclaimPolicy="Delete")
    turn(story, story.added(reserved_by(second, claimed)), "Released")
    story.settled()
    assert verdict_of("PVB-023", story) is Verdict.PASS


def test_a_bound_claim_has_its_volume_in_the_end() -> None:
    story = Story()
    taken, _ = pair(story)
    story.deleted(taken)
    story.settled()
    assert "does not exist" in message_of("PVB-024", story)


def test_two_bound_claims_of_one_volume_are_noticed() -> None:
    story = Story()
    taken, _ = pair(story)
    story.deleted(taken, by="client")
    bound(story, available(story, volume()), story.added(claim("second")))
    story.settled()
    assert "claim claim is Bound, and its volume volume is Bound with claimRef" in message_of("PVB-024", story)


def half_bound() -> tuple[Story, Obj, Obj]:
    story = Story()
    unbound = story.added(claim())
    return story, turn(story, give(story, available(story, volume()), unbound), "Bound"), unbound


def test_a_pair_does_not_stay_half_bound() -> None:
    story, _, _ = half_bound()
    story.settled()
    assert "has no volume and is Pending" in message_of("PVB-025", story)


def test_a_volume_deleted_inside_the_bind_stays_half_bound() -> None:
    story, taken, _ = half_bound()
    story.terminating(taken)
    story.settled()
    assert verdict_of("PVB-025", story) is Verdict.NOT_EXERCISED


def test_a_claim_completed_and_still_pending_is_noticed() -> None:
    story, _, unbound = half_bound()
    complete(story, unbound, "volume")
    story.settled()
    assert "was bound to volume and is Pending" in message_of("PVB-026", story)


def test_a_volume_says_who_chose_it() -> None:
    story = Story()
    give(story, available(story, volume()), story.added(claim()), marked=False)
    assert "was free and is not marked" in message_of("PVB-030", story)
    story = Story()
    kept = story.added(reserved_by(volume(), claim(), with_uid=False))
    give(story, kept, story.added(claim()), marked=True)
    assert "was reserved and is marked" in message_of("PVB-030", story)


def test_an_old_mark_on_a_volume_may_stay() -> None:
    story = Story()
    marks = {"pv.kubernetes.io/bound-by-controller": "yes"}
    kept = story.added(reserved_by(volume(annotations=marks), claim(), with_uid=False))
    give(story, kept, story.added(claim()))
    assert verdict_of("PVB-030", story) is Verdict.PASS


def test_a_claim_says_who_chose_its_volume() -> None:
    story, _, unbound = half_bound()
    complete(story, unbound, "volume", marked=False)
    assert "named no volume and is not marked" in message_of("PVB-031", story)
    story = Story()
    complete(story, story.added(claim(volumeName="volume")), "volume")
    assert "named volume volume and is marked" in message_of("PVB-031", story)


def test_a_bind_touches_nothing_else() -> None:
    story = Story()
    free, unbound = available(story, volume()), story.added(claim())
    changed = put(reserved_by(free, unbound), ("spec", "persistentVolumeReclaimPolicy"), "Delete")
    story.modified(annotate(changed, **{"pv.kubernetes.io/bound-by-controller": "yes", "more": "yes"}))
    expected = "changed spec.persistentVolumeReclaimPolicy, annotation more as well"
    assert expected in message_of("PVB-032", story)


def test_the_volume_is_bound_first() -> None:
    story = Story()
    unbound = story.added(claim())
    give(story, available(story, volume()), unbound)
    complete(story, unbound, "volume")
    assert "while volume volume is Available" in message_of("PVB-033", story)


def test_a_phase_that_a_client_wrote_inside_a_bind_excuses_the_order() -> None:
    story, taken, unbound = half_bound()
    turn(story, taken, "Available", by="client")
    complete(story, unbound, "volume")
    assert verdict_of("PVB-033", story) is Verdict.NOT_EXERCISED


def test_a_reference_says_what_it_refers_to() -> None:
    story = Story()
    free, unbound = available(story, volume()), story.added(claim())
    named = {field: value for field, value in reference(unbound).items() if field != "kind"}
    story.modified(put(free, ("spec", "claimRef"), named))
    assert "refers to claim claim as" in message_of("PVB-034", story)


def test_a_bound_pair_is_not_taken_apart() -> None:
    story = Story()
    taken, _ = pair(story)
    story.modified(without_reference(taken))
    assert "was taken away from claim claim" in message_of("PVB-035", story)


def test_a_client_may_take_a_pair_apart() -> None:
    story = Story()
    taken, _ = pair(story)
    story.modified(without_reference(taken), by="client")
    assert verdict_of("PVB-035", story) is Verdict.NOT_EXERCISED


def test_a_claim_that_delays_may_be_given_two_volumes() -> None:
    story = Story()
    story.added(storage_class(mode="WaitForFirstConsumer"))
    first, other = (available(story, volume(each, storageClassName="shelf")) for each in ("first", "other"))
    unbound = story.added(claim(storageClassName="shelf"))
    give(story, first, unbound)
    give(story, other, unbound)
    assert verdict_of("PVB-022", story) is Verdict.NOT_EXERCISED
