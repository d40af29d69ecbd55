"""Numbered files as one array: ``img_{t}_{c}.tif`` is an array whose first dimensions are t and c."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from mandeldask.files.opening import opened_file
from mandeldask.files.stamps import Stamp, Unreadable, Version
from mandeldask.zarrview.identity import digest
from mandeldask.zarrview.nodes import Array, Changed, Group

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mandeldask.files.patterns import Stack

_OPEN = 256
"""Number of files of stacks whose headers are cached."""


@dataclass(frozen=True, slots=True)
class Stacked:
    """Reads windows of a stack; each file is read by its own reader."""

    folder: str
    """The folder of the files."""
    root: str
    """The folder outside which no file is read, with links resolved."""
    files: tuple[tuple[str, Stamp], ...]
    """Names of the files, with their stamps when the stack was opened."""
    outer: tuple[int, ...]
    """Number of files along each dimension."""
    shape: tuple[int, ...]
    """Shape of the image in each file."""
    dtype: np.dtype[Any]
    """Type of the elements."""

    def __call__(self, window: tuple[slice, ...]) -> NDArray[Any]:
        """Return the elements of `window`.

        Raises
        ------
        Changed
            If a file has changed since the stack was opened.
        ValueError
            If a file's image differs from the first one's in shape or type.
        """
        outer, inner = window[: len(self.outer)], window[len(self.outer) :]
        numbers = np.arange(prod(self.outer)).reshape(self.outer)[outer]
        elements = np.empty(tuple(span.stop - span.start for span in window), self.dtype)
        for place in np.ndindex(numbers.shape):
            name, stamp = self.files[int(numbers[place])]
            image = image_in(os.path.join(self.folder, name), self.root, stamp)  # noqa: PTH118
            if image.shape != self.shape or image.dtype != self.dtype:
                msg = f"{name} is {image.shape} {image.dtype}, but the first file is {self.shape} {self.dtype}"
                raise ValueError(msg)
            elements[place] = image.read(inner)
        return elements


@lru_cache(maxsize=_OPEN)
def image_in(path: str, root: str, stamp: Stamp) -> Array:
    """Return the array of an unchanged file: its only array, or the finest level."""
    node = opened_file(path, root)
    if Stamp.of(path) != stamp:
        msg = f"{os.path.basename(path)} has changed since it was opened"  # noqa: PTH119
        raise Changed(msg)
    if isinstance(node, Group) and "0" in node.members:
        node = node.members["0"]
    if not isinstance(node, Array):
        msg = "each of its files must contain exactly one image"
        raise Unreadable(msg)
    return node


def opened_stack(folder: str, root: str, stack: Stack) -> Array:
    """Return the Array of a stack.

    Raises
    ------
    Unreadable
        If files in the middle of it are missing, or if one does not contain exactly one image.
    """
    missing = stack.files.count("")
    if missing:
        msg = f"{missing} of its {len(stack.files)} files are missing: {' x '.join(map(str, stack.shape))} are needed"
        raise Unreadable(msg)
    paths = tuple(os.path.join(folder, name) for name in stack.files)  # noqa: PTH118
    version = Version(folder, paths)
    as_of = version()
    stamps = tuple(Stamp.of(path) for path in paths)
    first = image_in(paths[0], root, stamps[0])
    outer, dims = stack.shape, stack.pattern.dims
    inner = first.dims or tuple(f"dim_{axis}" for axis in range(len(first.shape)))
    if set(dims) & set(inner):
        inner = tuple(f"{name}_in_file" if name in dims else name for name in inner)
    labels = {dim: [_number(label) for label in along] for dim, along in zip(dims, stack.labels, strict=True)}
    files = tuple(zip(stack.files, stamps, strict=True))
    return Array(
        shape=(*outer, *first.shape),
        dtype=first.dtype,
        read=Stacked(folder, root, files, outer, first.shape, first.dtype),
        chunks=(*(1 for _ in outer), *first.chunks),
        dims=(*dims, *inner),
        attrs={**first.attrs, "stacked": labels},
        missing=first.missing,
        fingerprint=digest("stack", as_of, files),
        version=version,
        as_of=as_of,
    )


def _number(label: str) -> int | str:
    return int(label) if label.isdecimal() else label
