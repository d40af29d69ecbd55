import numpy as np
import pytest
import xarray as xr

import mandeldask as md
from mandeldask.lazy.backend import MandeldaskBackendEntrypoint, parse

SPEC = "mandelbrot:levels=50,maxiter=255"


def test_the_engine_is_installed():
    assert isinstance(xr.backends.list_engines()["mandeldask"], MandeldaskBackendEntrypoint)


@pytest.mark.parametrize("engine", ["mandeldask", None])
def test_a_name_opens_as_a_tree(engine):
    tree = xr.open_datatree(SPEC, engine=engine)
    own = md.open_pyramid(levels=50, maxiter=255)
    assert tree.attrs == own.attrs
    assert list(tree.children) == list(own.children)
    assert tree["0/iterations"].shape == (2**59, 2**59)
    xr.testing.assert_identical(tree["49"].to_dataset(), own["49"].to_dataset())


@pytest.mark.parametrize("engine", ["mandeldask", None])
def test_a_group_opens_as_a_dataset(engine):
    level = xr.open_dataset(SPEC, engine=engine, group="12")
    assert level.attrs["level"] == 12
    window = level.sel(x=slice("-0.75", "-0.7499999999")).isel(y=slice(5))
    assert window.iterations.shape[0] == 5


def test_without_a_group_the_root_has_attributes_only():
    root = xr.open_dataset(SPEC, engine="mandeldask")
    assert not root.variables
    assert root.attrs["exact_width"] == "5"


def test_an_empty_chunks_makes_dask_of_levels_that_dask_can_take():
    assert xr.open_dataset(SPEC, group="45", chunks={}).iterations.chunks[0][:2] == (512, 512)
    assert "preferred_chunks" not in xr.open_dataset(SPEC, group="41").iterations.encoding


@pytest.mark.parametrize("chunks", [{}, None])
def test_deep_levels_give_windows_and_refuse_the_whole(chunks):
    level = xr.open_dataset(SPEC, group="0", chunks=chunks)
    window = level.isel(y=slice(2**58, 2**58 + 4), x=slice(2**58, 2**58 + 4)).compute()
    np.testing.assert_array_equal(window.iterations, 255)
    with pytest.raises(MemoryError, match="select a window first"):
        level.iterations.mean().compute()


def test_whole_trees_open_with_chunks():
    tree = xr.open_datatree(SPEC, engine="mandeldask", chunks={})
    assert tree["49/iterations"].chunks == ((512, 512), (512, 512))


def test_variables_can_be_dropped():
    level = xr.open_dataset("mandelbrot:fields=iterations+smooth", group="49", drop_variables="smooth")
    assert list(level.data_vars) == ["iterations"]


def test_every_keyword_of_a_pyramid_can_be_named():
    name = "mandelbrot:levels=3,tilesize=64,maxiter=auto,center=-3/4+1e-5j,width=1e-20,fields=smooth+iterations"
    same = md.Pyramid(3, 64, "auto", ("-3/4", "1e-5"), "1e-20", ("iterations", "smooth"))
    assert parse(name) == same


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("mandelbrot:levels=60", "at most 53"),
        ("mandelbrot:depth=6", "'depth=6' is not one of levels=N"),
        ("mandelbrot:levels", "'levels' is not one of"),
        ("mandelbrot:colour=red", r"fields=iterations\+smooth\+distance\+period or some"),
        ("mandelbrot:maxiter=many", "'maxiter=many' is not one of"),
        ("julia:levels=3", "must look like 'mandelbrot:levels=50,maxiter=255'"),
    ],
)
def test_names_that_make_no_sense_are_refused(name, said):
    with pytest.raises(ValueError, match=said):
        xr.open_datatree(name, engine="mandeldask")


@pytest.mark.parametrize("group", ["50", "-1", "iterations"])
def test_groups_that_are_not_there_are_refused(group):
    with pytest.raises(ValueError, match="group must be a level from 0 to 49"):
        xr.open_dataset(SPEC, engine="mandeldask", group=group)


def test_other_files_are_left_to_other_engines(tmp_path):
    assert not MandeldaskBackendEntrypoint().guess_can_open(tmp_path / "mandelbrot:levels=3")
    assert not MandeldaskBackendEntrypoint().guess_can_open("mandelbrot.nc")


@pytest.mark.parametrize("group", ["0", "12", "24"])
@pytest.mark.parametrize("chunks", ["auto", 512, {"x": 512}, {"x": "auto"}])
def test_deep_levels_refuse_chunks_that_would_be_listed(group, chunks):
    level = xr.open_dataset(SPEC, group=group)
    for whole in (level, level.iterations):
        with pytest.raises(ValueError, match=r"too many for dask.*select a window first"):
            whole.chunk(chunks)


def test_coordinates_are_never_dask_arrays():
    level = xr.open_dataset(SPEC, group="0", chunks={})
    window = level.isel(y=slice(700), x=slice(900)).chunk(100)
    assert level.x.chunks is level.x.chunk(512).chunks is window.x.chunks is None
    assert window.iterations.chunks[1] == (100,) * 9
    assert window.x.compute().equals(level.x[:900])
