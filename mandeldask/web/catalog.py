"""Find the trees of a server: by name, by fingerprint, by place, and all together as one group."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING
from urllib.parse import unquote

from mandeldask.multiscales import dimensions
from mandeldask.web.messages import Refusal
from mandeldask.web.names import Escaped, own_name
from mandeldask.web.places import OpenPlaces
from mandeldask.web.representation import Lifetime
from mandeldask.zarrview.identity import is_lasting
from mandeldask.zarrview.nodes import Group
from mandeldask.zarrview.preparing import is_computed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.types import Receive

    from mandeldask.web.keys import Grant
    from mandeldask.zarrview.nodes import Node
    from mandeldask.zarrview.view import ZarrView

SUFFIX = ".zarr"
"""Optional suffix of a tree's name in a URL: napari recognises Zarr by it."""

PLACES = "at"
"""Path segment of the trees of places; in a key's list of trees, it allows all places."""

IMAGES = "images"
"""Path segment of the groups of levels made from the images of every tree."""

FINGERPRINT_DIGITS = 16
"""Hexadecimal digits of a fingerprint in a URL."""

_PINNED = re.compile(rf"(?P<name>.+)-(?P<digits>[0-9a-f]{{{FINGERPRINT_DIGITS}}})", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Found:
    """A view of the tree that a URL names, and the rest of the URL."""

    view: ZarrView
    """The tree in one format."""
    key: str
    """Zarr key in the tree."""
    lifetime: Lifetime
    """How long caches may keep replies below this URL."""


class Catalog:
    """Finds the view for a path below ``/zarr/v2`` or ``/zarr/v3``.

    A tree has two paths, its name and ``<name>.zarr``: a group of trees uses the first, and some clients recognise Zarr
    by the suffix.

    Parameters
    ----------
    trees : mapping of str to node
        The named trees.
    view : callable
        Makes the view of a node in format 2 or 3; a third argument is the name of a named tree. With `place` it makes
        the view of a place, with `is_computed` the view of a tree that `images` returned.
    places : callable, optional
        Makes the tree of a place from its spec, in a thread. It raises LookupError if the spec is not canonical (404)
        and PermissionError if the place exceeds the server's limits (403).
    open_places, place_bytes : int
        Greatest number of places kept open, and of bytes in memory for them.
    images : callable, optional
        Makes the tree of the images in a named tree, each as a group of levels; also returns where their elements are
        read.
    root : Group or Array, optional
        A tree to show as ``/zarr/v2`` and ``/zarr/v3`` itself, instead of the group of all named trees.

    Attributes
    ----------
    images : dict of str to Group
        The images of each named tree; those of the root have the name "".

    Raises
    ------
    ValueError
        If a tree has the name that is reserved for places.
    """

    def __init__(  # noqa: PLR0913  the options of a server
        self,
        trees: Mapping[str, Node],
        view: Callable[..., ZarrView],
        *,
        places: Callable[[str], Node] | None = None,
        open_places: int = 256,
        place_bytes: int = 2**26,
        images: Callable[[Node], Node] | None = None,
        root: Node | None = None,
    ) -> None:
        if places is not None and PLACES in trees:
            msg = f"no tree can be named {PLACES!r}: /zarr/v3/{PLACES}/<spec> are the URLs of places"
            raise ValueError(msg)
        self._trees = dict(trees)
        self._own_root = root
        self._view = view
        self._views = {(number, name): view(tree, number, name) for name, tree in trees.items() for number in (2, 3)}
        self._root = lru_cache(maxsize=64)(self._root_of)
        self._named = lru_cache(maxsize=256)(self._tree_of)
        self._places = OpenPlaces(places, partial(view, place=True), open_places, place_bytes) if places else None
        imaged = trees if root is None else {"": root}
        self.images = {name: images(tree) for name, tree in imaged.items()} if images else {}
        self._images = {
            (number, name): view(tree, number, is_computed=True)
            for name, tree in self.images.items()
            for number in (2, 3)
        }

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the trees; empty if one tree is the root itself."""
        return tuple(self._trees)

    async def find(self, number: int, path: str, grant: Grant, receive: Receive | None = None) -> Found:
        """Return the view and the key for `path`, below ``/zarr/v<number>/`` and without a leading slash.

        Raises
        ------
        ClientGone
            If the client of `receive` disconnected while its place was being opened.
        Refusal
            404 if there is no such tree, 403 if `grant` does not include it.
        """
        first, _, key = path.partition("/")
        root = self._root(number, grant.trees)
        if first in {"", *root.format.names}:
            return Found(root, path, Lifetime.REVALIDATE)
        if first == PLACES and self._places is not None and not (self._own_root and root.has_member(PLACES)):
            spec, _, key = key.partition("/")
            _check(grant, PLACES)
            view = await self._places.open(spec.removesuffix(SUFFIX), number, key, receive)
            return Found(view, key, Lifetime.IMMUTABLE)
        if first == IMAGES and self.has_images and not root.has_member(IMAGES):
            return self._image(number, key, grant)
        named = None if self._own_root else self._named(first, grant.trees)
        if named is not None:
            return Found(self._views[number, named], key, Lifetime.REVALIDATE)
        pinned = _PINNED.fullmatch(first.removesuffix(SUFFIX))
        names = (first, first.removesuffix(SUFFIX))
        _check(grant, *names, *map(unquote, names), *([pinned["name"]] if pinned else []))
        if self._own_root is not None:
            inside = path if first == names[1] or root.has_member(first) else path.replace(first, names[1], 1)
            return Found(root, inside, Lifetime.REVALIDATE)
        if pinned is not None and await self._is_pinned(number, pinned, grant):
            return Found(self._views[number, pinned["name"]], key, Lifetime.IMMUTABLE)
        raise Refusal(404, "there is no tree of this name")

    def _tree_of(self, first: str, allowed: frozenset[str] | None) -> str | None:
        """Return the name of the tree in the first segment of a path, if the key may read it; else None."""
        for name in (first, first.removesuffix(SUFFIX)):
            own = own_name(name, self._trees)
            if own is not None and (allowed is None or own in allowed):
                return own
        return None

    async def _is_pinned(self, number: int, pinned: re.Match[str], grant: Grant) -> bool:
        """Return whether a name with a fingerprint belongs to a tree that never changes, in its current version."""
        view = self._views.get((number, pinned["name"]))
        if view is None or not grant.allows(pinned["name"]):
            return False
        fingerprint = await asyncio.get_running_loop().run_in_executor(view.pool.side, _lasting, view)
        return fingerprint.startswith(pinned["digits"])

    def _image(self, number: int, path: str, grant: Grant) -> Found:
        """Return the images of the tree at the beginning of `path`."""
        first, _, key = path.partition("/")
        name = first.removesuffix(SUFFIX)
        _check(grant, first, name)
        if self._own_root is not None:
            return Found(self._images[number, ""], path, Lifetime.REVALIDATE)
        own = next(filter(None, (own_name(each, self._trees) for each in (first, name))), None)
        if own is None or not grant.allows(own):
            raise Refusal(404, "there is no tree of this name")
        return Found(self._images[number, own], key, Lifetime.REVALIDATE)

    @property
    def has_set(self) -> bool:
        """Whether a tree is a pyramid of the Mandelbrot set, which has a page of its own."""
        return any(self.pyramids())

    def pyramids(self) -> list[Node]:
        """Return the trees that are pyramids of the Mandelbrot set."""
        return [tree for tree in self._trees.values() if is_computed(tree)]

    def has_levels(self, name: str) -> bool:
        """Return whether a tree is one image with levels of its own."""
        return name in self._trees and bool(dimensions(self._trees[name].attrs))

    @property
    def has_images(self) -> bool:
        """Whether the server makes levels of images, below `IMAGES`."""
        return bool(self._images)

    def warm(self) -> None:
        """Prepare the documents of the roots, so that no request has to wait for them."""
        for view in [self._root(2, None), self._root(3, None), *self._views.values()]:
            view.names()

    def skipped(self) -> dict[str, str]:
        """Return the reasons why parts of the trees cannot be shown, by format and path."""
        roots = {number: self._root(number, None) for number in (2, 3)}
        found = [(f"/zarr/v{number}", root.skipped()) for number, root in roots.items()]
        return {f"{url}/{path}": reason for url, below in found for path, reason in below.items()}

    def pinned(self, name: str, number: int) -> str:
        """Return the name of a tree with the fingerprint of its content: caches may keep such URLs forever.

        Raises
        ------
        ValueError
            If the content of the tree may change.
        """
        fingerprint = _lasting(self._views[number, name])
        if not fingerprint:
            msg = f"the tree {name} may change, so it has no permanent URL"
            raise ValueError(msg)
        return f"{name}-{fingerprint[:FINGERPRINT_DIGITS]}"

    def _root_of(self, number: int, allowed: frozenset[str] | None) -> ZarrView:
        """Return the root tree, or the group of the trees that a key may read."""
        root = self._own_root
        if root is None:
            return self._view(Group(Escaped(Readable(self._trees, allowed))), number)
        if allowed is None:
            return self._view(root, number)
        if isinstance(root, Group):
            return self._view(replace(root, members=Readable(root.members, allowed), reopen=None), number)
        return self._view(Group(), number)


@dataclass(frozen=True, slots=True)
class Readable(Mapping[str, "Node"]):
    """The members of a group that a key may read."""

    members: Mapping[str, Node]
    """All members."""
    allowed: frozenset[str] | None
    """Names of the readable ones; None for all."""

    def __getitem__(self, name: str) -> Node:
        if name not in self:
            raise KeyError(name)
        return self.members[name]

    def __iter__(self) -> Iterator[str]:
        return (name for name in self.members if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        return (self.allowed is None or name in self.allowed) and name in self.members


def _lasting(view: ZarrView) -> str:
    """Return the fingerprint of a tree that never changes, or ""."""
    return view.fingerprint if view.is_fixed and is_lasting(view.fingerprint) else ""


def _check(grant: Grant, *names: str) -> None:
    """Refuse every name outside the grant, also of trees that do not exist, so that names cannot be guessed."""
    if not any(map(grant.allows, names)):
        raise Refusal(403, "this API key does not open this tree")
