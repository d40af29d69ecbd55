"""Trees that can be served, and their names."""

from __future__ import annotations

import asyncio
import importlib.util
from pathlib import Path

import httpx
import numpy as np
import pytest
import xarray as xr

import mandeldask as md
import mandeldask.web
from mandeldask.fractal.place_url import as_spec
from mandeldask.limits import Limits

SMALL = md.Pyramid(levels=3, tilesize=16, maxiter=50)
PICTURE = xr.DataArray(np.arange(6).reshape(2, 3), dims=("y", "x"), name="picture")


def get(app, path):
    async def one():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
            return await client.get(path)

    return asyncio.run(one())


@pytest.mark.parametrize(
    ("tree", "array"),
    [
        (SMALL, "2/iterations"),
        (md.open_pyramid(SMALL), "2/iterations"),
        (md.open_pyramid(SMALL)["2"].to_dataset(), "iterations"),
        (PICTURE.to_dataset(), "picture"),
        (xr.DataTree.from_dict({"/deep": PICTURE.to_dataset()}), "deep/picture"),
    ],
)
def test_one_tree_has_the_name_it_is_given(tree, array):
    app = md.create_app(tree, name="thing")
    assert app.path("v2") == "/zarr/v2/thing.zarr"
    assert get(app, f"/zarr/v3/thing.zarr/{array}/zarr.json").json()["node_type"] == "array"
    assert get(app, f"/zarr/v3/thing.zarr/{array}/c/0/0").status_code == 200


def test_a_mapping_names_several_trees():
    app = md.create_app({"set": SMALL, "picture": {"data": np.arange(3)}})
    root = get(app, "/zarr/v3/zarr.json").json()["consolidated_metadata"]["metadata"]
    assert {"set", "set/2/iterations", "picture", "picture/data"} <= root.keys()
    assert app.path("v3", "picture") == "/zarr/v3/picture.zarr"


def test_by_default_it_is_the_pyramid_of_fifty_levels():
    metadata = get(md.create_app(), "/zarr/v3/mandelbrot.zarr/0/iterations/zarr.json").json()
    assert metadata["shape"] == [2**59, 2**59]


def test_a_served_pyramid_has_the_values_of_the_lazy_one():
    import zarr

    with md.serve(SMALL, background=True) as server:
        group = zarr.open_group(server.url("v3"), mode="r")
        for level in range(3):
            expected = md.open_pyramid(SMALL)[f"{level}/iterations"].to_numpy()
            assert np.array_equal(group[f"{level}/iterations"][:], expected)


def test_what_is_not_installed_is_named_with_the_extra_that_has_it(monkeypatch):
    found = importlib.util.find_spec
    missing = {"uvicorn", "distributed"}
    hide = lambda name: None if name in missing else found(name)
    monkeypatch.setattr(importlib.util, "find_spec", hide)
    monkeypatch.setattr("mandeldask.web.cluster.find_spec", hide)
    with pytest.raises(ModuleNotFoundError, match=r"uvicorn: pip install 'mandeldask\[serve\]'"):
        importlib.reload(mandeldask.web)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'mandeldask\[cluster\]'"):
        md.create_app({"a": 1.0}, scheduler="tcp://x:1")


def test_what_is_no_tree_is_refused():
    with pytest.raises(TypeError, match="object"):
        md.create_app(object())


@pytest.mark.parametrize(("width", "is_place"), [("1e-280", False), ("1e-290", True)])
def test_processes_share_orbits_through_a_folder(tmp_path, width, is_place):
    deep = md.Pyramid(levels=1, tilesize=16, center="1j", width=width, maxiter=30_000)
    app = md.create_app(deep, orbits=tmp_path)
    tree = f"at/{as_spec(deep)}" if is_place else "mandelbrot"
    assert get(app, f"/zarr/v3/{tree}.zarr/0/iterations/c/0/0").status_code == 200
    assert [path.suffix for path in sorted(tmp_path.iterdir())] == ["", ".lock"]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_server_of_several_processes_gives_them_such_a_folder(monkeypatch, workers):
    folders = []

    def serve_in_foreground(make, *_, **__):
        folder = make.keywords["orbits"]
        folders.append(folder)
        assert folder is None or Path(folder).stat().st_mode & 0o077 == 0

    monkeypatch.setattr("mandeldask.app.serve_in_foreground", serve_in_foreground)
    md.serve(SMALL, workers=workers)
    (folder,) = folders
    assert (folder is None) == (workers == 1)
    assert folder is None or not Path(folder).exists()


@pytest.mark.parametrize("part", ["-2000/3001", "-99999/100001"])
def test_places_at_negative_rationals(part):
    """`re-2000r3001` is no exponent."""
    spec = as_spec(md.Pyramid(levels=3, center=(part, part), width="1/3"))
    assert Limits().place(spec) is not None


def test_a_key_for_a_tree_that_is_not_there_is_refused():
    with pytest.raises(
        ValueError, match="an API key names the tree 'julia', which is not served; served are mandelbrot"
    ):
        md.create_app(api_keys=["x:julia"])
    md.create_app({"julia": np.arange(3)}, api_keys=["x:julia,at"])


def test_serving_in_the_foreground_of_a_running_loop_says_what_to_do():
    async def in_a_notebook():
        md.serve(np.arange(3))

    with pytest.raises(RuntimeError, match="background=True"):
        asyncio.run(in_a_notebook())


@pytest.mark.parametrize("make", [md.open_pyramid, lambda **keywords: md.window("0", "1", (2, 2), **keywords)])
@pytest.mark.parametrize("fields", [None, 5])
def test_fields_that_are_no_names_are_refused(make, fields):
    with pytest.raises(TypeError, match="fields must be names from iterations, smooth"):
        make(fields=fields)


def test_a_mapping_that_contains_itself_is_refused():
    tree = {}
    tree["below"] = {"again": tree}
    with pytest.raises(ValueError, match="contains itself"):
        md.to_store(tree)


def test_a_path_or_a_tolerance_of_another_form_is_refused():
    with pytest.raises(FileNotFoundError, match="there is no file or folder ''"):
        md.open_path("")
    with pytest.raises(TypeError, match=r"tolerance must be a mapping such as .*, not 5"):
        md.window("0", "1", (2, 2), fields="smooth", tolerance=5)
