"""The urgency in the headers of a request."""

from __future__ import annotations

import pytest

from mandeldask.web.urgency import PREFETCH, USUAL, urgency_of


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, USUAL),
        ({"priority": "u=0"}, 0),
        ({"priority": "u=7, i"}, 7),
        ({"priority": "i, u=1"}, 1),
        ({"priority": "u=9"}, USUAL),
        ({"priority": "i"}, USUAL),
        ({"sec-purpose": "prefetch"}, PREFETCH),
        ({"sec-purpose": "prefetch;prerender"}, PREFETCH),
        ({"sec-purpose": "prefetch", "priority": "u=2"}, 2),
        ({"sec-purpose": "other"}, USUAL),
    ],
)
def test_urgency_is_what_the_headers_state(headers, expected):
    assert urgency_of(headers) == expected
