"""Pixels so far out that c is far out itself, against flint."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from flint import acb, arb, ctx, fmpq

import mandeldask as md
from mandeldask.fractal.geometry import Grid
from mandeldask.fractal.mandelbrot import Mandelbrot

if TYPE_CHECKING:
    from fractions import Fraction

FIELDS = ("iterations", "smooth", "distance", "period")
MOST = float(np.finfo(np.float32).max)


def exact(re: Fraction, im: Fraction) -> tuple[float, float]:
    """Return smooth and distance from z_1 and z_2 with 4000 bits."""
    with ctx.workprec(4000):
        c = acb(arb(fmpq(re.numerator, re.denominator)), arb(fmpq(im.numerator, im.denominator)))
        z, dz = c * c + c, 2 * c + 1
        log = abs(z).log()
        smooth = 2 - (log / arb(2).log()).log() / arb(2).log()
        return float(smooth.mid()), float((2 * abs(z) * log / abs(dz)).mid())


@pytest.mark.parametrize(
    ("center", "width"), [("1e25", "1"), ("0", "1e30"), ("-1e39+3e20j", "1e38"), ("1e200j", "1e-9"), ("0", "1e300")]
)
def test_fields_far_out(center, width):
    grid = Grid.window(center, width, (6, 6))
    for chunks in (None, 4):
        window = md.window(center, width, (6, 6), fields=FIELDS, chunks=chunks)
        for row, col in ((0, 0), (1, 4), (5, 5)):
            pixel = window.isel(y=row, x=col)
            smooth, distance = exact(*grid.point(row, col))
            assert int(pixel.iterations) == int(pixel.period) == 0
            assert float(pixel.smooth) == pytest.approx(smooth, rel=1e-5)
            assert float(pixel.distance) == pytest.approx(min(distance, MOST), rel=1e-5)


def test_a_window_of_1e300_has_coordinates_and_a_repr():
    window = md.window("0", "1e300", (4, 4))
    assert window.x.values[0] == -5e299
    assert "iterations" in repr(window)
    assert md.open_pyramid(levels=3, width="1e300")["0/iterations"][:2, :2].values.max() == 0


@pytest.mark.parametrize(("center", "width"), [("0", "1e308"), ("0", "1e2000"), ("1e310", "1"), ("-1e320j", "1")])
def test_where_float64_has_no_coordinates_there_are_no_windows(center, width):
    with pytest.raises(ValueError, match="no coordinates"):
        md.window(center, width, (4, 4))
    with pytest.raises(ValueError, match="no coordinates"):
        md.Pyramid(center=center, width=width)


def test_the_same_far_out_and_nearer_by():
    """The stage ends at 2^64; the others give the same there."""
    near, far = (
        Mandelbrot(50, FIELDS)(Grid.window(center, "1", (3, 3)))
        for center in ("18446744073709551000", "18446744073709552000")
    )
    np.testing.assert_allclose(near["smooth"], far["smooth"], rtol=1e-6)
    np.testing.assert_allclose(near["distance"], far["distance"], rtol=1e-4)
