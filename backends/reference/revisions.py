"""Revisions: the history of a set's pod template.

A ControllerRevision holds one template. The set's template is looked up among those recorded: an equal one is used
again, and becomes the newest by its number, so a roll-back has no revision of its own. Revisions that nothing refers
to are trimmed to the history limit at the end of a pass.
"""

import json
from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b

from pvkit.backends.objects import Key, Obj, annotate, annotations, get, key, name, namespace, owner_reference
from pvkit.backends.reference.passes import Pass, ask, at_hand, end, live
from pvkit.backends.reference.rules import Effect, Fail, rule
from pvkit.backends.reference.view import Seen
from pvkit.backends.workloads import revision as revision_of_pod

HASH_LABEL = "controller.kubernetes.io/hash"
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"


def data(stateful_set: Obj) -> Obj:
    """What a revision records of a set: its pod template, as a patch that replaces (REV-01)."""
    return {"spec": {"template": {**stateful_set["spec"]["template"], "$patch": "replace"}}}


def template(revision: Obj) -> Obj:
    """The pod template that a revision holds."""
    recorded = get(revision, "data", "spec", "template") or {}
    return {field: value for field, value in recorded.items() if field != "$patch"}


def alike(revision: Obj, stateful_set: Obj) -> bool:
    """Whether a revision holds the set's present template (REV-06)."""
    recorded, wanted = get(revision, "data", "spec", "template") or {}, stateful_set["spec"]["template"]
    return len(recorded) == len(wanted) + 1 and all(recorded.get(field) == wanted[field] for field in wanted)


def revision_name(stateful_set: Obj, collisions: int) -> str:
    """The name of the revision for the set's template: set, dash, a hash of eight to ten characters."""
    return f"{name(stateful_set)}-{_hash(json.dumps(stateful_set['spec']['template'], sort_keys=True), collisions)}"


def current(work: Pass) -> Obj:
    """The revision that the set's status calls current, as long as it is recorded; else the wanted one."""
    assert work.update is not None
    called = (work.stateful_set.get("status") or {}).get("currentRevision")
    return next((revision for revision in work.recorded if name(revision) == called), work.update)


def _use(work: Pass) -> Callable[[Obj], None]:
    def then(revision: Obj) -> None:
        work.update = revision

    return then


def _give_up(seen: Seen) -> Callable[[str], Effect]:
    return lambda reason: end(seen, Fail(seen.refusal))


def _next(work: Pass) -> int:
    return int(work.recorded[-1].get("revision", 0)) + 1 if work.recorded else 1


@lru_cache(maxsize=256)
def _hash(text: str, collisions: int) -> str:
    number = int.from_bytes(blake2b(f"{text}{collisions}".encode(), digest_size=8).digest(), "big")
    letters = []
    for _ in range(8 + number % 3):
        number, letter = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[letter])
    return "".join(letters)


@rule("UPDATE-20", on="StatefulSet")
def roll_back(seen: Seen, at: Key) -> Effect | None:
    """A template that an older revision holds is that revision again: its number becomes the highest."""
    work = at_hand(seen, at)
    if work.update is not None:
        return None
    equal = [revision for revision in work.recorded if alike(revision, work.stateful_set)]
    if not equal:
        return None
    if alike(work.recorded[-1], work.stateful_set):
        work.update = work.recorded[-1]
        return None
    known = seen.lookup(key(equal[-1])) or equal[-1]
    return ask(work, "update", {**known, "revision": _next(work)}, _use(work), _give_up(seen))


@rule("REV-04", on="StatefulSet")
def avoid_collision(seen: Seen, at: Key) -> Effect | None:
    """A revision's name that is taken by another template raises the collision count, and so gives another name."""
    work = at_hand(seen, at)
    if not work.taken:
        return None
    found = live(seen, work, Key("ControllerRevision", namespace(work.stateful_set), work.taken))
    work.taken = ""
    if found is not None and alike(found, work.stateful_set):
        work.update = found
    else:
        work.collisions += found is not None
    return None


@rule("REV-01", on="StatefulSet")
def record_revision(seen: Seen, at: Key) -> Effect | None:
    """A template that no revision holds is recorded in a new one."""
    work = at_hand(seen, at)
    if work.update is not None:
        return None
    called = revision_name(work.stateful_set, work.collisions)
    made = {
        "kind": "ControllerRevision",
        "metadata": {
            "name": called,
            "namespace": namespace(work.stateful_set),
            "labels": {
                **(get(work.stateful_set, "spec", "template", "metadata", "labels") or {}),
                HASH_LABEL: called.rpartition("-")[2],
            },
            "ownerReferences": [owner_reference(work.stateful_set)],
        },
        "data": data(work.stateful_set),
        "revision": _next(work),
    }
    made = annotate(made, **annotations(work.stateful_set)) if annotations(work.stateful_set) else made

    def otherwise(reason: str) -> Effect | None:
        if reason != "AlreadyExists":
            return end(seen, Fail(seen.refusal))
        work.taken = called
        return None

    return ask(work, "create", made, _use(work), otherwise)


@rule("REV-05", on="StatefulSet")
def trim_history(seen: Seen, at: Key) -> Effect | None:
    """The oldest revisions that are neither current nor wanted nor a pod's go, down to the history limit."""
    work = at_hand(seen, at)
    limit = work.stateful_set["spec"].get("revisionHistoryLimit")
    limit = 10 if limit is None else int(limit)
    if limit < 0 or len(work.recorded) <= limit or work.update is None or ("trim", "failed") in work.done:
        return None
    used = {name(work.update), name(work.current or work.update), *map(revision_of_pod, work.members)}
    idle = [revision for revision in work.recorded if name(revision) not in used]
    surplus = idle[: max(len(idle) - limit, 0)]
    oldest = next((revision for revision in surplus if ("trim", name(revision)) not in work.done), None)
    if oldest is None:
        return None

    def otherwise(reason: str) -> None:
        work.done.add(("trim", "failed"))
        work.errors.append(seen.refusal)

    return ask(work, "delete", oldest, lambda _: work.done.add(("trim", name(oldest))), otherwise, blind=True)
