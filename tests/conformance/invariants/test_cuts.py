"""What a set may have seen: cuts since the last rest, or since ever after a restart from an old list."""

import pytest

from pvkit.backends.objects import Key
from pvkit.backends.protocol import Event, Fault
from pvkit.conformance.history import Asked, State
from pvkit.conformance.invariants import cuts as cuts_module
from pvkit.conformance.invariants.cuts import Cuts, may_rewind
from tests.conformance.histories import history_of
from tests.conformance.invariants.set_story import SetStory

WEB = Key("StatefulSet", "default", "web")


def followed(story: SetStory) -> Cuts:
    """The follower after a story."""
    state = State(history_of(story).header)
    cuts = state.follow(Cuts)
    for entry in story.entries:
        if isinstance(entry, Event):
            state.take(entry)
        else:
            state.hear(entry)
    return cuts


def seen(cuts: Cuts) -> list[str]:
    """Which pods are in each cut, the newest first, those that are ready with a mark."""
    return [" ".join(f"{at}{'!' * pod.ready}" for at, pod in sorted(cut.items())) for cut in cuts.cuts(WEB)]


def test_every_state_of_the_pods_since_the_beginning_is_a_cut() -> None:
    story = SetStory()
    story.up(0, 1)
    assert seen(followed(story)) == ["0! 1!", "0! 1", "0!", "0", ""]


def test_a_rest_ends_what_was_before() -> None:
    story = SetStory()
    story.up(0)
    story.settled()
    story.up(1)
    assert seen(followed(story)) == ["0! 1!", "0! 1", "0!"]


@pytest.mark.parametrize("settled", [{"quiet": False}, {"disturbed": ("hold statefulset Pod",)}])
def test_a_wait_that_was_cut_short_or_disturbed_is_no_rest(settled: dict[str, object]) -> None:
    story = SetStory()
    story.up(0)
    story.settled(**settled)
    assert seen(followed(story)) == ["0!", "0", ""]


def test_a_restart_from_an_old_list_brings_back_what_was_before_a_rest() -> None:
    story = SetStory()
    story.up(0)
    story.settled()
    story.asked(Fault("crash", {"controller": "statefulset", "lists": {"Pod": "empty"}}))
    assert seen(followed(story)) == ["0!", "0", ""]


def test_the_next_rest_ends_it_again() -> None:
    story = SetStory()
    story.up(0)
    story.asked(Fault("crash", {"controller": "statefulset", "lists": {"Pod": "empty"}}))
    story.settled()
    assert seen(followed(story)) == ["0!"]


@pytest.mark.parametrize(
    ("fault", "rewinds"),
    [
        (Fault("hold", {"controller": "statefulset", "kind": "Pod"}), False),
        (Fault("crash", {"controller": "statefulset"}), False),
        (Fault("crash", {"controller": "statefulset", "lists": {"Pod": "stale:3"}}), True),
        (Fault("second-leader", {"controller": "statefulset"}), True),
        (Fault("something-new"), True),
    ],
)
def test_only_restarts_and_what_is_unknown_show_older_states(fault: Fault, rewinds: bool) -> None:
    assert may_rewind(fault) is rewinds


def test_versions_of_a_set_that_differ_in_wishes_are_told_apart() -> None:
    story = SetStory()
    story.settled()
    story.edit(replicas=5)
    story.say(replicas=1, currentReplicas=1)
    cuts = followed(story)
    assert [version["spec"]["replicas"] for version in cuts.versions(WEB)] == [5, 3]
    assert len(cuts.versions(WEB, statuses=True)) == 3


def test_more_than_can_be_remembered_is_taken_to_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuts_module, "MOST_MOVES", 4)
    story = SetStory()
    story.up(0, 1, 2)
    cuts = followed(story)
    assert not cuts.whole(WEB)
    assert cuts.some_view(WEB, lambda version, cut: False)


def test_sets_that_are_gone_are_forgotten_at_the_next_rest() -> None:
    story = SetStory()
    story.drop(story.pod(0))
    story.gone(story.set, by="client")
    assert WEB in followed(story).sights
    story.settled()
    assert WEB not in followed(story).sights


def test_a_set_has_no_excuse_once_it_was_woken_with_everything_in_view() -> None:
    story = SetStory()
    story.asked(Fault("hold", {"controller": "statefulset", "kind": "Pod"}))
    assert not followed(story).informed(WEB)
    story.asked(Fault("heal"))
    story.settled()
    assert not followed(story).informed(WEB)
    story.edit(replicas=2)
    assert followed(story).informed(WEB)


def test_a_refusal_hides_nothing() -> None:
    story = SetStory()
    story.asked(Fault("refuse", {"controller": "statefulset"}))
    assert followed(story).informed(WEB)
    assert isinstance(story.entries[-1], Asked)
