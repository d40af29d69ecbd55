"""The objects that the keys of a view name: metadata documents and chunks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from mandeldask.zarrview.identity import digest

if TYPE_CHECKING:
    from collections.abc import Callable

    from mandeldask.zarrview.stored_array import StoredArray


@dataclass(frozen=True, slots=True)
class Document:
    """A metadata document."""

    content: bytes
    """JSON text in UTF-8."""
    media_type: str = "application/json"
    digest: str = field(init=False, compare=False, repr=False)
    """Changes with the content."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", digest(self.content))


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """A chunk that exists in the grid of an array, computed or not."""

    key: str
    """Its key in the view."""
    coords: tuple[int, ...]
    """Its coordinates in the chunk grid."""
    stored: StoredArray
    """The array to which it belongs."""
    identity: str
    """Changes with the array's elements, its encoding and its version."""
    cache_key: str
    """Its key in the persistent cache."""
    changed: Callable[[], bool] = field(default=_never, repr=False)
    """Whether the array has another version now."""
    keep: bool = True
    """Whether its bytes may be kept: not if the source cannot provide their version."""
    is_fixed: bool = False
    """Whether its key always identifies this chunk."""
    media_type: str = "application/octet-stream"


Entry: TypeAlias = Document | Chunk
