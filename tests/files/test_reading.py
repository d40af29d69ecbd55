"""Every format equals what its own library reads: whole, in windows, in both formats of Zarr, and from many threads."""

from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pickle import dumps, loads

import numpy as np
import pytest
import zarr

from file_samples import SAMPLES
from mandeldask.files.paths import open_path
from mandeldask.zarrview.nodes import Group
from mandeldask.zarrview.store import to_store


@pytest.fixture(params=SAMPLES, ids=lambda sample: sample.name)
def written(request, tmp_path):
    """Yield the path of a sample, and what its library reads."""
    path = tmp_path / request.param.name
    request.param.write(path)
    return path, request.param.read(path)


def arrays(node, path=""):
    if isinstance(node, Group):
        for name, below in node.members.items():
            yield from arrays(below, f"{path}/{name}".lstrip("/"))
    else:
        yield path, node


def windows(shape, parts=3):
    steps = [max(1, -(-size // parts)) for size in shape]
    starts = product(*(range(0, size, step) for size, step in zip(shape, steps, strict=True)))
    for start in starts:
        yield tuple(slice(at, min(at + step, size)) for at, step, size in zip(start, steps, shape, strict=True))


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")
def test_clients_read_what_the_library_reads(written, zarr_format):
    path, expected = written
    shown = zarr.open(to_store(open_path(path), zarr_format), mode="r")
    for name, values in expected.items():
        array = shown[name] if name else shown
        np.testing.assert_array_equal(array[...], values)
        assert array.shape == values.shape
        if values.dtype.kind not in "SU":  # text of one length is shown as text of any
            assert array.dtype == values.dtype.newbyteorder("=")


def test_windows_are_parts_of_the_whole(written):
    path, expected = written
    found = dict(arrays(open_path(path)))
    for name, values in expected.items():
        for window in windows(values.shape):
            part = found[name].read(window)
            np.testing.assert_array_equal(part, values[window])
            assert part.dtype == found[name].dtype
            assert part.dtype.isnative


def test_eight_threads_read_the_same(written):
    path, expected = written
    found = dict(arrays(open_path(path)))
    asked = [(name, window) for name, values in expected.items() for window in windows(values.shape, 2)] * 8
    with ThreadPoolExecutor(8) as pool:
        parts = list(pool.map(lambda each: found[each[0]].read(each[1]), asked))
    for (name, window), part in zip(asked, parts, strict=True):
        np.testing.assert_array_equal(part, expected[name][window])


def test_readers_pickle_by_the_path_and_not_by_the_content(written):
    path, expected = written
    for name, node in arrays(open_path(path)):
        raw = dumps(node.read)
        assert len(raw) < 20_000
        if name in expected:
            whole = tuple(slice(0, size) for size in node.shape)
            np.testing.assert_array_equal(loads(raw)(whole), expected[name])


def test_fingerprints_are_the_same_in_every_process_and_differ_between_arrays(written):
    path, _ = written
    first, second = dict(arrays(open_path(path))), dict(arrays(open_path(path)))
    assert [node.fingerprint for node in first.values()] == [node.fingerprint for node in second.values()]
    assert len({node.fingerprint for node in first.values()}) == len(first)
