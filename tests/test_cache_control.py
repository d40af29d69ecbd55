import numpy as np
import pytest

import mandeldask as md
from mandeldask import shared_cache
from mandeldask.lazy.field_cache import fields
from mandeldask.shared_cache import SharedCache

BYTES = 64 * 64 * (1 + 4)
"""Of one window: counts and smooth."""


@pytest.fixture(autouse=True)
def _as_before():
    fields.windows.clear()  # of what other tests have left
    before = fields.windows.most
    yield
    fields.windows.clear()
    fields.windows.limit(before)
    shared_cache._limits.clear()


def half_read():
    """Read one of two fields: the other is kept."""
    window = md.window("-0.5", "2", (64, 64), maxiter=100, fields=("iterations", "smooth"), chunks=None)
    return window.iterations[:].values


def test_what_is_kept_is_told_and_cleared():
    half_read()
    assert md.caches()["fields"] == (BYTES, 2**26)
    md.clear_caches()
    assert md.caches()["fields"] == (0, 2**26)


def test_a_limit_holds_now_and_later():
    first = half_read()
    md.limit_caches(fields=BYTES - 1)
    assert md.caches()["fields"] == (0, BYTES - 1)
    np.testing.assert_array_equal(half_read(), first)
    assert md.caches()["fields"].size == 0
    assert SharedCache(100, name="fields").most == BYTES - 1


@pytest.mark.parametrize(
    ("limits", "error", "match"),
    [({"orbitz": 1}, TypeError, "no cache 'orbitz'"), ({"orbits": -1}, ValueError, "negative, not -1")],
)
def test_bad_limits_change_nothing(limits, error, match):
    before = md.caches()
    with pytest.raises(error, match=match):
        md.limit_caches(fields=1, **limits)
    assert md.caches() == before
