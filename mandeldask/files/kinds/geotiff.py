"""Position of a GeoTIFF's pixels from its tags: OGC GeoTIFF 1.1 (OGC 19-008r4), annexes B.6 and C."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mandeldask.images.placement import Placement

if TYPE_CHECKING:
    from collections.abc import Mapping

    import tifffile

    from mandeldask.images.placement import Affine

_POINT = 2
"""GTRasterTypeGeoKey for positions of pixel centres."""

_CODES = range(1024, 32767)
"""Valid EPSG codes in a key; 32767 is a user-defined system."""

_TIEPOINT, _MATRIX = 6, 16
"""Number of values in a tie point and in a matrix."""


def placement(file: tifffile.TiffFile) -> Placement | None:
    """Return the position of the pixels; None if the tags do not give it as one affine transformation."""
    keys: Mapping[str, Any] = (file.geotiff_metadata or {}) if file.is_geotiff else {}
    transform = _transform(keys)
    if transform is None:
        return None
    a, b, c, d, e, f = transform
    if int(keys.get("GTRasterTypeGeoKey") or 0) == _POINT:  # the corner is half a pixel before the centre
        c, f = c - (a + b) / 2, f - (d + e) / 2
    return Placement((a, b, c, d, e, f), _crs(keys))


def _transform(keys: Mapping[str, Any]) -> Affine | None:
    scale, ties, matrix = (_numbers(keys.get(f"Model{name}")) for name in ("PixelScale", "Tiepoint", "Transformation"))
    if len(ties) >= _TIEPOINT and all(scale[:2]) and scale:
        column, row, _, x, y, _ = ties[:_TIEPOINT]  # uses the first of several, as GDAL does
        width, height = scale[0], abs(scale[1])
        return width, 0.0, x - column * width, 0.0, -height, y + row * height
    if len(matrix) != _MATRIX:
        return None
    a, b, _, c, d, e, _, f = matrix[:8]
    return a, b, c, d, e, f


def _numbers(value: Any) -> list[float]:
    """Return the numbers of a tag; several values are flattened."""
    if value is None:
        return []
    return [float(each) for row in value for each in (row if hasattr(row, "__len__") else [row])]


def _crs(keys: Mapping[str, Any]) -> str:
    """Return the code of the projected or else the geographic system; "" if the file has no EPSG code."""
    for name in ("ProjectedCSTypeGeoKey", "GeographicTypeGeoKey"):
        code = keys.get(name)
        if isinstance(code, int):
            return f"EPSG:{int(code)}" if int(code) in _CODES else ""
    return ""
