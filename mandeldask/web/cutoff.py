"""Reply to requests that a stopping server cancels, and log one line for each."""

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
    """ASGI middleware: status 503 if the server cancels a request because its time to shut down is over."""

    app: ASGIApp
    """The inner app."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; reply with 503 if it is cancelled."""
        try:
            await self.app(scope, receive, send)
        except asyncio.CancelledError:
            if scope["type"] != "http":
                raise
            log.warning("%s %r was cut off: the server stops", scope["method"], redacted(scope["path"]))
            if scope["observation"].status == CLIENT_GONE:
                stopping = problem(503, "the server is stopping", ("retry-after", "1"), ("connection", "close"))
                await stopping.send(send, head=scope["method"] == "HEAD")
