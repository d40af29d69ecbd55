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
from mandeldask.zarrview.pool import Busy, asker

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
"""Chunks whose names are remembered."""

RETRY_AFTER_S = 1
"""Seconds after which a refused client may try again."""


@dataclass(frozen=True, slots=True)
class Zarr:
    """ASGI app of ``/zarr/v2`` and ``/zarr/v3``."""

    catalog: Catalog
    """The trees."""
    shares: Shares
    """What each client may have of the CPUs."""
    _known: dict[tuple[int, str], tuple[ZarrView, Chunk, Representation]] = field(default_factory=dict, init=False)
    """Public chunks asked for of late, in trees with a name that never change: looking them up takes half the time."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            msg = f"only HTTP is spoken here, not {scope['type']}"
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
            reply = problem(500, "the server failed; its log says why")
        await reply.send(send, head=request.method == "HEAD")

    async def _reply(self, request: Request, scope: Scope, receive: Receive) -> Reply:
        root, _, path = request.path[len("/zarr/") :].partition("/")
        raw_path = scope.get("raw_path") or b""
        if root not in _FORMATS or (b"%" in raw_path and b"%2f" in raw_path.lower()):  # it would be an alias of /
            raise Refusal(404, "there are only /zarr/v2 and /zarr/v3")
        try:
            return await self._found(request, _FORMATS[root], path, scope, receive)
        except Changed:  # what is there now may be read
            pass
        try:
            return await self._found(request, _FORMATS[root], path, scope, receive)
        except Changed as error:
            raise Refusal(503, str(error), ("retry-after", str(RETRY_AFTER_S))) from None

    async def _found(self, request: Request, number: int, path: str, scope: Scope, receive: Receive) -> Reply:
        """Return the reply for what is at `path` now."""
        grant: Grant = scope["auth"]
        asker.set(client_of(scope, grant.holder))  # for what is opened and computed
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
        """Return the reply for a chunk; computed only if no precondition decides it, and cancelled with its client."""
        decided = shown.decided(request)
        if decided is not None:
            return decided
        began = time.perf_counter()
        urgency.set(urgency_of(request.headers))  # for a computation that begins here
        body = view.ask(chunk)
        if not isinstance(body, bytes):
            with body as seat:
                self._check_share()
                body = await _computed(request, view.landed(chunk, seat), receive)
        milliseconds = (time.perf_counter() - began) * 1000
        return shown.reply(request, body, ("server-timing", f"chunk;dur={milliseconds:.1f}"))

    def _check_share(self) -> None:
        """Refuse a client that has used its share of the CPUs."""
        wait_s = self.shares.wait_s(asker.get())
        if wait_s:
            msg = f"you have used your {self.shares.seconds:g} CPU seconds a minute on this server"
            raise Later(msg, wait_s, 429)


def _representation(found: Found, entry: Document | Chunk, grant: Grant) -> Representation:
    return Representation(found.view.etag(entry).strip('"'), entry.media_type, found.lifetime, grant.private)


async def _computed(request: Request, work: Coroutine[Any, Any, bytes], receive: Receive) -> bytes:
    """Return the bytes of a chunk that is not cached. A failure is never a 404: clients read that as the fill value."""
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
        raise Refusal(500, "computing this chunk failed; the server's log says why") from None


async def _listing(request: Request, found: Found, grant: Grant) -> Reply:
    """Return the names right below a group or array, asked for with or without the trailing slash."""
    names = await found.view.names_at(found.key.removesuffix("/"))
    if not names:
        raise Refusal(404, "there is nothing of this name")
    body = page(request.path, names)
    shown = Representation(hashlib.sha256(body).hexdigest()[:32], HTML, found.lifetime, grant.private)
    return shown.decided(request) or shown.reply(request, body)


def other_method(method: str) -> Reply:
    """Return the reply to a method that reads nothing."""
    if method == "OPTIONS":
        return Reply(204, (ALLOW,))
    return problem(405, f"{method} is not allowed: the data is read-only", ALLOW)
