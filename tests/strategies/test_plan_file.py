"""Plan files: what is written is read again, and what cannot be read says where and why."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pvkit.backends.errors import PlanError
from pvkit.backends.objects import Key, Obj
from pvkit.backends.protocol import Departure, Fault, Operation, Setup
from pvkit.backends.reference.faults import FAULTS
from pvkit.backends.reference.model import ReferenceModel
from pvkit.conformance.execute import execute, matches
from pvkit.conformance.history import Asked, Expected
from pvkit.strategies.faults import FAULT_WORDS, WORDS
from pvkit.strategies.plan import Expect, Plan, Settle, Turns
from pvkit.strategies.plan_file import read_manifests, read_plans, write_plan
from pvkit.strategies.plans import plans

SHIPPED = Path(__file__).parents[2] / "conformance" / "plans"
HEAD = "apiVersion: pvkit/v1\nkind: Plan\nmetadata: {name: p}\n"
VOLUME = "{kind: PersistentVolume, metadata: {name: v}, spec: {capacity: {storage: 1Gi}}}"


def written(tmp_path: Path, text: str, name: str = "plan.yaml") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def steps(tmp_path: Path, text: str) -> tuple[object, ...]:
    (plan,) = read_plans(written(tmp_path, f"{HEAD}steps:\n{text}"))
    return plan.steps


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(plan=plans())
def test_a_drawn_plan_is_read_as_it_was_written(tmp_path: Path, plan: Plan) -> None:
    assert read_plans(written(tmp_path, write_plan(plan))) == [plan]


WORD = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)
TREE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.floats(allow_nan=False, allow_infinity=False)
    | WORD,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORD, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=WORD, tree=st.dictionaries(WORD.map(lambda text: f"x-{text}"), TREE, max_size=4))
def test_any_words_of_an_object_survive(tmp_path: Path, name: str, tree: Obj) -> None:
    made = {"kind": "Pod", "metadata": {"name": name}, "spec": tree}
    plan = Plan((Operation("create", made), Operation("patch", target=Key("Pod", "a", name), patch=tree)), name=name)
    assert read_plans(written(tmp_path, write_plan(plan))) == [plan]


@pytest.mark.parametrize("word", ["yes", "1e3", "0x10", "1:30", "2026-01-01", "~", "null", "0.5", "012", "<<", "="])
def test_texts_that_look_like_something_else_stay_texts(tmp_path: Path, word: str) -> None:
    plan = Plan((Operation("create", {"kind": "Pod", "metadata": {"name": "p", "labels": {word: word}}}),))
    assert read_plans(written(tmp_path, write_plan(plan))) == [plan]


def test_every_kind_of_step_and_of_setting_survives(tmp_path: Path) -> None:
    at = Key("StatefulSet", "default", "web")
    plan = Plan(
        steps=(
            Operation("create", {"kind": "Pod", "metadata": {"name": "p"}}, options={"at-once": True}),
            Operation("update", {"kind": "Pod", "metadata": {"name": "p"}}, options={"subresource": "status"}),
            Operation("patch", target=at, patch=[{"op": "remove", "path": "/spec"}], options={"subresource": "scale"}),
            Operation("delete", target=at, options={"propagation": "Orphan", "grace": 0, "uid": "u", "version": "3"}),
            Operation("scale", target=at, options={"replicas": 2}),
            Operation("get", target=Key("PersistentVolume", "", "v")),
            Operation("list", target=Key("Pod", "other", ""), options={"selector": {"matchLabels": {"a": "b"}}}),
            Fault("crash", {"controller": "binder", "after": 2, "lists": {"PersistentVolume": "stale:2"}}),
            Fault("heal"),
            Turns(3),
            Settle(),
            Expect(({"kind": "Pod", "metadata": {"name": "p"}, "absent": True},)),
        ),
        setup=Setup(
            "1.33", ({"metadata": {"name": "n1"}},), ("other",), {"MutablePVNodeAffinity": True}, {"resync": False}
        ),
        schedule=(Departure("tie", 0, 1), Departure("turn", 7, "binder/PersistentVolume")),
        name="all",
        expect=({"kind": "PersistentVolume", "metadata": {"name": "v"}, "status": {"phase": "Bound"}},),
        features=("sets", "views"),
    )
    assert read_plans(written(tmp_path, write_plan(plan))) == [plan]


def test_a_failure_on_top_is_for_people(tmp_path: Path) -> None:
    plan = Plan((Settle(),), name="p")
    text = write_plan(plan, {"invariant": "PVB-001", "message": "two claims"})
    assert "PVB-001" in text
    assert read_plans(written(tmp_path, text)) == [plan]


def test_a_file_may_hold_several_plans_and_empty_documents(tmp_path: Path) -> None:
    text = f"---\n---\n{HEAD}steps: [settle]\n---\n{HEAD}steps: []\n"
    assert [len(plan.steps) for plan in read_plans(written(tmp_path, text))] == [1, 0]


def test_a_step_may_be_a_word_and_a_manifest_may_be_in_a_file(tmp_path: Path) -> None:
    written(tmp_path, f"{VOLUME}\n---\nkind: List\nitems: [{VOLUME}]\n", "volumes.yaml")
    found = steps(tmp_path, "- create: {file: volumes.yaml}\n- settle\n- heal\n- turns: {count: 2}\n")
    assert [type(step) for step in found] == [Operation, Operation, Settle, Fault, Turns]


def test_short_expectations_are_partial_objects(tmp_path: Path) -> None:
    found = steps(tmp_path, "- expect: {kind: Pod, namespace: a, name: p, phase: Running, status: {podIP: null}}\n")
    wanted = {"kind": "Pod", "metadata": {"name": "p", "namespace": "a"}, "status": {"podIP": None, "phase": "Running"}}
    assert found == (Expect((wanted,)),)


def test_anchors_and_merges_are_followed(tmp_path: Path) -> None:
    first = "- create: {kind: Pod, metadata: &m {name: p, labels: {a: b}}}\n"
    _, second = steps(tmp_path, f"{first}- create: {{kind: Pod, metadata: {{<<: *m, name: q}}}}\n")
    assert isinstance(second, Operation)
    assert second.object == {"kind": "Pod", "metadata": {"name": "q", "labels": {"a": "b"}}}


WRONG = {
    "malformed": (f"{HEAD}steps: [\n", 5, "well-formed YAML"),
    "tab": (f"{HEAD}steps:\n\t- settle\n", 5, "well-formed YAML"),
    "other version": ("apiVersion: pvkit/v2\nkind: Plan\nsteps: []\n", 1, "'pvkit/v1'"),
    "no version": ("kind: Plan\nsteps: []\n", 1, "apiVersion: pvkit/v1"),
    "other kind": ("apiVersion: pvkit/v1\nkind: Plna\nsteps: []\n", 2, "did you mean 'Plan'"),
    "unknown field": (f"{HEAD}stesp: []\nsteps: []\n", 4, "did you mean 'steps'"),
    "no steps": (f"{HEAD}stesp: []\n", 4, "did you mean 'steps'"),
    "unknown verb": (f"{HEAD}steps:\n- settle\n- craete: {VOLUME}\n", 6, "did you mean 'create'"),
    "two verbs": (f"{HEAD}steps:\n- settle:\n  heal:\n", 5, "one word a step"),
    "word that needs more": (f"{HEAD}steps:\n- delete\n", 5, "'delete:' with what it applies to"),
    "unknown kind": (f"{HEAD}steps:\n- get: {{name: x,\n  kind: PersistentVolum}}\n", 6, "mean 'PersistentVolume'"),
    "unknown kind created": (f"{HEAD}steps:\n- create:\n    kind: Pood\n", 6, "did you mean 'Pod'"),
    "ledger": (f"{HEAD}steps:\n- get: {{kind: Asset, name: x}}\n", 5, "one of"),
    "no kind": (f"{HEAD}steps:\n- create: {{metadata: {{name: v}}}}\n", 5, "kind"),
    "no name": (f"{HEAD}steps:\n- create:\n    kind: Pod\n    metadata: {{}}\n", 7, "the name of this Pod"),
    "no metadata": (f"{HEAD}steps:\n- create: {{kind: Pod, metdata: {{name: p}}}}\n", 5, "'metadata' with a name"),
    "no target": (f"{HEAD}steps:\n- delete: {{kind: Pod}}\n", 5, "the kind and name"),
    "unknown option": (f"{HEAD}steps:\n- delete: {{kind: Pod, name: p, graec: 0}}\n", 5, "did you mean 'grace'"),
    "wrong type": (f"{HEAD}steps:\n- delete: {{kind: Pod, name: p,\n    grace: soon}}\n", 6, "a whole number"),
    "unknown fault option": (f"{HEAD}steps:\n- hold: {{controller: binder, kind: Pod, knid: x}}\n", 5, "'kind'"),
    "fault lacks": (f"{HEAD}steps:\n- hold: {{controller: binder}}\n", 5, "'kind', which hold needs"),
    "quantity": (f"{HEAD}steps:\n- create:\n    kind: PersistentVolume\n    metadata: {{name: v}}\n"
                 "    spec:\n      capacity:\n        storage: 1GiB\n", 10, "0.5Gi"),
    "quantity of a template": (f"{HEAD}steps:\n- create:\n    kind: StatefulSet\n    metadata: {{name: s}}\n    spec:\n"
                               "      volumeClaimTemplates:\n      - spec: {resources: {requests: {storage: lots}}}\n",
                               10, "a number with a suffix"),
    "quantity of a patch": (f"{HEAD}steps:\n- patch: {{kind: PersistentVolume, name: v,\n"
                            "    patch: {spec: {capacity: {storage: big}}}}\n", 6, "a number with a suffix"),
    "duplicate key": (f"{HEAD}steps:\n- get: {{kind: Pod,\n    name: p,\n    name: q}}\n", 7, "each key once"),
    "no file": (f"{HEAD}steps:\n- create: {{file: nowhere.yaml}}\n", 5, "path of a file"),
    "api version": (f"{HEAD}steps:\n- create: {{kind: StatefulSet, apiVersion: v1, metadata: {{name: s}}}}\n", 5, "app"),
    "version": (f"{HEAD}setup: {{kubernetesVersion: 1.12}}\nsteps: []\n", 4, "1.36"),
    "gate": (f"{HEAD}setup:\n  gates: {{MaxUnavailableStatefulSets: true}}\nsteps: []\n", 5, "did you mean"),
    "departure": (f"{HEAD}steps: []\nschedule:\n- {{turn: 1}}\n", 6, "'take'"),
    "expectation": (f"{HEAD}steps:\n- expect: [{{kind: Pod}}]\n", 5, "'name'"),
    "loop": (f"{HEAD}steps: &s [*s]\n", 4, "a tree"),
    "tag": (f"{HEAD}steps: [!!python/name:os.system settle]\n", 4, "plain values"),
    "empty": ("", 0, "a plan"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_told_with_its_line_and_what_would_be_right(tmp_path: Path, case: str) -> None:
    text, line, expected = WRONG[case]
    path = written(tmp_path, text)
    with pytest.raises(PlanError) as raised:
        read_plans(path)
    assert str(raised.value).startswith(f"{path}:{line}: " if line else f"{path}: ")
    assert expected in raised.value.expected


def test_a_wrong_manifest_in_a_file_is_told_with_that_file(tmp_path: Path) -> None:
    other = written(tmp_path, "kind: Pod\nmetadata: {}\n", "pods.yaml")
    with pytest.raises(PlanError, match=f"{other.name}:2: metadata: no 'name'"):
        steps(tmp_path, "- create: {file: pods.yaml}\n")


def test_a_plan_may_send_a_field_that_no_server_knows(tmp_path: Path) -> None:
    strange = "{kind: PersistentVolume, metadata: {name: v}, spec: {capacities: {storage: 1Gi}}}\n"
    path = written(tmp_path, strange, "volumes.yaml")
    (made,) = steps(tmp_path, "- create: {file: volumes.yaml}\n")
    assert isinstance(made, Operation)
    assert made.object is not None
    assert made.object["spec"] == {"capacities": {"storage": "1Gi"}}
    with pytest.raises(PlanError, match="unknown field 'capacities'"):
        read_manifests(path, known_only=True)


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "plan.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PlanError, match=r"plan\.yaml: "):
        read_plans(path)


def test_manifests_of_several_documents_and_lists_are_unrolled(tmp_path: Path) -> None:
    path = written(
        tmp_path, f"{VOLUME}\n---\napiVersion: v1\nkind: PersistentVolumeList\nitems:\n- {VOLUME}\n- {VOLUME}\n"
    )
    assert [obj["metadata"]["name"] for obj in read_manifests(path)] == ["v", "v", "v"]


def test_plans_and_the_model_know_the_same_faults_and_options() -> None:
    import inspect

    known = {}
    for word, body in FAULTS.items():
        parameters = list(inspect.signature(body).parameters.values())[1:]
        names = {entry.name.replace("_", "-"): entry.default is entry.empty for entry in parameters}
        known[word] = (
            {name for name, need in names.items() if need},
            {name for name, need in names.items() if not need},
        )
    assert {word: (set(WORDS[word].needs), set(WORDS[word].may)) for word in FAULT_WORDS} == known


def test_every_shipped_plan_comes_out_as_it_says() -> None:
    for path in SHIPPED.glob("*.yaml"):
        for plan in read_plans(path):
            history = execute(plan, ReferenceModel())
            looked = [entry for entry in history.entries if isinstance(entry, Expected)]
            asked = [entry for entry in history.entries if isinstance(entry, Asked)]
            assert [entry for entry in looked if not entry.met] == []
            assert {entry.outcome.status for entry in asked} == {"ok"}
            assert looked


def test_an_expectation_that_is_not_met_is_data() -> None:
    pod = {"kind": "Pod", "metadata": {"name": "p", "namespace": "default"}}
    history = execute(Plan((Expect((pod, {**pod, "absent": True})),)), ReferenceModel())
    assert [entry.met for entry in history.entries if isinstance(entry, Expected)] == [False, True]


@pytest.mark.parametrize(
    ("wanted", "seen", "met"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, True),
        ({"a": None}, {"b": 2}, True),
        ({"a": None}, {"a": 0}, False),
        ({"a": [{"b": 1}]}, {"a": [{"b": 1, "c": 2}]}, True),
        ({"a": [1]}, {"a": [1, 2]}, False),
        ({"a": {"b": 1}}, {"a": 1}, False),
    ],
)
def test_a_partial_object_matches_what_holds_all_of_it(wanted: Obj, seen: Obj, met: bool) -> None:
    assert matches(wanted, seen) is met
