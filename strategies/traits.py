"""Traits: small differences from the plainest object, each in one direction only.

A volume or claim is a plain one with a few traits, so it shrinks by losing them, and reads as a person would write it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from hypothesis.strategies import SearchStrategy

from pvkit.backends.errors import UsageError
from pvkit.backends.objects import Obj
from pvkit.strategies.digits import Digits

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Trait:
    """Fields of a spec, labels, annotations and finalizers that an object has; a field that is `None` it lacks.

    `feature` names what it belongs to, so that a plan can leave it out.
    """

    feature: str = ""
    spec: Mapping[str, Any] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    finalizers: tuple[str, ...] = ()


def with_traits(obj: Obj, *traits: Trait) -> Obj:
    """A copy with all the traits, later ones over earlier ones."""
    spec, metadata = dict(obj.get("spec") or {}), dict(obj["metadata"])
    for trait in traits:
        spec.update(trait.spec)
        for part, marks in (("labels", trait.labels), ("annotations", trait.annotations)):
            if marks:
                metadata[part] = {**metadata.get(part, {}), **marks}
        if trait.finalizers:
            metadata["finalizers"] = [*metadata.get("finalizers", ()), *trait.finalizers]
    return {**obj, "metadata": metadata, "spec": {name: value for name, value in spec.items() if value is not None}}


HOW_MANY = (0, 0, 0, 1, 1, 1, 1, 2, 2, 3)
"""How many traits an object gets, when nothing else is said."""


def chosen(digits: Digits, pool: tuple[Trait, ...], features: frozenset[str] | None) -> list[Trait]:
    """A few traits of a pool; those of features that do not take part are left out."""
    found = [digits.pick(pool) for _ in range(digits.pick(HOW_MANY))]
    return [trait for trait in found if features is None or trait.feature in features]


def known_features(features: tuple[str, ...] | None, pool: tuple[Trait, ...]) -> frozenset[str] | None:
    """The features as a set; raises `UsageError` for one that no trait of the pool belongs to."""
    return checked_features(features, {trait.feature for trait in pool})


def checked_features(features: tuple[str, ...] | None, known: Collection[str]) -> frozenset[str] | None:
    """The features as a set, `None` for all; raises `UsageError` for one that is not known."""
    if features is None:
        return None
    for feature in features:
        if feature not in known:
            raise UsageError(f"unknown feature {feature!r}; choose from {', '.join(sorted(known))}")
    return frozenset(features)


def given_or(given: SearchStrategy[T] | None, own: SearchStrategy[T]) -> SearchStrategy[T]:
    """The strategy that was given, or the one of ours; strategies have no truth value to ask for."""
    return own if given is None else given
