"""`chunks` has the same meaning as in dask: compared with dask's own normalize_chunks."""

from __future__ import annotations

import numpy as np
import pytest
from dask.array.core import normalize_chunks

import mandeldask as md
from mandeldask.lazy.chunking import block_sides, can_be_listed

FORMS = [
    16,
    -1,
    np.int64(24),
    (16, 32),
    [16, -1],
    {"y": 16, "x": -1},
    {0: 16, 1: 32},
    {"x": 8},
    {},
    ((16, 48), (32, 68)),
    (None, 50),
    {"y": (1, 2, 61)},
]


@pytest.mark.parametrize("chunks", FORMS, ids=repr)
def test_blocks_are_those_of_dask(chunks):
    window = md.window("0", "4", (64, 100), maxiter=50, chunks=chunks)
    asked = chunks
    if isinstance(chunks, dict):
        asked = {("yx".index(name) if isinstance(name, str) else name): size for name, size in chunks.items()}
    assert window.iterations.chunks == normalize_chunks(asked, (64, 100))
    assert (window.iterations.values == md.window("0", "4", (64, 100), maxiter=50).iterations.values).all()


@pytest.mark.parametrize(
    ("chunks", "error"),
    [
        (0, ValueError),
        (-2, ValueError),
        ((16, 0), ValueError),
        ("big", ValueError),
        ("1MiB", ValueError),
        (3.5, TypeError),
        (True, TypeError),
        ((16, 16, 16), ValueError),
        ({"z": 3}, ValueError),
        ((16, (3, 3)), ValueError),
        ({"y": (-1, 65)}, ValueError),
    ],
    ids=repr,
)
def test_others_are_refused_by_name(chunks, error):
    for ask in (lambda: md.window("0", "4", (64, 64), chunks=chunks), lambda: md.open_pyramid(levels=3, chunks=chunks)):
        with pytest.raises(error, match="chunks"):
            ask()


def test_levels_in_one_block_stay_lazy_where_they_are_too_large():
    tree = md.open_pyramid(levels=50, chunks=-1)
    assert tree["49/iterations"].chunks == ((1024,), (1024,))
    assert tree["0/iterations"].chunks is None
    assert tree["0/iterations"][:2, :2].shape == (2, 2)


def test_auto_and_none():
    assert block_sides("auto", (64, 64), 512) == (512, 512)
    assert block_sides(None, (64, 64), 512) is None
    assert can_be_listed((512, 512), (2, 2))
    assert not can_be_listed((514, 512), (2, 2))
    assert not can_be_listed((2**59, 2**59), (2**59, 2**59))
