"""Watches: what a plan gets to see of its own objects, once each and in the order of writes, or with its gaps."""

from collections.abc import Iterator
from time import monotonic

import pytest

from pvkit.backends.live.fencing import fence, overtaken
from pvkit.backends.live.watching import Tape, Watches
from pvkit.backends.objects import Key, Obj, name, put, version
from tests.backends.live.fake_cluster import PATIENCE, FakeCluster, claim, volume

KINDS = ("PersistentVolumeClaim", "PersistentVolume", "VolumeAttributesClass")
BOTH = [("PersistentVolumeClaim", "mine"), ("PersistentVolume", "")]


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster("VolumeAttributesClass")


@pytest.fixture
def watches(cluster: FakeCluster) -> Iterator[Watches]:
    made = Watches(cluster.connect, KINDS)
    yield made
    made.close()


def taped(watches: Watches) -> Tape:
    """A tape of everything in namespace `mine`, and of all volumes."""
    tape = Tape(lambda obj: obj["metadata"].get("namespace", "mine") == "mine")
    watches.record(tape)
    return tape


def fenced(cluster: FakeCluster, tape: Tape) -> list[tuple[str, str, int]]:
    """What a tape tells up to a fence that is put now."""
    found = fence(cluster.connect(), tape, BOTH, monotonic() + PATIENCE)
    assert found
    return [(frame.type, name(frame.object), frame.version) for frame in tape.read(found)]


def shown(tape: Tape, obj: Obj) -> bool:
    """Whether a version of an object was seen, after some patience."""
    at = Key(obj["kind"], obj["metadata"].get("namespace", ""), name(obj))
    return tape.wait(lambda: at in tape.last and tape.last[at].version >= version(obj), PATIENCE)


def test_frames_of_all_kinds_are_told_once_in_the_order_of_writes(cluster: FakeCluster, watches: Watches) -> None:
    tape = taped(watches)
    made = [cluster.write(claim("a")), cluster.write(volume("v")), cluster.write(claim("b"))]
    gone = cluster.remove(made[0])
    versions = [version(obj) for obj in (*made, gone)]
    assert fenced(cluster, tape) == [
        ("ADDED", "a", versions[0]),
        ("ADDED", "v", versions[1]),
        ("ADDED", "b", versions[2]),
        ("DELETED", "a", versions[3]),
    ]
    assert fenced(cluster, tape) == []


def test_a_fence_waits_for_a_stream_that_lags(cluster: FakeCluster, watches: Watches) -> None:
    tape = taped(watches)
    cluster.hold("PersistentVolumeClaim")
    early, late = cluster.write(claim("early")), cluster.write(volume("late"))
    assert shown(tape, late)
    assert fence(cluster.connect(), tape, BOTH, limit=0.0) == 0
    cluster.release("PersistentVolumeClaim")
    assert [told[2] for told in fenced(cluster, tape)] == [version(early), version(late)]


def test_a_fence_waits_for_a_removal_that_lags(cluster: FakeCluster, watches: Watches) -> None:
    tape = taped(watches)
    made = cluster.write(claim("a"))
    assert len(fenced(cluster, tape)) == 1
    cluster.hold("PersistentVolumeClaim")
    cluster.remove(made)
    assert fence(cluster.connect(), tape, BOTH, limit=0.0) == 0
    cluster.release("PersistentVolumeClaim")
    assert [told[0] for told in fenced(cluster, tape)] == ["DELETED"]


def test_what_is_above_the_fence_is_held_back(cluster: FakeCluster, watches: Watches) -> None:
    tape = taped(watches)
    first, second = cluster.write(claim("first")), cluster.write(claim("second"))
    assert shown(tape, second)
    assert [frame.version for frame in tape.read(version(first))] == [version(first)]
    assert [frame.version for frame in tape.read(version(second))] == [version(second)]


def test_a_frame_that_comes_too_late_is_a_gap(cluster: FakeCluster, watches: Watches) -> None:
    tape = taped(watches)
    cluster.hold("PersistentVolumeClaim")
    late, newer = cluster.write(claim("late")), cluster.write(volume("newer"))
    assert shown(tape, newer)
    tape.read(version(newer))
    cluster.release("PersistentVolumeClaim")
    assert shown(tape, late)
    assert tape.gaps == [f"PersistentVolumeClaim mine/late at version {version(late)} came after version "
                         f"{version(newer)} was told"]  # fmt: skip


def test_a_broken_connection_loses_nothing_and_doubles_nothing(cluster: FakeCluster, watches: Watches) -> None:
    tape = taped(watches)
    made = cluster.write(claim("a"))
    assert shown(tape, made)
    cluster.cut()
    changed = cluster.write(put(made, ("metadata", "labels"), {"touched": "yes"}))
    gone = cluster.remove(changed)
    told = fenced(cluster, tape)
    assert [entry[2] for entry in told] == [version(made), version(changed), version(gone)]
    assert tape.gaps == []


def test_after_lost_events_the_present_state_is_told_and_the_gap_is_known(
    cluster: FakeCluster, watches: Watches
) -> None:
    tape = taped(watches)
    stays, goes, again = (cluster.write(claim(called)) for called in ("stays", "goes", "again"))
    assert shown(tape, again)
    for kind in BOTH:
        cluster.hold(kind)
    cluster.write(put(stays, ("metadata", "labels"), {"touched": "yes"}))
    cluster.remove(goes)
    cluster.remove(again)
    cluster.write(claim("again", uid="another"))
    cluster.write(claim("new"))
    cluster.compact()
    for kind in BOTH:
        cluster.release(kind)
    told = fenced(cluster, tape)[3:]
    assert sorted((how, called) for how, called, _ in told) == [
        ("ADDED", "again"),
        ("ADDED", "new"),
        ("DELETED", "again"),
        ("DELETED", "goes"),
        ("MODIFIED", "stays"),
    ]
    assert [told.index(entry) for entry in told if entry[1] == "again"] == sorted(
        told.index(entry) for entry in told if entry[1] == "again"
    )
    assert any("events of PersistentVolumeClaim between versions" in gap for gap in tape.gaps)


def test_plans_hear_only_of_their_own(cluster: FakeCluster, watches: Watches) -> None:
    mine, other = taped(watches), Tape(lambda obj: obj["metadata"].get("namespace") == "other")
    watches.record(other)
    cluster.write(claim("a", namespace="other"))
    last = cluster.write(volume("v"))
    assert shown(mine, last)
    assert [name(obj) for obj in mine.objects()] == ["v"]
    assert shown(other, claim("a", namespace="other", resourceVersion="101"))


def test_a_dropped_tape_hears_no_more(cluster: FakeCluster, watches: Watches) -> None:
    dropped, other = taped(watches), taped(watches)
    watches.drop(dropped)
    assert shown(other, cluster.write(claim("a")))
    assert dropped.objects() == []


def test_a_kind_that_the_server_does_not_know_is_absent(watches: Watches) -> None:
    assert watches.absent == ["VolumeAttributesClass"]


def test_what_others_do_tells_that_nothing_is_on_its_way(cluster: FakeCluster, watches: Watches) -> None:
    tape = taped(watches)
    present = version(cluster.write(volume("v")))
    other = cluster.write(put(claim("b"), ("metadata", "namespace"), "other"))
    kinds = {"PersistentVolumeClaim"}
    assert overtaken(watches, tape, kinds, version(other), monotonic() + PATIENCE) == kinds
    assert overtaken(watches, tape, {*kinds, "PersistentVolume"}, version(other), limit=0.0) == kinds
    assert overtaken(watches, tape, {*kinds, "PersistentVolume"}, present, monotonic() + PATIENCE) > kinds


def test_a_tape_that_follows_another_begins_with_what_it_saw(cluster: FakeCluster, watches: Watches) -> None:
    before = taped(watches)
    kept, left = cluster.write(volume("kept")), cluster.write(claim("left"))
    assert shown(before, left)
    assert shown(before, kept)
    after = Tape(before.is_mine)
    watches.record(after, before, ("PersistentVolume",))
    late = cluster.write(volume("late"))
    assert shown(after, late)
    assert [(at.name, last.version) for at, last in after.last.items()] == [
        ("kept", version(kept)),
        ("late", version(late)),
    ]
    assert "late" not in {at.name for at in before.last}
