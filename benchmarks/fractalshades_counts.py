"""Escape counts by fractalshades, for benchmarks/peers.py: runs in a Python of its own, since it needs numpy < 2.4.

Reads a request a line as JSON, writes the counts into the file it names, answers with the CPU seconds they took.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import fractalshades
import numpy as np
from fractalshades.models import Perturbation_mandelbrot

MODEL = {"epsilon_stationnary": 1e-3, "interior_detect": False, "calc_dzndc": False, "M_divergence": 2.0}
"""Counts only, of the orbit's way to radius 2, as ours."""


def cpu_seconds() -> float:
    return sum(os.times()[:4])  # all threads, and children


def counts(request: dict[str, Any], folder: str) -> tuple[float, np.ndarray]:
    before = cpu_seconds()
    model = Perturbation_mandelbrot(folder)
    side = request["side"]
    model.zoom(
        precision=request["digits"],
        x=request["re"],
        y=request["im"],
        dx=request["width"],
        nx=side,
        xy_ratio=1.0,
        theta_deg=0.0,
        projection=fractalshades.projection.Cartesian(),
    )
    model.calc_std_div(
        calc_name="counts", subset=None, max_iter=request["maxiter"], BLA_eps=request["epsilon"], **MODEL
    )
    model.calc_raw("counts")
    spent = cpu_seconds() - before
    found = np.empty((side, side), np.int64)
    for left, right, top, bottom in model.chunk_slices():
        stopped_at = model.reload_data((left, right, top, bottom), "counts")[-1]
        found[top:bottom, left:right] = stopped_at.reshape(bottom - top, right - left)
    return spent, np.minimum(found - 1, request["maxiter"])


def main() -> None:
    answers = sys.stdout
    for line in sys.stdin:
        request = json.loads(line)
        with tempfile.TemporaryDirectory() as folder, redirect_stdout(sys.stderr):
            spent, found = counts(request, folder)
        np.save(Path(request["file"]), found)
        print(json.dumps(spent), file=answers, flush=True)


if __name__ == "__main__":
    main()
