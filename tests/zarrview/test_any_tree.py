"""Any tree, in both formats, read back by independent clients, equals its sources."""

from __future__ import annotations

import math
import warnings
from unittest.mock import patch

import numpy as np
import pytest
import tensorstore
import xarray as xr
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.lib import recfunctions

from mandeldask.zarrview import chunking
from mandeldask.zarrview.store import to_store
from zarrview.independent import read, strict
from zarrview.sources import sources

NAMES = st.text(st.characters(codec="utf-8"), max_size=4) | st.sampled_from(
    ["a b", "é", "Run #", "a\\b", "T\n(K)", "%41"]
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats()
    | st.text(st.characters(codec="utf-8"), max_size=4)
)
ATTRIBUTES = st.dictionaries(
    st.sampled_from(["units", "valid_max", "ü", "note"]),
    st.recursive(
        LEAVES, lambda below: st.lists(below, max_size=2) | st.dictionaries(st.just("k"), below), max_leaves=4
    ),
    max_size=2,
)
OPTIONS = {2: [{}, {"compressor": None}], 3: [{}, {"compressors": None}]}


def is_readable(name):
    return bool(name.strip(".")) and not set(name) & set("/\\\0")


def fits(source, zarr_format):
    """Return whether a format has the type: zarr-python does not read nested structs in v2."""
    fields = source.want.dtype.names or ()
    return zarr_format == 3 or not any(source.want.dtype[name].names for name in fields)


def assert_same(got, want):
    """Assert that a client read what a source holds: every element, text as text, and what marks a missing one."""
    got = np.asarray(got)
    assert got.shape == want.shape
    if want.dtype.kind == "S" and got.dtype.kind == "T":
        want = want.astype("U")
    if want.dtype.kind in "TUSO":
        assert got.tolist() == want.tolist()
    elif want.dtype.names:
        packed = [recfunctions.repack_fields(each, recurse=True).astype(got.dtype) for each in (got, want)]
        assert packed[0].tobytes() == packed[1].tobytes()
    elif want.dtype.kind in "fc":
        assert got.dtype == want.dtype.newbyteorder("<")
        np.testing.assert_array_equal(got, want)
        there = ~np.isnan(want)
        assert (np.signbit(got.real) == np.signbit(want.real))[there].all()
    else:
        assert want.dtype.kind in "mM" or got.dtype == want.dtype.newbyteorder("<")
        np.testing.assert_array_equal(got, want)


def by_tensorstore(store, path, zarr_format):
    """Return what tensorstore reads; None for types that it does not know."""
    own = tensorstore.KvStore.open({"driver": "memory"}).result()
    for key in _keys(store, path, zarr_format):
        own[key.removeprefix(f"{path}/")] = store[key]
    spec = {"driver": "zarr3" if zarr_format == 3 else "zarr", "kvstore": own.spec().to_json()}
    if zarr_format == 2:
        spec["metadata"] = {"dimension_separator": "/"}
    context = own.context if hasattr(own, "context") else None
    try:
        return np.asarray(tensorstore.open(spec, kvstore=own, context=context).result().read().result())
    except ValueError:
        return None


def _keys(store, path, zarr_format):
    documents = [".zarray"] if zarr_format == 2 else ["zarr.json"]
    array = zarr.open_array(store, path=path, mode="r", zarr_format=zarr_format)
    chunks = array.metadata.encode_chunk_key
    grid = [range(-(-size // chunk)) for size, chunk in zip(array.shape, array.shards or array.chunks, strict=True)]
    yield from (f"{path}/{name}" for name in documents)
    for place in np.ndindex(*map(len, grid)):
        yield f"{path}/{chunks(place)}"


def assert_attributes(found, given):
    assert {name: found[name] for name in given} == {name: spelled(value) for name, value in given.items()}


def spelled(value):
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, dict):
        return {name: spelled(each) for name, each in value.items()}
    return [spelled(each) for each in value] if isinstance(value, list) else value


CASES = {
    "members": st.dictionaries(NAMES, sources(), min_size=1, max_size=3),
    "attrs": ATTRIBUTES,
    "zarr_format": st.sampled_from([2, 3]),
    "option": st.integers(0, 1),
    "chunk_bytes": st.sampled_from([1, 16, 2**20]),
}
QUIET = {"deadline": None, "suppress_health_check": list(HealthCheck)}


@settings(max_examples=100, **QUIET)
@given(**CASES)
def test_any_tree_is_read_as_its_sources_are(**case):
    check(**case)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@settings(max_examples=2000, **QUIET)
@given(**CASES)
def test_two_thousand_trees_are_read_as_their_sources_are(**case):
    check(**case)


def check(members, attrs, zarr_format, option, chunk_bytes):
    """Assert that clients read what the members are, where their names can be read."""
    tree = {
        "anchor": xr.Variable("x", np.arange(3), attrs),
        "below": {name: each.tree for name, each in members.items()},
    }
    with warnings.catch_warnings(), patch.multiple(chunking, CHUNK_BYTES=chunk_bytes, LEAST_BYTES=chunk_bytes):
        warnings.simplefilter("ignore")  # zarr's, of types without a v3 specification; ours, of what is left out
        store = to_store(tree, zarr_format, **OPTIONS[zarr_format][option])
        group = zarr.open_group(store, mode="r")
        shown = {name: each for name, each in members.items() if is_readable(name) and fits(each, zarr_format)}
        assert set(group) == ({"anchor", "below"} if any(map(is_readable, members)) else {"anchor"})
        for key in store:
            strict(store[key])
        assert_attributes(group["anchor"].attrs.asdict(), attrs)
        for name, source in shown.items():
            path = f"below/{name}"
            once, again = group[path][...], read(store.view.content_of, path, zarr_format)
            if source.dates:
                assert np.asarray(once).tolist() == again.tolist()
                others = set(members) - {name}  # whose dimensions may have the same names and other sizes
                dates = xr.open_dataset(store, group="below", engine="zarr", drop_variables=others)[name]
                assert_same(dates.to_numpy(), source.want)
                continue
            for got in (once, again):
                assert_same(_without_sentinel(got, source, group[path]), source.want)
            third = by_tensorstore(store, path, zarr_format) if source.want.dtype.kind in "biufc" else None
            if third is not None:
                assert_same(_without_sentinel(third, source, group[path]), source.want)


def _without_sentinel(got, source, array):
    """Return elements with 0 where the value for missing ones is; sources of masked big numbers want that."""
    is_masked = isinstance(source.tree, np.ma.MaskedArray) and source.want.dtype.kind in "iu" and source.tree.mask.any()
    if not is_masked:
        return got
    missing = array.attrs.get("_FillValue", array.fill_value)
    assert ((np.asarray(got) == missing) == source.tree.mask).all()
    return np.where(source.tree.mask, 0, got)
