"""The builder of histories stamps objects as an API server would."""

from pvkit.backends.objects import created_at, uid, version
from pvkit.backends.protocol import Event
from tests.conformance.histories import Story


def test_objects_get_a_uid_and_rising_versions() -> None:
    story = Story()
    first = story.added({"kind": "Node", "metadata": {"name": "a"}})
    second = story.added({"kind": "Node", "metadata": {"name": "b"}})
    again = story.modified(first)
    assert uid(first) != uid(second)
    assert uid(again) == uid(first)
    assert [version(obj) for obj in (first, second, again)] == [1, 2, 3]


def test_an_object_is_as_old_as_the_story_when_it_appears() -> None:
    story = Story()
    early = story.added({"kind": "Node", "metadata": {"name": "a"}})
    story.pause(60)
    assert created_at(story.added({"kind": "Node", "metadata": {"name": "b"}})) > created_at(early)


def test_the_removal_of_an_object_shows_it_as_it_last_was() -> None:
    story = Story()
    node = story.added({"kind": "Node", "metadata": {"name": "a"}})
    story.deleted(node, by="client")
    last = story.entries[-1]
    assert isinstance(last, Event)
    assert (last.type, last.by, uid(last.object)) == ("DELETED", "client", uid(node))
