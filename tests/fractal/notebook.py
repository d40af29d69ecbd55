"""What the vizarr notebook `mandelbrot.ipynb` computes for a chunk, rounding for rounding: the figures it has shown.

Positions are summed up in float64 (``c += step``), the orbit is plain float64. https://github.com/hms-dbmi/vizarr
"""

from __future__ import annotations

import numba
import numpy as np


def notebook_chunk(level, row, col, maxiter=255):
    """Return counts of chunk (row, col) of `level`, its rows counted upwards from im = -2.5 as the notebook's are."""
    width = 5.0 / 2 ** (50 - level)
    return _counts(_edge_and_step(col, width), _edge_and_step(row, width), maxiter)


def _edge_and_step(index, width):
    start, end = -2.5 + index * width, -2.5 + (index + 1) * width
    return start, (end - start) / 512


@numba.njit
def _counts(columns, rows, maxiter):
    counts = np.zeros((512, 512), np.uint32)
    re, step_re = columns
    for col in range(512):
        im, step_im = rows
        for row in range(512):
            x, y, n = 0.0, 0.0, 0
            for _ in range(maxiter):
                x, y = x * x - y * y + re, 2 * x * y + im
                if x * x + y * y > 4.0:
                    break
                n += 1
            counts[row, col] = n
            im += step_im
        re += step_re
    return counts
