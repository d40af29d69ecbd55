"""Replies of an ASGI application without a port: requests come through the notebook's own channel."""

from __future__ import annotations

import asyncio
import logging
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message


log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """The reply of an application."""

    status: int
    """HTTP status; 500 if the application failed."""
    body: bytes
    """The body."""


def ask(
    app: ASGIApp, target: str, answered: Callable[[Answer], object], byte_range: str | None = None
) -> Callable[[], object]:
    """Send a GET request to `app` in a separate thread, so that cells can run meanwhile.

    Parameters
    ----------
    app : ASGI application
        The application.
    target : str
        Path and query, such as ``/zarr/v3/data/c/0/0``.
    answered : callable
        Called with the Answer, in that thread; not called if the request was cancelled.
    byte_range : str, optional
        Value of the Range header.

    Returns
    -------
    callable
        Cancels the request, like a client that disconnects: computations for it stop.
    """
    loop, gone = _loop(), asyncio.Event()

    async def work() -> None:
        answer = await _answered(app, target, byte_range, gone)
        if not gone.is_set():
            answered(answer)

    asyncio.run_coroutine_threadsafe(work(), loop)
    return lambda: loop.call_soon_threadsafe(gone.set)


def answer_to(app: ASGIApp, target: str) -> Answer:
    """Return the reply to a GET request; `target` is its path and query."""
    answer: Future[Answer] = Future()
    ask(app, target, answer.set_result)
    return answer.result()


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """Return the event loop of the thread that handles the requests."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="mandeldask-notebook", daemon=True).start()
    return loop


async def _answered(app: ASGIApp, target: str, byte_range: str | None, gone: asyncio.Event) -> Answer:
    path, _, query = target.partition("?")
    headers = [(b"host", b"localhost")]
    if byte_range:
        headers.append((b"range", byte_range.encode("latin-1")))
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode("latin-1"),
        "query_string": query.encode("latin-1"),
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 0),
        "server": ("localhost", 80),
        "state": {},
    }
    status, parts, asked = 500, [], False

    async def receive() -> Message:
        nonlocal asked
        if asked:
            await gone.wait()
            return {"type": "http.disconnect"}
        asked = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status
        status = message.get("status", status)
        parts.append(message.get("body", b""))

    try:
        await app(scope, receive, send)
    except Exception:
        log.exception("%s failed", path)
    return Answer(status, b"".join(parts))
