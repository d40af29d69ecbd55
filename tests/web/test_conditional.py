from __future__ import annotations

import pytest

from mandeldask.web.conditional import precondition, range_applies


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"if-none-match": '"tag"'}, 304),
        ({"if-none-match": 'W/"tag"'}, 304),
        ({"if-none-match": '"other", "tag"'}, 304),
        ({"if-none-match": '"a,b" , "tag"'}, 304),
        ({"if-none-match": '"tag-gzip"'}, 304),
        ({"if-none-match": "*"}, 304),
        ({"if-none-match": '"other"'}, None),
        ({"if-none-match": "tag"}, None),
        ({"if-none-match": '"tag'}, None),
        ({"if-none-match": ""}, None),
        ({"if-match": '"tag"'}, None),
        ({"if-match": "*"}, None),
        ({"if-match": 'W/"tag"'}, 412),
        ({"if-match": '"other"'}, 412),
        ({"if-match": "garbage"}, 412),
        ({"if-match": '"tag"', "if-none-match": '"tag"'}, 304),
        ({"if-match": '"other"', "if-none-match": '"tag"'}, 412),
        ({"if-modified-since": "Sat, 21 Nov 2026 08:00:00 GMT"}, None),
        ({"if-unmodified-since": "Sat, 21 Nov 2015 08:00:00 GMT"}, None),
    ],
)
def test_preconditions_are_decided_by_the_etag_alone(headers, expected):
    assert precondition(headers, "tag") == expected


@pytest.mark.parametrize(
    ("if_range", "expected"),
    [(None, True), ('"tag"', True), ('W/"tag"', False), ('"other"', False), ("Sat, 21 Nov 2026 08:00:00 GMT", False)],
)
def test_if_range_needs_the_strong_etag_of_these_bytes(if_range, expected):
    assert range_applies({} if if_range is None else {"if-range": if_range}, "tag") is expected
