"""The atlas as tables: clients read the same values as in the atlas."""

from __future__ import annotations

from fractions import Fraction
from importlib.resources import files

import numpy as np
import pytest
import zarr

import mandeldask as md
from mandeldask.atlas_tables import KINDS, PERIODS, PLACES, atlas_tree, page_places
from mandeldask.fractal.atlas.sites import SITES


@pytest.fixture(scope="module", params=[2, 3])
def tables(request):
    return zarr.open_group(md.to_store(atlas_tree(), request.param), mode="r")


def test_nuclei(tables):
    found = tables["nuclei"]
    listed = [each for period in PERIODS for each in md.atlas.nuclei(period)]
    assert found["period"][:].tolist() == [each.period for each in listed]
    assert list(found["kind"][:]) == [each.kind for each in listed]
    reach = Fraction(1, 10**PLACES)
    assert all(abs(Fraction(text) - each.center.re) <= reach for text, each in zip(found["re"][:], listed, strict=True))
    assert np.array_equal(found["size"][:], [float(each.size) for each in listed])
    angles = [tuple(map(Fraction, pair)) for pair in zip(found["angle_1"][:], found["angle_2"][:], strict=True)]
    assert angles == [each.angles for each in listed]


def test_misiurewicz_points_and_places(tables):
    points = [each for kind in KINDS for each in md.atlas.misiurewicz(*kind)]
    assert tables["misiurewicz/preperiod"][:].tolist() == [each.preperiod for each in points]
    assert len(md.atlas.places()) == SITES
    assert list(tables["places/name"][:]) == [site.name for site in md.atlas.places()]
    assert [Fraction(text) for text in tables["places/width"][:]] == [site.width for site in md.atlas.places()]


def test_the_page_has_the_same_places():
    """`make places` writes them."""
    assert (files("mandeldask") / "web" / "viewer" / "places.json").read_text("utf-8") == page_places()


def test_nothing_is_computed_before_a_column_is_read(monkeypatch):
    monkeypatch.setattr("mandeldask.atlas_tables._rows", lambda _: pytest.fail("a table was computed"))
    assert zarr.open_group(md.to_store(atlas_tree()), mode="r")["nuclei/period"].shape == (983,)
