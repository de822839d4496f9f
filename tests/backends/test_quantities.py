"""Quantities: exact amounts, and the texts that an API server writes."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvkit.backends.quantities import QuantityError, amount, canonical, stored, whole, written

SUFFIXES = {
    "": Fraction(1),
    "m": Fraction(1, 1000),
    "u": Fraction(1, 10**6),
    "k": Fraction(10**3),
    "M": Fraction(10**6),
    "G": Fraction(10**9),
    "T": Fraction(10**12),
    "Ki": Fraction(2**10),
    "Mi": Fraction(2**20),
    "Gi": Fraction(2**30),
    "Ti": Fraction(2**40),
    "e3": Fraction(10**3),
    "E6": Fraction(10**6),
    "e-2": Fraction(1, 100),
}
numbers = st.tuples(st.sampled_from(["", "-"]), st.integers(0, 9999), st.sampled_from(["", ".5", ".25", ".125", ".0"]))
texts = st.builds(lambda number, suffix: (*number, suffix), numbers, st.sampled_from(sorted(SUFFIXES)))


def text(parts: tuple[str, int, str, str]) -> str:
    return "".join(str(part) for part in parts)


def value(parts: tuple[str, int, str, str]) -> Fraction:
    sign, whole_part, behind, suffix = parts
    number = Fraction(f"{whole_part}{behind}") * SUFFIXES[suffix]
    return -number if sign else number


@given(texts)
def test_an_amount_is_its_number_times_its_suffix(parts: tuple[str, int, str, str]) -> None:
    assert value(parts) == amount(text(parts))


@given(texts, texts)
def test_amounts_are_ordered_as_their_values_are(
    one: tuple[str, int, str, str], other: tuple[str, int, str, str]
) -> None:
    assert (value(one) < value(other)) == (amount(text(one)) < amount(text(other)))


@given(texts)
def test_the_canonical_text_means_the_same_amount(parts: tuple[str, int, str, str]) -> None:
    assert amount(canonical(text(parts))) == amount(text(parts))


@given(texts)
def test_the_canonical_text_is_its_own_canonical_text(parts: tuple[str, int, str, str]) -> None:
    assert canonical(text(parts)) == canonical(canonical(text(parts)))


@given(texts)
def test_what_is_stored_is_never_nearer_to_zero_and_less_than_a_thousandth_away(
    parts: tuple[str, int, str, str],
) -> None:
    meant, kept = Fraction(amount(text(parts))), Fraction(amount(stored(text(parts))))
    assert 0 <= abs(kept) - abs(meant) < Fraction(1, 1000)
    assert kept * meant >= 0


@given(texts)
def test_what_is_stored_is_stored_again_as_it_is(parts: tuple[str, int, str, str]) -> None:
    assert stored(text(parts)) == stored(stored(text(parts)))


@given(texts)
def test_whole_units_are_rounded_away_from_zero(parts: tuple[str, int, str, str]) -> None:
    exact, rounded = Fraction(amount(text(parts))), whole(amount(text(parts)))
    assert 0 <= abs(rounded) - abs(exact) < 1


@given(texts, texts)
def test_an_amount_keeps_its_value_in_any_notation(
    one: tuple[str, int, str, str], like: tuple[str, int, str, str]
) -> None:
    assert amount(text(one)) == amount(written(amount(text(one)), text(like)))


def test_binary_and_decimal_suffixes_differ() -> None:
    assert amount("1024Mi") == amount("1Gi") > amount("1G") == amount("1000M")


def test_a_whole_amount_is_an_int_and_another_a_fraction() -> None:
    assert [int, Fraction] == [type(amount("0.5Gi")), type(amount("1500m"))]


def test_binary_amounts_end_at_the_largest_integer() -> None:
    assert amount("16Ei") == amount("8Ei") == 2**63 - 1 < amount("10E")


def test_an_amount_finer_than_a_billionth_is_rounded_away_from_zero() -> None:
    assert [Fraction(1, 10**9), Fraction(-1, 10**9)] == [amount("1e-12"), amount("-1e-12")]


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("0.5Gi", "512Mi"), ("1024Mi", "1Gi"), ("1G", "1G"), ("16Ei", "9223372036854775807"), ("1500m", "1500m"),
        (1000, "1k"), ("1000k", "1M"), ("+5G", "+5G"), ("100n", "1m"), ("0.1Ki", "102400m"), ("1e3", "1e3"),
        ("1e-2", "10e-3"), (".5G", "500M"), ("1024", "1024"), (1.5, "1500m"), ("1024k", "1024k"), ("512Ki", "512Ki"),
        ("1000E", "1"), ("1e21", "1e21"), ("1e400", "10e399"), ("05Gi", "05Gi"), ("1.500G", "1.500G"),
        ("1.50Ki", "1536"), ("-1.0005", "-1001m"), ("-1n", "-1m"), ("-1.5Gi", "-1536Mi"), ("0e3", "0"), ("1.0", "1"),
        ("100e-3", "100e-3"), ("Gi", "0"), (".", "0"), ("+", "0"), ("m", "0"), ("e3", "0"), ("1.Gi", "1.Gi"),
        ("92233720368547758070", "92233720368547758070"), ("1000e3", "1e6"), ("1e4", "10e3"), ("1E-3", "1E-3"),
        ("1023Ki", "1023Ki"), ("1.00001Gi", "1073752561419m"), ("1.10", "1100m"), ("1500000u", "1500m"),
        ("1e-10", "1e-3"), ("123456789e4", "1234567890e3"), ("01", "01"), ("00.5", "500m"), (" 1", "1"),
        ("1000000000000000000000000Ki", "9223372036854775807"), ("1.0000000001", "1001m"),
    ],
)  # fmt: skip
def test_a_server_was_seen_to_keep(sent: str | float, kept: str) -> None:
    assert kept == stored(sent)


@pytest.mark.parametrize(
    "bad", ["", "1Zi", "1 Gi", "5e3k", "1ki", "1K", "e", "1e", "1_000", "1Gib", "--1", "0x5", True]
)
def test_what_a_server_cannot_read_is_no_quantity(bad: str) -> None:
    with pytest.raises(QuantityError, match="is not a quantity"):
        stored(bad)
