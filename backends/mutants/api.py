"""API servers that store what they should refuse, or forget what they should keep."""

from collections.abc import Iterable
from typing import Any

from pvkit.backends.mutants.registry import Edit, edit, mutant
from pvkit.backends.objects import finalizers
from pvkit.backends.reference import admission, requests
from pvkit.backends.reference.store import Store


@mutant("conflicts-ignored", breaks=("API-021",), after="kubernetes/kubernetes#89466", family="RESERVE")
def conflicts_ignored() -> Iterable[Edit]:
    """An update based on an old version is stored."""

    yield edit(requests, "check_version", lambda original: lambda at, old, wanted: None)


@mutant("preconditions-ignored", breaks=("API-025",), after="kubernetes/kubernetes#25224", family="NAME")
def preconditions_ignored() -> Iterable[Edit]:
    """A delete that names a UID removes whatever has the name."""

    def make(original: Any) -> Any:
        def delete(self: Any, at: Any, by: str = "client", **options: Any) -> Any:
            kept = {word: value for word, value in options.items() if word not in ("uid", "version")}
            return original(self, at, by, **kept)

        return delete

    yield edit(Store, "delete", make)


@mutant("everything-mutable", breaks=("API-010",), family="FIELD")
def everything_mutable() -> Iterable[Edit]:
    """What must never change after creation may change."""

    def make(original: Any) -> Any:
        return lambda old, new, subresource, store: new

    yield edit(admission, "on_update", make)


@mutant("finalizers-ignored", breaks=("API-006",), after="kubernetes-sigs/kwok#925", family="FINAL")
def finalizers_ignored() -> Iterable[Edit]:
    """A deleted object goes at once, whatever finalizers it has."""

    def make(original: Any) -> Any:
        def delete(self: Any, at: Any, by: str = "client", **options: Any) -> Any:
            old = self.read(at)
            if old is not None and finalizers(old):
                return self._remove(at, old, by)
            return original(self, at, by, **options)

        return delete

    yield edit(Store, "delete", make)


@mutant("generation-never-grows", breaks=("API-008",), family="COUNT")
def generation_never_grows() -> Iterable[Edit]:
    """A change of the spec leaves the generation as it was."""
    yield edit(admission, "has_generation", lambda original: lambda kind: False)
