"""An application below a prefix of its own: in another application, behind `--root-path`, or behind a proxy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from mandeldask.web.messages import Reply

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


@dataclass(frozen=True, slots=True)
class Mounted:
    """ASGI middleware, outermost: everything inside sees paths without the prefix that the application is mounted at.

    Replies hold no absolute path, so they need not know it. A proxy that takes a prefix off needs nothing at all.
    """

    app: ASGIApp
    """The app inside."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with the path that the application has for it."""
        if scope["type"] != "http" or not scope.get("root_path"):
            await self.app(scope, receive, send)
            return
        inner = below(scope)
        if inner["path"]:
            await self.app(inner, receive, send)
            return
        place = quote(scope["path"].rpartition("/")[2]) + "/"  # links of the page are relative to it
        await Reply(307, (("location", place), ("cache-control", "no-store"))).send(send)


def below(scope: Scope) -> Scope:
    """Return the scope of a request without the prefix that it is mounted at.

    Examples
    --------
    >>> below({"root_path": "/data", "path": "/data/zarr/v3", "raw_path": b"/data/zarr/v3"})
    {'root_path': '', 'path': '/zarr/v3', 'raw_path': b'/zarr/v3'}
    """
    root, path, raw = scope["root_path"].rstrip("/"), scope["path"], scope.get("raw_path") or b""
    if path != root and not path.startswith(root + "/"):  # a server or proxy took the prefix off
        return {**scope, "root_path": ""}
    parts = raw.split(b"/", root.count("/") + 1)
    raw = b"/" + parts[-1] if len(parts) > root.count("/") + 1 else b""
    return {**scope, "root_path": "", "path": path[len(root) :], "raw_path": raw}


@dataclass(frozen=True, slots=True)
class Split:
    """ASGI app: one app for all paths below a prefix, with any characters, and another for the rest."""

    prefix: str
    """Such as ``/zarr``."""
    inside: ASGIApp
    """App of the prefix and what is below; it sees whole paths."""
    otherwise: ASGIApp
    """App of everything else, and of what is no request."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        below_prefix = scope["type"] == "http" and (scope["path"] + "/").startswith(self.prefix + "/")
        await (self.inside if below_prefix else self.otherwise)(scope, receive, send)
