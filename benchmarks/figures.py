"""One line a figure: what was measured, what was aimed at, and whether it was reached."""

import sys

from pvkit.conformance.cli import collect_seldom


def show(what: str, value: float, aim: float, unit: str = "", at_least: bool = False) -> bool:
    """Print a figure beside its aim; returns whether it was reached."""
    reached = value >= aim if at_least else value <= aim
    sign = ">=" if at_least else "<="
    print(f"{'ok  ' if reached else 'MISS'}  {what}: {value:,.4g} {unit} (aim {sign} {aim:,g})", flush=True)
    return reached


def command() -> None:
    """Print how to repeat this measurement, and be as the program is."""
    collect_seldom()
    module = getattr(sys.modules["__main__"], "__spec__", None)
    name = module.name if module else sys.argv[0]
    print(f"repeat with: python -m {' '.join([name, *sys.argv[1:]])}", flush=True)
