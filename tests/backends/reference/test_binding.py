"""How a claim and a volume become a pair: the four writes, what is found half done, and claims that were bound once."""

from typing import Any

import pytest

from pvkit.backends.objects import Obj, annotations, deleting, name, phase, uid
from pvkit.backends.storage import BIND_COMPLETED, BOUND_BY_CONTROLLER, claim_ref, claim_ref_uid, volume_name
from tests.backends.reference.builders import World, claim, pod, storage_class, volume, world

RWO, RWX = "ReadWriteOnce", "ReadWriteMany"
MINE = {"namespace": "default", "name": "c"}
STEPS = [("update", "PersistentVolume"), ("update-status", "PersistentVolume")]
STEPS += [(verb, "PersistentVolumeClaim") for verb, _ in STEPS]
CSI = {"driver": "csi.example", "volumeHandle": "h"}


def completed(called: str = "c", **spec: Any) -> Obj:
    """A claim that says that it was bound before."""
    return claim(called, annotations={BIND_COMPLETED: "yes"}, **spec)


def test_a_bind_is_four_writes_in_a_fixed_order() -> None:
    here = world().given(volume("v"))
    since = here.mark()
    here.given(claim("c"))
    assert (
        here.writes(since=since)
        == [("MODIFIED", "PersistentVolume", "v")] * 2 + [("MODIFIED", "PersistentVolumeClaim", "c")] * 2
    )
    reserved, bound, named, done = [event.object for event in here.store.log[since + 1 :] if event.by == "binder"]
    assert (claim_ref_uid(reserved), phase(reserved)) == (uid(named), "Available")
    assert phase(bound) == "Bound"
    assert (volume_name(named), BIND_COMPLETED in annotations(named), phase(named)) == ("v", True, "Pending")
    assert phase(done) == "Bound"


def test_a_pair_that_is_bound_is_written_no_more() -> None:
    here = world().given(volume("v"), claim("c"))
    since = here.mark()
    here.wait(60)
    here.given(storage_class("something-else"))
    assert here.writes(since=since) == []


def test_the_reference_says_all_of_the_claim_and_a_hand_written_one_is_left() -> None:
    here = world().given(volume("v"), claim("c"))
    assert set(here.reserved("v") or ()) == {"kind", "apiVersion", "namespace", "name", "uid", "resourceVersion"}
    other = world()
    (made,) = other.create(claim("c"))
    by_hand = {**MINE, "uid": uid(made)}
    other.given(volume("v", claimRef=by_hand))
    assert other.reserved("v") == by_hand
    assert other.bound() == {"c": "v"}


@pytest.mark.parametrize(
    ("of_volume", "of_claim", "marks"),
    [
        ({}, {}, (True, True)),
        ({"claimRef": MINE}, {}, (False, True)),
        ({}, {"volumeName": "v"}, (True, False)),
        ({"claimRef": MINE}, {"volumeName": "v"}, (False, False)),
    ],
    ids=["neither reserved", "volume reserved", "claim names volume", "both"],
)
def test_each_half_that_the_controller_filled_in_is_marked(
    of_volume: Obj, of_claim: Obj, marks: tuple[bool, bool]
) -> None:
    here = world().given(volume("v", **of_volume), claim("c", **of_claim))
    assert here.bound() == {"c": "v"}
    pair = here.volume("v"), here.claim("c")
    assert tuple(BOUND_BY_CONTROLLER in annotations(half) for half in pair) == marks
    assert BIND_COMPLETED in annotations(here.claim("c"))


@pytest.mark.parametrize("version", ["1.34", "1.36"])
@pytest.mark.parametrize("step", range(4))
@pytest.mark.parametrize("answer", ["conflict", "timeout"])
def test_a_bind_goes_on_where_it_was_refused(version: str, step: int, answer: str) -> None:
    here = world(version=version).given(volume("v"))
    verb, kind = STEPS[step]
    here.fault("refuse", controller="binder", verb=verb, kind=kind, answer=answer, times=3)
    since = here.mark()
    here.given(claim("c"))
    assert sum(here.model.engine.errors.values()) == 3
    assert here.bound() == {"c": "v"}
    assert len(here.writes(since=since)) == 4


def test_before_1_36_a_refused_reservation_waits_for_the_resync_and_later_it_comes_back_at_once() -> None:
    ends = {}
    for version in ("1.35", "1.36"):
        here = world(version=version).given(volume("v"))
        here.fault("refuse", controller="binder", verb="update", kind="PersistentVolume")
        here.create(claim("c"))
        here.wait(2)
        ends[version] = here.bound()
        here.settle()
        assert here.bound() == {"c": "v"}
    assert ends == {"1.35": {}, "1.36": {"c": "v"}}


def test_a_step_that_fails_after_a_write_comes_back_with_the_event_of_that_write() -> None:
    here = world(version="1.35").given(volume("v"))
    here.fault("refuse", controller="binder", verb="update-status", kind="PersistentVolume")
    here.create(claim("c"))
    here.wait(2)
    assert here.bound() == {"c": "v"}


@pytest.mark.parametrize("after", [1, 2, 3, 4])
def test_a_bind_goes_on_after_a_crash_at_any_step(after: int) -> None:
    here = world().given(volume("v"), volume("other"))
    here.fault("crash", controller="binder", after=after)
    here.given(claim("c"))
    assert len(here.bound()) == 1
    free = {"v", "other"} - set(here.bound().values())
    assert [here.phase(called) for called in free] == ["Available"]


def test_a_lost_answer_costs_nothing() -> None:
    for verb, kind in STEPS:
        here = world().given(volume("v"), volume("other"))
        here.fault("lose-answer", controller="binder", verb=verb, kind=kind)
        here.given(claim("c"))
        assert len(here.bound()) == 1
        assert len([called for called in ("v", "other") if here.reserved(called) is not None]) == 1


def test_a_claim_that_is_going_away_can_still_be_bound() -> None:
    here = world().given(claim("c", finalizers=["example.com/hold"]))
    here.remove("PersistentVolumeClaim", "c")
    here.given(volume("v"))
    assert here.bound() == {"c": "v"}
    assert deleting(here.claim("c"))


@pytest.mark.parametrize(
    ("made", "asked", "why"),
    [
        ({"size": "1Mi", "cls": "x"}, {}, "requested PV is too small"),
        ({"cls": "x", "volumeMode": "Block"}, {}, "storageClassName does not match"),
        (
            {"csi": CSI, "volumeAttributesClassName": "gold", "volumeMode": "Block"},
            {},
            "volumeAttributesClassName does not match",
        ),
        ({"volumeMode": "Block", "modes": (RWX,)}, {}, "incompatible volumeMode"),
        ({"modes": (RWX,)}, {}, "incompatible accessMode"),
        ({"size": "10E"}, {}, "requested PV is too small"),
    ],
)
def test_a_named_volume_that_does_not_fit_is_told_with_the_first_reason(made: Obj, asked: Obj, why: str) -> None:
    here = world().given(volume("v", **made), volume("free"), claim("c", volumeName="v", **asked))
    assert here.phase("c") == "Pending"
    assert here.events("c") == [("Warning", "VolumeMismatch", f'Cannot bind to requested volume "v": {why}')]
    assert here.reserved("free") is None


def test_a_named_volume_that_is_going_away_is_refused() -> None:
    here = world().given(volume("v", finalizers=["example.com/hold"]))
    here.remove("PersistentVolume", "v")
    here.given(claim("c", volumeName="v"))
    text = 'Cannot bind to requested volume "v": the volume is marked for deletion "v"'
    assert here.events("c") == [("Warning", "VolumeMismatch", text)]


@pytest.mark.parametrize(
    ("made", "asked"),
    [
        ({"labels": {"zone": "b"}}, {"selector": {"matchLabels": {"zone": "a"}}}),
        ({"size": "500m"}, {"size": "900m"}),
        ({"size": "1Gi"}, {"size": "10E"}),
    ],
    ids=["selector", "rounded up to whole bytes", "beyond 63 bits"],
)
def test_what_is_not_compared_for_a_named_volume(made: Obj, asked: Obj) -> None:
    here = world().given(volume("v", **made), claim("c", volumeName="v", **asked))
    assert here.bound() == {"c": "v"}
    assert [reason for _, reason, _ in here.events("c") if reason == "VolumeMismatch"] == []


def test_a_named_volume_is_bound_without_a_pod_whatever_its_class_waits_for() -> None:
    late = storage_class("late", "kubernetes.io/no-provisioner", late=True)
    here = world().given(late, volume("v", cls="late"), claim("c", cls="late", volumeName="v"))
    assert here.bound() == {"c": "v"}


@pytest.mark.parametrize(
    "made",
    [{"size": "1Mi"}, {"cls": "x"}, {"modes": (RWX,)}, {"volumeMode": "Block"}],
    ids=["size", "class", "modes", "volumeMode"],
)
def test_two_halves_that_name_each_other_are_bound_without_a_look(made: Obj) -> None:
    here = world().given(volume("v", claimRef=MINE, **made), claim("c", volumeName="v"))
    assert here.bound() == {"c": "v"}


def test_a_claim_that_names_no_existing_volume_waits_in_silence() -> None:
    here = world().given(volume("free"), claim("c", volumeName="absent"))
    assert (here.phase("c"), here.events("c"), here.reserved("free")) == ("Pending", [], None)
    here.given(volume("absent"))
    assert here.bound() == {"c": "absent"}


def test_a_claim_that_names_anothers_volume_waits_and_is_told() -> None:
    here = world().given(volume("v"), claim("owner")).given(claim("c", volumeName="v"))
    words = ("Warning", "FailedBinding", 'volume "v" already bound to a different claim.')
    assert (here.phase("c"), here.events("c")) == ("Pending", [words])


@pytest.mark.parametrize("version", ["1.35", "1.36"])
def test_a_claim_whose_completion_was_taken_away_fails_again_and_again_and_keeps_its_status(version: str) -> None:
    here = world(version=version).given(volume("v"), claim("c"))
    here.patch("PersistentVolume", "v", {"spec": {"claimRef": {"uid": "another"}}})
    here.patch("PersistentVolumeClaim", "c", {"metadata": {"annotations": {BIND_COMPLETED: None}}})
    here.wait(1)
    errors = here.model.engine.fired["PREB-08"]
    assert here.phase("c") == "Bound"
    assert here.events("c")[-1][1] == "FailedBinding"
    assert (errors > 3) is (version == "1.36")


def test_a_claim_that_names_another_volume_than_the_one_reserved_for_it_takes_that() -> None:
    here = world().given(volume("named"), volume("kept", claimRef=MINE)).given(claim("c", volumeName="named"))
    assert here.bound() == {"c": "named"}
    assert (here.reserved("kept"), here.phase("kept")) == (MINE, "Available")


def test_a_claim_and_its_reserved_volume_wait_for_ever_if_the_claim_names_anothers() -> None:
    here = world().given(volume("named"), claim("owner"), volume("kept", claimRef=MINE))
    here.given(claim("c", volumeName="named"))
    assert (here.phase("c"), here.phase("kept")) == ("Pending", "Available")


def test_a_claim_that_says_it_was_bound_but_not_to_what_is_lost() -> None:
    here = world().given(volume("v"), completed())
    text = "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!"
    assert (here.phase("c"), here.events("c")) == ("Lost", [("Warning", "ClaimLost", text)])


def test_a_claim_whose_volume_is_gone_is_lost_and_its_status_is_bare() -> None:
    here = world().given(volume("v"), claim("c"))
    here.steal("PersistentVolume", "v")
    text = "Bound claim has lost its PersistentVolume. Data on the volume is lost!"
    assert here.events("c") == [("Warning", "ClaimLost", text)]
    assert here.claim("c")["status"] == {"phase": "Lost"}


def test_a_lost_claim_is_bound_again_to_whatever_volume_of_the_name_is_free() -> None:
    here = world().given(volume("v"), claim("c"))
    here.steal("PersistentVolume", "v")
    here.given(volume("v", "2Gi", cls="other"))
    assert here.bound() == {"c": "v"}
    assert here.claim("c")["status"]["capacity"] == {"storage": "2Gi"}


def test_a_lost_claim_stays_lost_when_its_volume_comes_back_reserved_by_name_only() -> None:
    here = world().given(volume("v"), claim("c"))
    here.steal("PersistentVolume", "v")
    here.given(volume("v", claimRef=MINE))
    assert (here.phase("c"), here.phase("v")) == ("Lost", "Available")


def test_a_volume_that_lost_its_reference_is_given_back_without_a_word() -> None:
    here = world().given(volume("v"), claim("c"))
    before = here.changes("PersistentVolumeClaim", "c")[-1]
    here.edit("PersistentVolume", "v", {"spec": {"claimRef": None}})
    assert claim_ref_uid(here.volume("v")) == uid(before)
    assert {phase(state) for state in here.changes("PersistentVolumeClaim", "c")[-1:]} == {"Bound"}


def test_a_claim_whose_volume_lost_only_the_uid_is_misbound() -> None:
    here = world().given(volume("v"), claim("c"))
    here.edit("PersistentVolume", "v", {"spec": {"claimRef": {"uid": None}}})
    text = "Two claims are bound to the same volume, this one is bound incorrectly"
    assert here.events("c") == [("Warning", "ClaimMisbound", text)]
    assert here.phase("c") == "Lost"


def test_whoever_comes_first_has_a_volume_whose_reference_was_cleared() -> None:
    here = world().given(volume("v"), claim("c"))
    here.patch("PersistentVolume", "v", {"spec": {"claimRef": None}})
    here.model.run(10)
    assert here.phase("v") == "Available"
    here.given(claim("thief"))
    assert here.bound() == {"thief": "v"}
    assert here.phase("c") == "Lost"


def test_a_wrong_name_under_the_right_uid_is_mended_by_way_of_released() -> None:
    here = world().given(volume("v"), claim("c"))
    since = here.mark()
    here.edit("PersistentVolume", "v", {"spec": {"claimRef": {"name": "wrong"}}})
    seen = [event.object for event in here.store.log[since:] if event.object["kind"] == "PersistentVolume"]
    assert "Released" in [phase(state) for state in seen]
    assert (claim_ref(here.volume("v")) or {})["name"] == "c"
    assert here.bound() == {"c": "v"}


def test_status_shows_modes_and_capacity_of_the_volume_and_follows_only_the_modes() -> None:
    here = world().given(volume("v", "3Gi", (RWO, RWX)), claim("c"))
    assert here.claim("c")["status"]["capacity"] == {"storage": "3Gi"}
    here.edit("PersistentVolume", "v", {"spec": {"capacity": {"storage": "7Gi"}, "accessModes": [RWX]}})
    assert here.claim("c")["status"]["accessModes"] == [RWX]
    assert here.claim("c")["status"]["capacity"] == {"storage": "3Gi"}


@pytest.mark.parametrize(("text", "shown"), [("512Mi", "512Mi"), ("garbage", "1Gi")])
def test_a_volume_that_is_being_resized_shows_its_old_capacity(text: str, shown: str) -> None:
    marks = {"volume.alpha.kubernetes.io/pre-resize-capacity": text}
    here = world().given(volume("v", annotations=marks), claim("c"))
    assert here.claim("c")["status"]["capacity"] == {"storage": shown}


def test_the_attributes_class_shows_when_a_claim_is_bound_for_the_first_time_only() -> None:
    gold = {"volumeAttributesClassName": "gold"}
    here = world().given(volume("v", csi=CSI, **gold), claim("c", **gold))
    assert here.claim("c")["status"]["currentVolumeAttributesClassName"] == "gold"
    here.steal("PersistentVolume", "v")
    assert "currentVolumeAttributesClassName" not in here.claim("c")["status"]
    here.given(volume("v", csi=CSI, **gold))
    assert here.phase("c") == "Bound"
    assert "currentVolumeAttributesClassName" not in here.claim("c")["status"]


def test_a_phase_that_a_person_wrote_is_put_right() -> None:
    here = world().given(claim("c"))
    forged = {"status": {"phase": "Bound", "capacity": {"storage": "7Gi"}}}
    here.edit("PersistentVolumeClaim", "c", forged, subresource="status")
    assert here.claim("c")["status"] == {"phase": "Pending"}
    assert here.events("c")[0][1] == "FailedBinding"


def test_a_volume_deleted_inside_a_bind_blocks_its_claim_until_another_fits() -> None:
    here = world().given(volume("v"))
    here.fault("refuse", controller="binder", verb="update", kind="PersistentVolumeClaim", times=1000)
    here.create(claim("c"))
    here.model.run(100)
    here.delete("PersistentVolume", "v")
    here.fault("heal")
    here.settle()
    assert (here.phase("v"), here.phase("c")) == ("Bound", "Pending")
    here.given(volume("other"))
    assert here.bound() == {"c": "other"}
    assert here.get("PersistentVolume", "v") is None


def writers(here: World) -> set[str]:
    """Who wrote claims and volumes after their creation."""
    return {event.by for event in here.store.log if name(event.object) in ("v", "c") and event.type == "MODIFIED"}


def test_a_new_volume_wakes_no_claim_and_a_pod_or_class_none_either() -> None:
    here = world(resync=False).given(claim("c")).given(volume("v"), storage_class("new"), pod("p"))
    assert here.bound() == {}
    assert writers(here) == {"binder"}
    here.edit("PersistentVolumeClaim", "c", {"metadata": {"labels": {"touched": "yes"}}})
    assert here.bound() == {"c": "v"}


def test_two_leaders_and_stale_views_make_no_second_pair() -> None:
    here = world().given(volume("v"), volume("w"))
    here.fault("second-leader", controller="binder")
    here.fault("hold", controller="binder#2", kind="PersistentVolume")
    here.create(claim("a"), claim("b"))
    here.model.run(200)
    here.fault("heal")
    here.settle()
    assert sorted(here.bound().values()) == ["v", "w"]
