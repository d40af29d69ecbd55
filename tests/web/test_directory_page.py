"""Browsing the server like fsspec, zarr and users."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import urljoin

import fsspec
import numpy as np
import pytest
import zarr
from fsspec import get_mapper

from web_server import serving


class Links(HTMLParser):
    """Where the links of a page lead, as a browser resolves them."""

    def __init__(self, url, text):
        super().__init__()
        self.base, self.found = url, []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag == "base":
            self.base = urljoin(self.base, dict(attrs)["href"])
        elif tag == "a":
            self.found.append(urljoin(self.base, dict(attrs)["href"]))


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("version", ["v2", "v3"])
def test_the_recipe_of_tiled_works_at_every_node_with_and_without_a_slash(demo, version, slash):
    root = f"{demo.handle.address}/zarr/{version}"
    server = zarr.open(get_mapper(f"{root}{slash}"), mode="r")
    assert list(server.keys()) == ["demo"]
    assert "demo" in str(server.tree())
    assert set(server["demo"].keys()) == {"image", "deep"}
    tree = zarr.open(get_mapper(f"{root}/demo.zarr{slash}"), mode="r")
    assert set(tree.keys()) == {"image", "deep"}
    deep = zarr.open(get_mapper(f"{root}/demo.zarr/deep{slash}"), mode="r")
    assert set(deep.keys()) == {"scalar", "vector"}
    vector = zarr.open(get_mapper(f"{root}/demo.zarr/deep/vector{slash}"), mode="r")
    assert np.array_equal(vector[:], np.arange(5.0))


@pytest.mark.parametrize("path", ["/zarr/v3", "/zarr/v3/", "/zarr/v2/demo.zarr", "/zarr/v3/demo.zarr/deep/"])
def test_every_link_of_a_listing_leads_somewhere(demo, path):
    listing = demo.get(path)
    assert not listing.history
    links = Links(str(listing.url), listing.text).found
    assert links
    for link in links:
        assert demo.get(link).status_code == 200


@pytest.mark.parametrize("slash", ["", "/"])
def test_fsspec_lists_what_is_there(demo, slash):
    web = fsspec.filesystem("http")
    names = {url.rstrip("/").rsplit("/", 1)[-1] for url in web.ls(f"{demo.handle.url('v3')}{slash}", detail=False)}
    assert {"zarr.json", "image", "deep"} <= names
    assert web.exists(f"{demo.handle.url('v3')}/image/zarr.json")
    assert not web.exists(f"{demo.handle.url('v3')}/missing")


def test_names_are_escaped():
    with serving({"a<b> &c": {'"quoted"': np.arange(3)}}) as client:
        page = client.get("/zarr/v3/")
        assert "<b>" not in page.text
        (group,) = [link for link in Links(str(page.url), page.text).found if link.endswith("/")]
        names = client.get(group)
        assert names.status_code == 200
        assert all(client.get(link).status_code == 200 for link in Links(str(names.url), names.text).found)


def test_pages_of_the_viewer_come_from_this_server_alone(demo):
    page = demo.get("/")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert demo.get("/index.html").status_code == 404
    assert demo.get("/viewer/../application.py").status_code == 404
    assert demo.get("/viewer/%2e%2e/application.py").status_code == 404
