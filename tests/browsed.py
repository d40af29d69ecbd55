"""One array of each kind that the pages can draw."""

from __future__ import annotations

import numpy as np
import pandas as pd
import sparse
import xarray as xr

RANDOM = np.random.default_rng(0)
PHOTO = RANDOM.integers(0, 256, (1300, 1100, 3), np.uint8)
DEEP = RANDOM.integers(0, 5000, (3, 2, 700, 900), np.uint16)
HEIGHT = RANDOM.normal(0, 1, (4, 1200, 1100)).astype(np.float32)
HEIGHT[:, 300:500, 200:700] = np.nan
LABELS = RANDOM.integers(0, 50, (600, 500)).astype(np.int32)
THIN = sparse.COO(np.where(LABELS > 45, LABELS, 0))
FIELD = xr.Dataset(
    {"height": (("time", "lat", "lon"), HEIGHT, {"units": "m"})},
    {
        "time": pd.date_range("2026-01-01", periods=4),
        "lat": ("lat", np.linspace(60, 0.05, 1200), {"units": "degrees_north"}),
        "lon": ("lon", np.linspace(0, 54.95, 1100), {"units": "degrees_east"}),
    },
)
WAVES = RANDOM.normal(0, 1, (600, 700)) + 1j * RANDOM.normal(0, 1, (600, 700))
PARTS = np.zeros((500, 600), [("height", ">f4"), ("label", "S4"), ("count", "i2")])
PARTS["height"], PARTS["count"], PARTS["label"] = RANDOM.normal(0, 1, PARTS.shape), np.arange(600), b"ab"
CUTOUT = np.dstack([PHOTO[:500, :600], np.where(np.add.outer(np.arange(500), np.arange(600)) % 7, 255, 0)]).astype("u1")
TREES = {
    "cutout": CUTOUT,
    "waves": WAVES,
    "parts": PARTS,
    "points": PARTS[0],
    "photo": PHOTO,
    "thin": THIN,
    "deep": xr.DataArray(DEEP, dims=("t", "c", "y", "x")),
    "field": FIELD,
    "labels": xr.DataArray(LABELS, dims=("y", "x"), attrs={"flag_meanings": "cells"}),
    "table": pd.DataFrame({"name": [f"row <{n}>" for n in range(120)], "value": np.arange(120) / 4}),
    "misc": {
        "signal": np.sin(np.arange(5000) / 50),
        "text": "a <b>word</b>",
        "number": 7.5,
        "mask": LABELS[:40, :60] > 25,
        "large": np.arange(12).reshape(3, 4) * 10**15,
        "words": np.array([["a", "b"], ["c", "d"]]),
        "waves": np.exp(1j * np.arange(2000) / 50),
    },
}
