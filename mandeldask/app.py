"""Build the web application and the server: pyramids, places by URL, and any other trees."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

from mandeldask.files.skipped import skipped
from mandeldask.fractal.escape.perturbation.orbit_files import OrbitFolder
from mandeldask.fractal.escape.perturbation.orbit_source import orbits_from
from mandeldask.fractal.kernels import kernel_of
from mandeldask.fractal.pyramid import Pyramid
from mandeldask.jupyter import notebook_origins
from mandeldask.limits import PUBLIC_PLACE_S, Limits
from mandeldask.owned_folder import owned_folder
from mandeldask.warming import check_warm, warming_with, while_serving
from mandeldask.web.application import create_app as create_web_app
from mandeldask.web.catalog import PLACES
from mandeldask.web.hosts import usual_hosts
from mandeldask.web.serving import DRAIN_S, check_exposure, serve_in_background, serve_in_foreground
from mandeldask.web.settings import Settings
from mandeldask.zarrview.codecs import in_loop
from mandeldask.zarrview.nodes import as_node, is_name, with_reads

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from mandeldask.warming import Warmed
    from mandeldask.web.application import Application
    from mandeldask.web.serving import Handle
    from mandeldask.zarrview.nodes import Node, Read

PORT = 8000
"""Default address of the server."""


@dataclass(frozen=True, slots=True)
class Exchanging:
    """Reads windows; their kernels share long reference orbits with other processes of this machine."""

    read: Read
    """Reads the windows."""
    exchange: OrbitFolder
    """Source of the orbits."""

    def __call__(self, window: tuple[slice, ...]) -> NDArray[Any]:
        """Return the elements of `window`."""
        with orbits_from(self.exchange):
            return self.read(window)


def create_app(  # noqa: PLR0913  the options of a server
    tree: Any = None,
    *,
    name: str | None = None,
    root: Any = None,
    limits: Limits | None = None,
    places: bool = True,
    orbits: str | Path | None = None,
    **settings: Any,
) -> Application:
    """Return the ASGI application that serves a tree, or several, as Zarr v2 and v3.

    Parameters
    ----------
    tree : Pyramid, DataTree, Dataset, DataArray, array, table, or Mapping of str to such, optional
        Tree to serve; the default Pyramid if None. A Mapping names several trees.
    name : str, optional
        Name of a single tree in URLs, ``/zarr/v3/<name>`` or ``/zarr/v3/<name>.zarr``. By default ``mandelbrot`` or
        ``julia`` for a Pyramid, else the name of the tree itself, or ``data``.
    root : any tree, optional
        A tree to serve as ``/zarr/v2`` and ``/zarr/v3`` itself, instead of `tree`.
    limits : Limits, optional
        Limits of the places that clients may open by URL, and of the time for one chunk of any tree.
    places : bool
        Whether clients may open any place by URL, ``/zarr/v3/at/<spec>.zarr``.
    orbits : str or Path, optional
        Folder in which several processes share long reference orbits. Other users must not be able to write to it.
    **settings
        Fields of `mandeldask.web.settings.Settings`: `api_keys`, `api_keys_file`, `allowed_hosts`, `allow_origins`,
        `cache_bytes`, `cache_dir`, `cache_dir_bytes`, `client_seconds`, `codecs`, `threads`,
        `queue`, `max_places`, `place_bytes`, `pyramid`, `scheduler`.

    Raises
    ------
    TypeError, ValueError
        If a tree cannot be served, a setting is out of its range, or if a `name` is given for several trees or a root.

    Examples
    --------
    >>> app = create_app(allow_origins=["https://hms-dbmi.github.io"])
    >>> app.path("v3")
    '/zarr/v3/mandelbrot.zarr'
    """
    named = _named(tree, name, root)
    chosen = Settings(**settings)
    _check_keys(chosen, named)
    limits = limits or Limits()
    share = _shared_through(orbits)
    opened = {each: share(limits.named(one)) for each, one in named.items()}
    own = None if root is None else share(limits.named(root))

    def place(spec: str) -> Node:
        return share(limits.place(spec))

    app = create_web_app(
        opened,
        root=own,
        settings=chosen,
        places=place if places else None,
        level_seconds=inf if limits.max_seconds is None else limits.max_seconds,
    )
    app.metrics.count("mandeldask_files_skipped", "Files that could not be shown.", lambda: skipped.total)
    return app


def serve(  # noqa: PLR0913  the options of a server
    tree: Any = None,
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    background: bool = False,
    public: bool = False,
    workers: int = 1,
    drain_s: float = DRAIN_S,
    connections: int = 0,
    started: Callable[[str], object] | None = None,
    warm: bool = False,
    warmed: Callable[[Warmed], object] | None = None,
    **options: Any,
) -> Handle | None:
    """Serve a tree over HTTP: until SIGTERM or Ctrl-C, or in the background.

    Parameters
    ----------
    tree : any tree, optional
        As for `create_app`.
    host : str
        Address to listen at. If other machines can reach it, it needs an API key, or `public`.
    port : int, optional
        Port to listen at; by default 8000, or any free port in the background.
    background : bool
        Print the link and return at once, with a `Handle` that has the URLs and can stop the server. It works inside a
        running event loop. In a notebook, the pages of the Jupyter servers of this machine may read from it.
    public : bool
        Allow all clients that can reach `host` to read.
    workers : int
        Number of processes. They share the port, long reference orbits, and the cache in `cache_dir`.
    drain_s : float
        Seconds that running requests have to finish.
    connections : int
        Limit of connections per process; 0 for three quarters of the file descriptors that it may open. Above the
        limit, the connection that has been idle for longest is closed.
    started : callable, optional
        Called with the server's address, such as ``http://127.0.0.1:8000``, when it accepts requests; by default it
        is printed.
    warm : bool
        After the start, make all levels of images in additional threads, with a progress bar in terminals. Levels that
        are already in `cache_dir` are not made again.
    warmed : callable, optional
        Called with a `mandeldask.warming.Warmed` when all levels are made.
    **options
        As for `create_app`. By default `allowed_hosts` are all names; but if `host` is a loopback address and there is
        neither a key nor `public`, they are the loopback names of this machine.

    Returns
    -------
    Handle or None
        The Handle of a server in the background; None after a server in the foreground has stopped.

    Raises
    ------
    OSError
        If the port is taken; the message names a free one.
    ValueError
        If other machines can reach `host` and there is neither a key nor `public`; if `workers` or `connections` is out
        of its range; or if there is nothing to `warm`.
    RuntimeError
        If it would run in the foreground of a thread with a running event loop, as in a notebook.
    """
    guarded = Settings(**{name: options[name] for name in ("api_keys", "api_keys_file") if name in options}).guarded
    check_exposure(host, keys=guarded, public=public)
    options["allowed_hosts"] = options.get("allowed_hosts") or usual_hosts(host, shared=guarded or public)
    if public:
        limits = options.get("limits") or Limits()
        options["limits"] = replace(limits, place_seconds=min(limits.place_seconds, PUBLIC_PLACE_S))
    if workers < 1 or (background and workers > 1):
        msg = f"workers must be at least 1, and 1 in the background, not {workers}"
        raise ValueError(msg)
    if connections < 0:
        msg = f"connections must be at least 0, not {connections}"
        raise ValueError(msg)
    if warm:
        check_warm(workers, **options)
    if not background and in_loop():
        msg = "an event loop is running in this thread, as in a notebook: call md.serve(..., background=True)"
        raise RuntimeError(msg)
    if background:
        origins = options.get("allow_origins", ())
        options["allow_origins"] = (*((origins,) if isinstance(origins, str) else origins), *notebook_origins())
        app = create_app(tree, **options)
        handle = serve_in_background(app, host, port or 0, drain_s=drain_s, connections=connections)
        (started or _print_link)(handle.address)
        return warming_with(handle, warmed) if warm else handle
    with ExitStack() as stack:
        several = workers > 1
        orbits = stack.enter_context(owned_folder("mandeldask-orbits-")) if several else None
        make: Callable[[], Application] = partial(create_app, tree, orbits=orbits, **options)
        announce = started or _print_addresses
        if warm:
            make, announce = stack.enter_context(while_serving(make, announce, workers=workers, done=warmed))
        at = PORT if port is None else port
        serve_in_foreground(make, host, at, workers=workers, drain_s=drain_s, connections=connections, started=announce)
    return None


def _print_link(address: str) -> None:
    """Print the address of a server in the background: notebooks and terminals show it as a link."""
    sys.stdout.write(f"{address}/\n")
    sys.stdout.flush()


def _print_addresses(address: str) -> None:
    """Print the addresses of a server in the foreground."""
    sys.stdout.write(f"Page {address}/, Zarr {address}/zarr/v2 and {address}/zarr/v3. Press Ctrl-C to stop.\n")
    sys.stdout.flush()


def _check_keys(settings: Settings, named: Mapping[str, Any]) -> None:
    """Raise ValueError if a key names a tree that is not served (a wrong name, or a missing tree)."""
    unknown = {tree for key in settings.api_keys for tree in key.trees or ()} - {*named, PLACES}
    if unknown:
        msg = (
            f"an API key names the tree {min(unknown)!r}, which is not served; served are {', '.join(named) or 'none'}"
        )
        raise ValueError(msg)


def _shared_through(folder: str | Path | None) -> Callable[[Node], Node]:
    """Return a function that makes the reads of a tree share orbits through `folder`, if one is given."""
    if folder is None:
        return as_node
    return partial(with_reads, wrap=partial(Exchanging, exchange=OrbitFolder(Path(folder))))


def _named(tree: Any, name: str | None, root: Any) -> Mapping[str, Any]:
    """Return the trees to serve, by name."""
    if root is not None:
        if tree is not None or name is not None:
            msg = "a root is served alone and has no name: pass either root or tree, and no name with root"
            raise ValueError(msg)
        return {}
    if not _is_several(tree):
        return {_name_of(tree) if name is None else name: tree}
    if name is not None:
        msg = f"name={name!r} is for a single tree; the keys of the mapping already name the {len(tree)} trees"
        raise ValueError(msg)
    named: Mapping[str, Any] = tree
    return named


def _name_of(tree: Any) -> str:
    """Return the default name of a tree."""
    if tree is None or isinstance(tree, Pyramid):
        return kernel_of(tree or Pyramid(), 0).about.name
    own = getattr(tree, "name", None)
    return own if isinstance(own, str) and is_name(own) and own != PLACES else "data"


def _is_several(tree: Any) -> bool:
    """Return whether `tree` is a mapping of several trees; xarray's own mappings are one tree each."""
    return isinstance(tree, Mapping) and not isinstance(tree, (xr.Dataset, xr.DataTree))
