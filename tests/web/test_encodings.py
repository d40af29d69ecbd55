"""Chunks in the codecs that an operator chooses."""

from __future__ import annotations

import pickle

import numcodecs
import numpy as np
import pytest
import zarr
from zarr.codecs import BloscCodec

from mandeldask.web.settings import Settings
from web_server import TREE, serving


@pytest.mark.parametrize(
    ("codecs", "v2", "v3"),
    [
        ("gzip", "gzip", ["bytes", "gzip"]),
        ("blosc", "blosc", ["bytes", "blosc"]),
        ("zstd", "zstd", ["bytes", "zstd"]),
        ("none", None, ["bytes"]),
        ({2: {"compressor": numcodecs.LZ4()}, 3: {"compressors": BloscCodec(cname="lz4")}}, "lz4", ["bytes", "blosc"]),
        ({3: {"shards": 16}}, "gzip", ["sharding_indexed"]),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_clients_read_them(codecs, v2, v3):
    with serving({"t": {**TREE, "long": np.arange(8)}}, codecs=codecs) as client:
        url = client.handle.url
        document = client.get(f"{url('v2')}/image/.zarray").json()
        assert (document["compressor"] or {"id": None})["id"] == v2
        document = client.get(f"{url('v3')}/long/zarr.json").json()
        assert [codec["name"] for codec in document["codecs"]] == v3
        for version in ("v2", "v3"):
            group = zarr.open_group(url(version), mode="r")
            assert np.array_equal(group["image"][:], TREE["image"])
            assert np.array_equal(group["long"][:], np.arange(8))


@pytest.mark.parametrize("codecs", ["brotli", 3, {4: {}}])
def test_other_names_are_refused(codecs):
    with pytest.raises(ValueError, match="codecs must be one of gzip, blosc, zstd, none"):
        Settings(codecs=codecs)
    with pytest.raises(TypeError, match="v2 takes the options compressor, filters"):
        Settings(codecs={2: {"compressors": None}})


def test_settings_cross_to_worker_processes():
    settings = Settings(codecs={2: {"compressor": numcodecs.Blosc()}, 3: {"compressors": BloscCodec()}})
    assert pickle.loads(pickle.dumps(settings)) == settings
