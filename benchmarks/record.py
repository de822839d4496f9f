"""The track record: the smallest plan known that shows each published bug, as a file that is replayed for ever.

A file is named after the thread, holds one plan, and is judged by `tests/track_record`. A smaller plan replaces a
greater one; nothing else ever changes a file.
"""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from pvkit.backends.mutants.registry import Mutant, all_mutants
from pvkit.conformance.selftest import Pair, try_pair
from pvkit.strategies.plan import size
from pvkit.strategies.plan_file import read_plans, write_plan

FOLDER = Path(__file__).parents[1] / "tests" / "track_record"


def file_of(thread: str) -> Path:
    """Where the plan for a thread such as `kubernetes/kubernetes#105131` is kept."""
    repository, _, number = thread.partition("#")
    return FOLDER / f"{repository.rpartition('/')[2]}-{number}.yaml"


def cases() -> Iterator[tuple[str, Mutant]]:
    """Each published bug with each mutant that stands for it."""
    for broken in all_mutants().values():
        yield from ((thread, broken) for thread in broken.after if "#" in thread)


def record(thread: str, broken: Mutant, seconds: float) -> str:
    """Hunt for a plan that shows the bug; keep it when it is smaller than the one that is there."""
    catches = [try_pair(Pair(broken.id, id), 1, seconds) for id in broken.breaks]
    found = [catch.plan for catch in catches if catch.plan is not None]
    if not found:
        return "not found"
    smallest = replace(min(found, key=size), name=thread, features=())
    path = file_of(thread)
    if path.exists() and size(read_plans(path)[0]) <= size(smallest):
        return "kept"
    path.write_text(write_plan(smallest), encoding="utf-8")
    return f"{size(smallest)} steps"


def main(seconds: float = 10.0, *wanted: str) -> None:
    """Record all cases, or those whose thread or mutant is named."""
    for thread, broken in cases():
        if not wanted or thread in wanted or broken.id in wanted:
            print(f"{thread:48} {broken.id:36} {record(thread, broken, seconds)}", flush=True)


if __name__ == "__main__":
    main(*(float(word) for word in sys.argv[1:2]), *sys.argv[2:])
