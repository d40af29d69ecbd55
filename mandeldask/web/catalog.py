"""The trees of a server: by name, by fingerprint, by place, and all together as one group."""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
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

IMAGES = "images"
"""Segment under which the images of every tree are groups of levels."""

FINGERPRINT_DIGITS = 16
"""Hexadecimal digits of a fingerprint in a URL."""

MAX_OPENING = 32
"""Places that may be in the middle of being opened; each takes a tenth of a second."""

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
        Makes the tree of a place from its spec, in a thread. It raises LookupError for what is no canonical spec (404)
        and PermissionError for what is past the server's limits (403).
    open_places : int
        Places kept open.
    images : callable, optional
        Makes the tree of the images in a named tree, each as a group of levels.
    """

    def __init__(
        self,
        trees: Mapping[str, Node],
        view: Callable[..., ZarrView],
        places: Callable[[str], Node] | None = None,
        open_places: int = 256,
        images: Callable[[Node], Node] | None = None,
    ) -> None:
        self._trees = dict(trees)
        self._view = view
        self._views = {(number, name): view(tree, number, name) for name, tree in trees.items() for number in (2, 3)}
        self._root = lru_cache(maxsize=64)(self._root_of)
        self._places = OpenPlaces(places, view, open_places) if places else None
        self._images = {
            (number, name): view(images(tree), number) for name, tree in trees.items() if images for number in (2, 3)
        }

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
            return Found(await self._places.open(_stem(spec), number), key, Lifetime.IMMUTABLE)
        if first == IMAGES and self.has_images and IMAGES not in self._trees:
            name, _, key = key.partition("/")
            return self._image(number, name.removesuffix(SUFFIX), key, grant)
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

    def _image(self, number: int, name: str, key: str, grant: Grant) -> Found:
        """Return the images of the tree of that name."""
        _check(grant, name)
        view = self._images.get((number, name))
        if view is None:
            raise Refusal(404, "there is no tree of this name")
        return Found(view, key, Lifetime.REVALIDATE)

    @property
    def has_images(self) -> bool:
        """Whether images are served as levels too, below `IMAGES`."""
        return bool(self._images)

    def warm(self) -> None:
        """Write the roots' documents and fingerprints, so that no request has to wait for them."""
        for view in [self._root(2, None), self._root(3, None), *self._views.values()]:
            _write_root(view)
        for view in self._views.values():
            view.fingerprint  # noqa: B018  kept by the view

    def pinned(self, name: str, number: int) -> str:
        """Return the name of a tree with the fingerprint of what it is now: a URL that caches may keep for ever."""
        return f"{name}-{self._views[number, name].fingerprint[:FINGERPRINT_DIGITS]}"

    def _root_of(self, number: int, allowed: frozenset[str] | None) -> ZarrView:
        """Return the group of all trees that a key may read."""
        names = [name for name in self._trees if allowed is None or name in allowed]
        return self._view(Group({name + SUFFIX: self._trees[name] for name in names}), number)


class OpenPlaces:
    """The places opened last; each is opened once, in a thread of their own, however many ask for it."""

    def __init__(self, places: Callable[[str], Node], view: Callable[..., ZarrView], most: int) -> None:
        self._make = places
        self._view = view
        self._most = most
        self._opened: OrderedDict[tuple[str, int], ZarrView] = OrderedDict()
        self._opening: dict[tuple[str, int], asyncio.Future[ZarrView]] = {}
        self._thread = ThreadPoolExecutor(1, "places")

    async def open(self, spec: str, number: int) -> ZarrView:
        """Return the view of a place.

        Raises
        ------
        Refusal
            404 or 403, as the callable that makes places says; 503 if too many are being opened.
        """
        name = spec, number
        if name in self._opened:
            self._opened.move_to_end(name)
            return self._opened[name]
        opening = self._opening.get(name)
        if opening is None:
            if len(self._opening) >= MAX_OPENING:
                raise Refusal(503, f"{MAX_OPENING} places are being opened already", ("retry-after", "1"))
            opening = asyncio.get_running_loop().run_in_executor(self._thread, self._open, spec, number)
            self._opening[name] = opening
            opening.add_done_callback(lambda done: self._landed(name, done))
        try:
            return await asyncio.shield(opening)
        except LookupError as error:
            raise Refusal(404, str(error)) from error
        except PermissionError as error:
            raise Refusal(403, str(error)) from error

    def _landed(self, name: tuple[str, int], opening: asyncio.Future[ZarrView]) -> None:
        del self._opening[name]
        if opening.cancelled() or opening.exception() is not None:
            return
        self._opened[name] = opening.result()
        while len(self._opened) > self._most:
            self._opened.popitem(last=False)

    def _open(self, spec: str, number: int) -> ZarrView:
        view: ZarrView = self._view(self._make(spec), number)
        _write_root(view)  # some 50 ms for 50 levels, which the event loop would miss
        return view


def _write_root(view: ZarrView) -> None:
    """Have the view write and keep its root's documents."""
    for document in view.format.names:
        view.find(document)


def _stem(segment: str) -> str:
    if not segment.endswith(SUFFIX):
        raise Refusal(404, f"names of trees end in {SUFFIX}")
    return segment.removesuffix(SUFFIX)


def _check(grant: Grant, tree: str) -> None:
    """Refuse a tree outside the grant whether or not it exists, so that names cannot be guessed."""
    if not grant.allows(tree):
        raise Refusal(403, "this API key does not open this tree")
