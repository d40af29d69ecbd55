"""Test data for viewers and Zarr clients: a rule defines the value of each element by its position.

An element's number n is its index in C order. The attribute `rule` of an array defines its elements as a function of n.
"""

from __future__ import annotations

import time
from math import prod
from typing import TYPE_CHECKING, Any, Final

import numcodecs
import numpy as np
import xarray as xr
from zarr.codecs import BloscCodec, GzipCodec, ZstdCodec

from mandeldask.zarrview.nodes import Array, Changed, Group, as_node

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from mandeldask.zarrview.nodes import Node

SLOW_S: Final = 1.0
"""Seconds that a chunk of `faults/slow` takes."""

SHAPE, CHUNKS = (40, 50), (16, 20)
"""Shape and chunks of most arrays; the chunks divide neither side."""

RULES: Final[Mapping[str, str]] = {
    "bool": "n % 3 == 0",
    "int8": "n % 256 - 128",
    "uint8": "n % 256",
    "int16": "n * 32 - 32768",
    "uint16": "n * 32",
    "int32": "n * 2**21 - 2**31 + n",
    "uint32": "n * 2**21 + n",
    "int64": "n * 2**53 - 2**63 + n",
    "uint64": "n * 2**53 + n",
    "float16": "n / 8",
    "float32": "n / 8",
    "float64": "n / 8",
    "complex64": "n - 2j * n",
    "complex128": "n - 2j * n",
    "text": "'n' and the digits of n",
    "time": "n hours after 2000-01-01",
}
"""Rule of each array of `dtypes`."""

CODECS: Final[Mapping[str, tuple[Any, ...] | None]] = {
    "raw": None,
    "gzip": (numcodecs.GZip(1), GzipCodec(level=1)),
    "zstd": (numcodecs.Zstd(3), ZstdCodec(level=3)),
    "blosc_lz4": (numcodecs.Blosc("lz4", 5, 1), BloscCodec(cname="lz4", clevel=5, shuffle="shuffle", typesize=4)),
    "blosc_zstd": (
        numcodecs.Blosc("zstd", 5, 2),
        BloscCodec(cname="zstd", clevel=5, shuffle="bitshuffle", typesize=4),
    ),
}
"""Codecs of the arrays of `codecs`, for Zarr v2 and v3."""

IMAGE: Final = (1, 2, 2, 520, 600)
"""Shape of level 0 of `image`: axes t, c, z, y, x."""

SIZES: Final[Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]] = {
    "no_dimensions": ((), ()),
    "nothing": ((0,), (4,)),
    "nothing_wide": ((0, 5), (4, 5)),
    "one": ((1,), (1,)),
    "chunk_larger_than_array": ((3, 5), (8, 8)),
    "one_element_chunks": ((4, 3), (1, 1)),
    "one_row_chunks": ((7, 11), (1, 11)),
    "line": ((1000,), (77,)),
    "cube": ((20, 60, 70), (8, 32, 32)),
    "four": ((4, 6, 40, 50), (1, 1, 16, 20)),
    "five": ((2, 3, 4, 30, 40), (1, 1, 1, 16, 20)),
}
"""Shapes and chunks of the arrays of `sizes`."""


def fixture_tree() -> Group:
    """Return small arrays with known answers, for tests of viewers and of Zarr clients.

    The attribute `rule` of an array defines each element as a function of its number n in C order, so a client can be
    checked without a second copy of the data. There are groups for data types, codecs, shards, sizes, special values,
    a multiscale image of five dimensions, an array of 2^40 elements, and arrays that fail on purpose.

    Returns
    -------
    Group
        For `serve`, `create_app`, `to_store` and `to_mapping`. In Zarr v2, arrays do not use features that it lacks
        (shards).

    Examples
    --------
    >>> tree = fixture_tree()
    >>> list(tree.members)
    ['codecs', 'dtypes', 'faults', 'huge', 'image', 'shards', 'sizes', 'values']
    >>> tree.members["dtypes"].members["uint8"].attrs["rule"]
    'n % 256'
    """
    return Group(
        {
            "codecs": _group({name: _numbers(compressors=codec) for name, codec in CODECS.items()}),
            "dtypes": _group({name: _variable(_of_type(name), rule) for name, rule in RULES.items()}),
            "faults": _faults(),
            "huge": Array(
                (2**40,), np.dtype(np.int64), _counted, (2**16,), ("huge_x",), {"rule": "n"}, fingerprint="huge"
            ),
            "image": _image(),
            "shards": _group({"one_dimension": _line(), "two_dimensions": _numbers(shards=(32, 40))}),
            "sizes": _group({name: _sized(name, *each) for name, each in SIZES.items()}),
            "values": _group(_special()),
        },
        {"rule": "the attribute `rule` of an array defines its elements by their number n in C order"},
    )


def numbers(shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Return the number of every element."""
    return np.arange(prod(shape)).reshape(shape)


def _of_type(name: str) -> NDArray[Any]:
    """Return the elements of an array of `dtypes`."""
    n = numbers(SHAPE)
    if name == "text":
        return np.array([f"n{each}" for each in n.ravel()]).reshape(SHAPE)
    if name == "time":
        return np.asarray(np.datetime64("2000-01-01", "ns") + n * np.timedelta64(1, "h"))
    dtype = np.dtype(name)
    if dtype.kind == "b":
        return np.equal(n % 3, 0)
    if dtype.kind == "f":
        return (n / 8).astype(dtype)
    if dtype.kind == "c":
        return (n - 2j * n).astype(dtype)
    return _integers(n, dtype)


def _integers(n: NDArray[np.int64], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return integers over the whole range of `dtype`, so that most bits vary."""
    low = np.iinfo(dtype).min
    if dtype.itemsize == 1:
        return (n % 256 + low).astype(dtype)
    step = {2: 2**5, 4: 2**21 + 1, 8: 2**53 + 1}[dtype.itemsize]
    exact = n.astype(object) * step + low
    return exact.astype(dtype)


def _variable(values: NDArray[Any], rule: str, name: str = "", **encoding: Any) -> xr.Variable:
    """Return an xarray Variable; with `name`, its dimensions get unique names."""
    dims = [f"{name}_{axis}" if name else axis for axis in "tczyx"[5 - values.ndim :]]
    return xr.Variable(dims, values, {"rule": rule}, {"chunks": CHUNKS, **encoding})


def _numbers(**encoding: Any) -> xr.Variable:
    return _variable(numbers(SHAPE).astype("int32"), "n", **encoding)


def _line() -> xr.Variable:
    return _variable(numbers((1000,)).astype("int32"), "n", "line", chunks=(25,), shards=(100,))


def _sized(name: str, shape: tuple[int, ...], chunks: tuple[int, ...]) -> xr.Variable:
    return _variable(numbers(shape).astype("int32"), "n", name, chunks=chunks)


def _special() -> dict[str, xr.Variable]:
    n = numbers(SHAPE)
    special = np.array([0.0, -0.0, np.nan, np.inf, -np.inf, 5e-324, np.finfo("f8").max, 1 / 3])
    gaps = np.where(n % 5 == 0, np.nan, n / 10)
    return {
        "special_floats": _variable(
            special[n % 8], "0, -0, NaN, inf, -inf, 5e-324, the largest float64, 1/3: number n % 8 of this list"
        ),
        "missing": _variable(
            np.where(n % 5 == 0, -1, n).astype("int16"), "n; missing (-1) where n % 5 == 0", _FillValue=-1
        ),
        "scaled": _variable(
            gaps, "n / 10; NaN where n % 5 == 0", dtype="int16", scale_factor=0.1, add_offset=0.0, _FillValue=-1
        ),
        "zeros": _variable(np.zeros(SHAPE, "uint8"), "0"),
    }


def _group(variables: Mapping[str, xr.Variable]) -> Node:
    return as_node(dict(variables))


def _image() -> Node:
    """Return an image of five dimensions with two levels, as OME-Zarr."""
    from mandeldask.image_pyramid import pyramid  # noqa: PLC0415  imports dask, which no other array here needs

    values = (numbers(IMAGE) % 251).astype("uint8")
    rule = "n % 251, where n is the number at level 0, also on level 1, which has every second row and column"
    image = xr.DataArray(values, dims=("t", "c", "z", "y", "x"), name="image", attrs={"rule": rule})
    return as_node(pyramid(image, method="stride"))


def _counted(window: tuple[slice, ...]) -> NDArray[np.int64]:
    (span,) = window
    return np.arange(span.start, span.stop)


def _numbered(window: tuple[slice, ...]) -> NDArray[np.int32]:
    rows, cols = window
    n = np.arange(rows.start, rows.stop)[:, np.newaxis] * SHAPE[1] + np.arange(cols.start, cols.stop)
    return n.astype("int32")


def _failing(_: tuple[slice, ...]) -> NDArray[np.int32]:
    msg = "this array fails on purpose"
    raise RuntimeError(msg)


def _failing_in_the_middle(window: tuple[slice, ...]) -> NDArray[np.int32]:
    if all(part.start == side for part, side in zip(window, CHUNKS, strict=True)):
        return _failing(window)
    return _numbered(window)


def _short(window: tuple[slice, ...]) -> NDArray[np.int32]:
    return _numbered(window)[:-1]


def _changing(_: tuple[slice, ...]) -> NDArray[np.int32]:
    msg = "this array changes whenever it is read, on purpose"
    raise Changed(msg)


def _slow(window: tuple[slice, ...]) -> NDArray[np.int32]:
    time.sleep(SLOW_S)
    return _numbered(window)


FAULTS: Final[Mapping[str, tuple[Callable[[tuple[slice, ...]], NDArray[np.int32]], str]]] = {
    "fails": (_failing, "every chunk fails (HTTP 500)"),
    "fails_in_one_chunk": (_failing_in_the_middle, "n; the chunk at (1, 1) fails (HTTP 500)"),
    "short": (_short, "every chunk fails: the source returns one row too few (HTTP 500)"),
    "changing": (_changing, "every chunk fails: the source changes while it is read (HTTP 503)"),
    "slow": (_slow, f"n; every chunk takes {SLOW_S:g} s"),
}
"""The read function of each array of `faults`, and the expected result."""


def _faults() -> Group:
    return Group(
        {
            name: Array(
                SHAPE, np.dtype(np.int32), read, CHUNKS, ("y", "x"), {"rule": rule}, fingerprint=f"fault {name}"
            )
            for name, (read, rule) in FAULTS.items()
        }
    )
