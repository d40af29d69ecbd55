from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mandeldask.web.ranges import Unsatisfiable, parse_range


@pytest.mark.parametrize(
    ("header", "total", "expected"),
    [
        ("bytes=0-3", 10, (0, 4)),
        ("bytes=3-", 10, (3, 10)),
        ("bytes=-4", 10, (6, 10)),
        ("bytes=-99", 10, (0, 10)),
        ("bytes=9-99", 10, (9, 10)),
        ("BYTES = 0 - 0", 10, (0, 1)),
        (f"bytes=0-{'9' * 5000}", 10, (0, 10)),
        ("bytes=3-2", 10, None),
        ("bytes=-", 10, None),
        ("bytes=0-1,3-4", 10, None),
        ("items=0-1", 10, None),
        ("bytes=a-b", 10, None),
        ("bytes=٣-٤", 10, None),
        ("", 10, None),
    ],
)
def test_a_header_means_one_half_open_range_or_nothing(header, total, expected):
    assert parse_range(header, total) == expected


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-12", "bytes=-0", f"bytes={'9' * 5000}-"])
def test_a_range_past_the_end_is_unsatisfiable(header):
    with pytest.raises(Unsatisfiable):
        parse_range(header, 10)


@given(st.integers(1, 50), st.integers(0, 60), st.integers(0, 60))
def test_ranges_select_what_slices_select(total, first, last):
    body = bytes(range(total))
    expected = body[first : last + 1]
    try:
        window = parse_range(f"bytes={first}-{last}", total)
    except Unsatisfiable:
        assert not expected
    else:
        assert window is None if last < first else body[slice(*window)] == expected


@given(st.text(max_size=40))
def test_no_text_is_an_error(header):
    try:
        window = parse_range(header, 10)
    except Unsatisfiable:
        return
    assert window is None or 0 <= window[0] < window[1] <= 10
