"""The ASGI application: routes and the middleware around them."""

from __future__ import annotations

import asyncio
import errno
import logging
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from mandeldask.web.browser.application import Browser
from mandeldask.web.catalog import FINGERPRINT_DIGITS, Catalog
from mandeldask.web.cluster import Cluster
from mandeldask.web.cors import Cors
from mandeldask.web.cutoff import CutOff
from mandeldask.web.encodings import formats_of
from mandeldask.web.hardening import Hardened
from mandeldask.web.hosts import ANY, Hosts
from mandeldask.web.keys import ApiKeys, KeyFile
from mandeldask.web.messages import as_json, problem
from mandeldask.web.metrics import Metrics, Observe
from mandeldask.web.mounting import Mounted, Split
from mandeldask.web.names import readable
from mandeldask.web.pages import Viewer
from mandeldask.web.settings import Settings
from mandeldask.web.shares import Shares
from mandeldask.web.zarr import Zarr, other_method
from mandeldask.zarrview.cache import TileCache
from mandeldask.zarrview.cache_file import CacheFile
from mandeldask.zarrview.imaged import Making, images_of
from mandeldask.zarrview.level_storage import levels_cache_in
from mandeldask.zarrview.nodes import checked_name, member
from mandeldask.zarrview.pool import Pool
from mandeldask.zarrview.view import ZarrView

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

    from mandeldask.web.messages import Reply
    from mandeldask.zarrview.nodes import Node

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Application:
    """An ASGI 3 application, with the parts that its owner may inspect."""

    asgi: ASGIApp
    """The whole application, including the middleware."""
    catalog: Catalog
    """The trees that it serves."""
    metrics: Metrics
    """Its metrics."""
    settings: Settings
    """Its settings."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self.asgi(scope, receive, send)

    def path(self, format: Literal["v2", "v3"] = "v3", name: str | None = None, *, pinned: bool = False) -> str:  # noqa: A002
        """Return the URL path of a tree's root group; see `mandeldask.web.serving.Handle.url`."""
        names = self.catalog.names
        if format not in {"v2", "v3"} or (name is not None and name not in names):
            msg = (
                f"this server has the formats v2 and v3 of {', '.join(names) or 'one tree'}, but not {format} of {name}"
            )
            raise ValueError(msg)
        if not names:
            return f"/zarr/{format}"
        name = name or names[0]
        stem = self.catalog.pinned(name, int(format[1:])) if pinned else name
        return f"/zarr/{format}/{quote(stem)}.zarr"


def create_app(
    trees: Mapping[str, Any],
    *,
    root: Any = None,
    settings: Settings | None = None,
    places: Callable[[str], Node] | None = None,
    level_seconds: float = inf,
) -> Application:
    """Return the application that serves `trees`, or `root`, as Zarr v2 and v3.

    Parameters
    ----------
    trees : mapping of str to tree
        Trees by name, of any kind that `mandeldask.zarrview.nodes.as_node` knows.
    root : tree, optional
        A tree to serve as ``/zarr/v2`` and ``/zarr/v3`` itself, if there are no `trees`.
    settings : Settings, optional
        API keys, origins, limits.
    places : callable, optional
        Makes the tree of any place from its spec, for ``/zarr/v3/at/<spec>.zarr``. Raises LookupError if the spec is
        not canonical, PermissionError if the place exceeds the limits.
    level_seconds : float
        Seconds that computing a chunk of a coarser image level may take. After that the reply is 503; the next
        request for the chunk continues the computation.

    Raises
    ------
    TypeError, ValueError
        If a tree cannot be served, or if its name cannot be part of a URL.
    """
    settings = settings or Settings()
    shares = Shares(settings.client_seconds or 0.0)
    cache, pool, metrics = TileCache(settings.cache_bytes), _pool(settings, shares), Metrics()
    file = _cache_file(settings)
    cluster = Cluster(settings.scheduler) if settings.scheduler else None
    formats = formats_of(settings.codecs)

    # Clients choose the places, so these have a queue of their own.
    places_pool = pool.sibling(settings.threads, settings.queue) if places else pool

    def computed(node: Node) -> Node:
        return node if cluster is None else cluster.over(node)

    def view(
        node: Node, number: int, name: str | None = None, *, place: bool = False, is_computed: bool = False
    ) -> ZarrView:
        source, queue = node if is_computed else computed(node), places_pool if place else pool
        make = partial(ZarrView, source, formats[number], cache=cache, pool=queue, at=name or "")
        if name is None or file is None:  # places are not cached on disk: clients could fill it
            return make()
        kept = make()
        content = kept.content[:FINGERPRINT_DIGITS] if kept.is_fixed else "changing"  # a folder for each tree
        return make(directory=file.below(f"v{number}/{name}-{content}"))

    nodes = {checked_name(name): member(name, partial(readable, tree)) for name, tree in trees.items()}
    own = None if root is None else readable(root)
    known = None if file is None else levels_cache_in(file)
    making = Making(settings.pyramid, known, level_seconds)

    def images(node: Node) -> Node:  # workers read, levels are made here: each block is read once for all of them
        return images_of(computed(node), making)

    catalog = Catalog(
        nodes,
        view,
        places=places,
        open_places=settings.max_places,
        place_bytes=settings.place_bytes,
        images=None if settings.pyramid == "none" else images,
        root=own,
    )
    for path, reason in catalog.skipped().items():
        log.warning("%s is left out: %s", path, reason)
    metrics.watch(cache, frozenset({pool, places_pool}))
    routes = _routes(Zarr(catalog, shares), metrics, pool, cluster)
    return Application(_wrapped(routes, settings, metrics), catalog, metrics, settings)


def _wrapped(routes: ASGIApp, settings: Settings, metrics: Metrics) -> ASGIApp:
    """Return the routes inside all middleware: refusals are counted, and other origins can read them."""
    file = KeyFile(settings.api_keys_file) if settings.api_keys_file else None
    app: ASGIApp = CutOff(ApiKeys(routes, settings.api_keys, file))
    if ANY not in settings.allowed_hosts:
        app = Hosts(app, settings.allowed_hosts)
    if settings.allow_origins:
        app = Cors(app, settings.allow_origins)
    return Mounted(Observe(Hardened(app, settings.allow_origins), metrics))


def _cache_file(settings: Settings) -> CacheFile | None:
    """Return the persistent cache; raise ValueError if its folder does not exist and cannot be created."""
    if settings.cache_dir is None:
        return None
    try:
        settings.cache_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:  # on a full disk it warns and goes on
            msg = f"cache_dir {settings.cache_dir} cannot be a folder: {error.strerror}"
            raise ValueError(msg) from error
    return CacheFile(settings.cache_dir, settings.cache_dir_bytes)


def _pool(settings: Settings, shares: Shares) -> Pool:
    """Return threads that run at a lower priority than the event loop: a health check must not wait for kernels."""
    return Pool(settings.threads, settings.queue, niceness=5, charge=shares.charge)


def _routes(zarr: Zarr, metrics: Metrics, pool: Pool, cluster: Cluster | None) -> ASGIApp:
    viewer, browser = Viewer(), Browser(zarr.catalog)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        warming = asyncio.create_task(asyncio.to_thread(zarr.catalog.warm))
        yield
        await asyncio.gather(warming, return_exceptions=True)  # an error here also occurs in the request, which logs it
        pool.shutdown(wait=False, cancel_futures=True)
        if cluster is not None:
            await asyncio.to_thread(cluster.close)

    app = Starlette(
        routes=[
            Mount("/browse-files", browser),
            Route("/healthz", Answer(lambda: as_json({"status": "ok"}))),
            Route("/readyz", Answer(partial(_ready, cluster), blocks=cluster is not None)),
            Route("/metrics", Answer(metrics.reply, whole=True)),
            Mount("/viewer", viewer),
            Route("/viewer", viewer),
            Route("/", viewer if zarr.catalog.has_set else browser),
        ],
        exception_handlers={HTTPException: _http_error, Exception: _fault},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # a redirect would cost one more request for every open
    return Split("/zarr", zarr, Split("/browse", browser, app))


@dataclass(frozen=True, slots=True)
class Answer:
    """ASGI app of one path that answers GET and HEAD at once."""

    reply: Callable[[], Reply]
    """Returns the reply."""
    blocks: bool = False
    """Whether `reply` may block and must run in a thread."""
    whole: bool = False
    """Whether the page is about all trees, so that keys for some trees only may not read it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Answer one request."""
        method = scope["method"]
        scope["observation"].route = "health"
        if method not in {"GET", "HEAD"}:
            reply = other_method(method)
        elif self.whole and scope["auth"].trees is not None:
            reply = problem(403, "this API key opens only some trees, and this page shows all of them")
        else:
            reply = await asyncio.to_thread(self.reply) if self.blocks else self.reply()
        await reply.send(send, head=method == "HEAD")


def _ready(cluster: Cluster | None) -> Reply:
    if cluster is not None and not cluster.ready:
        return problem(503, f"the cluster at {cluster.address} does not answer or has no workers; try again later")
    return as_json({"status": "ready"})


def _http_error(_: Request, error: Exception) -> Response:
    """Return an error of the router's as JSON."""
    status, detail = (error.status_code, error.detail) if isinstance(error, HTTPException) else (500, "error")
    headers = {"cache-control": "no-store", **(getattr(error, "headers", None) or {})}
    return JSONResponse({"detail": detail}, status, headers=headers)


def _fault(_: Request, __: Exception) -> Response:
    """Return an internal error as JSON; Starlette raises it again, so that the log has the traceback."""
    return JSONResponse(
        {"detail": "an internal error occurred; see the server's log"}, 500, headers={"cache-control": "no-store"}
    )
