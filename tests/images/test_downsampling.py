import doctest
from fractions import Fraction
from itertools import product
from math import isnan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from mandeldask.images import downsampling
from mandeldask.images.downsampling import cells_along, half, method

INTEGERS = ("u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8")


def levels_of(array, name, levels, missing=None):
    """Return level 1, 2, ... of a plane or a volume, each halved from the state before it."""
    axes = tuple(range(array.ndim))
    made = method(name, array.dtype, axes, missing)
    state = made.begin(array)
    for level in range(1, levels + 1):
        state = made.halve(state, level)
        cells = np.ones((), np.int64)
        for size, length in zip(array.shape, state[0].shape, strict=True):
            cells = np.multiply.outer(cells, cells_along(size, level, 0, length))
        yield level, made.finish(state, cells)


def cells_of(array, level):
    """Yield the place of every cell of a level, and its elements as a flat array."""
    for place in product(*(range(half(size, level)) for size in array.shape)):
        yield place, array[tuple(slice(at << level, (at + 1) << level) for at in place)].ravel()


def true_mean(values):
    """Return the mean of whole numbers, rounded half to even, by exact arithmetic."""
    return round(Fraction(sum(map(int, values)), len(values)))


shapes = hnp.array_shapes(min_dims=2, max_dims=3, max_side=7)


@settings(deadline=None)
@given(st.data(), st.sampled_from(INTEGERS))
def test_means_of_whole_numbers_are_those_of_exact_arithmetic(data, dtype):
    array = data.draw(hnp.arrays(dtype, shapes))
    for level, got in levels_of(array, "mean", 3):
        assert got.dtype == array.dtype
        for place, values in cells_of(array, level):
            assert got[place] == true_mean(values)


@settings(deadline=None)
@given(st.data(), st.sampled_from(("u1", "i2", "u8")))
def test_missing_values_are_left_out(data, dtype):
    array = data.draw(hnp.arrays(dtype, shapes, elements=st.integers(0, 5)))
    for level, got in levels_of(array, "mean", 3, missing=3):
        for place, values in cells_of(array, level):
            there = values[values != 3]
            assert got[place] == (true_mean(there) if there.size else 3)


@settings(deadline=None)
@given(st.data(), st.sampled_from(("f2", "f4", "f8")))
def test_means_of_floats_are_rounded_once(data, dtype):
    width = np.dtype(dtype).itemsize * 8
    elements = st.floats(-100, 100, width=width) | st.just(float("nan"))
    array = data.draw(hnp.arrays(dtype, shapes, elements=elements))
    for level, got in levels_of(array, "mean", 3):
        for place, values in cells_of(array, level):
            there = [Fraction(float(value)) for value in values if not isnan(value)]
            if not there:
                assert isnan(got[place])
                continue
            exact = sum(there) / len(there)
            assert abs(Fraction(float(got[place])) - exact) <= Fraction(
                float(np.spacing(np.abs(array.dtype.type(exact))))
            )


def test_eight_levels_do_not_drift():
    array = np.random.default_rng(0).integers(0, 4, (256, 256), np.uint8)
    *_, (_, coarsest) = levels_of(array, "mean", 8)
    assert coarsest == [[true_mean(array.ravel())]]
    for chained in (np.array([[0, 1], [1, 0]]), np.array([[1, 2], [2, 1]])):  # half to even, not always up
        assert next(levels_of(chained.astype("u1"), "mean", 1))[1] == [[2 * (chained.sum() // 6)]]


def test_sums_of_float64_keep_what_cancels():
    array = np.array([[1e16, 1.0], [-1e16, 1.0]])
    assert next(levels_of(array, "mean", 1))[1] == [[0.5]]


def test_infinities_and_complex_numbers():
    array = np.array([[np.inf, 1, 1, 1], [1, 1, 1, 1]], "f4")
    np.testing.assert_array_equal(next(levels_of(array, "mean", 1))[1], np.array([[np.inf, 1]], "f4"))
    numbers = np.array([[1 + 2j, 3 - 4j], [5j, 0]])
    np.testing.assert_array_equal(next(levels_of(numbers, "mean", 1))[1], [[1 + 0.75j]])


def test_truth_values_are_the_majority():
    array = np.array([[True, True, True, False, True], [True, False, False, False, True]])
    np.testing.assert_array_equal(next(levels_of(array, "mean", 1))[1], [[True, False, True]])


@settings(deadline=None)
@given(st.data(), st.sampled_from(("u1", "i4", "f4")))
def test_modes_are_scipys(data, dtype):
    array = data.draw(hnp.arrays(dtype, shapes, elements=st.integers(0, 3)))
    for level, got in levels_of(array, "mode", 1):
        for place, values in cells_of(array, level):
            assert got[place] == stats.mode(values).mode


def test_modes_leave_missing_values_out():
    array = np.array([[0, 0, 0, 0], [0, 7, 0, 0]], "u2")
    np.testing.assert_array_equal(next(levels_of(array, "mode", 1, missing=0))[1], [[7, 0]])
    floats = np.array([[np.nan, np.nan, np.nan], [np.nan, 7, np.nan]])
    np.testing.assert_array_equal(next(levels_of(floats, "mode", 1))[1], [[7, np.nan]])


@settings(deadline=None)
@given(st.data())
def test_strides_are_slices(data):
    array = data.draw(hnp.arrays("i8", shapes))
    for level, got in levels_of(array, "stride", 3):
        step = 2**level
        np.testing.assert_array_equal(got, array[(slice(None, None, step),) * array.ndim])


def test_only_the_axes_asked_for_are_halved():
    array = np.arange(2 * 4 * 4 * 3, dtype="u1").reshape(2, 4, 4, 3)
    made = method("mean", array.dtype, (1, 2))
    got = made.finish(made.halve(made.begin(array), 1), np.full((1, 2, 2, 1), 4))
    np.testing.assert_array_equal(got, array.reshape(2, 2, 2, 2, 2, 3).mean((2, 4)).round())


def test_what_has_no_mean_is_refused():
    with pytest.raises(TypeError, match="stride"):
        method("mean", np.dtype("M8[s]"), (0, 1))
    with pytest.raises(ValueError, match="mean, stride, mode"):
        method("median", np.dtype("u1"), (0, 1))


def test_examples_in_docstrings_are_true():
    assert doctest.testmod(downsampling).failed == 0


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("whole", [True, False])
def test_cells_of_one_size_are_shifted_to_the_same_means(dtype, whole):
    info = np.iinfo(dtype)
    rng = np.random.default_rng(3)
    array = rng.integers(info.min, info.max, (64, 64), dtype, endpoint=True) if whole else rng.integers(0, 4, (64, 64))
    array = array.astype(dtype)
    array[:8, :8], array[8:16, :8] = info.min, info.max
    made = method("mean", array.dtype, (0, 1))
    state = made.begin(array)
    for level in (1, 2, 3):
        state = made.halve(state, level)
        shared = np.broadcast_to(np.int64(4**level), state[0].shape)
        np.testing.assert_array_equal(made.finish(state, shared), made.finish(state, np.array(shared)))
        assert made.finish(state, shared).ravel()[0] == info.min
