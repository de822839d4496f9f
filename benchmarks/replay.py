"""Determinism: the same seed gives the same bytes of trace, time after time."""

import hashlib
import sys

from benchmarks.drawing import drawn
from benchmarks.figures import command, show
from pvkit.backends.reference.model import ReferenceModel
from pvkit.conformance.execute import execute
from pvkit.conformance.trace import lines


def digest(number: int) -> str:
    """A digest of all traces of the plans of one seed."""
    _, sample = drawn(20, number)
    model, total = ReferenceModel(), hashlib.sha256()
    for plan in sample:
        for line in lines(execute(plan, model)):
            total.update(line.encode())
    return total.hexdigest()


def main(times: int = 1_000) -> None:
    """Measure and print: one seed in twenty is drawn afresh, each digest is compared with a second run."""
    command()
    equal = sum(digest(number % 20) == digest(number % 20) for number in range(times // 20)) * 20
    show("seeds whose bytes are the same again", equal, times, at_least=True)


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:2]))
