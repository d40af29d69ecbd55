"""Julia sets: counts and fields against flint, at every depth; ties and orbits that never settle; refused input."""

from __future__ import annotations

import pickle
from fractions import Fraction

import dask
import numpy as np
import pytest
import xarray as xr
from gmpy2 import get_context, mpc, mpfr, sqrt

import mandeldask as md
from fractal.oracle import julia_count, julia_fields
from mandeldask.cancellation import Cancellation, Cancelled, cancellable
from mandeldask.fractal.geometry import Grid
from mandeldask.fractal.julia import Julia
from mandeldask.fractal.mandelbrot import Mandelbrot
from mandeldask.fractal.place_url import as_spec, from_spec
from mandeldask.fractal.places import as_place
from mandeldask.fractal.pyramid import Pyramid
from mandeldask.fractal.rationals import as_point

SETS = {
    "rabbit": "-0.123+0.745j",
    "galaxies": "-0.8+0.156j",
    "basilica": "-1",
    "dendrite": "1j",
    "cauliflower": "1/4",
    "parabolic": "-0.75",
    "dust": "0.4",
    "Siegel": "-0.39054087021840008-0.58678790734696873j",
    "Feigenbaum": "-1.401155189",
    "disc": "0",
    "segment": "-2",
    "thirds": "1/3+1/7j",
    "edge": "-1.2-1.6j",
}


def on_the_set(c, rng, digits):
    """Return a point next to the Julia set of `c`, as text: a random preimage, far back."""
    get_context().precision = int(4 * digits) + 100
    point = as_point(c)
    z, c = mpc(1.3, 0.4), mpc(*(mpfr(part.numerator) / part.denominator for part in point))
    for _ in range(int(4 * digits) + 200):
        z = sqrt(z - c) * rng.choice([-1, 1])
    return format(z.real, f".{digits}f"), format(z.imag, f".{digits}f")


def wrong(kernel, grid, pixels):
    """Return (row, col, given, exact) of those of `pixels` that are not exact."""
    counts = kernel(grid)["iterations"]
    judged = ((*at, int(counts[at]), julia_count(grid.point(*at), kernel.c, kernel.maxiter)) for at in pixels)
    return [verdict for verdict in judged if verdict[3] not in {None, verdict[2]}]


@pytest.mark.parametrize("name", SETS)
def test_every_pixel_of_small_windows(name):
    kernel = Julia(255, c=as_point(SETS[name]))
    pixels = [(row, col) for row in range(12) for col in range(12)]
    for center, width in (("0", "4"), ("0.003+0.1j", "1/3")):
        assert not wrong(kernel, Grid.window(center, width, (12, 12)), pixels), (center, width)


@pytest.mark.parametrize("name", SETS)
def test_random_windows_of_every_depth(name):
    rng = np.random.default_rng(len(name))
    kernel = Julia(2000, c=as_point(SETS[name]))
    for digits in (7, 15, 22, 45, 100, 305):
        width = Fraction(int(rng.integers(1, 10)), 10**digits)
        grid = Grid.window(on_the_set(SETS[name], rng, digits + 9), width, (16, 16))
        assert not wrong(kernel, grid, [tuple(map(int, at)) for at in rng.integers(0, 16, (6, 2))]), (digits, width)


@pytest.mark.parametrize("digits", [1, 12, 40, 120])
def test_fields_are_those_of_the_potential(digits):
    rng = np.random.default_rng(digits)
    for name in ("galaxies", "dust", "dendrite"):
        kernel = Julia(2000, ("iterations", "smooth", "distance"), c=as_point(SETS[name]))
        grid = Grid.window(on_the_set(SETS[name], rng, digits + 9), Fraction(1, 10**digits), (9, 9))
        got = kernel(grid)
        unit = grid.spacing if grid.spacing < Fraction(1, 2**100) else 1
        outside = np.argwhere(got["iterations"] < 2000)
        assert len(outside) > 40
        for at in rng.permutation(outside)[:4]:
            smooth, distance = julia_fields(grid.point(*map(int, at)), kernel.c)
            assert got["smooth"][*at] == pytest.approx(smooth, abs=2e-5 * max(1, smooth))
            assert got["distance"][*at] == pytest.approx(float(Fraction(distance) / unit), rel=2e-4)
        kernel = Julia(2000, ("smooth",), tolerance={"smooth": "1/64"}, c=kernel.c)
        stored = kernel(grid)["smooth"] * kernel.attributes["smooth"]["scale_factor"] - 16.0
        inside = got["iterations"] == 2000
        np.testing.assert_allclose(stored[~inside], got["smooth"][~inside], atol=1 / 64)


@pytest.mark.parametrize("width", ["1e-36", "1e-45", "1e-60", "1e-300"])
@pytest.mark.parametrize(("c", "center"), [("0.285+0.01j", "0.4+0.5j"), ("0.4", "0")])
def test_distances_of_deep_windows_far_from_the_set_need_no_integers(c, center, width):
    """Also at 0, where slopes are so small that a window knows bounds of them only."""
    kernel, grid = Julia(255, ("distance",), c=as_point(c)), Grid.window(center, width, (5, 5))
    assert kernel.report(grid) == {"float64": 25}
    exact = float(min(Fraction(julia_fields(grid.point(1, 2), kernel.c)[1]) / grid.spacing, Fraction(2**129)))
    given = float(kernel(grid)["distance"][1, 2])
    assert given == pytest.approx(min(exact, float(np.finfo(np.float32).max)), rel=2e-4)


def test_far_out_fields():
    kernel = Julia(50, ("iterations", "smooth", "distance"), c=as_point("0.4"))
    for center in ("3+1j", "5000j", "3e7", "1e300"):
        grid = Grid.window(center, "1", (2, 2))
        got = kernel(grid)
        log2 = np.log2(np.abs(complex(*map(float, grid.point(1, 1)))) if center != "1e300" else 2.0**500)
        log2 = log2 if center != "1e300" else 300 * np.log2(10)
        assert got["iterations"][1, 1] == 0
        assert got["smooth"][1, 1] == pytest.approx(-np.log2(log2), abs=0.03)
        assert np.isfinite(got["distance"]).all()


def test_ties_and_slopes_of_zero():
    """|z_n| = 2 exactly counts as inside; where z_n = 0, a distance is past float32."""
    for c, z, count in (
        ("-0.25", "1.5", 1),
        ("0", "1+1j", 1),
        ("1j", "1j", 50),
        ("-0.36", "0.4+1.2j", None),
        ("0.7", "0.9j", None),
    ):
        grid = Grid.window(z, "1/2", (2, 2))
        kernel = Julia(50, c=as_point(c))
        got = kernel(grid)["iterations"]
        expected = julia_count(grid.point(1, 1), kernel.c, 50) if count is None else count
        assert got[1, 1] == expected, (c, z)
    slopeless = Julia(50, ("distance",), c=as_point("0.36"))(Grid.window("0.6j", "1", (2, 2)))["distance"]
    assert slopeless[1, 1] == np.finfo(np.float32).max
    assert slopeless[0, 0] < 10


def test_the_count_at_0_is_that_of_the_mandelbrot_set():
    grid = Grid.window("-0.6+0.1j", "1.8", (5, 5))
    counts = Mandelbrot(500)(grid)["iterations"]
    for row in range(5):
        for col in range(5):
            kernel = Julia(500, c=grid.point(row, col))
            assert kernel(Grid.window("0", "1e-30", (2, 2)))["iterations"][1, 1] == counts[row, col]


def test_values_do_not_depend_on_the_window():
    kernel = Julia(700, c=as_point(SETS["galaxies"]))
    for width in ("3", "1e-40"):
        grid = Grid.window(on_the_set(SETS["galaxies"], np.random.default_rng(1), 50), width, (40, 40))
        whole = kernel(grid)["iterations"]
        np.testing.assert_array_equal(kernel(grid[7:21, 3:40:2])["iterations"], whole[7:21, 3:40:2])


def test_it_is_cancelled():
    cancellation = Cancellation()
    cancellation.cancel()
    with cancellable(cancellation), pytest.raises(Cancelled):
        Julia(10**7, c=as_point("1/4"))(Grid.window("0.5", "1e-200", (4, 4)))


@pytest.mark.parametrize(
    ("keywords", "words"),
    [
        ({"julia": "2+0.1j"}, "modulus of at most 2"),
        ({"julia": "-1", "fields": ("period",)}, "has no field period"),
        ({"julia": "half"}, "julia must look like"),
    ],
)
def test_what_has_no_julia_set_is_refused(keywords, words):
    with pytest.raises(ValueError, match=words):
        Pyramid(**keywords)
    with pytest.raises(ValueError, match=words):
        md.window("0", "4", (4, 4), **keywords)


def test_a_pyramid_says_what_it_is():
    pyramid = Pyramid(levels=20, julia="-0.8+0.156j")
    spec = as_spec(pyramid)
    assert spec == "re0_im0_width5_levels20_maxiter255_iterations_julia-0.8i0.156"
    assert from_spec(spec) == pyramid == Pyramid(**pyramid.as_dict())
    assert as_place(f"http://localhost/zarr/v3/at/{spec}.zarr").julia == pyramid.julia
    assert as_place("#re=0&im=0&width=1&julia=-0.8%2B0.156j").julia == pyramid.julia
    assert pyramid.fingerprint != Pyramid(levels=20).fingerprint
    tree = md.open_pyramid(pyramid)
    assert (tree.name, tree.attrs["title"]) == ("julia", "The Julia set of -0.8+0.156j")
    assert tree["3"].x.attrs["long_name"] == "Re(z)"
    assert tree.mandel.pyramid == pyramid
    assert tree.attrs["zarr_v3"]["ome"]["omero"]["name"] == "Julia set of -0.8+0.156j"
    engine = "mandelbrot:levels=3,tilesize=8,julia=-0.8+0.156j"
    opened = xr.open_datatree(engine, engine="mandeldask")["2/iterations"]
    np.testing.assert_array_equal(opened, tree["19/iterations"][::64, ::64])
    window = md.window("0", "5", (16, 16), maxiter=255, julia="-0.8+0.156j")
    np.testing.assert_array_equal(opened, window.iterations)
    assert window.attrs["julia"] == "-0.8+0.156j"


def test_kernels_pickle_and_have_tokens_of_any_digits():
    one, other = (Julia(50, c=as_point((f"0.{'3' * 6000}{end}", "0"))) for end in "12")
    assert pickle.loads(pickle.dumps(one)) == one
    assert dask.base.tokenize(one) == dask.base.tokenize(pickle.loads(pickle.dumps(one))) != dask.base.tokenize(other)
    assert len(one.about.title) < 60
