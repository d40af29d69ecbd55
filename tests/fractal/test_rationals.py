"""Exact numbers from text and back: every digit is kept, and invalid input is named in the error."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mandeldask.fractal.rationals import MAX_DIGITS, Point, as_fraction, as_point, as_text, point_as_text

settings.register_profile("patient", deadline=None)  # a busy machine is no failure
settings.load_profile("patient")

rationals = st.fractions(max_denominator=10**40) | st.builds(
    lambda digits, places: Fraction(digits, 10**places), st.integers(-(10**40), 10**40), st.integers(0, 600)
)


@given(rationals)
def test_text_reads_back(value):
    assert as_fraction(as_text(value)) == value


@given(rationals, rationals)
def test_points_read_back(re, im):
    assert as_point(point_as_text(Point(re, im))) == (re, im)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=None).filter(lambda d: abs(d.adjusted()) < 9000))
def test_decimals_are_read_as_python_reads_them(value):
    assert as_fraction(str(value)) == as_fraction(value) == Fraction(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_is_the_binary_number_that_it_holds(value):
    assert as_fraction(value) == Fraction(value)
    assert as_fraction(np.float64(value)) == Fraction(value)


@given(st.complex_numbers(allow_nan=False, allow_infinity=False))
def test_complex(value):
    assert as_point(value) == (Fraction(value.real), Fraction(value.imag))


def test_more_digits_than_int_reads():
    digits = "1" * 9000
    assert as_fraction(f"0.{digits}") == Fraction(int(Decimal(digits)), 10**9000)
    assert as_fraction(as_text(as_fraction(f"0.{digits}"))) == as_fraction(f"0.{digits}")


@pytest.mark.parametrize("digits", ["1" + "0" * 20_000 + "7", "9" * 20_001, "1" + "0" * 20_000])
def test_long_numbers_are_read_and_written_by_halves(digits):
    number = int(Decimal(digits))
    assert as_fraction(digits) == number
    assert as_text(Fraction(-number)) == f"-{digits}"


def test_a_finite_decimal_is_written_as_one_and_others_as_fractions():
    for fives in range(0, 700, 7):
        assert "/" not in as_text(Fraction(1, 5**fives * 2**3)), fives
        assert "/" in as_text(Fraction(1, 5**fives + 2)), fives


@pytest.mark.parametrize(
    ("text", "point"),
    [
        ("-0.75+0.1j", ("-3/4", "1/10")),
        ("-0.75-0.1i", ("-3/4", "-1/10")),
        ("-0.75 \N{MINUS SIGN} 0.1 i", ("-3/4", "-1/10")),
        ("- 2 j", (0, -2)),
        ("1 j", (0, 1)),
        ("j", (0, 1)),
        ("-i", (0, -1)),
        ("1e-3j", (0, "1/1000")),
        ("2", (2, 0)),
        (" -1.5 + 2e-2j ", ("-3/2", "1/50")),
        ("1/3+2/7j", ("1/3", "2/7")),
        ("1e2-1e-2j", (100, "-1/100")),
    ],
)
def test_points_as_people_write_them(text, point):
    assert as_point(text) == tuple(map(Fraction, point))


@pytest.mark.parametrize(
    "text", ["", "1+", "1+2", "j1", "--1", "1..2", "nan", "inf", "0x10", "1e", "1j+2", "1,5", "é", "1_0", "١"]
)
def test_what_is_no_point(text):
    with pytest.raises(ValueError, match="center must look like"):
        as_point(text)


@pytest.mark.parametrize("text", ["", "1/0", "1/2/3", "nan", "1e99999999999", "0x1", " ", "1/-2", "½"])
def test_what_is_no_number(text):
    with pytest.raises(ValueError, match="size"):
        as_fraction(text, "size")


@pytest.mark.parametrize("value", [None, True, 1j, [1], b"1", object()])
def test_what_is_no_type_of_number(value):
    with pytest.raises(TypeError, match="size must be"):
        as_fraction(value, "size")


def test_huge_numbers_only_on_request():
    text = "1" * (MAX_DIGITS + 1)
    with pytest.raises(ValueError, match=r"digits"):
        as_fraction(text)
    assert as_fraction(text, allow_huge=True) % 10 == 1


@pytest.mark.parametrize(
    "scalar",
    [
        np.complex64(0.1 - 0.2j),
        np.complex128(0.1 - 0.2j),
        np.clongdouble(0.1 - 0.2j),
        np.float16(0.1),
        np.float32(0.1),
        np.float64(0.1),
        np.longdouble("0.1"),
        np.int8(-3),
        np.uint64(2**63 + 1),
        np.array(0.25),
        np.array(0.1 + 1j, np.complex64),
    ],
    ids=lambda scalar: scalar.dtype.name,
)
def test_scalars_of_numpy_are_the_numbers_they_hold(scalar):
    point = as_point(scalar)
    for part, value in zip(point, (scalar.real, scalar.imag), strict=True):
        number = value[()] if isinstance(value, np.ndarray) else value
        ratio = (int(number), 1) if scalar.dtype.kind in "iu" else number.as_integer_ratio()
        assert part == Fraction(*ratio)
    if scalar.dtype.kind != "c":
        assert as_fraction(scalar) == point.re


@pytest.mark.parametrize("scalar", [np.float32("nan"), np.complex64(complex(0, float("inf"))), np.longdouble("inf")])
def test_scalars_that_are_not_finite_are_refused(scalar):
    with pytest.raises(ValueError, match="finite"):
        as_point(scalar)
