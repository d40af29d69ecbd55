"""Each level is the next finer one decimated, values survive a round trip, and invalid input is named in the error."""

from __future__ import annotations

import pickle
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mandeldask.fractal.pyramid import Pyramid, checked_julia
from mandeldask.fractal.rationals import as_point

settings.register_profile("patient", deadline=None)  # a busy machine is no failure
settings.load_profile("patient")

pyramids = st.builds(
    Pyramid,
    levels=st.integers(1, 40),
    tilesize=st.sampled_from([1, 7, 256, 512]),
    maxiter=st.integers(1, 2**32 - 1) | st.just("auto"),
    center=st.tuples(st.fractions(-2, 2, max_denominator=10**40), st.fractions(-2, 2, max_denominator=10**40)),
    width=st.fractions(Fraction(1, 10**300), 10, max_denominator=10**301).filter(bool),
    fields=st.sampled_from([("iterations",), ("smooth", "iterations"), ("period",)]),
)


@given(pyramids, st.data())
def test_a_coarser_level_is_every_second_pixel(pyramid, data):
    if pyramid.levels < 2:
        return
    level = data.draw(st.integers(0, pyramid.levels - 2))
    fine, coarse = pyramid.grid(level), pyramid.grid(level + 1)
    assert fine[::2, ::2] == coarse
    assert coarse.shape == (pyramid.tilesize << (pyramid.levels - level - 1),) * 2


@given(pyramids)
def test_the_centre_is_the_middle_of_every_level(pyramid):
    for grid in pyramid.grids:
        half = grid.shape[0] // 2
        assert grid.point(half, half) == pyramid.center
        assert grid.spacing * grid.shape[1] == pyramid.width


@given(pyramids)
def test_round_trips(pyramid):
    keywords = pyramid.as_dict()
    again = Pyramid(**keywords)
    assert again == pyramid == pickle.loads(pickle.dumps(pyramid))
    assert again.fingerprint == pyramid.fingerprint
    assert hash(again) == hash(pyramid)


@given(pyramids, pyramids)
def test_fingerprints_tell_pyramids_apart(first, second):
    assert (first.fingerprint == second.fingerprint) == (first == second)


def test_the_notebooks_pyramid():
    pyramid = Pyramid()
    assert pyramid.grid(0).shape == (2**59, 2**59)
    assert pyramid.grid(49).shape == (1024, 1024)
    assert pyramid.grid(49).point(0, 0) == (Fraction(-5, 2), Fraction(5, 2))
    assert pyramid.grid(49).point(512, 512) == (0, 0)
    assert pyramid.grid(-1) == pyramid.grid(49)


def test_maxiter_by_level():
    pyramid = Pyramid(levels=3, maxiter=(1000, 100, 10))
    assert [pyramid.maxiter_at(level) for level in range(3)] == [1000, 100, 10]
    auto = [Pyramid(maxiter="auto").maxiter_at(level) for level in range(50)]
    assert auto == sorted(auto, reverse=True)
    assert auto[49] < auto[0] < 2**16


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"levels": 0}, "levels.*0"),
        ({"levels": 60}, "53.*512.*60"),
        ({"levels": 63, "tilesize": 1}, "62"),
        ({"tilesize": 0}, "tilesize.*0"),
        ({"tilesize": -512}, "-512"),
        ({"tilesize": 2.5}, "2.5"),
        ({"maxiter": 0}, "maxiter.*0"),
        ({"maxiter": 2**32}, str(2**32)),
        ({"maxiter": "many"}, "auto.*many"),
        ({"maxiter": (1, 2)}, "50 levels, not 2"),
        ({"width": "-1"}, "width.*-1"),
        ({"width": 0}, "width"),
        ({"center": "here"}, "center.*here"),
        ({"fields": ("iterations", "colour")}, "colour"),
        ({"fields": ()}, "fields"),
    ],
)
def test_what_is_refused(keywords, message):
    with pytest.raises(ValueError, match=message):
        Pyramid(**keywords)


def test_sixty_levels_is_too_many_and_53_are_not():
    assert Pyramid(levels=53).grid(0).shape[0] == 2**62
    with pytest.raises(ValueError, match="at most 53"):
        Pyramid(levels=54)


@pytest.mark.parametrize(("c", "is_outside"), [("1.2+1.6j", False), (f"1.2+1.6{'0' * 40}1j", True), ("2.1", True)])
def test_c_of_a_julia_set_is_compared_exactly_with_the_circle(c, is_outside):
    if is_outside:
        with pytest.raises(ValueError, match="at most 2"):
            checked_julia(as_point(c), ("iterations",))
    else:
        assert checked_julia(as_point(c), ("iterations",)) == as_point(c)
    assert checked_julia(as_point(f"-0.{'7' * 30_000}"), ("iterations",)).im == 0
