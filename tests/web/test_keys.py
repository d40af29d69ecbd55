from __future__ import annotations

import logging
import os

import numpy as np
import pytest

from mandeldask.web import keys
from mandeldask.web.keys import ApiKey, redacted
from web_server import TREE, serving, until

ZARR = "/zarr/v3/demo.zarr/zarr.json"
SECRET = "s3cret-Key.1~_"


@pytest.fixture(scope="module")
def locked():
    trees = {"demo": TREE, "other": {"a": np.arange(3)}}
    with serving(trees, api_keys=(SECRET, "narrow:other"), allow_origins=("https://viewer.example",)) as client:
        yield client


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {SECRET}"},
        {"authorization": f"bearer {SECRET}"},
        {"authorization": f"Apikey {SECRET}"},
        {"authorization": f"apikey  {SECRET}"},
        {"x-api-key": SECRET},
    ],
)
def test_a_key_in_a_header_opens(locked, headers):
    response = locked.get(ZARR, headers=headers)
    assert response.status_code == 200
    assert response.headers["cache-control"] == "private, no-cache"


def test_a_key_in_the_query_or_the_path_opens(locked):
    for url in (f"{ZARR}?api_key={SECRET}", f"/key/{SECRET}{ZARR}"):
        assert locked.get(url).status_code == 200
    pinned = locked.handle.url("v3", "demo", pinned=True).removeprefix(locked.handle.address)
    response = locked.get(f"/key/{SECRET}{pinned}/zarr.json")
    assert response.headers["cache-control"] == "private, max-age=31536000, immutable"


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        (ZARR, {}),
        ("/zarr/v3/missing.zarr/zarr.json", {}),
        ("/zarr", {}),
        ("/metrics", {}),
        ("/nothing", {}),
        (ZARR, {"authorization": "Bearer wrong"}),
        (ZARR, {"authorization": SECRET}),
        (ZARR, {"authorization": f"Basic {SECRET}"}),
        (ZARR, {"x-api-key": ""}),
        (ZARR, {"x-api-key": "é".encode("latin-1")}),
        (f"{ZARR}?api_key=", {}),
        (f"/key/wrong{ZARR}", {}),
        (f"/key//zarr/v3{ZARR}", {}),
        ("/key/%FF/zarr/v3", {}),
        ("/key", {}),
    ],
)
def test_whoever_has_no_key_gets_401_before_404(locked, path, headers):
    response = locked.get(path, headers=headers | {"origin": "https://viewer.example"})
    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Bearer")
    assert response.headers["access-control-allow-origin"] == "https://viewer.example"
    assert "detail" in response.json()
    assert locked.put(path, headers=headers).status_code == 401


@pytest.mark.parametrize(
    ("path", "headers", "detail"),
    [
        (ZARR, {}, "an API key is needed"),
        (ZARR, {"x-api-key": ""}, "an API key is needed"),
        (ZARR, {"authorization": "Bearer wrong"}, "the API key is not known to this server"),
        (f"{ZARR}?api_key=wrong", {}, "the API key is not known to this server"),
        (f"/key/wrong{ZARR}", {}, "the API key is not known to this server"),
    ],
)
def test_a_wrong_key_and_no_key_get_different_errors(locked, path, headers, detail):
    assert locked.get(path, headers=headers).json()["detail"] == detail


def test_the_viewer_works_below_a_key(locked):
    for path in ("/viewer/", "/viewer/main.js"):
        assert locked.get(f"/key/{SECRET}{path}").content == locked.get(path).content
    assert locked.get("/viewer/").headers["referrer-policy"] == "no-referrer"


def test_the_page_of_all_trees_shows_what_its_key_opens(locked):
    assert locked.get("/").status_code == 401
    assert "demo" not in locked.get("/").text
    assert "demo" in locked.get(f"/key/{SECRET}/").text
    narrow = locked.get("/key/narrow/").text
    assert "other" in narrow
    assert "demo" not in narrow


def test_a_key_without_its_slash_leads_to_the_page(locked):
    reply = locked.get(f"/key/{SECRET}")
    assert (reply.status_code, reply.headers["location"]) == (308, f"{SECRET}/")
    assert locked.get("/key/wrong").status_code == locked.get("/key/wrong/").status_code


def test_pages_without_data_need_no_key(locked):
    for path in ("/healthz", "/readyz"):
        assert locked.get(path).status_code == 200


def test_a_key_may_be_limited_to_named_trees(locked):
    prefix = "/key/narrow/zarr"
    assert locked.get(f"{prefix}/v3/other.zarr/zarr.json").status_code == 200
    for name in ("demo", "missing", "demo-0123456789abcdef"):
        assert locked.get(f"{prefix}/v3/{name}.zarr/zarr.json").status_code == 403
    root = locked.get(f"{prefix}/v3/zarr.json").json()
    assert set(root["consolidated_metadata"]["metadata"]) == {"other", "other/a"}
    assert "demo" not in locked.get(f"{prefix}/v2/").text
    assert "demo" in locked.get(f"/key/{SECRET}/zarr/v2/").text


def test_listings_logs_metrics_and_headers_show_no_key(locked, caplog):
    caplog.set_level(logging.DEBUG)
    shown = [
        locked.get(f"/key/{SECRET}{path}")
        for path in ("/zarr/v3", "/zarr/v3/demo.zarr/", "/zarr/v3/nothing", "/metrics")
    ]
    shown.append(locked.get(f"/zarr/v3/?api_key={SECRET}"))
    for response in shown:
        assert SECRET not in response.text
        assert SECRET not in str(response.headers)
    ours = [record.getMessage() for record in caplog.records if record.name.startswith(("mandeldask", "uvicorn"))]
    assert any("/key/…/zarr/v3" in message for message in ours)
    assert not any(SECRET in message for message in ours)


def test_every_client_can_be_given_a_key_in_the_path(locked):
    import fsspec
    import zarr

    root = f"{locked.handle.address}/key/{SECRET}/zarr/v3"
    assert sorted(zarr.open_group(root, mode="r").group_keys()) == ["demo", "other"]
    listed = {
        url.rsplit("/", 1)[-1]
        for url in fsspec.filesystem("http").ls(f"{root}/demo.zarr/", detail=False)
        if url[-1] != "/"
    }
    assert "zarr.json" in listed


@pytest.mark.parametrize("text", ["", "a b", "a/b", "sécret", "secret:", "secret: ,"])
def test_unusable_keys_are_refused_without_repeating_them(text):
    with pytest.raises(ValueError, match="API key") as caught:
        ApiKey.parse(text)
    assert not text or text not in str(caught.value)


def test_a_key_shows_itself_nowhere():
    assert SECRET not in repr(ApiKey.parse(f"{SECRET}:a,b"))


def test_metrics_tell_of_all_trees_and_are_for_keys_that_open_all(locked):
    assert locked.get(f"/key/{SECRET}/metrics").status_code == 200
    assert locked.get("/key/narrow/metrics").status_code == 403


@pytest.mark.parametrize(
    "path",
    [
        "/key/s3cret/zarr/v3",
        "/KEY/s3cret",
        "//key/s3cret/x",
        "/key//s3cret",
        "/x/key/s3cret",
        "/Key/s3cret/key/s3cret",
        "/key/s3cret\n/x",
    ],
)
def test_no_spelling_of_a_path_shows_a_key(path):
    assert "s3cret" not in redacted(path)
    assert redacted("/zarr/v3/keys.zarr/key") == "/zarr/v3/keys.zarr/key"


def test_keys_in_odd_spellings_are_not_logged(locked, caplog):
    caplog.set_level(logging.DEBUG)
    for path in (
        "//key/s3cret-odd/zarr",
        "/KEY/s3cret-odd/zarr",
        "/%6bey/s3cret-odd",
        "/key//s3cret-odd",
        "/Key//s3cret-odd",
    ):
        locked.get(locked.handle.address + path)
    ours = [record.getMessage() for record in caplog.records if record.name.startswith(("mandeldask", "uvicorn"))]
    assert ours
    assert not any("s3cret-odd" in message for message in ours)


def test_a_file_of_keys_is_read_again_when_it_changes(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(keys, "_CHECK_S", 0.0)
    file = tmp_path / "keys"
    file.write_text("# people\n\nfirst   # until May\nnarrow:other\n")

    def opened(key):
        return client.get(ZARR, headers={"x-api-key": key}).status_code

    with serving({"demo": TREE, "other": TREE}, api_keys_file=file) as client:
        assert client.get(ZARR).status_code == 401
        assert [opened(key) for key in ("first", "narrow", "second")] == [200, 403, 401]
        file.write_text("second\n")
        assert until(lambda: opened("second") == 200)
        assert opened("first") == 401
        file.write_text("not a key\n")
        os.utime(file, ns=(1, 1))
        assert opened("second") == 200  # as they were
        assert "not a key" not in caplog.text
        assert "were not read again" in caplog.text
        file.unlink()
        assert opened("second") == 200
        file.write_text("")
        assert until(lambda: opened("second") == 401)  # and never public
        assert client.get(ZARR).status_code == 401


@pytest.mark.parametrize("content", [None, "a b", "secret:"])
def test_a_file_that_holds_no_keys_is_refused_at_the_start(content, tmp_path):
    file = tmp_path / "keys"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ValueError, match="API key"), serving(api_keys_file=file):
        pass
