import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from mandeldask.web.browser.html import addresses
from mandeldask.web.browser.items import Item, as_size
from web_server import serving

LEVELS = {
    "axes": [{"name": name, "type": "space"} for name in "yx"],
    "datasets": [{"path": "0/counts", "coordinateTransformations": [{"type": "scale", "scale": [1, 1]}]}],
}

TREES = {
    "photo": np.zeros((20, 30, 3), np.uint8),
    "nested": {
        "<b>&": np.arange(3),
        "deep": {"value": np.float64(7.5)},
        "field": xr.Dataset({"t": (("y", "x"), np.eye(4), {"long_name": "<i>heat</i>", "units": "K"})}),
    },
    "many": {f"member {n}": np.zeros(n + 1) for n in range(250)},
    "levels": xr.DataTree.from_dict(
        {
            "/": xr.Dataset(attrs={"ome": {"version": "0.5", "multiscales": [LEVELS]}}),
            "/0": xr.Dataset({"counts": (("y", "x"), np.zeros((2048, 1024), "u1"))}),
        }
    ),
    "table": pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}),
}


@pytest.fixture(scope="module")
def client():
    with serving(TREES, pyramid="auto") as client:
        yield client


class Links(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag == "a":
            self.found.append(dict(attrs)["href"])


def test_the_first_page_lists_the_trees(client):
    for path in ("/", "/browse/", "/browse"):
        reply = client.get(path)
        assert reply.status_code == 200
        assert reply.headers["content-type"].startswith("text/html")
        assert "20 × 30 × 3" in reply.text
        for name in TREES:
            assert f">{name}</a>" in reply.text


@pytest.mark.parametrize("start", ["/", "/browse/", "/browse/nested", "/browse/nested/field"])
def test_every_link_of_a_page_answers(client, start):
    links = Links(client.get(start).text).found
    assert links
    for link in links:
        assert client.get(client.base_url.join(start).join(link)).status_code == 200, link


def test_names_and_attributes_are_escaped(client):
    text = client.get("/browse/nested/field").text
    assert "&lt;i&gt;heat&lt;/i&gt; [K]" in text
    assert "<i>heat" not in text
    assert "<b>&" not in client.get("/browse/nested").text


def test_a_page_of_an_array_says_what_it_is_and_how_to_open_it(client):
    text = client.get("/browse/nested/field/t").text
    for said in (
        "4 y × 4 x",
        "float64",
        "128 B",
        "zarr.open_array(",
        "/zarr/v2/nested/field/t",
        "/zarr/v3/images/nested/field/t.zarr",
        "vizarr/?source=",
    ):
        assert said in text
    assert 'data-levels="../../../zarr/v3/images/nested/field/t"' in text


def test_no_levels_are_made_of_the_levels_of_an_image(client):
    for page in ("/browse/levels/0/counts", "/browse/levels/0", "/browse/levels?q=counts"):
        text = client.get(page).text
        assert "counts" in text
        assert "/images/" not in text
    assert client.get("/zarr/v3/levels/0/counts/zarr.json").status_code == 200


def test_large_groups_are_searched_and_paged(client):
    assert client.get("/browse/many").text.count("<tr>") == 101
    second = client.get("/browse/many?page=3").text
    assert second.count("<tr>") == 51
    assert "page 3 of 3" in second
    found = client.get("/browse/many", params={"q": "member 24"}).text
    assert found.count("<tr>") == 12
    assert "11 found" in found
    assert "Nothing here" in client.get("/browse/many", params={"q": '"><script>'}).text
    assert "<script>" not in client.get("/browse/many", params={"q": '"><script>'}).text


def test_a_search_looks_into_groups(client):
    text = client.get("/browse/", params={"q": "VALUE"}).text
    assert '<a href="../browse/nested/deep/value">nested/deep/value</a>' in text
    assert "1 found, here and below<" in text
    assert client.get("/browse/nested/deep/value").status_code == 200
    assert ">deep/value</a>" in client.get("/browse/nested", params={"q": "eep/v"}).text
    with serving({"wide": {str(n): {"last": np.zeros(2)} for n in range(2100)}}) as wide:
        text = wide.get("/browse/", params={"q": "last"}).text
        assert "only the first 2,000 arrays and groups were searched" in text


def test_columns_of_one_length_are_a_table(client):
    assert re.search(r'id="rows"[^>]*data-columns="index a b" data-length="2"', client.get("/browse/table").text)
    assert 'id="rows"' not in client.get("/browse/many").text


@pytest.mark.parametrize(
    "path", ["/browse/none", "/browse/nested/none", "/browse/photo/c/0/0", "/browse-files/x/y.js", "/browse/a%00b"]
)
def test_what_is_not_there_is_a_page_with_404(client, path):
    reply = client.get(path)
    assert reply.status_code == 404
    assert reply.headers["content-type"].startswith("text/html")


def test_pages_are_revalidated_and_files_kept(client):
    first = client.get("/browse/photo")
    assert client.get("/browse/photo", headers={"if-none-match": first.headers["etag"]}).status_code == 304
    script = client.base_url.join("/browse/photo").join(re.search(r'src="([^"]+page\.js)"', first.text)[1])
    reply = client.get(script)
    assert reply.headers["content-type"] == "text/javascript; charset=utf-8"
    assert "immutable" in reply.headers["cache-control"]
    assert client.post("/browse/photo").status_code == 405


def test_keys_open_their_own_trees_only():
    with serving(TREES, api_keys=["all", "one:photo"]) as client:
        assert client.get("/").status_code == 401
        mine = client.get("/key/one/browse/")
        assert ">photo</a>" in mine.text
        assert ">nested</a>" not in mine.text
        assert client.get("/key/one/browse/nested").status_code == 403
        for link in Links(mine.text).found:
            assert client.get(client.base_url.join("/key/one/browse/").join(link)).status_code == 200
        assert "/key/one" not in client.get("/key/one/browse/photo").text


def test_sizes_are_as_people_write_them():
    assert [as_size(count) for count in (0, 1023, 1024, 150 * 2**20)] == ["0 B", "1,023 B", "1.0 KiB", "150 MiB"]


def test_a_group_that_is_an_image_has_a_link_to_vizarr():
    attrs = {"ome": {"version": "0.5", "multiscales": [{"name": "cells", "axes": [], "datasets": [{"path": "0"}]}]}}
    found = [addresses("http://here/", "./", "cells", "", Item("cells", is_group=True, attrs=of)) for of in (attrs, {})]
    assert ["source=http%3A%2F%2Fhere%2Fzarr%2Fv3%2Fcells<" in text for text in found] == [True, False]
