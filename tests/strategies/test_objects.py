"""Drawn objects are what an API server takes, reach what is interesting, and shrink to the plainest."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import find, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from pvkit.backends.errors import UsageError
from pvkit.backends.objects import Key, Obj, get
from pvkit.backends.protocol import Operation, Setup
from pvkit.backends.quantities import amount
from pvkit.backends.reference.model import ReferenceModel
from pvkit.backends.storage import (
    BETA_CLASS,
    access_modes,
    attributes_class,
    claim_ref,
    claim_ref_uid,
    is_default,
    volume_name,
    volume_source,
)
from pvkit.backends.workloads import BEHAVIOUR, first_ordinal, is_parallel, partition, retention, strategy, templates
from pvkit.strategies.claims import claims
from pvkit.strategies.classes import classes
from pvkit.strategies.names import names, namespaces
from pvkit.strategies.pods import BEHAVIOURS, pods
from pvkit.strategies.quantities import NEIGHBOURS, neighbours, quantities
from pvkit.strategies.statefulsets import statefulsets
from pvkit.strategies.volumes import SOURCES, volumes
from tests.strategies.drawing import draws

ASKING = (Key("PersistentVolumeClaim", "default", "c1"), Key("PersistentVolumeClaim", "other", "c1"))
OBJECTS: dict[str, SearchStrategy[Obj]] = {
    "volumes": volumes(claims=ASKING),
    "claims": claims(namespace=namespaces()),
    "classes": classes(),
    "pods": pods(),
    "statefulsets": statefulsets(),
}
BUDGET = 500
"""Draws within which everything interesting must come up: rare shapes are of no use to a plan."""


@pytest.fixture(scope="module")
def sample() -> dict[str, list[Obj]]:
    return {called: draws(strategy, BUDGET) for called, strategy in OBJECTS.items()}


@pytest.mark.parametrize("called", OBJECTS)
def test_every_draw_passes_admission(sample: dict[str, list[Obj]], called: str) -> None:
    model, refused = ReferenceModel(), []
    for obj in sample[called]:
        model.reset(Setup(namespaces=("other",)))
        outcome = model.invoke(Operation("create", obj))
        if outcome.status != "ok":
            refused.append((outcome.message, obj))
    assert refused == []


SHAPES: list[tuple[str, str, Callable[[Obj], Any]]] = [
    *(("volumes", f"source {kind}", lambda obj, kind=kind: volume_source(obj)[0] == kind) for kind in SOURCES),
    ("volumes", "reserved by name", lambda obj: claim_ref(obj) and not claim_ref_uid(obj)),
    ("volumes", "reserved with a stale UID", lambda obj: claim_ref_uid(obj)),
    ("volumes", "reserved from another namespace", lambda obj: (claim_ref(obj) or {}).get("namespace") == "other"),
    ("volumes", "ReadWriteOncePod", lambda obj: access_modes(obj) == {"ReadWriteOncePod"}),
    ("volumes", "three modes", lambda obj: len(access_modes(obj)) == 3),
    ("volumes", "Block", lambda obj: obj["spec"].get("volumeMode") == "Block"),
    ("volumes", "silent about its mode", lambda obj: "volumeMode" not in obj["spec"]),
    ("volumes", "empty class", lambda obj: obj["spec"].get("storageClassName") == ""),
    ("volumes", "absent class", lambda obj: "storageClassName" not in obj["spec"]),
    ("volumes", "beta class", lambda obj: get(obj, "metadata", "annotations", BETA_CLASS)),
    ("volumes", "empty beta class", lambda obj: get(obj, "metadata", "annotations", BETA_CLASS) == ""),
    ("volumes", "attributes class", attributes_class),
    ("volumes", "several terms of affinity", lambda obj: len(_terms(obj)) > 1),
    *(
        ("volumes", f"policy {policy}", lambda obj, policy=policy: policy == _policy(obj))
        for policy in ("Delete", "Recycle")
    ),
    ("volumes", "somebody else's finalizer", lambda obj: obj["metadata"].get("finalizers")),
    *(("claims", f"selector {word}", lambda obj, word=word: word in _operators(obj)) for word in
      ("In", "NotIn", "Exists", "DoesNotExist")),
    ("claims", "empty selector", lambda obj: obj["spec"].get("selector") == {}),
    ("claims", "labels and expressions", lambda obj: set(obj["spec"].get("selector") or {}) > {"matchLabels"}),
    ("claims", "empty class", lambda obj: obj["spec"].get("storageClassName") == ""),
    ("claims", "silent about its class", lambda obj: "storageClassName" not in obj["spec"] and not _beta(obj)),
    ("claims", "beta class", lambda obj: _beta(obj)),
    ("claims", "missing volume", lambda obj: volume_name(obj) == "missing"),
    ("claims", "restored", lambda obj: volume_name(obj) and obj["metadata"].get("annotations")),
    ("claims", "Block", lambda obj: obj["spec"].get("volumeMode") == "Block"),
    ("claims", "empty attributes class", lambda obj: obj["spec"].get("volumeAttributesClassName") == ""),
    ("claims", "in the other namespace", lambda obj: obj["metadata"]["namespace"] == "other"),
    ("classes", "default", is_default),
    ("classes", "nearly default", lambda obj: obj["metadata"].get("annotations") and not is_default(obj)),
    ("classes", "late", lambda obj: obj.get("volumeBindingMode") == "WaitForFirstConsumer"),
    ("classes", "slow", lambda obj: get(obj, "parameters", "slow")),
    ("classes", "failing", lambda obj: get(obj, "parameters", "fail")),
    ("classes", "nobody behind", lambda obj: obj["provisioner"] == "example.com/nobody"),
    ("classes", "expandable", lambda obj: obj.get("allowVolumeExpansion")),
    ("classes", "topologies", lambda obj: obj.get("allowedTopologies")),
    *(("pods", word, lambda obj, word=word: get(obj, "metadata", "annotations", BEHAVIOUR) == word)
      for word in BEHAVIOURS),
    ("pods", "two claims", lambda obj: len(obj["spec"].get("volumes") or ()) == 2),
    ("pods", "bound to a node", lambda obj: obj["spec"].get("nodeName")),
    ("statefulsets", "Parallel", is_parallel),
    ("statefulsets", "start", first_ordinal),
    ("statefulsets", "partition", partition),
    ("statefulsets", "OnDelete", lambda obj: strategy(obj) == "OnDelete"),
    ("statefulsets", "bare RollingUpdate", lambda obj: obj["spec"].get("updateStrategy") == {"type": "RollingUpdate"}),
    ("statefulsets", "patience", lambda obj: obj["spec"].get("minReadySeconds")),
    ("statefulsets", "two templates", lambda obj: len(templates(obj)) == 2),
    ("statefulsets", "no replicas", lambda obj: obj["spec"]["replicas"] == 0),
    *(("statefulsets", f"retention {when}", lambda obj, when=when: retention(obj, when) == "Delete")
      for when in ("whenDeleted", "whenScaled")),
]  # fmt: skip


def _terms(obj: Obj) -> list[Obj]:
    return get(obj, "spec", "nodeAffinity", "required", "nodeSelectorTerms") or []


def _policy(obj: Obj) -> Any:
    return obj["spec"].get("persistentVolumeReclaimPolicy")


def _operators(obj: Obj) -> set[str]:
    return {term["operator"] for term in get(obj, "spec", "selector", "matchExpressions") or ()}


def _beta(obj: Obj) -> Any:
    return get(obj, "metadata", "annotations", BETA_CLASS)


@pytest.mark.parametrize(("called", "shape", "is_there"), SHAPES, ids=[f"{row[0]}: {row[1]}" for row in SHAPES])
def test_interesting_shapes_come_up_soon(
    sample: dict[str, list[Obj]], called: str, shape: str, is_there: Callable[[Obj], Any]
) -> None:
    assert any(is_there(obj) for obj in sample[called]), shape


def _simplest(strategy: SearchStrategy[Any]) -> Any:
    return find(strategy, lambda value: True, settings=settings(database=None, max_examples=50))


@pytest.mark.parametrize("called", ["volumes", "claims"])
def test_storage_shrinks_to_a_plain_object_of_one_gibibyte(called: str) -> None:
    spec = _simplest(OBJECTS[called])["spec"]
    assert (spec["accessModes"], spec["storageClassName"]) == (["ReadWriteOnce"], "fast")
    assert "1Gi" in (get(spec, "capacity", "storage"), get(spec, "resources", "requests", "storage"))
    assert set(spec) <= {"accessModes", "storageClassName", "capacity", "resources", "nfs"}


def test_a_set_shrinks_to_one_replica_with_one_plain_template() -> None:
    spec = _simplest(statefulsets())["spec"]
    assert (spec["replicas"], len(spec["volumeClaimTemplates"])) == (1, 1)
    assert set(spec) == {"replicas", "selector", "serviceName", "template", "volumeClaimTemplates"}


def test_a_pod_shrinks_to_a_healthy_one() -> None:
    assert "annotations" not in _simplest(pods())["metadata"]


def test_traits_of_other_features_are_left_out() -> None:
    found = draws(claims(features=("selectors",)), 200)
    assert all(set(obj["spec"]) <= {"accessModes", "storageClassName", "resources", "selector"} for obj in found)
    assert any("selector" in obj["spec"] for obj in found)


@pytest.mark.parametrize(("asked", "enough", "too_little"), NEIGHBOURS)
def test_neighbours_lie_on_both_sides_of_what_is_asked_for(asked: str, enough: str, too_little: str) -> None:
    assert amount(too_little) < amount(asked) <= amount(enough)


def test_neighbours_draw_every_row() -> None:
    assert set(draws(neighbours(), 300)) == set(NEIGHBOURS)


def test_quantities_keep_within_bounds() -> None:
    found = set(draws(quantities("1Gi", "2Gi"), 200))
    assert {"1Gi", "1024Mi", "2Gi", "1073741825"} <= found
    assert all(amount("1Gi") <= amount(size) <= amount("2Gi") for size in found)


@pytest.mark.parametrize(
    ("ask", "shown"),
    [
        (lambda: quantities("100Ti"), "100Ti"),
        (lambda: names("Gadget"), "Gadget"),
        (lambda: names("ControllerRevision"), "ControllerRevision"),
        (lambda: volumes(features=("colour",)), "colour"),
        (lambda: claims(features=("colour",)), "colour"),
        (lambda: classes(features=("colour",)), "colour"),
        (lambda: pods(features=("colour",)), "colour"),
        (lambda: statefulsets(features=("colour",)), "colour"),
    ],
)
def test_bad_arguments_are_refused_with_the_value(ask: Callable[[], object], shown: str) -> None:
    with pytest.raises(UsageError, match=shown):
        ask()


def test_strategies_compose_with_names_and_sizes_of_ones_own() -> None:
    own = volumes(name=st.just("mine"), size=st.just("7Gi"))
    assert {(obj["metadata"]["name"], obj["spec"]["capacity"]["storage"]) for obj in draws(own, 50)} == {
        ("mine", "7Gi")
    }
