"""The CPU time of a server's first replies for places that nobody opened before, without a network.

    python benchmarks/places.py

Places have 8 levels and one field, as those that the page asks for. It prints the median milliseconds of CPU for the
document of one array, the document of the whole place, and a chunk of 64 x 64 pixels.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from fractions import Fraction

import httpx

import mandeldask as md
from mandeldask.fractal.place_url import as_spec

REQUESTS = {
    "document of an array": "3/smooth/zarr.json",
    "document of the place": "zarr.json",
    "chunk of 64 x 64": "3/smooth/c/0/1",
}
ROUNDS = 15


def place(number: int) -> str:
    """Return the URL of a place near the set."""
    center = (Fraction(number, 1024), Fraction(1, 2))
    options = {"levels": 8, "tilesize": 64, "maxiter": "auto", "fields": ("smooth",), "tolerance": {"smooth": "1/256"}}
    return f"/zarr/v3/at/{as_spec(md.Pyramid(center=center, width='1/16', **options))}.zarr"


async def main() -> None:
    """Print the table; requests take turns."""
    transport = httpx.ASGITransport(app=md.create_app())
    spent: dict[str, list[float]] = {what: [] for what in REQUESTS}
    async with httpx.AsyncClient(transport=transport, base_url="http://server", timeout=600) as client:
        for number in range(ROUNDS * len(REQUESTS)):
            what = list(REQUESTS)[number % len(REQUESTS)]
            began = time.process_time()
            (await client.get(f"{place(number)}/{REQUESTS[what]}")).raise_for_status()
            spent[what].append(1000 * (time.process_time() - began))
    for what, each in spent.items():
        print(f"{what:24}{statistics.median(each):6.1f} ms")


if __name__ == "__main__":
    asyncio.run(main())
