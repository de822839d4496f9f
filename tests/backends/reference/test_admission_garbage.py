"""Whatever a client sends, the API server answers or refuses; it never breaks."""

import copy
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pvkit.backends.errors import ApiError
from pvkit.backends.objects import Obj, key
from pvkit.conformance.api_answers import Asked, book

KINDS = sorted(book()["bases"])
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 300), st.sampled_from(["", "x", "Bad_", "1Gi", "-1", "a/b", "1.5"])
)
garbage = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.sampled_from(["a", "name", "storage", ""]), inner, max_size=2)
    ),
    max_leaves=4,
)


def places(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a tree, inner ones too."""
    inside = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [path] + [place for step, value in inside for place in places(value, (*path, step))]


def spoiled(tree: Any, path: tuple[Any, ...], value: Any) -> Any:
    """A copy of the tree with garbage at one place."""
    if not path:
        return value
    made = copy.copy(tree)
    made[path[0]] = spoiled(made[path[0]], path[1:], value)
    return made


@st.composite
def bodies(draw: st.DrawFn, whole: Any) -> Obj:
    """A good object, spoiled at one or two places below its kind and metadata."""
    body = copy.deepcopy(whole)
    for _ in range(draw(st.integers(1, 2))):
        inner = [place for place in places(body) if place and place not in (("kind",), ("metadata", "name"))]
        body = spoiled(body, draw(st.sampled_from(inner)), draw(garbage)) if inner else body
    return {**body, "kind": whole["kind"]}


def answered(ask: Any) -> bool:
    """Whether a request was carried out; a refusal is fine, anything else breaks the test."""
    try:
        ask()
    except ApiError:
        return False
    return True


@given(st.data())
@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
def test_garbage_is_stored_or_refused(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(KINDS))
    store = Asked({}).store
    base = {"kind": kind, **copy.deepcopy(book()["bases"][kind])}
    new = data.draw(bodies(base))
    created = answered(lambda: store.create(new))
    if not created:
        assert answered(lambda: store.create(base))
    stored = store.list(kind)[-1]
    at = key(stored)
    changed, patch = data.draw(bodies(stored)), data.draw(garbage)
    sub = data.draw(st.sampled_from(["", "status"]))
    answered(lambda: store.update(changed, sub))
    answered(lambda: store.patch(at, patch if isinstance(patch, dict | list) else {"spec": patch}, sub))
    answered(lambda: store.patch(at, {field: data.draw(garbage) for field in ("metadata", "spec", "status")}, sub))
    answered(lambda: store.delete(at))


steps = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test", "?"])},
    optional={
        "path": st.sampled_from(["", "/", "/spec", "/metadata", "/spec/accessModes/0", "/spec/accessModes/-", "/x/y"]),
        "from": st.sampled_from(["", "/spec", "/spec/accessModes/0", "/x"]),
        "value": garbage,
    },
)


@given(st.lists(st.one_of(steps, garbage), max_size=3))
@settings(deadline=None)
def test_a_json_patch_of_any_shape_is_carried_out_or_refused(patch: list[Any]) -> None:
    store = Asked({}).store
    at = key(store.create({"kind": "PersistentVolume", **copy.deepcopy(book()["bases"]["PersistentVolume"])}))
    before = store.get(at)
    if not answered(lambda: store.patch(at, patch)):
        assert before is store.get(at)
