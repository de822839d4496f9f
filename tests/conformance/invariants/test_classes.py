"""What a claim says of its class is kept, and what it leaves open is filled from the newest default."""

from typing import Any

import pytest

from pvkit.backends.objects import Obj, annotate, put
from pvkit.backends.protocol import Fault, Operation, Outcome
from pvkit.backends.storage import BETA_CLASS, DEFAULT_CLASS, SELECTED_NODE, STORAGE_PROVISIONER
from pvkit.conformance.verdict import Verdict
from tests.conformance.histories import Story, message_of, result_of, verdict_of
from tests.conformance.invariants.storage_story import available, claim, storage_class, volume

MAKER = "example.com/maker"


def default(name: str, **fields: Any) -> Obj:
    return storage_class(name, annotations={DEFAULT_CLASS: "true"}, **fields)


def made(sent: Obj, got: Obj, *classes: Obj) -> Story:
    story = Story()
    for entry in classes:
        story.added(entry)
    answer = story.added(got)
    story.asked(Operation("create", sent), Outcome("ok", 201, object=answer))
    return story


@pytest.mark.parametrize(
    "said", [{"storageClassName": "shelf"}, {"storageClassName": ""}, {"annotations": {BETA_CLASS: ""}}]
)
def test_a_class_that_a_claim_says_is_kept(said: dict[str, Any]) -> None:
    assert verdict_of("PVB-070", made(claim(**said), claim(**said), default("standard"))) is Verdict.PASS
    other = claim(storageClassName="standard")
    assert "and has 'standard'" in message_of("PVB-070", made(claim(**said), other, default("standard")))


def test_a_silent_claim_gets_the_default() -> None:
    assert verdict_of("PVB-071", made(claim(), claim(storageClassName="standard"), default("standard"))) is Verdict.PASS
    assert "the default is 'standard'" in message_of("PVB-071", made(claim(), claim(), default("standard")))


def test_of_several_defaults_the_newest_counts() -> None:
    classes = default("older"), default("newer")
    assert result_of("PVB-071", made(claim(), claim(storageClassName="newer"), *classes)).at_risk == 1
    assert verdict_of("PVB-071", made(claim(), claim(storageClassName="older"), *classes)) is Verdict.FAIL


def test_of_defaults_of_one_second_the_first_by_name_counts() -> None:
    classes = [
        put(default(name), ("metadata", "creationTimestamp"), "2026-01-01T00:00:00Z") for name in ("b", "a", "c")
    ]
    assert verdict_of("PVB-071", made(claim(), claim(storageClassName="a"), *classes)) is Verdict.PASS
    assert verdict_of("PVB-071", made(claim(), claim(storageClassName="b"), *classes)) is Verdict.FAIL


def test_only_the_exact_word_makes_a_default() -> None:
    shouted = storage_class("standard", annotations={DEFAULT_CLASS: "True"})
    assert verdict_of("PVB-071", made(claim(), claim(), shouted)) is Verdict.PASS


def test_a_default_of_late_may_not_have_been_seen() -> None:
    story = made(claim(), claim(), default("standard"))
    assert verdict_of("PVB-071", story, lag=60.0) is Verdict.NOT_EXERCISED


def test_a_refused_claim_says_nothing() -> None:
    story = Story()
    story.added(default("standard"))
    story.asked(Operation("create", claim()), Outcome("failed", 403, "Forbidden"))
    assert verdict_of("PVB-071", story) is Verdict.NOT_EXERCISED


@pytest.mark.parametrize("before", ["shelf", ""])
def test_the_class_of_a_claim_is_final(before: str) -> None:
    story = Story()
    old = story.added(claim(storageClassName=before))
    story.modified(put(old, ("spec", "storageClassName"), "standard"))
    assert "to 'standard'" in message_of("PVB-072", story)


def test_a_class_may_move_from_the_annotation_to_the_field() -> None:
    story = Story()
    old = story.added(claim(annotations={BETA_CLASS: "shelf"}))
    story.modified(put(old, ("spec", "storageClassName"), "shelf"), by="client")
    assert verdict_of("PVB-072", story) is Verdict.PASS


def late(given: str, *classes: Obj, **fields: Any) -> Story:
    story = Story()
    silent = story.added(claim(**fields))
    for entry in classes:
        story.added(entry)
    story.modified(put(silent, ("spec", "storageClassName"), given))
    return story


def test_a_late_default_is_the_newest() -> None:
    assert result_of("PVB-073", late("b", default("a"), default("b"))).at_risk == 1
    assert "the default is b" in message_of("PVB-073", late("a", default("a"), default("b")))


def test_a_claim_that_has_a_volume_keeps_its_silence() -> None:
    assert "which has a volume" in message_of("PVB-073", late("a", default("a"), volumeName="volume"))


def test_a_silent_claim_takes_a_fitting_volume_first() -> None:
    story = Story()
    available(story, volume())
    silent = story.added(claim())
    story.added(default("a"))
    story.modified(put(silent, ("spec", "storageClassName"), "a"))
    assert "although volume volume fits it" in message_of("PVB-073", story)


def test_which_default_was_seen_behind_a_held_watch_is_open() -> None:
    story = Story()
    silent = story.added(claim())
    story.asked(Fault("hold", {"controller": "binder", "kind": "StorageClass"}))
    story.added(default("a"))
    story.modified(put(silent, ("spec", "storageClassName"), "b"))
    assert verdict_of("PVB-073", story) is Verdict.NOT_EXERCISED


def test_no_claim_stays_silent_beside_a_default() -> None:
    story = Story()
    story.added(claim())
    story.added(claim("empty", storageClassName=""))
    story.settled()
    assert verdict_of("PVB-074", story) is Verdict.NOT_EXERCISED
    story.added(default("a"))
    story.settled()
    result = result_of("PVB-074", story)
    assert "waits without a class, and a is the default" in result.violations[0].message
    assert (result.broken, result.held) == (1, 1)


def asked_for(maker: str = MAKER, mode: str = "Immediate", node: str = "", **fields: Any) -> Story:
    story = Story()
    story.added(storage_class(mode=mode, provisioner=MAKER))
    unbound = story.added(claim(**{"storageClassName": "shelf", **fields}))
    if node:
        unbound = story.modified(annotate(unbound, **{SELECTED_NODE: node}))
    story.modified(annotate(unbound, **{STORAGE_PROVISIONER: maker}))
    return story


def test_the_provisioner_of_the_class_is_asked() -> None:
    assert verdict_of("PVB-075", asked_for()) is Verdict.PASS
    assert "has provisioner example.com/maker" in message_of("PVB-075", asked_for("example.com/other"))


def test_no_provisioner_is_asked_for_a_claim_that_names_a_volume() -> None:
    assert "names volume elsewhere" in message_of("PVB-075", asked_for(volumeName="elsewhere"))


def test_no_provisioner_is_asked_for_a_claim_of_no_class() -> None:
    assert "it has no class" in message_of("PVB-075", asked_for(storageClassName=""))


def test_a_delayed_claim_needs_a_node_first() -> None:
    assert "no node is selected" in message_of("PVB-075", asked_for(mode="WaitForFirstConsumer"))
    assert result_of("PVB-075", asked_for(mode="WaitForFirstConsumer", node="node-1")).at_risk == 1


def selected(mode: str, **fields: Any) -> Story:
    story = Story()
    story.added(storage_class(mode=mode))
    unbound = story.added(claim(**{"storageClassName": "shelf", **fields}))
    story.modified(annotate(unbound, **{SELECTED_NODE: "node-1"}))
    return story


def test_a_node_is_selected_for_delayed_claims_only() -> None:
    assert verdict_of("PVB-076", selected("WaitForFirstConsumer")) is Verdict.PASS
    assert "binds at once" in message_of("PVB-076", selected("Immediate"))
    assert "has volume elsewhere" in message_of("PVB-076", selected("WaitForFirstConsumer", volumeName="elsewhere"))


def test_a_class_made_anew_may_not_have_been_seen() -> None:
    story = Story()
    first = story.added(storage_class(mode="WaitForFirstConsumer"))
    unbound = story.added(claim(storageClassName="shelf"))
    story.deleted(first, by="client")
    story.added(storage_class())
    story.modified(annotate(unbound, **{SELECTED_NODE: "node-1"}))
    assert verdict_of("PVB-076", story) is Verdict.PASS
