"""Kubernetes quantities, compared exactly.

A quantity is a decimal number with a suffix: `1Gi`, `0.5Gi`, `1500m`, `1e3`. `amount` gives its exact value, so that
`1024Mi` equals `1Gi` and `1G` does not. `canonical` writes an amount the way an API server does (`0.5Gi` becomes
`512Mi`), and `stored` is the text that it keeps. Source: k8s.io/apimachinery/pkg/api/resource, restated.
"""

import re
from fractions import Fraction
from functools import lru_cache

from pvkit.backends.errors import UsageError

Amount = int | Fraction

_FORM = re.compile(r"([+-]?)(\d*)(?:\.(\d*))?([eE][+-]?\d{1,4}|[KMGTPE]i|[numkMGTPE]?)")
_BINARY = {suffix: 1024**power for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), start=1)}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_LARGEST = 2**63 - 1
_THOUSANDTH, _BILLIONTH = Fraction(1, 10**3), Fraction(1, 10**9)


class QuantityError(UsageError):
    """A text that is not a Kubernetes quantity."""

    def __init__(self, text: object) -> None:
        super().__init__(f"{text!r} is not a quantity; write a number with a suffix such as 500m, 5G, 0.5Gi or 1e3")


def _split(text: object) -> tuple[str, str, str, str]:
    """Sign, digits before the point without leading zeros, digits behind it, suffix; no digits at all mean zero."""
    match = _FORM.fullmatch(str(text)) if isinstance(text, str | int | float) and not isinstance(text, bool) else None
    if match is None or text == "":
        raise QuantityError(text)
    return match[1], match[2].lstrip("0"), match[3] or "", match[4]


def _exponent(suffix: str) -> int:
    return int(suffix[1:]) if suffix[:1] in ("e", "E") and len(suffix) > 1 else _DECIMAL[suffix]


def _rounded(value: Fraction, step: Fraction) -> Fraction:
    """The value moved away from zero to a multiple of a step."""
    steps = -(-abs(value) // step)
    return steps * step if value >= 0 else -steps * step


@lru_cache(maxsize=4096)
def amount(text: str | int | float) -> Amount:
    """The exact value of a quantity in its base unit (bytes for storage); an `int` where it is whole.

    Values finer than a nano are rounded away from zero, and binary ones are capped at 2^63-1, as the API server does.
    """
    sign, digits, behind, suffix = _split(text)
    value = Fraction(int(digits + behind or "0"), 10 ** len(behind))
    if suffix in _BINARY:
        value = min(value * _BINARY[suffix], Fraction(_LARGEST))
    else:
        value *= Fraction(10) ** _exponent(suffix)
    value = _rounded(-value if sign == "-" else value, _BILLIONTH)
    return value.numerator if value.denominator == 1 else value


def whole(value: Amount) -> int:
    """The amount rounded away from zero to whole units, as `Quantity.Value()` rounds it."""
    return int(_rounded(Fraction(value), Fraction(1)))


def _binary(value: int) -> str:
    suffix = ""
    for name, factor in _BINARY.items():
        if value % factor:
            break
        suffix = name
    return f"{value // _BINARY.get(suffix, 1)}{suffix}"


def _decimal(value: Fraction, mark: str) -> str:
    """Digits and a power of ten that is a multiple of three, written as a suffix, or behind a mark (`e`, `E`)."""
    if not value:
        return "0"
    power = -9
    while value.denominator > 10 ** -min(power, 0):
        power -= 3
    while (value / Fraction(10) ** (power + 3)).denominator == 1:
        power += 3
    digits = (value / Fraction(10) ** power).numerator
    if mark:
        return f"{digits}{mark}{power}" if power else str(digits)
    return f"{digits}{next((name for name, exponent in _DECIMAL.items() if exponent == power), '')}"


def _written(value: Amount, suffix: str) -> str:
    if suffix in _BINARY and isinstance(value, int) and abs(value) >= 1024:
        return _binary(value)
    return _decimal(Fraction(value), "e" if len(suffix) > 1 and suffix[0] in "eE" and suffix not in _BINARY else "")


def written(value: Amount, like: str) -> str:
    """An amount in the notation of another quantity: binary, decimal or with exponents."""
    return _written(value, _split(like)[3])


@lru_cache(maxsize=4096)
def canonical(text: str | int | float) -> str:
    """The quantity as an API server writes it: the largest suffix that leaves a whole number.

    A server has no suffix for 10^21 and writes none: `1000E` comes back as `1`. So it does here.
    """
    return _written(amount(text), _split(text)[3])


@lru_cache(maxsize=4096)
def stored(text: str | int | float) -> str:
    """The quantity as an API server keeps it in a list of resources: rounded away from zero to thousandths.

    What is near enough to the canonical form keeps its spelling (`+5G`, `05Gi`, `1.500G`).
    """
    text = text.strip() if isinstance(text, str) else text
    if _keeps_spelling(text):
        return str(text)
    value = _rounded(Fraction(amount(text)), _THOUSANDTH)
    return _written(value.numerator if value.denominator == 1 else value, _split(text)[3])


def _keeps_spelling(text: object) -> bool:
    _, digits, behind, suffix = _split(text)
    digits = digits or "0"
    number = int(digits + behind)
    if suffix in _BINARY:
        bits = 10 * (list(_BINARY).index(suffix) + 1)
        fits = 14 - len(digits) - bits * 3 // 10 >= 0 and number * _BINARY[suffix] <= _LARGEST
        return not behind and fits and number % 8 != 0
    scale = _exponent(suffix) - len(behind)
    short = len(digits) + len(behind) <= 18
    return short and scale >= -3 and scale % 3 == 0 and digits[0] != "0" and not (digits + behind).endswith("000")
