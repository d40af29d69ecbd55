"""A nucleus by URL: the same result as from the atlas, with the limits of every chunk."""

from __future__ import annotations

import json
from fractions import Fraction

import httpx
import pytest
import zarr

import mandeldask as md
from mandeldask.limits import Limits
from mandeldask.nucleus_tree import disc_of, nucleus_tree


def found(tree):
    return json.loads(bytes(zarr.open_group(md.to_store(tree), mode="r")["found"][:].tobytes()))


@pytest.mark.parametrize(
    "spec", ["nucleus_re-1.75_im0_radius0.125", "nucleus_re0_im1_radius1e-30", "nucleus_re-1r7_im0.75_radius0.125"]
)
def test_it_is_the_atlas_one(spec):
    disc = disc_of(spec)
    assert disc.spec == spec
    expected = md.atlas.nucleus(disc.center, disc.radius)
    answer = found(nucleus_tree(disc))
    assert (answer["period"], answer["kind"]) == (expected.period, expected.kind)
    width = Fraction(answer["width"])
    assert abs(width / expected.width - 1) < Fraction(1, 1000)
    for name, part in zip(("re", "im"), expected.center, strict=True):
        assert abs(Fraction(answer[name]) - part) < width / 10**9


def test_none_is_null():
    assert found(nucleus_tree(disc_of("nucleus_re2_im2_radius0.5"))) is None


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("nucleus_re0_im0", "must be written as"),
        ("nucleus_re0.50_im0_radius1", "this is not the canonical form of this disc; use nucleus_re0.5_im0_radius1"),
        ("nucleus_re0_im0_radius0", "above 0"),
        ("nucleus_re0_im0_radius5", "at most 2"),
    ],
)
def test_other_specs_are_refused(spec, message):
    with pytest.raises(ValueError, match=message):
        disc_of(spec)


def test_over_http_it_is_bound_like_a_chunk():
    with (
        md.serve(background=True, limits=Limits(max_seconds=30, max_depth=300)) as server,
        httpx.Client(base_url=f"{server.address}/zarr/v3/at", timeout=60) as client,
    ):
        chunk = client.get("/nucleus_re-1.75_im0_radius0.125.zarr/found/c/0/0")
        too_dear = client.get("/nucleus_re0_im0_radius1e-299.zarr/found/c/0/0")
        too_deep = client.get("/nucleus_re0_im0_radius1e-301.zarr/zarr.json")
        misspelt = client.get("/nucleus_re0_im0_radius1.0.zarr/zarr.json")
    assert chunk.status_code == 200
    assert (too_dear.status_code, too_deep.status_code, misspelt.status_code) == (403, 403, 404)
    assert "a nucleus of a period up to 50000 may take" in too_dear.json()["detail"]
    assert "exceed this server's limit" in too_deep.json()["detail"]
