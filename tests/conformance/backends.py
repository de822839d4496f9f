"""Backends that do as little as a run needs, to see what a run makes of them."""

import threading
from collections.abc import Sequence
from math import inf

from pvkit.backends.errors import BackendError, OutOfTime, UsageError
from pvkit.backends.objects import Obj
from pvkit.backends.protocol import Budget, Departure, Description, Event, Operation, Outcome, Settled, Setup


class Shelf:
    """Keeps what is created and answers nothing else; each operation takes a second. Counts what is asked of it."""

    quiet = True

    def __init__(self) -> None:
        self.plans, self.closed = 0, 0
        self.reset(Setup())
        self.plans = 0

    def reset(self, setup: Setup, schedule: tuple[Departure, ...] = ()) -> None:
        self.plans += 1
        self._setup, self._time, self._fresh = setup, 0.0, list[Event]()

    def invoke(self, operation: Operation) -> Outcome:
        self._time += 1.0
        if operation.object is None:
            return Outcome("failed", 404, "NotFound", "there is nothing here")
        metadata = {"uid": str(self._time), "resourceVersion": str(int(self._time)), **operation.object["metadata"]}
        obj: Obj = {**operation.object, "metadata": metadata}
        self._fresh.append(Event(int(self._time), "ADDED", obj, "client", self._time))
        return Outcome("ok", 201, object=obj)

    def settle(self, budget: Budget) -> Settled:
        return Settled(self.quiet, self._time, "" if self.quiet else "it never rests")

    def observe(self) -> list[Event]:
        fresh, self._fresh = self._fresh, []
        return fresh

    def describe(self) -> Description:
        return Description("a shelf", "1", self._setup.kubernetes_version, ledgers=True, lag=0.0)

    def close(self) -> None:
        self.closed += 1


class Restless(Shelf):
    """Never comes to rest."""

    quiet = False


class Foreign(Shelf):
    """Raises what is no error of the kit, in its third plan."""

    def invoke(self, operation: Operation) -> Outcome:
        if self.plans == 3:
            raise ConnectionResetError("the line is dead")
        return super().invoke(operation)


class Unwilling(Shelf):
    """Raises an error of the kit."""

    def reset(self, setup: Setup, schedule: tuple[Departure, ...] = ()) -> None:
        super().reset(setup, schedule)
        if self.plans > 1:
            raise UsageError("this shelf holds one plan only")


class Choosy(Shelf):
    """Cannot be a world with namespaces of its own, and says so."""

    def refuses(self, setup: Setup) -> str:
        return "this shelf has one board" if setup.namespaces else ""

    def reset(self, setup: Setup, schedule: tuple[Departure, ...] = ()) -> None:
        if self.refuses(setup):
            raise UsageError(self.refuses(setup))
        super().reset(setup, schedule)


class Roomy(Shelf):
    """Plays several plans at once; all that it made is in `rooms`, and how many played at the same time in `most`."""

    def __init__(self) -> None:
        super().__init__()
        self.rooms: list[Roomy] = []
        self.barrier: threading.Barrier | None = None
        self.foreseen, self.left, self.seconds = 0, 0, inf

    def beside(self) -> "Roomy":
        made = type(self)()
        made.barrier = self.barrier
        self.rooms.append(made)
        return made

    def foresee(self, operations: Sequence[Operation]) -> None:
        self.foreseen += 1
        if self.barrier is not None:
            self.barrier.wait(10.0)

    def leave(self) -> None:
        self.left += 1

    def limit(self, seconds: float) -> None:
        self.seconds = seconds


class Belated(Roomy):
    """Is out of time in each plan but the first."""

    def invoke(self, operation: Operation) -> Outcome:
        if self.plans > 1:
            raise OutOfTime("the time is over")
        return super().invoke(operation)


class Untidy(Shelf):
    """Leaves something behind."""

    def close(self) -> None:
        super().close()
        raise BackendError("persistentvolume/left of run abc is left")


class Unmakeable(Shelf):
    """Cannot be made."""

    def __init__(self) -> None:
        raise OSError("no such cluster")


class Unclosable(Shelf):
    """Cannot be closed."""

    def close(self) -> None:
        raise OSError("the door is stuck")


class Interrupted(Shelf):
    """Is interrupted from the keyboard in its fourth plan."""

    def settle(self, budget: Budget) -> Settled:
        if self.plans == 4:
            raise KeyboardInterrupt
        return super().settle(budget)
