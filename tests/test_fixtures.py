"""The test data for clients: two independent clients read the values of each array's rule."""

import httpx
import numpy as np
import pytest
import tensorstore as ts
import zarr

import mandeldask as md
from servers import serving

pytestmark = pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")

INTEGERS = {"int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"}


@pytest.fixture(scope="module")
def served():
    with serving("--fixtures") as server:
        yield server.page.rstrip("/")


def expected(rule, n):
    """Return elements by a rule, in Python's own numbers."""
    scope = {"n": n}
    return [eval(rule, {}, scope | {"n": each}) for each in n]


def arrays(url):
    return {path: node for path, node in zarr.open_group(url, mode="r").members(None) if isinstance(node, zarr.Array)}


@pytest.mark.parametrize("version", ["v2", "v3"])
def test_what_clients_read_is_what_the_rules_say(served, version):
    checked = 0
    for path, array in arrays(f"{served}/zarr/{version}").items():
        group, _, name = path.partition("/")
        rule = array.attrs["rule"]
        if group not in {"dtypes", "codecs", "shards", "sizes"} or name in {"text", "time"}:
            continue
        values = array[...]
        wanted = expected(rule, range(int(array.size)))
        assert np.asarray(values).ravel().tolist() == wanted, path
        driver = {"v2": "zarr", "v3": "zarr3"}[version]
        store = {"driver": "http", "base_url": served, "path": f"zarr/{version}/{path}/"}
        read = ts.open({"driver": driver, "kvstore": store}, read=True).result().read().result()
        assert np.asarray(read).ravel().tolist() == wanted, path
        checked += 1
    assert checked == 14 + 5 + 2 + 11


def test_whole_numbers_use_the_range_of_their_types(served):
    for name in INTEGERS:
        values = zarr.open_array(f"{served}/zarr/v3/dtypes/{name}", mode="r")[...]
        range_of = np.iinfo(name)
        assert values.min() == range_of.min
        assert int(values.max()) > range_of.max * 3 // 4


def test_text_times_and_missing_values(served):
    import xarray as xr

    with xr.open_datatree(f"{served}/zarr/v3", engine="zarr", chunks=None, consolidated=True, group="/") as tree:
        n = np.arange(2000).reshape(40, 50)
        assert tree["dtypes/text"].values.tolist() == [[f"n{each}" for each in row] for row in n]
        assert (tree["dtypes/time"].values == np.datetime64("2000-01-01") + n * np.timedelta64(1, "h")).all()
        missing = tree["values/missing"].values
        assert np.array_equal(missing, np.where(n % 5 == 0, np.nan, n), equal_nan=True)
        scaled = tree["values/scaled"].values
        np.testing.assert_allclose(scaled, np.where(n % 5 == 0, np.nan, n / 10))
        special = tree["values/special_floats"].values.ravel()[:8]
        assert [repr(float(each)) for each in special[:6]] == ["0.0", "-0.0", "nan", "inf", "-inf", "5e-324"]


def test_codecs_and_shards_are_those_that_names_say(served):
    found = arrays(f"{served}/zarr/v3/codecs")
    assert [len(found[name].compressors) for name in ("raw", "gzip", "zstd")] == [0, 1, 1]
    assert "lz4" in repr(found["blosc_lz4"].compressors)
    assert arrays(f"{served}/zarr/v3/shards")["two_dimensions"].shards == (32, 40)


def test_levels_and_huge_arrays(served):
    root = zarr.open_group(f"{served}/zarr/v3", mode="r")
    fine, coarse = root["image/0/image"], root["image/1/image"]
    n = np.arange(fine.size).reshape(fine.shape)
    assert np.array_equal(fine[...], n % 251)
    assert np.array_equal(coarse[...], (n % 251)[..., ::2, ::2])
    assert root["huge"][2**39 + 5] == 2**39 + 5


def test_faults_are_those_that_the_manual_says(served):
    base = f"{served}/zarr/v3/faults"
    with httpx.Client(base_url=base) as client:
        statuses = {
            key: client.get(f"{base}/{key}").status_code
            for key in (
                "fails/c/0/0",
                "fails_in_one_chunk/c/1/1",
                "fails_in_one_chunk/c/0/1",
                "short/c/0/0",
                "changing/c/0/0",
                "fails/c/9/9",
            )
        }
        assert list(statuses.values()) == [500, 500, 200, 500, 503, 404]
        assert "detail" in client.get(f"{base}/short/c/0/0").json()


def test_one_tree_at_a_time(capfd):
    from mandeldask.cli.commands import run

    assert run(["serve", "--fixtures", "--demo"]) == 2
    assert "--demo serves its own tree; do not combine it with --fixtures" in " ".join(capfd.readouterr().err.split())


def test_the_tree_is_a_store_too():
    group = zarr.open_group(md.to_store(md.fixture_tree()), mode="r")
    assert group["sizes/one"][0] == 0
