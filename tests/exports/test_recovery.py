"""Exports that are stopped, damaged, repeated or shared: the result is complete and equal, or the export is refused."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import zarr
from zarr.storage import FsspecStore, MemoryStore, ZipStore

import mandeldask as md
from mandeldask.exports import local_target
from mandeldask.exports.local_target import LocalTarget
from mandeldask.exports.record import Record
from mandeldask.fractal.escape.perturbation import orbit_files


def values(target, level=5):
    return zarr.open_group(target, mode="r")[f"{level}/iterations"][...]


def chunks_of(target):
    return [path for path in Path(target).rglob("c/*/*") if path.is_file()]


def assert_complete(tree, target, levels):
    for level in levels:
        assert np.array_equal(values(target, level), tree[f"{level}/iterations"].values)
    assert md.verify(target, tree, sample=None).ok
    assert not list(Path(target).rglob("*.part"))


PROGRAM = """
    import mandeldask as md
    from positions import position_kernel
    tree = md.open_pyramid(levels=6, tilesize=16, kernel=position_kernel)
    print("begin", flush=True)
    md.export(tree, "out.zarr", levels=[1, 2], progress=lambda done, total: print(done, flush=True))
"""


@pytest.mark.parametrize("seed", [*range(4), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(4, 20))])
def test_killed_at_a_random_moment_it_goes_on_and_rewrites_nothing(tree, tmp_path, seed):
    moment = random.Random(seed).random() * 0.4
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PROGRAM)],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    with child:
        child.stdout.readline()
        time.sleep(moment)
        os.kill(child.pid, signal.SIGKILL)
    target = tmp_path / "out.zarr"
    before = {path: path.stat().st_mtime_ns for path in chunks_of(target)}
    with pytest.raises((FileNotFoundError, zarr.errors.GroupNotFoundError)):
        zarr.open_group(target, mode="r")  # unfinished, and no reader takes it for an array of fill values
    md.export(tree, target, levels=[1, 2])
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in before.items())
    for path in target.rglob("*.part"):  # of the killed process; they are removed once they are old
        path.unlink()
    assert_complete(tree, target, [1, 2])


@pytest.mark.parametrize("left", [0, 5])
def test_what_a_power_cut_truncated_is_written_anew(tree, tmp_path, left):
    target = tmp_path / "out.zarr"
    md.export(tree, target, levels=[3])
    damaged = sorted(chunks_of(target))[:7]
    for path in damaged[:-1]:
        os.truncate(path, left)
    damaged[-1].unlink()
    for ledger in target.rglob(".export-*.log"):  # it was being written too
        os.truncate(ledger, ledger.stat().st_size // 2)
    assert md.export(tree, target, levels=[3]).written == 7
    assert_complete(tree, target, [3])


def test_a_full_disk_is_an_error_and_leaves_no_half_chunk(tree, tmp_path, monkeypatch):
    written = []
    real = local_target._write

    def full(file, content):
        if len(written) > 10:
            real(file, content[: len(content) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(file)
        real(file, content)

    target = tmp_path / "out.zarr"
    monkeypatch.setattr(local_target, "_write", full)
    with pytest.raises(OSError, match="No space left"):
        md.export(tree, target, levels=[3])
    assert not list(target.rglob("*.part"))
    assert not (target / "zarr.json").exists()
    monkeypatch.undo()
    md.export(tree, target, levels=[3])
    assert_complete(tree, target, [3])


def test_two_processes_that_export_to_one_target_at_once_end_equal(tree, tmp_path):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", textwrap.dedent(PROGRAM)]
    both = [subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, env=environment) for _ in range(2)]
    assert [one.wait(120) for one in both] == [0, 0]
    assert_complete(tree, tmp_path / "out.zarr", [1, 2])


def test_two_exports_of_one_target_at_once_end_equal(tree, tmp_path):
    target = tmp_path / "out.zarr"
    both = [threading.Thread(target=md.export, args=(tree, target), kwargs={"levels": [2, 3]}) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert_complete(tree, target, [2, 3])


def test_an_export_that_begins_between_two_looks_at_its_target_is_not_refused(tree, tmp_path, monkeypatch):
    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        md.export(tree, tmp_path / "out.zarr", levels=[4], progress=interrupt)
    real, seen = Record.mark, set()

    def late(record):
        missed = record.path not in seen
        seen.add(record.path)
        return None if missed else real(record)

    monkeypatch.setattr(Record, "mark", late)
    md.export(tree, tmp_path / "out.zarr", levels=[4])
    assert_complete(tree, tmp_path / "out.zarr", [4])


def test_parts_need_no_coordinator(tree, tmp_path):
    target = tmp_path / "out.zarr"
    parts = [md.export(tree, target, levels=[2, 3], part=(which, 3)) for which in (2, 3, 1)]
    assert [part.complete for part in parts] == [False, False, True]
    assert sum(part.written for part in parts) == parts[0].chunks
    assert_complete(tree, target, [2, 3])


def test_parts_keep_long_orbits_in_a_folder_of_ours(tmp_path, monkeypatch):
    monkeypatch.setattr(orbit_files, "WORTH_SHARING_S", 0.0)
    tree = md.open_pyramid(levels=1, tilesize=16, center="1j", width="1e-41", maxiter=5000)
    folder = tmp_path / "orbits"
    md.export(tree, tmp_path / "out.zarr", orbits=folder)
    assert [path for path in folder.iterdir() if not path.suffix]
    assert np.array_equal(values(tmp_path / "out.zarr", 0), tree["0/iterations"].values)
    folder.chmod(0o777)
    with pytest.raises(ValueError, match="others may write to it"):
        md.export(tree, tmp_path / "other.zarr", orbits=folder)


def test_processes_share_a_target(tmp_path):
    tree = md.open_pyramid(levels=3, tilesize=16, maxiter=20)
    with ProcessPoolExecutor(2) as pool:
        written = md.export(tree, tmp_path / "out.zarr", executor=pool)
    assert written.written == written.chunks
    assert md.verify(tmp_path / "out.zarr", sample=None).ok


def test_an_executor_that_gives_its_work_up_is_named(tree, tmp_path):
    class Lost(Executor):
        def submit(self, *_, **__):
            future = Future()
            future.cancel()
            future.set_running_or_notify_cancel()
            return future

    with pytest.raises(ConnectionError, match="cancelled its tasks"):
        md.export(tree, tmp_path / "out.zarr", levels=[5], executor=Lost())
    assert md.export(tree, tmp_path / "out.zarr", levels=[5]).complete


def test_a_relative_path_is_one_place_for_all_workers(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with ProcessPoolExecutor(1, initializer=os.chdir, initargs=("/",)) as pool:
        assert md.export(md.open_pyramid(levels=1, tilesize=16, maxiter=9), "out.zarr", executor=pool).complete
    assert md.verify("out.zarr").ok


@pytest.mark.parametrize("target", [MemoryStore(), "memory://somewhere"])
def test_memory_of_this_process_is_refused_for_workers_elsewhere(tree, target):
    with ProcessPoolExecutor(1) as pool, pytest.raises(ValueError, match="exists only in this process"):
        md.export(tree, target, levels=[5], executor=pool)


def test_levels_are_added_later(tree, tmp_path):
    target = tmp_path / "out.zarr"
    md.export(tree, target, levels=[5])
    written = md.export(tree, target, levels=[3, 4])
    group = zarr.open_group(target, mode="r")
    assert list(group.keys()) == ["3", "4", "5"]
    paths = [each["path"] for each in group.attrs["ome"]["multiscales"][0]["datasets"]]
    assert paths == ["3/iterations", "4/iterations", "5/iterations"]
    assert written.written < written.chunks
    assert_complete(tree, target, [3, 4, 5])


def test_other_content_of_the_same_shape_is_refused_or_replaced(tmp_path):
    target = tmp_path / "out.zarr"
    md.export({"a": np.arange(4)}, target)
    with pytest.raises(
        ValueError, match=r"contains other content .* at a: choose an empty location, or replace the content"
    ):
        md.export({"a": np.arange(4) + 1}, target)
    assert zarr.open_group(target, mode="r")["a"][:].tolist() == [0, 1, 2, 3]
    assert md.export({"a": np.arange(4) + 1}, target, overwrite=True).written == 1
    assert zarr.open_group(target, mode="r")["a"][:].tolist() == [1, 2, 3, 4]


def test_without_resume_nothing_that_is_there_is_kept(tree, tmp_path):
    target = tmp_path / "out.zarr"
    md.export(tree, target, levels=[5])
    with pytest.raises(ValueError, match="resume is off"):
        md.export(tree, target, levels=[5], resume=False)
    written = md.export(tree, target, levels=[5], resume=False, overwrite=True)
    assert written.written == written.chunks


def test_another_tree_is_not_written_over_an_export(tree, tmp_path):
    target = tmp_path / "out.zarr"
    md.export({"mine": np.arange(3)}, target)
    with pytest.raises(ValueError, match="contains other data: mine, which is not in this tree"):
        md.export(tree, target, levels=[5])
    assert zarr.open_group(target, mode="r")["mine"][:].tolist() == [0, 1, 2]


def test_a_zip_file_appears_when_it_is_complete(tree, tmp_path, monkeypatch):
    target = tmp_path / "out.zip"
    md.export(tree, target, levels=[5])
    assert np.array_equal(values(ZipStore(target, mode="r")), tree["5/iterations"].values)
    with pytest.raises(ValueError, match="already exists"):
        md.export(tree, target, levels=[5])

    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        md.export(tree, tmp_path / "other.zip", levels=[5], progress=interrupt)
    assert [path.name for path in tmp_path.iterdir()] == ["out.zip"]


@pytest.mark.parametrize("fault", ["missing", "damaged", "different"])
def test_verify_names_what_is_wrong_and_repairs_it(tree, tmp_path, fault):
    target = tmp_path / "out.zarr"
    md.export(tree, target, levels=[4])
    first, *_, last = sorted(chunks_of(target))
    if fault == "missing":
        first.unlink()
    elif fault == "damaged":
        first.write_bytes(first.read_bytes()[:-1] + b"!")
    else:
        first.write_bytes(last.read_bytes())
        for ledger in target.rglob(".export-*.log"):
            ledger.unlink()
    found = md.verify(target, tree, sample=None, repair=True)
    assert found.faults == ((str(first.relative_to(target)), fault),)
    assert_complete(tree, target, [4])


def test_verify_knows_the_source_of_a_pyramid(tmp_path):
    md.export(md.open_pyramid(levels=3, tilesize=16, maxiter=20), tmp_path / "out.zarr", levels=[2])
    found = md.verify(tmp_path / "out.zarr", sample=2)
    assert found.ok
    assert found.compared >= 2


def test_verify_without_a_source_looks_at_what_is_there(tmp_path):
    md.export({"a": np.arange(4)}, tmp_path / "out.zarr")
    assert md.verify(tmp_path / "out.zarr").compared == 0
    (tmp_path / "out.zarr/a/c/0").unlink()
    with pytest.raises(ValueError, match="pass it as verify"):
        md.verify(tmp_path / "out.zarr", repair=True)
    with pytest.raises(ValueError, match="contains no complete Zarr store"):
        md.verify(tmp_path / "nowhere.zarr")


@pytest.mark.parametrize("shards", [32, 64, "auto"])
def test_shards_hold_every_pixel(tree, tmp_path, shards):
    target = tmp_path / "out.zarr"
    written = md.export(tree, target, levels=[2, 3], shards=shards)
    array = zarr.open_group(target, mode="r")["2/iterations"]
    assert array.shards is not None
    assert written.written < md.export(tree, MemoryStore(), levels=[2, 3]).written
    assert_complete(tree, target, [2, 3])
    first = min(chunks_of(target))
    os.truncate(first, first.stat().st_size // 2)
    assert md.export(tree, target, levels=[2, 3], shards=shards).written == 1
    assert_complete(tree, target, [2, 3])


def test_obstore_writes_to_urls_that_ask_for_it(tree, tmp_path):
    written = md.export(tree, f"obstore+file://{tmp_path}", levels=[5])
    assert written.complete
    assert np.array_equal(values(tmp_path), tree["5/iterations"].values)
    with pytest.raises(ValueError, match="cannot be written to by obstore"):
        md.export(tree, "obstore+nowhere://x", levels=[5])


def test_a_missing_package_is_named_by_its_extra(tree, monkeypatch):
    def missing(*_, **__):
        msg = "Install s3fs to access S3"  # what fsspec says
        raise ImportError(msg)

    monkeypatch.setattr(FsspecStore, "from_url", missing)
    with pytest.raises(ModuleNotFoundError, match=r"needs s3fs: pip install 'mandeldask\[s3\]'"):
        md.export(tree, "s3://bucket/out.zarr", levels=[5])


def test_it_says_what_is_left_from_a_sample(tree, tmp_path):
    said = []
    written = md.export(tree, tmp_path / "out.zarr", levels=[2], announce=said.append)
    (estimate,) = said
    assert 0 < estimate.chunks < written.chunks
    sizes = [path.stat().st_size for path in chunks_of(tmp_path / "out.zarr")]
    assert 0.3 < estimate.size / (np.mean(sizes) * estimate.chunks) < 3
    assert estimate.seconds > 0
    assert_complete(tree, tmp_path / "out.zarr", [2])


def test_what_does_not_fit_on_the_disk_is_refused(tree, tmp_path, monkeypatch):
    monkeypatch.setattr(LocalTarget, "free_bytes", lambda _: 1000)
    with pytest.raises(ValueError, match=r"has only 1000 bytes left, but the [0-9]+ chunks need about"):
        md.export(tree, tmp_path / "out.zarr", levels=[2], announce=print)
    assert len(chunks_of(tmp_path / "out.zarr")) <= 8
