"""Limits of a server: the places that it opens by URL, and the time that it spends on a chunk."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any

from mandeldask.fractal.place_url import from_spec
from mandeldask.fractal.pyramid import Pyramid
from mandeldask.nucleus_tree import disc_of, is_nucleus, nucleus_tree
from mandeldask.pyramid_tree import pyramid_tree
from mandeldask.zarrview.bounded import Bounded
from mandeldask.zarrview.nodes import as_node, as_tree, with_reads

if TYPE_CHECKING:
    from fractions import Fraction

    from mandeldask.nucleus_tree import Disc
    from mandeldask.zarrview.nodes import Node

PLACE_S = 2400.0
"""Default limit of the estimated seconds for a chunk of a place. The estimate for 256 x 256 pixels with all fields is
smaller, at any depth up to the greatest maxiter of a place; the real time is a tenth of the estimate or less."""

PUBLIC_PLACE_S = 600.0
"""The default for public servers: enough for a pixel spacing of 1e-300 at `maxiter` "auto", and for deeper pixels in
smaller tiles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The places that a server opens by URL, and the time that it spends on a chunk of any tree."""

    max_iter: int = 1_500_000
    """Greatest maxiter of any level; "auto" stays below it at spacings down to 1e-1100."""
    max_depth: int = 1100
    """Greatest depth: the smallest pixel spacing of the finest level is 10^-max_depth plane units."""
    max_digits: int = 12_000
    """Longest spec, in characters, and greatest negative exponent in it."""
    max_tilesize: int = 1024
    """Greatest tilesize, in pixels."""
    max_seconds: float | None = None
    """Greatest number of seconds of one core for a chunk of any tree, by `mandeldask.fractal.cost.cost`. By default
    `place_seconds` for places, which clients choose, and no limit for named trees, which the operator chose."""
    place_seconds: float = PLACE_S
    """Default of `max_seconds` for places; `serve` lowers it to `PUBLIC_PLACE_S` on public servers."""

    def place(self, spec: str) -> Node:
        """Return the tree of a place, or of a disc to search for a nucleus.

        Raises
        ------
        LookupError
            If `spec` is not a canonical spec.
        PermissionError
            If the place exceeds a limit; the message names the limit.
        """
        _check_limit("characters of a spec", len(spec), self.max_digits)
        exponents = re.findall("[0-9]e-([0-9]+)", spec)  # 1e-99999 is short as text, but large as a number
        _check_limit("negative exponent", max(map(int, exponents), default=0), self.max_digits)
        try:
            if is_nucleus(spec):
                return self._bounded(nucleus_tree(self._checked(disc_of(spec))), self.place_seconds)
            pyramid = from_spec(spec)
        except (ValueError, TypeError) as error:
            raise LookupError(str(error)) from error
        self._check(pyramid)
        return self._bounded(pyramid_tree(pyramid), self.place_seconds)

    def named(self, tree: Any) -> Node:
        """Return a tree prepared for serving by name.

        Raises
        ------
        TypeError, ValueError
            If the tree cannot be served.
        """
        return self._bounded(as_tree(_opened(tree)), inf)

    def _checked(self, disc: Disc) -> Disc:
        self._check_depth(disc.radius, "discs smaller")
        return disc

    def _check_depth(self, length: Fraction, what: str) -> None:
        if length.denominator > length.numerator * 10**self.max_depth:
            msg = f"{what} than 1e-{self.max_depth} exceed this server's limit"
            raise PermissionError(msg)

    def _check(self, pyramid: Pyramid) -> None:
        _check_limit("tilesize", pyramid.tilesize, self.max_tilesize)
        _check_limit("maxiter", max(map(pyramid.maxiter_at, range(pyramid.levels))), self.max_iter)
        self._check_depth(pyramid.grid(0).spacing, "pixels closer")

    def _bounded(self, tree: Any, default: float) -> Node:
        seconds = default if self.max_seconds is None else self.max_seconds
        return with_reads(as_node(tree), partial(Bounded, seconds=seconds))


def _check_limit(what: str, value: int, limit: int) -> None:
    if value > limit:
        msg = f"{what}: {value} exceeds this server's limit of {limit}"
        raise PermissionError(msg)


def _opened(tree: Any) -> Any:
    """Return `tree`; for a Pyramid the tree of its levels, read window by window without dask."""
    if tree is None or isinstance(tree, Pyramid):
        return pyramid_tree(tree or Pyramid())
    return tree
