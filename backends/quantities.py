"""Kubernetes quantities, compared exactly.

A quantity is a decimal number with a suffix: `1Gi`, `0.5Gi`, `1500m`, `1e3`. `amount` gives its exact value, so that
`1024Mi` equals `1Gi` and `1G` does not. `canonical` writes it as an API server stores it (`0.5Gi` becomes `512Mi`).
Source: k8s.io/apimachinery/pkg/api/resource, restated.
"""

import re
from fractions import Fraction
from functools import lru_cache

from pvkit.backends.errors import UsageError

Amount = int | Fraction

_FORM = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))([eE][+-]?\d+|[KMGTPE]i|[numkMGTPE]?)")
_BINARY = {suffix: 1024**power for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), start=1)}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_LARGEST = 2**63 - 1


class QuantityError(UsageError):
    """A text that is not a Kubernetes quantity."""

    def __init__(self, text: object) -> None:
        super().__init__(f"{text!r} is not a quantity; write a number with a suffix such as 500m, 5G, 0.5Gi or 1e3")


def _split(text: object) -> tuple[Fraction, str]:
    match = _FORM.fullmatch(str(text)) if isinstance(text, str | int | float) and not isinstance(text, bool) else None
    if match is None:
        raise QuantityError(text)
    return Fraction(match[1]), match[2]


def _scale(suffix: str) -> Fraction:
    if suffix in _BINARY:
        return Fraction(_BINARY[suffix])
    exponent = int(suffix[1:]) if suffix[:1] in "eE" and len(suffix) > 1 else _DECIMAL[suffix]
    return Fraction(10) ** exponent


@lru_cache(maxsize=4096)
def amount(text: str | int | float) -> Amount:
    """The exact value of a quantity in its base unit (bytes for storage); an `int` where it is whole.

    Values finer than a nano are rounded up, and binary ones are capped at 2^63-1, as the API server does.
    """
    number, suffix = _split(text)
    value = number * _scale(suffix)
    if suffix in _BINARY:
        value = max(min(value, Fraction(_LARGEST)), Fraction(-_LARGEST))
    nanos = value * 10**9
    if nanos.denominator != 1:
        value = Fraction(-(-nanos.numerator // nanos.denominator), 10**9)
    return value.numerator if value.denominator == 1 else value


def whole(value: Amount) -> int:
    """The amount rounded up to whole units, as `Quantity.Value()` rounds it."""
    return -(-value.numerator // value.denominator)


def _binary(value: int) -> str:
    suffix = ""
    for name, factor in _BINARY.items():
        if value % factor:
            break
        suffix = name
    return f"{value // _BINARY.get(suffix, 1)}{suffix}"


def _decimal(value: Fraction, exponents: bool) -> str:
    power = -9
    while power < 18 and value and (value / Fraction(10) ** (power + 3)).denominator == 1:
        power += 3
    power = power if value else 0
    digits = (value / Fraction(10) ** power).numerator
    if exponents:
        return f"{digits}e{power}" if power else str(digits)
    return str(digits) + next(name for name, exponent in _DECIMAL.items() if exponent == power)


@lru_cache(maxsize=4096)
def canonical(text: str | int | float) -> str:
    """The quantity as an API server writes it back: the largest suffix that leaves a whole number."""
    _, suffix = _split(text)
    value = amount(text)
    if suffix in _BINARY and isinstance(value, int) and abs(value) >= 1024:
        return _binary(value)
    return _decimal(Fraction(value), exponents=len(suffix) > 1 and suffix[0] in "eE" and suffix not in _BINARY)
