import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
import xarray as xr
import zarr
from dask.base import normalize_token
from zarr.storage import LocalStore, MemoryStore

import mandeldask as md
from mandeldask.cancellation import Cancelled, current
from mandeldask.fractal.mandelbrot import Mandelbrot
from positions import LOG, position_kernel


@pytest.fixture
def tree():
    LOG.clear()
    return md.open_pyramid(levels=40, tilesize=16, fields=("iterations", "smooth"), kernel=position_kernel)


@pytest.fixture(params=[2, 3])
def zarr_format(request):
    return request.param


LEVELS = range(37, 40)


def read_back(target):
    return xr.open_datatree(target, engine="zarr", chunks=None)


def assert_equal(back, tree, levels=LEVELS):
    assert list(back.children) == [str(level) for level in levels]
    for level in levels:
        found, expected = back[str(level)].to_dataset(), tree[str(level)].to_dataset().compute()
        xr.testing.assert_equal(found, expected)
        assert found.attrs == expected.attrs
        assert {n: v.attrs for n, v in found.variables.items()} == {n: v.attrs for n, v in expected.variables.items()}


def test_an_export_reads_back_equal(tree, tmp_path, zarr_format):
    target = tmp_path / "out.zarr"
    written = md.export(tree, target, levels=LEVELS, zarr_format=zarr_format)
    assert (written.chunks, written.written, written.complete) == (2 * (64 + 16 + 4) + 6, 174, True)  # with coordinates
    assert_equal(read_back(target), tree)


def test_every_pixel_is_computed_once_for_all_fields(tree, tmp_path):
    md.export(tree, tmp_path / "out.zarr", levels=LEVELS)
    assert LOG.pixels == 128**2 + 64**2 + 32**2
    assert set(LOG.fields) == {("iterations", "smooth")}


def test_tiles_proven_to_be_one_value_are_written_without_their_pixels(tmp_path, monkeypatch):
    tree = md.open_pyramid(levels=3, tilesize=16, maxiter=300)
    shapes = []
    computed = Mandelbrot.__call__

    def noted(self, grid):
        shapes.append(grid.shape)
        return computed(self, grid)

    monkeypatch.setattr(Mandelbrot, "__call__", noted)
    md.export(tree, tmp_path / "out.zarr", levels=[0])
    assert 0 < len(shapes) < 64
    monkeypatch.undo()
    assert md.verify(tmp_path / "out.zarr", sample=None).ok
    assert np.array_equal(zarr.open_array(tmp_path / "out.zarr/0/iterations")[...], tree["0/iterations"].values)


def test_lazily_indexed_levels_export_too(tmp_path):
    tree = md.open_pyramid(levels=40, tilesize=16, kernel=position_kernel, chunks=None)
    LOG.clear()
    md.export(tree, tmp_path / "out.zarr", levels=[39])
    assert_equal(read_back(tmp_path / "out.zarr"), tree, [39])
    assert zarr.open_array(tmp_path / "out.zarr/39/iterations").chunks == (16, 16)


def test_a_rerun_writes_only_what_is_missing(tree, tmp_path, zarr_format):
    target = tmp_path / "out.zarr"
    md.export(tree, target, levels=LEVELS, zarr_format=zarr_format)
    keys = {2: "37/iterations/2/3", 3: "37/iterations/c/2/3"}
    (target / keys[zarr_format]).unlink()
    LOG.clear()
    assert md.export(tree, target, levels=LEVELS, zarr_format=zarr_format).written == 1
    assert LOG.pixels == 16 * 16
    assert_equal(read_back(target), tree)
    assert md.export(tree, target, levels=LEVELS, zarr_format=zarr_format).written == 0


def test_blocks_of_zeros_are_written_so_that_resuming_knows_them(tmp_path):
    tree = md.open_pyramid(levels=1, tilesize=16, center="100", maxiter=3)
    assert not tree["0/iterations"].any()
    assert md.export(tree, tmp_path / "out.zarr").written == 4 + 2  # with coordinates
    assert md.export(tree, tmp_path / "out.zarr").written == 0


def test_progress_is_told_after_every_block(tree, tmp_path):
    seen = []
    md.export(tree, tmp_path / "out.zarr", levels=[39], progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (10, 10)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_a_bar_tells_the_rate_and_goes_to_standard_error(tree, tmp_path, capsys):
    md.export(tree, tmp_path / "out.zarr", levels=[39], progress=True)
    out, err = capsys.readouterr()
    assert "10/10" in err
    assert "tiles/s" in err
    assert "Mpx/s" in err
    assert "MB" in err
    assert out == ""


@pytest.mark.parametrize("target", ["memory://exported.zarr", MemoryStore()])
def test_urls_and_stores_are_targets(tree, target):
    md.export(tree, target, levels=[39])
    assert_equal(read_back(target), tree, [39])


def test_attributes_are_those_of_the_format(tree, tmp_path):
    for zarr_format in (2, 3):
        md.export(tree, tmp_path / f"v{zarr_format}.zarr", levels=LEVELS, zarr_format=zarr_format)
    v2, v3 = (dict(zarr.open_group(tmp_path / f"v{n}.zarr", mode="r").attrs) for n in (2, 3))
    assert [entry["path"] for entry in v2["multiscales"][0]["datasets"]] == [f"{n}/iterations" for n in LEVELS]
    assert v2["multiscales"][0]["version"] == "0.4"
    assert v3["ome"]["multiscales"][0]["datasets"][0]["coordinateTransformations"][0]["scale"] == [1.0, 1.0]
    assert [entry["asset"] for entry in v3["multiscales"]["layout"]] == ["37", "38", "39"]
    assert not {"zarr_v2", "zarr_v3"} & (v2.keys() | v3.keys())
    assert v2["mandeldask"] == v3["mandeldask"] == tree.attrs["mandeldask"]


def test_v2_says_that_no_value_is_missing_and_separates_by_slashes(tree, tmp_path):
    md.export(tree, tmp_path / "out.zarr", levels=[39], zarr_format=2)
    document = json.loads((tmp_path / "out.zarr/39/iterations/.zarray").read_bytes())
    assert document["fill_value"] is None
    assert document["dimension_separator"] == "/"
    assert (tmp_path / "out.zarr/.zmetadata").exists()


def test_trees_that_are_no_pyramids_are_written_too(tmp_path, zarr_format):
    numbers = xr.Dataset(
        {"matrix": (("a", "b"), np.arange(12.0).reshape(3, 4)), "row": ("b", np.arange(4)), "one": ((), 7)},
        coords={"b": [1.5, 2.5, 3.5, 4.5]},
    )
    tree = xr.DataTree.from_dict({"/": xr.Dataset(attrs={"mine": 1}), "numbers": numbers})
    assert md.export(tree, tmp_path / "out.zarr", zarr_format=zarr_format).chunks == 4
    xr.testing.assert_equal(read_back(tmp_path / "out.zarr"), tree)


def test_codecs_are_passed_on(tree, tmp_path):
    md.export(tree, tmp_path / "out.zarr", levels=[39], compressors=None)
    assert (tmp_path / "out.zarr/39/iterations/c/0/0").stat().st_size == 16 * 16 * 8


@pytest.mark.parametrize(
    ("keywords", "said"),
    [
        ({"levels": [50]}, "levels must be among 0, 1"),
        ({"levels": []}, "levels must be among"),
        ({}, "0/iterations has 3e\\+26 elements"),
        ({"levels": [39], "zarr_format": 4}, "zarr_format must be 2 or 3"),
    ],
)
def test_what_cannot_be_exported_is_named(tree, keywords, said):
    with pytest.raises(ValueError, match=said):
        md.export(tree, MemoryStore(), **keywords)


def test_targets_that_hold_something_else_are_refused(tree, tmp_path):
    (tmp_path / "precious.txt").write_text("thesis")
    with pytest.raises(ValueError, match="contains other data"):
        md.export(tree, tmp_path, levels=[39])
    with pytest.raises(ValueError, match="is a file"):
        md.export(tree, tmp_path / "precious.txt", levels=[39])
    zarr.open_group(tmp_path / "group.zarr", attributes={"mine": 1})
    with pytest.raises(ValueError, match="contains other data"):
        md.export(tree, tmp_path / "group.zarr", levels=[39])
    assert (tmp_path / "precious.txt").read_text() == "thesis"


def test_an_export_of_another_format_is_not_mixed_in(tree, tmp_path):
    md.export(tree, tmp_path / "out.zarr", levels=[39])
    with pytest.raises(ValueError, match="contains a store of another Zarr format"):
        md.export(tree, tmp_path / "out.zarr", levels=[39], zarr_format=2)
    assert not list((tmp_path / "out.zarr").rglob(".z*"))


def test_stores_that_would_lose_blocks_are_refused(tree, tmp_path):
    with pytest.raises(ValueError, match="target is empty"):
        md.export(tree, "", levels=LEVELS)
    with pytest.raises(ValueError, match="read-only"):
        md.export(tree, LocalStore(tmp_path, read_only=True), levels=[39])
    with pytest.raises(ValueError, match="HTTP servers"):
        md.export(tree, "https://example.org/out.zarr", levels=[39])
    with ProcessPoolExecutor(1) as pool, pytest.raises(ValueError, match="exists only in this process"):
        md.export(tree, MemoryStore(), levels=[39], executor=pool)


class FailingKernel:
    def __init__(self, kernel):
        self.kernel = kernel
        self.dtypes, self.attributes, self.about = kernel.dtypes, kernel.attributes, kernel.about

    def select(self, *fields):
        return self

    def __dask_tokenize__(self):
        return normalize_token(self.kernel)  # the same pixels, when it is luckier

    def __call__(self, grid):
        msg = "out of luck"
        raise ArithmeticError(msg)


def test_a_failure_is_raised_and_leaves_what_was_written(tmp_path):
    def failing(pyramid, level):
        return FailingKernel(position_kernel(pyramid, level))

    tree = md.open_pyramid(levels=3, tilesize=16, kernel=failing)
    with pytest.raises(ArithmeticError, match="out of luck"):
        md.export(tree, tmp_path / "out.zarr")
    assert (
        md.export(md.open_pyramid(levels=3, tilesize=16, kernel=position_kernel), tmp_path / "out.zarr").written
        == 84 + 6
    )


class EndlessKernel(FailingKernel):
    """Computes the first block; the others until they are cancelled."""

    first = True

    def __call__(self, grid):
        if self.first:
            self.first = False
            return self.kernel(grid)
        while not current().cancelled:
            time.sleep(0.001)
        raise Cancelled


def test_an_interrupt_stops_the_kernels_that_run(tmp_path):
    def interrupt(done, total):
        raise KeyboardInterrupt

    tree = md.open_pyramid(levels=3, tilesize=16, kernel=lambda *level: EndlessKernel(position_kernel(*level)))
    with pytest.raises(KeyboardInterrupt):
        md.export(tree, tmp_path / "out.zarr", progress=interrupt)
    assert len([key for key in (tmp_path / "out.zarr").rglob("c/*/*") if key.is_file()]) < 10


@pytest.mark.filterwarnings("ignore:Consolidated metadata:UserWarning")
def test_to_zarr_of_some_levels_reads_back_equal(tree, tmp_path, zarr_format):
    some = tree.mandel.levels(LEVELS)
    some.to_zarr(tmp_path / "out.zarr", zarr_format=zarr_format)
    back = read_back(tmp_path / "out.zarr")
    assert_equal(back, tree)
    assert back["39/iterations"].dtype == np.int64
    assert back.attrs == json.loads(json.dumps(some.attrs))


def test_an_export_that_is_killed_goes_on_where_it_was(tmp_path):
    program = """
        import time
        import mandeldask as md

        tree = md.open_pyramid(levels=4, tilesize=16, maxiter=50)
        def report(done, total):
            print(done, flush=True)
            time.sleep(60 if done >= 20 else 0)  # it waits to be killed
        md.export(tree, "out.zarr", levels=[0], progress=report)
    """
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    with child:
        while int(child.stdout.readline()) < 20:
            pass
        os.kill(child.pid, signal.SIGKILL)
    tree = md.open_pyramid(levels=4, tilesize=16, maxiter=50)
    before = time.time()
    exported = md.export(tree, tmp_path / "out.zarr", levels=[0])
    assert 0 < exported.written <= exported.chunks - 20
    assert_equal(read_back(tmp_path / "out.zarr"), tree, [0])
    kept = [path for path in (tmp_path / "out.zarr/0").rglob("c/**/*") if path.is_file()]
    assert sum(path.stat().st_mtime < before for path in kept) >= 20
