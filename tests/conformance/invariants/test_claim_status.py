"""What a claim and a volume say of themselves."""

from pvkit.backends.objects import Obj, put
from pvkit.conformance.verdict import Verdict
from tests.conformance.histories import Story, message_of, result_of, verdict_of
from tests.conformance.invariants.storage_story import (
    ROX,
    RWO,
    available,
    claim,
    complete,
    give,
    pair,
    show,
    turn,
    volume,
)


def shown(seen: Obj, **offered: object) -> Story:
    story = Story()
    unbound = story.added(claim())
    taken = turn(story, give(story, available(story, volume(**offered)), unbound), "Bound")  # type: ignore[arg-type]
    show(story, complete(story, unbound, "volume"), {**taken, "spec": {**taken["spec"], **seen}})
    story.settled()
    return story


def test_a_bound_claim_shows_what_its_volume_has() -> None:
    assert result_of("PVB-060", shown({}, size="2Gi", modes=(RWO, ROX))).at_risk == 1


def test_a_bound_claim_shows_the_capacity_of_its_volume() -> None:
    assert "shows capacity 1Gi" in message_of("PVB-060", shown({"capacity": {"storage": "1Gi"}}, size="2Gi"))


def test_a_bound_claim_shows_the_modes_of_its_volume() -> None:
    story = shown({"accessModes": [RWO]}, modes=(RWO, ROX))
    assert "shows access modes" in message_of("PVB-060", story)
    assert "shows access modes" in message_of("PVB-061", story)


def test_a_volume_changed_by_hand_inside_the_bind_may_be_shown_as_it_was() -> None:
    story = Story()
    unbound = story.added(claim())
    taken = turn(story, give(story, available(story, volume()), unbound), "Bound")
    story.modified(put(taken, ("spec", "capacity"), {"storage": "5Gi"}), by="client")
    show(story, complete(story, unbound, "volume"), taken)
    assert verdict_of("PVB-060", story) is Verdict.NOT_EXERCISED


def test_a_claim_follows_the_modes_of_its_volume() -> None:
    story = Story()
    taken, claimed = pair(story)
    story.modified(put(taken, ("spec", "accessModes"), [ROX]), by="client")
    story.settled()
    assert verdict_of("PVB-061", story) is Verdict.FAIL
    story.modified(put(claimed, ("status", "accessModes"), [ROX]))
    story.entries.append(story.entries.pop(-2))
    assert result_of("PVB-061", story).at_risk == 1


def test_a_lost_claim_shows_nothing() -> None:
    story = Story()
    _, claimed = pair(story)
    turn(story, claimed, "Lost")
    assert "still shows capacity and accessModes" in message_of("PVB-062", story)
    story = Story()
    _, claimed = pair(story)
    story.modified({**claimed, "status": {"phase": "Lost"}})
    assert result_of("PVB-062", story).at_risk == 1


def test_a_failed_volume_says_why() -> None:
    story = Story()
    taken, _ = pair(story)
    story.modified({**taken, "status": {"phase": "Failed", "message": "no deleter"}})
    assert verdict_of("PVB-063", story) is Verdict.PASS
    story.modified({**taken, "status": {"phase": "Released", "message": "no deleter"}})
    assert "became Released with message 'no deleter'" in message_of("PVB-063", story)


def test_a_failure_without_a_reason_is_noticed() -> None:
    story = Story()
    turn(story, pair(story)[0], "Failed")
    assert "became Failed with message None" in message_of("PVB-063", story)


def test_no_component_shrinks_a_volume() -> None:
    story = Story()
    taken, _ = pair(story)
    grown = story.modified(put(taken, ("spec", "capacity"), {"storage": "2Gi"}))
    assert result_of("PVB-064", story).at_risk == 1
    story.modified(put(grown, ("spec", "capacity"), {"storage": "0"}))
    assert "shrank from 2Gi to 0" in message_of("PVB-064", story)


def test_a_client_may_shrink_a_volume() -> None:
    story = Story()
    taken, _ = pair(story)
    story.modified(put(taken, ("spec", "capacity"), {"storage": "1Mi"}), by="client")
    story.settled()
    assert result_of("PVB-064", story).broken == 0
    assert verdict_of("PVB-065", story) is Verdict.NOT_EXERCISED


def test_a_claim_shows_no_more_than_there_is() -> None:
    story = shown({"capacity": {"storage": "9Gi"}})
    assert "shows capacity 9Gi" in message_of("PVB-065", story)
    assert verdict_of("PVB-065", shown({})) is Verdict.PASS
