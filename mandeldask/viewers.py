"""Links to other people's viewers."""

from __future__ import annotations

from urllib.parse import urlencode

VIZARR = "https://hms-dbmi.github.io"
"""Origin of vizarr, whose page may read by default, so that the URL printed for it works."""


def vizarr_link(url: str) -> str:
    """Return the URL at which vizarr's page shows the Zarr at `url`."""
    return f"{VIZARR}/vizarr/?{urlencode({'source': url})}"
