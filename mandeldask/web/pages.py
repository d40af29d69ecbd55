"""The viewer page and its files."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from mandeldask.web.messages import Refusal, Reply, Request
from mandeldask.web.packaged import File, Folder
from mandeldask.web.representation import Lifetime, Representation
from mandeldask.web.zarr import other_method

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

VIEWER = Folder("viewer")

POLICY = (
    "content-security-policy",
    "default-src 'self'; img-src 'self' data: blob:; worker-src 'self' blob:; connect-src 'self'; base-uri 'none'",
)
"""Content-Security-Policy of the page: it loads from this server only."""

WORKER = "data/worker.js"
"""Path of the worker, the module that decodes chunks."""

WORKER_POLICY = (POLICY[0], f"{POLICY[1]}; script-src 'self' 'wasm-unsafe-eval'")
"""Content-Security-Policy of the worker: only it runs WebAssembly (zstd, blosc and lz4)."""


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
        if request.path == "/viewer":  # the page has relative URLs
            return Reply(308, (("location", "viewer/"),))
        try:
            file = _page("viewer/") if request.path == "/" else _file(request.path.removeprefix("/viewer/"))
        except Refusal as refusal:
            return refusal.reply
        shown = Representation(file.etag, file.media_type, file.lifetime, private=False)
        policy = WORKER_POLICY if request.path.endswith(f"/{WORKER}") else POLICY
        return (shown.decided(request) or shown.reply(request, file.content)).plus(policy)


def _file(path: str) -> File:
    """Return one of the viewer's files, by its path, with or without the fingerprint of all files before it."""
    pinned, _, rest = path.partition("/")
    if pinned == VIEWER.fingerprint() and rest in VIEWER.files():
        return replace(VIEWER.files()[rest], lifetime=Lifetime.IMMUTABLE)
    if path in {"", "index.html"}:
        return _page("")
    return VIEWER.file_at(path, "the viewer has")


@cache
def _page(folder: str) -> File:
    """Return the page, with preloaded modules and permanent URLs of files below `folder`."""
    pinned = f"{folder}{VIEWER.fingerprint()}/"
    modules = [name for name in VIEWER.files() if name.endswith(".js") and not _is_late(name)]
    preloads = "".join(f'<link rel="modulepreload" href="{pinned}{name}" />\n    ' for name in sorted(modules))
    page = VIEWER.files()["index.html"]
    text = page.content.decode().replace('"viewer/', f'"{pinned}')
    if not folder:
        text = text.replace('"browse/', '"../browse/')
    return replace(page, content=text.replace("<script", f"{preloads}<script", 1).encode())


def _is_late(name: str) -> bool:
    """Return whether a module is loaded later: by the worker, or for the first chunk with its codec."""
    return name == WORKER or name.startswith("vendor/numcodecs-")
