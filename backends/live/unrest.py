"""Fault words on a real cluster, obeyed where the proxy runs: lines are troubled, processes paused, killed, doubled.

A component that is killed is started again by the cluster's supervisor. What a word cannot do here is told, with the
reason, and not done.
"""

import asyncio
import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from time import monotonic
from typing import Any

from pvkit.backends.errors import UsageError
from pvkit.backends.live.actors import ABSENT, ACTORS
from pvkit.backends.live.components import Layout
from pvkit.backends.live.furnishing import state_of
from pvkit.backends.live.line import MOST_DELAY, SECONDS_PER_TURN, Line, Trouble
from pvkit.backends.live.processes import is_running, tied

UP_SECONDS = 30.0
"""How long a component that was killed may take until it is at work again."""

CALLS = ("refuse", "lose-answer", "delay")


class Unrest:
    """What is disturbed on one cluster."""

    def __init__(self, layout: Layout, lines: Mapping[str, Line]) -> None:
        self._folder, self._lines = layout.folder, lines
        self._frozen: set[str] = set()
        self._seconds: dict[str, subprocess.Popen[bytes]] = {}

    async def disturb(self, word: str, options: dict[str, Any], only: str = "") -> str:
        """Make a fault; returns "", or why it cannot be made. `only`: the calls of one plan, by its tag."""
        if word == "heal":
            await self.heal()
            return ""
        name = str(options.get("controller", ""))
        if name not in self._lines:
            return ABSENT.get(name) or f"this cluster has no {name}"
        line, rest = self._lines[name], {field: value for field, value in options.items() if field != "controller"}
        if word in CALLS:
            turns = int(rest.pop("turns", 20))
            line.troubles.append(Trouble(word, **rest, only=only, seconds=min(turns * SECONDS_PER_TURN, MOST_DELAY)))
            return ""
        match word:
            case "hold":
                line.hold(rest["kind"])
            case "release":
                line.release(**rest)
            case "freeze" | "thaw":
                self._pause(name, word == "freeze")
            case "second-leader":
                if name in self._seconds:
                    return ""
                self._double(name)
                await self._until_doubled(self._lines[name])
            case "crash":
                return await self._crash(line, only, **rest)
            case _:
                raise UsageError(f"unknown fault {word!r}")
        return ""

    async def _crash(self, line: Line, only: str, after: int = 0, lists: Mapping[str, str] | None = None) -> str:
        if line.actor in self._frozen:
            return f"{line.actor} is paused, and a process that is started again is not"
        listed = set(lists or ()) - line.hideable
        if listed:
            return f"{line.actor} lists {', '.join(sorted(listed))} by a request, which cannot be made to look empty"
        if after > 0:
            line.troubles.append(Trouble("crash", nth=after, only=only))
            return ""
        self.crash(line.actor, tuple(lists or ()))
        await self._until_at_work(line)
        return ""

    def crash(self, name: str, hidden: tuple[str, ...] = ()) -> None:
        """Kill an actor's process, and have it started again."""
        component = ACTORS[name].component
        self._lines[name].restart(hidden)
        self._signal(component, signal.SIGKILL)
        (self._folder / f"{component}.start").touch()

    def _process(self, component: str) -> int:
        """The process id of a component, 0 when it does not run."""
        try:
            process = int((self._folder / f"{component}.pid").read_text())
        except (OSError, ValueError):
            return 0
        return process if is_running(process, self._command(component)) else 0

    def _command(self, component: str) -> list[str]:
        found: list[str] = state_of(self._folder)["commands"][component]
        return found

    def _signal(self, component: str, number: int) -> None:
        process = self._process(component)
        if process:
            with suppress(ProcessLookupError):
                os.kill(process, number)

    def _pause(self, name: str, still: bool) -> None:
        self._signal(ACTORS[name].component, signal.SIGSTOP if still else signal.SIGCONT)
        (self._frozen.add if still else self._frozen.discard)(name)

    def _double(self, name: str) -> None:
        """A second process of an actor, on the same line; it ends with the proxy at the latest."""
        component = ACTORS[name].component
        with (self._folder / f"{component}-second.log").open("ab") as log:
            self._seconds[name] = subprocess.Popen(
                tied(self._command(component)), cwd=self._folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    async def _until_doubled(self, line: Line) -> None:
        """Until the second process watches all that the first does; a kind may be watched more than once by each."""
        wanted = {stream.kind for stream in line.streams}
        before = set(line.streams)
        limit = monotonic() + UP_SECONDS
        while not wanted <= {stream.kind for stream in line.streams - before if stream.synced}:
            if monotonic() > limit:
                raise UsageError(f"a second {line.actor} does not start within {UP_SECONDS:.0f} s")
            await asyncio.sleep(0.02)

    async def _until_at_work(self, line: Line) -> None:
        limit = monotonic() + UP_SECONDS
        while line.busy():
            if monotonic() > limit:
                raise UsageError(f"{line.busy()}, after {UP_SECONDS:.0f} s")
            await asyncio.sleep(0.02)

    async def heal(self) -> None:
        """End every disturbance, and return when everybody is at work again."""
        for name in list(self._frozen):
            self._pause(name, False)
        for second in self._seconds.values():
            second.kill()
        for second in self._seconds.values():
            await asyncio.to_thread(second.wait)
        self._seconds.clear()
        for line in self._lines.values():
            line.heal()
        for line in self._lines.values():
            await self._until_at_work(line)
