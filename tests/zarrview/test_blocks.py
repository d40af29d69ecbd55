"""The blocks of a source are converted to the declared type, element by element, or cause an error."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from mandeldask.zarrview import chunking
from mandeldask.zarrview.blocks import declared, is_missing
from mandeldask.zarrview.chunking import aligned_chunks, block_chunks
from mandeldask.zarrview.dtypes import plain

KINDS = ["?", "i1", "u1", ">i2", "u2", "i4", ">u4", "i8", "u8", "f2", ">f4", "f8", "c8", "c16"]
TEXT = np.dtypes.StringDType()


@given(st.sampled_from(KINDS).flatmap(lambda kind: nps.arrays(kind, (3,))), st.sampled_from(KINDS))
def test_a_cast_keeps_every_element_or_is_an_error(block, kind):
    dtype = plain(np.dtype(kind))
    try:
        got = declared(block, (3,), dtype)
    except TypeError:
        assert not _can_be(block, dtype)
        return
    assert got.dtype == dtype
    assert got.flags.c_contiguous
    for one, other in zip(got.tolist(), block.tolist(), strict=True):
        assert one == other or (one != one and other != other)  # noqa: PLR0124


def _can_be(block, dtype):
    """Return whether Python's own numbers say that a cast is right, for kinds between which casts are made."""
    ranks = {"b": 0, "i": 1, "u": 1, "f": 2, "c": 3}
    if ranks[block.dtype.kind] > ranks[dtype.kind] or (dtype.kind == "b") != (block.dtype.kind == "b" == dtype.kind):
        return False
    with np.errstate(all="ignore"):
        try:
            cast = [np.array(element).astype(dtype).item() for element in block.tolist()]
        except (OverflowError, ValueError):
            return False
    return all(one == other or (one != one and other != other) for one, other in zip(cast, block.tolist(), strict=True))  # noqa: PLR0124


def test_scalars_stay_scalars_and_text_loses_nothing():
    assert declared(np.array("abc"), (), TEXT).shape == ()
    assert declared(np.array(["ab", "c"]), (2,), np.dtype("<U2")).tolist() == ["ab", "c"]
    with pytest.raises(TypeError, match="not all elements"):
        declared(np.array(["abc"]), (1,), np.dtype("<U2"))
    with pytest.raises(TypeError, match="not all elements"):
        declared(np.array([b"abc"]), (1,), np.dtype("S2"))
    with pytest.raises(TypeError, match="but text was declared"):
        declared(np.array([1], object), (1,), TEXT)
    with pytest.raises(TypeError, match="not bytes"):
        declared(np.array(["a"], object), (1,), np.dtype(object))
    with pytest.raises(UnicodeDecodeError):
        declared(np.array([b"\xff"]), (1,), TEXT)


def test_structs_are_cast_by_name_and_elements_must_fit():
    dtype = plain(np.dtype([("a", "i1"), ("b", "f8")], align=True))
    block = np.array([(1, 2.5)], [("a", ">i4"), ("b", ">f4")])
    assert declared(block, (1,), dtype).tolist() == [(1, 2.5)]
    for other in (np.array([(300, 2.5)], block.dtype), block[["b", "a"]]):
        with pytest.raises(TypeError, match="not all elements"):
            declared(other, (1,), dtype)


def test_masks_become_what_is_missing():
    masked = np.ma.masked_array([1, 2, 3], [0, 1, 0])
    assert declared(masked, (3,), np.dtype("f8"), np.nan).tolist()[::2] == [1.0, 3.0]
    with pytest.raises(ValueError, match="masked elements"):
        declared(masked, (3,), np.dtype("i8"))
    with pytest.raises(ValueError, match="declared missing value"):
        declared(masked, (3,), np.dtype("i8"), 3)
    assert declared(np.ma.masked_array([1, 2], [0, 0]), (2,), np.dtype("i8")).tolist() == [1, 2]


def test_what_stands_for_missing_objects():
    pandas = pytest.importorskip("pandas")
    assert all(map(is_missing, [None, np.nan, float("nan"), pandas.NA, pandas.NaT, np.datetime64("NaT", "s")]))
    assert not any(map(is_missing, ["", b"", 0, False, "nan"]))


SIDES = st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 10**6)), min_size=1, max_size=4)


@given(SIDES, st.sampled_from([1, 2, 4, 8, 16]))
def test_chunks_of_blocks_are_neither_small_nor_large(sides, itemsize):
    shape, block = zip(*sides, strict=True)
    chunks = aligned_chunks(shape, itemsize, block)
    size = prod(chunks) * itemsize
    assert all(1 <= chunk <= max(1, side) for chunk, side in zip(chunks, shape, strict=True))
    assert size <= chunking.MOST_BYTES
    assert size >= chunking.LEAST_BYTES // 2 or chunks == tuple(max(1, side) for side in shape)


def test_a_shape_that_is_not_known_has_no_chunks():
    with pytest.raises(ValueError, match="compute_chunk_sizes"):
        block_chunks((float("nan"),), 8, ((float("nan"),),))
    assert block_chunks((), 8, ()) == ()
    assert block_chunks((0, 3), 8, ((0,), (3,))) == (1, 3)
