"""The ASGI application of ``/browse``: a page for every served group and array, from its Zarr documents."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from html import escape
from math import ceil
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote

from mandeldask.multiscales import dimensions
from mandeldask.web.browser import html
from mandeldask.web.browser.items import Item, below, is_in_levels, item_at, members_of, names_in
from mandeldask.web.browser.searching import search
from mandeldask.web.catalog import IMAGES
from mandeldask.web.messages import Refusal, Reply, Request
from mandeldask.web.packaged import Folder
from mandeldask.web.representation import Lifetime, Representation
from mandeldask.web.zarr import other_method

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import Receive, Scope, Send

    from mandeldask.web.browser.searching import Matches
    from mandeldask.web.catalog import Catalog, Found
    from mandeldask.web.keys import Grant

FILES = Folder("browser/files", shared="viewer/vendor")

SCRIPT = "page.js"
"""The script module of every page."""

POLICY = (
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'"
)
"""The pages load nothing from other hosts. 'wasm-unsafe-eval': the zstd, blosc and lz4 modules contain WebAssembly."""

SECURITY = (("content-security-policy", POLICY),)

ROWS = 100
"""Largest number of members on a page; each is opened to describe it."""

THUMBNAIL_BYTES = 2**24
"""Largest number of bytes read for a thumbnail of an image for which the server makes no coarser levels."""


@dataclass(frozen=True, slots=True)
class Browser:
    """ASGI app of ``/browse/<path>`` and of the files of its pages."""

    catalog: Catalog
    """The trees."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Answer one request."""
        scope["observation"].route = "viewer"
        request = Request.of(scope)
        try:
            reply = await self._reply(request, scope)
        except Refusal as refusal:
            reply = _refused(request, refusal)
        await reply.send(send, head=request.method == "HEAD")

    async def _reply(self, request: Request, scope: Scope) -> Reply:
        if request.method not in {"GET", "HEAD"}:
            return other_method(request.method)
        if request.path.startswith("/browse-files/"):
            file = FILES.file_at(request.path.removeprefix(f"/{_folder()}"), "the pages have")
            shown = Representation(file.etag, file.media_type, Lifetime.IMMUTABLE, private=False)
            return (shown.decided(request) or shown.reply(request, file.content)).plus(*SECURITY)
        names = html.segments(request.path.removeprefix("/browse"))
        query = {
            name: values[-1] for name, values in parse_qs(scope.get("query_string", b"").decode("latin-1")).items()
        }
        base = _base(request, scope)
        body = await self._page(names, request.path, query, base, scope["auth"])
        shown = Representation(
            hashlib.sha256(body).hexdigest()[:32], html.HTML, Lifetime.REVALIDATE, scope["auth"].private
        )
        return (shown.decided(request) or shown.reply(request, body)).plus(*SECURITY)

    async def _page(self, names: list[str], path: str, query: dict[str, str], base: str, grant: Grant) -> bytes:
        """Return the page of a node."""
        root = "../" * (path.count("/") - 1) or "./"
        if not names:
            _check_key(grant)
        found = await self.catalog.find(3, "/".join(names), grant)
        item = await item_at(found, found.key, names[-1] if names else "")
        if item is None:
            raise Refusal(404, "there is no group or array of this name")
        place = Place(found, tuple(names), root, base)
        if item.is_group:
            return await self._group(place, item, await names_in(found, found.key), query)
        image = await self._image(found, found.key, names) if item.draws else ""
        return _array(place, item, await _coordinates(place, item), image)

    async def _group(self, place: Place, item: Item, names: Sequence[str], query: dict[str, str]) -> bytes:
        """Return the page of a group, or of the server's root."""
        wanted = query.get("q", "").strip()
        found = await search(place.found, names, wanted) if wanted else None
        chosen = names if found is None else found.paths
        pages = max(1, ceil(len(chosen) / ROWS))
        number = min(max(1, int(query["page"]) if query.get("page", "").isdecimal() else 1), pages)
        shown = chosen[(number - 1) * ROWS : number * ROWS]
        items = await members_of(place.found, place.found.key, shown)
        thumbnails = {each.name: await self._thumbnail(place, each) for each in items}
        prefix = f"{place.root}browse/{''.join(quote(name, safe='') + '/' for name in place.names)}"
        table = html.table_of(items, prefix, thumbnails)
        body = [
            html.breadcrumbs(place.root, place.names),
            '<main class="group">',
            self._levels(place, item),
            f"<h1>{escape(place.title)}</h1>",
            _search(wanted, len(names), found),
            table if items else '<p class="empty">Nothing here.</p>',
            _pages(number, pages, wanted),
            self._rows(place, items) if found is None else "",
            html.attributes_of(item.attrs),
            html.addresses(place.base, place.root, place.zarr, "", item),
            "</main>",
        ]
        return html.page(f"{place.title} · mandeldask", place.root, _folder(), "\n".join(body), SCRIPT)

    @staticmethod
    def _levels(place: Place, item: Item) -> str:
        """Return the HTML element in which a script draws a group that is itself a multiscale image."""
        paths = list(dimensions(item.attrs))
        if not paths:
            return ""
        url = f"{place.root}zarr/v3/{place.zarr}"
        values = {"zarr": f"{url}/{paths[0]}", "levels": url, "kind": "image", "coordinates": ""}
        return f'<section id="view" class="view" {html.data(values)}></section>'

    async def _thumbnail(self, place: Place, item: Item) -> dict[str, str]:
        """Return the location of a member's thumbnail for the script that draws it; empty if it is not drawn."""
        names = (*place.names, *item.name.split("/"))
        url = f"{place.root}zarr/v3/"
        if item.kind != "image":
            return {}
        if item.is_group:  # an image with its own levels
            return {"levels": f"{url}{html.as_url(names)}"}
        if item.is_large and (image := await self._image(place.found, below(place.found.key, item.name), names)):
            return {"levels": f"{url}{image}"}
        read = item.nbytes if item.is_large else item.plane_nbytes
        return {"zarr": f"{url}{html.as_url(names)}"} if 0 < (read or 0) <= THUMBNAIL_BYTES else {}

    async def _image(self, found: Found, path: str, names: Sequence[str]) -> str:
        """Return the path, below ``zarr/v3/``, of the levels that the server makes of an array; "" if it makes none."""
        made = self.catalog.has_images and not await is_in_levels(found, path)
        return f"{IMAGES}/{html.as_url(names)}" if made else ""

    @staticmethod
    def _rows(place: Place, items: Sequence[Item]) -> str:
        """Return the HTML element for the rows of a table, if all columns have one length."""
        columns = [each for each in items if not each.is_group and len(each.shape) == 1]
        lengths = {each.shape for each in columns}
        if len(columns) < 2 or len(lengths) != 1 or len(columns) < len(items):  # noqa: PLR2004  at least two columns
            return ""
        data = {
            "zarr": f"{place.root}zarr/v3/{place.zarr}",
            "columns": " ".join(quote(each.name, safe="") for each in columns),
            "length": str(columns[0].shape[0]),
        }
        return f'<section id="rows" class="rows" {html.data(data)}><h2>Rows</h2></section>'


@dataclass(frozen=True, slots=True)
class Place:
    """The location of a page's node."""

    found: Found
    """The node's tree and its key there."""
    names: tuple[str, ...]
    """Name of the tree, followed by the names of the path to the node."""
    root: str
    """Relative URL of the server's root."""
    base: str
    """URL of the server's root from the client's point of view."""

    @property
    def title(self) -> str:
        """Title of the page."""
        return self.names[-1] if self.names else "What is served here"

    @property
    def zarr(self) -> str:
        """Path of the node below ``zarr/v3/``."""
        return html.as_url(self.names)


def _array(place: Place, item: Item, coordinates: Sequence[str], image: str) -> bytes:
    """Return the page of an array."""
    data = {
        "zarr": f"{place.root}zarr/v3/{place.zarr}",
        "levels": f"{place.root}zarr/v3/{image}" if image else "",
        "type": item.type_name,
        "coordinates": " ".join(quote(name, safe="") for name in coordinates),
        "kind": "text" if item.kind == "column" and not item.is_number else item.kind,
        "name": place.title,
    }
    shape = " × ".join(f"{size:,} {dim}".strip() for size, dim in item.sides) or "one value"
    facts = {"Shape": shape, "Type": item.type_name, "Chunks": " × ".join(map(str, item.chunks)), "Size": item.size}
    rows = "".join(f"<dt>{name}</dt><dd>{escape(text)}</dd>" for name, text in facts.items() if text)
    body = [
        html.breadcrumbs(place.root, place.names),
        '<main class="array">',
        f'<section id="view" class="view" {html.data(data)}>',
        "<noscript><p>Drawing it needs JavaScript.</p></noscript></section>",
        f'<section class="about"><h1>{escape(place.title)}</h1><dl class="facts">{rows}</dl></section>',
        html.attributes_of(item.attrs),
        html.addresses(place.base, place.root, place.zarr, image, item),
        "</main>",
    ]
    return html.page(f"{place.title} · mandeldask", place.root, _folder(), "\n".join(body), SCRIPT)


async def _coordinates(place: Place, item: Item) -> list[str]:
    """Return the names of the dimensions for which the array's group has a coordinate array."""
    above = place.found.key.rpartition("/")[0]
    found = []
    for size, dim in item.sides if item.draws and "/" in place.zarr else ():
        sibling = await item_at(place.found, f"{above}/{dim}" if above else dim, dim) if dim else None
        if sibling is not None and sibling.shape == (size,):
            found.append(dim)
    return found


def _folder() -> str:
    """Return the path of the static files below the server's root. It changes with their content."""
    return f"browse-files/{FILES.fingerprint()}/"


def _check_key(grant: Grant) -> None:
    """Refuse the page of all trees to clients without a key: for them it would be empty."""
    if grant.trees == frozenset():
        raise Refusal(401, "this server needs an API key: open this page at /key/YOUR-KEY/")


def _base(request: Request, scope: Scope) -> str:
    """Return the URL of the server's root without a proxy's prefix or a key, which a script adds."""
    host = request.headers.get("host", "localhost")
    return f"{scope.get('scheme', 'http')}://{host}/"


def _search(wanted: str, count: int, found: Matches | None) -> str:
    """Return the form that searches a group and all groups below it, with the results."""
    summary = f"{count:,} member{'s' * (count != 1)}"
    if found is not None:
        summary = f"{len(found.paths):,} found, here and below"
        summary += "" if found.whole else f"; only the first {found.opened:,} arrays and groups were searched"
    return (
        f'<form class="search" role="search"><label for="q">Search names</label> <input id="q" name="q" type="search" '
        f'value="{escape(wanted)}"> <button>Search</button> <span class="quiet" role="status">{summary}</span></form>'
    )


def _pages(number: int, pages: int, wanted: str) -> str:
    if pages == 1:
        return ""
    more = f"&q={quote(wanted)}" if wanted else ""
    before = html.link(f"?page={number - 1}{more}", "Previous", rel="prev") if number > 1 else ""
    after = html.link(f"?page={number + 1}{more}", "Next", rel="next") if number < pages else ""
    return f'<nav class="pages" aria-label="Pages">{before} <span>page {number} of {pages}</span> {after}</nav>'


def _refused(request: Request, refusal: Refusal) -> Reply:
    """Return an HTML page for an error, with the same status."""
    reply = refusal.reply
    root = "../" * (request.path.count("/") - 1) or "./"
    body = f"{html.breadcrumbs(root, ())}<main><h1>{reply.status}</h1><p>{escape(_detail(reply))}</p></main>"
    headers = tuple(pair for pair in reply.headers if pair[0] != "content-type")
    whole = html.page(f"{reply.status} · mandeldask", root, _folder(), body)
    return Reply(reply.status, (("content-type", html.HTML), *headers, *SECURITY), whole)


def _detail(reply: Reply) -> str:
    text = reply.body.decode()
    return text.partition('"detail": "')[2].removesuffix('"}') or text
