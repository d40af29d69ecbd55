"""Levels read each block of files and arrays only once; reads are counted in the readers."""

from typing import ClassVar

import dask.array as da
import h5py
import numpy as np
import pytest
import tifffile
import zarr
from zarr.storage import LocalStore, WrapperStore

from mandeldask.files.kinds import hdf5, tiff
from mandeldask.files.opening import opened_file
from mandeldask.images import states
from mandeldask.zarrview.imaged import images_of
from mandeldask.zarrview.nodes import as_node

IMAGE = np.random.default_rng(0).integers(0, 2**16, (1900, 2300), np.uint16)


class CountingStore(WrapperStore):
    """Counts the byte ranges of chunks that are asked for."""

    reads: ClassVar[list] = []

    async def get(self, key, prototype, byte_range=None):
        if key.startswith("c/"):
            self.reads.append((key, str(byte_range)))
        return await super().get(key, prototype, byte_range)


def _dask(path, reads, patch):
    def block(block_id):
        reads.append(block_id)
        return IMAGE[tuple(slice(at * side, (at + 1) * side) for at, side in zip(block_id, (1000, 700), strict=True))]

    chunks = da.core.normalize_chunks((1000, 700), IMAGE.shape)
    meta = np.empty((0, 0), np.uint16)
    return as_node(da.map_blocks(block, chunks=chunks, dtype=np.uint16, meta=meta))


def _zarr(path, reads, patch, **how):
    zarr.create_array(LocalStore(path / "a.zarr"), data=IMAGE, **how)
    patch.setattr(CountingStore, "reads", reads)
    return as_node(zarr.open_array(CountingStore(LocalStore(path / "a.zarr")), mode="r"))


def _sharded(path, reads, patch):
    return _zarr(path, reads, patch, chunks=(256, 256), shards=(1024, 1024))


def _one_large_chunk(path, reads, patch):
    return _zarr(path, reads, patch, chunks=IMAGE.shape)


def _tiles(path, reads, patch, **how):
    tifffile.imwrite(path / "a.tif", IMAGE, compression="zlib", **(how or {"tile": (256, 256)}))
    patch.setattr(tiff, "pread", lambda *where, read=tiff.pread: reads.append(where) or read(*where))
    return opened_file(str(path / "a.tif"), str(path))


def _strips(path, reads, patch):
    return _tiles(path, reads, patch, rowsperstrip=100)


def _hdf5(path, reads, patch):
    with h5py.File(path / "a.h5", "w") as file:
        file.create_dataset("image", data=IMAGE, chunks=(700, 900), compression="gzip")

    def read(dataset, window, dtype, read=hdf5.read_elements):
        spans = [range(w.start // c, -(-w.stop // c)) for w, c in zip(window, dataset.chunks, strict=True)]
        reads.extend((row, column) for row in spans[0] for column in spans[1])
        return read(dataset, window, dtype)

    patch.setattr(hdf5, "read_elements", read)
    return opened_file(str(path / "a.h5"), str(path)).members["image"]


SOURCES = {
    "dask": (_dask, 8),
    "zarr": (lambda *to: _zarr(*to, chunks=(300, 400)), 42),
    "sharded": (_sharded, None),  # whole shards at once, or chunks by their ranges
    "one large chunk": (_one_large_chunk, 1),
    "tiles": (_tiles, 72),
    "strips": (_strips, 19),
    "hdf5": (_hdf5, 9),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_every_block_is_read_once_for_all_levels_in_any_order(kind, tmp_path, monkeypatch):
    states.states_of_level.cache_clear()
    reads: ClassVar[list] = []
    make, blocks = SOURCES[kind]
    group = images_of(make(tmp_path, reads, monkeypatch))
    assert not reads
    levels = [group.members[str(level)].members["image"] for level in (1, 2, 3)]
    chunks = [
        (level, row, column)
        for level in range(3)
        for row in range(0, levels[level].shape[0], 512)
        for column in range(0, levels[level].shape[1], 512)
    ]
    np.random.default_rng(1).shuffle(chunks)
    for level, *starts in chunks:
        ends = [min(start + 512, size) for start, size in zip(starts, levels[level].shape, strict=True)]
        got = levels[level].read(tuple(map(slice, starts, ends)))
    counted = [each for each in reads if "Suffix" not in each[-1]] if kind == "sharded" else reads  # its index
    assert len(counted) == len(set(counted)) == (blocks or len(counted))
    cells = IMAGE[:1896, :2296].reshape(237, 8, 287, 8).mean((1, 3)).round()
    whole = levels[2].read((slice(0, 237), slice(0, 287)))
    np.testing.assert_array_equal(whole, cells)
    assert got.size
