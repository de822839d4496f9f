"""Tables: an index says what a walk over all objects would say."""

from collections.abc import Iterable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pvkit.backends.objects import Key, Obj
from pvkit.backends.tables import Index, Table

CLASSES = ["fast", "slow"]


def _places(obj: Obj) -> Iterable[tuple[Any, Any]]:
    return [(label, obj["size"]) for label in obj["classes"]]


BY_CLASS = Index("by class", "Thing", _places)
SECOND = Index("by parity", "Thing", lambda obj: [(obj["size"] % 2, obj["size"])])

things = st.builds(
    lambda size, classes: {"size": size, "classes": classes},
    st.integers(0, 5),
    st.lists(st.sampled_from(CLASSES), unique=True, max_size=2),
)
changes = st.lists(st.tuples(st.sampled_from("abcde"), st.one_of(st.none(), things)), max_size=30)


def at(name: str) -> Key:
    return Key("Thing", "", name)


def scan(table: Table, bucket: str, least: int | None) -> list[tuple[int, Key]]:
    """What the index should say, by looking at every object."""
    found = [
        (obj["size"], key)
        for key, obj in table.objects.items()
        if bucket in obj["classes"] and (least is None or obj["size"] >= least)
    ]
    return sorted(found)


@given(changes, st.integers(0, 30), st.sampled_from(CLASSES), st.one_of(st.none(), st.integers(0, 6)))
def test_an_index_agrees_with_a_walk_whenever_it_is_first_asked(
    steps: list[tuple[str, Obj | None]], first: int, bucket: str, least: int | None
) -> None:
    table = Table()
    for number, (name, thing) in enumerate(steps):
        if number == first:
            list(table.find(BY_CLASS, bucket))
        table.change(at(name), thing)
    assert [size for size, _ in scan(table, bucket, least)] == [o["size"] for o in table.find(BY_CLASS, bucket, least)]
    assert scan(table, bucket, None) == table.bucket(BY_CLASS, bucket)


@given(changes)
def test_only_buckets_that_hold_something_are_told(steps: list[tuple[str, Obj | None]]) -> None:
    table = Table()
    list(table.buckets(BY_CLASS))
    for name, thing in steps:
        table.change(at(name), thing)
    assert {label for obj in table.objects.values() for label in obj["classes"]} == set(table.buckets(BY_CLASS))


@given(changes)
def test_two_indexes_over_one_table_do_not_disturb_each_other(steps: list[tuple[str, Obj | None]]) -> None:
    table = Table()
    for name, thing in steps:
        table.change(at(name), thing)
        list(table.find(BY_CLASS, "fast"))
        evens = [obj["size"] for obj in table.find(SECOND, 0)]
        assert sorted(obj["size"] for obj in table.objects.values() if obj["size"] % 2 == 0) == evens


def test_a_change_returns_what_stood_there() -> None:
    table = Table()
    one, two = {"size": 1, "classes": []}, {"size": 2, "classes": []}
    assert [None, one, two, None] == [table.change(at("a"), thing) for thing in (one, two, None, None)]


def test_a_table_keeps_its_own_map() -> None:
    mine: dict[Key, Obj] = {at("a"): {"size": 1, "classes": ["fast"]}}
    table = Table(mine)
    table.change(at("a"), None)
    assert at("a") in mine
    assert list(table.find(BY_CLASS, "fast")) == []
