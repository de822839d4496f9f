"""False alarms: plans with faults on the correct model, on which no invariant may cry and none may crash."""

import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

from benchmarks.drawing import drawn
from benchmarks.figures import command, show
from pvkit.backends.reference.model import ReferenceModel
from pvkit.conformance.catalogue import all_invariants
from pvkit.conformance.execute import execute
from pvkit.conformance.judge import judge
from pvkit.conformance.verdict import Verdict
from pvkit.strategies.plan_file import write_plan

CHUNK = 500


def alarms(seed: int) -> tuple[int, Counter[str], dict[str, str]]:
    """Plans tried for one seed, the ids that cried or crashed, and the first plan of each as YAML."""
    _, sample = drawn(CHUNK, seed)
    model, cried, shown = ReferenceModel(), Counter[str](), dict[str, str]()
    for plan in sample:
        for result in judge(execute(plan, model), all_invariants()):
            if result.verdict is Verdict.FAIL or (result.verdict is Verdict.UNKNOWN and "Traceback" in result.reason):
                if not cried[result.invariant.id]:
                    detail = result.violations[0].message if result.violations else result.reason
                    shown[result.invariant.id] = f"# {result.invariant.id}, seed {seed}: {detail}\n{write_plan(plan)}"
                cried[result.invariant.id] += 1
    return len(sample), cried, shown


def main(total: int = 20_000) -> None:
    """Measure and print."""
    command()
    tried, cried = 0, Counter[str]()
    with ProcessPoolExecutor(2) as pool:
        for count, ids, shown in pool.map(alarms, range(-(-total // CHUNK))):
            tried += count
            print("\n".join(text for id, text in shown.items() if id not in cried), end="", flush=True)
            cried += ids
    print(f"{tried:,} plans; alarms by invariant: {dict(cried)}")
    show("false alarms", sum(cried.values()), 0)


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:2]))
