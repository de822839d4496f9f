"""How a mutant is written, found and played.

A mutant is the reference model with one small edit, and it says which promise the edit breaks:

    @mutant("ignores-volume-mode", breaks=("PVB-004",), after="kubernetes/kubernetes#84049")
    def ignores_volume_mode() -> Iterable[Edit]:
        \"\"\"The binder does not compare volume modes.\"\"\"
        yield edit(matching, "same_volume_mode", lambda original: lambda volume, claim: True)

Edits are in force only while the mutated backend is being called, so plans are still drawn along the correct model.
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from pvkit.backends import mutants
from pvkit.backends.errors import UsageError
from pvkit.backends.protocol import Budget, Departure, Description, Event, Fault, Operation, Outcome, Settled, Setup
from pvkit.backends.reference.model import ReferenceModel


@dataclass(frozen=True, slots=True)
class Edit:
    """One attribute of one thing (a module's function, a rule's body, a controller's table) replaced."""

    target: Any
    attribute: str
    replacement: Any


def edit(target: Any, attribute: str, make: Callable[[Any], Any]) -> Edit:
    """An edit whose replacement is made from the original."""
    return Edit(target, attribute, make(getattr(target, attribute)))


@dataclass(frozen=True, slots=True)
class Mutant:
    """The model with one thing broken.

    `breaks`: ids of the invariants that must notice. `after`: the published bug or upstream test it stands for, as
    `owner/repo#number` or an id of the list of blind upstream checks. `needs`: the kinds of disturbance without which
    it must not be noticed (`stale`, `crash`, `lost-answer`, `refused`, `race`); empty for one that plain plans show.
    `canary`: plans show it so often that an ordinary run may be staked on it.
    """

    id: str
    breaks: tuple[str, ...]
    after: tuple[str, ...]
    needs: tuple[str, ...]
    family: str
    make: Callable[[], Iterable[Edit]]
    canary: bool = False

    @property
    def sentence(self) -> str:
        """What is broken, in English: the first line of the docstring."""
        return (self.make.__doc__ or "").strip().split("\n")[0]

    @contextmanager
    def active(self) -> Iterator[None]:
        """Put the edits in force for a while."""
        kept: list[Edit] = []
        try:
            for change in self.make():
                kept.append(Edit(change.target, change.attribute, getattr(change.target, change.attribute)))
                setattr(change.target, change.attribute, change.replacement)
            yield
        finally:
            for change in reversed(kept):
                setattr(change.target, change.attribute, change.replacement)


def mutant(
    id: str,
    *,
    breaks: tuple[str, ...],
    after: str | tuple[str, ...] = (),
    needs: tuple[str, ...] = (),
    family: str = "",
    canary: bool = False,
) -> Callable[[Callable[[], Iterable[Edit]]], Mutant]:
    """Declare a mutant; the first line of the docstring says what is broken."""

    def declare(make: Callable[[], Iterable[Edit]]) -> Mutant:
        return Mutant(id, breaks, (after,) if isinstance(after, str) else after, needs, family, make, canary)

    return declare


@cache
def all_mutants() -> dict[str, Mutant]:
    """All mutants by id, found by walking the folder in sorted order."""
    found: dict[str, Mutant] = {}
    for module in sorted(entry.name for entry in pkgutil.iter_modules(mutants.__path__)):
        for value in vars(importlib.import_module(f"{mutants.__name__}.{module}")).values():
            if isinstance(value, Mutant):
                if found.get(value.id, value) is not value:
                    raise UsageError(f"two mutants have the id {value.id}")
                found[value.id] = value
    return dict(sorted(found.items()))


def named(id: str) -> Mutant:
    """The mutant of that id; raises `UsageError` with the nearest ones."""
    if id not in all_mutants():
        import difflib

        near = difflib.get_close_matches(id, all_mutants(), n=3, cutoff=0.4)
        raise UsageError(
            f"no mutant {id!r}; " + (f"did you mean {' or '.join(near)}?" if near else "see `pvkit list mutants`")
        )
    return all_mutants()[id]


class MutantModel:
    """A `Backend` that plays the reference model with one mutant's edits in force."""

    def __init__(self, broken: Mutant) -> None:
        self.mutant = broken
        self._model = ReferenceModel()

    def reset(self, setup: Setup, schedule: tuple[Departure, ...] = ()) -> None:
        """As the model does."""
        with self.mutant.active():
            self._model.reset(setup, schedule)

    def invoke(self, operation: Operation) -> Outcome:
        """As the model does, broken."""
        with self.mutant.active():
            return self._model.invoke(operation)

    def settle(self, budget: Budget) -> Settled:
        """As the model does, broken."""
        with self.mutant.active():
            return self._model.settle(budget)

    def run(self, turns: int) -> None:
        """As the model does, broken."""
        with self.mutant.active():
            self._model.run(turns)

    def disturb(self, fault: Fault) -> Outcome:
        """As the model does, broken."""
        with self.mutant.active():
            return self._model.disturb(fault)

    def observe(self) -> list[Event]:
        """As the model does."""
        return self._model.observe()

    def fault_words(self) -> frozenset[str]:
        """As the model does."""
        return self._model.fault_words()

    def describe(self) -> Description:
        """The model, with the mutant named."""
        said = self._model.describe()
        return replace(said, implementation=f"{said.implementation}, mutant {self.mutant.id}")

    def close(self) -> None:
        """Nothing to leave behind."""
