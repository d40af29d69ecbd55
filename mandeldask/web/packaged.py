"""The files of web pages, served from the package itself, without a CDN."""

from __future__ import annotations

import hashlib
import mimetypes
import re
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from mandeldask.web.messages import Refusal
from mandeldask.web.representation import Lifetime

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from importlib.resources.abc import Traversable

_NAME = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*", re.ASCII)


@dataclass(frozen=True, slots=True)
class File:
    """One file, ready to send."""

    content: bytes
    """Its bytes."""
    media_type: str
    """Its Content-Type."""
    lifetime: Lifetime = Lifetime.REVALIDATE
    """How long a cache may use it."""

    @property
    def etag(self) -> str:
        """Strong ETag, without quotes."""
        return hashlib.sha256(self.content).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of files in the package ``mandeldask.web``."""

    path: str
    """Path of the folder, such as ``viewer`` or ``browser/files``."""
    shared: str = ""
    """Another folder whose modules these files import, such as ``viewer/vendor``; it appears as a folder inside this
    one."""

    def files(self) -> Mapping[str, File]:
        """Return every file in the folder by its path. Lookups in a dictionary cannot leave the folder."""
        return _files(self.path, self.shared)

    def fingerprint(self) -> str:
        """Return 16 hexadecimal digits of a hash of all files."""
        return _fingerprint(self)

    def file_at(self, path: str, whose: str) -> File:
        """Return a file by its path.

        Raises
        ------
        Refusal
            404 if there is no such file; the message contains `whose`.
        """
        file = self.files().get(path)
        if file is None:
            raise Refusal(404, f"{whose} no such file")
        return file


@cache
def _files(path: str, shared: str) -> Mapping[str, File]:
    folder = files("mandeldask.web")
    own = dict(_walk(folder.joinpath(path), ""))
    if not shared:
        return own
    inside = f"{shared.rpartition('/')[2]}/"
    outside = f'"{"../" * len(path.split("/"))}{shared}/'.encode()  # as modules at the top of the folder import it
    moved = {
        name: replace(file, content=file.content.replace(outside, f'"./{inside}'.encode()))
        for name, file in own.items()
    }
    return moved | dict(_walk(folder.joinpath(shared), inside))


@cache
def _fingerprint(folder: Folder) -> str:
    digest = hashlib.sha256()
    for name, file in sorted(folder.files().items()):
        digest.update(f"{name} {file.etag}\n".encode())
    return digest.hexdigest()[:16]


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, File]]:
    """Return the files of a folder and of its subfolders."""
    for item in folder.iterdir():
        if not _NAME.fullmatch(item.name):
            continue
        if item.is_dir():
            yield from _walk(item, f"{prefix}{item.name}/")
        else:
            yield f"{prefix}{item.name}", File(item.read_bytes(), _media_type(item.name))


def _media_type(name: str) -> str:
    if name.endswith((".js", ".mjs")):  # the system's table may differ, and modules need exactly this type
        return "text/javascript; charset=utf-8"
    guessed = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return f"{guessed}; charset=utf-8" if guessed.startswith("text/") else guessed
