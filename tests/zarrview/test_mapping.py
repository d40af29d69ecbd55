"""The Mapping of keys to bytes, as clients of the old interface use it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import zarr

from mandeldask.zarrview.mapping import to_mapping
from mandeldask.zarrview.nodes import Group
from zarrview.patterns import Counted

DATA = np.arange(64, dtype="u2").reshape(8, 8)


@pytest.fixture
def source():
    return Counted(DATA)


@pytest.fixture(params=[2, 3], ids=["v2", "v3"])
def mapping(request, source):
    return to_mapping(Group({"a": source.node((4, 4))}), request.param)


def test_asking_what_is_there_computes_nothing(mapping, source):
    assert isinstance(mapping, Mapping)
    chunk = "a/c/1/1" if "zarr.json" in mapping else "a/1/1"
    assert chunk in mapping
    assert "a/5/5" not in mapping
    assert 3 not in mapping
    assert len(mapping) == len(list(mapping)) > 0
    assert all(isinstance(mapping[key], bytes) for key in mapping)
    assert source.windows == []
    assert isinstance(mapping[chunk], bytes)
    assert mapping.get("nothing") is None
    with pytest.raises(KeyError, match="nothing"):
        mapping["nothing"]


class VizarrSource:
    """What vizarr 0.1.1's Python class does with a source: https://github.com/hms-dbmi/vizarr, python/src/vizarr."""

    def __init__(self, store):
        assert hasattr(store, "__getitem__")
        assert hasattr(store, "__contains__")
        self.store = store

    def answer(self, kind, key):
        key = key.lstrip("/")
        if kind == "has":
            return key in self.store, []
        try:
            return True, [memoryview(self.store[key])]
        except KeyError:
            return False, []


def test_vizarr_finds_documents_and_tiles():
    viewer = VizarrSource(to_mapping({"0": DATA}))
    assert viewer.answer("has", "/.zgroup") == (True, [])
    assert viewer.answer("get", "/labels/.zattrs") == (False, [])
    success, (tile,) = viewer.answer("get", "/0/0/0")
    assert success
    assert len(tile) > 0


def test_zarr_reads_what_is_copied_from_it(mapping):
    copied = {key: mapping[key] for key in mapping}
    prefix = "a/c/" if "zarr.json" in mapping else "a/"
    copied |= {f"{prefix}{row}/{col}": mapping[f"{prefix}{row}/{col}"] for row in range(2) for col in range(2)}
    buffers = {key: zarr.core.buffer.cpu.Buffer.from_bytes(raw) for key, raw in copied.items()}
    group = zarr.open_group(zarr.storage.MemoryStore(buffers), mode="r")
    np.testing.assert_array_equal(group["a"][...], DATA)


def test_fsspec_mappers_take_it_for_one_of_their_own(mapping, tmp_path):
    """A mapper is filled from a Mapping by `update`, and read by zarr through FsspecStore."""
    fsspec = pytest.importorskip("fsspec")
    target = fsspec.get_mapper(str(tmp_path / "copy.zarr"))
    target.update(dict(mapping))
    prefix = "a/c/" if "zarr.json" in mapping else "a/"
    target.update({f"{prefix}{row}/{col}": mapping[f"{prefix}{row}/{col}"] for row in range(2) for col in range(2)})
    np.testing.assert_array_equal(zarr.open_group(str(tmp_path / "copy.zarr"), mode="r")["a"][...], DATA)
