"""The worked example of another implementation: the kit finds what it forgets, and is content once it is mended."""

from pathlib import Path

import pytest

from docs.shelf import Shelf
from pvkit.backends.objects import Obj, labels, selects
from pvkit.backends.storage import access_modes, attributes_class, selector, volume_mode
from pvkit.conformance.catalogue import selected
from pvkit.conformance.focus import plans_about
from pvkit.conformance.hunt import Catch, hunt
from pvkit.strategies.plan import size

PAGE = (Path(__file__).parents[2] / "docs" / "your-own.md").read_text(encoding="utf-8")
FORGOTTEN = ("PVB-002", "PVB-004", "PVB-005", "PVB-006")


class Mended(Shelf):
    """The example with what it forgot."""

    def fits(self, volume: Obj, claim: Obj) -> bool:
        return (
            super().fits(volume, claim)
            and access_modes(volume) >= access_modes(claim)
            and volume_mode(volume) == volume_mode(claim)
            and attributes_class(volume) == attributes_class(claim)
            and selects(selector(claim), labels(volume))
        )


def hunted(backend: Shelf, *ids: str) -> Catch:
    wanted = selected(ids, ())
    return hunt(backend, wanted, plans_about(wanted), 1, seconds=60.0, shrink_seconds=30.0, most_plans=80)


@pytest.mark.parametrize("id", FORGOTTEN)
def test_what_the_example_forgets_is_found_and_shown_in_a_few_steps(id: str) -> None:
    caught = hunted(Shelf(), id)
    assert caught.plan is not None
    assert size(caught.plan) <= 6


def test_the_mended_example_keeps_what_it_forgot_and_what_it_never_forgot() -> None:
    assert not hunted(Mended(), *FORGOTTEN, "PVB-001", "PVB-003").found


def test_the_page_tells_what_is_forgotten_and_the_example_is_short() -> None:
    assert "`PVB-004`" in PAGE
    assert "`PVB-005`" in PAGE
    lines = [
        line for line in (Path(__file__).parents[2] / "docs" / "shelf.py").read_text().splitlines() if line.strip()
    ]
    assert len(lines) < 60
