"""The recipe of docs/how-to/new-fractal.md: run its code, and compare its counts with flint."""

from __future__ import annotations

import json
import re
import sys
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import zarr
from flint import arb, ctx, fmpq

from mandeldask.fractal.geometry import Grid

RECIPE = Path(__file__).parents[2] / "docs" / "how-to" / "new-fractal.md"


@pytest.fixture(scope="module")
def recipe():
    """The names that the page defines, as a module."""
    module = ModuleType("new_fractal")
    sys.modules["new_fractal"] = module
    code = "\n".join(re.findall(r"```python\n(.*?)```", RECIPE.read_text(), re.DOTALL))
    exec(compile(code, RECIPE.name, "exec", dont_inherit=True), vars(module))
    yield vars(module)
    del sys.modules["new_fractal"]


def judged(c, maxiter):
    """Return the count of c by balls of flint; None for ties that 2,000 bits do not decide."""
    with ctx.workprec(2000):
        cx, cy = (arb(fmpq(part.numerator, part.denominator)) for part in c)
        x = y = arb(0)
        for n in range(maxiter):
            x, y = abs(x), abs(y)
            x, y = x * x - y * y + cx, 2 * x * y + cy
            square = x * x + y * y
            if square > 4:
                return n
            if not square <= 4:
                return None
        return maxiter


@pytest.mark.parametrize(
    ("center", "width"),
    [("-0.4-0.5j", "4"), ("-1.755-0.03j", "0.1"), ("-1.7443359375-0.01745j", "1e-5"), ("-1.76-0.028j", "1e-25")],
)
def test_every_count_is_exact(recipe, center, width):
    grid = Grid.window(center, width, (14, 14))
    counts = recipe["BurningShip"](120)(grid)["iterations"]
    exact = [[judged(grid.point(row, col), 120) for col in range(14)] for row in range(14)]
    pairs = list(zip(counts.ravel().tolist(), [count for row in exact for count in row], strict=True))
    assert sum(given is None for _, given in pairs) <= 14  # the real axis
    assert all(given in {None, one} for one, given in pairs)


def test_the_last_resort_alone_is_exact(recipe):
    rng = np.random.default_rng(1)
    point = Grid.window("0", "1", (1, 1)).point(0, 0)
    for re_part, im_part in rng.integers(-2000, 2000, (60, 2)).tolist():
        c = point._replace(re=Fraction(re_part, 999), im=Fraction(im_part, 1000))
        assert judged(c, 90) in {None, recipe["exact_count"](c, 90)}
    ties = ((0, 2, 1), (-2, 0, 50), (0, -1, 50))
    for re_part, im_part, count in ties:
        assert recipe["exact_count"](point._replace(re=Fraction(re_part), im=Fraction(im_part)), 50) == count


def test_the_rest_is_made_from_the_kernel(recipe):
    root = zarr.open_group(recipe["store"], mode="r")
    assert root.attrs["title"] == "The Burning Ship"
    assert root.attrs["ome"]["omero"]["name"] == "Burning Ship"
    seen = root["29/iterations"]
    assert seen.attrs["long_name"] == "escape count"
    np.testing.assert_array_equal(seen[:32, :32], recipe["masts"])
    assert json.dumps(dict(root.attrs))
