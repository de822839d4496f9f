"""Every invariant there is, found by walking the folder of topics in sorted order."""

import importlib
import pkgutil
from functools import cache

from pvkit.backends.errors import UsageError
from pvkit.conformance import invariants
from pvkit.conformance.invariant import Invariant


@cache
def all_invariants() -> tuple[Invariant, ...]:
    """All invariants by ascending id; raises `UsageError` when two have one id."""
    found: dict[str, Invariant] = {}
    for module in sorted(entry.name for entry in pkgutil.iter_modules(invariants.__path__)):
        topic = importlib.import_module(f"{invariants.__name__}.{module}")
        for value in vars(topic).values():
            if isinstance(value, Invariant) and value.check.__module__ == topic.__name__:
                if value.id in found:
                    raise UsageError(f"two invariants have the id {value.id}: {found[value.id].name} and {value.name}")
                found[value.id] = value
    return tuple(found[id] for id in sorted(found))


def selected(include: tuple[str, ...] = (), exclude: tuple[str, ...] = ()) -> tuple[Invariant, ...]:
    """The invariants that ids, topics, levels or tags name; all of them when `include` is empty.

    Raises `UsageError` for a word that names nothing, with the nearest that would.
    """
    for word in (*include, *exclude):
        if not any(_named(word, entry) for entry in all_invariants()):
            raise UsageError(f"no invariant, topic or tag {word!r}; {_nearest(word)}")
    return tuple(
        entry
        for entry in all_invariants()
        if (not include or any(_named(word, entry) for word in include))
        and not any(_named(word, entry) for word in exclude)
    )


def _named(word: str, entry: Invariant) -> bool:
    return word.lower() in {entry.id.lower(), entry.topic, entry.level.value, entry.name, *entry.tags}


def _nearest(word: str) -> str:
    import difflib

    words = {w for entry in all_invariants() for w in (entry.id, entry.topic, entry.name, *entry.tags)}
    begun = sorted(w for w in words if w.lower().startswith(word.lower()))[:3]
    near = begun or difflib.get_close_matches(word, sorted(words), n=3, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else "`pvkit list invariants` shows them all"
