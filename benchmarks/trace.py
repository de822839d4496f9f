"""A long trace: written, read back line by line and judged, and the memory that reading takes.

The trace repeats what a small history is made of, waves of claims and volumes that come and go, so it may be as long
as it likes. Reading and judging go on in a process of their own, of which the memory is measured.
"""

import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import process_time

from benchmarks.figures import command, show
from benchmarks.speed import wave
from pvkit.backends.protocol import Budget, Operation, Setup
from pvkit.backends.reference.model import ReferenceModel
from pvkit.conformance.catalogue import all_invariants
from pvkit.conformance.history import Asked, Entry, Header
from pvkit.conformance.judge import Judge
from pvkit.conformance.trace import dumped, entry_fields, header_fields, read_trace

SOME, MANY = 20_000, 1_000_000


def entries(model: ReferenceModel, least: int) -> Iterator[Entry]:
    """At least so many entries, as they arise; a wave is whole. What the model's log holds of them is let go."""
    log, count, number = model.engine.store.log, 0, 0
    while count < least:
        for step in wave(number):
            last: Entry = (
                Asked(number, step, model.invoke(step)) if isinstance(step, Operation) else model.settle(Budget())
            )
            events = model.observe()
            log[len(log) - len(events) :] = [log[0]] * len(events)
            count += len(events) + 1
            yield from (*events, last)
        number += 1


def write(path: Path, least: int) -> int:
    """Write a trace; returns how many entries it has."""
    model, count = ReferenceModel(), 0
    model.reset(Setup())
    with path.open("w", encoding="utf-8") as file:
        print(dumped(header_fields(Header(Setup(), model.describe()))), file=file)
        for count, entry in enumerate(entries(model, least), start=1):  # noqa: B007 - the last number is the count
            print(dumped(entry_fields(entry)), file=file)
        print(dumped({"end": count}), file=file)
    return count


def check(path: Path) -> None:
    """Read and judge a trace, and print the seconds and the memory that it took."""
    start = process_time()
    header, found = read_trace(path)
    judge = Judge(header, all_invariants())
    for entry in found:
        judge.feed(entry)
    broken = [result.invariant.id for result in judge.finish() if result.broken]
    assert broken == [], broken
    print(process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)


def main(events: int = SOME) -> None:
    """Measure and print; `MANY` by the first argument for the full size."""
    command()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.jsonl"
        count = write(path, events)
        told = subprocess.run(
            [sys.executable, "-m", "benchmarks.trace", "--check", str(path)], check=True, capture_output=True, text=True
        ).stdout
    seconds, gibibytes = map(float, told.split())
    show(f"memory for reading and checking a trace of {count:,} entries", gibibytes, 1.0, "GiB")
    show("reading and checking", count / seconds, 5_000, "entries/s", at_least=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--check"]:
        check(Path(sys.argv[2]))
    else:
        main(*(int(word) for word in sys.argv[1:2]))
