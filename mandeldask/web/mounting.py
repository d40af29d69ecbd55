"""Run an application below a path prefix: in another application, with `--root-path`, or behind a proxy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from mandeldask.web.messages import Reply

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


@dataclass(frozen=True, slots=True)
class Mounted:
    """Outermost ASGI middleware: remove the prefix at which the application is mounted from all paths.

    Replies contain no absolute paths, so they do not depend on the prefix. A proxy that removes the prefix itself needs
    no setting.
    """

    app: ASGIApp
    """The inner app."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with the path inside the application."""
        if scope["type"] != "http" or not scope.get("root_path"):
            await self.app(scope, receive, send)
            return
        inner = below(scope)
        if inner["path"]:
            await self.app(inner, receive, send)
            return
        place = quote(scope["path"].rpartition("/")[2]) + "/"  # links in the page are relative to the slash
        await Reply(307, (("location", place), ("cache-control", "no-store"))).send(send)


def below(scope: Scope) -> Scope:
    """Return the scope of a request without the prefix of the mount.

    Examples
    --------
    >>> below({"root_path": "/data", "path": "/data/zarr/v3", "raw_path": b"/data/zarr/v3"})
    {'root_path': '', 'path': '/zarr/v3', 'raw_path': b'/zarr/v3'}
    """
    root, path, raw = scope["root_path"].rstrip("/"), scope["path"], scope.get("raw_path") or b""
    if path != root and not path.startswith(root + "/"):  # a server or proxy removed the prefix
        return {**scope, "root_path": ""}
    parts = raw.split(b"/", root.count("/") + 1)
    raw = b"/" + parts[-1] if len(parts) > root.count("/") + 1 else b""
    return {**scope, "root_path": "", "path": path[len(root) :], "raw_path": raw}


@dataclass(frozen=True, slots=True)
class Split:
    """ASGI app that sends all paths below a prefix, with any characters, to one app and the rest to another."""

    prefix: str
    """Such as ``/zarr``."""
    inside: ASGIApp
    """App for the prefix and all paths below; it receives whole paths."""
    otherwise: ASGIApp
    """App for all other paths, and for events that are not requests."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        below_prefix = scope["type"] == "http" and (scope["path"] + "/").startswith(self.prefix + "/")
        await (self.inside if below_prefix else self.otherwise)(scope, receive, send)
