from __future__ import annotations

import pytest

from web_server import serving

CHUNK = "/zarr/v3/demo.zarr/image/c/0/0"
ORIGIN = "https://hms-dbmi.github.io"


@pytest.fixture(scope="module")
def one_origin():
    with serving(allow_origins=(ORIGIN,), api_keys=("key",)) as client:
        client.headers["x-api-key"] = "key"
        yield client


def test_anyone_may_read_where_all_origins_are_allowed(demo):
    for headers in ({}, {"origin": ORIGIN}):
        response = demo.get(CHUNK, headers=headers)
        assert response.headers["access-control-allow-origin"] == "*"
        assert "vary" not in response.headers


def test_every_status_can_be_read_across_origins(one_origin):
    etag = one_origin.get(CHUNK).headers["etag"]
    for status, path, headers in [
        (200, CHUNK, {}),
        (206, CHUNK, {"range": "bytes=0-1"}),
        (304, CHUNK, {"if-none-match": etag}),
        (401, CHUNK, {"x-api-key": "wrong"}),
        (404, "/zarr/v3/nothing", {}),
        (404, "/nothing", {}),
        (412, CHUNK, {"if-match": '"other"'}),
        (416, CHUNK, {"range": "bytes=99999-"}),
    ]:
        response = one_origin.get(path, headers={"origin": ORIGIN, **headers})
        assert response.status_code == status
        assert response.headers["access-control-allow-origin"] == ORIGIN
        assert "Origin" in response.headers["vary"]
        exposed = {name.strip().lower() for name in response.headers["access-control-expose-headers"].split(",")}
        assert {"etag", "content-range", "content-length", "accept-ranges"} <= exposed
    assert one_origin.put(CHUNK, headers={"origin": ORIGIN}).headers["access-control-allow-origin"] == ORIGIN


def test_other_origins_get_no_leave_but_caches_know(one_origin):
    response = one_origin.get(CHUNK, headers={"origin": "https://elsewhere.example"})
    assert "access-control-allow-origin" not in response.headers
    assert "Origin" in response.headers["vary"]


def test_preflights_need_no_key_and_allow_what_clients_send(one_origin):
    response = one_origin.options(
        CHUNK,
        headers={
            "x-api-key": "",
            "origin": ORIGIN,
            "access-control-request-method": "GET",
            "access-control-request-headers": "authorization,if-none-match,range",
            "access-control-request-private-network": "true",
        },
    )
    assert response.status_code == 204
    assert response.headers["access-control-allow-origin"] == ORIGIN
    allowed = {name.strip().lower() for name in response.headers["access-control-allow-headers"].split(",")}
    assert {"authorization", "if-match", "if-none-match", "range", "x-api-key"} <= allowed
    assert response.headers["access-control-allow-methods"] == "GET, HEAD, OPTIONS"
    assert response.headers["access-control-allow-private-network"] == "true"
    assert int(response.headers["access-control-max-age"]) == 86400


def test_a_preflight_of_another_origin_is_refused(one_origin):
    headers = {"origin": "https://elsewhere.example", "access-control-request-method": "GET"}
    response = one_origin.options(CHUNK, headers=headers)
    assert response.status_code == 403
    assert "access-control-allow-origin" not in response.headers


def test_without_allowed_origins_there_are_no_cors_headers():
    with serving() as client:
        response = client.get(CHUNK, headers={"origin": ORIGIN})
        assert not [name for name in response.headers if name.startswith("access-control")]
