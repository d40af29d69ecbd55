"""How each client reads a window of a level from a URL: functions (url, path, rows, cols) -> ndarray."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import zarr

HERE = Path(__file__).parent


def zarr_fsspec(url, path, rows, cols):
    return zarr.open_array(f"{url}/{path}", mode="r")[rows, cols]


def zarr_obstore(url, path, rows, cols):
    import obstore.store
    from zarr.storage import ObjectStore

    http = obstore.store.HTTPStore.from_url(url, client_options={"allow_http": True})
    return zarr.open_group(ObjectStore(http, read_only=True), mode="r")[path][rows, cols]


def zarrs_pipeline(url, path, rows, cols):
    with zarr.config.set({"codec_pipeline.path": "zarrs.ZarrsCodecPipeline"}):
        return zarr_fsspec(url, path, rows, cols)


def xarray_tree(url, path, rows, cols):
    import xarray as xr

    with xr.open_datatree(url, engine="zarr", chunks=None) as tree:
        return tree[path][rows, cols].to_numpy()


def tensorstore(url, path, rows, cols):
    import tensorstore as ts

    driver = "zarr" if "/v2/" in url else "zarr3"
    base, _, root = url.partition("/zarr/")
    kvstore = {"driver": "http", "base_url": base, "path": f"zarr/{root}/{path}/"}
    array = ts.open({"driver": driver, "kvstore": kvstore}, read=True).result()
    return array[rows, cols].read().result()


def zarrita(url, path, rows, cols):
    """Whole chunks by `getChunk`, whose indices stay exact where slices of JavaScript numbers do not."""
    height, width = 512, 512
    down, across = (range(s.start // n, -(-s.stop // n)) for s, n in ((rows, height), (cols, width)))
    asked = {
        "url": f"{url}/{path}",
        "version": 2 if "/v2/" in url else 3,
        "chunks": [[r, c] for r in down for c in across],
    }
    done = subprocess.run(
        [shutil.which("node"), HERE / "get_chunks.mjs"],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=True,
    )
    tiles = [np.frombuffer(base64.b64decode(tile), np.uint8).reshape(height, width) for tile in json.loads(done.stdout)]
    block = np.block([[tiles[i * len(across) + j] for j in range(len(across))] for i in range(len(down))])
    top, left = down.start * height, across.start * width
    return block[rows.start - top : rows.stop - top, cols.start - left : cols.stop - left]
