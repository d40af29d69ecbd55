"""The xarray accessor `mandel`: methods of a pyramid and of the arrays in its windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import xarray as xr

from mandeldask.fractal.geometry import positive
from mandeldask.fractal.rationals import CenterLike, RationalLike, as_point
from mandeldask.lazy.blocks import MAX_BLOCKS, TILESIZE, task_side
from mandeldask.lazy.cutting import pixels_around
from mandeldask.lazy.metadata import attributes_of, describing, pyramid_of
from mandeldask.lazy.plot import PlotAccessor
from mandeldask.lazy.progress import reporting
from mandeldask.lazy.selection import selected

if TYPE_CHECKING:
    from collections.abc import Iterable
    from fractions import Fraction

    from mandeldask.fractal.pyramid import Pyramid
    from mandeldask.lazy.progress import Report


@xr.register_datatree_accessor("mandel")  # type: ignore[no-untyped-call]
@dataclass(frozen=True)
class TreeAccessor:
    """`tree.mandel`: the accessor of a pyramid's root, whether the pyramid was opened here or read from a file."""

    tree: xr.DataTree

    @property
    def pyramid(self) -> Pyramid:
        """The Pyramid that the tree represents. Raises ValueError if the tree is not a pyramid."""
        return pyramid_of(self.tree.attrs)

    def levels(self, levels: Iterable[int], zarr_format: Literal[2, 3] | None = None) -> xr.DataTree:
        """Return a tree with some of the levels only; its metadata describes exactly these levels.

        Parameters
        ----------
        levels : iterable of int
            Levels to keep.
        zarr_format : {2, 3}, optional
            Give the root the attributes of this format, for `DataTree.to_zarr`. By default the root has those of both
            formats, as ``zarr_v2`` and ``zarr_v3``.

        Raises
        ------
        ValueError
            If a level is not in the tree.
        """
        names = selected(self.tree, levels)
        attrs = describing(self.tree.attrs, [int(name) for name in names])
        if zarr_format is not None:
            attrs = attributes_of(attrs, zarr_format)
        groups = {name: self.tree[name].to_dataset() for name in names}
        return xr.DataTree.from_dict({"/": xr.Dataset(attrs=attrs), **groups}, name=self.tree.name)

    def window(
        self,
        center: CenterLike | None = None,
        width: RationalLike | None = None,
        shape: tuple[int, int] = (TILESIZE, TILESIZE),
    ) -> xr.Dataset:
        """Return the pixels around `center`, from the coarsest level that has at least `shape` pixels there.

        Parameters
        ----------
        center : str, complex or (re, im), optional
            Centre of the window; by default the pyramid's centre.
        width : str, Decimal, Fraction, int or float, optional
            Width of the window in plane units; by default the pyramid's width.
        shape : (int, int)
            Smallest (height, width) in pixels. The window has at least this size and less than twice of it. Its
            height in plane units is ``width * shape[0] / shape[1]``.

        Returns
        -------
        Dataset
            A Dataset of dask arrays, whose blocks start at the window's corner. Parts outside the pyramid are cut off.

        Raises
        ------
        ValueError
            If even the finest level has too few pixels there, or the window lies outside.

        Examples
        --------
        >>> from mandeldask import open_pyramid
        >>> seahorses = open_pyramid().mandel.window("-0.75+0.1j", "1e-6", (400, 600))
        >>> seahorses.attrs["level"], seahorses.iterations.shape
        (27, (573, 859))
        """
        pyramid = self.pyramid
        middle = pyramid.center if center is None else as_point(center)
        across = pyramid.width if width is None else positive(width, "width")
        level = self._level_of(across / shape[1], shape)
        rows, cols = pixels_around(pyramid.grid(level), middle, across, across * shape[0] / shape[1])
        pixels = self.tree[str(level)].to_dataset().isel(y=rows, x=cols)
        return pixels if pixels.chunks else pixels.chunk(_side(rows, cols, pyramid.maxiter_at(level)))

    def _level_of(self, spacing: Fraction, shape: tuple[int, int]) -> int:
        """Return the coarsest level whose pixels are no further apart than `spacing`."""
        pyramid = self.pyramid
        levels = [int(name) for name in self.tree.children]
        fine = [level for level in levels if pyramid.grid(level).spacing <= spacing]
        if not fine:
            across = int(spacing * shape[1] / pyramid.grid(min(levels)).spacing)
            msg = (
                f"the finest level, {min(levels)}, has only {across} pixels in this width, not {shape[1]}: "
                f"mandeldask.window() has no such limit"
            )
            raise ValueError(msg)
        return max(fine)


@xr.register_dataarray_accessor("mandel")  # type: ignore[no-untyped-call]
@dataclass(frozen=True)
class DataArrayAccessor:
    """`array.mandel`: the accessor of one field of a window."""

    array: xr.DataArray

    @property
    def plot(self) -> PlotAccessor:
        """Plots with equal scales: `plot()` for an image, x across and y up; `plot.imshow`, `.contour`, ..."""
        return PlotAccessor(self.array)

    def compute(self, *, progress: Report | bool | None = None) -> xr.DataArray:
        """Compute the pixels and show a progress bar; Ctrl-C stops the computation within milliseconds.

        Parameters
        ----------
        progress : callable, bool or None
            Called with (tasks done, tasks in all); True for a bar; None for a bar in a terminal or a notebook.

        Raises
        ------
        MemoryError
            If the pixels do not fit into memory: select a window first.
        """
        from mandeldask.lazy.threads import stoppable_threads  # noqa: PLC0415  dask only when it may compute

        label = f"{' x '.join(map(str, self.array.shape))} pixels"
        with reporting(label, progress=progress) as report, stoppable_threads(report):
            return self.array.compute()


def _side(rows: slice, cols: slice, maxiter: int) -> int:
    """Return the block size in pixels: tasks are short, but there are no more blocks than dask can handle."""
    longest: int = max(rows.stop - rows.start, cols.stop - cols.start)
    return max(task_side(TILESIZE, maxiter), -(-longest // MAX_BLOCKS))
