"""The type of every constant that bounds a rounding error.

A constant that is declared ``NAME: ErrorBound = ...`` has a test, in the test module of its own module, that fails when
the constant is 0. ``make mutants`` finds these constants and checks that.
"""

from __future__ import annotations

ErrorBound = float
"""Either a bound on a rounding error, or a factor a little above 1 that rounds a bound outward."""
