"""Whether mutants that are said to need a disturbance stay unseen without any.

`python -m benchmarks.faultfree` plays plans without faults on each of them, for so many seconds, and prints a table;
its exit code is 1 when one was noticed.
"""

import sys

import click

from pvkit.backends.mutants.registry import Mutant, MutantModel, all_mutants
from pvkit.conformance.catalogue import all_invariants
from pvkit.conformance.focus import about
from pvkit.conformance.hunt import MOST_PLANS, Catch, hunt
from pvkit.strategies.features import FAULTS
from pvkit.strategies.plans import plans


def in_need() -> list[Mutant]:
    """The mutants that name a disturbance without which nothing shows."""
    return [broken for broken in all_mutants().values() if broken.needs]


def without_faults(broken: Mutant, seed: int, seconds: float, most_plans: int = MOST_PLANS) -> Catch:
    """Look for a breach of what a mutant breaks in plans about just that which disturb nothing."""
    wanted = [entry for entry in all_invariants() if entry.id in broken.breaks]
    features = tuple(feature for feature in about(wanted) if feature not in FAULTS)
    calm = plans(faults=False, about=features)
    return hunt(MutantModel(broken), wanted, calm, seed, seconds, shrink_seconds=0.0, most_plans=most_plans)


@click.command()
@click.option("--seconds", default=20.0, show_default=True, help="For each mutant.")
@click.option("--seed", default=0, show_default=True)
@click.option("--mutant", "chosen", multiple=True, help="Only these; repeatable.")
def main(seconds: float, seed: int, chosen: tuple[str, ...]) -> None:
    """Print which mutants were noticed without a fault, and in how many plans."""
    noticed = 0
    click.echo(" plans  noticed  mutant (needs)")
    for broken in in_need():
        if chosen and broken.id not in chosen:
            continue
        catch = without_faults(broken, seed, seconds)
        noticed += catch.found
        told = f"{catch.plans:6}  {'yes' if catch.found else 'no':>7}  {broken.id} ({', '.join(broken.needs)})"
        click.echo(f"{told}  {catch.message}".rstrip())
    click.echo(f"{noticed} noticed without a fault")
    sys.exit(bool(noticed))


if __name__ == "__main__":
    main()
