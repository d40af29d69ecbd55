"""Composition: the web application over pyramids, any place by URL, and the server around it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import xarray as xr

from mandeldask.fractal.cost import cost
from mandeldask.fractal.permalink import from_spec
from mandeldask.fractal.pyramid import Pyramid
from mandeldask.lazy.tree import open_pyramid
from mandeldask.web.application import create_app as create_web_app
from mandeldask.web.catalog import Guarded
from mandeldask.web.serving import DRAIN_S, check_exposure, serve_in_background, serve_in_foreground
from mandeldask.web.settings import Settings
from mandeldask.zarrview.nodes import as_node

if TYPE_CHECKING:
    from collections.abc import Callable

    from mandeldask.web.application import Application
    from mandeldask.web.serving import Handle

PORT = 8000
"""Where the server listens unless told otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The places that a server is willing to open by URL, and what it is willing to compute there."""

    max_iter: int = 100_000
    """Greatest maxiter of any level."""
    max_depth: int = 300
    """Greatest depth: pixels of the finest level lie at least 10^-max_depth plane units apart."""
    max_digits: int = 1000
    """Longest spec, in characters, and greatest negative exponent in it."""
    max_tilesize: int = 1024
    """Greatest tilesize, in pixels."""
    max_seconds: float = 30.0
    """Most seconds of one core that one chunk may take at worst, by `mandeldask.fractal.cost.cost`."""

    def place(self, spec: str) -> Guarded:
        """Return the tree of a place.

        Raises
        ------
        LookupError
            If `spec` is not a canonical spec.
        PermissionError
            If the place is past a limit; the message names it.
        """
        _check_limit("characters of a spec", len(spec), self.max_digits)
        exponents = re.findall("e-([0-9]+)", spec)  # 1e-99999 would be short to spell and long to read
        _check_limit("negative exponent", max(map(int, exponents), default=0), self.max_digits)
        try:
            pyramid = from_spec(spec)
        except (ValueError, TypeError) as error:
            raise LookupError(str(error)) from error
        self._check(pyramid)
        return Guarded(as_node(_opened(pyramid)), partial(self._check_chunk, pyramid))

    def _check(self, pyramid: Pyramid) -> None:
        _check_limit("tilesize", pyramid.tilesize, self.max_tilesize)
        _check_limit("maxiter", max(map(pyramid.maxiter_at, range(pyramid.levels))), self.max_iter)
        spacing = pyramid.grid(0).spacing
        if spacing.denominator > spacing.numerator * 10**self.max_depth:
            msg = f"pixels closer than 1e-{self.max_depth} are past this server's limit"
            raise PermissionError(msg)

    def _check_chunk(self, pyramid: Pyramid, key: str) -> None:
        """Raise PermissionError if the chunk at `key` may come to more seconds than `max_seconds`."""
        level, first = int(key.partition("/")[0]), slice(pyramid.tilesize)
        seconds = cost(pyramid.grid(level)[first, first], pyramid.maxiter_at(level)).seconds
        if seconds > self.max_seconds:
            limit = f"this server's limit of {self.max_seconds:.3g} s"
            msg = f"a chunk of level {level} may take {seconds:.3g} s, past {limit}"
            raise PermissionError(msg)


def _check_limit(what: str, value: int, limit: int) -> None:
    if value > limit:
        msg = f"{what}: {value} is past this server's limit of {limit}"
        raise PermissionError(msg)


def create_app(
    tree: Any = None, *, name: str = "mandelbrot", limits: Limits | None = None, places: bool = True, **settings: Any
) -> Application:
    """Return the ASGI application that serves a tree, or several, as Zarr v2 and v3.

    Parameters
    ----------
    tree : Pyramid, DataTree, Dataset, DataArray, array, table, or Mapping of str to such, optional
        What to serve; the default Pyramid if None. A Mapping names several trees.
    name : str
        Name of the tree in URLs, ``/zarr/v3/<name>.zarr``, where `tree` is a single one.
    limits : Limits, optional
        Bounds on the places that may be opened by URL.
    places : bool
        Whether any place may be opened by URL, ``/zarr/v3/at/<spec>.zarr``.
    **settings
        Fields of `mandeldask.web.settings.Settings`: `api_keys`, `allow_origins`, `cache_bytes`, `cache_dir`,
        `threads`, `queue`, `max_places`, `scheduler`.

    Raises
    ------
    TypeError, ValueError
        If a tree cannot be served or a setting is out of its range.

    Examples
    --------
    >>> app = create_app(allow_origins=["https://hms-dbmi.github.io"])
    >>> app.path("v3")
    '/zarr/v3/mandelbrot.zarr'
    """
    named = tree if _is_several(tree) else {name: tree}
    opened = {each: _opened(one) for each, one in named.items()}
    place = (limits or Limits()).place if places else None
    return create_web_app(opened, settings=Settings(**settings), places=place)


def serve(  # noqa: PLR0913  the options of a server
    tree: Any = None,
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    background: bool = False,
    public: bool = False,
    workers: int = 1,
    drain_s: float = DRAIN_S,
    started: Callable[[str], object] | None = None,
    **options: Any,
) -> Handle | None:
    """Serve a tree over HTTP: until SIGTERM or Ctrl-C, or in the background.

    Parameters
    ----------
    tree : any tree, optional
        As `create_app` takes.
    host : str
        Address to listen at. One that other machines can reach needs an API key, or `public`.
    port : int, optional
        Port to listen at; 8000 by default, in the background any free one.
    background : bool
        Return at once, with a `Handle` that has the URLs and stops the server. Safe inside a running event loop.
    public : bool
        Everybody who can reach `host` may read.
    workers : int
        Processes that share the port, and the cache in `cache_dir`.
    drain_s : float
        Seconds that requests in flight are given to finish.
    started : callable, optional
        Called with the server's address, such as ``http://127.0.0.1:8000``, once it accepts requests.
    **options
        As `create_app` takes.

    Returns
    -------
    Handle or None
        The Handle in the background; None once a server in the foreground has stopped.

    Raises
    ------
    OSError
        If the port is taken; the message is one line that names a free one.
    ValueError
        If `host` is open to others and there is neither a key nor `public`, or `workers` is out of its range.
    """
    keys = bool(Settings(api_keys=options.get("api_keys", ())).api_keys)
    check_exposure(host, keys=keys, public=public)
    if workers < 1 or (background and workers > 1):
        msg = f"workers must be at least 1, and 1 in the background, not {workers}"
        raise ValueError(msg)
    if background:
        return serve_in_background(create_app(tree, **options), host, port or 0, drain_s=drain_s)
    make = partial(create_app, tree, **options)
    serve_in_foreground(make, host, PORT if port is None else port, workers=workers, drain_s=drain_s, started=started)
    return None


def _is_several(tree: Any) -> bool:
    """Whether `tree` names several trees; xarray's own mappings are one tree each."""
    return isinstance(tree, Mapping) and not isinstance(tree, (xr.Dataset, xr.DataTree))


def _opened(tree: Any) -> Any:
    """Return `tree`, a Pyramid as the tree of its levels: read window by window, without dask between."""
    if tree is None or isinstance(tree, Pyramid):
        return open_pyramid(tree or Pyramid(), chunks=None)
    return tree
