"""Strategies for arrays of every kind, with what a client must read of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import dask.array as da
import numpy as np
import pandas as pd
import pyarrow as pa
import xarray as xr
import zarr
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

TEXT = np.dtypes.StringDType()
NUMBERS = ["?", "i1", "u1", "<i2", ">i2", "<u2", ">u4", "<i4", "<i8", ">i8", "<u8", "<f2", ">f2", "<f4", ">f4", "<f8"]
NUMBERS += [">f8", "<c8", ">c16"]
CHARACTERS = st.characters(codec="utf-8", exclude_characters="\0")
TEXTS = st.text(CHARACTERS, max_size=5)
STRUCTS = [
    np.dtype([("a", "i1"), ("b", "<f8")], align=True),
    np.dtype([("a", ">i4"), ("b", ">f8"), ("c", "?")]),
    np.dtype({"names": ["b", "a"], "formats": ["<u2", ">u4"], "offsets": [7, 0], "itemsize": 12}),
    np.dtype([("s", "S3"), ("u", "<U2"), ("n", "<i8")]),
    np.dtype([("a", "u1"), ("inner", [("x", ">i2"), ("y", "<f4")])], align=True),
]


@dataclass(frozen=True)
class Source:
    """Something that `as_node` knows, and its elements as a client must read them."""

    tree: Any
    want: np.ndarray
    dates: bool = False
    """Whether the elements are times or durations, which CF conventions encode."""


def arrays():
    """Return arrays of any dtype, in any order and with any strides."""
    return st.integers(0, 3).flatmap(_array).flatmap(_laid_out)


def _array(ndim):
    shape = st.tuples(*[st.integers(0, 7)] * ndim)
    numbers = st.sampled_from(NUMBERS).flatmap(lambda kind: nps.arrays(np.dtype(kind), shape))
    bytes_ = nps.arrays("S4", shape)
    raw = nps.arrays("u1", st.tuples(shape, st.just((3,))).map(lambda parts: parts[0] + parts[1])).map(_raw)
    fixed = nps.arrays("<U3", shape, elements=st.text(CHARACTERS, max_size=3))
    units = st.sampled_from(["M8[s]", "M8[ms]", "M8[ns]"])
    dates = units.flatmap(lambda kind: nps.arrays(kind, shape, elements=_days(kind)))
    return st.one_of(numbers, numbers, bytes_, raw, fixed, shape.flatmap(_texts), shape.flatmap(_structs), dates)


def _raw(octets):
    return np.ascontiguousarray(octets).view("V3")[..., 0]


def _days(kind):
    low, high = np.array(["1900-01-01", "2200-01-01"], kind).astype("i8").tolist()
    return st.one_of(st.integers(low, high), st.just(np.iinfo("i8").min)).map(
        lambda number: np.array(number).view(kind)[()]
    )


def _texts(shape):
    size = int(np.prod(shape))
    return st.lists(TEXTS, min_size=size, max_size=size).map(lambda texts: np.array(texts, TEXT).reshape(shape))


def _structs(shape):
    return st.tuples(st.sampled_from(STRUCTS), st.integers(0, 2**32 - 1)).map(lambda drawn: _filled(shape, *drawn))


def _filled(shape, dtype, seed):
    """Return structs with numbers that depend on the place; what lies between the fields is not zero."""
    rng = np.random.default_rng(seed)
    whole = np.frombuffer(rng.bytes(dtype.itemsize * int(np.prod(shape))), dtype).copy().reshape(shape)
    for name in dtype.names:
        for field, within in ((whole, name), *((whole[name], each) for each in dtype[name].names or ())):
            if field.dtype[within].names is None:
                field[within] = rng.integers(0, 100, shape).astype(field.dtype[within])
    return whole


def _laid_out(array):
    return st.sampled_from(["C", "F", "reversed", "strided", "frozen"]).map(lambda how: _in_order(array, how))


def _in_order(array, how):
    if how == "F":
        return np.asfortranarray(array) if array.ndim else array
    if how == "reversed":
        return array[(slice(None, None, -1),) * array.ndim] if array.ndim else array
    if how == "strided" and array.ndim:
        return np.repeat(array, 2, axis=0)[::2]
    array = array.copy()
    array.flags.writeable = how != "frozen"
    return array


def sources():
    """Return Sources of any kind."""
    made = [_in_memory(), _in_dask(), _masked(), _variables(), _in_zarr(), _columns(), _objects(), _sparse()]
    return st.one_of(_in_memory(), *made)


def _in_memory():
    return arrays().map(lambda array: Source(array, array, array.dtype.kind in "Mm"))


@st.composite
def _in_dask(draw):
    array = draw(arrays().filter(lambda array: array.dtype.kind != "T"))
    chunks = tuple(draw(st.integers(1, max(1, size))) for size in array.shape)
    return Source(da.from_array(array, chunks=chunks), array, array.dtype.kind in "Mm")


@st.composite
def _masked(draw):
    array = draw(arrays().filter(lambda array: array.dtype.kind not in "VMm"))
    return _with_mask(array, draw(nps.arrays("?", array.shape)))


@st.composite
def _variables(draw):
    array = draw(arrays().filter(lambda array: array.dtype.kind != "V"))
    return Source(_variable(array, draw), array, array.dtype.kind in "Mm")


@st.composite
def _in_zarr(draw):
    array = draw(arrays().filter(lambda array: array.dtype.kind in "biufcT" and array.ndim))
    made = _zarr_array(array, draw(st.sampled_from([2, 3])))
    return Source(made, np.asarray(made[...]))  # zarr-python itself takes -0.0 for an absent 0.0


def _variable(array, draw):
    dims = tuple(f"x{axis}" for axis in range(array.ndim))
    chunks = tuple(draw(st.integers(1, max(1, size))) for size in array.shape)
    encoding = draw(
        st.sampled_from([{}, {"chunks": chunks}, {"preferred_chunks": dict(zip(dims, chunks, strict=True))}])
    )
    stale = draw(st.sampled_from([{}, {"chunks": (2,) * (array.ndim + 1)}, {"shards": (3,), "compressors": None}]))
    return xr.Variable(dims, array, {}, {**stale, **encoding})


def _zarr_array(array, zarr_format):
    dtype = str if array.dtype.kind == "T" else array.dtype
    made = zarr.create_array(
        zarr.storage.MemoryStore(), shape=array.shape, dtype=dtype, zarr_format=zarr_format, chunks=(2,) * array.ndim
    )
    if array.size:
        made[...] = array
    return made


def _with_mask(array, mask):
    tree = np.ma.masked_array(array, mask)
    if not mask.any():
        return Source(tree, array)
    if array.dtype.kind in "TUS":
        return Source(tree, np.where(mask, np.zeros((), array.dtype), array))
    if array.dtype.kind in "iu" and array.dtype.itemsize == 8 and (~mask).any() and _beyond_floats(array[~mask]):
        return Source(tree, np.where(mask, 0, array))
    kinds = {"b": "f8", "i": "f4" if array.dtype.itemsize <= 2 else "f8", "f": array.dtype, "c": array.dtype}
    want = array.astype(kinds["i" if array.dtype.kind == "u" else array.dtype.kind])
    return Source(tree, np.where(mask, np.array(np.nan, want.dtype), want))


def _beyond_floats(numbers):
    return max(abs(int(numbers.min())), abs(int(numbers.max()))) > 2**53


@st.composite
def _columns(draw):
    """Return columns of pandas and Arrow, with gaps or without."""
    rows = draw(st.integers(1, 6))
    made = draw(
        st.one_of(
            st.lists(st.one_of(st.none(), st.integers(-(2**31), 2**31)), min_size=rows, max_size=rows).map(_whole),
            st.lists(st.one_of(st.none(), TEXTS), min_size=rows, max_size=rows).map(_text_column),
            st.lists(st.binary(max_size=4), min_size=rows, max_size=rows).map(_binary),
            st.lists(st.sampled_from(["a", "bb", ""]), min_size=rows, max_size=rows).map(_category),
        )
    )
    return draw(st.sampled_from(made))


def _whole(values):
    want = np.array([np.nan if value is None else value for value in values], "f8")
    if None not in values:
        want = want.astype("i8")
    return [Source(pa.array(values, pa.int64()), want), Source(pd.Series(values, dtype="Int64"), want)]


def _text_column(values):
    want = np.array([value or "" for value in values], TEXT)
    kinds = [pa.string(), pa.large_string(), pa.string_view()]
    typed = [Source(pa.array(values, kind), want) for kind in kinds]
    if set(values) == {None}:  # objects that say nothing of their type
        return typed
    return [*typed, Source(pd.Series(values, dtype=object), want)]


def _binary(values):
    want = np.empty(len(values), object)
    want[:] = values
    return [Source(pa.array(values, pa.binary()), want), Source(want.copy(), want)]


def _category(values):
    want = np.array(values, TEXT)
    return [Source(pd.Series(pd.Categorical(values)), want), Source(pa.array(values).dictionary_encode(), want)]


@st.composite
def _objects(draw):
    """Return arrays of Python objects."""
    size = draw(st.integers(1, 5))
    numbers = draw(st.sampled_from([st.integers(-(2**63), 2**63 - 1), st.integers(2**63, 2**64 - 1), st.booleans()]))
    values = draw(st.one_of(*[st.lists(each, min_size=size, max_size=size) for each in (numbers, TEXTS)]))
    tree = np.empty(size, object)
    tree[:] = values
    return Source(tree, np.array(values, TEXT if isinstance(values[0], str) else None))


@st.composite
def _sparse(draw):
    from scipy import sparse

    shape = draw(st.tuples(st.integers(1, 6), st.integers(1, 6)))
    dense = draw(nps.arrays(st.sampled_from(["<i4", "<f8", "u1"]), shape, elements=st.integers(0, 3)))
    return Source(getattr(sparse, draw(st.sampled_from(["coo_array", "csr_array", "dok_array"])))(dense), dense)
