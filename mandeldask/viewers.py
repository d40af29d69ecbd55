"""Links to external viewers."""

from __future__ import annotations

from urllib.parse import urlencode

VIZARR = "https://hms-dbmi.github.io"
"""Origin of vizarr. Its page may read by default, so that the printed links work."""


def vizarr_link(url: str) -> str:
    """Return the URL at which vizarr's page shows the Zarr at `url`."""
    return f"{VIZARR}/vizarr/?{urlencode({'source': url})}"
