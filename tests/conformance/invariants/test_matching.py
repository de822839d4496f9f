"""Each thing that must agree between a volume and a claim, alone."""

from typing import Any

import pytest

from pvkit.backends.objects import Obj, put
from pvkit.conformance.verdict import Verdict
from tests.conformance.histories import Story, message_of, result_of, verdict_of
from tests.conformance.invariants.storage_story import (
    ROX,
    RWO,
    RWX,
    available,
    bound,
    claim,
    complete,
    give,
    reserved_by,
    storage_class,
    turn,
    volume,
)

MISFITS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("PVB-001", {"size": "1Gi"}, {"size": "2Gi"}),
    ("PVB-001", {"size": "1G"}, {"size": "1Gi"}),
    ("PVB-002", {"modes": (RWO,)}, {"modes": (RWO, ROX)}),
    ("PVB-002", {"modes": (RWX,)}, {"modes": (RWO,)}),
    ("PVB-003", {"storageClassName": "shelf"}, {"storageClassName": "rack"}),
    ("PVB-003", {"storageClassName": "shelf"}, {"storageClassName": ""}),
    ("PVB-004", {"volumeMode": "Block"}, {"volumeMode": "Filesystem"}),
    ("PVB-005", {"labels": {"tier": "a"}}, {"selector": {"matchLabels": {"tier": "b"}}}),
    ("PVB-006", {"volumeAttributesClassName": "gold"}, {}),
]
FITS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("PVB-001", {"size": "1Gi"}, {"size": "1024Mi"}),
    ("PVB-002", {"modes": (RWO, ROX)}, {"modes": (ROX,)}),
    ("PVB-003", {"storageClassName": "shelf"}, {"storageClassName": "shelf"}),
    ("PVB-004", {"volumeMode": None}, {"volumeMode": "Filesystem"}),
    ("PVB-005", {"labels": {"tier": "a"}}, {"selector": {"matchLabels": {"tier": "a"}}}),
    ("PVB-006", {"volumeAttributesClassName": ""}, {}),
    ("PVB-007", {}, {}),
    ("PVB-008", {}, {}),
]


def chosen(offered: dict[str, Any], wanted: dict[str, Any]) -> Story:
    story = Story()
    free = available(story, volume(**offered))
    give(story, free, story.added(claim(**wanted)))
    return story


@pytest.mark.parametrize(("id", "offered", "wanted"), FITS)
def test_a_fitting_volume_is_given_away(id: str, offered: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert verdict_of(id, chosen(offered, wanted)) is Verdict.PASS


@pytest.mark.parametrize(("id", "offered", "wanted"), MISFITS)
def test_an_unfit_volume_is_not_given_away(id: str, offered: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert "which it does not fit" in message_of(id, chosen(offered, wanted))


@pytest.mark.parametrize(("id", "offered", "wanted"), MISFITS)
def test_only_the_thing_that_differs_is_reported(id: str, offered: dict[str, Any], wanted: dict[str, Any]) -> None:
    story = chosen(offered, wanted)
    others = {entry for entry, *_ in MISFITS} - {id}
    assert {other: verdict_of(other, story) for other in others if verdict_of(other, story) is Verdict.FAIL} == {}


def test_a_free_volume_that_does_not_fit_makes_a_choice_risky() -> None:
    story = Story()
    available(story, volume("block", volumeMode="Block"))
    give(story, available(story, volume()), story.added(claim()))
    assert result_of("PVB-004", story).at_risk == 1


def test_a_volume_that_is_being_deleted_is_not_given_away() -> None:
    story = Story()
    wanted = story.added(claim())
    give(story, story.terminating(available(story, volume())), wanted)
    assert "deletion" in message_of("PVB-007", story)


def test_a_volume_that_is_not_available_is_not_chosen() -> None:
    story = Story()
    give(story, story.added(volume()), story.added(claim()))
    assert "phase: Pending" in message_of("PVB-008", story)


def reserved(offered: dict[str, Any], wanted: dict[str, Any]) -> Story:
    story = Story()
    free = story.added(reserved_by(volume(**offered), claim(), with_uid=False))
    give(story, free, story.added(claim(**wanted)), marked=False)
    return story


@pytest.mark.parametrize("id", ["PVB-003", "PVB-005", "PVB-008"])
def test_a_reservation_waives_class_labels_and_phase(id: str) -> None:
    wanted = {"storageClassName": "rack", "selector": {"matchLabels": {"tier": "a"}}}
    assert verdict_of(id, reserved({}, wanted)) is Verdict.NOT_EXERCISED


@pytest.mark.parametrize(("id", "wanted"), [("PVB-001", {"size": "2Gi"}), ("PVB-002", {"modes": (RWX,)})])
def test_a_reservation_does_not_waive_size_and_modes(id: str, wanted: dict[str, Any]) -> None:
    assert verdict_of(id, reserved({}, wanted)) is Verdict.FAIL


def test_the_scheduler_may_take_a_reserved_volume_whatever_its_modes() -> None:
    story = Story()
    story.added(storage_class(mode="WaitForFirstConsumer"))
    free = story.added(reserved_by(volume(storageClassName="shelf"), claim(), with_uid=False))
    give(story, free, story.added(claim(modes=(RWX,), storageClassName="shelf")), marked=False)
    assert verdict_of("PVB-002", story) is Verdict.NOT_EXERCISED


def asked(offered: dict[str, Any], wanted: dict[str, Any]) -> Story:
    return chosen(offered, {"volumeName": "volume", **wanted})


@pytest.mark.parametrize(
    ("id", "offered", "wanted"), [case for case in MISFITS if case[0] in ("PVB-002", "PVB-003", "PVB-004", "PVB-006")]
)
def test_asking_for_a_volume_waives_none_of_these(id: str, offered: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert verdict_of(id, asked(offered, wanted)) is Verdict.FAIL


def test_asking_for_a_volume_waives_the_selector() -> None:
    assert verdict_of("PVB-005", asked({}, {"selector": {"matchLabels": {"tier": "b"}}})) is Verdict.NOT_EXERCISED


def test_the_size_of_a_volume_asked_for_is_compared_in_bytes() -> None:
    assert verdict_of("PVB-001", asked({"size": "500m"}, {"size": "900m"})) is Verdict.PASS
    assert verdict_of("PVB-001", chosen({"size": "500m"}, {"size": "900m"})) is Verdict.FAIL


def test_a_pair_that_names_each_other_agrees_by_definition() -> None:
    story = Story()
    free = story.added(reserved_by(volume(), claim(), with_uid=False))
    give(story, free, story.added(claim(size="9Gi", modes=(RWX,), volumeName="volume")), marked=False)
    assert [verdict_of(id, story) for id in ("PVB-001", "PVB-002")] == [Verdict.NOT_EXERCISED] * 2


def test_a_claim_marked_as_bound_gets_its_volume_back_unseen() -> None:
    story = Story()
    free = available(story, volume())
    marks = {"pv.kubernetes.io/bind-completed": "yes"}
    give(story, free, story.added(claim(size="9Gi", volumeName="volume", annotations=marks)))
    assert verdict_of("PVB-001", story) is Verdict.NOT_EXERCISED


def test_a_class_that_came_later_may_not_have_been_seen() -> None:
    story = Story()
    free = available(story, volume())
    silent = story.added(claim())
    classed = story.modified(put(silent, ("spec", "storageClassName"), "shelf"))
    give(story, free, classed)
    assert verdict_of("PVB-003", story) is Verdict.PASS


def whole(**wanted: Any) -> Story:
    story = Story()
    unbound = story.added(claim(**wanted))
    taken = turn(story, story.added(reserved_by(volume(), unbound)), "Bound")
    complete(story, unbound, taken["metadata"]["name"])
    return story


@pytest.mark.parametrize(
    ("id", "wanted"),
    [("PVB-001", {"size": "2Gi"}), ("PVB-002", {"modes": (RWX,)}), ("PVB-004", {"volumeMode": "Block"})],
)
def test_a_volume_made_for_a_claim_by_uid_must_fit_as_well(id: str, wanted: dict[str, Any]) -> None:
    assert verdict_of(id, whole()) is Verdict.PASS
    assert verdict_of(id, whole(**wanted)) is Verdict.FAIL


def test_a_volume_changed_by_hand_inside_a_bind_is_not_judged() -> None:
    story = Story()
    unbound = story.added(claim())
    taken = give(story, available(story, volume()), unbound)
    smaller = story.modified(put(taken, ("spec", "capacity"), {"storage": "1Mi"}), by="client")
    complete(story, unbound, smaller["metadata"]["name"])
    assert verdict_of("PVB-001", story) is Verdict.PASS


def test_what_a_client_gives_away_is_its_own_affair() -> None:
    story = Story()
    free: Obj = available(story, volume())
    story.modified(reserved_by(free, story.added(claim(size="9Gi"))), by="client")
    assert verdict_of("PVB-001", story) is Verdict.NOT_EXERCISED


def test_a_whole_bind_passes() -> None:
    story = Story()
    bound(story, available(story, volume()), story.added(claim()))
    assert {id: verdict_of(id, story) for id, *_ in FITS if verdict_of(id, story) is Verdict.FAIL} == {}
