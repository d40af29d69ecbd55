"""Which stage may be tried at which spacing of pixels."""

from __future__ import annotations

FINEST = 2.0**-80
"""Spacing below which double-double centres of blocks tell pixels apart no more."""
