"""Links to vizarr, a viewer of OME-Zarr with a page on GitHub."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from mandeldask.viewers import VIZARR, vizarr_link
from mandeldask.web.catalog import IMAGES

if TYPE_CHECKING:
    from mandeldask.web.serving import Handle


def vizarr_url(source: Handle | str, path: str = "", *, zarr_format: Literal[2, 3] = 3) -> str:
    """Return a link that opens an image of a server, or any OME-Zarr URL, in vizarr's page.

    Parameters
    ----------
    source : Handle or str
        The result of `serve`, or the URL of an image.
    path : str
        Name of a tree of the server, and path of an image in it; the first tree by default.
    zarr_format : {3, 2}
        Zarr format to read.

    Raises
    ------
    ValueError
        If the server does not allow vizarr's origin, or makes no levels of its images.

    Examples
    --------
    >>> vizarr_url("http://127.0.0.1:8000/zarr/v3/mandelbrot.zarr")
    'https://hms-dbmi.github.io/vizarr/?source=http%3A%2F%2F127.0.0.1%3A8000%2Fzarr%2Fv3%2Fmandelbrot.zarr'
    """
    if isinstance(source, str):
        return vizarr_link(source)
    allowed = source.app.settings.allow_origins
    if not {"*", VIZARR} & {*allowed}:
        msg = f'vizarr\'s page cannot read from this server; allow it with serve(..., allow_origins=["{VIZARR}"])'
        raise ValueError(msg)
    catalog = source.app.catalog
    name, _, below = (path or next(iter(catalog.names), "")).partition("/")
    if not below and catalog.has_levels(name):
        return vizarr_link(f"{source.address}/zarr/v{zarr_format}/{quote(name, safe='')}.zarr")
    if not catalog.has_images:
        msg = 'this server makes no levels of its images; use serve(..., pyramid="auto")'
        raise ValueError(msg)
    inside = "/".join(quote(each, safe="") for each in (name, *below.split("/")) if each)
    return vizarr_link(f"{source.address}/zarr/v{zarr_format}/{IMAGES}/{inside}.zarr")
