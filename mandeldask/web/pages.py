"""The viewer page and its files, from the package: same origin, no CDN."""

from __future__ import annotations

import hashlib
import mimetypes
import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from mandeldask.web.messages import Refusal, Reply, Request
from mandeldask.web.representation import Lifetime, Representation
from mandeldask.web.zarr import other_method

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

_NAME = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*", re.ASCII)

POLICY = (
    "content-security-policy",
    "default-src 'self'; img-src 'self' data: blob:; worker-src 'self' blob:; connect-src 'self'; base-uri 'none'",
)
"""What the page may load: from this server only."""


class Viewer:
    """ASGI app of ``/`` and ``/viewer/<file>``."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Answer one request."""
        scope["observation"].route = "viewer"
        request = Request.of(scope)
        await self._reply(request).send(send, head=request.method == "HEAD")

    @staticmethod
    def _reply(request: Request) -> Reply:
        if request.method not in {"GET", "HEAD"}:
            return other_method(request.method)
        try:
            content, media_type = _file(request.path.removeprefix("/viewer").removeprefix("/") or "index.html")
        except Refusal as refusal:
            return refusal.reply
        etag = hashlib.sha256(content).hexdigest()[:32]
        shown = Representation(etag, media_type, Lifetime.REVALIDATE, private=False)
        return (shown.decided(request) or shown.reply(request, content)).plus(POLICY)


def _file(name: str) -> tuple[bytes, str]:
    """Return the content and media type of one of the viewer's files."""
    known = _files()
    if name not in known:
        raise Refusal(404, "the viewer has no such file")
    return known[name]


@cache
def _files() -> dict[str, tuple[bytes, str]]:
    """Return every file of the viewer; a dictionary cannot be talked into leaving its folder."""
    folder = files("mandeldask.web") / "viewer"
    return {
        item.name: (item.read_bytes(), _media_type(item.name))
        for item in folder.iterdir()
        if _NAME.fullmatch(item.name) and item.is_file()
    }


def _media_type(name: str) -> str:
    if name.endswith((".js", ".mjs")):  # the system's table may say otherwise, and modules need it exact
        return "text/javascript; charset=utf-8"
    guessed = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return f"{guessed}; charset=utf-8" if guessed.startswith("text/") else guessed
