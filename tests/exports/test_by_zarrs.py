"""Chunks encoded by zarrs have the same elements for every reader; other arrays are encoded by our encoder."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import zarr
from zarr.codecs import BloscCodec, TransposeCodec, ZstdCodec

import mandeldask as md
from mandeldask.exports import by_zarrs

RANDOM = np.random.default_rng(1)
TREE = {
    "mixed": RANDOM.integers(0, 9, (100, 70), "u1"),
    "floats": np.where(RANDOM.random((50, 33)) < 0.5, np.nan, RANDOM.random((50, 33))),
    "zeros": np.zeros((64, 64), "i4"),
    "corner": np.pad(RANDOM.integers(0, 9, (20, 20)), ((0, 80), (0, 80))),
    "text": np.array(["a", "b"]),
    "flags": RANDOM.random((40, 40)) < 0.5,
}


@pytest.fixture
def asked():
    with zarr.config.set({"codec_pipeline.path": by_zarrs.PIPELINE}):
        yield


@pytest.fixture
def encoded(monkeypatch):
    """Return the shapes of the blocks that zarrs encodes."""
    shapes = []
    real = by_zarrs.store_chunk

    def noted(pipeline, key, block):
        shapes.append(block.shape)
        real(pipeline, key, block)

    monkeypatch.setattr(by_zarrs, "store_chunk", noted)
    return shapes


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"shards": 64},
        {"compressors": None},
        {"compressors": ZstdCodec(checksum=True), "shards": 64},
        {"compressors": BloscCodec(), "filters": TransposeCodec(order=(1, 0)), "shards": 32},
        {"zarr_format": 2},
    ],
)
def test_every_element_is_read_back_without_zarrs(tmp_path, options, asked, encoded):
    tree = TREE if "filters" not in options else {name: TREE[name] for name in ("mixed", "floats", "zeros", "corner")}
    md.export(tree, tmp_path / "out.zarr", chunks=32, **options)
    with zarr.config.set({"codec_pipeline.path": "zarr.core.codec_pipeline.BatchedCodecPipeline"}):
        group = zarr.open_group(tmp_path / "out.zarr", mode="r")
        for name, values in tree.items():
            assert np.array_equal(group[name][...], values, equal_nan=values.dtype.kind == "f"), name
        assert md.verify(tmp_path / "out.zarr", tree, sample=None).ok
    assert bool(encoded) == ("zarr_format" not in options)
    assert not any(any(folder.iterdir()) for folder in [by_zarrs._folder(by_zarrs.os.getpid())])


def test_an_export_goes_on_with_zarrs_where_it_was_without(tmp_path, encoded):
    target = tmp_path / "out.zarr"
    md.export(TREE, target, chunks=32)
    assert not encoded
    (target / "mixed/c/0/0").unlink()
    with zarr.config.set({"codec_pipeline.path": by_zarrs.PIPELINE}):
        assert md.export(TREE, target, chunks=32).written == 1
    assert encoded.count((32, 32)) > 1
    assert md.verify(target, TREE, sample=None).ok


def test_what_zarrs_encodes_otherwise_is_left_to_us(tmp_path, asked, monkeypatch):
    real = by_zarrs.store_chunk
    monkeypatch.setattr(by_zarrs, "store_chunk", lambda pipeline, key, block: real(pipeline, key, block + 1))
    md.export(TREE, tmp_path / "out.zarr")
    assert np.array_equal(zarr.open_group(tmp_path / "out.zarr", mode="r")["mixed"][...], TREE["mixed"])


def test_a_missing_zarrs_is_named_by_its_extra(tmp_path, asked, monkeypatch):
    monkeypatch.setitem(sys.modules, "zarrs", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'mandeldask\[zarrs\]'"):
        md.export(TREE, tmp_path / "out.zarr")
