"""For random pyramids, levels and windows: lazy == dask == kernel == the finer level decimated."""

import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import mandeldask as md
from mandeldask.fractal.kernels import kernel_of as mandelbrot
from positions import position_kernel

KERNELS = {"position": position_kernel, "mandelbrot": mandelbrot}

places = st.sampled_from(
    ["0", "-0.75+0.1j", "0.25", "-1.401155189092050606", "-0.7436438870371587+0.1318259042053119j"]
)
widths = st.fractions(min_value="1e-12", max_value=5, max_denominator=10**13).filter(bool)
pyramids = st.builds(
    md.Pyramid,
    levels=st.integers(2, 12),
    tilesize=st.sampled_from([8, 12, 33]),
    maxiter=st.one_of(st.integers(1, 300), st.just("auto")),
    center=places,
    width=widths,
    fields=st.just(("iterations",)),
)


@st.composite
def windows(draw, size, most=24):
    """Return slices of at most `most` pixels, anywhere and unaligned."""
    ends = []
    for _ in "yx":
        start = draw(st.integers(0, size - 1))
        ends.append(slice(start, min(size, start + draw(st.integers(1, most)))))
    return tuple(ends)


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_lazy_dask_kernel_and_the_finer_level_agree(kernel, data):
    pyramid = data.draw(pyramids)
    level = data.draw(st.integers(1, pyramid.levels - 1))
    rows, cols = data.draw(windows(pyramid.grid(level).shape[0]))
    side = data.draw(st.integers(5, 30))
    lazy = md.open_pyramid(pyramid, kernel=kernel, chunks=None)
    window = lazy[str(level)].to_dataset().isel(y=rows, x=cols)
    exact = kernel(pyramid, level)(pyramid.grid(level)[rows, cols])["iterations"]
    with dask.config.set(scheduler="synchronous"):
        np.testing.assert_array_equal(window.iterations, exact)
        xr.testing.assert_equal(window.chunk(side).compute(), window.compute())
        eager = md.open_pyramid(pyramid, kernel=kernel)[str(level)].to_dataset().isel(y=rows, x=cols)
        xr.testing.assert_equal(eager.compute(), window.compute())
    finer = lazy[str(level - 1)].to_dataset()
    doubled = (slice(2 * part.start, 2 * part.stop, 2) for part in (rows, cols))
    decimated = finer.isel(dict(zip(("y", "x"), doubled, strict=True)))
    assert decimated.xindexes["x"].equals(window.xindexes["x"])
    assert decimated.xindexes["y"].equals(window.xindexes["y"])
    if kernel is mandelbrot and pyramid.maxiter_at(level) == pyramid.maxiter_at(level - 1):
        np.testing.assert_array_equal(decimated.iterations, exact)
    if kernel is position_kernel:
        np.testing.assert_array_equal(decimated.iterations, 2 * exact)
