"""The trees of a server: by name, by fingerprint, by place, and all together as one group."""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from mandeldask.web.messages import Refusal
from mandeldask.web.representation import Lifetime
from mandeldask.zarrview.nodes import Group

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mandeldask.web.keys import Grant
    from mandeldask.zarrview.nodes import Node
    from mandeldask.zarrview.view import ZarrView

SUFFIX = ".zarr"
"""Ending of every root's URL: napari recognises Zarr by it."""

PLACES = "at"
"""Segment under which any place is a tree; in a key's list of trees it grants the places."""

FINGERPRINT_DIGITS = 16
"""Hexadecimal digits of a fingerprint in a URL."""

_PINNED = re.compile(rf"(?P<name>.+)-(?P<digits>[0-9a-f]{{{FINGERPRINT_DIGITS}}})", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Found:
    """A view of the tree that a URL names, and the rest of the URL."""

    view: ZarrView
    """The tree in one format."""
    key: str
    """Zarr key in it."""
    lifetime: Lifetime
    """How long replies below this URL stay true."""


class Catalog:
    """Finds the view that a path below ``/zarr/v2`` or ``/zarr/v3`` means.

    Parameters
    ----------
    trees : mapping of str to node
        The named trees.
    view : callable
        Makes the view of a node in the format 2 or 3; it is given the name of a named tree too.
    places : callable, optional
        Makes the node of a place from its spec, in a thread. It raises LookupError for what is no canonical spec (404)
        and PermissionError for what is past the server's limits (403).
    open_places : int
        Places kept open.
    """

    def __init__(
        self,
        trees: Mapping[str, Node],
        view: Callable[..., ZarrView],
        places: Callable[[str], Node] | None = None,
        open_places: int = 256,
    ) -> None:
        self._trees = dict(trees)
        self._view = view
        self._views = {(number, name): view(tree, number, name) for name, tree in trees.items() for number in (2, 3)}
        self._root = lru_cache(maxsize=64)(self._root_of)
        self._places = OpenPlaces(places, view, open_places) if places else None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the trees."""
        return tuple(self._trees)

    async def find(self, number: int, path: str, grant: Grant) -> Found:
        """Return what `path` (below ``/zarr/v<number>/``, without leading slash) names.

        Raises
        ------
        Refusal
            404 if there is no such tree, 403 if `grant` does not reach it.
        """
        first, _, key = path.partition("/")
        if first == PLACES and self._places is not None:
            spec, _, key = key.partition("/")
            _check(grant, PLACES)
            return Found(await self._places.view(_stem(spec), number), key, Lifetime.IMMUTABLE)
        if not first.endswith(SUFFIX):  # the documents and the listing of the server's own root group
            return Found(self._root(number, grant.trees), path, Lifetime.REVALIDATE)
        return self._named(number, _stem(first), key, grant)

    def _named(self, number: int, stem: str, key: str, grant: Grant) -> Found:
        """Return the tree of that name, or of that name and fingerprint."""
        view = self._views.get((number, stem))
        if view is not None:
            _check(grant, stem)
            return Found(view, key, Lifetime.REVALIDATE)
        pinned = _PINNED.fullmatch(stem)
        _check(grant, pinned["name"] if pinned else stem)
        view = self._views.get((number, pinned["name"])) if pinned else None
        if view is None or pinned is None or not view.fingerprint.startswith(pinned["digits"]):
            raise Refusal(404, "there is no tree of this name")
        return Found(view, key, Lifetime.IMMUTABLE)

    def pinned(self, name: str, number: int) -> str:
        """Return the name of a tree with the fingerprint of what it is now: a URL that caches may keep for ever."""
        return f"{name}-{self._views[number, name].fingerprint[:FINGERPRINT_DIGITS]}"

    def _root_of(self, number: int, allowed: frozenset[str] | None) -> ZarrView:
        """Return the group of all trees that a key may read."""
        names = [name for name in self._trees if allowed is None or name in allowed]
        return self._view(Group({name + SUFFIX: self._trees[name] for name in names}), number)


class OpenPlaces:
    """The places opened last; each is opened once, in a thread, however many ask for it."""

    def __init__(self, places: Callable[[str], Node], view: Callable[[Node, int], ZarrView], most: int) -> None:
        self._open = places
        self._view = view
        self._most = most
        self._views: OrderedDict[tuple[str, int], ZarrView] = OrderedDict()
        self._opening: dict[tuple[str, int], asyncio.Future[ZarrView]] = {}

    async def view(self, spec: str, number: int) -> ZarrView:
        """Return the view of a place.

        Raises
        ------
        Refusal
            404 or 403, as the callable that makes places says.
        """
        if (spec, number) in self._views:
            self._views.move_to_end((spec, number))
            return self._views[spec, number]
        opening = self._opening.get((spec, number))
        if opening is None:
            opening = asyncio.ensure_future(asyncio.to_thread(self._opened, spec, number))
            self._opening[spec, number] = opening
            opening.add_done_callback(lambda _: self._opening.pop((spec, number)))
        try:
            view = await asyncio.shield(opening)
        except LookupError as error:
            raise Refusal(404, str(error)) from error
        except PermissionError as error:
            raise Refusal(403, str(error)) from error
        self._views[spec, number] = view
        while len(self._views) > self._most:
            self._views.popitem(last=False)
        return view

    def _opened(self, spec: str, number: int) -> ZarrView:
        return self._view(self._open(spec), number)


def _stem(segment: str) -> str:
    if not segment.endswith(SUFFIX):
        raise Refusal(404, f"names of trees end in {SUFFIX}")
    return segment.removesuffix(SUFFIX)


def _check(grant: Grant, tree: str) -> None:
    """Refuse a tree outside the grant whether or not it exists, so that names cannot be guessed."""
    if not grant.allows(tree):
        raise Refusal(403, "this API key does not open this tree")
