"""Requests that the server's own end cuts off: they get a reply that says so, and one line in the log."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mandeldask.web.keys import redacted
from mandeldask.web.messages import problem
from mandeldask.web.metrics import CLIENT_GONE

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CutOff:
    """ASGI middleware: 503 where the server cancels a request, as it does past the time that it has to finish."""

    app: ASGIApp
    """The app inside."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and answer it if that is cancelled."""
        try:
            await self.app(scope, receive, send)
        except asyncio.CancelledError:
            if scope["type"] != "http":
                raise
            log.warning("%s %r was cut off: the server stops", scope["method"], redacted(scope["path"]))
            if scope["observation"].status == CLIENT_GONE:
                stopping = problem(503, "the server is stopping", ("retry-after", "1"), ("connection", "close"))
                await stopping.send(send, head=scope["method"] == "HEAD")
