"""Settings of a server, checked once; the messages say which values are accepted."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mandeldask.web.encodings import formats_of
from mandeldask.web.keys import ApiKey
from mandeldask.zarrview.cache_file import FOLDER_BYTES
from mandeldask.zarrview.imaged import PYRAMIDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_ORIGIN = re.compile(r"\*|null|[a-z][a-z0-9+.-]*://[^/\s,]+", re.ASCII)

_HOST = re.compile(r"\*|(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|[0-9a-f:.]*:[0-9a-f:.]*", re.ASCII)

_SCHEDULER = re.compile(r"[a-z]+://[^/\s]+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Settings of an application.

    Raises
    ------
    ValueError
        If a value is out of its range; the message names it.
    """

    api_keys: tuple[ApiKey, ...] = ()
    """API keys: every request needs one of them. Empty: everything is public."""
    api_keys_file: Path | None = None
    """File of more keys, one per line, read again when it changes. With a file nothing is public."""
    allowed_hosts: tuple[str, ...] = ("*",)
    """Accepted host names; ``*.example.org`` for all subdomains, ``*`` for all names."""
    allow_origins: tuple[str, ...] = ()
    """Origins whose pages may read replies; ``("*",)`` for all."""
    cache_bytes: int = 2**30
    """Size of the cache of encoded chunks in memory, in bytes."""
    cache_dir: Path | None = None
    """Folder of the persistent cache of chunks (one file), which all worker processes share."""
    cache_dir_bytes: int = FOLDER_BYTES
    """Greatest size of the persistent cache, in bytes; the least recently used chunks are dropped."""
    threads: int = 0
    """Threads that compute chunks or wait for a cluster; 0 for one per CPU (at least 2), or 64 with a cluster."""
    client_seconds: float | None = None
    """CPU seconds per minute that a client may use; a client is a key, or an address of another machine. 0 for no
    limit; by default half of all CPU time."""
    queue: int = 256
    """Greatest number of chunks that wait for a thread; further requests get status 503."""
    max_places: int = 256
    """Greatest number of places kept open."""
    place_bytes: int = 2**26
    """Greatest number of bytes in memory for open places, without their chunks."""
    pyramid: str = "none"
    """Method for the levels of images below ``/zarr/v3/images``: "auto", "mean", "stride", "mode", or "none"."""
    codecs: str | Mapping[int, Mapping[str, Any]] = "gzip"
    """Codecs of chunks: "gzip", "blosc", "zstd", "none", or for each of 2 and 3 a value for `to_store`."""
    scheduler: str | None = None
    """Address of a dask scheduler, such as ``tcp://10.0.0.1:8786``, whose workers compute the chunks."""

    @property
    def guarded(self) -> bool:
        """Whether a request needs a key."""
        return bool(self.api_keys or self.api_keys_file)

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "api_keys", tuple(ApiKey.parse(key) for key in _several(self.api_keys)))
        put(self, "api_keys_file", None if self.api_keys_file is None else Path(self.api_keys_file).expanduser())
        put(self, "allowed_hosts", tuple(_host(text) for text in _several(self.allowed_hosts)))
        put(self, "allow_origins", tuple(_origin(text) for text in _several(self.allow_origins)))
        usual = 64 if self.scheduler else max(2, os.cpu_count() or 1)
        put(self, "threads", _at_least(0, self.threads, "threads") or usual)
        put(self, "cache_dir", None if self.cache_dir is None else Path(self.cache_dir).expanduser())
        _at_least(0, self.cache_bytes, "cache_bytes")
        _at_least(0, self.cache_dir_bytes, "cache_dir_bytes")
        _at_least(0, self.queue, "queue")
        share = self.client_seconds
        put(
            self, "client_seconds", 30.0 * (os.cpu_count() or 1) if share is None else _seconds(share, "client_seconds")
        )
        _at_least(1, self.max_places, "max_places")
        _at_least(0, self.place_bytes, "place_bytes")
        formats_of(self.codecs)
        if self.pyramid not in PYRAMIDS:
            msg = f"pyramid must be one of {', '.join(PYRAMIDS)}, not {self.pyramid!r}"
            raise ValueError(msg)
        if self.scheduler is not None and not _SCHEDULER.fullmatch(self.scheduler):
            msg = f'scheduler must look like "tcp://10.0.0.1:8786", not {self.scheduler!r}'
            raise ValueError(msg)


def _several(values: Iterable[str | ApiKey] | str | ApiKey) -> tuple[str | ApiKey, ...]:
    """Return a tuple; a single string is one value."""
    return (values,) if isinstance(values, (str, ApiKey)) else tuple(values)


def _host(text: str | ApiKey) -> str:
    name = text.lower().removeprefix("[").removesuffix("]") if isinstance(text, str) else ""
    if not _HOST.fullmatch(name):
        msg = f'an allowed host must be a name without port, such as "example.org" or "*.example.org", not {text!r}'
        raise ValueError(msg)
    return name


def _origin(text: str | ApiKey) -> str:
    if not isinstance(text, str) or not _ORIGIN.fullmatch(text.removesuffix("/")):
        msg = f'an origin must look like "https://example.org" or be "*", not {text!r}'
        raise ValueError(msg)
    return text.removesuffix("/")


def _seconds(value: float, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < inf:
        msg = f"{name} must be a number of seconds of at least 0, not {value!r}"
        raise ValueError(msg)
    return float(value)


def _at_least(least: int, value: int, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        msg = f"{name} must be an integer of at least {least}, not {value!r}"
        raise ValueError(msg)
    return value
