from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mandeldask.fractal.place_url import as_spec, from_spec
from mandeldask.fractal.pyramid import FIELDS, Pyramid

PLAIN = "re-0.75_im0.1_width0.001_levels20_maxiter255_iterations"

pyramids = st.builds(
    Pyramid,
    levels=st.integers(1, 40),
    tilesize=st.sampled_from([1, 256, 512, 513]),
    maxiter=st.integers(1, 2**32 - 1) | st.just("auto"),
    center=st.tuples(st.fractions(), st.fractions()),
    width=st.fractions(min_value=Fraction(1, 10**30)).filter(bool)
    | st.integers(1, 600).map(lambda n: Fraction(3, 10**n)),
    fields=st.sets(st.sampled_from(FIELDS), min_size=1),
)


@given(pyramids)
def test_a_spec_reads_back_and_needs_no_escaping(pyramid):
    spec = as_spec(pyramid)
    assert from_spec(spec) == pyramid
    assert all(character.isascii() and (character.isalnum() or character in ".-_") for character in spec)


def test_a_cap_for_each_level_has_a_spelling_too():
    pyramid = Pyramid(levels=3, maxiter=(500, 400, 300))
    assert from_spec(as_spec(pyramid)) == pyramid


@given(pyramids, pyramids)
def test_different_pyramids_are_spelled_differently(one, other):
    assert (as_spec(one) == as_spec(other)) == (one == other)


@pytest.mark.parametrize(
    "other",
    [
        PLAIN.replace("0.001", "1e-3"),
        PLAIN.replace("0.001", "0.0010"),
        PLAIN.replace("0.001", "1r1000"),
        PLAIN.replace("0.1", "2r20"),
        PLAIN.replace("im0.1", "im00.1"),
        PLAIN.replace("im0.1", "im-0"),
        PLAIN.replace("255", "0255"),
        PLAIN.replace("levels20", "levels020"),
        PLAIN.replace("levels20", "levels20_tilesize512"),
        PLAIN.replace("iterations", "smooth-iterations"),
        PLAIN.replace("iterations", "iterations-iterations"),
    ],
)
def test_a_place_has_one_spelling(other):
    with pytest.raises(ValueError, match="not the canonical form of this place; use re"):
        from_spec(other)


@pytest.mark.parametrize(
    "malformed",
    [
        "",
        "x",
        PLAIN + "_",
        PLAIN + "\n",
        " " + PLAIN,
        PLAIN.replace("-0.75", "+0.75"),
        PLAIN.replace("-0.75", "−0.75"),
        PLAIN.replace("0.001", "1e5"),
        PLAIN.replace("0.001", "nan"),
        PLAIN.replace("0.001", "٣"),
        PLAIN.replace("0.001", "1/3"),
        PLAIN.replace("_im0.1", ""),
        PLAIN.replace("20", "99999"),
        PLAIN.replace("255", "all"),
        PLAIN.replace("iterations", "Iterations"),
    ],
)
def test_what_is_no_spec_says_how_one_is_written(malformed):
    with pytest.raises(ValueError, match="a place must be written as re<number>"):
        from_spec(malformed)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (PLAIN.replace("0.001", "0"), "width must be positive"),
        (PLAIN.replace("levels20", "levels60"), "53"),
        (PLAIN.replace("255", "0"), "maxiter"),
        (PLAIN.replace("iterations", "colour"), "colour"),
        (PLAIN.replace("0.001", "1r0"), "zero denominator"),
    ],
)
def test_values_out_of_range_are_named(spec, message):
    with pytest.raises(ValueError, match=message):
        from_spec(spec)
