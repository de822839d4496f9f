"""Objects as trees: changed copies, selectors, keys."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvkit.backends.objects import (
    Key,
    Obj,
    annotate,
    controller_of,
    get,
    key,
    owner_reference,
    put,
    reference,
    selects,
    walk,
    without,
)

words = st.sampled_from(["a", "b", "c"])
leaves = st.one_of(st.none(), st.integers(0, 3), words, st.lists(words, max_size=2))
trees = st.recursive(leaves, lambda inner: st.dictionaries(words, inner, max_size=3), max_leaves=12)
objects = st.dictionaries(words, trees, max_size=3)
paths = st.lists(words, min_size=1, max_size=4).map(tuple)


def reachable(tree: Any, path: tuple[str, ...]) -> bool:
    """Whether a value can be put at a path without a step into something that is no map."""
    for step in path[:-1]:
        tree = tree.get(step) or {}
        if not isinstance(tree, dict):
            return False
    return True


@given(objects, paths, leaves)
def test_put_gives_a_copy_and_leaves_the_original_alone(tree: Obj, path: tuple[str, ...], value: Any) -> None:
    if not reachable(tree, path):
        return
    before = copy.deepcopy(tree)
    changed = put(tree, path, value)
    assert before == tree
    assert value == get(changed, *path)


@given(objects, paths, leaves)
def test_put_shares_what_the_path_does_not_touch(tree: Obj, path: tuple[str, ...], value: Any) -> None:
    if not reachable(tree, path):
        return
    changed = put(tree, path, value)
    assert all(changed[field] is tree[field] for field in tree if field != path[0])


@given(objects, paths)
def test_without_takes_one_thing_away_and_leaves_the_original_alone(tree: Obj, path: tuple[str, ...]) -> None:
    before = copy.deepcopy(tree)
    changed = without(tree, path)
    assert before == tree
    assert get(changed, *path) is None
    parent = get(tree, *path[:-1])
    if not isinstance(parent, dict) or path[-1] not in parent:
        assert changed is tree


@given(objects)
def test_walk_finds_every_leaf_where_get_finds_it(tree: Obj) -> None:
    leaves_seen = dict(walk(tree))
    within_maps = {path: leaf for path, leaf in leaves_seen.items() if not any(step.isdigit() for step in path)}
    assert {path: get(tree, *path) for path in within_maps if path} == {p: v for p, v in within_maps.items() if p}


marks = st.dictionaries(words, st.sampled_from(["x", "y", "3", "10"]), max_size=3)
terms = st.builds(
    lambda label, operator, values: {"key": label, "operator": operator, "values": values},
    words,
    st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]),
    st.lists(st.sampled_from(["x", "y", "3", "10"]), min_size=1, max_size=2),
)
selectors = st.fixed_dictionaries({}, optional={"matchLabels": marks, "matchExpressions": st.lists(terms, max_size=3)})


def meets(term: Obj, labels: dict[str, str]) -> bool:
    """The meaning of one expression, written out."""
    here, value = term["key"] in labels, labels.get(term["key"], "")
    number, bound = (int(text) if text.isdigit() else None for text in (value, term["values"][0]))
    both = number is not None and bound is not None
    return {
        "In": here and value in term["values"],
        "NotIn": not here or value not in term["values"],
        "Exists": here,
        "DoesNotExist": not here,
        "Gt": both and (number or 0) > (bound or 0),
        "Lt": both and (number or 0) < (bound or 0),
    }[str(term["operator"])]


@given(selectors, marks)
def test_a_selector_selects_what_meets_each_of_its_terms(selector: Obj, labels: dict[str, str]) -> None:
    wanted = selector.get("matchLabels", {}).items() <= labels.items()
    expected = wanted and all(meets(term, labels) for term in selector.get("matchExpressions", []))
    assert expected == selects(selector, labels)


@pytest.mark.parametrize("empty", [None, {}, {"matchLabels": {}}, {"matchExpressions": []}])
def test_an_empty_selector_selects_everything(empty: Obj | None) -> None:
    assert selects(empty, {})
    assert selects(empty, {"a": "b"})


CLAIM: Obj = {
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "c", "namespace": "n", "uid": "u", "resourceVersion": "7"},
}


def test_a_key_names_kind_namespace_and_name() -> None:
    assert Key("PersistentVolumeClaim", "n", "c") == key(CLAIM)
    assert Key("PersistentVolume", "", "v") == key({"kind": "PersistentVolume", "metadata": {"name": "v"}})


def test_keys_read_as_people_write_them() -> None:
    assert [str(Key("Pod", "n", "p")), str(Key("Node", "", "n1"))] == ["Pod n/p", "Node n1"]


def test_a_reference_names_one_version_of_one_object() -> None:
    assert reference(CLAIM) == {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "namespace": "n",
        "name": "c",
        "uid": "u",
        "resourceVersion": "7",
    }


def test_an_owner_reference_makes_a_controller() -> None:
    owned = put(CLAIM, ("metadata", "ownerReferences"), [{"name": "x"}, owner_reference(CLAIM)])
    assert owner_reference(CLAIM) == controller_of(owned)


def test_annotations_are_added_to_those_that_are_there() -> None:
    twice = annotate(annotate(CLAIM, a="1"), **{"x/y": "2"})
    assert twice["metadata"]["annotations"] == {"a": "1", "x/y": "2"}
    assert "annotations" not in CLAIM["metadata"]
