"""How soon: what `pvkit --help` takes, and that it does not wait for the client of a cluster."""

import subprocess
import sys
from statistics import median
from time import perf_counter

from benchmarks.figures import command, show

HELP = "import sys; from pvkit.conformance.cli import main; sys.argv = ['pvkit', '--help']; main()"
LOADED = "import sys; import pvkit.conformance.cli; print('kubernetes' in sys.modules)"


def seconds() -> float:
    """What a fresh process takes to print the help."""
    start = perf_counter()
    subprocess.run([sys.executable, "-c", HELP], check=True, capture_output=True)
    return perf_counter() - start


def main(times: int = 10) -> None:
    """Measure and print."""
    command()
    seconds()
    show(f"pvkit --help, median of {times}", median(seconds() for _ in range(times)), 0.3, "s")
    loaded = subprocess.run([sys.executable, "-c", LOADED], check=True, capture_output=True, text=True).stdout.strip()
    show("clients of a cluster imported by it", int(loaded == "True"), 0)


if __name__ == "__main__":
    main()
