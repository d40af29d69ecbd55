"""A reader of Zarr that shares nothing with zarr-python: documents by the json module, chunks by gzip and numpy."""

from __future__ import annotations

import gzip
import json
from itertools import product

import numpy as np

TEXT = np.dtypes.StringDType()
V3_TYPES = {"bool": "?", "string": TEXT, "variable_length_bytes": np.dtype(object)}
ESCAPES = {"numpy.datetime64": "M8", "numpy.timedelta64": "m8"}


def read(get, path, zarr_format):
    """Return the elements of an array, given what returns the bytes of a key, or None."""
    if zarr_format == 2:
        document = strict(get(f"{path}/.zarray"))
        dtype, grid, suffix = _v2_dtype(document), document["chunks"], "/{}"
        is_packed = document["compressor"] is not None
    else:
        document = strict(get(f"{path}/zarr.json"))
        dtype, grid = _v3_dtype(document["data_type"]), document["chunk_grid"]["configuration"]["chunk_shape"]
        codecs = document["codecs"]
        is_packed = codecs[-1]["name"] == "gzip"
        suffix = "/c/{}" if document["shape"] else "/c"
    shape = tuple(document["shape"])
    whole = np.empty(shape, dtype)
    for coords in product(*(range(-(-size // chunk)) for size, chunk in zip(shape, grid, strict=True))):
        raw = get(path + suffix.format("/".join(map(str, coords)) or ("0" if zarr_format == 2 else "")))
        assert raw is not None, (path, coords)
        if zarr_format == 3 and codecs[0]["name"] == "sharding_indexed":
            elements = _unsharded(raw, dtype, tuple(grid), codecs[0]["configuration"])
        else:
            elements = _decoded(gzip.decompress(raw) if is_packed else raw, dtype, tuple(grid))
        place = tuple(slice(at * chunk, (at + 1) * chunk) for at, chunk in zip(coords, grid, strict=True))
        inside = [min(size, part.stop) - part.start for size, part in zip(shape, place, strict=True)]
        whole[place] = elements[tuple(slice(size) for size in inside)]
    return whole


def strict(raw):
    """Return a document, which must be JSON as its standard says."""

    def refuse(constant):
        raise AssertionError(constant)

    return json.loads(raw, parse_constant=refuse)


def _unsharded(raw, dtype, shape, settings):
    """Return the elements of a shard whose index is at its end, followed by four bytes of checksum."""
    inner = settings["chunk_shape"]
    is_packed = settings["codecs"][-1]["name"] == "gzip"
    counts = [size // chunk for size, chunk in zip(shape, inner, strict=True)]
    index = np.frombuffer(raw[-4 - 16 * int(np.prod(counts)) : -4], "<u8").reshape(*counts, 2)
    whole = np.zeros(shape, dtype)
    for place in np.ndindex(*counts):
        offset, length = index[place].tolist()
        if offset != 2**64 - 1:
            chunk = raw[offset : offset + length]
            block = _decoded(gzip.decompress(chunk) if is_packed else chunk, dtype, tuple(inner))
            whole[tuple(slice(at * size, (at + 1) * size) for at, size in zip(place, inner, strict=True))] = block
    return whole


def _decoded(raw, dtype, shape):
    if dtype.kind not in "TO":
        return np.frombuffer(raw, dtype).reshape(shape)
    count, at = int.from_bytes(raw[:4], "little"), 4
    elements = np.empty(count, object)
    for place in range(count):
        length = int.from_bytes(raw[at : at + 4], "little")
        elements[place] = raw[at + 4 : at + 4 + length]
        at += 4 + length
    if dtype.kind == "T":
        return np.array([element.decode() for element in elements], TEXT).reshape(shape)
    return elements.reshape(shape)


def _v2_dtype(document):
    if document["dtype"] == "|O":
        return {"vlen-utf8": TEXT, "vlen-bytes": np.dtype(object)}[document["filters"][0]["id"]]
    fields = document["dtype"]
    return np.dtype([tuple(field) for field in fields] if isinstance(fields, list) else fields)


def _v3_dtype(name):
    if isinstance(name, str):
        return (
            np.dtype(V3_TYPES.get(name, name)).newbyteorder("<") if name not in V3_TYPES else np.dtype(V3_TYPES[name])
        )
    settings = name["configuration"]
    if name["name"] == "structured":
        return np.dtype([(field, _v3_dtype(kind)) for field, kind in settings["fields"]])
    if name["name"] == "struct":  # newer releases of zarr-python write it so
        return np.dtype([(field["name"], _v3_dtype(field["data_type"])) for field in settings["fields"]])
    letter, size = {"fixed_length_utf32": ("<U", 4), "null_terminated_bytes": ("S", 1), "raw_bytes": ("V", 1)}[
        name["name"]
    ]
    return np.dtype(f"{letter}{settings['length_bytes'] // size}")
