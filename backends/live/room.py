"""Room for plans side by side on a cluster of the kit's own.

What has no class could be taken for any other plan's, and a default class is given to everybody's claims. So side by
side "no class" is a class of the plan's own, as on a cluster that others use; then neither can happen. A plan that is
about default classes needs the real thing, and of such plans one at a time is played beside the others.
"""

import threading
from collections.abc import Iterable
from math import inf
from time import monotonic

from pvkit.backends.errors import OutOfTime
from pvkit.backends.live.guest import gives_defaults, leaves_no_class, said_of
from pvkit.backends.protocol import Operation

LOOK_SECONDS = 0.5
"""How often who waits looks whether the time is over."""


def is_about_defaults(operations: Iterable[Operation]) -> bool:
    """Whether a plan can be told truly only where "no class" means that: default classes, or a claim's class changed.

    A claim that named no class may be given one later, which a claim of the plan's own class may not.
    """
    return any(
        gives_defaults(dict(said_of(operation)))
        or leaves_no_class(operation)
        or (_kind(operation) == "PersistentVolumeClaim" and _changes_class(operation))
        for operation in operations
    )


def _kind(operation: Operation) -> str:
    return operation.target.kind if operation.target else str((operation.object or {}).get("kind"))


def _changes_class(operation: Operation) -> bool:
    """Whether it may; an update always says the class, be it the same."""
    return operation.verb == "update" or (operation.verb == "patch" and "storageClassName" in dict(said_of(operation)))


class Room:
    """What the backends of one cluster share: whether there are several, and who of them plays with real defaults.

    `deadline` (of `monotonic`) is the end of all plans.
    """

    def __init__(self) -> None:
        self.shared = False
        self.deadline = inf
        self._changed = threading.Condition()
        self._holder: object = None

    def take(self, who: object) -> None:
        """Wait until nobody else's plan is about default classes."""
        with self._changed:
            while self._holder not in (None, who):
                self.check()
                self._changed.wait(LOOK_SECONDS)
            self._holder = who

    def check(self) -> None:
        """Raise `OutOfTime` once the time is over."""
        if monotonic() >= self.deadline:
            raise OutOfTime("the time of the run is over")

    def free(self, who: object) -> None:
        """Let the next one in, if it was taken."""
        with self._changed:
            if self._holder is who:
                self._holder = None
                self._changed.notify_all()
