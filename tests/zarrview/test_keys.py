"""Chunk keys: one per chunk, and no other key is any chunk's."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mandeldask.zarrview.formats import V2, V3
from mandeldask.zarrview.keys import chunk_grid, parse_coords, window

FORMATS = pytest.mark.parametrize("form", [V2(), V3()], ids=["v2", "v3"])
grids = st.lists(st.integers(1, 2**55), max_size=4).map(tuple)


@st.composite
def grid_and_coords(draw):
    grid = draw(grids)
    return grid, tuple(draw(st.integers(0, count - 1)) for count in grid)


@FORMATS
@given(case=grid_and_coords())
def test_every_chunk_has_a_key_that_leads_back_to_it(form, case):
    grid, coords = case
    assert form.parse_chunk_key(form.chunk_key(coords).split("/"), grid) == coords


@FORMATS
@given(text=st.text(alphabet="0123456789+-_/. c٣²\0\n", max_size=8), grid=grids)
def test_a_key_that_names_a_chunk_is_the_one_key_of_that_chunk(form, text, grid):
    coords = form.parse_chunk_key(text.split("/"), grid)
    assert coords is None or form.chunk_key(coords) == text


@FORMATS
def test_keys_of_a_small_grid_are_exactly_its_chunks(form):
    grid = (2, 11)
    keys = {form.chunk_key(coords) for coords in product(range(2), range(11))}
    prefix = "" if form.number == 2 else "c/"
    columns = [*map(str, range(-2, 13)), "00", "010", "+1", "1_0", "", " 1", "1\n"]
    tried = {f"{prefix}{row}/{col}" for row in range(-3, 5) for col in columns}
    assert keys <= tried
    assert {key for key in tried if form.parse_chunk_key(key.split("/"), grid)} == keys


OTHERS = """-1/0 00/0 +1/0 1_0/0 ٣/0 a/b 0 0/0/0 99999999999999999999999999/0 0/\0 ../0 0//0 /0/0 0/0/ 0/4 4/0 0.0 0/0x1
0/1e0 0/½ 0/² c/0/0 0/1\r"""


@pytest.mark.parametrize("key", OTHERS.replace("\n", " ").split(" "))
def test_other_keys_are_absent(key):
    assert V2().parse_chunk_key(key.split("/"), (4, 4)) is None
    assert V3().parse_chunk_key(["c", *key.split("/")], (4, 4)) is None


def test_the_one_chunk_of_a_scalar():
    assert V2().parse_chunk_key(["0"], ()) == () == V3().parse_chunk_key(["c"], ())
    assert V2().chunk_key(()) == "0"
    assert V3().chunk_key(()) == "c"
    assert V2().parse_chunk_key([], ()) is V3().parse_chunk_key(["c", "0"], ()) is None


@given(size=st.integers(0, 2**63 - 1), chunk=st.integers(1, 2**40))
def test_chunks_tile_an_axis_exactly(size, chunk):
    (count,) = chunk_grid((size,), (chunk,))
    assert (count - 1) * chunk < size <= count * chunk or count == size == 0
    if count:
        (last,) = window((count - 1,), (chunk,), (size,))
        assert (last.start, last.stop) == ((count - 1) * chunk, size)
    assert parse_coords([str(count)], (count,)) is None
