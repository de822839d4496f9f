"""Traces: a history on disk, one JSON object a line, to be judged again with no cluster.

The first line is the header, the last one the end mark with the number of entries, so a trace that was cut is known
as such. A file may hold many traces, one behind the other. Lines have sorted keys and hold no time but the backend's
own, so one seed gives the same bytes again.
"""

import json
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self, TextIO

from pvkit.backends.errors import Cause, Place, TraceError, UsageError
from pvkit.backends.objects import Key
from pvkit.backends.protocol import Description, Event, Fault, Operation, Outcome, Settled, Setup
from pvkit.conformance.history import Asked, Entry, Expected, Header, History

VERSION = "pvkit-trace/v1"


def lines(history: History) -> Iterator[str]:
    """The lines of a trace, without line ends."""
    yield dumped(header_fields(history.header))
    for entry in history.entries:
        yield dumped(entry_fields(entry))
    yield dumped({"end": len(history.entries)})


def write_trace(history: History, file: TextIO) -> None:
    """Write a history as a trace."""
    file.writelines(f"{line}\n" for line in lines(history))


class TraceFile:
    """A file that takes one history after another, each as soon as it is whole; raises `UsageError` if it cannot."""

    def __init__(self, path: Path) -> None:
        try:
            self._file = path.open("w", encoding="utf-8")
        except OSError as error:
            raise UsageError(f"cannot write to {path}: {error.strerror}; name another file with --trace") from None

    def write(self, history: History) -> None:
        """Add a history."""
        write_trace(history, self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()


def dumped(fields: Any) -> str:
    """One line of JSON, always the same for the same fields."""
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def header_fields(header: Header) -> dict[str, Any]:
    """The first line."""
    setup, backend = header.setup, header.backend
    return {
        "trace": VERSION,
        "seed": header.seed,
        "plan": header.plan,
        "setup": {
            "kubernetesVersion": setup.kubernetes_version,
            "nodes": list(setup.nodes),
            "namespaces": list(setup.namespaces),
            "gates": dict(setup.gates),
            "options": dict(setup.options),
        },
        "backend": {
            "implementation": backend.implementation,
            "version": backend.version,
            "kubernetesVersion": backend.kubernetes_version,
            "ordered": backend.ordered,
            "ledgers": backend.ledgers,
            "data": backend.data,
            "lacks": dict(backend.lacks),
            "lag": backend.lag,
        },
    }


def entry_fields(entry: Entry) -> dict[str, Any]:
    """Any other line: its one telling field is `event`, `asked`, `settled` or `expected`."""
    match entry:
        case Event():
            return {
                "event": entry.type, "index": entry.index, "by": entry.by, "time": entry.time, "object": entry.object
            }  # fmt: skip
        case Asked(step, request, outcome):
            return {"asked": step, "request": _request_fields(request), "outcome": _outcome_fields(outcome)}
        case Settled():
            return {
                "settled": entry.quiet, "time": entry.time, "reason": entry.reason, "disturbed": list(entry.disturbed)
            }  # fmt: skip
        case Expected():
            return {"expected": entry.step, "object": entry.object, "met": entry.met, "seen": entry.seen}


def _request_fields(request: Operation | Fault) -> dict[str, Any]:
    if isinstance(request, Fault):
        return {"fault": request.word, "options": dict(request.options)}
    target = list(request.target) if request.target else None
    fields = {"verb": request.verb, "object": request.object, "target": target, "patch": request.patch}
    return {name: value for name, value in fields.items() if value is not None} | {"options": dict(request.options)}


def _outcome_fields(outcome: Outcome) -> dict[str, Any]:
    return {
        "status": outcome.status,
        "code": outcome.code,
        "reason": outcome.reason,
        "message": outcome.message,
        "causes": [[cause.field, cause.reason, cause.message] for cause in outcome.causes],
        "object": outcome.object,
    }


def read_trace(path: str | Path) -> tuple[Header, Iterator[Entry]]:
    """The header and the entries of the first trace of a file, read as they are asked for; raises `TraceError`."""
    return next(read_traces(path))


def read_traces(path: str | Path) -> Iterator[tuple[Header, Iterator[Entry]]]:
    """The traces of a file, one after the other: one line in memory at a time; raises `TraceError`.

    The entries of a trace are to be read before the next trace is asked for; those that were not are passed over.
    """
    lines = _lines(str(path))
    for place, fields in lines:
        if fields.get("trace") != VERSION:
            raise TraceError(place, f"trace version {fields.get('trace')!r}", f"{VERSION!r} in the first line")
        entries = _entries(lines, place)
        yield _built(_header, fields, place), entries
        deque(entries, maxlen=0)


def _lines(path: str) -> Iterator[tuple[Place, dict[str, Any]]]:
    """Each line with its place; a file has one at least."""
    number = 0
    try:
        with Path(path).open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                yield Place(path, number), _parsed(line, Place(path, number))
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise TraceError(Place(path, number), f"the file cannot be read ({why})", "a trace") from None
    if number == 0:
        raise TraceError(Place(path), "an empty file", "a trace")


def _parsed(line: str, place: Place) -> dict[str, Any]:
    try:
        fields = json.loads(line)
    except ValueError:
        cut = "a line that breaks off" if not line.endswith("\n") else "no JSON"
        raise TraceError(place, cut, "one JSON object a line") from None
    if not isinstance(fields, dict):
        raise TraceError(place, f"{type(fields).__name__}", "a JSON object")
    return fields


def _entries(lines: Iterator[tuple[Place, dict[str, Any]]], place: Place) -> Iterator[Entry]:
    """The entries up to the end mark."""
    for count, (place, fields) in enumerate(lines):
        if "end" in fields:
            if fields["end"] != count:
                raise TraceError(place, f"{count} entries", f"{fields['end']}, as the end mark says")
            return
        if "trace" in fields:
            raise TraceError(place, "another trace", "the end mark: the trace before was cut off")
        yield _built(_entry, fields, place)
    raise TraceError(place, "the end of the file", "the end mark: the trace was cut off")


def _built(make: Callable[[dict[str, Any]], Any], fields: dict[str, Any], place: Place) -> Any:
    try:
        return make(fields)
    except (KeyError, TypeError, ValueError) as error:
        known = "an `event`, `asked`, `settled` or `expected` with its fields"
        raise TraceError(place, f"an entry that cannot be understood ({error!r})", known) from None


def _header(fields: dict[str, Any]) -> Header:
    setup, backend = fields["setup"], fields["backend"]
    world = Setup(
        setup["kubernetesVersion"], tuple(setup["nodes"]), tuple(setup["namespaces"]), setup["gates"], setup["options"]
    )
    said = Description(
        backend["implementation"], backend["version"], backend["kubernetesVersion"], backend["ordered"],
        backend["ledgers"], backend["lacks"],
        backend["lag"], backend.get("data", False),
    )  # fmt: skip
    return Header(world, said, fields["seed"], fields["plan"])


def _entry(fields: dict[str, Any]) -> Entry:
    if "event" in fields:
        if fields["event"] not in ("ADDED", "MODIFIED", "DELETED"):
            raise ValueError(fields["event"])
        return Event(fields["index"], fields["event"], fields["object"], fields["by"], fields["time"])
    if "asked" in fields:
        return Asked(fields["asked"], _request(fields["request"]), _outcome(fields["outcome"]))
    if "settled" in fields:
        return Settled(fields["settled"], fields["time"], fields["reason"], tuple(fields["disturbed"]))
    return Expected(fields["expected"], fields["object"], fields["met"], fields["seen"])


def _request(fields: dict[str, Any]) -> Operation | Fault:
    if "fault" in fields:
        return Fault(fields["fault"], fields["options"])
    target = Key(*fields["target"]) if fields.get("target") else None
    return Operation(fields["verb"], fields.get("object"), target, fields.get("patch"), fields["options"])


def _outcome(fields: dict[str, Any]) -> Outcome:
    causes = tuple(Cause(*cause) for cause in fields["causes"])
    return Outcome(fields["status"], fields["code"], fields["reason"], fields["message"], causes, fields["object"])
