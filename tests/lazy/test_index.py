import pickle
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import mandeldask as md
from mandeldask.fractal.geometry import Axis
from mandeldask.fractal.rationals import as_fraction
from mandeldask.lazy.index import PixelIndex
from mandeldask.lazy.transform import coordinates
from positions import position_kernel


def line(axis):
    """Return a Dataset with the coordinate x along `axis`."""
    return xr.Dataset(coords=xr.Coordinates.from_xindex(PixelIndex(axis, "x")))


def axis_of(found):
    return found.xindexes["x"].axis


@pytest.fixture
def finest():
    return md.open_pyramid(levels=50, kernel=position_kernel)["0"].to_dataset()


THIRDS = Axis(Fraction(-2), Fraction(1, 3), 13)


@pytest.mark.parametrize("label", ["-0.625", Decimal("-0.625"), Fraction(-5, 8), -0.625, np.float64(-0.625)])
def test_one_pixel_is_selected_by_labels_of_every_kind(finest, label):
    row = finest.sel(y="1.25", x=label).iterations.item()
    assert row == 2**57


def test_integers_are_labels_too():
    assert line(THIRDS).sel(x=1).x.item() == 1.0


def test_a_float_selects_the_pixel_that_it_is_displayed_for():
    labels = line(THIRDS)
    for pixel, displayed in enumerate(labels.x.values):
        assert labels.get_index("x").get_loc(displayed) == pixel
        assert labels.sel(x=displayed).x.item() == displayed
        assert labels.sel(x=labels.x[pixel]).x.item() == displayed


def test_a_float_that_several_pixels_share_is_refused(finest):
    with pytest.raises(KeyError, match="float64 cannot distinguish: pass text"):
        finest.sel(x=np.nextafter(-0.75, 0))


def test_a_label_between_pixels_needs_a_method():
    with pytest.raises(KeyError, match=r"no pixel at -0\.5: pixels are from -2 to 2, 1/3 apart"):
        line(THIRDS).sel(x="-0.5")


@pytest.mark.parametrize("method", [None, "nearest"])
@pytest.mark.parametrize("label", ["-2.34", "2.34", 1e300])
def test_labels_outside_are_key_errors(label, method):
    with pytest.raises(KeyError, match="no pixel at"):
        line(THIRDS).sel(x=label, method=method)


def test_the_nearest_pixel_is_found_exactly_at_any_depth(finest):
    spacing = Fraction(5) / 2**59
    for digits in ("-0.7436438870371587", "-0.743643887037158704752191506114774"):
        at = (Fraction(digits) + Fraction(5, 2)) / spacing
        assert finest.sel(x=digits, method="nearest").x.size == 1
        found = finest.isel(y=0).sel(x=[digits], method="nearest")
        assert found.xindexes["x"].axis.start == Fraction(-5, 2) + round(at) * spacing


def test_other_methods_and_tolerance_are_pandas():
    labels, index = line(THIRDS), pd.Index(line(THIRDS).x.values)
    for method in ("nearest", "pad", "ffill", "backfill", "bfill"):
        expected = index[index.get_indexer([0.4], method=method)[0]]
        assert labels.sel(x="0.4", method=method).x.item() == expected
    assert labels.sel(x="0.4", method="nearest", tolerance="0.1").x.item() == 1 / 3
    with pytest.raises(KeyError):
        labels.sel(x="0.4", method="nearest", tolerance="0.01")
    with pytest.raises(ValueError, match="tolerance needs a method"):
        labels.sel(x="0.4", tolerance="0.01")
    with pytest.raises(ValueError, match="method must be one of"):
        labels.sel(x="0.4", method="linear")


def test_arrays_of_labels_select_in_their_own_shape():
    labels = line(THIRDS)
    np.testing.assert_array_equal(labels.sel(x=["1", "-2", "1/3"]).x, [1.0, -2.0, 1 / 3])
    np.testing.assert_array_equal(labels.sel(x=[0.0, 1.0]).x, [0.0, 1.0])
    where = xr.DataArray([["0", "1"]], dims=("a", "b"), coords={"b": [7, 8]})
    found = labels.sel(x=where)
    assert found.x.dims == ("a", "b")
    assert found.b.to_numpy().tolist() == [7, 8]


def test_slices_of_labels_are_closed_and_need_no_method(finest):
    window = finest.sel(x=slice("-0.7436438870371588", "-0.7436438870371587"))
    axis = axis_of(window)
    assert axis[0] >= Fraction("-0.7436438870371588") > axis[0] - axis.step
    assert axis[-1] <= Fraction("-0.7436438870371587") < axis[-1] + axis.step
    assert window.x.size == 12


def test_slices_take_their_ends_in_either_order(finest):
    down = finest.sel(y=slice("0.1000000000000001", "0.1"))
    up = finest.sel(y=slice("0.1", "0.1000000000000001"))
    assert down.y.size == 11 + (down.y.size - 11) > 0
    assert down.xindexes["y"].equals(up.xindexes["y"])


def test_slices_may_be_open_strided_or_empty():
    labels = line(THIRDS)
    assert labels.sel(x=slice(None, "-1")).x.size == 4
    assert labels.sel(x=slice("1", None)).x.size == 4
    assert labels.sel(x=slice("-1", "1", 2)).x.size == 4
    assert labels.sel(x=slice("0.1", "0.2")).x.size == 0
    assert labels.sel(x=slice("5", "6")).x.size == 0
    with pytest.raises(NotImplementedError, match="takes no method"):
        labels.sel(x=slice("0", "1"), method="nearest")


fractions = st.fractions(min_value=-3, max_value=3, max_denominator=1000)
axes = st.builds(Axis, fractions, fractions.filter(bool), st.integers(1, 40))
pixels_far_away = st.one_of(*(st.integers(0, 2**bits) for bits in (40, 52, 56, 62)))
dyadics = st.builds(lambda above, bits: Fraction(above, 2**bits), st.integers(-(2**10), 2**10), st.integers(0, 60))
axes_of_levels = st.builds(Axis, dyadics, dyadics.filter(bool), st.integers(1, 40))


@given(axes, st.floats(-3, 3), st.floats(-3, 3))
@settings(max_examples=100, deadline=None)
def test_slices_of_floats_are_pandas_on_the_displayed_coordinates(axis, start, stop):
    labels = line(axis)
    index = pd.Index(labels.x.values)
    if not index.is_unique:
        return
    low, high = min(start, stop), max(start, stop)
    expected = index[(index >= low) & (index <= high)]
    np.testing.assert_array_equal(labels.sel(x=slice(start, stop)).x, expected)


@given(axes, fractions)
@settings(max_examples=100, deadline=None)
def test_nearest_is_nearest(axis, label):
    away = [abs(axis[pixel] - label) for pixel in range(axis.size)]
    try:
        found = line(axis).sel(x=[label], method="nearest")
    except KeyError:
        assert min(away) >= abs(axis.step) / 2
    else:
        assert abs(axis_of(found).start - label) == min(away)


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_a_window_of_an_index_is_an_index_with_the_same_coordinates(data):
    axis = data.draw(axes)
    whole = line(axis)
    window = whole.isel(x=data.draw(st.slices(axis.size)))
    assert isinstance(window.xindexes["x"], PixelIndex)
    for pixel in range(window.x.size):
        assert window.x[pixel].item() == float(axis_of(window)[pixel])


@given(axes | axes_of_levels, pixels_far_away)
@settings(max_examples=200, deadline=None)
def test_coordinates_are_rounded_once(axis, far):
    pixels = np.array([0, axis.size - 1, far])
    expected = [float(axis.start + int(pixel) * axis.step) for pixel in pixels]
    np.testing.assert_array_equal(coordinates(axis, pixels), expected)


def test_evenly_spaced_lists_keep_the_index_and_others_lose_it():
    labels = line(THIRDS)
    assert axis_of(labels.isel(x=[9, 5, 1])) == THIRDS[9:0:-4]
    assert axis_of(labels.isel(x=[-1])) == THIRDS[12:]
    for picked in ([0, 1, 3], [2, 2], []):
        assert "x" not in labels.isel(x=picked).xindexes
    assert "x" not in labels.isel(x=3).xindexes


def test_exact_attributes_round_trip_and_follow_the_window(finest):
    for window in (finest, finest.isel(x=slice(5, 100, 3)), finest.sel(x=slice("-0.75", "-0.7499"))):
        axis = axis_of(window)
        assert as_fraction(window.x.attrs["exact_origin"]) == axis.start
        assert as_fraction(window.x.attrs["exact_spacing"]) == axis.step
        assert window.x.attrs["long_name"] == "Re(c)"
    assert line(THIRDS).x.attrs["exact_spacing"] == "1/3"


def test_windows_that_floats_take_for_equal_are_different(finest):
    one, other = (finest.isel(y=slice(0, 3), x=slice(first, first + 3)) for first in (2**57, 2**57 + 5))
    np.testing.assert_array_equal(one.x, other.x)
    assert not one.xindexes["x"].equals(other.xindexes["x"])
    with pytest.raises(ValueError, match="cannot align"):
        xr.align(one, other, join="exact")


def test_overlapping_windows_align_on_what_they_share(finest):
    one, other = (finest.isel(y=slice(4), x=slice(first, first + 10)) for first in (100, 106))
    left, right = xr.align(one, other, join="inner")
    assert axis_of(left) == axis_of(right) == axis_of(finest)[106:110]
    difference = one + other
    np.testing.assert_array_equal(difference.iterations[:, 0], 2 * np.arange(4))
    left, right = xr.align(one, other, join="outer")
    assert axis_of(left) == axis_of(finest)[100:116]
    assert int(left.iterations.isnull().sum()) == 6 * 4
    left, _ = xr.align(one, other, join="left")
    assert axis_of(left) == axis_of(one)


def test_a_window_aligns_with_its_level_where_that_can_be_listed(finest):
    level = md.open_pyramid(levels=3, tilesize=16, kernel=position_kernel)["0"].to_dataset()
    window = level.isel(y=slice(3, 5), x=slice(7, 9))
    part, same = xr.align(level, window, join="inner")
    xr.testing.assert_equal(part.compute(), same.compute())
    with pytest.raises(MemoryError, match="first select the same window of both"):
        xr.align(finest, finest.isel(x=slice(3)), join="inner")


def test_windows_with_a_gap_have_no_outer_join(finest):
    with pytest.raises(ValueError, match="leave a gap"):
        xr.align(finest.isel(x=slice(3)), finest.isel(x=slice(4, 6)), join="outer")


def test_different_levels_and_places_do_not_align():
    tree = md.open_pyramid(levels=50, kernel=position_kernel)
    elsewhere = md.open_pyramid(levels=50, center="1e-30", kernel=position_kernel)["49"].to_dataset()
    fine, coarse = (tree[level].to_dataset().isel(y=slice(4), x=slice(4)) for level in ("48", "49"))
    for one, other in ((fine, coarse), (coarse, elsewhere)):
        with pytest.raises(ValueError, match="different places or levels"):
            _ = one + other


def test_a_level_decimated_aligns_with_the_coarser_level():
    tree = md.open_pyramid(levels=50)
    fine, coarse = tree["48"].to_dataset(), tree["49"].to_dataset()
    xr.testing.assert_equal(fine.isel(y=slice(None, None, 2), x=slice(None, None, 2)), coarse)


def test_adjacent_windows_concatenate(finest):
    parts = [finest.isel(y=slice(4), x=slice(first, first + 10)) for first in (100, 110, 120)]
    joined = xr.concat(parts, "x")
    xr.testing.assert_identical(joined.compute(), finest.isel(y=slice(4), x=slice(100, 130)).compute())
    assert axis_of(joined) == axis_of(finest)[100:130]
    with pytest.raises(ValueError, match="must start where the one before it ends"):
        xr.concat(parts[::2], "x")


def test_combine_by_coords_puts_windows_together(finest):
    parts = [finest.isel(y=slice(2**10, 2**10 + 4), x=slice(i * 2**50, i * 2**50 + 2)).compute() for i in range(3)]
    with pytest.raises(ValueError, match="must start where"):
        xr.combine_by_coords(parts)
    near = [md.window("0", "1", (4, 12)).isel(x=slice(i, i + 4)).compute() for i in (8, 0, 4)]
    xr.testing.assert_equal(
        xr.combine_by_coords(near, combine_attrs="override"), md.window("0", "1", (4, 12)).compute()
    )


def test_windows_write_themselves_into_their_region(tmp_path):
    tree = md.open_pyramid(levels=3, tilesize=8, kernel=position_kernel)
    level = tree["0"].to_dataset()
    level.to_zarr(tmp_path / "level.zarr", compute=False, consolidated=False)
    for rows in (slice(0, 24), slice(24, 64)):
        level.isel(y=rows).compute().to_zarr(tmp_path / "level.zarr", region="auto", consolidated=False)
    xr.testing.assert_equal(xr.open_zarr(tmp_path / "level.zarr", consolidated=False), level.compute())


def test_indexes_pickle_rename_and_roll():
    labels = line(THIRDS)
    again = pickle.loads(pickle.dumps(labels))
    xr.testing.assert_identical(again, labels)
    renamed = labels.rename(x="re")
    assert renamed.sel(re="1").re.item() == 1
    assert renamed.xindexes["re"].dim == "re"
    assert "x" not in labels.roll(x=3, roll_coords=True).xindexes
    assert labels.roll(x=13, roll_coords=True).xindexes["x"].equals(labels.xindexes["x"])


def test_short_indexes_become_pandas_and_long_ones_refuse(finest):
    np.testing.assert_array_equal(line(THIRDS).to_pandas().index, line(THIRDS).x)
    assert finest.isel(y=0, x=slice(5)).iterations.to_series().index.name == "x"
    with pytest.raises(MemoryError, match="select a window first"):
        finest.indexes["x"]


def test_the_repr_says_where(finest):
    assert "PixelIndex(start=-2.5, step=8.67" in repr(finest.xindexes["x"])


@pytest.mark.parametrize(
    ("size", "line"), [(1, "-2.0"), (2, "-2.0 -1.5"), (3, "-2 -1.5 ... -1"), (8, "-2 -1.5 ... 1.5")]
)
def test_a_line_tells_the_first_the_second_and_the_last_label(size, line):
    index = PixelIndex(Axis(Fraction(-2), Fraction(1, 2), size), "x")
    assert line in repr(xr.Dataset(coords=xr.Coordinates.from_xindex(index)))
