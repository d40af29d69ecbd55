"""Names of trees and of their members, as clients request them."""

from __future__ import annotations

import json
import subprocess
from base64 import b64decode
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
import xarray as xr
import zarr
from obstore.store import HTTPStore
from zarr.storage import ObjectStore

from mandeldask.app import create_app, serve
from mandeldask.web.names import escaped
from mandeldask.zarrview.nodes import Array, Group
from web_server import serving

TREES = {
    "pictures": {"medium": np.arange(12.0).reshape(3, 4), "deep": {"er": np.arange(3)}},
    "line": np.arange(5),
    "longer": np.arange(7),
    "store.zarr": {"a": np.arange(2)},
    "same": {"line": np.arange(4), "data": xr.Dataset({"line": ("x", np.arange(6))}, {"x": np.arange(6.0)})},
}
NAMES = [
    "Run #",
    "a?b",
    "#",
    "a%41b",
    "100%",
    "%",
    "Total\n(USD)",
    "tab\there",
    "\x7f",
    " lead",
    "trail ",
    "R&D",
    "é日",
]
NAMES += ['"quoted"', "a b", "a+b", "a;b=c", "a:b", "<b>", "'", "http", "*", "~", "c", "0", "x.zarr"]
SPECIAL = {name: np.arange(3) + place for place, name in enumerate(NAMES)}


@pytest.fixture(scope="module")
def client():
    with serving(TREES) as client:
        yield client


@pytest.mark.parametrize("version", ["v2", "v3"])
def test_a_tree_is_the_same_under_its_name_and_with_the_ending(client, version):
    keys = ("zarr.json", "medium/zarr.json", "medium/c/0/0", "deep/er/c/0")
    if version == "v2":
        keys = (".zmetadata", "medium/.zarray", "medium/0/0", "deep/er/0")
    for key in keys:
        bare, ended = (client.get(f"/zarr/{version}/{name}/{key}") for name in ("pictures", "pictures.zarr"))
        assert bare.status_code == ended.status_code == 200
        assert bare.headers["etag"] == ended.headers["etag"]
        assert bare.content == ended.content
        same = client.get(f"/zarr/{version}/pictures/{key}", headers={"if-none-match": ended.headers["etag"]})
        assert same.status_code == 304
    cache = client.handle.app.catalog._views[3, "pictures"].cache
    before = cache.computes
    client.get(f"/zarr/{version}/pictures.zarr/medium/{'c/' * (version == 'v3')}0/0")
    assert cache.computes == before


@pytest.mark.parametrize("version", ["v2", "v3"])
def test_the_root_lists_bare_names_and_opens_in_xarray(client, version):
    url = f"{client.handle.address}/zarr/{version}"
    assert set(zarr.open_group(url, mode="r").keys()) == TREES.keys()
    with xr.open_datatree(url, engine="zarr", chunks=None) as tree:
        np.testing.assert_array_equal(tree["line"], np.arange(5))
        np.testing.assert_array_equal(tree["longer"], np.arange(7))
        np.testing.assert_array_equal(tree["same/line"], np.arange(4))
        np.testing.assert_array_equal(tree["same/data/line"].sel(x=[2.0]), [2])
        np.testing.assert_array_equal(tree["pictures/medium"], TREES["pictures"]["medium"])
    assert zarr.open_array(f"{url}/pictures/medium", mode="r")[2, 3] == 11
    assert zarr.open_group(url, mode="r")["pictures/deep/er"][:].tolist() == [0, 1, 2]


def test_names_that_have_the_ending_themselves_keep_it(client):
    for name in ("store.zarr", "store.zarr.zarr"):
        assert client.get(f"/zarr/v3/{name}/a/c/0").status_code == 200
    assert client.get("/zarr/v3/store/a/c/0").status_code == 404


@pytest.mark.parametrize("root", [TREES, xr.Dataset({"medium": ("x", np.arange(3))})], ids=["trees", "dataset"])
def test_one_tree_may_be_the_root_itself(root):
    with serve(root=root, background=True) as server:
        assert server.url("v3") == f"{server.address}/zarr/v3"
        for version in ("v2", "v3"):
            group = zarr.open_group(server.url(version), mode="r")
            path = "pictures/medium" if "pictures" in root else "medium"
            expected = np.asarray(root["pictures"]["medium"] if "pictures" in root else root["medium"])
            np.testing.assert_array_equal(group[path][...], expected)
            np.testing.assert_array_equal(zarr.open_array(f"{server.url(version)}/{path}", mode="r")[...], expected)
            first, _, rest = path.partition("/")
            if rest:
                ended = zarr.open_array(f"{server.url(version)}/{first}.zarr/{rest}", mode="r")
                np.testing.assert_array_equal(ended[...], expected)


def test_one_array_may_be_the_root():
    with serve(root=np.arange(5), background=True) as server:
        assert zarr.open_array(server.url("v3"), mode="r")[:].tolist() == [0, 1, 2, 3, 4]


def test_a_key_reads_its_part_of_a_root():
    with serving({}, root=TREES, api_keys=["all", "some:line"]) as client:
        few, all_ = ({"x-api-key": key} for key in ("some", "all"))
        assert client.get("/zarr/v3/line/c/0", headers=few).status_code == 200
        assert client.get("/zarr/v3/pictures/zarr.json", headers=few).status_code == 403
        assert client.get("/zarr/v3/nothing/zarr.json", headers=few).status_code == 403
        seen = client.get("/zarr/v3/zarr.json", headers=few).json()["consolidated_metadata"]["metadata"]
        assert set(seen) == {"line"}
        assert client.get("/zarr/v3/pictures/zarr.json", headers=all_).status_code == 200
        assert client.get("/zarr/v3/pictures/zarr.json").status_code == 401


@pytest.fixture(scope="module")
def special():
    with serving({"t": SPECIAL, "odd #": SPECIAL}) as client:
        yield client


def of_obstore(url, name):
    store = ObjectStore(HTTPStore.from_url(url, client_options={"allow_http": True}), read_only=True)
    return zarr.open_group(store, mode="r")[name][:]


def of_tensorstore(url, name):
    tensorstore = pytest.importorskip("tensorstore")
    base, _, path = url.partition("/zarr/")
    kvstore = {"driver": "http", "base_url": base, "path": f"zarr/{path}/{name}/"}
    driver = "zarr" if "/v2/" in url else "zarr3"
    return tensorstore.open({"driver": driver, "kvstore": kvstore}, read=True).result().read().result()


@pytest.mark.parametrize("version", ["v2", "v3"])
@pytest.mark.parametrize(
    "read",
    [
        lambda url, name: zarr.open_group(url, mode="r")[name][:],
        lambda url, name: zarr.open_group(url, mode="r", use_consolidated=False)[name][:],
        of_obstore,
        of_tensorstore,
        lambda url, name: xr.open_dataset(url, engine="zarr", chunks=None)[name].values,
    ],
    ids=["zarr", "unconsolidated", "obstore", "tensorstore", "xarray"],
)
def test_every_name_is_readable_by_every_client(special, version, read):
    url = special.handle.url(version, "t")
    for name, expected in SPECIAL.items():
        np.testing.assert_array_equal(read(url, escaped(name)), expected, err_msg=repr(name))


@pytest.mark.external
@pytest.mark.parametrize("version", ["v2", "v3"])
def test_zarrita_reads_every_name(special, version):
    script = Path(__file__).parents[1] / "clients" / "get_arrays.mjs"
    if not (script.parent / "node_modules").exists():
        pytest.skip("needs zarrita: npm ci in tests/clients")
    url = special.handle.url(version, "t")
    for spelled in (escaped, lambda name: quote(escaped(name), safe="")):
        asked = json.dumps({"urls": [f"{url}/{spelled(name)}" for name in SPECIAL], "version": int(version[1])})
        run = subprocess.run(["node", str(script)], input=asked, capture_output=True, text=True, check=True)
        got = [np.frombuffer(b64decode(chunk), "i8") for chunk in json.loads(run.stdout)]
        np.testing.assert_array_equal(got, list(SPECIAL.values()))


def test_names_answer_as_they_are_too(special):
    for name in SPECIAL:
        for spelled in (name, escaped(name)):
            reply = special.get(f"/zarr/v3/t/{quote(spelled, safe='')}/c/0")
            assert reply.status_code == 200, (name, spelled)
    assert special.get("/zarr/v3/t/Total%0A%28USD%29/c/0").status_code == 200
    for tree in ("odd%20%23", "odd%20%2523", "odd%20%23.zarr"):
        assert special.get(f"/zarr/v3/{tree}/a%20b/c/0").status_code == 200


@pytest.mark.parametrize("version", ["v2", "v3"])
def test_whatever_a_listing_names_can_be_read(special, version):
    group = zarr.open_group(special.handle.url(version, "t"), mode="r", use_consolidated=False)
    listed = list(group.keys())
    assert len(listed) >= len(SPECIAL) - 1  # fsspec takes "http" for a URL
    assert all(group[name].shape == (3,) for name in listed)


def test_coordinates_keep_their_dimensions():
    data = xr.Dataset({"v": (("Run #", "x"), np.eye(2, 3))}, {"Run #": [4, 5], "note?": ("x", [7, 8, 9])})
    with serving({"t": data}) as client, xr.open_dataset(client.handle.url(), engine="zarr", chunks=None) as seen:
        assert seen["v"].dims == ("Run %23", "x")
        assert seen["Run %23"].values.tolist() == [4, 5]
        assert set(seen.coords) == {"Run %23", "note%3F"}


def test_names_that_would_be_one_in_a_url_are_refused():
    with pytest.raises(ValueError, match="rename one of them"):
        create_app({"t": {"a#": np.arange(2), "a%23": np.arange(2)}})


@pytest.mark.parametrize("name", ["a\\b", "a\0b", "\udcff", "a/b", "..", ""])
def test_names_that_no_client_can_ask_for_are_refused_at_building(name):
    with pytest.raises(ValueError, match="cannot name a member"):
        create_app({"t": {name: np.arange(2)}})
    with pytest.raises(ValueError, match="cannot name a member"):
        create_app({name: {"a": np.arange(2)}})


def test_a_name_is_for_one_tree():
    with pytest.raises(ValueError, match="name='x' is for a single tree"):
        create_app({"a": np.arange(2), "b": np.arange(2)}, name="x")
    with pytest.raises(ValueError, match="a root is served alone"):
        create_app(np.arange(3), root=np.arange(3))
    with pytest.raises(ValueError, match="no tree can be named 'at'"):
        create_app({"at": np.arange(3)})
    assert create_app({"at": np.arange(3)}, places=False).path() == "/zarr/v3/at.zarr"


@pytest.mark.parametrize(
    ("tree", "name"),
    [
        (np.arange(3), "data"),
        (xr.DataArray([1], name="height"), "height"),
        (xr.DataArray([1], name="a/b"), "data"),
        (xr.Dataset({"a": 1}), "data"),
        (None, "mandelbrot"),
    ],
)
def test_a_tree_of_ones_own_is_not_called_mandelbrot(tree, name):
    assert create_app(tree).path() == f"/zarr/v3/{name}.zarr"


@pytest.mark.parametrize("tree", ["scan.tif", b"scan.tif"])
def test_text_is_not_taken_for_a_tree(tree):
    for make in (create_app, lambda text: create_app(root=text), lambda text: create_app({"scan": text})):
        with pytest.raises(TypeError, match=r"pass pathlib\.Path\("):
            make(tree)


def test_a_tree_that_may_change_has_no_url_for_ever():
    stamp = [0]
    array = Array((2,), np.dtype("u1"), lambda _: np.full(2, stamp[0], "u1"), (2,), version=lambda: stamp[0])
    with serving({"live": Group({"a": array})}) as client:
        first = client.get("/zarr/v3/live/a/c/0")
        assert first.headers["cache-control"] == "public, no-cache"
        with pytest.raises(ValueError, match="may change"):
            client.handle.url(pinned=True)
        fingerprint = client.handle.app.catalog._views[3, "live"].fingerprint[:16]
        assert client.get(f"/zarr/v3/live-{fingerprint}/a/c/0").status_code == 404
