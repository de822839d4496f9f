"""Workers that play plans side by side, each on a backend of its own, while the caller draws the next."""

import threading
from collections import deque
from collections.abc import Callable, Sequence

from pvkit.backends.protocol import Backend
from pvkit.strategies.plan import Plan

LOOK_SECONDS = 0.5
"""How often a wait is ended to see whether somebody presses Ctrl-C."""


class Crew:
    """Hands plans to workers; `work` plays one on a backend and must not be slow to end once the run is over."""

    def __init__(self, backends: Sequence[Backend], work: Callable[[Backend, Plan], None]) -> None:
        self._work, self._changed = work, threading.Condition()
        self._waiting: deque[Plan] = deque()
        self._busy, self._ended = 0, False
        self._failed: tuple[BaseException, Plan] | None = None
        self._threads = [
            threading.Thread(target=self._run, args=(backend,), daemon=True, name=f"plans {number}")
            for number, backend in enumerate(backends)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def failed(self) -> "tuple[BaseException, Plan] | None":
        """What a worker raised first, and at which plan."""
        return self._failed

    def hand(self, plan: Plan) -> bool:
        """Give a plan to the next worker that is free; returns once one took it. False when one failed."""
        with self._changed:
            self._waiting.append(plan)
            self._changed.notify_all()
            while self._waiting and self._failed is None:
                self._changed.wait(LOOK_SECONDS)
            return self._failed is None

    def finish(self) -> None:
        """Wait until all that was handed out is done."""
        with self._changed:
            while (self._waiting or self._busy) and self._failed is None:
                self._changed.wait(LOOK_SECONDS)

    def end(self) -> None:
        """Let the workers go when they have done what they are at."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _run(self, backend: Backend) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._ended)
                if self._ended:
                    return
                plan = self._waiting.popleft()
                self._busy += 1
                self._changed.notify_all()
            failure: BaseException | None = None
            try:
                self._work(backend, plan)
            except BaseException as error:  # noqa: BLE001 - it is told where the run is conducted
                failure = error
            with self._changed:
                self._busy -= 1
                if failure is not None and self._failed is None:
                    self._failed = failure, plan
                self._changed.notify_all()
