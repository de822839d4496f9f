"""Pods that no node would take: what each of them waits for, and when it is tried again.

An event wakes only the pods that wait for its topic. That is narrower than the real queue, which wakes more pods than
an event can help (SCHED-16): a retry that must fail as before writes nothing, so nobody sees the difference. A pod
that nothing wakes is tried again every five minutes.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from pvkit.backends.objects import Key, Obj, uid
from pvkit.backends.reference.rules import STOP, After, Effect
from pvkit.backends.reference.view import Seen

Topic = tuple[str, ...]

NODES: Topic = ("nodes",)
CAPACITY: Topic = ("capacity",)
FLUSH = 300.0
"""Seconds after which a pod that nothing woke is tried again."""
SHORTEST, LONGEST = 1.0, 10.0
"""Seconds of back-off after the first failed attempt, doubling, and at most."""


@dataclass(slots=True)
class Queue:
    """Waiting pods by key with their topics; the reverse; timers that run; failed attempts by pod UID."""

    topics: dict[Key, frozenset[Topic]] = field(default_factory=dict)
    waiting: dict[Topic, dict[Key, None]] = field(default_factory=dict)
    timers: dict[Key, float] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)
    not_before: dict[Key, float] = field(default_factory=dict)


def queue(seen: Seen) -> Queue:
    """The scheduling queue of one scheduler."""
    found: Queue = seen.memory["queue"]
    return found


def topic_of_claim(at: Key) -> Topic:
    """What pods wait for that name a claim."""
    return ("claim", at.namespace, at.name)


def park(seen: Seen, at: Key, pod: Obj, topics: Iterable[Topic]) -> Effect:
    """Let a pod wait for topics, or for the flush; one timer a pod is enough."""
    waiting = queue(seen)
    leave(seen, at)
    waiting.topics[at] = frozenset(topics)
    for topic in waiting.topics[at]:
        waiting.waiting.setdefault(topic, {})[at] = None
    pause = back_off(seen, pod)
    if seen.setup.minor < 33:
        waiting.not_before[at] = seen.now + pause
    if waiting.timers.get(at, -1.0) > seen.now:
        return STOP
    waiting.timers[at] = seen.now + FLUSH
    return After(FLUSH)


def back_off(seen: Seen, pod: Obj) -> float:
    """Count a failed attempt and say how long to wait after it."""
    attempts = queue(seen).attempts
    attempts[uid(pod)] = attempts.get(uid(pod), 0) + 1
    return min(SHORTEST * 2.0 ** min(attempts[uid(pod)] - 1, 10), LONGEST)


def leave(seen: Seen, at: Key) -> None:
    """A pod waits no longer."""
    waiting = queue(seen)
    for topic in waiting.topics.pop(at, ()):
        waiting.waiting[topic].pop(at, None)
        if not waiting.waiting[topic]:
            del waiting.waiting[topic]


def forget(seen: Seen, at: Key, pod: Obj) -> None:
    """Nothing is known of a pod any more."""
    leave(seen, at)
    waiting = queue(seen)
    waiting.attempts.pop(uid(pod), None)
    waiting.not_before.pop(at, None)


def woken(seen: Seen, *topics: Topic) -> list[Key]:
    """The pods that wait for any of these topics.

    Each has a back-off of its own, so of several any may come first.
    """
    waiting = queue(seen).waiting
    found = [*dict.fromkeys(at for topic in topics for at in waiting.get(topic, ()))]
    return [seen.tie(found), *found] if len(found) > 1 else found


def too_early(seen: Seen, at: Key) -> float:
    """Seconds that a woken pod still has to wait: before 1.33 back-off holds even when the scheduler is idle."""
    return max(queue(seen).not_before.get(at, 0.0) - seen.now, 0.0)
