"""Write the multiscale metadata of a Pyramid: OME-Zarr (v2, v3), zarr-conventions (v3), exact positions as text.

Attributes named ``zarr_v2`` and ``zarr_v3`` belong to one format: code that writes or serves a format merges its own
into the common attributes and drops the other's. They cannot be merged into one: `multiscales` is a list in OME 0.4 and
an object in zarr-conventions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mandeldask.conventions import Placed, spatial
from mandeldask.fractal.kernels import kernel_of
from mandeldask.fractal.pyramid import Pyramid
from mandeldask.fractal.rationals import as_text, point_as_text
from mandeldask.lazy.cutting import translations
from mandeldask.multiscales import V2_VERSION, Axis, Channel, Dataset, Image, in_format, ome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mandeldask.fractal.geometry import Grid
    from mandeldask.lazy.cutting import Pixels


OME_V2_VERSIONS = (V2_VERSION, "0.1")
"""OME-Zarr versions for Zarr v2; the vizarr notebook wrote 0.1."""


def root_attributes(  # noqa: PLR0913, PLR0917  all that the attributes depend on
    pyramid: Pyramid,
    ome: str = "0.4",
    levels: Sequence[int] | None = None,
    fields: Sequence[str] | None = None,
    title: str | None = None,
    windows: Mapping[int, Pixels] | None = None,
) -> dict[str, Any]:
    """Return the attributes of a pyramid's root, as JSON values.

    Parameters
    ----------
    pyramid : Pyramid
        The pyramid to describe.
    ome : {"0.4", "0.1"}
        OME-Zarr version for Zarr v2; Zarr v3 always has 0.5.
    levels : sequence of int, optional
        Levels that exist, finest first; by default all. Scales are relative to the first of them.
    fields : sequence of str, optional
        Names of the arrays in each level; viewers show the first. By default the pyramid's fields.
    title : str
        Title of the image; by default the title of the pyramid's kernel.
    windows : mapping of int to (slice, slice), optional
        The rows and columns of each level that exist; by default all.

    Raises
    ------
    ValueError
        If `ome` is not one of the two versions.
    """
    if ome not in OME_V2_VERSIONS:
        msg = f"ome must be one of {', '.join(OME_V2_VERSIONS)}, not {ome!r}"
        raise ValueError(msg)
    there = range(pyramid.levels) if levels is None else levels
    shown = pyramid.fields if fields is None else tuple(fields)
    title = kernel_of(pyramid, 0).about.title if title is None else title
    return {
        "title": title,
        "exact_center": point_as_text(pyramid.center),
        "exact_width": as_text(pyramid.width),
        "mandeldask": {**pyramid.as_dict(), "fingerprint": pyramid.fingerprint},
        "zarr_v2": ome_v2(pyramid, ome, there, shown, title, windows),
        "zarr_v3": {
            "ome": ome_v3(pyramid, there, shown, title, windows),
            **spatial_multiscales(pyramid, there, windows),
        },
    }


def pyramid_of(attrs: Mapping[Any, Any]) -> Pyramid:
    """Return the Pyramid that a root's attributes describe.

    Raises
    ------
    ValueError
        If they do not describe a pyramid.
    """
    if "mandeldask" not in attrs:
        msg = "this tree is not a pyramid: its root has no attribute 'mandeldask'"
        raise ValueError(msg)
    keywords = {name: value for name, value in attrs["mandeldask"].items() if name != "fingerprint"}
    return Pyramid(**keywords, allow_huge=True)


def describing(
    attrs: Mapping[Any, Any], levels: Sequence[int], windows: Mapping[int, Pixels] | None = None
) -> dict[Any, Any]:
    """Return a root's attributes for both formats, changed so that they describe some levels only.

    The given attributes may be those of one format or of both. `windows` gives the rows and columns of these levels
    that exist, if not all do.

    Raises
    ------
    ValueError
        If the attributes do not describe a pyramid.
    """
    multiscales = attrs.get("zarr_v2", attrs).get("multiscales")
    version = multiscales[0]["version"] if isinstance(multiscales, list) else OME_V2_VERSIONS[0]
    title = attrs.get("title")
    described = root_attributes(pyramid_of(attrs), version, levels, _fields_of(attrs), title, windows)
    of_one_format = described["zarr_v2"].keys() | described["zarr_v3"].keys()
    return {name: value for name, value in attrs.items() if name not in of_one_format} | described


def _fields_of(attrs: Mapping[Any, Any]) -> tuple[str, ...] | None:
    """Return the names of the arrays in a root's attributes (of one format or both); None if there are none."""
    images = attrs.get("zarr_v3", attrs).get("ome", {}).get("multiscales") or attrs.get("multiscales")
    paths = [image["datasets"][0]["path"] for image in images] if isinstance(images, list) else []
    return tuple(path.rpartition("/")[2] for path in paths) or None


def attributes_of(attrs: Mapping[Any, Any], zarr_format: int) -> dict[str, Any]:
    """Return `attrs` for one Zarr format: merge its own attributes, drop those of the other format.

    Examples
    --------
    >>> attributes_of({"title": "M", "zarr_v2": {"a": 2}, "zarr_v3": {"a": 3}}, 3)
    {'title': 'M', 'a': 3}
    """
    common = {str(name): value for name, value in attrs.items() if name not in {"zarr_v2", "zarr_v3"}}
    return common | dict(attrs.get(f"zarr_v{zarr_format}", {}))


def level_attributes(pyramid: Pyramid, level: int) -> dict[str, Any]:
    """Return the attributes of one level's group, as JSON values."""
    return {
        "level": level,
        "maxiter": pyramid.maxiter_at(level),
        "exact_spacing": as_text(pyramid.grid(level).spacing),
    }


def ome_v2(  # noqa: PLR0913, PLR0917  all that the attributes depend on
    pyramid: Pyramid,
    version: str,
    levels: Sequence[int],
    fields: Sequence[str],
    title: str,
    windows: Mapping[int, Pixels] | None = None,
) -> dict[str, Any]:
    """Return the OME-Zarr attributes of a v2 root."""
    if version == V2_VERSION:
        return in_format({"ome": ome_v3(pyramid, levels, fields, title, windows)}, 2)
    datasets = [{"path": f"{level}/{fields[0]}"} for level in levels]
    return {"multiscales": [{"version": version, "name": fields[0], "datasets": datasets}]}


_DESCRIPTIONS = {"iterations": "every second pixel of the level below, exactly"}
"""Other fields may differ from the finer level in the last digits."""


def ome_v3(
    pyramid: Pyramid,
    levels: Sequence[int],
    fields: Sequence[str],
    title: str,
    windows: Mapping[int, Pixels] | None = None,
) -> dict[str, Any]:
    """Return OME-Zarr's attribute `ome` of a v3 root: one image per field; viewers show the first.

    Transforms are in pixels of the finest level. In plane units, vizarr would draw 13 levels fewer. Levels are
    decimations, so all share one origin; windows have their own translations.
    """
    placed = {} if windows is None else translations({level: windows[level] for level in levels})
    axes = (Axis("y"), Axis("x"))
    images = [
        Image(
            name=field,
            axes=axes,
            datasets=tuple(
                Dataset(f"{level}/{field}", _scale(level - levels[0]), _as_floats(placed.get(level, (0, 0))))
                for level in levels
            ),
            method="decimation",
            description=_DESCRIPTIONS.get(field, "every second pixel of the level below"),
        )
        for field in fields
    ]
    if fields[0] not in pyramid.fields:  # the range of its values is unknown
        return ome(images)
    most = max(pyramid.maxiter_at(level) for level in levels)
    shown = pyramid.maxiter_at(levels[-1])  # with a deep level's maxiter the coarsest level looks black
    channel = Channel(fields[0], limits=(0, shown), extent=(0, most))
    return ome(images, [channel], title.removeprefix("The "))


def spatial_multiscales(
    pyramid: Pyramid, levels: Sequence[int], windows: Mapping[int, Pixels] | None = None
) -> dict[str, Any]:
    """Return zarr-conventions `multiscales` and `spatial`: levels in plane units; {} if floats underflow."""
    grids = {level: pyramid.grid(level) for level in levels}
    if windows is not None:
        grids = {level: grid[windows[level]] for level, grid in grids.items()}
    finest = grids[levels[0]]
    if float(finest.spacing) == 0.0:
        return {}
    pairs = zip(levels, [levels[0], *levels], strict=False)
    placed = [_placed(grids[level], level, level - finer, _shift(finer, level, windows)) for level, finer in pairs]
    return spatial(placed, bounds=_bounds(finest))


def _shift(finer: int, level: int, windows: Mapping[int, Pixels] | None) -> tuple[float, float]:
    """Return the position of a level's first pixel, in pixels of a finer level."""
    if windows is None or finer == level:
        return 0.0, 0.0
    return _as_floats(translations({finer: windows[finer], level: windows[level]})[level])


def _as_floats(pair: tuple[int, int]) -> tuple[float, float]:
    return float(pair[0]), float(pair[1])


def _scale(level: int) -> tuple[float, float]:
    return float(2**level), float(2**level)


def _bounds(grid: Grid) -> tuple[float, float, float, float]:
    re, im = grid.re, grid.im
    bottom, right = im.start + im.size * im.step, re.start + re.size * re.step
    return float(re.start), float(bottom), float(right), float(im.start)


def _placed(grid: Grid, level: int, coarser: int, shift: tuple[float, float]) -> Placed:
    re, im = grid.re, grid.im
    transform = float(re.step), 0.0, float(re.start), 0.0, float(im.step), float(im.start)
    return Placed(str(level), grid.shape, transform, _scale(coarser), shift)
