"""Whatever is disturbed, in the end claims and volumes are pairs by UID, and storage belongs to somebody."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pvkit.backends.objects import Obj, deleting, name, phase, uid
from pvkit.backends.protocol import Departure, Setup
from pvkit.backends.reference.model import CONTROLLERS
from pvkit.backends.storage import (
    STORAGE_PROVISIONER,
    access_modes,
    capacity,
    claim_ref_uid,
    requested,
    storage_class,
    volume_name,
)
from tests.backends.reference import builders
from tests.backends.reference.builders import World, claim, node, volume

CLAIM, VOLUME = "PersistentVolumeClaim", "PersistentVolume"
OURS = ("binder", "provisioner", "pvc-protection", "pv-protection")
WATCHED = {entry.name: sorted(entry.watches) for entry in CONTROLLERS if entry.name in OURS}
VOLUMES, CLAIMS = ["v1", "v2", "v3"], ["c1", "c2", "c3"]
SIZES, CLASSES = st.sampled_from(["1Gi", "2Gi"]), st.sampled_from(["", "made"])
ASKED = {STORAGE_PROVISIONER: builders.PROVISIONER}


@st.composite
def disturbances(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A fault word with options that make sense for the controller they name."""
    words = ["hold", "second-leader", "refuse", "delay", "crash", "lose-answer", "freeze", "storage", "release"]
    word = draw(st.sampled_from(words))
    if word == "storage":
        return word, {"refuse": draw(st.integers(0, 3)), "slow": draw(st.sampled_from([0, 20]))}
    options: dict[str, Any] = {"controller": draw(st.sampled_from(OURS))}
    if word in ("hold", "release"):
        options["kind"] = draw(st.sampled_from(WATCHED[options["controller"]]))
    if word == "release":
        options["how"] = draw(st.sampled_from(["all", "some", "merged"]))
    if word == "crash":
        options["after"] = draw(st.integers(0, 4))
    if word in ("refuse", "lose-answer", "delay"):
        options["nth"] = draw(st.integers(1, 4))
    if word == "refuse":
        options["answer"] = draw(st.sampled_from(["conflict", "server-error", "timeout"]))
    return word, options


STEPS = st.one_of(
    st.tuples(st.just("volume"), st.sampled_from(VOLUMES), SIZES),
    st.tuples(st.just("claim"), st.sampled_from(CLAIMS), SIZES, CLASSES),
    st.tuples(st.just("asking"), st.sampled_from(CLAIMS), SIZES),
    st.tuples(st.just("delete"), st.sampled_from(CLAIMS)),
    st.tuples(st.just("run"), st.integers(1, 25)),
    st.tuples(st.just("wait"), st.sampled_from([1, 20])),
    disturbances(),
    disturbances(),
)
DEPARTURES = st.builds(Departure, st.just("tie"), st.integers(0, 8), st.integers(0, 2)) | st.builds(
    Departure, st.just("turn"), st.integers(0, 60), st.sampled_from(["binder/PersistentVolumeClaim", "provisioner"])
)


def take(here: World, step: tuple[Any, ...]) -> None:
    """One step; what the API server refuses is refused."""
    word, *rest = step
    if word == "volume":
        here.ask("create", volume(*rest))
    elif word == "claim":
        called, size, cls = rest
        here.ask("create", claim(called, size, cls=cls))
    elif word == "asking":
        here.ask("create", claim(*rest, cls="made", annotations=ASKED))
    elif word == "delete":
        here.ask("delete", target=here.key(CLAIM, rest[0]))
    elif word == "run":
        here.model.run(rest[0])
    elif word == "wait":
        here.wait(rest[0])
    else:
        here.fault(word, **rest[0])


def come_to_rest(here: World) -> None:
    """End all disturbances, and let everything be looked at once more."""
    here.fault("heal")
    here.settle()
    here.given(builders.storage_class("later", "example.com/else"))
    here.wait(40)
    here.settle()


def assert_pairs(volumes: list[Obj], claims: list[Obj]) -> None:
    """Bound claims and Bound volumes are each other's, by name and UID, and each has one partner."""
    by_claim = {uid(entry): volume_name(entry) for entry in claims if phase(entry) == "Bound"}
    by_volume = {claim_ref_uid(entry): name(entry) for entry in volumes if phase(entry) == "Bound"}
    assert by_claim == by_volume
    assert len(set(by_claim.values())) == len(by_claim)
    assert len(by_volume) == sum(phase(entry) == "Bound" for entry in volumes)


def fits(found: Obj, wanted: Obj) -> bool:
    """Whether a volume could be given to a claim that waits."""
    free = phase(found) == "Available" and not deleting(found)
    alike = storage_class(found) == storage_class(wanted) and access_modes(found) >= access_modes(wanted)
    return free and alike and capacity(found) >= requested(wanted)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    stock=st.lists(SIZES, min_size=1, max_size=3),
    steps=st.lists(STEPS, max_size=14),
    schedule=st.lists(DEPARTURES, max_size=4),
    version=st.sampled_from(["1.32", "1.35", "1.36", "1.37"]),
)
def test_in_the_end_there_are_pairs_and_nothing_is_left_over(
    stock: list[str], steps: list[tuple[str, Any]], schedule: list[Departure], version: str
) -> None:
    here = World(Setup(version, (node(),)), tuple(schedule))
    here.given(builders.storage_class("made"), *map(volume, VOLUMES, stock))
    for step in steps:
        take(here, step)
    come_to_rest(here)
    volumes, claims = here.store.list(VOLUME), here.store.list(CLAIM)
    assert_pairs(volumes, claims)
    assert {phase(entry) for entry in claims} <= {"Pending", "Bound"}
    assert {phase(entry) for entry in volumes} <= {"Available", "Bound", "Released"}
    waiting = [entry for entry in claims if phase(entry) == "Pending"]
    assert [entry for entry in waiting if storage_class(entry) == "made"] == []
    assert [(name(found), name(entry)) for entry in waiting for found in volumes if fits(found, entry)] == []
    alive = {uid(entry) for entry in claims}
    assert {spec["claim"] for spec in here.assets().values()} <= alive
    assert {claim_ref_uid(entry) for entry in volumes if phase(entry) == "Bound"} <= alive
