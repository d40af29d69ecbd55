"""Windows of the default pyramid that every client must read exactly."""

from __future__ import annotations

from typing import NamedTuple

import mandeldask as md
from mandeldask.fractal.mandelbrot import Mandelbrot

PYRAMID = md.Pyramid()


class Window(NamedTuple):
    """Pixels of one level of the default pyramid."""

    level: int
    rows: slice
    cols: slice

    @property
    def counts(self):
        """What the kernel says."""
        return Mandelbrot(PYRAMID.maxiter_at(self.level))(PYRAMID.grid(self.level)[self.rows, self.cols])["iterations"]

    @property
    def chunks(self):
        """The whole chunks around it, as a Window."""
        outer = [slice(s.start // 512 * 512, -(-s.stop // 512) * 512) for s in (self.rows, self.cols)]
        return Window(self.level, *outer)

    def cut(self, block):
        """Its own pixels out of those of `chunks`."""
        top, left = self.chunks.rows.start, self.chunks.cols.start
        return block[self.rows.start - top : self.rows.stop - top, self.cols.start - left : self.cols.stop - left]


def windows_of(level):
    """Corners, the middle across a chunk border, and the set's tip -2, near which counts differ at every depth."""
    size = PYRAMID.grid(level).shape[0]
    middle, tip = size // 2, size // 10
    return {
        f"{level} first corner": Window(level, slice(0, 37), slice(0, 23)),
        f"{level} middle": Window(level, slice(middle - 20, middle + 17), slice(middle - 9, middle + 14)),
        f"{level} tip": Window(level, slice(middle - 20, middle + 17), slice(tip - 9, tip + 14)),
        f"{level} last corner": Window(level, slice(size - 37, size), slice(size - 23, size)),
    }


LEVELS = (49, 20, 0)
WINDOWS = {name: window for level in LEVELS for name, window in windows_of(level).items()}
