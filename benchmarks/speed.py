"""How fast: drawing against running and judging, the model alone, the judge alone."""

from time import perf_counter

from benchmarks.drawing import drawn
from benchmarks.figures import command, show
from pvkit.backends.objects import Obj
from pvkit.backends.protocol import Budget, Operation, Setup
from pvkit.backends.reference.model import ReferenceModel
from pvkit.conformance.catalogue import all_invariants
from pvkit.conformance.execute import execute
from pvkit.conformance.judge import judge


def volume(number: int) -> Obj:
    """One of many volumes that differ in size."""
    return {
        "kind": "PersistentVolume",
        "metadata": {"name": f"volume-{number}"},
        "spec": {
            "capacity": {"storage": f"{number % 97 + 1}Gi"},
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "shelf",
            "nfs": {"server": "192.0.2.1", "path": f"/export/{number}"},
        },
    }


def claim(number: int) -> Obj:
    """One of many claims that differ in size, each fitted by a volume."""
    return {
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": f"claim-{number}"},
        "spec": {
            "resources": {"requests": {"storage": f"{number % 97 + 1}Gi"}},
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "shelf",
        },
    }


def main(plans: int = 300) -> None:
    """Measure and print."""
    command()
    invariants = all_invariants()
    draw_seconds, sample = drawn(plans, 1)
    model = ReferenceModel()
    start = perf_counter()
    histories = [execute(plan, model) for plan in sample]
    run_seconds = perf_counter() - start
    start = perf_counter()
    for history in histories:
        judge(history, invariants)
    judge_seconds = perf_counter() - start
    show("execute + check, in units of drawing the same plans", (run_seconds + judge_seconds) / draw_seconds, 1.0)
    entries = sum(len(history.entries) for history in histories)
    show("checking histories of drawn plans", entries / judge_seconds, 20_000, "events/s", at_least=True)
    model.reset(Setup())
    for number in range(1_000):
        model.invoke(Operation("create", volume(number)))
        model.invoke(Operation("create", claim(number)))
    start = perf_counter()
    model.settle(Budget(turns=1_000_000))
    seconds = perf_counter() - start
    show("the model alone", model.engine.schedule.turns / seconds, 20_000, "rule steps/s", at_least=True)


if __name__ == "__main__":
    main()
