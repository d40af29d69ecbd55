"""Tokens of content for dask and for caches. Those of our own values are made without dask: its import takes 0.2 s."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from fractions import Fraction
from functools import singledispatch
from typing import Any

from mandeldask.fractal.rationals import as_key


@singledispatch
def normalize_token(value: Any) -> Any:
    """Return a value that is equal for equal content, as `dask.base.normalize_token` does, for any number of digits.

    Examples
    --------
    >>> normalize_token((slice(2, 8), Fraction(1, 2)))
    ('tuple', ('slice', '2', '8', None), '1/2')
    """
    if hasattr(value, "__dask_tokenize__"):
        return normalize_token(value.__dask_tokenize__())
    if is_dataclass(value) and type(value).__module__.startswith("mandeldask."):
        return type(value).__qualname__, *(normalize_token(getattr(value, each.name)) for each in fields(value))
    from dask.base import normalize_token as token_of  # noqa: PLC0415  as above

    token = token_of(value)
    return normalize_token(token) if isinstance(token, (tuple, list)) else token  # as if an object had given it


@normalize_token.register(type(None))
@normalize_token.register(str)
@normalize_token.register(bytes)
@normalize_token.register(float)
@normalize_token.register(bool)
def _(value: Any) -> Any:
    return value


@normalize_token.register
def _(value: int) -> str:
    return f"{value:x}"


@normalize_token.register
def _(value: Fraction) -> str:
    return as_key(value)


@normalize_token.register
def _(value: slice) -> tuple[Any, ...]:
    return "slice", *map(normalize_token, (value.start, value.stop, value.step))


@normalize_token.register(tuple)
@normalize_token.register(list)
def _(value: Any) -> tuple[Any, ...]:
    return "tuple", *map(normalize_token, value)
