"""What was asked of provisioners and resizers comes to its end."""

import pytest

from pvkit.backends.objects import Obj, annotate, put
from pvkit.backends.storage import KIT_PROVISIONER, PROVISIONED_BY, SELECTED_NODE, STORAGE_PROVISIONER
from pvkit.conformance.verdict import Verdict
from tests.conformance.histories import Story, message_of, verdict_of
from tests.conformance.invariants.storage_story import claim, complete, node, reserved_by, show, storage_class, volume

SIZE = ("spec", "capacity", "storage")
ASKED = ("spec", "resources", "requests", "storage")


def grown(story: Story) -> Obj:
    """A claim whose volume was made for it and enlarged for it; the claim does not show it yet."""
    mine = story.added(claim())
    made = reserved_by(annotate(volume(), **{PROVISIONED_BY: KIT_PROVISIONER}), mine)
    held = story.modified(put(story.added(made, by="provisioner"), ("status", "phase"), "Bound"))
    mine = story.modified(put(show(story, complete(story, mine, "volume"), held), ASKED, "2Gi"), by="client")
    story.modified(put(held, SIZE, "2Gi"))
    return mine


def test_a_claim_that_has_grown_with_its_volume_shows_it() -> None:
    story = Story()
    story.modified(put(grown(story), ("status", "capacity", "storage"), "2Gi"))
    story.settled()
    assert verdict_of("PVB-066", story) is Verdict.PASS


def test_a_claim_that_never_shows_that_its_volume_has_grown_is_found() -> None:
    story = Story()
    grown(story)
    story.settled()
    assert "asks for more than the 1Gi it shows" in message_of("PVB-066", story)


@pytest.mark.parametrize("there", [True, False])
def test_a_claim_waits_for_its_node_only_while_the_node_is_there(there: bool) -> None:
    story = Story()
    story.added(storage_class("late", "WaitForFirstConsumer", provisioner=KIT_PROVISIONER))
    stands, waiting = story.added(node()), story.added(claim(storageClassName="late"))
    story.modified(annotate(waiting, **{SELECTED_NODE: "node-1", STORAGE_PROVISIONER: KIT_PROVISIONER}))
    if not there:
        story.deleted(stands, by="client")
    story.settled()
    assert verdict_of("PVB-085", story) is (Verdict.PASS if there else Verdict.FAIL)
