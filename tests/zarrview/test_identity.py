"""Identities: equal only where every element is equal, and the same again wherever the source allows it."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr
from hypothesis import given
from hypothesis import strategies as st

from mandeldask.zarrview.formats import V3
from mandeldask.zarrview.identity import digest, identity, is_lasting, unique
from mandeldask.zarrview.view import ZarrView
from zarrview.patterns import lazily

LONG = "a text of more than sixteen bytes, which numpy keeps elsewhere"
PAIRS = {
    "numbers": (np.arange(3), np.array([0, 1, 3])),
    "dtypes": (np.zeros(2, "i4"), np.zeros(2, "u4")),
    "shapes": (np.zeros((2, 3)), np.zeros((3, 2))),
    "zeros": (np.array([0.0]), np.array([-0.0])),
    "text": (np.array(["a", "b"]), np.array(["a", "c"])),
    "long text": (np.array([LONG], np.dtypes.StringDType()), np.array([LONG.upper()], np.dtypes.StringDType())),
    "objects": (np.array([LONG, None], dtype=object), np.array([LONG, ""], dtype=object)),
    "dates": (np.array(["2020-01-01"], "M8[s]"), np.array(["2020-01-02"], "M8[s]")),
    "records": (np.zeros(1, [("a", "i4")]), np.zeros(1, [("b", "i4")])),
    "lazy": (lazily(1024)._data, lazily(2048)._data),
}


@pytest.mark.parametrize("name", PAIRS)
def test_what_differs_differs_and_what_is_equal_is_equal(name):
    one, other = PAIRS[name]
    again = one.copy() if isinstance(one, np.ndarray) else one
    assert identity(one) == identity(again) != identity(other)


def test_order_in_memory_is_no_content():
    array = np.arange(12).reshape(3, 4)
    assert identity(array) == identity(np.asfortranarray(array)) == identity(np.repeat(array, 2, axis=0)[::2])


def test_what_may_change_behind_our_back_is_unique(tmp_path):
    array = zarr.create_array(zarr.storage.MemoryStore(), shape=(3,), dtype="u1")
    mapped = np.memmap(tmp_path / "numbers", "u1", "w+", shape=(3,))
    named = da.from_array(np.arange(3), name="anyone may choose")
    whole = np.broadcast_to(np.zeros(1), (2**27,))
    for data in (array, object(), np.array([object()]), whole, mapped, np.asarray(mapped)[1:], named, da.arange(3)):
        assert identity(data) != identity(data)
        assert not is_lasting(digest("part", identity(data)))
    assert unique() != unique()
    assert is_lasting(digest("part", identity(np.arange(3))))


class Promised:
    """Makes blocks that its name determines."""

    def __init__(self, name):
        self.name = name

    def __call__(self, block_id=None):
        return np.full((2,), len(self.name))

    def __dask_tokenize__(self):
        return self.name


def test_dask_arrays_are_what_their_functions_promise_and_not_what_they_are_called():
    def of(name, chunks=((2, 2),)):
        return da.map_blocks(Promised(name), chunks=chunks, dtype=int, name="same", meta=np.empty(0, int))

    assert identity(of("a")) == identity(of("a"))
    assert is_lasting(identity(of("a")))
    assert len({identity(each) for each in (of("a"), of("ab"), of("a", ((2, 2, 2),)))}) == 3
    assert not is_lasting(identity(of("a") + 1))
    assert not is_lasting(identity(of("a")[:1]))


def dataset():
    return xr.Dataset(
        {"a": (("y", "x"), np.eye(2)), "day": ("x", pd.date_range("2020", periods=2))},
        {"x": ["p", "q"], "y": [0.5, 1.5], "t": ("x", pd.date_range("2020", periods=2))},
    )


@pytest.mark.filterwarnings("ignore:The data type")
def test_datasets_with_indexes_have_the_same_fingerprint_again():
    same = {ZarrView(dataset(), V3()).fingerprint for _ in range(2)}
    changed = dataset().assign_coords(x=["p", "r"]), dataset().assign_coords(y=[0.5, 2.5]), dataset().isel(x=[1, 0])
    assert len(same) == 1
    assert len(same | {ZarrView(other, V3()).fingerprint for other in changed}) == 4


@given(st.lists(st.text() | st.integers() | st.binary()), st.lists(st.text() | st.integers() | st.binary()))
def test_digests_depend_on_where_parts_end(one, other):
    texts = [[part if isinstance(part, bytes) else str(part).encode() for part in parts] for parts in (one, other)]
    assert (digest(*one) == digest(*other)) == (texts[0] == texts[1])
