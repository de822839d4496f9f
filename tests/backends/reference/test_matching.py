"""Which volume a claim takes when nobody waits for a pod: what fits, what comes first, and what is left to chance."""

from typing import Any

import pytest

from pvkit.backends.objects import Obj
from pvkit.backends.protocol import Departure, Setup
from tests.backends.reference.builders import World, claim, storage_class, volume, world

RWO, RWX, ROX, RWOP = "ReadWriteOnce", "ReadWriteMany", "ReadOnlyMany", "ReadWriteOncePod"
CSI = {"driver": "csi.example", "volumeHandle": "h"}
ZONE_A = {"matchLabels": {"zone": "a"}}


def taken(volumes: list[Obj], wanted: Obj, *others: Obj) -> str:
    """The volume that a claim is bound to, "" if it is not."""
    found = world().given(*others, *volumes).given(wanted)
    return found.bound().get("c", "")


def test_one_fitting_volume_is_taken() -> None:
    assert taken([volume("v")], claim("c")) == "v"


@pytest.mark.parametrize(
    ("made", "asked"),
    [
        ({"modes": (RWX,)}, {"modes": (RWO,)}),
        ({"modes": (RWO,)}, {"modes": (RWX,)}),
        ({"modes": (RWO,)}, {"modes": (RWOP,)}),
        ({"modes": (RWOP,)}, {"modes": (RWO,)}),
        ({"modes": (RWO,)}, {"modes": (RWO, ROX)}),
        ({"size": "1023Mi"}, {"size": "1Gi"}),
        ({"size": "1G"}, {"size": "1Gi"}),
        ({"volumeMode": "Block"}, {}),
        ({}, {"volumeMode": "Block"}),
        ({"csi": CSI, "volumeAttributesClassName": "gold"}, {}),
        ({"csi": CSI, "volumeAttributesClassName": "gold"}, {"volumeAttributesClassName": "silver"}),
        ({"labels": {"zone": "b"}}, {"selector": ZONE_A}),
        ({"cls": "shelf"}, {"cls": ""}),
        ({"cls": ""}, {"cls": "shelf"}),
        ({"cls": "shelf"}, {"cls": "other"}),
        ({"claimRef": {"namespace": "default", "name": "another"}}, {}),
        ({"claimRef": {"namespace": "elsewhere", "name": "c"}}, {}),
    ],
)
def test_a_single_difference_keeps_volume_and_claim_apart(made: dict[str, Any], asked: dict[str, Any]) -> None:
    assert taken([volume("v", **made)], claim("c", **asked)) == ""


@pytest.mark.parametrize(
    ("made", "asked"),
    [
        ({"size": "1024Mi"}, {"size": "1Gi"}),
        ({"size": "10E"}, {"size": "9E"}),
        ({"modes": (RWOP,)}, {"modes": (RWOP,)}),
        ({"volumeMode": "Filesystem"}, {}),
        ({"csi": CSI, "volumeAttributesClassName": "gold"}, {"volumeAttributesClassName": "gold"}),
        ({"csi": CSI}, {"volumeAttributesClassName": ""}),
        ({"labels": {"zone": "a", "more": "x"}}, {"selector": ZONE_A}),
        ({}, {"selector": {}}),
        ({}, {"selector": {"matchExpressions": [{"key": "zone", "operator": "NotIn", "values": ["a"]}]}}),
        ({"annotations": {"volume.beta.kubernetes.io/storage-class": "shelf"}, "cls": "x"}, {"cls": "shelf"}),
    ],
)
def test_what_is_equal_in_meaning_fits(made: dict[str, Any], asked: dict[str, Any]) -> None:
    assert taken([volume("v", **made)], claim("c", **asked)) == "v"


def test_nobody_looks_at_affinity_or_data_sources() -> None:
    term = {"key": "kubernetes.io/hostname", "operator": "In", "values": ["no-such-node"]}
    away = {"required": {"nodeSelectorTerms": [{"matchExpressions": [term]}]}}
    local = volume("v", local={"path": "/disk"}, nodeAffinity=away)
    copied = claim("c", dataSource={"kind": "PersistentVolumeClaim", "name": "another"})
    assert taken([local], copied) == "v"


def test_a_volume_that_is_being_deleted_is_not_taken() -> None:
    here = world().given(volume("v", finalizers=["example.com/hold"]))
    here.remove("PersistentVolume", "v")
    here.given(claim("c"))
    assert here.phase("v") == "Available"
    assert here.bound() == {}


def test_a_volume_that_is_not_available_yet_is_not_seen_before_the_next_resync() -> None:
    first = tuple(Departure("turn", turn, "binder/PersistentVolumeClaim") for turn in range(6))
    here = World(Setup(), first)
    here.create(volume("v"), claim("c"))
    here.wait(1)
    assert (here.phase("v"), here.bound()) == ("Available", {})
    here.settle()
    assert here.bound() == {"c": "v"}


def test_the_smallest_that_is_large_enough_is_taken() -> None:
    sizes = {"a": "10Gi", "b": "3Gi", "c": "2Gi", "d": "5Gi"}
    assert taken([volume(called, size) for called, size in sizes.items()], claim("c", "2500Mi")) == "b"


def test_fewer_access_modes_come_before_a_smaller_size() -> None:
    assert taken([volume("small", "1Gi", (RWO, RWX)), volume("large", "100Gi")], claim("c")) == "large"


def test_order_and_repetition_of_access_modes_mean_nothing() -> None:
    repeated = volume("two", "50Gi", (RWX, RWO, RWO))
    assert taken([volume("three", "1Gi", (RWO, ROX, RWX)), repeated], claim("c", modes=(RWO, RWX))) == "two"


def test_a_group_in_which_nothing_fits_is_passed_over() -> None:
    assert taken([volume("exact", "1Mi"), volume("wide", "1Gi", (RWO, ROX))], claim("c")) == "wide"


def test_which_of_the_claims_that_wait_comes_first_is_left_to_the_schedule() -> None:
    winners = set()
    for take in range(3):
        here = World(Setup(), tuple(Departure("tie", at, take) for at in range(4)))
        here.given(claim("a"), claim("b"), claim("c")).given(volume("v"))
        winners.update(here.bound())
    assert winners == {"a", "b", "c"}


def test_equal_volumes_leave_the_choice_to_the_schedule() -> None:
    winners = set()
    for take in range(3):
        here = World(Setup(), (Departure("tie", 0, take),))
        here.given(volume("a"), volume("b"), volume("c")).given(claim("claim"))
        winners.add(here.bound()["claim"])
    assert winners == {"a", "b", "c"}


def test_groups_of_as_many_modes_leave_the_choice_to_the_schedule_whatever_the_size() -> None:
    winners = set()
    for take in range(2):
        here = World(Setup(), (Departure("tie", 0, take),))
        here.given(volume("large", "9Gi", (RWO, ROX)), volume("small", "1Gi", (RWO, RWX))).given(claim("c"))
        winners.add(here.bound()["c"])
    assert winners == {"large", "small"}


def test_nothing_is_matched_again_to_make_room() -> None:
    here = world().given(volume("wide", "5Gi", (RWO, RWX)), volume("small", "1Gi", (RWO, RWX)))
    here.given(claim("first", "2Gi")).given(claim("second", "2Gi"), claim("third", "1Gi", (RWX,)))
    assert here.bound() == {"first": "wide", "third": "small"}
    assert here.phase("second") == "Pending"


@pytest.mark.parametrize("waived", [{"cls": "other"}, {"labels": {"zone": "b"}}], ids=["class", "selector"])
def test_a_reservation_by_name_waives_class_and_selector(waived: dict[str, Any]) -> None:
    kept = {"claimRef": {"namespace": "default", "name": "c"}, **waived}
    assert taken([volume("kept", **kept), volume("free")], claim("c", selector=ZONE_A)) == "kept"


@pytest.mark.parametrize(
    "kept",
    [{"size": "1Mi"}, {"modes": (RWX,)}, {"volumeMode": "Block"}, {"csi": CSI, "volumeAttributesClassName": "gold"}],
)
def test_a_reservation_does_not_waive_what_the_volume_must_be(kept: dict[str, Any]) -> None:
    reserved = volume("kept", claimRef={"namespace": "default", "name": "c"}, **kept)
    assert taken([reserved], claim("c")) == ""


def test_a_reserved_volume_loses_to_one_with_fewer_modes_and_wins_in_its_own_group() -> None:
    own = {"namespace": "default", "name": "c"}
    wide, free = volume("wide", modes=(RWO, RWX), claimRef=own), volume("free")
    assert taken([wide, free], claim("c")) == "free"
    assert taken([volume("large", "9Gi", claimRef=own), free], claim("c")) == "large"


def test_a_claim_waits_for_its_class_but_not_for_a_reserved_volume() -> None:
    late = storage_class("late", "kubernetes.io/no-provisioner", late=True)
    assert taken([volume("free", cls="late")], claim("c", cls="late"), late) == ""
    own = volume("kept", cls="late", claimRef={"namespace": "default", "name": "c"})
    assert taken([own], claim("c", cls="late"), late) == "kept"


def test_of_two_volumes_reserved_for_a_claim_one_is_taken_and_the_other_stays_reserved() -> None:
    own = {"namespace": "default", "name": "c"}
    here = world().given(volume("a", claimRef=own), volume("b", claimRef=own)).given(claim("c"))
    (winner,) = here.bound().values()
    loser = {"a": "b", "b": "a"}[winner]
    assert here.reserved(loser) == own
    assert here.phase(loser) == "Available"


def test_one_volume_goes_to_one_of_many_claims() -> None:
    here = world().given(volume("v")).given(*[claim(f"c{number}") for number in range(4)])
    assert list(here.bound().values()) == ["v"]
