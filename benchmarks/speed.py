"""How fast: drawing against running and judging, the model alone, the judge alone.

A plan is run and judged, and then forgotten, as a run does it. The judge is measured on plans as they are drawn, on
those of them that have faults, and on one long history and its first half, which shows that an event costs the same
however many came before it. Seconds are those of a processor, so that others may use the machine meanwhile.
"""

import sys
from time import process_time

from benchmarks.drawing import drawn
from benchmarks.figures import command, show
from pvkit.backends.objects import Key, Obj
from pvkit.backends.protocol import Budget, Fault, Operation, Setup
from pvkit.backends.reference.model import ReferenceModel
from pvkit.conformance.catalogue import all_invariants
from pvkit.conformance.execute import execute
from pvkit.conformance.history import History
from pvkit.conformance.judge import judge
from pvkit.strategies.plan import Plan, Settle, Step


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
    draw_seconds, sample = drawn(plans, 1)
    clock = Stopwatch()
    faulty = Stopwatch()
    for plan in sample:
        clock.play(plan)
    show("execute + check, in units of drawing the same plans", (clock.run + clock.check) / draw_seconds, 1.0)
    show("execute, in the same units", clock.run / draw_seconds, 1.0)
    show("checking histories of drawn plans", clock.entries / clock.check, 20_000, "events/s", at_least=True)
    for plan in sample:
        if any(isinstance(step, Fault) for step in plan.steps):
            faulty.play(plan)
    show("checking those with faults", faulty.entries / faulty.check, 20_000, "events/s", at_least=True)
    show_long_history()
    show_model()


class Stopwatch:
    """Seconds spent on running plans and on judging their histories, and how many entries these had."""

    def __init__(self) -> None:
        self.model = ReferenceModel()
        self.run = self.check = 0.0
        self.entries = 0

    def play(self, plan: Plan) -> None:
        """Run and judge one plan."""
        start = process_time()
        history = execute(plan, self.model)
        self.run += process_time() - start
        self.check += seconds_to_check(history)
        self.entries += len(history.entries)


def show_long_history(events: int = 5_000) -> None:
    """A plan of many small waves: claims and volumes come, are bound, and go; the best of three."""
    steps = tuple(step for number in range(events // 18) for step in wave(number))
    whole = execute(Plan(steps), ReferenceModel())
    half = History(whole.header, whole.entries[: len(whole.entries) // 2])
    long, short = (min(seconds_to_check(history) for _ in range(3)) for history in (whole, half))
    rate, rate_of_half = len(whole.entries) / long, len(half.entries) / short
    show(f"checking a history of {len(whole.entries):,} entries", rate, 20_000, "events/s", at_least=True)
    show("its cost an entry, in units of that in its first half", rate_of_half / rate, 1.25)


def seconds_to_check(history: History) -> float:
    """What judging a history takes."""
    start = process_time()
    judge(history, all_invariants())
    return process_time() - start


def wave(number: int) -> tuple[Step, ...]:
    """A volume and a claim that meet, and are deleted."""
    made = volume(number), claim(number)
    creates = (Operation("create", obj) for obj in made)
    deletes = (
        Operation(
            "delete", target=Key(obj["kind"], "default" if "Claim" in obj["kind"] else "", obj["metadata"]["name"])
        )
        for obj in reversed(made)
    )
    return (*creates, Settle(), *deletes, Settle())


def show_model() -> None:
    """Rule steps of the model while a thousand volumes and claims meet."""
    model = ReferenceModel()
    model.reset(Setup())
    for number in range(1_000):
        model.invoke(Operation("create", volume(number)))
        model.invoke(Operation("create", claim(number)))
    start = process_time()
    model.settle(Budget(turns=1_000_000))
    seconds = process_time() - start
    show("the model alone", model.engine.schedule.turns / seconds, 20_000, "rule steps/s", at_least=True)


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:2]))
