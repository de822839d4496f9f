"""Explanations: the first thing against each volume, and the winner that the model itself takes."""

from hypothesis import given, settings
from hypothesis import strategies as st

from pvkit.backends.objects import Obj, name
from pvkit.backends.protocol import Budget, Departure, Operation, Setup
from pvkit.backends.reference.explain import explain
from pvkit.backends.reference.model import ReferenceModel
from pvkit.backends.storage import volume_name

RWO, RWX, ROX = "ReadWriteOnce", "ReadWriteMany", "ReadOnlyMany"


def volume(called: str, size: str = "1Gi", modes: tuple[str, ...] = (RWO,), **spec: object) -> Obj:
    base = {"capacity": {"storage": size}, "accessModes": list(modes), "storageClassName": "shelf"}
    source = {"nfs": {"server": "192.0.2.1", "path": "/export"}}
    return {"kind": "PersistentVolume", "metadata": {"name": called}, "spec": {**base, **source, **spec}}


def claim(size: str = "1Gi", modes: tuple[str, ...] = (RWO,), **spec: object) -> Obj:
    base = {"resources": {"requests": {"storage": size}}, "accessModes": list(modes), "storageClassName": "shelf"}
    metadata = {"name": "claim", "namespace": "default"}
    return {"kind": "PersistentVolumeClaim", "metadata": metadata, "spec": {**base, **spec}}


def first_refusal(found: Obj, wanted: Obj) -> str:
    return explain(wanted, [found]).candidates[0].refused.split(":")[0]


def test_each_predicate_is_named_when_it_is_the_first_to_refuse() -> None:
    assert first_refusal(volume("v", modes=(ROX,)), claim()) == "access modes"
    assert first_refusal(volume("v", size="1023Mi"), claim()) == "size"
    assert first_refusal(volume("v", volumeMode="Block"), claim()) == "volumeMode"
    assert first_refusal(volume("v", storageClassName="other"), claim()) == "class"
    assert first_refusal(volume("v"), claim(selector={"matchLabels": {"a": "b"}})) == "selector"
    other = {"namespace": "default", "name": "another"}
    assert first_refusal(volume("v", claimRef=other), claim()) == "reserved for another claim"
    assert first_refusal(volume("v"), claim()) == ""


def test_fewer_modes_win_over_size_and_equals_are_told() -> None:
    found = explain(claim(), [volume("wide", "1Gi", (RWO, RWX)), volume("big", "9Gi"), volume("also", "9Gi")])
    assert found.winners == ("also", "big")
    assert "no winner" in found.why


def test_a_claim_that_names_its_volume_gets_that_one_or_none() -> None:
    found = explain(claim(volumeName="small"), [volume("small", "1Mi"), volume("fits")])
    assert found.winners == ()
    assert "too small" in found.why


SIZES = st.sampled_from(["1Gi", "1024Mi", "1G", "2Gi", "500Mi"])
MODES = st.sampled_from([(RWO,), (RWX,), (RWO, RWX), (RWO, ROX), (RWO, ROX, RWX)])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(SIZES, MODES), max_size=4), SIZES, MODES)
def test_the_model_takes_one_of_the_winners(
    drawn: list[tuple[str, tuple[str, ...]]], size: str, modes: tuple[str, ...]
) -> None:
    volumes = [volume(f"v{number}", *entry) for number, entry in enumerate(drawn)]
    model = ReferenceModel()
    model.reset(Setup())
    for entry in volumes:
        model.invoke(Operation("create", entry))
    model.settle(Budget())
    model.invoke(Operation("create", claim(size, modes)))
    model.settle(Budget())
    (stored,) = model.engine.store.list("PersistentVolumeClaim")
    winners = explain(claim(size, modes), volumes).winners
    assert volume_name(stored) in (winners or ("",))
    assert name(stored) == "claim"


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(SIZES, MODES, st.booleans()), min_size=1, max_size=3), SIZES, MODES)
def test_the_winners_are_all_that_any_schedule_takes(
    drawn: list[tuple[str, tuple[str, ...], bool]], size: str, modes: tuple[str, ...]
) -> None:
    own = {"namespace": "default", "name": "claim"}
    volumes = [
        volume(f"v{number}", size, modes, **({"claimRef": own} if kept else {}))
        for number, (size, modes, kept) in enumerate(drawn)
    ]
    takes = [(first, second, third) for first in range(3) for second in range(3) for third in range(3)]
    taken = {_taken(volumes, claim(size, modes), ties) for ties in takes}
    assert taken - {""} == set(explain(claim(size, modes), volumes).winners)


def _taken(volumes: list[Obj], wanted: Obj, ties: tuple[int, ...]) -> str:
    model = ReferenceModel()
    model.reset(Setup(), tuple(Departure("tie", at, take) for at, take in enumerate(ties)))
    for entry in volumes:
        model.invoke(Operation("create", entry))
    model.settle(Budget())
    model.invoke(Operation("create", wanted))
    model.settle(Budget())
    (stored,) = model.engine.store.list("PersistentVolumeClaim")
    return volume_name(stored)


def test_of_two_sets_of_as_many_modes_either_may_win_whatever_the_size() -> None:
    found = explain(claim(), [volume("large", "9Gi", (RWO, ROX)), volume("small", "1Gi", (RWO, RWX))])
    assert found.winners == ("large", "small")


def test_other_reasons_are_told_by_their_words() -> None:
    gone = volume("v")
    gone["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert first_refusal(gone, claim()) == "terminating"
    assert first_refusal(volume("v", volumeAttributesClassName="gold"), claim()) == "attributes class"
    assert first_refusal({**volume("v"), "status": {"phase": "Released"}}, claim()) == "phase"
    kept = volume("v", storageClassName="other", claimRef={"namespace": "default", "name": "claim"})
    assert first_refusal(kept, claim()) == ""


def test_a_class_that_waits_takes_only_what_is_reserved() -> None:
    late = {"kind": "StorageClass", "metadata": {"name": "shelf"}, "volumeBindingMode": "WaitForFirstConsumer"}
    kept = volume("kept", claimRef={"namespace": "default", "name": "claim"})
    assert explain(claim(), [volume("free")], [late]).winners == ()
    assert explain(claim(), [volume("free"), kept], [late]).winners == ("kept",)
