"""The viewer page and its files, from the package: same origin, no CDN."""

from __future__ import annotations

import hashlib
import mimetypes
import re
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from mandeldask.web.messages import Refusal, Reply, Request
from mandeldask.web.representation import Lifetime, Representation
from mandeldask.web.zarr import other_method

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from importlib.resources.abc import Traversable

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
        if request.path == "/viewer":  # URLs in the page are relative
            return Reply(308, (("location", "viewer/"),))
        try:
            file = _page("viewer/") if request.path == "/" else _file(request.path.removeprefix("/viewer/"))
        except Refusal as refusal:
            return refusal.reply
        shown = Representation(file.etag, file.media_type, file.lifetime, private=False)
        return (shown.decided(request) or shown.reply(request, file.content)).plus(POLICY)


@dataclass(frozen=True, slots=True)
class File:
    """One of the viewer's files, ready to be sent."""

    content: bytes
    """Its bytes."""
    media_type: str
    """Its Content-Type."""
    lifetime: Lifetime
    """How long a cache may use it."""

    @property
    def etag(self) -> str:
        """Strong ETag, without quotes."""
        return hashlib.sha256(self.content).hexdigest()[:32]


def _file(path: str) -> File:
    """Return one of the viewer's files: by its path, or by the fingerprint of them all and its path."""
    pinned, _, rest = path.partition("/")
    known = _files()
    if pinned == fingerprint() and rest in known:
        return replace(known[rest], lifetime=Lifetime.IMMUTABLE)
    if path in {"", "index.html"}:
        return _page("")
    if path not in known:
        raise Refusal(404, "the viewer has no such file")
    return known[path]


@cache
def _page(folder: str) -> File:
    """Return the page: files below `folder` by URLs that caches may keep for ever, modules asked for at once."""
    folder = f"{folder}{fingerprint()}/"
    modules = [name for name in _files() if name.endswith(".js") and not name.endswith("worker.js")]
    preloads = "".join(f'<link rel="modulepreload" href="{folder}{name}" />\n    ' for name in sorted(modules))
    page = _files()["index.html"]
    text = page.content.decode().replace('"viewer/', f'"{folder}')
    return replace(page, content=text.replace("<script", f"{preloads}<script", 1).encode())


@cache
def fingerprint() -> str:
    """Return 16 hexadecimal digits that only these very files have."""
    digest = hashlib.sha256()
    for name, file in sorted(_files().items()):
        digest.update(f"{name} {file.etag}\n".encode())
    return digest.hexdigest()[:16]


@cache
def _files() -> Mapping[str, File]:
    """Return every file of the viewer by its path; a dictionary cannot be talked into leaving its folder."""
    return dict(_walk(files("mandeldask.web") / "viewer", ""))


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, File]]:
    """Return the files of a folder and of those in it."""
    for item in folder.iterdir():
        if not _NAME.fullmatch(item.name):
            continue
        if item.is_dir():
            yield from _walk(item, f"{prefix}{item.name}/")
        else:
            yield f"{prefix}{item.name}", File(item.read_bytes(), _media_type(item.name), Lifetime.REVALIDATE)


def _media_type(name: str) -> str:
    if name.endswith((".js", ".mjs")):  # the system's table may say otherwise, and modules need it exact
        return "text/javascript; charset=utf-8"
    guessed = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return f"{guessed}; charset=utf-8" if guessed.startswith("text/") else guessed
