"""Groups and arrays for the pages, read from their Zarr v3 documents."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from math import ceil, prod
from typing import TYPE_CHECKING, Any, Final

from mandeldask.images.levels import is_image, is_large_image
from mandeldask.multiscales import dimensions
from mandeldask.zarrview.entries import Document
from mandeldask.zarrview.imaged import has_levels

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mandeldask.web.catalog import Found

_BYTES: Final = {"bool": 1, "complex64": 8, "complex128": 16, "float16": 2, "float32": 4, "float64": 8}
"""Size in bytes of the types that do not state it in bits at the end of their names."""

_TEXT: Final = frozenset({"string", "fixed_length_utf32", "null_terminated_bytes"})

_STRUCTS: Final = frozenset({"struct", "structured"})

_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


@dataclass(frozen=True, slots=True)
class Item:
    """The description of one node on a page."""

    name: str
    """Name of the node in its group."""
    is_group: bool
    attrs: Mapping[str, Any] = field(default_factory=dict)
    shape: tuple[int, ...] = ()
    dtype: str = ""
    """Name of the data type."""
    dims: tuple[str, ...] = ()
    """Names of the dimensions."""
    chunks: tuple[int, ...] = ()
    """Elements of a chunk along each dimension."""

    @classmethod
    def of(cls, name: str, document: Mapping[str, Any]) -> Item:
        """Return the item of a node's ``zarr.json``."""
        attrs = document.get("attributes", {})
        if document["node_type"] == "group":
            return cls(name, is_group=True, attrs=attrs)
        kind = document["data_type"]
        shape = tuple(document["shape"])
        dims = tuple(dim or f"dim_{axis}" for axis, dim in enumerate(document.get("dimension_names") or ()))
        chunks = tuple(document["chunk_grid"]["configuration"]["chunk_shape"])
        dtype = kind if isinstance(kind, str) else kind.get("name", "struct")
        named = dims if len(dims) == len(shape) else tuple(f"dim_{axis}" for axis in range(len(shape)))
        return cls(name, is_group=False, attrs=attrs, shape=shape, dtype=dtype, dims=named, chunks=chunks)

    @property
    def kind(self) -> str:
        """Kind of the node, as one word."""
        if self.is_group:
            return "image" if dimensions(self.attrs) else "group"
        if not self.shape:
            return "value"
        return "image" if self.draws else "column" if len(self.shape) == 1 else "array"

    @property
    def sides(self) -> list[tuple[int, str]]:
        """Size and name of each dimension; "" for automatic names such as dim_0."""
        numbered = all(dim.endswith(f"_{axis}") for axis, dim in enumerate(self.dims))
        return [(size, "" if numbered else dim) for size, dim in zip(self.shape, self.dims, strict=True)]

    @property
    def type_name(self) -> str:
        """Readable name of the data type."""
        return "text" if self.dtype in _TEXT else self.dtype

    @property
    def draws(self) -> bool:
        """Whether it is an array of numbers, or of structs of numbers, that the page can draw as an image."""
        return (self.is_number or self.dtype in _STRUCTS) and is_image(self.shape, self.dims)

    @property
    def is_number(self) -> bool:
        """Whether its elements are numbers or booleans."""
        return self.dtype in _BYTES or self.dtype.rstrip("0123456789") in {"int", "uint"}

    @property
    def is_large(self) -> bool:
        """Whether it is an image that needs coarser levels to be shown."""
        return self.draws and is_large_image(self.shape, self.dims)

    @property
    def nbytes(self) -> int | None:
        """Size of all elements in bytes; None if elements have no fixed size."""
        bits = self.dtype.lstrip("abcdefghijklmnopqrstuvwxyz_")
        each = _BYTES.get(self.dtype) or (int(bits) // 8 if self.is_number and bits else None)
        return None if each is None or self.is_group else each * prod(self.shape)

    @property
    def plane_nbytes(self) -> int | None:
        """Size in bytes of the chunks of one plane (the last two dimensions)."""
        if self.nbytes is None:
            return None
        counts = (ceil(size / chunk) for size, chunk in zip(self.shape[:-2], self.chunks[:-2], strict=True))
        return ceil(self.nbytes / max(1, prod(counts)))

    @property
    def size(self) -> str:
        """Size of all elements as readable text."""
        return "" if self.nbytes is None else as_size(self.nbytes)


def as_size(count: int) -> str:
    """Return a number of bytes as readable text.

    Examples
    --------
    >>> as_size(999), as_size(3 * 2**20), as_size(5 * 2**69)
    ('999 B', '3.0 MiB', '2,560 EiB')
    """
    step = min((max(count, 1).bit_length() - 1) // 10, len(_UNITS) - 1)
    value = count / 2 ** (10 * step)
    digits = 0 if step == 0 or value >= 100 else 1  # noqa: PLR2004  three digits
    return f"{value:,.{digits}f} {_UNITS[step]}"


async def item_at(found: Found, path: str, name: str) -> Item | None:
    """Return the item at `path` in a tree, or None if there is none."""
    entry = await found.view.lookup(f"{path}/zarr.json" if path else "zarr.json")
    return Item.of(name, json.loads(entry.content)) if isinstance(entry, Document) else None


def below(path: str, name: str) -> str:
    """Return the path of a member of the group at `path`."""
    return f"{path}/{name}" if path else name


async def members_of(found: Found, path: str, names: Sequence[str]) -> list[Item]:
    """Return the items of some members of the group at `path`; those that cannot be opened are left out."""
    items = [await item_at(found, below(path, name), name) for name in names]
    return [item for item in items if item is not None]


async def is_in_levels(found: Found, path: str) -> bool:
    """Return whether the node at `path` is, or is in, an image with its own levels: the server makes none of it."""
    names = path.split("/") if path else []
    items = [await item_at(found, "/".join(names[:depth]), "") for depth in range(len(names) + 1)]
    return any(item is not None and has_levels(item.attrs) for item in items)


async def names_in(found: Found, path: str) -> list[str]:
    """Return the names of the members of the group at `path`."""
    names = await found.view.names_at(path)
    return [name.removesuffix("/") for name in names or () if name.endswith("/")]
