"""A plan as it is played: each step with its answer, and below it the tables that it changed."""

from collections.abc import Callable, Iterator

import yaml

from pvkit.backends.objects import Obj
from pvkit.backends.protocol import Event, Fault, Operation, Settled
from pvkit.conformance.history import Asked, Entry, Expected, History, State
from pvkit.conformance.tables import Table, duration, tables
from pvkit.strategies.plan import Expect, Settle, Step, Turns


class Playback:
    """Hears one plan step by step and says what a person at kubectl would see after each."""

    def __init__(self, say: Callable[[str], None], wide: bool = False) -> None:
        self._say, self._wide = say, wide
        self._state: State | None = None
        self._heard, self._clock = 0, 0.0
        self._shown: dict[str, Table] = {}

    def __call__(self, number: int, step: Step, history: History) -> None:
        """Say what became of a step: its answer, then the tables that are no longer as they were shown."""
        if self._state is None:
            self._state = State(history.header)
        state, before, fresh = self._state, self._clock, history.entries[self._heard :]
        self._heard = len(history.entries)
        for entry in fresh:
            if isinstance(entry, Event):
                state.take(entry)
            elif isinstance(entry, Asked | Settled):
                state.hear(entry)
        self._clock = max(state.time, self._clock + _passed(step))
        answers = [answer for entry in fresh if (answer := _answer(entry, number, before))]
        if isinstance(step, Expect):
            missed = sum(isinstance(entry, Expected) and not entry.met for entry in fresh)
            answers = [f"{missed} not as expected" if missed else "as expected", *answers]
        self._say(f"\n{number + 1}. {described(step)}" + (": " + "\n\n".join(answers) if answers else ""))
        for table in self._changed(state):
            self._say(f"\n{table}")

    def _changed(self, state: State) -> Iterator[str]:
        """The tables in which anything but an age differs from what was shown last."""
        now = tables(state, self._wide)
        for kind in {**now, **self._shown}:
            if kind not in now:
                yield f"no {kind} is left"
            elif kind not in self._shown or now[kind].ageless != self._shown[kind].ageless:
                yield str(now[kind])
        self._shown = now


def _passed(step: Step) -> float:
    """Seconds that a step lets pass, which nothing else may tell of."""
    return float(step.options["seconds"]) if isinstance(step, Fault) and step.word == "advance" else 0.0


def _answer(entry: Entry, number: int, before: float) -> str:
    """What there is to say of an entry; `before` is the clock at the end of the step before.

    The answer to an earlier step, whose place among the events is known only now, is said only if it was no `ok`.
    """
    match entry:
        case Asked(step, _, outcome):
            told = f"{outcome.status} {outcome.code} {outcome.reason}: {outcome.message}"
            if step != number:
                return "" if outcome.status == "ok" else f"step {step + 1} {told}"
            return "ok" if outcome.status == "ok" else told
        case Settled():
            took = f"after {duration(entry.time - before)}"
            return f"settled {took}" if entry.quiet else f"NOT settled {took}: {entry.reason}"
        case Expected() if not entry.met:
            return f"expected:\n{_indented(entry.object)}\nseen:\n{_indented(entry.seen)}"
    return ""


def _indented(obj: Obj | None) -> str:
    text = yaml.safe_dump(obj, sort_keys=False) if obj is not None else "nothing\n"
    return "\n".join(f"    {line}" for line in text.splitlines())


def described(step: Step) -> str:
    """A step in a few words."""
    match step:
        case Settle():
            return "wait until all is quiet"
        case Turns():
            return f"let the controllers take {step.count} turns"
        case Expect():
            return f"look at {len(step.objects)} object{'s' * (len(step.objects) != 1)}"
        case Fault():
            return " ".join([f"[{step.word}]", *(f"{name}={value}" for name, value in step.options.items())])
        case Operation():
            return _asked(step)


def _asked(request: Operation) -> str:
    options = "".join(f" {name}={value}" for name, value in request.options.items())
    if request.object is not None:
        metadata = request.object.get("metadata") or {}
        where = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
        return f"{request.verb} {request.object.get('kind')} {where}{metadata.get('name')}{options}"
    patch = f" {request.patch}" if request.patch is not None else ""
    return f"{request.verb} {request.target}{options}{patch}"
