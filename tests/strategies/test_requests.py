"""Requests and faults drawn by themselves: all kinds come up, the model obeys them, bad arguments are refused."""

from collections.abc import Callable

import pytest

from pvkit.backends.errors import UsageError
from pvkit.backends.objects import Key
from pvkit.backends.protocol import Fault, Setup
from pvkit.backends.reference.model import ReferenceModel
from pvkit.strategies.disturbances import faults
from pvkit.strategies.faults import FAULT_WORDS
from pvkit.strategies.operations import changes, deletions, operations, scalings
from tests.strategies.drawing import draws

CLAIM, SET = Key("PersistentVolumeClaim", "default", "c1"), Key("StatefulSet", "default", "web")


def test_every_verb_comes_up_and_names_what_was_given() -> None:
    found = draws(operations([CLAIM, SET]), 150)
    assert {entry.verb for entry in found} == {"get", "patch", "delete", "scale"}
    assert {entry.target for entry in found} == {CLAIM, SET}


def test_deletions_try_every_propagation_and_force() -> None:
    options = [entry.options for entry in draws(deletions([CLAIM]), 150)]
    assert {entry["propagation"] for entry in options if "propagation" in entry} == {
        "Background",
        "Foreground",
        "Orphan",
    }
    assert {"grace": 0} in options


def test_the_model_obeys_every_fault_that_is_drawn() -> None:
    model, found = ReferenceModel(), draws(faults(), 200)
    for entry in found:
        model.reset(Setup(nodes=({"metadata": {"name": "n1"}},)))
        assert model.disturb(entry).status == "ok"
    assert {entry.word for entry in found} == set(FAULT_WORDS)


def test_faults_keep_to_the_controllers_named() -> None:
    found: list[Fault] = draws(faults(words=("hold", "crash"), controllers=("binder",)), 50)
    assert {entry.options["controller"] for entry in found} == {"binder"}


@pytest.mark.parametrize(
    ("ask", "shown"),
    [
        (lambda: operations([]), "at least one"),
        (lambda: deletions([Key("Gadget", "", "g")]), "Gadget"),
        (lambda: changes([Key("Pod", "", "p1")]), "Pod p1"),
        (lambda: scalings([CLAIM]), "c1"),
        (lambda: scalings([SET], most=-1), "-1"),
        (lambda: faults(words=("explode",)), "explode"),
        (lambda: faults(controllers=("nobody",)), "nobody"),
    ],
)
def test_bad_arguments_are_refused_with_the_value(ask: Callable[[], object], shown: str) -> None:
    with pytest.raises(UsageError, match=shown):
        ask()
