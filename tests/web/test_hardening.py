from __future__ import annotations

import pytest

from web_server import serving

PATHS = [
    "/",
    "/viewer/main.js",
    "/viewer/nothing",
    "/zarr/v3",
    "/zarr/v3/demo.zarr/",
    "/zarr/v3/demo.zarr/zarr.json",
    "/zarr/v3/demo.zarr/image/c/0/0",
    "/zarr/v3/demo.zarr/nothing",
    "/healthz",
    "/metrics",
    "/nothing",
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "OPTIONS"])
def test_every_reply_is_guarded_once(path, method):
    with serving() as client:
        reply = client.request(method, path)
    headers = reply.headers
    assert headers.get_list("x-content-type-options") == ["nosniff"]
    assert headers.get_list("referrer-policy") == ["no-referrer"]
    (policy,) = headers.get_list("content-security-policy")
    assert policy.endswith("; frame-ancestors 'self'")
    assert "default-src" in policy


def test_pages_of_allowed_origins_may_show_it_in_a_frame():
    with serving(allow_origins=["https://example.org", "null"]) as client:
        assert client.get("/").headers["content-security-policy"].endswith("frame-ancestors 'self' https://example.org")
    with serving(allow_origins="*") as client:
        assert client.get("/").headers["content-security-policy"].endswith("frame-ancestors 'self' *")


def test_a_listing_may_load_nothing():
    with serving() as client:
        assert client.get("/zarr/v3/").headers["content-security-policy"].startswith("default-src 'none'")
