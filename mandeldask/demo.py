"""A demo tree for trying out clients: images, cubes, tables, text, times and the Mandelbrot set, computed when read.

Names, shapes and types are those of the example tree in the Tiled documentation; the images show the Mandelbrot set.
https://blueskyproject.io/tiled/
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from math import pi, prod
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from mandeldask.fractal.geometry import Grid
from mandeldask.fractal.mandelbrot import Mandelbrot
from mandeldask.fractal.pyramid import Pyramid
from mandeldask.lazy.tree import open_pyramid
from mandeldask.zarrview.chunking import default_chunks
from mandeldask.zarrview.identity import digest
from mandeldask.zarrview.nodes import Array, Group, Node, as_node

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from mandeldask.zarrview.nodes import Read

TICK_S = 3
"""Seconds after which `dynamic` changes."""

MAXITER = 255
"""Greatest escape count of the pictures."""

_F8 = np.dtype(np.float64)


@dataclass(frozen=True, slots=True)
class Pictured:
    """Reads windows of a picture of the whole set: escape counts, as floats."""

    shape: tuple[int, int]
    """Height and width, in pixels."""
    least: int = 0
    """Smaller counts are shown as 0."""

    def __call__(self, window: tuple[slice, ...]) -> NDArray[Any]:
        """Return the elements of `window`."""
        rows, cols = window
        grid = Grid.window("-0.5", "3", self.shape)[rows, cols]
        counts: NDArray[Any] = Mandelbrot(MAXITER, ("iterations",))(grid)["iterations"].astype(_F8)
        counts[counts < self.least] = 0
        return counts


@dataclass(frozen=True, slots=True)
class Capped:
    """Reads windows of a cube whose plane k is a picture with counts of at most k."""

    picture: Pictured
    """The picture."""

    def __call__(self, window: tuple[slice, ...]) -> NDArray[Any]:
        """Return the elements of `window`."""
        caps = np.arange(window[0].start, window[0].stop, dtype=_F8)
        planes: NDArray[Any] = np.minimum(self.picture(window[1:]), caps[:, np.newaxis, np.newaxis])
        return planes


@dataclass(frozen=True, slots=True)
class Places:
    """Reads windows of the positions of a picture's pixels, as complex numbers."""

    shape: tuple[int, int]
    """Height and width, in pixels."""

    def __call__(self, window: tuple[slice, ...]) -> NDArray[Any]:
        """Return the elements of `window`."""
        rows, cols = window
        grid = Grid.window("-0.5", "3", self.shape)
        re = np.array([float(grid.re[col]) for col in range(cols.start, cols.stop)])
        im = np.array([float(grid.im[row]) for row in range(rows.start, rows.stop)])
        return re[np.newaxis, :] + 1j * im[:, np.newaxis]


@dataclass(frozen=True, slots=True)
class Counted:
    """Reads windows of an array whose elements are their own index in C order."""

    shape: tuple[int, ...]
    """Elements along each dimension."""

    def __call__(self, window: tuple[slice, ...]) -> NDArray[Any]:
        """Return the elements of `window`."""
        numbers = np.zeros(tuple(span.stop - span.start for span in window))
        for axis, span in enumerate(window):
            along = np.arange(span.start, span.stop, dtype=_F8) * prod(self.shape[axis + 1 :])
            numbers += along.reshape([-1 if each == axis else 1 for each in range(len(window))])
        return numbers


def ticks() -> int:
    """Return the current value of `dynamic`: the number of changes since 1970."""
    return int(time.time()) // TICK_S


def _ticking(window: tuple[slice, ...]) -> NDArray[Any]:
    """Return elements that all have the current value."""
    return np.full(tuple(span.stop - span.start for span in window), float(ticks()))


def _never() -> None:
    """Return None: the version is unknown, so no chunk is cached."""
    return


def demo_tree() -> Group:
    """Return a tree of small and large arrays of every kind, for trying out clients.

    It needs little memory and computes nothing until chunks are read: `nested/images/big_image` has
    10,000 x 10,000 elements, `nested/cubes/tiny_hypercube` 50 to the fifth, and `mandelbrot.zarr` is the pyramid of 50
    levels. The value of `dynamic` changes every 3 seconds and is never cached.

    Returns
    -------
    Group
        For `serve`, `create_app` (as ``root``), `to_store` and `to_mapping`.

    Examples
    --------
    >>> tree = demo_tree()
    >>> sorted(tree.members)[:3], tree.members["nested"].members["images"].members["medium_image"].shape
    (['dynamic', 'flat_array', 'high_entropy'], (1000, 1000))
    """
    return Group(
        {
            "dynamic": Array((3, 3), _F8, _ticking, (3, 3), ("y", "x"), version=_never),
            "flat_array": _lazy((100,), Counted((100,)), ("x",)),
            "high_entropy": as_node(_random(100, 2**62)),
            "low_entropy": as_node(_random(100, 10).astype("i4")),
            "mandelbrot.zarr": as_node(open_pyramid(Pyramid(), chunks=None)),
            "nested": _nested(),
            "scalars": _as_group(
                {
                    "e_arr": np.array(["2.71828"], "U7"),
                    "fortytwo": np.array(42),
                    "fsc": np.array("1/137", "U5"),
                    "pi": np.array(pi),
                }
            ),
            "structured_data": Group({"pets": _pets(), "xarray_dataset": as_node(_weather())}),
            "tables": _tables(),
        }
    )


def _lazy(shape: tuple[int, ...], read: Read, dims: tuple[str, ...], dtype: Any = _F8) -> Array:
    dtype = np.dtype(dtype)
    chunks = default_chunks(shape, dtype.itemsize)
    return Array(shape, dtype, read, chunks, dims, fingerprint=digest("demo", read, dtype))


def _nested() -> Group:
    images = {"big_image": 10_000, "medium_image": 1000, "small_image": 300, "tiny_image": 50}
    plane = ("y", "x")
    return Group(
        {
            "complex": _lazy((30, 50), Places((30, 50)), plane, np.complex128),
            "cubes": Group(
                {
                    "tiny_cube": _lazy((50, 50, 50), Capped(Pictured((50, 50))), ("cap", *plane)),
                    "tiny_hypercube": _lazy((50,) * 5, Counted((50,) * 5), ("a", "b", "c", "d", "e")),
                }
            ),
            "images": Group(
                {name: _lazy((size, size), Pictured((size, size)), plane) for name, size in images.items()}
            ),
            "sparse_image": _lazy((100, 100), Pictured((100, 100), least=30), plane),
        }
    )


def _random(size: int, most: int) -> NDArray[np.int64]:
    """Return pseudo-random numbers, the same in every call."""
    return np.random.default_rng(seed=most).integers(-most, most, (size, size))


def _pets() -> Node:
    fields = [("name", "U10"), ("age", "i4"), ("weight", "f4")]
    return as_node(np.array([("Rex", 9, 81.0), ("Fido", 3, 27.0)], dtype=fields))


def _weather() -> xr.Dataset:
    """Return the example Dataset of xarray's documentation."""
    rng = np.random.default_rng(0)
    return xr.Dataset(
        {
            "temperature": (("x", "y", "time"), 15 + 8 * rng.normal(size=(2, 2, 3)), {"units": "degC"}),
            "precipitation": (("x", "y", "time"), 10 * rng.random((2, 2, 3)), {"units": "mm"}),
        },
        coords={
            "lon": (("x", "y"), [[-99.83, -99.32], [-99.79, -99.23]]),
            "lat": (("x", "y"), [[42.25, 42.21], [42.63, 42.59]]),
            "time": np.arange("2014-09-06", "2014-09-09", dtype="M8[D]").astype("M8[ns]"),
        },
    )


def _tables() -> Group:
    rng = np.random.default_rng(0)
    short = {
        "A": np.arange(100, dtype="u1"),
        "B": rng.random(100),
        "C": np.array(["one", "two"] * 50, "U3"),
        "D": np.arange("2020-01-01", "2020-04-10", dtype="M8[D]").astype("M8[s]"),
        "E": np.arange(100) % 2 == 0,
    }
    long = {name: scale * np.arange(100_000.0) for name, scale in zip("ABC", (1, 2, 3), strict=True)}
    wide = {name: place * np.ones(10) for place, name in enumerate(ascii_uppercase)}
    return Group({"long_table": _columns(long), "short_table": _columns(short), "wide_table": _columns(wide)})


def _columns(columns: Mapping[str, NDArray[Any]]) -> Node:
    return as_node(xr.Dataset({name: ("index", column) for name, column in columns.items()}))


def _as_group(arrays: Mapping[str, NDArray[Any]]) -> Node:
    return as_node(dict(arrays))
