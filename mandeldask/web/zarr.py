"""The Zarr routes: documents, chunks and listings of every tree in both formats."""

from __future__ import annotations

import hashlib
import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mandeldask.budget import BudgetExceeded, Unfinished
from mandeldask.cancellation import Cancelled
from mandeldask.web.directory_page import HTML, page
from mandeldask.web.disconnects import ClientGone, while_connected
from mandeldask.web.keys import PUBLIC, redacted
from mandeldask.web.messages import Later, Refusal, Reply, Request, problem
from mandeldask.web.representation import Lifetime, Representation
from mandeldask.web.shares import client_of
from mandeldask.web.urgency import urgency, urgency_of
from mandeldask.zarrview.entries import Chunk, Document
from mandeldask.zarrview.nodes import Changed
from mandeldask.zarrview.pool import Busy, client

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from starlette.types import Receive, Scope, Send

    from mandeldask.web.catalog import Catalog, Found
    from mandeldask.web.keys import Grant
    from mandeldask.web.shares import Shares
    from mandeldask.zarrview.view import ZarrView

log = logging.getLogger(__name__)

ALLOW = ("allow", "GET, HEAD, OPTIONS")
_FORMATS = {"v2": 2, "v3": 3}

MOST_KNOWN = 1000
"""Number of chunks whose lookups are cached."""

RETRY_AFTER_S = 1
"""Retry-After of refused requests, in seconds."""


@dataclass(frozen=True, slots=True)
class Zarr:
    """ASGI app of ``/zarr/v2`` and ``/zarr/v3``."""

    catalog: Catalog
    """The trees."""
    shares: Shares
    """The CPU shares of the clients."""
    _known: dict[tuple[int, str], tuple[ZarrView, Chunk, Representation]] = field(default_factory=dict, init=False)
    """Cache of lookups of public chunks in named trees that never change: it halves the time of a request."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            msg = f"this application supports HTTP only, not {scope['type']}"
            raise RuntimeError(msg)
        if scope["method"] not in {"GET", "HEAD"}:
            await other_method(scope["method"]).send(send)
            return
        request = Request.of(scope)
        try:
            reply = await self._reply(request, scope, receive)
        except Refusal as refusal:
            reply = refusal.reply
        except ClientGone:
            return
        except Exception:
            log.exception("%s failed", redacted(request.path))
            reply = problem(500, "an internal error occurred; see the server's log")
        await reply.send(send, head=request.method == "HEAD")

    async def _reply(self, request: Request, scope: Scope, receive: Receive) -> Reply:
        root, _, path = request.path[len("/zarr/") :].partition("/")
        raw_path = scope.get("raw_path") or b""
        if root not in _FORMATS or (
            b"%" in raw_path and b"%2f" in raw_path.lower()
        ):  # this path would be an alias of /
            raise Refusal(404, "there are only /zarr/v2 and /zarr/v3")
        try:
            return await self._found(request, _FORMATS[root], path, scope, receive)
        except Changed:  # the current content may be read
            pass
        try:
            return await self._found(request, _FORMATS[root], path, scope, receive)
        except Changed as error:
            raise Refusal(503, str(error), ("retry-after", str(RETRY_AFTER_S))) from None

    async def _found(self, request: Request, number: int, path: str, scope: Scope, receive: Receive) -> Reply:
        """Return the reply for the group, array, document or chunk at `path`."""
        grant: Grant = scope["auth"]
        client.set(client_of(scope, grant.holder))  # for the places opened and chunks computed
        observation = scope["observation"]
        known = self._known.get((number, path)) if grant is PUBLIC else None
        if known is not None:
            observation.route = "chunk"
            return await self._chunk(request, *known, receive)
        found = await self.catalog.find(number, path, grant, receive)
        entry = await found.view.lookup(found.key)
        if isinstance(entry, Document):
            observation.route = "document"
            shown = _representation(found, entry, grant)
            return shown.decided(request) or shown.reply(request, entry.content)
        if isinstance(entry, Chunk):
            observation.route = "chunk"
            shown = _representation(found, entry, grant)
            if grant is PUBLIC and entry.is_fixed and found.lifetime is Lifetime.REVALIDATE:
                self._remember((number, path), (found.view, entry, shown))
            return await self._chunk(request, found.view, entry, shown, receive)
        observation.route = "listing"
        return await _listing(request, found, grant)

    def _remember(self, name: tuple[int, str], known: tuple[ZarrView, Chunk, Representation]) -> None:
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[name] = known

    async def _chunk(
        self, request: Request, view: ZarrView, chunk: Chunk, shown: Representation, receive: Receive
    ) -> Reply:
        """Return the reply for a chunk. It is computed unless a precondition decides; a disconnect cancels it."""
        decided = shown.decided(request)
        if decided is not None:
            return decided
        began = time.perf_counter()
        urgency.set(urgency_of(request.headers))  # for a computation that starts here
        body = view.ask(chunk)
        if not isinstance(body, bytes):
            with body as seat:
                self._check_share()
                body = await _computed(request, view.result_of(chunk, seat), receive)
        milliseconds = (time.perf_counter() - began) * 1000
        return shown.reply(request, body, ("server-timing", f"chunk;dur={milliseconds:.1f}"))

    def _check_share(self) -> None:
        """Raise a refusal if the client has used its share of the CPUs."""
        wait_s = self.shares.wait_s(client.get())
        if wait_s:
            msg = f"you have used your {self.shares.seconds:g} CPU seconds per minute on this server; try again later"
            raise Later(msg, wait_s, 429)


def _representation(found: Found, entry: Document | Chunk, grant: Grant) -> Representation:
    return Representation(found.view.etag(entry).strip('"'), entry.media_type, found.lifetime, grant.private)


async def _computed(request: Request, work: Coroutine[Any, Any, bytes], receive: Receive) -> bytes:
    """Return the bytes of a chunk that is not cached.

    Failures are never 404, which clients would read as the fill value.
    """
    try:
        return await while_connected(work, receive)
    except (ClientGone, Changed):
        raise
    except Unfinished as error:
        raise Later(str(error), RETRY_AFTER_S) from None
    except BudgetExceeded as error:
        raise Refusal(403, str(error)) from None
    except (Busy, Cancelled) as error:
        raise Later(str(error), getattr(error, "wait_s", RETRY_AFTER_S)) from None
    except Exception:
        log.exception("computing %s failed", redacted(request.path))
        raise Refusal(500, "computing this chunk failed; see the server's log") from None


async def _listing(request: Request, found: Found, grant: Grant) -> Reply:
    """Return the listing of a group or array; the trailing slash is optional."""
    names = await found.view.names_at(found.key.removesuffix("/"))
    if not names:
        raise Refusal(404, "there is no group or array of this name")
    body = page(request.path, names)
    shown = Representation(hashlib.sha256(body).hexdigest()[:32], HTML, found.lifetime, grant.private)
    return shown.decided(request) or shown.reply(request, body)


def other_method(method: str) -> Reply:
    """Return the reply to a method other than GET and HEAD."""
    if method == "OPTIONS":
        return Reply(204, (ALLOW,))
    return problem(405, f"{method} is not allowed: the data is read-only", ALLOW)
