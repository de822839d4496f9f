"""The docket: which invariants are asked about which entries, worked out once for many histories.

Each kind and type of entry has its cases. Invariants that are asked under the same condition (`when`) stand together,
so the condition is looked at once an entry for all of them.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from pvkit.backends.objects import Obj
from pvkit.backends.protocol import VERBS, Fault
from pvkit.conformance.history import Asked, Follower, Header
from pvkit.conformance.invariant import PARTS, Check, Invariant, Scope, When, parts_of
from pvkit.conformance.verdict import Verdict

Case = tuple[When | None, tuple[int, ...]]
"""A condition, None for always, and the places of the invariants that are asked under it."""

TYPES = ("ADDED", "MODIFIED", "DELETED")
ALL_PARTS = (1 << len(PARTS)) - 1
SETTLED = ("Settled", "", ALL_PARTS)
WORDS = {"Asked": (*VERBS, "fault", "other")}
"""What may stand behind a word of `on`: the verb of a request, or the type of a change."""

GAPS = "events"
"""What a backend lacks that missed some of the events: then nothing can be said of what it saw."""
_EVIDENCE = {"order": "ordered", "ledgers": "ledgers", "data": "shows_data"}


@dataclass(frozen=True, slots=True)
class Docket:
    """Invariants by place, how each is asked, the cases of each (kind, type, parts that changed), whom they follow.

    `settled_in_advance` has the verdict, and the reason, of those that are not asked at all.
    """

    invariants: tuple[Invariant, ...]
    checks: tuple[Check, ...]
    cases: dict[tuple[str, str, int], tuple[Case, ...]]
    followers: tuple[type[Follower], ...]
    settled_in_advance: dict[int, tuple[Verdict, str]]


def docket_of(invariants: Iterable[Invariant], header: Header) -> Docket:
    """The docket of some invariants for a history with this header; where two have one id, the later counts."""
    lacking = frozenset(need for need, attribute in _EVIDENCE.items() if not getattr(header.backend, attribute))
    if GAPS in header.backend.lacks:
        lacking |= {GAPS}
    lacks = header.backend.lacks
    told = {"data": lacks["ledgers"], **lacks} if "ledgers" in lacks else lacks  # Who shows no ledgers shows no data.
    reasons = frozenset((need, told[need]) for need in lacking if need in told)
    return _docket(tuple(invariants), header.setup.kubernetes_version, lacking, reasons)


@lru_cache(maxsize=64)
def _docket(
    named: tuple[Invariant, ...], version: str, lacking: frozenset[str], reasons: frozenset[tuple[str, str]]
) -> Docket:
    invariants = tuple({entry.id: entry for entry in named}.values())
    cases: dict[tuple[str, str], dict[When | None, list[int]]] = {}
    followers: dict[type[Follower], None] = {}
    settled_in_advance: dict[int, tuple[Verdict, str]] = {}
    for place, entry in enumerate(invariants):
        verdict = _verdict_in_advance(entry, version, lacking, dict(reasons))
        if verdict is not None:
            settled_in_advance[place] = verdict
            continue
        followers.update(dict.fromkeys(entry.follows))
        for word in _words(entry):
            cases.setdefault(word, {}).setdefault(_condition(entry), []).append(place)
    return Docket(
        invariants,
        tuple(_check(entry) for entry in invariants),
        {(*word, parts): _cases(found, parts) for word, found in cases.items() for parts in _masks(*word)},
        tuple(followers),
        settled_in_advance,
    )


def _cases(found: dict[When | None, list[int]], parts: int) -> tuple[Case, ...]:
    """Those that can hold where just these parts changed."""
    return tuple(
        (when, tuple(places)) for when, places in found.items() if not parts_of(when) or parts & _mask(parts_of(when))
    )


def _masks(kind: str, type: str) -> Iterable[int]:
    return range(ALL_PARTS + 1) if type == "MODIFIED" else (ALL_PARTS,)


def _mask(parts: Iterable[str]) -> int:
    return sum(1 << PARTS.index(part) for part in parts)


def changed_parts(old: Obj | None, new: Obj | None) -> int:
    """Which of `PARTS` may have changed, as bits: what is the same tree did not."""
    if old is None or new is None:
        return ALL_PARTS
    spec, status = old.get("spec") is not new.get("spec"), old.get("status") is not new.get("status")
    marks = old["metadata"].get("annotations") is not new["metadata"].get("annotations")
    return spec | status << 1 | marks << 2


def _verdict_in_advance(
    entry: Invariant, version: str, lacking: frozenset[str], reasons: dict[str, str]
) -> tuple[Verdict, str] | None:
    """What is known before anything is read; what a backend says that it cannot show is no doubt about it."""
    if version not in entry.versions:
        return Verdict.NOT_SUPPORTED, f"not promised by {version}"
    if GAPS in lacking:
        return Verdict.UNKNOWN, "events are missing from the history"
    missing = sorted(entry.needs & lacking)
    if missing and all(need in reasons for need in missing):
        return Verdict.NOT_SUPPORTED, "; ".join(reasons[need] for need in missing)
    return (Verdict.UNKNOWN, f"the history has {', '.join(f'no {need}' for need in missing)}") if missing else None


def _words(entry: Invariant) -> Iterable[tuple[str, str]]:
    if entry.scope is Scope.SETTLED:
        yield SETTLED[:2]
    for word in dict.fromkeys(entry.on):
        kind, _, only = word.partition(" ")
        for type in (only,) if only else WORDS.get(kind, TYPES):
            yield kind, type


def word_of(asked: Asked) -> tuple[str, str, int]:
    """The word under which the answer to a request is filed."""
    if isinstance(asked.request, Fault):
        return "Asked", "fault", ALL_PARTS
    return "Asked", asked.request.verb if asked.request.verb in VERBS else "other", ALL_PARTS


def _of_answers(entry: Invariant) -> bool:
    return any(word.startswith("Asked") for word in entry.on)


def _check(entry: Invariant) -> Check:
    """How an invariant is asked: about one thing and its memory; an answer is one thing with the state."""
    if not _of_answers(entry):
        return entry.check
    check = entry.check
    return lambda answer, memory: check(answer[0], answer[1], memory)


def _condition(entry: Invariant) -> When | None:
    return _spread(entry.when) if entry.when is not None and _of_answers(entry) else entry.when


@cache
def _spread(when: When) -> Callable[[Any], object]:
    """The condition on an answer and a state as one on the pair of both."""
    return lambda answer: when(*answer)
