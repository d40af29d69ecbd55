"""Other readers of Zarr: tensorstore on a persistent cache, the Rust codec pipeline on the store itself."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import zarr

from mandeldask.zarrview.cache import TileCache
from mandeldask.zarrview.formats import V2, V3
from mandeldask.zarrview.store import to_store
from mandeldask.zarrview.view import ZarrView

DATA = {kind: np.arange(35).reshape(5, 7).astype(kind) for kind in ["u1", "i2", ">u4", "i8", "u8", "f2", "f4", "f8"]}
DATA |= {"b": DATA["u1"] % 2 == 0, "c8": DATA["f4"] * (1 + 2j), "c16": DATA["f8"] * 1j, "0-d": np.array(5, "i4")}
DATA["nan"] = np.array([[np.nan, np.inf, -np.inf]])


@pytest.fixture(scope="module", params=[V2(), V3(), V3(shards=(10, 14))], ids=["v2", "v3", "v3-shards"])
def kept_tiles(request, tmp_path_factory):
    target = tmp_path_factory.mktemp("tiles")
    view = ZarrView(DATA, request.param, cache=TileCache(directory=target))
    for path, array in view.arrays():
        for coords in product(*map(range, view.format.store(array).grid)):
            view.read(view.find(f"{path}/{view.format.chunk_key(coords)}"))
    return view.format.number, target


@pytest.mark.parametrize("name", DATA)
def test_tensorstore_opens_every_numeric_array(kept_tiles, name):
    tensorstore = pytest.importorskip("tensorstore")
    number, target = kept_tiles
    spec = {"driver": "zarr" if number == 2 else "zarr3", "kvstore": {"driver": "file", "path": f"{target}/{name}/"}}
    array = tensorstore.open(spec, open=True, read=True).result()
    np.testing.assert_array_equal(array.read().result(), DATA[name])
    if number == 3:
        assert all(array.domain.labels)


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.filterwarnings("ignore")
def test_the_zarrs_codec_pipeline_reads_the_store(zarr_format):
    pytest.importorskip("zarrs")
    with zarr.config.set({"codec_pipeline.path": "zarrs.ZarrsCodecPipeline"}):
        group = zarr.open_group(to_store(DATA, zarr_format), mode="r")
        for name in ("u1", "f8", "b", "0-d"):
            np.testing.assert_array_equal(group[name][...], DATA[name])


@pytest.mark.filterwarnings("ignore")
def test_the_zarrs_codec_pipeline_reads_shards():
    pytest.importorskip("zarrs")
    with zarr.config.set({"codec_pipeline.path": "zarrs.ZarrsCodecPipeline"}):
        group = zarr.open_group(to_store(DATA, shards=(10, 14)), mode="r")
        np.testing.assert_array_equal(group["f8"][1:4, 2:], DATA["f8"][1:4, 2:])
