"""The bytes of a value that are selected by a byte request of zarr."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zarr.abc.store import OffsetByteRequest, RangeByteRequest, SuffixByteRequest

if TYPE_CHECKING:
    from zarr.abc.store import ByteRequest


def resolved(request: ByteRequest | None, length: int) -> tuple[int, int]:
    """Return the first byte, and the one after the last, that `request` selects from `length` bytes.

    Raises
    ------
    TypeError
        If the kind of the request is unknown.

    Examples
    --------
    >>> resolved(None, 10), resolved(SuffixByteRequest(4), 10), resolved(RangeByteRequest(8, 20), 10)
    ((0, 10), (6, 10), (8, 10))
    """
    match request:
        case None:
            return 0, length
        case RangeByteRequest(start, end):
            return min(start, length), min(end, length)
        case OffsetByteRequest(offset):
            return min(offset, length), length
        case SuffixByteRequest(suffix):
            return max(0, length - suffix), length
    msg = f"Unexpected byte_range, got {request}."
    raise TypeError(msg)


def requested(content: bytes, request: ByteRequest | None) -> bytes:
    """Return the bytes of `content` that `request` selects."""
    start, stop = resolved(request, len(content))
    return content if stop - start == len(content) else content[start:stop]
