"""The application below a prefix: in another application, with a root path, behind a proxy that removes it."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time

import httpx
import numpy as np
import pytest
import uvicorn
import zarr
from starlette.applications import Starlette
from starlette.routing import Mount

import mandeldask as md
from mandeldask.fractal.place_url import as_spec

TREE = {"t": {"a": np.arange(3), "key": {"b": np.arange(2)}}}
PLACE = as_spec(md.Pyramid(levels=2, tilesize=16, maxiter=50))
SECRET = "s3cret-key"


@contextlib.contextmanager
def running(app, **options):
    """A plain uvicorn, as others run it."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, **options))
        thread = threading.Thread(target=server.run, args=([bound],))
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{bound.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


class Proxy:
    """What a proxy does that takes a prefix off."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            path, raw = scope["path"].removeprefix("/data"), scope["raw_path"].removeprefix(b"/data")
            scope = {**scope, "path": path, "raw_path": raw}
        await self.app(scope, receive, send)


def mounted(**settings):
    return running(Starlette(routes=[Mount("/data", md.create_app(TREE, **settings))]))


def below_root_path(**settings):
    return running(md.create_app(TREE, **settings), root_path="/data", http="h11")


def proxied(**settings):
    return running(Proxy(md.create_app(TREE, **settings)))


@pytest.fixture(params=[mounted, below_root_path, proxied])
def prefixed(request):
    """A server, and where the application is for those who ask it."""

    @contextlib.contextmanager
    def serve(**settings):
        with request.param(**settings) as address:
            inside = "" if request.param is below_root_path else "/data"  # uvicorn puts the prefix before paths itself
            with httpx.Client(base_url=f"{address}{inside}", timeout=60) as client:
                yield client

    return serve


def test_everything_answers_below_the_prefix(prefixed):
    with prefixed() as client:
        for path in (
            "/healthz",
            "/readyz",
            "/metrics",
            "/",
            "/viewer/main.js",
            "/zarr/v3",
            "/zarr/v3/",
            "/zarr/v3/zarr.json",
            "/zarr/v3/t.zarr/zarr.json",
            "/zarr/v3/t/a/c/0",
            "/zarr/v2/t/a/0",
            f"/zarr/v3/at/{PLACE}.zarr/zarr.json",
            f"/zarr/v3/at/{PLACE}.zarr/1/iterations/c/0/0",
        ):
            reply = client.get(path)
            assert reply.status_code == 200, path
            assert "/data/" not in reply.text or "html" not in reply.headers["content-type"]
        assert client.get("/zarr/v4").status_code == 404
        assert client.get("/zarr/v3/t/a%2Fc%2F0").status_code == 404
        etag = client.get("/zarr/v3/t/a/c/0").headers["etag"]
        assert client.get("/zarr/v3/t/a/c/0", headers={"if-none-match": etag}).status_code == 304


def test_clients_read_through_the_prefix(prefixed):
    with prefixed() as client:
        group = zarr.open_group(f"{str(client.base_url).rstrip('/')}/zarr/v3/t", mode="r", use_consolidated=False)
        assert group["a"][:].tolist() == [0, 1, 2]
        assert sorted(group.keys()) == ["a", "key"]


def test_keys_work_there_and_reach_no_log(prefixed, caplog):
    caplog.set_level(logging.DEBUG)
    with prefixed(api_keys=[SECRET]) as client:
        assert client.get("/zarr/v3/t/a/c/0").status_code == 401
        for path in ("zarr/v3/t/a/c/0", "zarr/v3/t/key/b/c/0", "", "viewer/main.js", "zarr/v3/t/zarr.json"):
            reply = client.get(f"/key/{SECRET}/{path}")
            assert reply.status_code == 200, path
            assert SECRET not in reply.text
        assert client.get(f"/key/{SECRET}/nothing").status_code == 404
    shown = [record.getMessage() for record in caplog.records if record.name.startswith(("mandeldask", "uvicorn"))]
    assert any("/key/…/" in message for message in shown)
    assert not any(SECRET in message for message in shown)


def test_a_key_below_a_prefix_that_nobody_declared_reaches_no_log(caplog):
    caplog.set_level(logging.DEBUG)
    with running(md.create_app(TREE, api_keys=[SECRET])) as address:
        assert httpx.get(f"{address}/data/key/{SECRET}/zarr/v3").status_code == 401
    assert not any(SECRET in record.getMessage() for record in caplog.records if record.name.startswith("mandeldask"))


def test_the_prefix_itself_leads_to_the_page():
    async def outer(scope, receive, send):
        if scope["type"] == "http":
            await inner({**scope, "root_path": "/data/sets"}, receive, send)

    inner = md.create_app(TREE)
    with running(outer, lifespan="off") as address, httpx.Client(follow_redirects=True) as client:
        page = client.get(f"{address}/data/sets")
        assert page.status_code == 200
        assert str(page.url) == f"{address}/data/sets/"


def test_a_prefix_may_be_called_as_a_path_of_ours():
    app = Starlette(routes=[Mount("/zarr", md.create_app(TREE))])
    with running(app) as address:
        assert zarr.open_array(f"{address}/zarr/zarr/v3/t/a", mode="r")[:].tolist() == [0, 1, 2]
