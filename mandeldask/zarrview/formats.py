"""V2 and V3: each defines its own metadata documents, chunk keys and encoding."""

from __future__ import annotations

from dataclasses import dataclass, replace
from operator import mod
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

import numcodecs
import numpy as np
from zarr.abc.codec import BytesBytesCodec
from zarr.codecs import GzipCodec

from mandeldask.zarrview.attributes import DIMENSIONS, attributes
from mandeldask.zarrview.blocks import declared
from mandeldask.zarrview.dtypes import TEXT
from mandeldask.zarrview.keys import parse_coords
from mandeldask.zarrview.nodes import Array, Group
from mandeldask.zarrview.shards import auto_shards
from mandeldask.zarrview.stored_array import StoredArray, template

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mandeldask.zarrview.nodes import Node

DEFAULT: Final = "default"
"""gzip at level 1: browsers decode it without WebAssembly, and equal chunks give equal bytes."""


AUTO: Final = "auto"
"""Shards of up to 64 MiB of elements, and not longer than the array."""


@dataclass(frozen=True, slots=True)
class V2:
    """Zarr format 2: `.zgroup`, `.zarray`, `.zattrs`, `.zmetadata`, and chunks such as `level/array/3/0`."""

    compressors: Any = DEFAULT
    """A numcodecs codec, or None for raw chunks."""
    filters: Any = "auto"
    """numcodecs codecs applied before it."""

    number: ClassVar[Literal[2]] = 2
    names: ClassVar[tuple[str, ...]] = (".zgroup", ".zarray", ".zattrs", ".zmetadata")

    def document_names(self, node: Node) -> tuple[str, ...]:
        """Return the names of a node's metadata documents."""
        return (".zgroup", ".zattrs", ".zmetadata") if isinstance(node, Group) else (".zarray", ".zattrs")

    def check(self, array: Array) -> Any:
        """Return zarr's metadata for an array of this kind; raise TypeError if the format cannot hold its dtype."""
        compressors = _chosen(self.compressors, array, numcodecs.GZip(level=1), numcodecs.abc.Codec)
        return template(
            array,
            array.dtype,
            2,
            fill_value=array.missing,
            compressors=compressors,
            filters=self.filters,
            chunk_key_encoding={"name": "v2", "separator": "/"},
        )

    def store(self, array: Array) -> StoredArray:
        """Return `array` as this format stores it."""
        dims = list(_dims(array))
        attrs = attributes(array, self.number) | {DIMENSIONS: dims}
        metadata = replace(self.check(array), shape=array.shape, attributes=attrs)
        return StoredArray.of(array, metadata)

    def documents(self, node: Group | StoredArray) -> Mapping[str, Any]:
        """Return the metadata documents of one node, by name, as JSON's types."""
        if isinstance(node, Group):
            return {".zgroup": {"zarr_format": 2}, ".zattrs": attributes(node, self.number)}
        document = node.metadata.to_dict()
        return {".zattrs": document.pop("attributes"), ".zarray": document}

    def consolidated(self, documents: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
        """Return a group's documents, given those of all nodes from it down by relative path ("" is the group)."""
        below = {
            f"{path}/{name}" if path else name: document
            for path, named in documents.items()
            for name, document in named.items()
        }
        return {**documents[""], ".zmetadata": {"zarr_consolidated_format": 1, "metadata": below}}

    def chunk_key(self, coords: Sequence[int]) -> str:
        """Return the key of a chunk within its array."""
        return "/".join(map(str, coords)) or "0"

    def parse_chunk_key(self, segments: Sequence[str], grid: Sequence[int]) -> tuple[int, ...] | None:
        """Return the coordinates that a key's segments within an array name; None if they name no chunk."""
        if not grid:
            return () if list(segments) == ["0"] else None
        return parse_coords(segments, grid)


@dataclass(frozen=True, slots=True)
class V3:
    """Zarr format 3: `zarr.json`, consolidated inline, and chunks such as `level/array/c/3/0`."""

    compressors: Any = DEFAULT
    """zarr codecs (bytes to bytes), or None for raw chunks."""
    filters: Any = "auto"
    """zarr codecs (array to array) applied first."""
    serializer: Any = "auto"
    """The zarr codec that turns an array into bytes."""
    shards: Any = None
    """Elements of a shard along each dimension, or one number for all, for arrays whose chunks divide it; or "auto"."""

    number: ClassVar[Literal[3]] = 3
    names: ClassVar[tuple[str, ...]] = ("zarr.json",)

    def document_names(self, node: Node) -> tuple[str, ...]:  # noqa: ARG002  in V2, the names depend on it
        """Return the names of a node's metadata documents."""
        return self.names

    def check(self, array: Array) -> Any:
        """Return zarr's metadata for an array of this kind; raise TypeError if the format cannot hold its dtype."""
        compressors = _chosen(self.compressors, array, GzipCodec(level=1), BytesBytesCodec)
        is_text = _is_text(array)
        return template(
            array,
            TEXT if is_text else array.dtype,
            3,
            fill_value=_v3_fill_value(array, is_text=is_text),
            compressors=compressors,
            filters=self.filters,
            serializer=self.serializer,
            shards=self._shards(array),
        )

    def _shards(self, array: Array) -> tuple[int, ...] | None:
        """Return the shard of an array; None if shards have other dimensions or are not multiples of its chunks."""
        if self.shards == AUTO:
            return auto_shards(array.shape, array.chunks, array.dtype.itemsize)
        asked = array.encoding.get("shards") if self.shards is None else self.shards
        shards = (asked,) * len(array.shape) if isinstance(asked, int) else tuple(asked or ())
        if len(shards) != len(array.shape) or any(map(mod, shards, array.chunks)):
            return None
        return shards or None

    def store(self, array: Array) -> StoredArray:
        """Return `array` as this format stores it."""
        attrs = attributes(array, self.number)
        metadata = replace(self.check(array), shape=array.shape, attributes=attrs, dimension_names=_dims(array))
        return StoredArray.of(array, metadata)

    def documents(self, node: Group | StoredArray) -> Mapping[str, Any]:
        """Return the metadata documents of one node, by name, as JSON's types."""
        if isinstance(node, Group):
            attrs = attributes(node, self.number)
            return {"zarr.json": {"zarr_format": 3, "node_type": "group", "attributes": attrs}}
        return {"zarr.json": node.metadata.to_dict()}

    def consolidated(self, documents: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
        """Return a group's documents, given those of all nodes from it down by relative path ("" is the group)."""
        below = {path: named["zarr.json"] for path, named in documents.items() if path}
        inline = {"kind": "inline", "must_understand": False, "metadata": below}
        return {"zarr.json": documents[""]["zarr.json"] | {"consolidated_metadata": inline}}

    def chunk_key(self, coords: Sequence[int]) -> str:
        """Return the key of a chunk within its array."""
        return "/".join(("c", *map(str, coords)))

    def parse_chunk_key(self, segments: Sequence[str], grid: Sequence[int]) -> tuple[int, ...] | None:
        """Return the coordinates that a key's segments within an array name; None if they name no chunk."""
        if not segments or segments[0] != "c":
            return None
        return parse_coords(segments[1:], grid)


Format = V2 | V3


def _chosen(asked: Any, array: Array, default: Any, kind: type) -> Any:
    """Return the compressors given for the format, otherwise the array's own if possible, otherwise the default."""
    if asked != DEFAULT:
        return asked
    if "compressors" not in array.encoding:
        return default
    own = array.encoding["compressors"]
    codecs = () if own is None else (own if isinstance(own, (tuple, list)) else (own,))
    mine = tuple(codec for codec in codecs if isinstance(codec, kind))
    if codecs and not mine:
        return default  # the other format's
    return mine or None


def _is_text(array: Array) -> bool:
    """Return whether v3 shows text of fixed length as `string`, which every client reads.

    Scalars stay as they are: zarr-python returns a `str` in place of an array for one of `string`.
    """
    return bool(array.shape) and (array.dtype.kind == "U" or bool(array.encoding.get("text")))


def _v3_fill_value(array: Array, *, is_text: bool) -> Any:
    if is_text:
        return "" if array.fill_value is None else declared(array.fill_value, (), TEXT).item()
    if array.dtype.kind == "f" and array.fill_value is None:
        return np.nan
    return array.fill_value


def _dims(array: Array) -> tuple[str, ...]:
    return array.dims if array.dims is not None else tuple(f"dim_{axis}" for axis in range(len(array.shape)))
