"""What a server is willing to open by URL, and to compute for a chunk."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any

from mandeldask.fractal.place_url import from_spec
from mandeldask.fractal.pyramid import Pyramid
from mandeldask.lazy.tree import open_pyramid
from mandeldask.nucleus_tree import disc_of, is_nucleus, nucleus_tree
from mandeldask.zarrview.bounded import Bounded
from mandeldask.zarrview.nodes import as_node, as_tree, with_reads

if TYPE_CHECKING:
    from fractions import Fraction

    from mandeldask.nucleus_tree import Disc
    from mandeldask.zarrview.nodes import Node

PLACE_S = 2400.0
"""Seconds that a chunk of a place may be estimated at by default: 256 x 256 pixels with their fields, at any
depth to the greatest maxiter of a place, come to less; they take a tenth of that and less."""

PUBLIC_PLACE_S = 600.0
"""The same where everybody may read: pixels 1e-300 apart at `maxiter` "auto", and deeper ones in smaller tiles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The places that a server is willing to open by URL, and what it is willing to compute for a chunk of any tree."""

    max_iter: int = 1_500_000
    """Greatest maxiter of any level; "auto" comes to less where pixels are 1e-1100 apart."""
    max_depth: int = 1100
    """Greatest depth: pixels of the finest level lie at least 10^-max_depth plane units apart."""
    max_digits: int = 12_000
    """Longest spec, in characters, and greatest negative exponent in it."""
    max_tilesize: int = 1024
    """Greatest tilesize, in pixels."""
    max_seconds: float | None = None
    """Most seconds of one core that a chunk of any tree may take, by `mandeldask.fractal.cost.cost`; unless given,
    `place_seconds` in places, which strangers choose, and any number in named trees, which the operator did."""
    place_seconds: float = PLACE_S
    """What `max_seconds` is for places unless given; `serve` lowers it to `PUBLIC_PLACE_S` where everybody may read."""

    def place(self, spec: str) -> Node:
        """Return the tree of a place, or of a disc in which a nucleus is looked for.

        Raises
        ------
        LookupError
            If `spec` is not a canonical spec.
        PermissionError
            If the place is past a limit; the message names it.
        """
        _check_limit("characters of a spec", len(spec), self.max_digits)
        exponents = re.findall("[0-9]e-([0-9]+)", spec)  # 1e-99999 would be short to spell and long to read
        _check_limit("negative exponent", max(map(int, exponents), default=0), self.max_digits)
        try:
            if is_nucleus(spec):
                return self._bounded(nucleus_tree(self._checked(disc_of(spec))), self.place_seconds)
            pyramid = from_spec(spec)
        except (ValueError, TypeError) as error:
            raise LookupError(str(error)) from error
        self._check(pyramid)
        return self._bounded(_opened(pyramid), self.place_seconds)

    def named(self, tree: Any) -> Node:
        """Return a tree that is served by name.

        Raises
        ------
        TypeError, ValueError
            If it cannot be served.
        """
        return self._bounded(as_tree(_opened(tree)), inf)

    def _checked(self, disc: Disc) -> Disc:
        self._check_depth(disc.radius, "discs smaller")
        return disc

    def _check_depth(self, length: Fraction, what: str) -> None:
        if length.denominator > length.numerator * 10**self.max_depth:
            msg = f"{what} than 1e-{self.max_depth} are past this server's limit"
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
        msg = f"{what}: {value} is past this server's limit of {limit}"
        raise PermissionError(msg)


def _opened(tree: Any) -> Any:
    """Return `tree`, a Pyramid as the tree of its levels: read window by window, without dask between."""
    if tree is None or isinstance(tree, Pyramid):
        return open_pyramid(tree or Pyramid(), chunks=None)
    return tree
