"""Fields with a tolerance, against flint: within one step of the true value, with the same exact counts."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import xarray as xr
from flint import acb, arb, ctx, fmpq

import mandeldask as md
from fractal.oracle import wrong_pixels
from fractal.places import PLACES
from mandeldask.fractal.geometry import Grid
from mandeldask.fractal.mandelbrot import Mandelbrot
from mandeldask.fractal.place_url import as_spec, from_spec
from mandeldask.fractal.tolerance import OFFSET, Packing, checked_tolerance

PIXELS = [(0, 0), (3, 17), (11, 5), (16, 16), (22, 1), (23, 23)]
WINDOWS = [
    ("-0.5", "3", 255),
    (PLACES["seahorse"], "1e-5", 2000),
    (PLACES["seahorse"], "1e-13", 6000),
    (PLACES["seahorse"], "1e-20", 9000),
    (PLACES["M(4,1)"], "1e-30", 3000),
    ("1j", "1e-100", 4000),
    (PLACES["tip -2"], "1e-25", 3000),
    ("0.5", "1e30", 50),
]


def exact(re: Fraction, im: Fraction, maxiter: int) -> tuple[float, float] | None:
    """Return smooth and distance in plane units by an orbit of 3000 bits, None if it stays."""
    with ctx.workprec(3000):
        c = acb(arb(fmpq(re.numerator, re.denominator)), arb(fmpq(im.numerator, im.denominator)))
        z, slope, n = c, acb(1), 1
        while abs(z).mid() < 1e20:
            if n > maxiter + 500:
                return None
            z, slope, n = z * z + c, 2 * z * slope + 1, n + 1
            z, slope = acb(z.real.mid(), z.imag.mid()), acb(slope.real.mid(), slope.imag.mid())
        log = abs(z).log()
        return float((n - (log / arb(2).log()).log() / arb(2).log()).mid()), float(
            (2 * abs(z) * log / abs(slope)).mid()
        )


@pytest.mark.parametrize("fields", [("iterations", "smooth"), ("smooth", "distance")], ids=len)
@pytest.mark.parametrize(("center", "width", "maxiter"), WINDOWS)
def test_values_are_within_a_step(center, width, maxiter, fields):
    tolerance = {"smooth": Fraction(1, 64)} | ({"distance": 0.01} if "distance" in fields else {})
    window = md.window(center, width, (24, 24), maxiter=maxiter, fields=fields, tolerance=tolerance)
    grid = Grid.window(center, width, (24, 24))
    if "iterations" in fields:
        assert (window.iterations.values == Mandelbrot(maxiter)(grid)["iterations"]).all()
        assert wrong_pixels(grid, window.iterations.values, maxiter, PIXELS) == []
    counts = Mandelbrot(maxiter)(grid)["iterations"]
    decoded = xr.decode_cf(window).smooth.values
    assert (np.isnan(decoded) == (counts == maxiter)).all()
    for row, col in PIXELS:
        if counts[row, col] == maxiter:
            continue
        smooth, distance = exact(*grid.point(row, col), maxiter)
        assert abs(decoded[row, col] - smooth) <= 1 / 64
        if "distance" in fields:
            unit = float(Fraction(window.distance.attrs.get("exact_unit", 1)))
            most = float(np.finfo(np.float32).max)
            assert window.distance.values[row, col] == pytest.approx(min(distance / unit, most), rel=0.01)


def test_how_it_is_stored():
    tolerance = {"smooth": "1/64"}
    shallow, deep = (
        md.window("0", "4", (8, 8), maxiter=most, fields="smooth", tolerance=tolerance).smooth for most in (900, 5000)
    )
    assert (shallow.dtype, deep.dtype) == (np.uint16, np.uint32)
    assert shallow.attrs["scale_factor"] == shallow.attrs["tolerance"] == 1 / 64
    assert shallow.attrs["add_offset"] == OFFSET
    assert shallow.attrs["_FillValue"] == 2**16 - 1
    assert shallow.attrs["units"] == "iterations"


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_zarr_clients_read_iterations(zarr_format):
    tree = md.open_pyramid(levels=2, tilesize=16, fields=("iterations", "smooth"), tolerance={"smooth": "1/64"})
    store = md.to_store(tree["1"].to_dataset(), zarr_format=zarr_format)
    served = xr.open_zarr(store, zarr_format=zarr_format, consolidated=False).smooth.values
    full = md.open_pyramid(levels=2, tilesize=16, fields="smooth")["1/smooth"].values
    np.testing.assert_allclose(served, full, atol=1 / 64)


def test_a_place_has_one_spec_with_its_tolerances():
    pyramid = md.Pyramid(
        levels=3, fields=("iterations", "smooth", "distance"), tolerance={"smooth": "1/64", "distance": "0.01"}
    )
    spec = as_spec(pyramid)
    assert spec.endswith("_iterations-smooth0.015625-distance0.01")
    assert from_spec(spec) == pyramid
    assert md.Pyramid(**pyramid.as_dict()) == pyramid
    assert pyramid.fingerprint != md.Pyramid(levels=3, fields=pyramid.fields).fingerprint
    with pytest.raises(ValueError, match="not the canonical form"):
        from_spec(spec.replace("0.015625", "1r64"))


@pytest.mark.parametrize(
    ("tolerance", "error"),
    [
        ({"iterations": "1/64"}, ValueError),
        ({"distance": "0.01"}, ValueError),
        ({"smooth": 0}, ValueError),
        ({"smooth": 2}, ValueError),
        ({"smooth": "1e-9"}, ValueError),
        ({"smooth": "much"}, ValueError),
        ({"smooth": True}, TypeError),
    ],
)
def test_others_are_refused_by_name(tolerance, error):
    for ask in (md.window, lambda center, width, **asked: md.Pyramid(center=center, width=width, **asked)):
        with pytest.raises(error, match=r"tolerance|smooth"):
            ask("0", "4", fields=("iterations", "smooth"), tolerance=tolerance)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="32 bits"):
        md.Pyramid(levels=3, fields="smooth", maxiter=2**32 - 1, tolerance={"smooth": "1/4096"})
    packing = Packing.of(Fraction(1, 64), 255)
    with pytest.raises(OverflowError, match="smooth exceeds"):
        packing.packed(np.array([2000.0]))
    assert checked_tolerance({"smooth": 0.5}, ("smooth",)) == (("smooth", Fraction(1, 2)),)
