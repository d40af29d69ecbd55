"""Scripts, styles and codecs of the pages, from the package: same origin, no CDN."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from mandeldask.web.messages import Refusal
from mandeldask.web.representation import Lifetime

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from importlib.resources.abc import Traversable

TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
}

POLICY = (
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'"
)
"""Nothing is fetched from anywhere else; zstd, blosc and lz4 are WebAssembly within their modules."""

SECURITY = (("content-security-policy", POLICY),)


@dataclass(frozen=True, slots=True)
class File:
    """One file, ready to be sent."""

    content: bytes
    media_type: str
    lifetime: Lifetime

    @property
    def etag(self) -> str:
        """Strong ETag, without quotes."""
        return hashlib.sha256(self.content).hexdigest()[:32]


@cache
def _files() -> Mapping[str, File]:
    """Return every file by its path; a dictionary cannot be talked into leaving its folder."""
    return dict(_walk(files("mandeldask.web.browser") / "files", ""))


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, File]]:
    for item in folder.iterdir():
        if item.is_dir():
            yield from _walk(item, f"{prefix}{item.name}/")
        elif (kind := TYPES.get(item.name[item.name.rfind(".") :])) is not None:
            yield f"{prefix}{item.name}", File(item.read_bytes(), kind, Lifetime.IMMUTABLE)


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for name, file in sorted(_files().items()):
        digest.update(f"{name} {file.etag}\n".encode())
    return digest.hexdigest()[:16]


FOLDER = f"browse-files/{_fingerprint()}/"
"""Where the files are, from the server's root: a URL that is never used for others."""


def file_at(path: str) -> File:
    """Return a file by its path.

    Raises
    ------
    Refusal
        404 if there is none.
    """
    file = _files().get(path)
    if file is None:
        raise Refusal(404, "the pages have no such file")
    return file
