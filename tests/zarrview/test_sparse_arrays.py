"""Sparse arrays of pydata and scipy are converted to dense arrays window by window, in bounded memory."""

from __future__ import annotations

import tracemalloc
from math import prod

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from mandeldask.zarrview.chunking import CHUNK_BYTES
from mandeldask.zarrview.kinds.sparse_arrays import sparse_node
from zarrview.opening import FORMATS, shown

RNG = np.random.default_rng(5)


SPARSE_SHAPES = [(40,), (30, 41), (7, 11, 13)]


@FORMATS
@pytest.mark.parametrize("shape", SPARSE_SHAPES, ids=str)
@pytest.mark.parametrize("kind", ["COO", "GCXS", "DOK"])
def test_sparse_arrays(zarr_format, shape, kind):
    sparse = pytest.importorskip("sparse")
    coo = sparse.random(shape, density=0.1, random_state=3, fill_value=2.5)
    np.testing.assert_array_equal(shown(coo.asformat(kind.lower()), zarr_format), coo.todense())


def test_sparse_blocks_and_variables_are_made_dense_by_windows():
    sparse = pytest.importorskip("sparse")
    coo = sparse.random((20, 30), density=0.2, random_state=1)
    blocks = da.from_array(coo, chunks=7, asarray=False)
    for tree in (blocks, xr.DataArray(coo), xr.DataArray(blocks)):
        np.testing.assert_array_equal(shown(tree, 3), coo.todense())


@pytest.mark.parametrize("form", ["coo", "csr", "csc", "bsr", "dia", "dok", "lil"])
@pytest.mark.parametrize("make", ["array", "matrix"])
def test_scipy_sparse(form, make):
    scipy_sparse = pytest.importorskip("scipy.sparse")
    dense = RNG.integers(0, 3, (20, 33)) * RNG.integers(0, 2, (20, 33))
    tree = getattr(scipy_sparse, f"{form}_{make}")(dense)
    np.testing.assert_array_equal(shown(tree, 3), dense)


def test_scipy_duplicates_are_summed_and_the_original_left_alone():
    scipy_sparse = pytest.importorskip("scipy.sparse")
    coo = scipy_sparse.coo_array(([1, 2, 3], ([0, 0, 2], [1, 1, 0])), shape=(3, 2))
    np.testing.assert_array_equal(shown(coo, 3), [[0, 3], [0, 0], [3, 0]])
    assert coo.nnz == 3


@pytest.mark.parametrize("shape", [(10**6, 10**6), (3, 10**12), (10**12, 3), (10**6, 10**3, 10**3)], ids=str)
def test_a_huge_sparse_array_is_served_in_bounded_memory(shape):
    flat = np.unique(RNG.integers(0, prod(shape), 10**6))
    coords = np.unravel_index(flat, shape)
    node = sparse_node(shape, coords, np.ones(len(flat)), 0.0)
    assert prod(node.chunks) * 8 <= CHUNK_BYTES
    tracemalloc.start()
    for place in (0, len(flat) // 2, len(flat) - 1):
        window = tuple(
            slice(at[place] // chunk * chunk, min(at[place] // chunk * chunk + chunk, size))
            for at, chunk, size in zip(coords, node.chunks, shape, strict=True)
        )
        inside = np.logical_and.reduce(
            [(at >= span.start) & (at < span.stop) for at, span in zip(coords, window, strict=True)]
        )
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        block = node.read(window)
        assert tracemalloc.get_traced_memory()[1] - before < 24 * CHUNK_BYTES
        assert block.sum() == inside.sum() > 0
    tracemalloc.stop()
