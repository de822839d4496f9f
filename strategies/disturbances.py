"""Faults drawn by themselves, for tests of one's own; plans make theirs by moves, so that each meets some work.

The controllers and the kinds that each one watches are those of the reference model; the same names are meant before
a real control plane.
"""

from collections.abc import Iterable, Sequence

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from pvkit.backends.errors import UsageError
from pvkit.backends.objects import LEDGERS, Obj
from pvkit.backends.protocol import Fault
from pvkit.backends.reference.model import CONTROLLERS
from pvkit.strategies.digits import Digits, digits
from pvkit.strategies.faults import FAULT_WORDS
from pvkit.strategies.names import NODES

WATCHED: dict[str, tuple[str, ...]] = {
    entry.name: tuple(kind for kind in entry.watches if kind not in LEDGERS) for entry in CONTROLLERS
}
"""The kinds that each controller has a view of."""
LISTS = ("empty", "stale:1", "stale:2", "stale:4")
ANSWERS = ("conflict", "server-error", "timeout", "quota")


def _checked(what: str, asked: Iterable[str], known: Iterable[str]) -> tuple[str, ...]:
    found, choices = tuple(asked), tuple(known)
    for word in found:
        if word not in choices:
            raise UsageError(f"unknown {what} {word!r}; choose from {', '.join(choices)}")
    if not found:
        raise UsageError(f"no {what} to choose from; name one of {', '.join(choices)}")
    return found


def faults(
    words: Sequence[str] | None = None,
    controllers: Sequence[str] | None = None,
    nodes: Sequence[str] = NODES[:1],
) -> SearchStrategy[Fault]:
    """Disturbances of the words, controllers and nodes named (default: all words, all controllers, the first node).

    Boosted: the first writes after this moment, lists that are empty or old after a crash, views released merged or
    in part. Shrinks to the first word. Raises `UsageError` for an unknown word or controller.
    """
    wanted = _checked("fault", FAULT_WORDS if words is None else words, FAULT_WORDS)
    whom = _checked("controller", WATCHED if controllers is None else controllers, WATCHED)
    where = tuple(nodes)
    if not where:
        raise UsageError("faults(nodes=()): at least one node is needed")
    return st.tuples(st.sampled_from(wanted), digits(6)).map(lambda drawn: fault(drawn[0], drawn[1], whom, where))


def fault(word: str, numbers: Digits, controllers: Sequence[str], nodes: Sequence[str]) -> Fault:
    """The disturbance of a word that the bytes say."""
    who = numbers.pick(controllers)
    kind = numbers.pick(WATCHED[who] or ("Pod",))
    call: Obj = {"controller": who, "kind": kind, "nth": numbers.pick((1, 1, 2, 3))}
    match word:
        case "hold":
            return Fault(word, {"controller": who, "kind": kind})
        case "release":
            return Fault(word, {"controller": who, "kind": kind, **_release(numbers)})
        case "crash":
            lists = {"lists": {kind: numbers.pick(LISTS)}} if numbers.chance(128) else {}
            return Fault(word, {"controller": who, "after": numbers.number(4), **lists})
        case "refuse":
            return Fault(word, {**call, "times": numbers.pick((1, 1, 3)), "answer": numbers.pick(ANSWERS)})
        case "delay":
            return Fault(word, {**call, "turns": numbers.pick((20, 5, 60))})
        case "lose-answer":
            return Fault(word, call)
        case "advance":
            return Fault(word, {"seconds": float(numbers.pick((1, 20, 60, 400)))})
        case "cut-off" | "power-off" | "rejoin":
            return Fault(word, {"node": numbers.pick(nodes)})
        case "storage":
            return Fault(word, {numbers.pick(("refuse", "slow")): 1 + numbers.number(20)})
        case "heal":
            return Fault(word)
    return Fault(word, {"controller": who})


def _release(numbers: Digits) -> Obj:
    how = numbers.pick(("all", "merged", "some"))
    return {"how": how, **({"count": 1 + numbers.number(2)} if how == "some" else {})}
