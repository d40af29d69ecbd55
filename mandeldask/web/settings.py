"""What an operator may choose, checked once with messages that say what is accepted."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mandeldask.web.encodings import formats_of
from mandeldask.web.keys import ApiKey
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
    """Keys of which a request must have one; none: everything is public."""
    api_keys_file: Path | None = None
    """File of more keys, one a line, read again when it changes; while there is one, nothing is public."""
    allowed_hosts: tuple[str, ...] = ("*",)
    """Names under which the server answers; ``*.example.org`` for all below one, ``*`` for all."""
    allow_origins: tuple[str, ...] = ()
    """Origins whose pages may read; ``("*",)`` for all."""
    cache_bytes: int = 2**30
    """Bytes of encoded chunks kept in memory."""
    cache_dir: Path | None = None
    """Folder of chunks, in one file, kept from one run to the next and shared by all worker processes."""
    cache_dir_bytes: int = 10 * 2**30
    """Bytes on the disk that it takes at most; the chunks that were not used for longest go."""
    threads: int = 0
    """Threads that compute chunks, or wait for the cluster's; 0 for one a CPU, at least 2, or 64 for a cluster."""
    client_seconds: float | None = None
    """CPU seconds that a client may use a minute: a key, or an address that is not of this machine. 0 for any number;
    unless given, half of what the CPUs have."""
    queue: int = 256
    """Chunks that may wait for a thread; requests for more are answered 503."""
    max_places: int = 256
    """Places kept open at most."""
    place_bytes: int = 2**26
    """Bytes that they take at most, chunks apart."""
    pyramid: str = "none"
    """How levels of images are made, below ``/zarr/v3/images``: "auto", "mean", "stride", "mode", or "none"."""
    codecs: str | Mapping[int, Mapping[str, Any]] = "gzip"
    """How chunks are encoded: "gzip", "blosc", "zstd", "none", or for each of 2 and 3 what `to_store` takes there."""
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
    """Return a tuple: one string is one value, not its letters."""
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
