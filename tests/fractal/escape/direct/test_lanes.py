"""The float64 lanes, the double-double stage and the fields: bounds hold, fields are right, every machine agrees."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import numba
import numpy as np
import pytest

from fractal import oracle
from mandeldask.cancellation import Cancellation, Cancelled, cancellable
from mandeldask.fractal.escape.arithmetic import doubledouble, float64_step, tripledouble
from mandeldask.fractal.escape.arithmetic.positions import POSITION_ERROR, positions
from mandeldask.fractal.escape.direct import exterior_fields_stage, float64_stage, lanes, multidouble_stage
from mandeldask.fractal.escape.exact.bigint_ball import escape_count
from mandeldask.fractal.escape.exact.stage import answer_in_integers, potential_fields
from mandeldask.fractal.escape.tile import Tile
from mandeldask.fractal.geometry import Axis, Grid
from mandeldask.fractal.mandelbrot import Mandelbrot
from mandeldask.fractal.pyramid import Pyramid
from mandeldask.fractal.rationals import Point

SEAHORSE = ("-0.7436438870371587", "0.13182590420531197")
DENDRITE = ("0", "1")
BRANCH = ("-0.10109636384562216103", "0.95628651080914150424")
ANTENNA = ("-1.7687788000474986", "0.0017389099501")
PLACES = [
    pytest.param(49, ("-0.5", "0.5"), id="whole set"),
    pytest.param(38, SEAHORSE, id="seahorse 38"),
    pytest.param(30, SEAHORSE, id="seahorse 30"),
    pytest.param(36, ANTENNA, id="antenna 36"),
    pytest.param(10, DENDRITE, id="i 10"),
    pytest.param(0, BRANCH, id="branch point 0"),
]


def around(level, point, size=64):
    grid = Pyramid().grid(level)
    col, row = (int(axis.index(Fraction(p))) for axis, p in zip((grid.re, grid.im), point, strict=True))
    return grid[row - size // 2 : row + size // 2, col - size // 2 : col + size // 2]


def answered(stage, grid, maxiter, fields=("iterations",)):
    tile = Tile.blank(grid, maxiter, fields)
    stage(tile)
    return tile


def closed(tile):
    return np.setdiff1d(np.arange(tile.counts.size), tile.open)


@pytest.mark.parametrize(
    "stage",
    [
        float64_stage.answer_early_in_float64,
        multidouble_stage.answer_in_double_double,
        multidouble_stage.answer_in_triple_double,
    ],
)
@pytest.mark.parametrize(("level", "point"), PLACES)
def test_a_stage_answers_only_what_is_true(stage, level, point):
    grid = around(level, point)
    tile = answered(stage, grid, 300)
    picked = np.random.default_rng(level).permutation(closed(tile))[:150].tolist()
    assert len(picked) > 100
    assert [tile.counts[p] for p in picked] == [escape_count(grid.point(*divmod(p, 64)), 300) for p in picked]


@pytest.mark.parametrize(
    "stage",
    [
        float64_stage.answer_in_float64,
        multidouble_stage.answer_in_double_double,
        multidouble_stage.answer_in_triple_double,
    ],
)
def test_long_orbits_are_true(stage):
    grid = around(30, SEAHORSE, 32)
    tile = answered(stage, grid, 5000)
    picked = np.random.default_rng(1).permutation(closed(tile))[:60].tolist()
    assert len(picked) == 60
    assert [tile.counts[p] for p in picked] == [escape_count(grid.point(*divmod(p, 32)), 5000) for p in picked]


@pytest.mark.parametrize(
    "maxiter",
    [
        1,
        multidouble_stage.STEPS - 1,
        multidouble_stage.STEPS,
        multidouble_stage.STEPS + 1,
        3 * multidouble_stage.STEPS + 1,
    ],
)
def test_a_cap_may_lie_anywhere_in_a_block(maxiter):
    grid = around(49, ("-0.5", "0.5"), 32)
    tile = answered(multidouble_stage.answer_in_double_double, grid, maxiter)
    assert closed(tile).size > 1000
    assert [tile.counts[p] for p in closed(tile)] == [
        escape_count(grid.point(*divmod(p, 32)), maxiter) for p in closed(tile).tolist()
    ]


@pytest.mark.parametrize(("level", "point"), PLACES)
def test_fields_agree_with_arb(level, point):
    grid = around(level, point)
    fields = Mandelbrot(300, ("iterations", "smooth", "distance"))(grid)
    outside = np.flatnonzero(fields["iterations"] < 300)
    for pixel in np.random.default_rng(level).permutation(outside)[:40].tolist():
        smooth, distance = oracle.fields(*grid.point(*divmod(pixel, 64)))
        assert fields["smooth"].flat[pixel] == pytest.approx(smooth, rel=1e-5, abs=1e-5)
        assert fields["distance"].flat[pixel] == pytest.approx(distance, rel=1e-4)


@pytest.mark.parametrize("c", ["0.5+0.5j", "-2.0000000001", "0.3", "10", "1e30", "-0.75+0.001j"])
def test_the_last_stage_gives_fields_anywhere(c):
    from mandeldask.fractal.rationals import as_point

    smooth, distance = oracle.fields(*as_point(c))
    assert potential_fields(as_point(c)) == (pytest.approx(smooth, rel=1e-6), pytest.approx(distance, rel=1e-5))


@pytest.mark.parametrize(("level", "point"), PLACES)
def test_stages_agree_on_fields(level, point):
    grid = around(level, point, 16)
    tiles = [
        answered(stage, grid, 300, ("smooth", "distance"))
        for stage in (
            float64_stage.answer_early_in_float64,
            multidouble_stage.answer_in_double_double,
            multidouble_stage.answer_in_triple_double,
            answer_in_integers,
        )
    ]
    for tile in tiles[:3]:
        pixels = closed(tile)
        assert pixels.size
        assert np.array_equal(tile.counts[pixels], tiles[3].counts[pixels])
        np.testing.assert_allclose(tile.smooth[pixels], tiles[3].smooth[pixels], rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(tile.distance[pixels], tiles[3].distance[pixels], rtol=1e-4)


def test_fields_are_nan_exactly_where_nothing_escapes():
    fields = Mandelbrot(200, ("iterations", "smooth", "distance"))(Pyramid().grid(49)[200:700:4, 200:700:4])
    inside = fields["iterations"] == 200
    assert np.array_equal(inside, np.isnan(fields["smooth"]))
    assert np.array_equal(inside, np.isnan(fields["distance"]))
    assert 0 < inside.sum() < inside.size


def test_smooth_keeps_to_the_count():
    """smooth > iterations - 0.4 for |c| <= 2, and its floor is the count of a far bailout (docs: exactness)."""
    grid = Pyramid().grid(49)[200:824:8, 200:824:8]
    fields = Mandelbrot(200, ("iterations", "smooth"))(grid)
    counts, smooth = fields["iterations"].ravel(), fields["smooth"].ravel()
    for pixel in np.flatnonzero(counts < 200)[::7].tolist():
        c = grid.point(*divmod(pixel, grid.re.size))
        if c.re**2 + c.im**2 <= 4:
            assert smooth[pixel] > counts[pixel] - 0.4
        z, far = 0j, 0
        while abs(z := z * z + complex(c.re, c.im)) <= 2.0**64:
            far += 1
        assert far - 1e-4 <= smooth[pixel] + 6 <= far + 1 + 1e-4


def test_windows_and_tilings_agree_bit_for_bit():
    kernel = Mandelbrot(300, ("iterations", "smooth", "distance"))
    grid = around(36, ANTENNA, 96)
    whole = kernel(grid)
    for rows, cols in [(slice(0, 96), slice(0, 37)), (slice(5, 60), slice(31, 96)), (slice(95, 96), slice(0, 1))]:
        part = kernel(grid[rows, cols])
        for field, values in part.items():
            assert np.array_equal(values, whole[field][rows, cols], equal_nan=True), field


def test_threads_agree_bit_for_bit():
    kernel = Mandelbrot(300, ("iterations", "smooth", "distance"))
    grids = [around(level, SEAHORSE) for level in (30, 34, 38, 43)] * 2
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(kernel, grids))
    for grid, fields in zip(grids, together, strict=True):
        for field, values in kernel(grid).items():
            assert values.tobytes() == fields[field].tobytes()


def digests():
    """SHA-256 of the fields of a few tiles, and of which pixels stayed open, by the stages of this module."""
    result = []
    for case in PLACES:
        tile = Tile.blank(around(*case.values), 300, ("iterations", "smooth", "distance"))
        exterior_fields_stage.answer_exterior_fields(tile)
        float64_stage.answer_early_in_float64(tile)
        left = tile.open
        multidouble_stage.answer_in_double_double(tile)
        arrays = (tile.counts, tile.smooth.astype(np.float32), tile.distance, left, tile.open)
        result.append(hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()[:16])
    return result


GOLDEN = [
    "7f52f7dd413c6991",
    "837613fab240bca5",
    "a1fe70de04049d1a",
    "d8ca33df1c330768",
    "d9e1776b86c5571e",
    "f14b55b6075ea848",
]


def test_this_machine_gives_the_golden_bits():
    assert digests() == GOLDEN


@pytest.mark.slow
@pytest.mark.parametrize("cpu", ["generic", "haswell", "skylake-avx512"])
def test_every_instruction_set_gives_the_golden_bits(cpu, tmp_path):
    wide = ["avx", "avx2", "bmi", "bmi2", "fma", "lzcnt", "popcnt", "sse4.2"]
    features = {
        "generic": [],
        "haswell": wide,
        "skylake-avx512": [*wide, *(f"avx512{x}" for x in ("f", "bw", "cd", "dq", "vl"))],
    }
    here = Path("/proc/cpuinfo")
    if cpu == "skylake-avx512" and not (here.exists() and "avx512vl" in here.read_text()):
        pytest.skip("this machine has no AVX-512")
    code = "import json, test_lanes; print(json.dumps(test_lanes.digests()))"
    env = {
        **os.environ,
        "NUMBA_CACHE_DIR": str(tmp_path),
        "PYTHONPATH": os.pathsep.join(map(str, (Path(__file__).parent, Path(__file__).parents[3]))),
        "NUMBA_CPU_NAME": cpu,
        "NUMBA_CPU_FEATURES": ",".join(f"+{name}" for name in features[cpu]),
    }
    out = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert json.loads(out.stdout) == GOLDEN


@pytest.mark.parametrize(
    ("start", "step"), [(-(2**21), 2**20), (-(2**22), 2**21), (-3 * 2**20, 2**20), (-(2**30), 2**27)]
)
def test_one_pixel_near_others_far_out_has_its_own_count(start, step):
    c = Point(Fraction(-1, 4), Fraction(1, 3))
    grid = Grid(Axis(c.im, Fraction(step), 1), Axis(c.re + start, Fraction(step), 9))
    counts = Mandelbrot(100)(grid)["iterations"][0]
    assert counts.tolist() == [escape_count(grid.point(0, col), 100) for col in range(9)]
    assert counts.max() == 100


def test_positions_are_within_their_bound():
    for axis in (
        Axis(Fraction(-7, 3), Fraction(1, 3 * 10**20), 999),
        around(0, SEAHORSE).re,
        Axis(Fraction(4), Fraction(-1, 7), 50),
    ):
        high, low = positions(axis)
        for i in range(axis.size):
            assert abs(Fraction(high[i]) + Fraction(low[i]) - axis[i]) < POSITION_ERROR
            assert abs(low[i]) <= abs(high[i]) * 2.0**-53


def test_a_doubled_step_is_within_its_error():
    """One step from exact fractions with |z|, |c| <= 2.1, c not yet rounded."""
    step, rng = numba.njit(float64_step.iterate), np.random.default_rng(1)
    spare = 127 / 300 * float64_step.ROUNDING
    for _ in range(2000):
        radii, angles = rng.uniform(0.0, 4.2, 2), rng.uniform(0.0, 2 * np.pi, 2)
        (x, exact_cx), (y, exact_cy) = (radii * part(angles) for part in (np.cos, np.sin))
        exact_cx, exact_cy = (Fraction(v) * (1 + Fraction(1, 3 * 2**53)) for v in (exact_cx, exact_cy))
        next_x, next_y, s = step(x, y, spare, float(exact_cx), float(exact_cy))
        x, y = Fraction(x), Fraction(y)
        real, imag = (x * x - y * y) / 2 + exact_cx, x * y + exact_cy
        lost = (Fraction(next_x) - real) ** 2 + (Fraction(next_y) - imag) ** 2
        assert lost < ((2 * (x * x + y * y) + 13) / 2**53) ** 2
        assert 256 * 1025 * lost < Fraction(s) - Fraction(spare)


@pytest.mark.parametrize(("arithmetic", "parts", "bound"), [(doubledouble, 2, 2.0**-97), (tripledouble, 3, 2.0**-145)])
def test_a_step_in_parts_is_within_its_error(arithmetic, parts, bound):
    """One step from exact fractions, parts that nearly cancel among them."""
    step = numba.njit(arithmetic.iterate)
    rng = np.random.default_rng(parts)
    for _ in range(2000):
        x, cx, cy = (Fraction(v) for v in rng.uniform(-1.4, 1.4, 3) * 2.0 ** rng.integers(-40, 1, 3))
        y = (
            x * (1 + Fraction(float(2.0 ** -rng.integers(0, 90))))
            if rng.random() < 0.5
            else Fraction(rng.uniform(-1, 1))
        )
        if rng.random() < 0.3:
            cx = y * y - x * x + Fraction(float(2.0 ** -rng.integers(1, 150)))
        z = [tripledouble.as_triple(v)[:parts] for v in (x, y, cx, cy)]
        kept = step(*(float(part) for v in z for part in v))
        x, y, cx, cy = (sum(map(Fraction, v)) for v in z)
        real, imag = (sum(map(Fraction, map(float, kept[i : i + parts]))) for i in (0, parts))
        assert (real - (x * x - y * y + cx)) ** 2 + (imag - (2 * x * y + cy)) ** 2 < Fraction(bound) ** 2
        assert abs(kept[1]) <= abs(kept[0]) * 2.0**-52 + 2.0**-97


def test_cancelling_stops_within_milliseconds():
    cancellation = Cancellation()
    cancellation.cancel()
    with cancellable(cancellation), pytest.raises(Cancelled):
        Mandelbrot(100_000)(around(30, SEAHORSE, 512))


def test_few_lanes_and_odd_shapes():
    for shape in ((1, 1), (1, 17), (33, 2), (lanes.LANES // 16 + 1, 16)):
        grid = Grid.window("-0.75+0.1j", "0.01", shape)
        counts = Mandelbrot(500)(grid)["iterations"]
        exact = [[escape_count(grid.point(r, c), 500) for c in range(shape[1])] for r in range(shape[0])]
        assert np.array_equal(counts, exact)


def test_reversed_strided_and_far_windows():
    grid = Pyramid().grid(44)[15000:15200:3, 13000:13100]
    counts = Mandelbrot(200)(grid)["iterations"]
    assert np.array_equal(Mandelbrot(200)(grid[::-1, ::-1])["iterations"], counts[::-1, ::-1])
    fields = Mandelbrot(200, ("iterations", "smooth", "distance"))(Grid.window("1e7", "1", (2, 2)))
    assert fields["iterations"].max() == 0
    assert np.isfinite(fields["smooth"]).all()
