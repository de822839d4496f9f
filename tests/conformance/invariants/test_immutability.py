"""Judges of fields that must stay as they are."""

from typing import Any

import pytest

from pvkit.backends.storage import BETA_CLASS
from pvkit.conformance.verdict import Verdict
from tests.conformance.histories import Story, message_of, verdict_of
from tests.conformance.invariants.set_story import SetStory, changed, claim_template
from tests.conformance.invariants.storage_story import claim, storage_class, volume

CHANGES: list[tuple[str, Any, dict[str, Any], str]] = [
    ("API-010", claim(), {"spec__accessModes": ["ReadWriteMany"]}, "accessModes"),
    ("API-010", claim(), {"spec__volumeMode": "Block"}, "volumeMode"),
    ("API-010", claim(), {"spec__selector": {"matchLabels": {"a": "b"}}}, "selector"),
    ("API-010", claim(volumeName="v"), {"spec__volumeName": "w"}, "volumeName"),
    ("API-010", claim(storageClassName="a"), {"spec__storageClassName": "b"}, "storageClassName"),
    ("API-010", claim(annotations={BETA_CLASS: "a"}), {"metadata__annotations": {BETA_CLASS: "b"}}, BETA_CLASS),
    ("API-011", volume(), {"spec__nfs": {"server": "192.0.2.2", "path": "/volume"}}, "source"),
    ("API-011", volume(), {"spec__volumeMode": "Block"}, "volumeMode"),
    ("API-013", storage_class(), {"provisioner": "example.com/other"}, "provisioner"),
    ("API-013", storage_class(), {"volumeBindingMode": "WaitForFirstConsumer"}, "volumeBindingMode"),
]

ALLOWED: list[tuple[str, Any, dict[str, Any]]] = [
    ("API-010", claim(), {"spec__volumeName": "v"}),
    ("API-010", claim(), {"spec__storageClassName": "a"}),
    ("API-010", claim(), {"spec__resources": {"requests": {"storage": "2Gi"}}}),
    ("API-010", claim(annotations={BETA_CLASS: "a"}), {"metadata__annotations": None, "spec__storageClassName": "a"}),
    ("API-010", claim(), {"spec__accessModes": ["ReadWriteOnce", "ReadWriteOnce"]}),
    ("API-011", volume(), {"spec__claimRef": {"name": "claim"}, "spec__capacity": {"storage": "9Gi"}}),
    ("API-013", storage_class(), {"allowVolumeExpansion": True}),
]


@pytest.mark.parametrize(("id", "obj", "change", "word"), CHANGES)
def test_a_field_that_changes_and_must_not_is_noticed(id: str, obj: Any, change: dict[str, Any], word: str) -> None:
    story = Story()
    story.modified(changed(story.added(obj), change), by="client")
    assert word in message_of(id, story)


@pytest.mark.parametrize(("id", "obj", "change"), ALLOWED)
def test_a_field_that_may_change_may_change(id: str, obj: Any, change: dict[str, Any]) -> None:
    story = Story()
    story.modified(changed(story.added(obj), change), by="client")
    assert verdict_of(id, story) is Verdict.PASS


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("selector", {"matchLabels": {"app": "db"}}),
        ("serviceName", "db"),
        ("podManagementPolicy", "Parallel"),
        ("volumeClaimTemplates", [claim_template("www", "2Gi")]),
        ("volumeClaimTemplates", []),
    ],
)
def test_a_set_that_becomes_another_is_noticed(field: str, value: Any) -> None:
    story = SetStory()
    story.edit(**{field: value})
    assert field in message_of("API-012", story)


@pytest.mark.parametrize(
    ("field", "value"),
    [("replicas", 9), ("minReadySeconds", 3), ("volumeClaimTemplates", [claim_template("www", "1024Mi")])],
)
def test_a_set_may_change_its_wishes_and_the_words_for_them(field: str, value: Any) -> None:
    story = SetStory()
    story.edit(**{field: value})
    assert verdict_of("API-012", story) is Verdict.PASS


def test_a_revision_keeps_what_it_records() -> None:
    story = SetStory()
    story.modified({**story.revisions["1"], "revision": 7})
    assert verdict_of("API-014", story) is Verdict.PASS
    story.modified({**story.latest(story.revisions["1"]), "data": {}})
    assert verdict_of("API-014", story) is Verdict.FAIL
