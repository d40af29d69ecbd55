"""Chunks computed by the workers of a real scheduler."""

from __future__ import annotations

import logging
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import zarr

import mandeldask as md
from web_cluster import Logged, Scan, dask
from web_server import abandon, serving, until

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")

ROW = "/zarr/v3/demo.zarr/rows/c/{}/0"


@pytest.mark.slow
def test_chunks_come_from_workers_that_come_and_go(tmp_path):
    logged = Logged(tmp_path, 0.05)
    with dask() as cluster, serving(logged.tree(), scheduler=cluster.address, threads=8) as client:
        assert until(lambda: client.get("/readyz").status_code == 200)
        first = client.get(ROW.format(3))
        assert first.status_code == 200
        with serving(logged.tree()) as local:
            assert local.get(ROW.format(3)).content == first.content
            assert local.get(ROW.format(3)).headers["etag"] == first.headers["etag"]

        logged_before = logged.count("began")
        with ThreadPoolExecutor(8) as threads:
            replies = list(threads.map(client.get, [ROW.format(7)] * 8))
        assert {reply.status_code for reply in replies} == {200}
        assert logged.count("began") == logged_before + 1

        cluster.kill(cluster.workers[0])
        assert until(lambda: client.get("/readyz").status_code == 503)
        refused = client.get(ROW.format(20))
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) >= 1
        assert client.get(ROW.format(3)).status_code == 200  # cached
        cluster.start_worker()
        assert until(lambda: client.get(ROW.format(20)).status_code == 200)

        cluster.kill(cluster.scheduler)
        statuses = {client.get(ROW.format(n)).status_code for n in range(30, 36)}
        assert statuses == {503}
        assert client.get("/readyz").status_code == 503
        assert client.get("/healthz").status_code == 200
        assert client.get("/zarr/v3/demo.zarr/rows/c/5000/0").status_code == 404
        cluster.start_scheduler()
        cluster.start_worker()
        assert until(lambda: client.get(ROW.format(30)).status_code == 200)


@pytest.fixture(scope="module")
def cluster():
    with dask() as running:
        yield running


def test_levels_are_made_of_what_workers_read_once(cluster, tmp_path):
    warmed = threading.Event()
    marks, kept = tmp_path / "marks", tmp_path / "kept"
    marks.mkdir()
    options = {"pyramid": "auto", "scheduler": cluster.address, "cache_dir": kept, "places": False}
    with md.serve(
        Scan(marks).tree()["demo"], name="demo", **options, warm=True, warmed=lambda _: warmed.set(), background=True
    ) as server:
        assert warmed.wait(60)
        coarsest = zarr.open_array(f"{server.address}/zarr/v3/images/demo/scan/2/image", mode="r")[:]
        zarr.open_group(f"{server.address}/zarr/v3/images/demo/scan", mode="r")
    np.testing.assert_array_equal(coarsest, np.round(np.add.outer(np.arange(512), np.arange(384)) * 4.0 + 3))
    read = [mark.name.split("-") for mark in marks.iterdir()]
    assert len(read) == len({tuple(each[:2]) for each in read})
    assert str(os.getpid()) not in {each[2] for each in read}
    assert (kept / "tiles.sqlite").exists()


def test_workers_see_to_people_first_and_stop_what_nobody_waits_for(cluster, tmp_path):
    logged = Logged(tmp_path, 0.3)
    with serving(logged.tree(), scheduler=cluster.address, threads=16) as client:
        assert until(lambda: client.get("/readyz").status_code == 200)
        with ThreadPoolExecutor(6) as threads:
            replies = [threads.submit(client.get, ROW.format(0))]
            assert until(lambda: logged.count("began") == 1)
            replies += [
                threads.submit(client.get, ROW.format(n), headers={"sec-purpose": "prefetch"}) for n in (10, 11, 12)
            ]
            time.sleep(0.1)
            replies += [threads.submit(client.get, ROW.format(n)) for n in (20, 21)]
            assert {reply.result().status_code for reply in replies} == {200}
        order = logged.rows("began")
        assert max(order.index(20), order.index(21)) < sorted(order.index(n) for n in (10, 11, 12))[1]

    logged = Logged(tmp_path, 20)
    for mark in tmp_path.iterdir():
        mark.unlink()
    with serving(logged.tree(), scheduler=cluster.address, threads=16) as client:
        assert until(lambda: client.get("/readyz").status_code == 200)
        address = client.handle.address
        with ThreadPoolExecutor(5) as threads:
            list(threads.map(lambda n: abandon(address, ROW.format(n), after=1.0), range(5)))
        assert logged.count("began") >= 1
        assert until(lambda: "mandeldask_chunks_running 0.0" in client.get("/metrics").text)
        assert logged.count("ended") == 0


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ("", "no mandeldask"),
        ("Metadata-Version: 2.1\nName: mandeldask\nVersion: 0.0.1\n", r"mandeldask 0.0.1, but this server"),
    ],
)
def test_a_worker_without_this_version_is_named_in_a_line_and_computes_nothing(metadata, said, tmp_path, caplog):
    caplog.set_level(logging.WARNING, "mandeldask")
    (tmp_path / "logged").mkdir()
    logged = Logged(tmp_path / "logged", 0.01)
    with dask(workers=0) as cluster:
        cluster.start_worker(other_version(tmp_path, metadata))
        with serving(logged.tree(), scheduler=cluster.address) as client:
            assert until(lambda: said in client.get(ROW.format(1)).text)
            assert client.get(ROW.format(1)).status_code == 503
            assert client.get("/readyz").status_code == 503
            cluster.start_worker()
            assert until(lambda: client.get(ROW.format(2)).status_code == 200)
            for row in range(3, 9):
                assert client.get(ROW.format(row)).status_code == 200
    lines = [record.getMessage() for record in caplog.records if record.name == "mandeldask.web.cluster"]
    assert len([line for line in lines if "gets no tasks" in line]) == 1
    assert said in lines[0]


def other_version(folder, metadata):
    """Return a folder for PYTHONPATH in which `importlib.metadata` finds other versions of this package, or none."""
    if metadata:
        info = folder / "path" / "mandeldask-0.0.1.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(metadata)
    else:
        (folder / "path").mkdir()
        (folder / "path" / "sitecustomize.py").write_text(
            "import importlib.metadata as m\n"
            "found = m.Distribution.from_name\n"
            "def without(name):\n"
            "    if name == 'mandeldask':\n"
            "        raise m.PackageNotFoundError(name)\n"
            "    return found(name)\n"
            "m.Distribution.from_name = staticmethod(without)\n"
        )
    return str(folder / "path")


def test_no_scheduler_at_all_is_503_soon():
    logged = Logged("/nowhere", 0)
    with serving(logged.tree(), scheduler="tcp://127.0.0.1:9") as client:
        with ThreadPoolExecutor(8) as threads:
            replies = list(threads.map(client.get, [ROW.format(n) for n in range(8)]))
        assert {reply.status_code for reply in replies} == {503}
        assert client.get("/readyz").status_code == 503
        assert client.get("/zarr/v3/demo.zarr/zarr.json").status_code == 200


def test_the_address_of_a_scheduler_is_checked():
    with pytest.raises(ValueError, match=r"127\.0\.0\.1:8786"), serving(scheduler="127.0.0.1:8786"):
        pass
