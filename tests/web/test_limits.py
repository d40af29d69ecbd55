"""Chunks that could take too long are refused before they are computed, in every tree."""

from __future__ import annotations

import contextlib

import httpx
import numpy as np
import pytest

import mandeldask as md
from mandeldask.app import serve
from mandeldask.fractal.cost import cost
from mandeldask.fractal.geometry import Grid
from mandeldask.fractal.place_url import as_spec
from mandeldask.limits import PLACE_S, PUBLIC_PLACE_S, Limits
from web_cluster import dask
from web_server import until

SECONDS = 0.1
COSTLY, CHEAP = 60_000, 100
PYRAMID = md.Pyramid(levels=2, tilesize=32, maxiter=(COSTLY, CHEAP))


@contextlib.contextmanager
def serving(tree, **options):
    with (
        serve(tree, background=True, limits=Limits(max_seconds=SECONDS), **options) as handle,
        httpx.Client(base_url=handle.address, timeout=60) as client,
    ):
        yield client


def window(maxiter, **keywords):
    return md.window("-0.75", "3", (32, 32), maxiter=maxiter, **keywords)


def costly_and_cheap(make, costly=COSTLY):
    return {"costly": make(window(costly, chunks=16)), "cheap": make(window(CHEAP, chunks=16))}


TREES = {
    "a pyramid": (PYRAMID, "mandelbrot.zarr/0/iterations", "mandelbrot.zarr/1/iterations"),
    "levels in dask": (
        md.open_pyramid(PYRAMID, chunks=32),
        "mandelbrot.zarr/0/iterations",
        "mandelbrot.zarr/1/iterations",
    ),
    "a window": (costly_and_cheap(lambda seen: seen), "costly.zarr/iterations", "cheap.zarr/iterations"),
    "arithmetic": (costly_and_cheap(lambda seen: seen.iterations + 1), "costly.zarr", "cheap.zarr"),
    "a mean of several blocks": (
        costly_and_cheap(lambda seen: seen.iterations.coarsen(y=16, x=16).mean().chunk(2), 8 * CHEAP),
        "costly.zarr",
        "cheap.zarr",
    ),
}


@pytest.mark.parametrize("kind", TREES)
def test_a_chunk_that_could_take_too_long_is_403_and_the_others_are_served(kind):
    tree, costly, cheap = TREES[kind]
    with serving(tree) as client:
        assert client.get(f"/zarr/v3/{cheap}/c/0/0").status_code == 200
        refused = client.get(f"/zarr/v3/{costly}/c/0/0")
    assert refused.status_code == 403
    assert "32 x 32 pixels" in refused.json()["detail"] or "16 x 16 pixels" in refused.json()["detail"]
    assert refused.headers["cache-control"] == "no-store"


def test_nothing_of_it_is_computed(monkeypatch):
    monkeypatch.setattr("mandeldask.fractal.mandelbrot.run", pytest.fail)
    with serving(PYRAMID) as client:
        assert client.get("/zarr/v2/mandelbrot.zarr/0/iterations/0/0").status_code == 403


def test_places_are_bound_alike():
    with serving(PYRAMID) as client:
        spec = as_spec(PYRAMID)
        assert client.get(f"/zarr/v3/at/{spec}.zarr/1/iterations/c/0/0").status_code == 200
        reply = client.get(f"/zarr/v3/at/{spec}.zarr/0/iterations/c/0/0")
        assert reply.status_code == 403
        assert "pixels to maxiter 60000 may take" in reply.json()["detail"]
        assert f"{SECONDS} s allowed" in reply.json()["detail"]


def test_other_data_is_never_refused():
    with serving({"numbers": np.arange(10.0)}) as client:
        assert client.get("/zarr/v3/numbers.zarr/c/0").status_code == 200


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_workers_of_a_cluster_refuse_too():
    with dask() as cluster, serving(PYRAMID, scheduler=cluster.address) as client:
        assert until(lambda: client.get("/readyz").status_code == 200)
        reply = client.get("/zarr/v3/mandelbrot.zarr/0/iterations/c/0/0")
        assert reply.status_code == 403
        assert "maxiter 60000" in reply.json()["detail"]


def test_unless_told_named_trees_are_served_whatever_they_cost():
    costly = md.Pyramid(levels=1, tilesize=64, maxiter=4_000_000_000, center="2", width="0.01")
    assert cost(costly.grid(0)[:64, :64], costly.maxiter).seconds > PLACE_S
    with serve(costly, background=True) as handle, httpx.Client(timeout=60) as client:
        assert client.get(f"{handle.url()}/0/iterations/c/0/0").status_code == 200
        place = f"{handle.address}/zarr/v3/at/{as_spec(costly)}.zarr"
        assert client.get(f"{place}/zarr.json").status_code == 403  # maxiter


@pytest.mark.parametrize("width", ["5", "1e-10", "1e-100", "1e-290", "1e-1090"])
def test_places_of_usual_tiles_are_within_the_limit(width):
    limits = Limits()
    tile = Grid.window("0", width, (256, 256))
    assert cost(tile, limits.max_iter, ("iterations", "smooth")).seconds < PLACE_S


def test_strangers_may_ask_for_less():
    """A chunk as the page asks for them, 1e-1000 across: refused with `public` before it begins, else computed."""
    deep = md.Pyramid(levels=1, tilesize=256, maxiter="auto", center="1j", width="1e-1000", fields=["iterations"])
    tile = deep.grid(0)[:256, :256]
    assert PUBLIC_PLACE_S < cost(tile, deep.maxiter_at(0), deep.fields).seconds < PLACE_S
    with serve(PYRAMID, background=True, public=True) as handle, httpx.Client(base_url=handle.address) as client:
        place = f"/zarr/v3/at/{as_spec(deep)}.zarr"
        assert client.get(f"{place}/zarr.json", timeout=60).status_code == 200
        refused = client.get(f"{place}/0/iterations/c/0/0")
    assert refused.status_code == 403
    assert f"{PUBLIC_PLACE_S:.0f} s allowed" in refused.json()["detail"]
