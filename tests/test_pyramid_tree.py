"""A pyramid's tree for Zarr: the documents and identities of its DataTree, with each level opened on request."""

from __future__ import annotations

import pickle

import pytest

import mandeldask as md
from mandeldask.lazy.tree import open_level
from mandeldask.pyramid_tree import pyramid_tree
from mandeldask.zarrview.formats import V2, V3
from mandeldask.zarrview.view import NODE_BYTES, ZarrView

DEEP = "1." + "3" * 400
PYRAMIDS = [
    md.Pyramid(levels=50, fields=("iterations", "smooth", "distance", "period")),
    md.Pyramid(levels=8, tilesize=64, maxiter="auto", fields=("smooth",), tolerance={"smooth": "1/256"}),
    md.Pyramid(levels=3, maxiter=(9, 7, 5), center=("-" + DEEP, "1/3"), width="1e-400", fields=("distance",)),
    md.Pyramid(levels=2, julia="-0.8+0.156j", fields=("iterations", "smooth")),
]


@pytest.mark.parametrize("form", [V2(), V3()])
@pytest.mark.parametrize("pyramid", PYRAMIDS)
def test_it_has_the_documents_and_identities_of_the_datatree(pyramid, form):
    ours = ZarrView(pickle.loads(pickle.dumps(pyramid_tree(pyramid))), form)
    theirs = ZarrView(md.open_pyramid(pyramid, chunks=None), form)
    assert {key: ours.find(key).content for key in ours.list()} == {
        key: theirs.find(key).content for key in theirs.list()
    }
    assert ours.fingerprint == theirs.fingerprint
    held = NODE_BYTES * len(dict(theirs.nodes())) + 2 * sum(
        len(theirs.find(name).content) for name in form.document_names(theirs.root)
    )
    assert held <= ours.held_bytes() <= 1.1 * held


def test_a_request_opens_its_level_only(monkeypatch):
    opened = []
    monkeypatch.setattr(
        "mandeldask.pyramid_tree.open_level",
        lambda pyramid, level: opened.append(level) or open_level(pyramid, level),
    )
    view = ZarrView(pyramid_tree(PYRAMIDS[1]), V3())
    for key in ("3/smooth/c/0/1", "3/smooth/zarr.json", "3/zarr.json"):
        assert view.find(key)
    assert opened == [3]
    assert not any(map(view.find, ("8/zarr.json", "03/zarr.json", "x/smooth/c/0/0")))
