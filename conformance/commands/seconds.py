"""Seconds as an option: a number that ends."""

import math
from typing import Any

import click


class Seconds(click.FloatRange):
    """At least so many seconds, and neither `nan`, which no bound refuses, nor `inf`."""

    name = "number of seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number, or a usage error."""
        found: float = super().convert(value, param, ctx)
        if not math.isfinite(found):
            self.fail(f"{value} is no number of seconds; expected one such as 60", param, ctx)
        return found
