"""The tree that most tests of exports write."""

from __future__ import annotations

import pytest

import mandeldask as md
from positions import LOG, position_kernel


@pytest.fixture
def tree():
    LOG.clear()
    return md.open_pyramid(levels=6, tilesize=16, kernel=position_kernel)
