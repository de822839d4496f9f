"""How cost grows: volumes and claims by the thousand, settled and judged, and the memory it takes."""

import resource
from time import perf_counter

from benchmarks.figures import command, show
from benchmarks.speed import claim, volume
from pvkit.backends.protocol import Budget, Operation, Setup
from pvkit.backends.reference.model import ReferenceModel
from pvkit.conformance.catalogue import all_invariants
from pvkit.conformance.history import Header
from pvkit.conformance.judge import Judge


def settle_and_judge(count: int) -> float:
    """Seconds for so many volumes and as many claims, until all is bound and judged."""
    model = ReferenceModel()
    model.reset(Setup())
    start = perf_counter()
    judge = Judge(Header(Setup(), model.describe()), all_invariants())
    for number in range(count):
        model.invoke(Operation("create", volume(number), options={"at-once": True}))
    for number in range(count):
        model.invoke(Operation("create", claim(number), options={"at-once": True}))
    settled = model.settle(Budget(turns=100 * count))
    for event in model.observe():
        judge.feed(event)
    judge.feed(settled)
    broken = [result.invariant.id for result in judge.finish() if result.broken]
    assert settled.quiet, settled.reason
    assert broken == [], broken
    return perf_counter() - start


def main() -> None:
    """Measure and print."""
    command()
    small = settle_and_judge(1_000)
    large = settle_and_judge(10_000)
    show("1,000 volumes and claims, settled and judged", small, 5.0, "s")
    show("10,000 in units of 1,000", large / small, 15.0)
    show("memory", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 1.0, "GiB")


if __name__ == "__main__":
    main()
