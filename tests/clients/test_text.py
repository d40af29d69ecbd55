"""Text of every kind as zarrita reads it in a browser: in v3 all of it is `string`."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import zarr

import mandeldask as md

WORDS = [["a", "ünï", ""], ["😀 z", "bb", "longer than the others"]]
ASCII = [["a", "bb", ""], ["c", "dd", "longer"]]
TREE = {
    "U": np.array(WORDS),
    "big-endian": np.array(WORDS, ">U22"),
    "Fortran": np.asfortranarray(np.array(WORDS)),
    "S": np.array(ASCII, "S6"),
    "any length": np.array(WORDS, np.dtypes.StringDType()),
    "objects": np.array(WORDS, object),
    "column": pd.Series(WORDS[0]),
}
pytestmark = [pytest.mark.external, pytest.mark.filterwarnings("ignore::UserWarning")]


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_zarrita_reads_text(zarr_format):
    script = Path(__file__).parent / "get_text.mjs"
    with md.serve({"t": TREE}, background=True) as server:
        url = server.url(f"v{zarr_format}", "t")
        names = [name for name in TREE if zarr_format == 3 or name != "S"]  # bytes in v2
        asked = {"urls": [f"{url}/{name.replace(' ', '%20')}" for name in names], "version": zarr_format}
        done = subprocess.run(
            [shutil.which("node"), script], input=json.dumps(asked), capture_output=True, text=True, check=False
        )
        kinds = {array.dtype.kind for _, array in zarr.open_group(url, mode="r").arrays()}
    assert done.returncode == 0, done.stderr
    for name, got in zip(names, json.loads(done.stdout), strict=True):
        want = np.asarray(TREE[name]).astype("U22")
        assert got["shape"] == list(want.shape), name
        assert got["data"] == want.ravel().tolist(), name
    if zarr_format == 3:
        assert kinds == {"T"}
