"""Conversion of Arrow's types for Zarr: the numpy type, the conversion of elements, and the value for null."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from mandeldask.files.stamps import Unreadable
from mandeldask.files.times import MISSING, UNITS

if TYPE_CHECKING:
    from numpy.typing import NDArray

_EXACT_DIGITS = 15
"""Decimal digits of a float."""

Convert = Callable[[Any], "NDArray[Any]"]


@dataclass(frozen=True, slots=True)
class Shown:
    """How a type of Arrow is shown."""

    dtype: Any
    """numpy's type."""
    convert: Convert
    """Converts Arrow's elements."""
    attrs: dict[str, Any] = field(default_factory=dict)
    """Attributes that state the meaning of the elements."""
    missing: Any = None
    """The value for null."""
    inner: tuple[int, ...] = ()
    """Shape of one element."""


def shown(dtype: Any, *, nulls: bool) -> Shown:
    """Return how a type of Arrow is shown, with or without nulls.

    Raises
    ------
    Unreadable
        If Zarr has no such type.
    """
    for is_one, rule in _RULES:
        if is_one(dtype):
            return rule(dtype, nulls)
    msg = f"its elements are of Arrow's type {dtype}, which Zarr has no type for"
    raise Unreadable(msg)


def _encoded(dtype: Any, nulls: bool) -> Shown:  # noqa: FBT001  the signature of all rules
    inner = shown(dtype.value_type, nulls=nulls)
    return Shown(inner.dtype, lambda column: inner.convert(column.cast(dtype.value_type)), inner.attrs, inner.missing)


def _text(_: Any, __: bool) -> Shown:  # noqa: FBT001
    return Shown(np.dtypes.StringDType(), _texts)


def _boolean(_: Any, nulls: bool) -> Shown:  # noqa: FBT001
    if not nulls:
        return Shown(np.dtype("?"), _without_nulls)
    return Shown(np.dtype("f4"), lambda column: _numpy(column.cast(pa.float32())), {}, np.float32("nan"))


def _integer(dtype: Any, nulls: bool) -> Shown:  # noqa: FBT001
    """Return the rule for whole numbers: unchanged, or, with nulls, with a value for null that is not an element."""
    kind = np.dtype(dtype.to_pandas_dtype())
    if not nulls:
        return Shown(kind, _without_nulls)
    limits = np.iinfo(kind)
    missing = kind.type(limits.max if kind.kind == "u" else limits.min)

    def convert(column: Any) -> NDArray[Any]:
        stand_in = pa.scalar(int(missing), column.type)
        if pc.any(pc.equal(column, stand_in)).as_py():
            msg = f"the value {missing} occurs, but it must represent null in this column"
            raise ValueError(msg)
        return _numpy(pc.fill_null(column, stand_in))

    return Shown(kind, convert, {}, missing)


def _floating(dtype: Any, nulls: bool) -> Shown:  # noqa: FBT001
    kind = np.dtype(dtype.to_pandas_dtype())
    return Shown(kind, lambda column: _numpy(column).astype(kind, copy=False), {}, kind.type("nan") if nulls else None)


def _decimal(_: Any, nulls: bool) -> Shown:  # noqa: FBT001
    return Shown(
        np.dtype("f8"), lambda column: _numpy(column.cast(pa.float64())), {}, np.float64("nan") if nulls else None
    )


def _list(dtype: Any, _: bool) -> Shown:  # noqa: FBT001
    inner = shown(dtype.value_type, nulls=False)
    if inner.dtype.kind not in "biuf":
        msg = f"its elements are of Arrow's type {dtype}, which Zarr has no type for"
        raise Unreadable(msg)

    def convert(column: Any) -> NDArray[Any]:
        chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
        flat = pa.chunked_array([_elements(chunk) for chunk in chunks], dtype.value_type)
        if flat.null_count or column.null_count:
            msg = "its lists have gaps"
            raise ValueError(msg)
        return inner.convert(flat).reshape(-1, dtype.list_size)

    return Shown(inner.dtype, convert, {}, None, (dtype.list_size,))


def _counted(units: Callable[[Any], str], *, since: bool, bits: Callable[[Any], int] = lambda _: 64) -> Any:
    """Return the rule for times that Arrow counts in units: since 1970, or as durations."""

    def rule(dtype: Any, nulls: bool) -> Shown:  # noqa: FBT001
        unit = units(dtype)
        if since:
            zone = getattr(dtype, "tz", None)
            attrs = {"units": f"{UNITS[unit]} since 1970-01-01", "calendar": "proleptic_gregorian"}
            attrs |= {} if zone is None else {"timezone": zone}
        else:
            attrs = {"units": UNITS[unit], "dtype": f"timedelta64[{unit}]"}
        number = pa.int32() if bits(dtype) == 32 else pa.int64()  # noqa: PLR2004

        def convert(column: Any) -> NDArray[Any]:
            counts = column.cast(number).cast(pa.int64())
            return _numpy(pc.fill_null(counts, MISSING)).astype(np.int64, copy=False)

        return Shown(np.dtype(np.int64), convert, attrs, np.int64(MISSING) if nulls else None)

    return rule


def _unit(dtype: Any) -> str:
    return str(dtype.unit)


def _bits(dtype: Any) -> int:
    return int(dtype.bit_width)


def _is_text(dtype: Any) -> bool:
    return bool(types.is_string(dtype) or types.is_large_string(dtype) or types.is_string_view(dtype))


def _is_short_decimal(dtype: Any) -> bool:
    return bool(types.is_decimal(dtype)) and dtype.precision <= _EXACT_DIGITS


_RULES: tuple[tuple[Callable[[Any], bool], Callable[[Any, bool], Shown]], ...] = (
    (types.is_dictionary, _encoded),
    (_is_text, _text),
    (types.is_boolean, _boolean),
    (types.is_integer, _integer),
    (types.is_floating, _floating),
    (_is_short_decimal, _decimal),
    (types.is_fixed_size_list, _list),
    (types.is_date32, _counted(lambda _: "D", since=True, bits=_bits)),
    (types.is_date64, _counted(lambda _: "ms", since=True)),
    (types.is_timestamp, _counted(_unit, since=True)),
    (types.is_duration, _counted(_unit, since=False)),
    (types.is_time, _counted(_unit, since=False, bits=_bits)),
)
"""The rules and their types; the first one that matches is used."""


def _elements(chunk: Any) -> Any:
    """Return the elements of lists of equal length, one list after the other."""
    return chunk.values.slice(chunk.offset * chunk.type.list_size, len(chunk) * chunk.type.list_size)


def _numpy(column: Any) -> NDArray[Any]:
    return np.asarray(column.to_numpy(zero_copy_only=False) if isinstance(column, pa.Array) else column.to_numpy())


def _without_nulls(column: Any) -> NDArray[Any]:
    if column.null_count:
        msg = "the column contains nulls, but its file says that it has none"
        raise ValueError(msg)
    return _numpy(column)


def _texts(column: Any) -> NDArray[Any]:
    """Return text; null is shown as empty."""
    text = column.cast(pa.large_string())
    return np.array(pc.fill_null(text, "").to_pylist(), np.dtypes.StringDType())
