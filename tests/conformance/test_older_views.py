"""Older views: every event is taken back with all later ones, with those of its kind, with those of its object."""

from contextlib import closing

from pvkit.backends.objects import Key, Obj
from pvkit.conformance.older_views import LATEST, OlderViews

POD, CLAIM, VOLUME = (
    Key("Pod", "default", "p"),
    Key("PersistentVolumeClaim", "default", "c"),
    Key("PersistentVolume", "", "v"),
)


class Tables:
    """Numbers in place of objects, each the latest of its key."""

    def __init__(self) -> None:
        self.now: dict[Key, Obj | None] = {}
        self.older = OlderViews(self.now.__setitem__)

    def event(self, at: Key, number: int) -> None:
        self.older.note(at, self.now.get(at), {"number": number})
        self.now[at] = {"number": number}

    def views(self, written: Key) -> list[dict[Key, int]]:
        with closing(self.older(written)) as views:
            return [{at: obj["number"] for at, obj in self.now.items() if obj is not None} for _ in views]


def test_one_kind_may_lag_behind_another() -> None:
    tables = Tables()
    for number, at in enumerate((POD, VOLUME, POD, VOLUME)):
        tables.event(at, number)
    views = tables.views(CLAIM)
    assert {POD: 2, VOLUME: 1} in views
    assert {POD: 0, VOLUME: 3} in views
    assert {POD: 0, VOLUME: 1} in views
    assert {VOLUME: 3} in views
    assert {} in views


def test_what_was_written_is_old_in_the_last_views_only() -> None:
    tables = Tables()
    for number, at in enumerate((CLAIM, VOLUME, CLAIM, VOLUME)):
        tables.event(at, number)
    views = tables.views(CLAIM)
    first = next(index for index, view in enumerate(views) if view.get(CLAIM) != 2)
    assert all(view[CLAIM] == 2 for view in views[:first])
    assert {VOLUME: 1, CLAIM: 2} in views[:first]
    assert views[first] == {CLAIM: 0, VOLUME: 3}


def test_all_is_as_before_when_one_stops_looking() -> None:
    tables = Tables()
    for number, at in enumerate((POD, VOLUME, POD)):
        tables.event(at, number)
    before = dict(tables.now)
    with closing(tables.older(CLAIM)) as views:
        next(views)
        assert tables.now != before
    assert tables.now == before


def test_what_is_long_past_was_seen_by_everybody() -> None:
    tables = Tables()
    for number in range(LATEST + 5):
        tables.event(POD, number)
    assert min(view[POD] for view in tables.views(CLAIM)) == 4


def test_a_kind_may_lag_behind_more_events_of_others_than_the_whole_may() -> None:
    tables = Tables()
    tables.event(VOLUME, 0)
    for number in range(1, 2 * LATEST):
        tables.event(POD, number)
    assert {POD: 2 * LATEST - 1} in tables.views(CLAIM)
