"""Large grids are computed in parts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mandeldask.budget import BudgetExceeded, limited
from mandeldask.fractal import escape_time, parts
from mandeldask.fractal.geometry import Grid
from mandeldask.fractal.mandelbrot import Mandelbrot
from mandeldask.fractal.parts import MOST_PIXELS, parts_of


@given(st.tuples(st.integers(1, 10_000), st.integers(1, 10_000)))
def test_parts_cover_a_shape_once(shape):
    found = list(parts_of(shape))
    areas = [(rows.stop - rows.start) * (cols.stop - cols.start) for rows, cols in found]
    assert sum(areas) == shape[0] * shape[1]
    assert all(0 < area <= MOST_PIXELS for area in areas)
    assert len({(rows.start, cols.start) for rows, cols in found}) == len(found)
    assert all(rows.start % 256 == cols.start % 256 == 0 for rows, cols in found)
    assert all(rows.stop <= shape[0] and cols.stop <= shape[1] for rows, cols in found)


@pytest.mark.parametrize("width", ["3", "1e-30"])
def test_a_grid_in_parts_has_the_same_values(width, monkeypatch):
    grid = Grid.window("1j", width, (40, 150))
    kernel = Mandelbrot(400, ("iterations", "smooth", "distance", "period"))
    whole = kernel(grid)
    with monkeypatch.context() as patch:
        patch.setattr(parts, "_BLOCK", 16)
        for module in (parts, escape_time):
            patch.setattr(module, "MOST_PIXELS", 2000)
        assert len(list(parts.parts_of(grid.shape))) > 2
        seconds = kernel.seconds(grid)
        with limited(1.01 * seconds):
            divided = kernel(grid)
        with limited(0.99 * seconds), pytest.raises(BudgetExceeded):
            kernel(grid)
    assert {field: values.dtype for field, values in divided.items()} == kernel.dtypes
    for field in ("iterations", "period"):
        np.testing.assert_array_equal(divided[field], whole[field])
    for field in ("smooth", "distance"):
        np.testing.assert_allclose(divided[field], whole[field], rtol=2e-4)
