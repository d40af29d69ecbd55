"""Exports are valid by the validators of the formats, also when a server shows them."""

from __future__ import annotations

import json

import httpx
import ngff_zarr
import pytest
import zarr
import zarr_cm
from ome_zarr_models.v04.image import Image as Image04
from ome_zarr_models.v05.image import Image as Image05

import mandeldask as md
from positions import position_kernel

TREE = md.open_pyramid(levels=5, tilesize=16, kernel=position_kernel)
WINDOWS = {"whole": None, "a square": ("-0.75+0.1j", "1.3")}


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("zarr_format", [2, 3])
async def test_exports_validate_and_are_served_as_they_were_written(tmp_path, window, zarr_format):
    target = tmp_path / "out.zarr"
    md.export(TREE, target, levels=[2, 3, 4], window=WINDOWS[window], zarr_format=zarr_format)
    group = zarr.open_group(target, mode="r")
    attrs = group.attrs.asdict()
    version, model = ("0.4", Image04) if zarr_format == 2 else ("0.5", Image05)
    assert model.from_zarr(group)  # looks at every array that it names
    assert len(attrs.get("ome", attrs)["multiscales"][0]["datasets"]) == 3
    ngff_zarr.validate(attrs, version=version, strict=True)
    if zarr_format == 3:
        document = json.loads((target / "zarr.json").read_text())
        zarr_cm.multiscales.validate_group_metadata(document)
        zarr_cm.spatial.validate_group_metadata(document)
    transport = httpx.ASGITransport(md.create_app({"again": target}))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        chunk = "0.0" if zarr_format == 2 else "c/0/0"
        path = f"/zarr/v{zarr_format}/again"
        document = await client.get(f"{path}/{'.zattrs' if zarr_format == 2 else 'zarr.json'}")
        served = document.json() if zarr_format == 2 else document.json()["attributes"]
        assert json.dumps(served, sort_keys=True) == json.dumps(attrs, sort_keys=True)
        key = f"4/iterations/{chunk.replace('.', '/')}"
        assert (await client.get(f"{path}/{key}")).status_code == 200
