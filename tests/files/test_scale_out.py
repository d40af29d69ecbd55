"""Files read by the workers of a scheduler, and chunks of files kept over restarts."""

from __future__ import annotations

import re
import time

import h5py
import httpx
import numpy as np
import pytest
import zarr

import mandeldask as md
from mandeldask.files.paths import open_path
from web_cluster import dask
from web_server import serving, until


def _write(path, value):
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=np.full((4, 100, 400), value), chunks=(1, 100, 400))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_workers_of_a_scheduler_read_files_and_follow_them(tmp_path):
    _write(tmp_path / "a.h5", 5)
    chunk = "/zarr/v3/t.zarr/a.h5/x/c/{}/0/0"
    with dask() as cluster, serving({"t": open_path(tmp_path)}, scheduler=cluster.address) as client:
        assert until(lambda: client.get("/readyz").status_code == 200)
        url = f"{client.handle.address}/zarr/v3/t.zarr"
        assert (zarr.open_group(url, mode="r")["a.h5/x"][:2] == 5).all()
        _write(tmp_path / "a.h5", 7)
        time.sleep(1.1)
        assert (zarr.open_group(url, mode="r")["a.h5/x"][:2] == 7).all()
        cluster.kill(cluster.workers[0])
        assert until(lambda: client.get("/readyz").status_code == 503)
        assert client.get(chunk.format(0)).status_code == 200  # kept
        assert client.get(chunk.format(3)).status_code == 503  # was to be read by a worker


def test_chunks_of_files_are_kept_over_restarts_and_read_anew_when_the_file_changed(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    _write(folder / "a.h5", 5)

    def read():
        """Return the values that a new server shows, and how many chunks it computed."""
        with md.serve({"t": folder}, background=True, cache_dir=tmp_path / "cache") as server:
            values = zarr.open_group(server.url("v3", "t"), mode="r")["a.h5/x"][...]
            metrics = httpx.get(f"{server.address}/metrics").text
        return set(values.ravel().tolist()), int(float(re.search(r"chunks_computed_total ([0-9.]+)", metrics)[1]))

    assert read() == ({5}, 4)
    assert read() == ({5}, 0)
    _write(folder / "a.h5", 7)
    assert read() == ({7}, 4)
