"""Mutants: found by themselves, in force only while asked for, and each with a promise to break."""

from pathlib import Path

import pytest

from pvkit.backends.errors import UsageError
from pvkit.backends.mutants.registry import MutantModel, all_mutants, edit, mutant, named
from pvkit.backends.protocol import Operation, Setup
from pvkit.backends.reference import passes
from pvkit.conformance.catalogue import all_invariants

IDS = {entry.id for entry in all_invariants()}
DISTURBANCES = {"stale", "crash", "lost-answer", "refused", "race", "late", "node", "time", "leader"}


def listed(name: str) -> set[str]:
    """The ids in one of the lists beside this file, which may only shrink."""
    return set((Path(__file__).parent / name).read_text().split())


@pytest.mark.parametrize("id", list(all_mutants()))
def test_a_mutant_says_what_it_breaks_and_which_promise_must_notice(id: str) -> None:
    broken = all_mutants()[id]
    assert broken.sentence.endswith(".")
    assert set(broken.breaks) <= IDS
    assert bool(broken.breaks) != (id in listed("uncaught.txt"))
    assert set(broken.needs) <= DISTURBANCES


@pytest.mark.parametrize("id", list(all_mutants()))
def test_a_mutant_leaves_no_trace(id: str) -> None:
    broken = all_mutants()[id]
    before = [(change.target, change.attribute, getattr(change.target, change.attribute)) for change in broken.make()]
    with broken.active():
        assert any(getattr(target, attribute) is not value for target, attribute, value in before)
    assert all(getattr(target, attribute) is value for target, attribute, value in before)


def test_every_promise_is_broken_by_some_mutant_or_listed_as_not_broken_yet() -> None:
    broken = {id for entry in all_mutants().values() for id in entry.breaks}
    assert IDS - broken == listed("unbroken.txt")


def test_edits_are_undone_even_when_the_model_raises() -> None:
    @mutant("tester", breaks=())
    def broken():  # type: ignore[no-untyped-def]
        """Nothing is parallel."""
        yield edit(passes, "is_parallel", lambda original: lambda stateful_set: False)

    original = passes.is_parallel
    with pytest.raises(ZeroDivisionError), broken.active():
        raise ZeroDivisionError
    assert passes.is_parallel is original


def test_an_unknown_mutant_is_refused_with_a_suggestion() -> None:
    with pytest.raises(UsageError, match="did you mean parallel-is-ordered"):
        named("paralel-is-ordered")


def test_a_mutated_model_is_a_backend_like_any_other() -> None:
    backend = MutantModel(named("parallel-is-ordered"))
    backend.reset(Setup())
    made = backend.invoke(Operation("create", {"kind": "Namespace", "metadata": {"name": "n"}}))
    assert made.status == "ok"
    assert "parallel-is-ordered" in backend.describe().implementation
