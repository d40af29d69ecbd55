"""A table of requests, as clients send them, and the expected replies."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest

V3 = "/zarr/v3/demo.zarr"
V2 = "/zarr/v2/demo.zarr"
CHUNK = f"{V3}/image/c/0/0"


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        (f"{V3}/zarr.json", "application/json"),
        (f"{V3}/image/zarr.json", "application/json"),
        (f"{V3}/deep/vector/c/0", "application/octet-stream"),
        (f"{V3}/deep/scalar/c", "application/octet-stream"),
        (f"{V2}/.zgroup", "application/json"),
        (f"{V2}/.zmetadata", "application/json"),
        (f"{V2}/image/.zarray", "application/json"),
        (f"{V2}/image/.zattrs", "application/json"),
        (f"{V2}/image/0/0", "application/octet-stream"),
        (f"{V2}/deep/scalar/0", "application/octet-stream"),
        ("/zarr/v3/zarr.json", "application/json"),
        ("/zarr/v2/.zgroup", "application/json"),
        ("/zarr/v2/.zmetadata", "application/json"),
        ("/zarr/v3", "text/html; charset=utf-8"),
        ("/zarr/v3/", "text/html; charset=utf-8"),
        (V3, "text/html; charset=utf-8"),
        (f"{V3}/", "text/html; charset=utf-8"),
        (f"{V3}/deep", "text/html; charset=utf-8"),
        (f"{V3}/image/", "text/html; charset=utf-8"),
        ("/healthz", "application/json"),
        ("/readyz", "application/json"),
    ],
)
def test_get_and_head_agree_on_everything_but_the_body(demo, path, media_type):
    head, get = demo.head(path), demo.get(path)
    assert get.status_code == head.status_code == 200
    assert get.headers["content-type"] == media_type
    assert int(head.headers["content-length"]) == int(get.headers["content-length"]) == get.num_bytes_downloaded
    assert not head.content
    varying = {"date", "server-timing"}
    assert {k: v for k, v in head.headers.items() if k not in varying} == {
        k: v for k, v in get.headers.items() if k not in varying
    }
    assert "set-cookie" not in get.headers


@pytest.mark.parametrize(
    "key",
    [
        "nothing",
        "image/c/0/1",
        "image/c/1/0",
        "image/c/00/0",
        "image/c/+0/0",
        "image/c/-1/0",
        "image/c/0_0/0",
        "image/c/٠/0",
        "image/c/0",
        "image/c/0/0/0",
        "image/c/0/0/",
        "image/c//0",
        "image/c",
        "image/c/0.0",
        "image/c/a/b",
        "image/c/1000000000000/0",
        f"image/c/{'9' * 26}/0",
        "image/c%2F0%2F0",
        "image//",
        "//",
        "image/0/0",
        "deep/zarr.json/zarr.json",
        ".zgroup",
        "image/%00",
        "image/%FF",
        "zarr.json/",
    ],
)
def test_what_is_not_there_is_404_as_json(demo, key):
    response = demo.get(f"{V3}/{key}")
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/json"
    assert set(response.json()) == {"detail"}
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/zarr", "/zarr/", "/zarr/v4", "/zarr/v3x", "/zarr/v3nested.json", "//zarr/v3", "/x"])
def test_other_paths_are_404(demo, path):
    response = demo.get(path)
    assert response.status_code == 404
    assert "detail" in response.json()


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "PATCH", "PROPFIND", "TRACE"])
@pytest.mark.parametrize("path", ["/zarr/v3", CHUNK, f"{V3}/nothing", "/healthz", "/"])
def test_other_methods_are_405_with_allow(demo, method, path):
    response = demo.request(method, path)
    assert response.status_code == 405
    assert response.headers["allow"] == "GET, HEAD, OPTIONS"
    assert "detail" in response.json()


@pytest.mark.parametrize(
    ("asked", "window"),
    [("bytes=0-3", (0, 4)), ("bytes=-5", (-5, None)), ("bytes=2-", (2, None)), ("bytes=1-9999", (1, None))],
)
def test_a_range_is_those_bytes_with_the_total(demo, asked, window):
    whole = demo.get(CHUNK).content
    response = demo.get(CHUNK, headers={"range": asked})
    assert response.status_code == 206
    assert response.content == whole[slice(*window)]
    start, stop, _ = slice(*window).indices(len(whole))
    assert response.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(whole)}"
    assert int(response.headers["content-length"]) == len(response.content)


def test_a_range_past_the_end_is_416_with_the_total(demo):
    total = len(demo.get(CHUNK).content)
    response = demo.get(CHUNK, headers={"range": f"bytes={total}-"})
    assert response.status_code == 416
    assert response.headers["content-range"] == f"bytes */{total}"
    assert "detail" in response.json()


def test_head_ignores_ranges(demo):
    response = demo.head(CHUNK, headers={"range": "bytes=0-3"})
    assert response.status_code == 200
    assert int(response.headers["content-length"]) == len(demo.get(CHUNK).content)


def test_if_range_with_another_etag_sends_the_whole(demo):
    etag = demo.head(CHUNK).headers["etag"]
    assert demo.get(CHUNK, headers={"range": "bytes=0-3", "if-range": etag}).status_code == 206
    assert demo.get(CHUNK, headers={"range": "bytes=0-3", "if-range": '"other"'}).status_code == 200


@pytest.mark.parametrize("path", [CHUNK, f"{V3}/zarr.json", f"{V3}/", "/zarr/v3/zarr.json"])
def test_the_etag_that_was_sent_gives_304_without_content(demo, path):
    first = demo.get(path)
    response = demo.get(path, headers={"if-none-match": first.headers["etag"]})
    assert response.status_code == 304
    assert response.headers["etag"] == first.headers["etag"]
    assert response.headers["cache-control"] == first.headers["cache-control"]
    assert not response.content
    assert demo.get(path, headers={"if-match": '"other"'}).status_code == 412
    assert demo.get(path, headers={"if-match": first.headers["etag"]}).status_code == 200


def test_only_json_is_gzipped_and_then_has_an_etag_of_its_own(demo):
    plain = demo.get(f"{V3}/zarr.json", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    with demo.stream("GET", f"{V3}/zarr.json", headers={"accept-encoding": "deflate, gzip, br, zstd"}) as response:
        raw = b"".join(response.iter_raw())
    assert response.headers["content-encoding"] == "gzip"
    assert response.headers["vary"] == "Accept-Encoding"
    assert gzip.decompress(raw) == plain.content
    assert response.headers["etag"] != plain.headers["etag"]
    assert "content-encoding" not in demo.get(f"{V3}/zarr.json", headers={"accept-encoding": "gzip;q=0"}).headers
    assert "content-encoding" not in demo.get(CHUNK, headers={"accept-encoding": "gzip"}).headers


def test_named_trees_are_revalidated_and_fingerprinted_ones_kept(demo):
    assert demo.get(CHUNK).headers["cache-control"] == "public, no-cache"
    pinned = demo.handle.url("v3", pinned=True)
    response = demo.get(f"{pinned}/image/c/0/0")
    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert response.content == demo.get(CHUNK).content
    stale = pinned.replace("demo-", "demo-0")[: -len("0.zarr")] + ".zarr"
    assert demo.get(f"{stale}/zarr.json").status_code == 404


def test_both_formats_carry_the_same_values(demo):
    import zarr

    expected = np.arange(12, dtype="u2").reshape(3, 4)
    for version in ("v2", "v3"):
        group = zarr.open_group(demo.handle.url(version), mode="r")
        assert np.array_equal(group["image"][:], expected)
        assert group["deep/scalar"][()] == 7.5


def test_errors_are_json(demo):
    assert json.loads(demo.get("/nothing").content)["detail"]
