"""Metadata of the images in TIFF files: axes, pixel sizes with units, and vendor metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from mandeldask.files.attributes import attributes
from mandeldask.files.kinds.geotiff import placement
from mandeldask.multiscales import Axis, Dataset, Image, ome

if TYPE_CHECKING:
    import tifffile

_TYPES = {"t": "time", "c": "channel", "z": "space", "y": "space", "x": "space"}

_UNITS = {
    "µm": "micrometer",
    "um": "micrometer",
    "\\u00B5m": "micrometer",
    "micron": "micrometer",
    "nm": "nanometer",
    "mm": "millimeter",
    "cm": "centimeter",
    "m": "meter",
    "inch": "inch",
    "s": "second",
    "sec": "second",
    "ms": "millisecond",
}
"""OME-Zarr's names of units."""

_RESOLUTION_UNITS = {2: "inch", 3: "centimeter"}

_TEXT_LIMIT = 2**18
"""Texts with more characters than this do not become attributes."""


def axes_of(series: tifffile.TiffPageSeries) -> tuple[str, ...] | None:
    """Return the names of a series' dimensions: t, c, z, y, x if known; samples are c if no other dimension is."""
    letters = series.axes.lower()
    names = tuple("c" if letter == "s" and "c" not in letters else letter for letter in letters)
    return names if len(set(names)) == len(names) == len(series.shape) else None


def image_attributes(
    file: tifffile.TiffFile, series: tifffile.TiffPageSeries | None = None, place: int = 0
) -> dict[str, Any]:
    """Return the attributes of an image, or of a file with several images."""
    found: dict[str, Any] = {}
    if file.is_ome and file.ome_metadata and len(file.ome_metadata) <= _TEXT_LIMIT:
        found["ome_xml"] = file.ome_metadata
    if file.is_imagej and file.imagej_metadata:
        found["imagej"] = attributes(file.imagej_metadata.items())
    if file.is_geotiff and file.geotiff_metadata:
        found["geotiff"] = attributes((name, _plain(value)) for name, value in file.geotiff_metadata.items())
    if series is None:
        return found
    sizes = pixel_sizes(file, series, place)
    names, placed = axes_of(series), placement(file)
    if placed is not None and names is not None and {"y", "x"} <= set(names):
        found |= placed.attributes("yx", [int(series.shape[names.index(dim)]) for dim in "yx"])
    if series.name:
        found["name"] = series.name
    if sizes:
        found["pixel_size"] = {name: size for name, (size, _) in sizes.items()}
        found["pixel_unit"] = {name: unit for name, (_, unit) in sizes.items() if unit}
    channels = _ome_channels(file.ome_metadata, place) if file.is_ome and file.ome_metadata else []
    if any(channels):
        found["channels"] = channels
    return found


def _ome_channels(xml: str, index: int) -> list[dict[str, str]]:
    """Return the channel names and colours (six hexadecimal digits) in the OME-XML of one image."""
    pixels = _ome_pixels(xml, index)
    found = []
    for channel in [] if pixels is None else [each for each in pixels if each.tag.endswith("}Channel")]:
        name, color = channel.get("Name"), channel.get("Color", "")
        entry = {"label": name} if name else {}
        if color.lstrip("-").isdecimal():  # RGBA as a signed 32-bit number
            entry["color"] = f"{int(color) % 2**32 >> 8:06X}"
        found.append(entry)
    return found


def _plain(value: Any) -> Any:
    """Return the name of a GeoTIFF enumeration value; other values are unchanged."""
    return value.name if hasattr(value, "name") else value


def pixel_sizes(file: tifffile.TiffFile, series: tifffile.TiffPageSeries, place: int) -> dict[str, tuple[float, str]]:
    """Return the known distances between neighbours by dimension, each with its unit ("" if unknown)."""
    if file.is_ome and file.ome_metadata:
        return _ome_sizes(file.ome_metadata, place)
    sizes = _resolution(series.keyframe)
    if file.is_imagej and file.imagej_metadata:
        metadata = file.imagej_metadata
        unit = _UNITS.get(str(metadata.get("unit", "")), str(metadata.get("unit", "")))
        sizes = {name: (size, unit) for name, (size, _) in sizes.items()}
        for name, key, own in (("z", "spacing", unit), ("t", "finterval", "second")):
            if isinstance(metadata.get(key), (int, float)):
                sizes[name] = (float(metadata[key]), own)
    scale = (file.geotiff_metadata or {}).get("ModelPixelScale") if file.is_geotiff else None
    if scale:
        sizes = {"x": (float(scale[0]), ""), "y": (float(scale[1]), "")}
    return {name: pair for name, pair in sizes.items() if pair[0] > 0}


def _ome_sizes(xml: str, index: int) -> dict[str, tuple[float, str]]:
    """Return the pixel sizes in the OME-XML of one image."""
    pixels = _ome_pixels(xml, index)
    if pixels is None:
        return {}
    found = {}
    for name, size, unit, usual in (
        *((axis.lower(), f"PhysicalSize{axis}", f"PhysicalSize{axis}Unit", "µm") for axis in "XYZ"),
        ("t", "TimeIncrement", "TimeIncrementUnit", "s"),
    ):
        if pixels.get(size):
            text = pixels.get(unit, usual)
            found[name] = (float(pixels.get(size, "0")), _UNITS.get(text, text))
    return found


def _ome_pixels(xml: str, index: int) -> ET.Element | None:
    """Return the element that describes the pixels of one image."""
    try:
        root = ET.fromstring(xml)  # noqa: S314  tifffile has parsed it
    except ET.ParseError:
        return None
    pixels = [each for each in root.iter() if each.tag.endswith("}Pixels")]
    return pixels[index] if index < len(pixels) else None


def _resolution(page: tifffile.TiffPage | None) -> dict[str, tuple[float, str]]:
    """Return the size of pixels from the baseline tags, or None."""
    if page is None:
        return {}
    unit = _RESOLUTION_UNITS.get(int(page.resolutionunit or 0), "")
    found = {}
    for name, resolution in zip("xy", page.resolution, strict=False):
        if resolution and float(resolution) != 1:
            found[name] = (1 / float(resolution), unit)
    return found


def multiscale_attributes(
    file: tifffile.TiffFile, series: tifffile.TiffPageSeries, place: int, shapes: list[tuple[int, ...]]
) -> dict[str, Any]:
    """Return the OME-Zarr multiscale attributes of the levels of an image."""
    names = axes_of(series)
    if names is None:
        return {}
    sizes = pixel_sizes(file, series, place)
    axes = tuple(Axis(name, _TYPES.get(name), sizes.get(name, (1, ""))[1] or None) for name in names)
    finest = [sizes.get(name, (1.0, ""))[0] for name in names]
    datasets = []
    for number, shape in enumerate(shapes):
        factors = [whole / part for whole, part in zip(shapes[0], shape, strict=True)]
        scale = tuple(size * factor for size, factor in zip(finest, factors, strict=True))
        shift = tuple((factor - 1) / 2 * size for size, factor in zip(finest, factors, strict=True))
        datasets.append(Dataset(str(number), scale, shift))
    image = Image(series.name or "image", axes, tuple(datasets))
    return {"ome": ome([image])}  # in Zarr v2, zarrview writes OME-Zarr 0.4
