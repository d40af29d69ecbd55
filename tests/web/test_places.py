"""Any place of the set by its URL."""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest
import zarr

import mandeldask as md
from mandeldask.app import create_app, serve
from mandeldask.fractal.place_url import as_spec
from mandeldask.limits import Limits
from mandeldask.web.places import OPENERS
from web_server import until

PLACE = md.Pyramid(levels=4, tilesize=32, maxiter=300, center="-0.75+0.1j", width="0.001")


@pytest.fixture(scope="module")
def handle():
    limits = Limits(max_iter=5000, max_depth=50, max_digits=200)
    with serve(PLACE, background=True, limits=limits) as handle:
        yield handle


@pytest.fixture(scope="module")
def client(handle):
    with httpx.Client(base_url=f"{handle.address}/zarr", timeout=60) as client:
        yield client


def at(spec, version="v3"):
    return f"/{version}/at/{spec}.zarr"


@pytest.mark.parametrize("version", ["v2", "v3"])
def test_a_permalink_is_a_zarr_url(handle, version):
    group = zarr.open_group(f"{handle.address}/zarr{at(as_spec(PLACE), version)}", mode="r")
    expected = md.open_pyramid(PLACE)["3/iterations"].to_numpy()
    assert np.array_equal(group["3/iterations"][:], expected)


def test_what_a_url_says_in_full_may_be_kept_for_ever(client):
    for path in ("zarr.json", "3/iterations/c/0/0"):
        reply = client.get(f"{at(as_spec(PLACE))}/{path}")
        assert reply.headers["cache-control"] == "public, max-age=31536000, immutable"


def test_another_spelling_is_404_that_names_the_right_one(client):
    reply = client.get(at("re-0.75_im0.1_width1e-3_levels4_tilesize32_maxiter300_iterations"))
    assert reply.status_code == 404
    assert as_spec(PLACE) in reply.json()["detail"]


@pytest.mark.parametrize(
    "path", ["/v3/at", "/v3/at/", "/v3/at/x", "/v3/at/x.zarr", "/v3/at/.zarr/zarr.json", "/v3/at//"]
)
def test_what_is_no_place_is_404(client, path):
    reply = client.get(path)
    assert reply.status_code == 404
    assert "detail" in reply.json()


@pytest.mark.parametrize(
    ("pyramid", "named"),
    [
        (md.Pyramid(levels=4, maxiter=6000), "5000"),
        (md.Pyramid(levels=4, width="1e-60"), "1e-50"),
        (md.Pyramid(levels=4, center="0." + "1" * 200), "200"),
        (md.Pyramid(levels=1, tilesize=100_000), "1024"),
    ],
)
def test_places_past_a_limit_are_403_that_names_it(client, pyramid, named):
    reply = client.get(f"{at(as_spec(pyramid))}/zarr.json")
    assert reply.status_code == 403
    assert named in reply.json()["detail"]


@pytest.mark.parametrize("exponent", ["99999", "9" * 150])
def test_numbers_that_are_short_to_spell_and_long_to_read_are_refused_unread(client, exponent, monkeypatch):
    monkeypatch.setattr("mandeldask.limits.from_spec", pytest.fail)
    reply = client.get(at(f"re0_im0_width1e-{exponent}_levels4_maxiter255_iterations"))
    assert reply.status_code == 403
    assert "exponent" in reply.json()["detail"]


def test_opening_many_places_keeps_few_and_health_is_answered_meanwhile():
    with serve(PLACE, background=True, max_places=3) as handle, httpx.Client(base_url=handle.address) as client:
        specs = [as_spec(md.Pyramid(levels=4, tilesize=32, width=str(n + 1))) for n in range(8)]
        with ThreadPoolExecutor(4) as threads:
            replies = threads.map(client.get, [f"/zarr{at(spec)}/zarr.json" for spec in specs * 2])
            assert client.get("/healthz").status_code == 200
            assert {reply.status_code for reply in replies} == {200}
        places = handle.app.catalog._places
        assert len(places.views) == 3
        assert len(places.views.flights) == 0


def test_open_places_are_bounded_in_bytes():
    with serve(PLACE, background=True, place_bytes=300_000) as handle, httpx.Client(base_url=handle.address) as client:
        for n in range(8):
            spec = as_spec(md.Pyramid(levels=4, tilesize=32, width=str(n + 1)))
            assert client.get(f"/zarr{at(spec)}/zarr.json").status_code == 200
        views = handle.app.catalog._places.views
        assert views.size == sum(view.held_bytes() for view, _ in views._values.values()) <= 300_000
        assert 1 <= len(views) < 8


def test_places_are_not_opened_for_clients_that_left(monkeypatch):
    opened, place = [], Limits.place

    def slowly(limits, spec):
        opened.append(spec)
        time.sleep(0.5)
        return place(limits, spec)

    monkeypatch.setattr(Limits, "place", slowly)
    with serve(PLACE, background=True) as handle:
        places = handle.app.catalog._places
        specs = [as_spec(md.Pyramid(levels=4, tilesize=32, width=str(n + 1))) for n in range(8)]
        for spec in specs:
            with socket.create_connection(handle.address.removeprefix("http://").split(":")) as connection:
                connection.sendall(f"GET /zarr{at(spec)}/zarr.json HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert until(lambda: opened and not len(places.views.flights))
        assert len(opened) <= OPENERS
        assert httpx.get(f"{handle.address}/zarr{at(specs[-1])}/zarr.json").status_code == 200


def test_places_can_be_turned_off():
    async def status(app):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
            return (await client.get(f"/zarr{at(as_spec(PLACE))}/zarr.json")).status_code

    import asyncio

    assert asyncio.run(status(create_app(PLACE, places=False))) == 404
    assert asyncio.run(status(create_app(PLACE))) == 200
