"""Write the documents of multiscale images: OME-Zarr 0.4 and 0.5.

OME-Zarr 0.4 belongs to Zarr v2 and 0.5 to v3. Both have the same content in different places: in 0.4 the keys are among
the other attributes and each has a version; in 0.5 they are in the attribute `ome`, which has the version. `in_format`
converts between them.

Sources: https://ngff.openmicroscopy.org/0.4, https://ngff.openmicroscopy.org/0.5.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

V2_VERSION: Final = "0.4"
"""Version of OME-Zarr for Zarr v2."""

V3_VERSION: Final = "0.5"
"""Version of OME-Zarr for Zarr v3."""

OME_KEYS: Final = frozenset(
    {"multiscales", "omero", "labels", "image-label", "plate", "well", "bioformats2raw.layout", "series"}
)
"""Attributes that are at the top in OME-Zarr 0.4 and in `ome` in 0.5."""

_VERSIONED: Final = ("image-label", "plate", "well")
"""Objects that have their own version in 0.4, in addition to each of the multiscales."""


_PREFIXES: Final = (
    "", "yocto", "zepto", "atto", "femto", "pico", "nano", "micro", "milli", "centi", "deci", "hecto", "kilo", "mega",
    "giga", "tera", "peta", "exa", "zetta", "yotta",
)  # fmt: skip

UNITS: Final = frozenset(
    {f"{prefix}{unit}" for prefix in _PREFIXES for unit in ("meter", "second")}
    | {"angstrom", "foot", "inch", "mile", "parsec", "yard", "minute", "hour", "day"}
)
"""Units in the OME-Zarr specification. napari and neuroglancer refuse images with other units, such as degrees."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One dimension of an image."""

    name: str
    """Name of the dimension."""
    type: str | None = "space"
    """"space", "time", "channel" or another word; None if unknown."""
    unit: str | None = None
    """Its unit, such as "micrometer" or "second"; units outside the specification are omitted from the document."""

    def document(self) -> dict[str, Any]:
        """Return the axis as OME-Zarr writes it."""
        kind = {} if self.type is None else {"type": self.type}
        return {"name": self.name, **kind, **({"unit": self.unit} if self.unit in UNITS else {})}


@dataclass(frozen=True, slots=True)
class Dataset:
    """The array of one level, and the position of its elements."""

    path: str
    """Path of the array, relative to the group with the metadata."""
    scale: tuple[float, ...]
    """Distance between neighbours along each axis, in its unit."""
    translation: tuple[float, ...]
    """Position of the first element."""

    def document(self) -> dict[str, Any]:
        """Return the dataset as OME-Zarr writes it."""
        scale = {"type": "scale", "scale": list(self.scale)}
        translation = {"type": "translation", "translation": list(self.translation)}
        return {"path": self.path, "coordinateTransformations": [scale, translation]}


@dataclass(frozen=True, slots=True)
class Image:
    """One image in several resolutions.

    Raises
    ------
    ValueError
        If there are no datasets, or if a scale or translation does not match the axes.
    """

    name: str
    axes: tuple[Axis, ...]
    datasets: tuple[Dataset, ...]
    """Its levels, the finest first."""
    method: str = ""
    """Method of making a level from the next finer one, as one word."""
    description: str = ""
    """The method as a sentence."""

    def __post_init__(self) -> None:
        if not self.datasets:
            msg = f"the image {self.name!r} needs at least one dataset"
            raise ValueError(msg)
        for each in self.datasets:
            if not len(self.axes) == len(each.scale) == len(each.translation):
                msg = f"{each} must have a scale and a translation for each of the {len(self.axes)} axes"
                raise ValueError(msg)

    def document(self) -> dict[str, Any]:
        """Return the entry of `multiscales` in OME-Zarr 0.5; 0.4 adds a version."""
        how = {"metadata": {"description": self.description}} if self.description else {}
        return {
            "name": self.name,
            "axes": [axis.document() for axis in self.axes],
            "datasets": [dataset.document() for dataset in self.datasets],
            **({"type": self.method} if self.method else {}),
            **how,
        }


@dataclass(frozen=True, slots=True)
class Channel:
    """Initial display of a channel in viewers."""

    label: str
    limits: tuple[float, float]
    """The values shown as black and white at first."""
    extent: tuple[float, float]
    """The range of values that viewers offer for the limits."""
    color: str = "FFFFFF"
    """Six hexadecimal digits."""
    active: bool = True
    """Whether viewers show it at first."""

    def document(self) -> dict[str, Any]:
        """Return the channel as an entry of `omero`."""
        (start, end), (least, most) = self.limits, self.extent
        window = {"start": start, "end": end, "min": least, "max": most}
        return {"label": self.label, "color": self.color, "active": self.active, "window": window}


def ome(images: Sequence[Image], channels: Sequence[Channel] = (), name: str = "", model: str = "") -> dict[str, Any]:
    """Return the attribute `ome` for Zarr v3 (version 0.5): `multiscales`, and `omero` if there are channels.

    Parameters
    ----------
    images : sequence of Image
        Images; viewers show the first.
    channels : sequence of Channel
        How to show the channels of the first image.
    name : str
        Name of the image in viewers.
    model : str
        "greyscale" or "color"; by default chosen by the number of channels.
    """
    document = {"version": V3_VERSION, "multiscales": [image.document() for image in images]}
    if not channels:
        return document
    model = model or ("greyscale" if len(channels) == 1 else "color")
    described = [channel.document() for channel in channels]
    return document | {"omero": {"name": name, "channels": described, "rdefs": {"model": model}}}


def in_format(attrs: Mapping[str, Any], zarr_format: int, members: Container[str] = ()) -> dict[str, Any]:
    """Return the attributes of a group, with its OME-Zarr metadata converted for `zarr_format`.

    Versions other than 0.4 and 0.5 are not converted: they differ in content.

    Parameters
    ----------
    attrs : mapping
        All attributes of the group.
    zarr_format : {2, 3}
        The target format.
    members : container of str
        Names of the group's members: `labels` is OME's list only if it names members.

    Examples
    --------
    >>> in_format({"title": "cells", "plate": {"version": "0.4", "wells": []}}, 3)
    {'title': 'cells', 'ome': {'version': '0.5', 'plate': {'wells': []}}}
    >>> in_format({"ome": {"version": "0.5", "labels": ["nuclei"]}}, 2)
    {'labels': ['nuclei']}
    """
    within = attrs.get("ome")
    if zarr_format == 3 and within is None and _is_v2_ome(attrs, members):  # noqa: PLR2004
        moved = {name: _without_version(name, value) for name, value in attrs.items() if name in OME_KEYS}
        rest = {name: value for name, value in attrs.items() if name not in OME_KEYS}
        return rest | {"ome": {"version": V3_VERSION, **moved}}
    if zarr_format == 2 and isinstance(within, Mapping) and within.get("version") == V3_VERSION:  # noqa: PLR2004
        moved = {name: _with_version(name, value) for name, value in within.items() if name != "version"}
        rest = {name: value for name, value in attrs.items() if name != "ome"}
        return (_without_layout(rest) if "multiscales" in moved else rest) | moved
    return dict(attrs)


def dimensions(attrs: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return the names of the axes of every array that a group's OME-Zarr metadata describes, by path.

    OME-Zarr 0.5 requires that arrays name their dimensions like the axes; in 0.4 arrays have no dimension names.

    Examples
    --------
    >>> axes = [{"name": "y", "type": "space"}, {"name": "x", "type": "space"}]
    >>> dimensions({"multiscales": [{"axes": axes, "datasets": [{"path": "0"}, {"path": "1"}]}]})
    {'0': ('y', 'x'), '1': ('y', 'x')}
    """
    within = attrs.get("ome", attrs)
    images = within.get("multiscales") if isinstance(within, Mapping) else None
    described = [image for image in images if _is_image(image)] if isinstance(images, list) else []
    return {
        dataset["path"]: tuple(axis["name"] for axis in image["axes"])
        for image in described
        for dataset in image["datasets"]
    }


def _is_image(value: Any) -> bool:
    """Return whether a value is an entry of `multiscales` with axes and paths as in OME-Zarr 0.4 and later."""
    if not isinstance(value, Mapping):
        return False
    axes, datasets = value.get("axes"), value.get("datasets")
    return _have(axes, "name") and _have(datasets, "path")


def _have(values: Any, name: str) -> bool:
    """Return whether `values` is a list of objects that all have a string under `name`."""
    if not isinstance(values, list):
        return False
    return all(isinstance(value, Mapping) and isinstance(value.get(name), str) for value in values)


def _is_v2_ome(attrs: Mapping[str, Any], members: Container[str]) -> bool:
    """Return whether attributes are OME-Zarr 0.4: of an image, a list of labels, a label, a plate or a well."""
    if "multiscales" in attrs:  # labels and images have this key, so it decides
        images = attrs["multiscales"]
        return isinstance(images, list) and bool(images) and all(map(_is_v2_image, images))
    if any(_is_v2_object(attrs.get(name), kind) for name, kind in (("plate", "wells"), ("well", "images"))):
        return True
    labels = attrs.get("labels")
    named = isinstance(labels, list) and bool(labels) and all(name in members for name in labels)
    return named or attrs.get("bioformats2raw.layout") is not None


def _is_v2_object(value: Any, inside: str) -> bool:
    return isinstance(value, Mapping) and value.get("version", V2_VERSION) == V2_VERSION and inside in value


def _is_v2_image(value: Any) -> bool:
    """Return whether an entry of `multiscales` is 0.4: earlier versions have no axes, or only their names."""
    return _is_image(value) and _is_v2_object(value, "datasets")


def _without_version(name: str, value: Any) -> Any:
    if name == "multiscales" and isinstance(value, list):
        return [_unversioned(each) for each in value]
    return _unversioned(value) if name in _VERSIONED else value


def _unversioned(value: Mapping[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in value.items() if name != "version"}


def _with_version(name: str, value: Any) -> Any:
    if name == "multiscales":
        return [{**each, "version": V2_VERSION} for each in value]
    return {**value, "version": V2_VERSION} if name in _VERSIONED else value


def _without_layout(attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Return attributes without the convention `multiscales`, whose key belongs to OME-Zarr in v2."""
    rest = {name: value for name, value in attrs.items() if name != "multiscales"}
    others = [each for each in rest.pop("zarr_conventions", []) if each.get("name") != "multiscales"]
    return rest | ({"zarr_conventions": others} if others else {})
