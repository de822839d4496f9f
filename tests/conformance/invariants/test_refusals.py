"""Judges of what a server must refuse, and of where it says the fault is."""

from typing import Any

import pytest

from pvkit.backends.errors import Cause
from pvkit.backends.objects import Key, Obj
from pvkit.backends.protocol import Operation, Outcome
from pvkit.conformance.verdict import Verdict
from tests.conformance.histories import Story, message_of, verdict_of
from tests.conformance.invariants.set_story import changed, stateful_set
from tests.conformance.invariants.storage_story import RWO, RWOP, claim, storage_class, volume

POLICY = "persistentVolumeClaimRetentionPolicy"
FAULTS: list[tuple[Obj, str]] = [
    (claim(modes=()), "spec.accessModes"),
    (claim(modes=(RWO, RWOP)), "spec.accessModes"),
    (claim(resources={}), "spec.resources[storage]"),
    (claim(size="0"), "spec.resources[storage]"),
    (volume(modes=()), "spec.accessModes"),
    (volume(capacity={}), "spec.capacity"),
    (volume(size="-1Gi"), "spec.capacity[storage]"),
    (volume(nfs=None), "spec"),
    (volume(local={"path": "/d"}), "spec.nodeAffinity"),
    (stateful_set(-1), "spec.replicas"),
    (stateful_set(1, minReadySeconds=-1), "spec.minReadySeconds"),
    (stateful_set(1, ordinals={"start": -1}), "spec.ordinals.start"),
    (stateful_set(1, selector={}), "spec.selector"),
    (stateful_set(1, selector={"matchLabels": {"app": "db"}}), "spec.template.metadata.labels"),
    (stateful_set(1, podManagementPolicy="Random"), "spec.podManagementPolicy"),
    (
        stateful_set(1, updateStrategy={"type": "OnDelete", "rollingUpdate": {"partition": 1}}),
        "spec.updateStrategy.rollingUpdate",
    ),
    (
        stateful_set(1, updateStrategy={"rollingUpdate": {"partition": -1}}),
        "spec.updateStrategy.rollingUpdate.partition",
    ),
    (stateful_set(1, **{POLICY: {"whenDeleted": "Keep"}}), f"spec.{POLICY}.whenDeleted"),
    (stateful_set(1, **{POLICY: {"whenScaled": "Keep"}}), f"spec.{POLICY}.whenScaled"),
]


def invalid(*fields: str) -> Outcome:
    """A refusal that names these fields."""
    return Outcome(
        "failed", 422, "Invalid", "is invalid", tuple(Cause(field, "FieldValueInvalid", "no") for field in fields)
    )


def created(obj: Obj, outcome: Outcome) -> Story:
    """An object is sent, and answered."""
    story = Story()
    story.asked(Operation("create", obj), outcome)
    return story


@pytest.mark.parametrize(("obj", "field"), FAULTS)
def test_an_invalid_object_that_is_accepted_is_noticed(obj: Obj, field: str) -> None:
    assert "was accepted" in message_of("API-040", created(obj, Outcome("ok", 201, object=obj)))
    assert verdict_of("API-040", created(obj, invalid(field))) is Verdict.PASS


@pytest.mark.parametrize(("obj", "field"), FAULTS)
def test_a_refusal_that_does_not_name_the_field_is_noticed(obj: Obj, field: str) -> None:
    assert field in message_of("API-041", created(obj, invalid("metadata.name")))
    assert verdict_of("API-041", created(obj, invalid(field, "metadata.name"))) is Verdict.PASS


@pytest.mark.parametrize("obj", [claim(), volume(), stateful_set(3), storage_class()])
def test_a_valid_object_may_be_accepted(obj: Obj) -> None:
    assert verdict_of("API-040", created(obj, Outcome("ok", 201, object=obj))) is Verdict.NOT_EXERCISED


def test_an_invalid_object_may_be_refused_for_something_else_first() -> None:
    story = created(claim(modes=()), Outcome("failed", 403, "Forbidden", "the namespace is being terminated"))
    assert verdict_of("API-040", story) is Verdict.PASS
    assert verdict_of("API-041", story) is Verdict.NOT_EXERCISED


PATCHES: list[tuple[Obj, dict[str, Any], str]] = [
    (stateful_set(3), {"spec": {"serviceName": "db"}}, "spec"),
    (stateful_set(3), {"spec": {"podManagementPolicy": "Parallel"}}, "spec.podManagementPolicy"),
    (claim(), {"spec": {"accessModes": ["ReadWriteMany"]}}, "spec"),
    (claim(), {"spec": {"volumeMode": "Block"}}, "volumeMode"),
    (volume(), {"spec": {"nfs": {"path": "/other"}}}, "spec.persistentvolumesource"),
    (storage_class(), {"provisioner": "example.com/other"}, "provisioner"),
]


def patched(obj: Obj, patch: dict[str, Any], outcome: Outcome) -> Story:
    """An object is there and is patched."""
    story = Story()
    made = story.added(obj)
    key = Key(made["kind"], made["metadata"].get("namespace", ""), made["metadata"]["name"])
    story.asked(Operation("patch", target=key, patch=patch), outcome)
    return story


@pytest.mark.parametrize(("obj", "patch", "field"), PATCHES)
def test_an_immutable_field_must_be_defended(obj: Obj, patch: dict[str, Any], field: str) -> None:
    assert "was accepted" in message_of("API-042", patched(obj, patch, Outcome("ok", object=obj)))
    assert verdict_of("API-042", patched(obj, patch, invalid(field))) is Verdict.PASS


def test_a_defence_for_the_wrong_reason_is_noticed() -> None:
    story = patched(stateful_set(3), {"spec": {"serviceName": "db"}}, invalid("metadata.name"))
    assert "was refused for metadata.name" in message_of("API-042", story)


def test_a_patch_that_changes_nothing_may_be_accepted() -> None:
    story = patched(stateful_set(3), {"spec": {"serviceName": "web"}}, Outcome("ok"))
    assert verdict_of("API-042", story) is Verdict.NOT_EXERCISED


def test_fields_that_may_change_need_no_defence() -> None:
    story = patched(changed(claim(), {}), {"spec": {"resources": {"requests": {"storage": "9Gi"}}}}, Outcome("ok"))
    assert verdict_of("API-042", story) is Verdict.NOT_EXERCISED
