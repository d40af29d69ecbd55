"""What a first visit of a page fetches, compressed as the server sends it, and how much its codecs add to the wheel.

python benchmarks/page_sizes.py
"""

from __future__ import annotations

import zipfile
from html.parser import HTMLParser
from io import BytesIO
from urllib.parse import urljoin

import httpx
import numpy as np

import mandeldask as md
from mandeldask.web.pages import VIEWER

GZIP = {"accept-encoding": "gzip"}


class Files(HTMLParser):
    """The URLs that a page names: scripts, modules, styles."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        url = named.get("src") if tag == "script" else named.get("href") if tag == "link" else None
        if url:
            self.found.add(url)


def fetched(client: httpx.Client, path: str) -> dict[str, int]:
    """Return the bytes that each file of a page takes on the wire; modules name others."""
    sizes: dict[str, int] = {}
    wanted = {path}
    while wanted:
        url = wanted.pop()
        with client.stream("GET", url, headers=GZIP) as reply:
            sizes[url] = sum(map(len, reply.iter_raw()))
        text = client.get(url).text
        named = Files()
        if url == path:
            named.feed(text)
        imported = {line.split('"')[-2] for line in text.splitlines() if line.startswith("import ") and '"' in line}
        imported |= {line.split('"')[-2] for line in text.splitlines() if line.startswith("} from ")}
        wanted |= {urljoin(url, each) for each in named.found | imported} - set(sizes)
    return sizes


def in_wheel(*names: str) -> int:
    """Return the bytes that files take in a wheel."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, VIEWER.files()[name].content)
    return len(buffer.getvalue())


def main() -> None:
    trees = {"set": md.Pyramid(levels=3), "photo": np.zeros((64, 64), "u1")}
    with md.serve(trees, background=True) as server, httpx.Client(base_url=server.address) as client:
        for path in ("/", "/browse/photo"):
            sizes = fetched(client, path)
            ours = {url: size for url, size in sizes.items() if "/vendor/" not in url}
            print(
                f"{path}: {len(sizes)} files, {sum(sizes.values()) / 1000:.0f} kB, zarrita "
                f"{(sum(sizes.values()) - sum(ours.values())) / 1000:.0f} kB of it"
            )
    codecs = [name for name in VIEWER.files() if name.startswith("vendor/numcodecs-")]
    print(
        f"in the wheel: codecs {in_wheel(*codecs) / 1000:.0f} kB, zarrita {in_wheel('vendor/zarrita.js') / 1000:.0f} kB"
    )


if __name__ == "__main__":
    main()
