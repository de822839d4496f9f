"""What servers of other minor versions answer, and what they store (1.32 to 1.37)."""

from typing import Any

import pytest

from pvkit.backends.errors import ApiError
from pvkit.backends.objects import Obj
from pvkit.conformance.api_answers import Asked

CLAIM, CLASS, SET, POD = "PersistentVolumeClaim", "StorageClass", "StatefulSet", "Pod"
VOLUME = "PersistentVolume"
BOUND = {"update": CLAIM, "with": {"status": {"phase": "Bound", "capacity": {"storage": "1Gi"}}}, "sub": "status"}


def asked(minor: int, *asks: Obj, **gates: bool) -> Obj:
    """The last answer of a server of that version."""
    world = Asked({"kubernetes": f"1.{minor}", "gates": gates})
    answers = [world.answer(ask) for ask in asks]
    return answers[-1]


def causes(answer: Obj) -> list[tuple[str, str]]:
    return [(field, message) for field, _, message in answer.get("causes", [])]


@pytest.mark.parametrize(
    ("minor", "message"),
    [
        (34, "Forbidden: updates to provisioner are forbidden."),
        (35, "Forbidden: updates to provisioner are forbidden."),
        (36, 'Invalid value: "other": field is immutable'),
        (37, "Invalid value: null: field is immutable"),
    ],
)
def test_a_class_refuses_another_provisioner_in_the_words_of_its_version(minor: int, message: str) -> None:
    answer = asked(minor, {"create": CLASS}, {"update": CLASS, "with": {"provisioner": "other"}})
    assert [("provisioner", message)] == causes(answer)


@pytest.mark.parametrize("minor", [33, 37])
def test_a_class_refuses_another_binding_mode_as_immutable_in_every_version(minor: int) -> None:
    mode = {"volumeBindingMode": "WaitForFirstConsumer"}
    answer = asked(minor, {"create": CLASS}, {"update": CLASS, "with": mode})
    assert [field for field, _ in causes(answer)] == ["volumeBindingMode"]
    assert causes(answer)[0][1].endswith("field is immutable")


@pytest.mark.parametrize(("minor", "code"), [(32, 422), (33, 200), (36, 200)])
def test_the_history_limit_of_a_set_may_change_since_1_33(minor: int, code: int) -> None:
    answer = asked(minor, {"create": SET}, {"update": SET, "with": {"spec": {"revisionHistoryLimit": 3}}})
    assert code == answer["code"]


@pytest.mark.parametrize(("minor", "named"), [(32, False), (33, True)])
def test_the_words_about_immutable_fields_of_a_set_name_the_history_limit_since_1_33(minor: int, named: bool) -> None:
    answer = asked(minor, {"create": SET}, {"update": SET, "with": {"spec": {"serviceName": "other"}}})
    assert named == ("'updateStrategy', 'revisionHistoryLimit'" in causes(answer)[0][1])


def test_a_set_names_each_immutable_field_since_1_37() -> None:
    change = {"serviceName": "other", "podManagementPolicy": "Parallel"}
    answer = asked(37, {"create": SET}, {"update": SET, "with": {"spec": change}})
    assert {"spec.serviceName", "spec.podManagementPolicy"} == {field for field, _ in causes(answer)}


@pytest.mark.parametrize(("minor", "code"), [(32, 201), (33, 422)])
def test_the_service_name_of_a_set_is_looked_at_since_1_33(minor: int, code: int) -> None:
    assert code == asked(minor, {"create": SET, "with": {"spec": {"serviceName": "a.b"}}})["code"]


@pytest.mark.parametrize(("minor", "code"), [(33, 201), (34, 422)])
@pytest.mark.parametrize(
    "spec",
    [{"template": {"spec": {"containers": []}}}, {"volumeClaimTemplates": [{"metadata": {"name": "www"}, "spec": {}}]}],
)
def test_templates_of_a_set_are_looked_at_since_1_34(minor: int, code: int, spec: Obj) -> None:
    assert code == asked(minor, {"create": SET, "with": {"spec": spec}})["code"]


@pytest.mark.parametrize(("minor", "generation"), [(32, None), (33, 1)])
def test_a_pod_counts_its_generations_since_1_33(minor: int, generation: int | None) -> None:
    assert generation == asked(minor, {"create": POD})["changed"]["metadata"].get("generation")


@pytest.mark.parametrize(("minor", "code"), [(32, 201), (33, 422)])
def test_values_in_node_affinity_of_a_volume_are_looked_at_since_1_33(minor: int, code: int) -> None:
    term = {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a b"]}]}
    affinity = {"required": {"nodeSelectorTerms": [term]}}
    assert code == asked(minor, {"create": VOLUME, "with": {"spec": {"nodeAffinity": affinity}}})["code"]


@pytest.mark.parametrize(("minor", "kept"), [(33, None), (34, "gold")])
def test_a_class_of_attributes_is_dropped_before_1_34(minor: int, kept: str | None) -> None:
    world = Asked({"kubernetes": f"1.{minor}"})
    world.answer({"create": CLAIM, "with": {"spec": {"volumeAttributesClassName": "gold"}}})
    stored = world.store.list(CLAIM)[0]
    assert kept == stored["spec"].get("volumeAttributesClassName")


@pytest.mark.parametrize(
    ("minor", "words"),
    [(33, "update from non-nil value to nil is forbidden"), (34, None)],
)
def test_when_a_class_of_attributes_may_be_taken_away(minor: int, words: str | None) -> None:
    given: Obj = {"create": CLAIM, "with": {"spec": {"volumeAttributesClassName": "gold"}}}
    taken: Obj = {"update": CLAIM, "with": {"spec": {"volumeAttributesClassName": None}}}
    answer = asked(minor, given, BOUND, taken, VolumeAttributesClass=True)
    assert (words is not None) == (f"Forbidden: {words}" in [message for _, message in causes(answer)])


@pytest.mark.parametrize(("minor", "field"), [(33, "allocatedResourceStatus"), (34, "allocatedResourceStatuses")])
def test_the_path_of_a_bad_resize_status(minor: int, field: str) -> None:
    bad = {"status": {"allocatedResourceStatuses": {"storage": "Resizing"}}}
    answer = asked(minor, {"create": CLAIM}, {"update": CLAIM, "with": bad, "sub": "status"})
    assert [f"status.{field}"] == [path for path, _ in causes(answer)]


@pytest.mark.parametrize(("minor", "most"), [(36, None), (37, 1)])
def test_max_unavailable_is_filled_in_where_its_gate_is_on(minor: int, most: int | None) -> None:
    strategy = asked(minor, {"create": SET})["changed"]["spec"]["updateStrategy"]
    assert most == strategy["rollingUpdate"].get("maxUnavailable")


def test_a_stored_max_unavailable_outlives_its_gate() -> None:
    wide = {"spec": {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 2}}}}
    world = Asked({"kubernetes": "1.36", "gates": {"MaxUnavailableStatefulSet": True}})
    world.answer({"create": SET, "with": wide})
    world.store.setup.gates["MaxUnavailableStatefulSet"] = False  # type: ignore[index]
    world.answer({"update": SET, "with": {"spec": {"replicas": 2}}})
    strategy = world.store.list(SET)[0]["spec"]["updateStrategy"]
    assert strategy["rollingUpdate"] == {"partition": 0, "maxUnavailable": 2}


def recreating(minor: int, **gates: bool) -> Obj:
    return asked(minor, {"create": SET, "with": {"spec": {"updateStrategy": {"type": "Recreate"}}}}, **gates)


def test_recreate_needs_1_37_and_its_gate() -> None:
    codes: dict[Any, Any] = {
        "1.36": recreating(36, StatefulSetRecreateStrategy=True)["code"],
        "1.37 off": recreating(37)["code"],
        "1.37 on": recreating(37, StatefulSetRecreateStrategy=True)["code"],
    }
    assert codes == {"1.36": 422, "1.37 off": 422, "1.37 on": 201}


def test_a_set_that_recreates_may_stay_so_without_the_gate_but_not_come_back() -> None:
    world = Asked({"kubernetes": "1.37", "gates": {"StatefulSetRecreateStrategy": True}})
    world.answer({"create": SET, "with": {"spec": {"updateStrategy": {"type": "Recreate"}}}})
    world.store.setup.gates["StatefulSetRecreateStrategy"] = False  # type: ignore[index]
    stays = world.answer({"update": SET, "with": {"spec": {"replicas": 2}}})
    leaves = world.answer({"update": SET, "with": {"spec": {"updateStrategy": {"type": "OnDelete"}}}})
    returns = world.answer({"update": SET, "with": {"spec": {"updateStrategy": {"type": "Recreate"}}}})
    assert [answer["code"] for answer in (stays, leaves, returns)] == [200, 200, 422]


@pytest.mark.parametrize(("minor", "code"), [(35, 422), (36, 201)])
def test_the_name_of_a_service_may_begin_with_a_digit_since_1_36(minor: int, code: int) -> None:
    assert code == asked(minor, {"create": "Service", "with": {"metadata": {"name": "1abc"}}})["code"]


@pytest.mark.parametrize(
    ("minor", "field"), [(36, "metadata.ownerReferences.uid"), (37, "metadata.ownerReferences[0].uid")]
)
def test_the_path_of_an_incomplete_owner(minor: int, field: str) -> None:
    owner = {"apiVersion": "v1", "kind": "Pod", "name": "p"}
    answer = asked(minor, {"create": CLAIM, "with": {"metadata": {"ownerReferences": [owner]}}})
    assert [field] == [path for path, _ in causes(answer)]


@pytest.mark.parametrize(("minor", "held"), [(33, False), (34, True)])
def test_a_class_of_attributes_is_protected_where_its_gate_is_on(minor: int, held: bool) -> None:
    answer = asked(minor, {"create": "VolumeAttributesClass"})
    assert held == ("finalizers" in answer["changed"]["metadata"])


@pytest.mark.parametrize("minor", range(32, 38))
def test_every_version_binds_a_claim_by_its_volume_name(minor: int) -> None:
    answer = asked(minor, {"create": CLAIM}, {"update": CLAIM, "with": {"spec": {"volumeName": "v"}}})
    assert answer == {"code": 200, "changed": {"spec": {"volumeName": "v"}}}


def test_refusals_are_api_errors() -> None:
    world = Asked({})
    with pytest.raises(ApiError, match=r"spec\.accessModes: Required value"):
        world.store.create({"kind": VOLUME, "metadata": {"name": "v"}, "spec": {}})
