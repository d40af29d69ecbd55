"""The entries of keys; finding them computes nothing."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from mandeldask.zarrview.entries import Chunk, Document
from mandeldask.zarrview.formats import V2, V3
from mandeldask.zarrview.nodes import Array, Group, as_node
from mandeldask.zarrview.view import ZarrView
from zarrview.patterns import Counted, deep_tree, pattern

FORMATS = pytest.mark.parametrize("form", [V2(), V3()], ids=["v2", "v3"])


def never(window):
    msg = f"{window} was read"
    raise AssertionError(msg)


def unread(shape=(2**59, 2**59), chunks=(512, 512)):
    return Array(shape, np.dtype("u1"), never, chunks, ("y", "x")[: len(shape)], fingerprint="unread")


@pytest.fixture(scope="module", params=[V2(), V3()], ids=["v2", "v3"])
def huge(request):
    return ZarrView(
        {"0": {"pixels": unread()}, "scalar": unread((), ()), "empty": unread((0, 5), (1, 5))}, request.param
    )


def test_keys_name_documents_and_chunks_without_reading_any(huge):
    prefix = "c/" if huge.format.number == 3 else ""
    last = 2**50 - 1
    assert huge.find(f"0/pixels/{prefix}{last}/{last}").coords == (last, last)
    assert huge.find("scalar/" + ("c" if huge.format.number == 3 else "0")).coords == ()
    for key in huge.list():
        assert isinstance(huge.find(key), Document)
        assert huge.find(f"/{key}") is huge.find(f"{key}/") is huge.find(f"x/{key}") is None


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/",
        "0",
        "0/pixels",
        "0/pixels/",
        "0/pixels/c/1125899906842624/0",
        "0/pixels/1125899906842624/0",
        "0/pixels/c/0/0/0",
        "0/pixels/0.0",
        "0//pixels/c/0/0",
        "0/pixels/c/-1/0",
        "0/pixels/c/0/0/zarr.json",
        "0/pixels/c/0/0/.zarray",
        "0/../0/pixels/c/0/0",
        "empty/c/0/0",
        "empty/0/0",
        "scalar/c/0",
        "scalar/",
        "0/pixels/c/\0/0",
        "x" * 10**6,
        "0/" * 10**5,
        "0/pixels/c/" + "9" * 10**6 + "/0",
    ],
    ids=lambda key: key[:40],
)
def test_other_keys_name_nothing_and_take_no_memory(huge, key):
    tracemalloc.start()
    assert huge.find(key) is None
    assert tracemalloc.get_traced_memory()[1] < 40 * len(key) + 2**20
    tracemalloc.stop()


@settings(max_examples=300)
@given(key=st.text(alphabet="0123456789c/.zarjsonpixel-+\0é", max_size=30) | st.text(max_size=10))
def test_no_key_reads_or_fails(huge, key):
    assert isinstance(huge.find(key), Document | Chunk | None)


@FORMATS
def test_every_node_has_the_documents_of_its_format(form):
    view = ZarrView({"a": np.arange(3), "g": {}}, form)
    documents = {
        2: {".zgroup", ".zattrs", ".zmetadata", "a/.zarray", "a/.zattrs", "g/.zgroup", "g/.zattrs", "g/.zmetadata"},
        3: {"zarr.json", "a/zarr.json", "g/zarr.json"},
    }
    assert set(view.list()) == documents[form.number]
    assert set(view.list("a/")) == {key for key in documents[form.number] if key.startswith("a/")}
    other = ".zgroup" if form.number == 3 else "zarr.json"
    assert view.find(other) is None


@FORMATS
def test_consolidated_metadata_are_the_documents_themselves(form):
    view = ZarrView(deep_tree(3), form)
    contents = {key: json.loads(view.find(key).content) for key in view.list()}
    if form.number == 2:
        consolidated = contents[".zmetadata"]["metadata"]
        assert consolidated == {key: document for key, document in contents.items() if not key.endswith(".zmetadata")}
    else:
        consolidated = contents["zarr.json"]["consolidated_metadata"]["metadata"]
        arrays = {key.removesuffix("/zarr.json"): document for key, document in contents.items() if "pattern" in key}
        assert {path: document for path, document in consolidated.items() if "pattern" in path} == arrays
        assert set(consolidated) == {key.removesuffix("/zarr.json") for key in contents} - {"zarr.json"}


def test_v2_integers_have_no_fill_value_and_arrays_name_their_dimensions():
    view = ZarrView(deep_tree(2), V2())
    document = json.loads(view.find("0/pattern/.zarray").content)
    assert document["fill_value"] is None  # 0 would make xarray take zeros for missing
    assert document["dimension_separator"] == "/"
    assert json.loads(view.find("0/pattern/.zattrs").content)["_ARRAY_DIMENSIONS"] == ["y", "x"]


def test_v3_dimension_names_are_never_null():
    for tree in ({"a": np.zeros((2, 3))}, np.zeros((2, 3))):
        view = ZarrView(tree, V3())
        names = [json.loads(view.find(key).content).get("dimension_names", ["group"]) for key in view.list()]
        assert all(isinstance(name, str) for found in names for name in found)


@FORMATS
def test_attributes_of_one_format_stay_in_it(form):
    attrs = {"both": 1, "multiscales": "overridden", "zarr_v2": {"multiscales": [0.4]}, "zarr_v3": {"ome": {"v": 0.5}}}
    own = {2: {"both": 1, "multiscales": [0.4]}, 3: {"both": 1, "multiscales": "overridden", "ome": {"v": 0.5}}}
    view = ZarrView(Group({"a": Array((), np.dtype("u1"), never, (), (), attrs)}, attrs), form)
    key = ".zattrs" if form.number == 2 else "zarr.json"
    group, array = (json.loads(view.find(path + key).content) for path in ("", "a/"))
    if form.number == 3:
        group, array = group["attributes"], array["attributes"]
    assert group == own[form.number]
    assert {name: value for name, value in array.items() if name != "_ARRAY_DIMENSIONS"} == own[form.number]


@FORMATS
def test_edge_chunks_are_whole(form):
    view = ZarrView(Group({"a": Counted(np.arange(5, dtype="u1")).node((4,))}), type(form)(compressors=None))
    key = form.chunk_key((1,))
    assert view.read(view.find(f"a/{key}")) == bytes([4, 0, 0, 0])


@FORMATS
def test_etags_tell_everything_apart_that_differs(form):
    def tags(tree, form):
        view = ZarrView(tree, form)
        key = form.chunk_key((0,))
        return view.etag(view.find(f"a/{key}")), view.fingerprint

    one, same = tags({"a": np.arange(3)}, form), tags({"a": np.arange(3)}, form)
    assert one == same
    raw = type(form)(compressors=None)
    others = [tags({"a": np.arange(1, 4)}, form), tags({"a": np.arange(3.0)}, form), tags({"a": np.arange(3)}, raw)]
    assert len({one, *others}) == 4
    assert len({tag for tag, _ in [one, *others]}) == 4
    assert one[0].startswith('"')
    assert one[0].endswith('"')


def test_formats_have_etags_of_their_own():
    tree = {"a": np.arange(3)}
    assert ZarrView(tree, V2()).fingerprint != ZarrView(tree, V3()).fingerprint


SCRIPT = """
from zarrview.patterns import deep_tree
from mandeldask.zarrview.formats import V3
from mandeldask.zarrview.view import ZarrView
view = ZarrView(deep_tree(20), V3())
print(view.fingerprint, view.etag(view.find("0/pattern/c/5/7")), view.etag(view.find("zarr.json")))
"""


def test_etags_of_lazily_indexed_trees_are_the_same_in_every_process():
    elsewhere = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={"PYTHONHASHSEED": "7", "PYTHONPATH": "tests"},
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    view = ZarrView(deep_tree(20), V3())
    here = view.fingerprint, view.etag(view.find("0/pattern/c/5/7")), view.etag(view.find("zarr.json"))
    assert elsewhere.split() == list(here)


def test_windows_of_a_lazily_indexed_array_have_identities_of_their_own():
    variable = deep_tree(5)["0/pattern"].variable
    rows = np.arange(4000)
    lists = [variable[list(rows)], variable[list(np.where(rows == 2000, 2001, rows))]]  # their texts are the same
    windows = [variable, variable[:512], variable[512:1024], variable[:, :512], variable[512:1024, :512], *lists]
    tags = {ZarrView({"a": xr.Variable(("y", "x"), window._data)}, V3()).fingerprint for window in windows}
    assert len(tags) == len(windows)


@FORMATS
def test_views_pickle_with_their_identity(form):
    view = ZarrView(deep_tree(3), form)
    again = pickle.loads(pickle.dumps(view))
    assert again == view
    assert hash(again) == hash(view)
    chunk = again.find("2/pattern/" + form.chunk_key((1, 1)))
    assert chunk is not None
    assert again.read(chunk) == view.read(view.find(chunk.key))
    assert view != ZarrView(deep_tree(4), form)


@FORMATS
def test_the_deepest_chunk_holds_the_right_pixels(form):
    view = ZarrView(deep_tree(50), type(form)(compressors=None))
    row, col = 2**50 - 1, 2**49 + 3
    raw = view.read(view.find("0/pattern/" + form.chunk_key((row, col))))
    want = pattern((row * 512, row * 512 + 512), (col * 512, col * 512 + 512))
    np.testing.assert_array_equal(np.frombuffer(raw, "u1").reshape(512, 512), want)


def test_gzip_is_what_browsers_decode_and_the_same_every_time():
    import gzip

    tree = {"a": np.arange(1000, dtype="u1")}
    for form in (V2(), V3()):
        view = ZarrView(tree, form)
        raw = view.read(view.find("a/" + form.chunk_key((0,))))
        assert raw[:2] == b"\x1f\x8b"
        assert raw[4:8] == bytes(4)  # no time of day
        assert gzip.decompress(raw) == tree["a"].tobytes()


def test_a_persistent_cache_of_a_changing_tree_holds_its_fixed_arrays_by_content(tmp_path):
    for value in (1, 2):
        moving = replace(as_node(np.zeros(3)), version=lambda: 1)
        tree = Group({"fixed": as_node(np.full(4, value)), "moving": moving})
        view = ZarrView(tree, V3(compressors=None), directory=tmp_path)
        for _ in range(2):
            assert np.frombuffer(view.content_of("fixed/c/0"), np.int64).tolist() == [value] * 4
