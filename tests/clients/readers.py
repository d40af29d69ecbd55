"""Read windows of one array with each client: functions (url, path, windows as (rows, cols)) -> list of ndarrays."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from itertools import islice
from pathlib import Path

import numpy as np
import zarr

HERE = Path(__file__).parent
SIDE = 512
"""Pixels along a side of a chunk of the default pyramid."""


def zarr_fsspec(url, path, windows):
    array = zarr.open_array(f"{url}/{path}", mode="r")
    return [array[window] for window in windows]


def zarr_obstore(url, path, windows):
    import obstore.store
    from zarr.storage import ObjectStore

    http = obstore.store.HTTPStore.from_url(url, client_options={"allow_http": True})
    array = zarr.open_group(ObjectStore(http, read_only=True), mode="r")[path]
    return [array[window] for window in windows]


def zarrs_pipeline(url, path, windows):
    with zarr.config.set({"codec_pipeline.path": "zarrs.ZarrsCodecPipeline"}):
        return zarr_fsspec(url, path, windows)


def xarray_tree(url, path, windows):
    import xarray as xr

    with xr.open_datatree(url, engine="zarr", chunks=None) as tree:
        return [tree[path][window].to_numpy() for window in windows]


def tensorstore(url, path, windows):
    import tensorstore as ts

    driver = "zarr" if "/v2/" in url else "zarr3"
    base, _, root = url.partition("/zarr/")
    kvstore = {"driver": "http", "base_url": base, "path": f"zarr/{root}/{path}/"}
    array = ts.open({"driver": driver, "kvstore": kvstore}, read=True).result()
    return [array[window].read().result() for window in windows]


def zarrita(url, path, windows):
    """Whole chunks by `getChunk`, whose indices stay exact where slices of JavaScript numbers do not."""
    chunks = [_chunks(*window) for window in windows]
    version = 2 if "/v2/" in url else 3
    asked = {"url": f"{url}/{path}", "version": version, "chunks": [coords for each in chunks for coords in each]}
    done = subprocess.run(
        [shutil.which("node"), HERE / "get_chunks.mjs"],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=True,
    )
    tiles = iter(
        [np.frombuffer(base64.b64decode(tile), np.uint8).reshape(SIDE, SIDE) for tile in json.loads(done.stdout)]
    )
    return [_cut(list(islice(tiles, len(each))), *window) for each, window in zip(chunks, windows, strict=True)]


def _chunks(rows, cols):
    """Return the coordinates of the chunks around a window, row by row."""
    down, across = (range(s.start // SIDE, -(-s.stop // SIDE)) for s in (rows, cols))
    return [[r, c] for r in down for c in across]


def _cut(tiles, rows, cols):
    """Return a window of its chunks."""
    top, left = rows.start // SIDE * SIDE, cols.start // SIDE * SIDE
    down = -(-rows.stop // SIDE) - rows.start // SIDE
    across = len(tiles) // down
    block = np.block([tiles[i * across : (i + 1) * across] for i in range(down)])
    return block[rows.start - top : rows.stop - top, cols.start - left : cols.stop - left]
