"""How many plans a second the kit's own control plane takes, several at once: all kinds of plans, and binding alone.

A cluster of its own is started, and ended again. The figures are of the wall clock and of the whole machine, whoever
else uses it, so the seconds of processors that a plan costs are told, too.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from operator import itemgetter
from pathlib import Path
from time import perf_counter

from benchmarks.figures import command, show
from pvkit.backends.live.cluster import layout_of, process_of
from pvkit.backends.live.opening import open_live
from pvkit.conformance.catalogue import all_invariants
from pvkit.conformance.commands.cluster_options import drawn_for
from pvkit.conformance.run_report import RunReport
from pvkit.conformance.run_settings import Settings
from pvkit.conformance.runner import run

NAME, BESIDE = "benchmark", 16
BINDING = ("sizes", "modes", "classes", "selectors", "reservations", "named", "plenty", "edits", "deletions", "pairs")


def main(seconds: float = 60.0) -> None:
    """Measure and print."""
    command()
    with cluster() as folder:
        for what, aim, features in (
            ("plans of the default profile", 3.0, None),
            ("plans of binding alone", 7.0, BINDING),
        ):
            before = processor_seconds(folder)
            report = played(seconds, features)
            spent = {name: used - before[name] for name, used in processor_seconds(folder).items()}
            show(what, report.plans / report.seconds, aim, f"plans/s, {BESIDE} at once", at_least=True)
            plans = max(report.plans, 1)
            show("  what one costs", sum(spent.values()) / plans, 2.0 / aim, "seconds of a processor")
            print("      of it " + ", ".join(f"{name} {used / plans:.2f}" for name, used in ranked(spent)))
            broken = sum(line.broken for line in report.lines)
            show("  broken promises", broken, 0)
            for line in report.lines:
                if line.violation is not None:
                    print(f"      {line.invariant.id}: {line.violation.message}")


@contextmanager
def cluster() -> Iterator[Path]:
    """A control plane with a quick resync, and its folder."""
    pvkit = [sys.executable, "-m", "pvkit", "cluster"]
    subprocess.run([*pvkit, "up", "--name", NAME, "--resync-seconds", "1", "--quiet"], check=True, capture_output=True)
    try:
        layout = layout_of(NAME)
        os.environ["KUBECONFIG"] = str(layout.kubeconfig)
        yield layout.folder
    finally:
        subprocess.run([*pvkit, "down", "--name", NAME], check=True, capture_output=True)


def played(seconds: float, features: tuple[str, ...] | None) -> RunReport:
    """A run of so many seconds."""
    with redirect_stderr(StringIO()):
        live = open_live()
    try:
        plans = drawn_for(live, "default", BESIDE, features)
        asked = Settings(plans=100_000, seconds=seconds, shrink=False, canary=False, parallel=BESIDE, spec="live")
        start = perf_counter()
        report = run(live, all_invariants(), asked, plans)
        print(f"      {report.plans} plans in {perf_counter() - start:.0f} s, {sum(report.skipped.values())} cut short")
        return report
    finally:
        live.close()


def processor_seconds(folder: Path) -> dict[str, float]:
    """What each component of a cluster, and this process, has used."""
    ticks = os.sysconf("SC_CLK_TCK")
    used = {"pvkit": sum(os.times()[:2])}
    for note in folder.glob("*.pid"):
        fields = Path(f"/proc/{process_of(folder, note.stem)}/stat").read_text().rpartition(")")[2].split()
        used[note.stem] = (int(fields[11]) + int(fields[12])) / ticks
    return used


def ranked(spent: dict[str, float]) -> list[tuple[str, float]]:
    """The dearest first; those that hardly count are left out."""
    return sorted(((name, used) for name, used in spent.items() if used > 0.5), key=itemgetter(1), reverse=True)


if __name__ == "__main__":
    main(*(float(word) for word in sys.argv[1:2]))
