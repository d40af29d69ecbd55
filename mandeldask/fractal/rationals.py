"""Convert text and numbers to exact rational numbers, and back to text."""

from __future__ import annotations

import math
import re
from decimal import MAX_EMAX, MAX_PREC, Decimal, localcontext
from fractions import Fraction
from typing import Any, NamedTuple

type_names = "a str, Decimal, Fraction, int or float"

RationalLike = str | Decimal | Fraction | int | float
"""Types that can be converted to an exact rational number."""

MAX_DIGITS = 100_000
"""Greatest number of decimal digits (with the exponent) unless ``allow_huge``: a limit on the work, not on the
meaning."""

_PIECE = 4000
"""Longer numbers are converted in halves, because Python's conversion takes time quadratic in the number of digits."""

_NUMBER = r"[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?|\.[0-9]+(?:[eE][+-]?[0-9]+)?"
_RATIONAL = re.compile(rf"\s*(?P<sign>[+-]?)(?:(?P<p>[0-9]+)/(?P<q>[0-9]+)|(?P<decimal>{_NUMBER}))\s*", re.ASCII)
_TERM = rf"(?:[0-9]+/[0-9]+|{_NUMBER})"
_COMPLEX = re.compile(
    rf"\s*(?:(?P<re>[+-]?\s*{_TERM})(?![0-9.eE]|\s*[ij]))?\s*(?:(?P<im>[+-]?\s*(?:{_TERM})?)\s*[ij])?\s*", re.ASCII
)


_SHOWN_BITS = 80
"""Numbers with denominators of at most this many bits are displayed with all digits."""


class Point(NamedTuple):
    """An exact point of the complex plane."""

    re: Fraction
    """Real part, in plane units."""
    im: Fraction
    """Imaginary part, in plane units."""


CenterLike = str | complex | tuple[RationalLike, RationalLike]
"""Types that can be converted to an exact point: ``"-0.75+0.1j"``, a pair (re, im), a complex or a real number."""


def as_fraction(value: RationalLike, name: str = "value", *, allow_huge: bool = False) -> Fraction:
    """Return `value` as an exact Fraction; every digit is kept.

    Parameters
    ----------
    value : str, Decimal, Fraction, int or float
        A float means its exact binary value. Strings are decimal (``"1e-300"``) or rational (``"1/3"``).
    name : str
        Name of the value in error messages.
    allow_huge : bool
        Accept more than `MAX_DIGITS` digits.

    Raises
    ------
    ValueError
        If the text is not a number, or if the number is not finite or has more than `MAX_DIGITS` digits.
    TypeError
        If the type is not one of these.

    Examples
    --------
    >>> as_fraction("1e-3"), as_fraction(0.5)
    (Fraction(1, 1000), Fraction(1, 2))
    """
    if isinstance(value, str):
        return _parse(value, name, allow_huge=allow_huge)
    value = _from_numpy(value)
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal, Fraction)):
        msg = f"{name} must be {type_names}, not {type(value).__name__}"
        raise TypeError(msg)
    if isinstance(value, (float, Decimal)) and not math.isfinite(value):
        msg = f"{name} must be finite, not {value}"
        raise ValueError(msg)
    if isinstance(value, Decimal):
        return _parse(str(value), name, allow_huge=allow_huge)
    return Fraction(value)


def as_point(value: CenterLike, name: str = "center", *, allow_huge: bool = False) -> Point:
    """Return `value` as an exact Point.

    Parameters
    ----------
    value : str, complex or (re, im)
        A string has the form ``"re"``, ``"imj"`` or ``"re+imj"`` (``i`` is accepted for ``j``), with any number of
        digits, with or without parentheses.

    Raises
    ------
    ValueError, TypeError
        As for `as_fraction`, or if a string or a sequence is not one point.

    Examples
    --------
    >>> as_point("-0.75+1e-2j")
    Point(re=Fraction(-3, 4), im=Fraction(1, 100))
    """
    value = _from_numpy(value)
    if isinstance(value, str):
        match = _COMPLEX.fullmatch(_plain(value).removeprefix("(").removesuffix(")"))
        if match is None or (match["re"] is None and match["im"] is None):
            msg = f'{name} must look like "-0.75+0.1j", not {_shorten(value)!r}'
            raise ValueError(msg)
        real = "0" if match["re"] is None else match["re"].replace(" ", "")
        imag = "0" if match["im"] is None else match["im"].replace(" ", "")
        imag = f"{imag}1" if imag in {"", "+", "-"} else imag
        return as_point((real, imag), name, allow_huge=allow_huge)
    if isinstance(value, complex):
        return as_point((value.real, value.imag), name)
    if isinstance(value, (int, float, Decimal, Fraction)) and not isinstance(value, bool):
        return as_point((value, 0), name, allow_huge=allow_huge)
    if not isinstance(value, (tuple, list)) or len(value) != 2:  # noqa: PLR2004  a pair
        msg = f"{name} must be a string, a complex or a pair (re, im), not {value!r}"
        raise TypeError(msg)
    real, imag = value
    return Point(
        as_fraction(real, f"{name}.re", allow_huge=allow_huge), as_fraction(imag, f"{name}.im", allow_huge=allow_huge)
    )


def as_text(value: Fraction) -> str:
    """Return `value` as text that `as_fraction` reads back: a decimal if it is finite, otherwise ``"p/q"``.

    Examples
    --------
    >>> as_text(Fraction(-3, 8)), as_text(Fraction(1, 3)), as_text(Fraction(5, 10**400))[-6:]
    ('-0.375', '1/3', '5e-400')
    """
    twos = (value.denominator & -value.denominator).bit_length() - 1
    odd = value.denominator >> twos
    fives = round((odd.bit_length() - 0.5) / math.log2(5))  # no other power of 5 has as many bits
    if 5**fives != odd:
        return f"{_digits(value.numerator)}/{_digits(value.denominator)}"
    places = max(twos, fives)
    scaled = value.numerator * 5 ** (places - fives) << (places - twos)
    sign, digits = "-" * (scaled < 0), _digits(abs(scaled))
    if places > len(digits) + 5:  # an exponent is shorter than many leading zeros
        point = f".{digits[1:]}" if len(digits) > 1 else ""
        return f"{sign}{digits[0]}{point}e-{places - len(digits) + 1}"
    digits = digits.rjust(places + 1, "0")
    return f"{sign}{digits}" if not places else f"{sign}{digits[:-places]}.{digits[-places:]}"


def point_as_text(point: Point) -> str:
    """Return `point` as one string that `as_point` reads back.

    Examples
    --------
    >>> point_as_text(Point(Fraction(-3, 4), Fraction(1, 10)))
    '-0.75+0.1j'
    """
    imag = as_text(point.im)
    return f"{as_text(point.re)}{'' if imag.startswith('-') else '+'}{imag}j"


def shown_point(point: Point) -> str:
    """Return `point` as text to display, rounded to 15 digits if it would be long.

    Examples
    --------
    >>> shown_point(Point(Fraction(-4, 5), Fraction(39, 250))), shown_point(Point(Fraction(1, 3), Fraction(0)))
    ('-0.8+0.156j', '1/3+0j')
    """
    if max(part.denominator.bit_length() for part in point) <= _SHOWN_BITS:
        return point_as_text(point)
    return f"{float(point.re):.15g}{float(point.im):+.15g}j"


def as_key(*values: Fraction) -> str:
    """Return text that is equal only for equal numbers, in linear time; repr fails for more than 4300 digits.

    Examples
    --------
    >>> as_key(Fraction(-255, 16), Fraction(2))
    '-ff/10 2/1'
    """
    return " ".join(f"{value.numerator:x}/{value.denominator:x}" for value in values)


def exponent_of(value: Fraction) -> int:
    """Return e with ``2**(e - 2) < value < 2**e`` for a positive value."""
    return value.numerator.bit_length() - value.denominator.bit_length() + 1


def _parse(text: str, name: str, *, allow_huge: bool) -> Fraction:
    match = _RATIONAL.fullmatch(_plain(text))
    if match is None:
        msg = f'{name} must be a number such as "1e-300", "0.25" or "1/3", not {_shorten(text)!r}'
        raise ValueError(msg)
    if match["decimal"] is None:
        numerator, denominator = _integer(match["p"], name, allow_huge), _integer(match["q"], name, allow_huge)
        if denominator == 0:
            msg = f"{name} has a zero denominator: {_shorten(text)!r}"
            raise ValueError(msg)
        magnitude = Fraction(numerator, denominator)
    else:
        magnitude = _decimal(match["decimal"], name, allow_huge=allow_huge)
    return -magnitude if match["sign"] == "-" else magnitude


def _plain(text: str) -> str:
    """Return `text` with ASCII's minus sign instead of the typographic one, which pages print."""
    return text.strip().replace("\N{MINUS SIGN}", "-")


def _decimal(text: str, name: str, *, allow_huge: bool) -> Fraction:
    """Read a decimal without a context: mantissa digits as one integer, then a power of ten."""
    mantissa, _, exponent = text.lower().partition("e")
    whole, _, tail = mantissa.partition(".")
    if len(exponent) > 18 or (abs(int(exponent or 0)) > MAX_DIGITS and not allow_huge):  # noqa: PLR2004
        msg = f"{name} has an exponent beyond {MAX_DIGITS} digits (allow_huge accepts it): {_shorten(text)!r}"
        raise ValueError(msg)
    places = int(exponent or 0) - len(tail)
    digits = _integer((whole + tail) or "0", name, allow_huge)
    return Fraction(digits * 10**places) if places >= 0 else Fraction(digits, 10**-places)


def _integer(digits: str, name: str, allow_huge: bool) -> int:  # noqa: FBT001  private
    if len(digits) > MAX_DIGITS and not allow_huge:
        msg = f"{name} has {len(digits)} digits; at most {MAX_DIGITS} are accepted, or more with allow_huge"
        raise ValueError(msg)
    return _read(digits)


def _read(digits: str) -> int:
    """Return the integer of decimal digits, converted in halves; int(str) fails above 4300 digits."""
    if len(digits) <= _PIECE:
        return int(digits)
    low = len(digits) // 2
    unit: int = 10**low
    return _read(digits[:-low]) * unit + _read(digits[-low:])


def _digits(value: int) -> str:
    """Return any number of decimal digits; str(int) fails above 4300."""
    with localcontext() as context:
        context.prec, context.Emax = MAX_PREC, MAX_EMAX
        return f"{_decimal_of(value):f}"


def _decimal_of(value: int) -> Decimal:
    """Return `value` as a Decimal, converted in halves, because products of Decimals are fast.

    The context must have enough digits for it.
    """
    low = value.bit_length() // 2
    if low <= _PIECE:
        return Decimal(value)
    return _decimal_of(value >> low) * Decimal(2) ** low + _decimal_of(value & ((1 << low) - 1))


def _from_numpy(value: Any) -> Any:
    """Return a numpy scalar, or an array without axes, as an equal Python number; other values unchanged."""
    kind = getattr(getattr(value, "dtype", None), "kind", None) if getattr(value, "shape", None) == () else None
    if kind in {"i", "u"}:
        return int(value)
    if kind == "f":
        number = value.item()  # longdouble stays unchanged
        if isinstance(number, float) or not math.isfinite(number):
            return float(number)
        return Fraction(*number.as_integer_ratio())
    if kind == "c":
        return value.real, value.imag
    return value


def _shorten(text: str, most: int = 60) -> str:
    return text if len(text) <= most else f"{text[: most // 2]}…{text[-most // 2 :]}"
