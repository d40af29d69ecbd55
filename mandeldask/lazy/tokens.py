"""Tokens of content for dask and for caches. Those of our own values are made without dask: its import takes 0.2 s."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from fractions import Fraction
from typing import Any

from mandeldask.fractal.rationals import as_key


def normalize_token(value: Any) -> Any:
    """Return a value that is equal for equal content, as `dask.base.normalize_token` does, for any number of digits.

    Examples
    --------
    >>> normalize_token((slice(2, 8), Fraction(1, 2)))
    ('tuple', ('slice', '2', '8', None), '1/2')
    """
    if value is None or isinstance(value, (str, bytes, float, bool)):
        return value
    if isinstance(value, int):
        return f"{value:x}"
    if isinstance(value, Fraction):
        return as_key(value)
    if isinstance(value, slice):
        return "slice", *map(normalize_token, (value.start, value.stop, value.step))
    if isinstance(value, (tuple, list)):
        return "tuple", *map(normalize_token, value)
    if hasattr(value, "__dask_tokenize__"):
        return normalize_token(value.__dask_tokenize__())
    if is_dataclass(value) and type(value).__module__.startswith("mandeldask."):
        return type(value).__qualname__, *(normalize_token(getattr(value, each.name)) for each in fields(value))
    from dask.base import normalize_token as token_of  # noqa: PLC0415  as above

    return token_of(value)
